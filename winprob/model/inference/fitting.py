"""From closed deals to a fitted model, or a refusal."""

from __future__ import annotations

import datetime as dt
import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.errors import NotConvergedError
from winprob.i18n import gettext
from winprob.model.amounts import learn_closing_amounts
from winprob.model.arrivals import learn_arrivals
from winprob.model.features import Features, Layout, Scaling, deal_weights, describe, empty_scaling, learn_scaling
from winprob.model.hazards import Hazards, learn_hazards, waiting_odds
from winprob.model.inference.gates import Gates, measure_gates
from winprob.model.inference.sampling import Draws, Progress, sample
from winprob.model.posterior import Posterior, Provenance, flatten_chains
from winprob.model.win.density import Density, build_density, log_prior, standard_unknowns
from winprob.model.win.parameters import derive_parameters, prior_data, sample_prior
from winprob.model.win.terms import ROLE_TERMS, coefficients, iter_terms, logits, support_terms
from winprob.settings import SamplerSettings, Settings

_REFERENCE_ROWS = 4000


def fit(
    deals: pd.DataFrame,
    *,
    seed: int,
    settings: Settings | None = None,
    readings: pd.DataFrame | None = None,
    ends: pd.DataFrame | None = None,
    one_outcome: bool = False,
    progress: Progress | None = None,
) -> Posterior:
    """Learn the win model and the time to close, from closed deals and from the wait of those still open.

    The time to close is learned where the table has dates for it, see ``hazards.learn_hazards``; without it open deals
    are left out. With it goes what past quarters tell of deals not yet created, and of amounts at the close.

    Parameters
    ----------
    deals : frame in canonical columns; many rows (readings) of a deal make nobody surer than one
    readings : more readings of the deals, from which the time to close is learned instead: read at one time of the
        quarter only, weeks of waiting cannot be told from weeks of the quarter
    ends : all deals as they ended, where ``deals`` lacks some: those of a history that came and closed between two
        reviews (``history.deal_ends``). Only how many deals a quarter brings is learned from them
    seed : of the sampler, and of every later draw for new sellers, regions, quarters
    one_outcome : accept closed deals that all ended alike
    progress : called with what is going on and how much of it is done

    Raises
    ------
    DealTableError
        The deals are not valid, none is closed, or all ended alike.
    NotConvergedError
        The draws failed their gates twice.
    """
    settings = settings or Settings()
    valid = validate_deals(deals, training=True, one_outcome=one_outcome)
    dated = valid if readings is None else validate_deals(readings)
    hazards = _learn_time(dated, settings, seed, progress or _silent)
    odds = _waiting_odds(hazards, valid)
    training = read_training(valid, settings, seed=seed, one_outcome=one_outcome, waiting_odds=odds)
    learned = learn(training, settings, seed=seed, progress=progress)
    layout, rng = training.scaling.layout, np.random.default_rng([seed, 1])
    fitted = _posterior(
        draws={**learned.parameters, "log_prior": learned.log_prior},
        prior=sample_prior(layout, settings.priors, settings.sampler.prior_draws, rng),
        reference=(training.features, training.weight),
        scaling=training.scaling,
        settings=settings,
        provenance=_provenance(training, seed, learned.gates),
        hazards=hazards,
    )
    record = valid if ends is None else validate_deals(ends)
    return replace(fitted, arrivals=learn_arrivals(record, settings.calendar), amounts=learn_closing_amounts(valid))


def _learn_time(valid: pd.DataFrame, settings: Settings, seed: int, progress: Progress) -> Hazards | None:
    """The time to close, with as many draws as the win model will have, of no more deals."""
    progress(gettext("learning when deals close"), 0.0)
    sampler = settings.sampler
    draws = sampler.chains * -(-sampler.draws // sampler.thin)
    known = valid[_at_most(sampler.most_deals, valid["deal_id"], seed)]
    hazards = learn_hazards(known, settings, draws=draws, seed=seed)
    progress(gettext("learning when deals close"), 1.0)
    return hazards


def _waiting_odds(hazards: Hazards | None, valid: pd.DataFrame) -> Array | None:
    """(row,) what the wait of an open deal tells of its end, None where nothing was learned of time."""
    if hazards is None:
        return None
    still_open = (valid["outcome"] == "open").to_numpy(dtype=bool)
    odds = np.ones(len(valid))
    odds[still_open] = waiting_odds(hazards, valid[still_open], known_on=dt.date.fromisoformat(hazards.known_on))
    return odds


def fit_prior(*, seed: int, settings: Settings | None = None) -> Posterior:
    """The model before any deal was seen: every draw comes from the prior, and ``prior_share`` is 1 throughout."""
    settings = settings or Settings()
    scaling = empty_scaling(settings)
    sampler = settings.sampler
    shape = (sampler.chains, sampler.draws // sampler.thin)
    draws = sample_prior(scaling.layout, settings.priors, shape[0] * shape[1], np.random.default_rng([seed, 0]))
    return _posterior(
        draws={name: values.reshape(*shape, *values.shape[1:]) for name, values in draws.items()},
        prior=draws,
        reference=None,
        scaling=scaling,
        settings=settings,
        provenance=Provenance(
            deals=0,
            rows=0,
            available=0,
            counted=0.0,
            won=0.0,
            first_day=None,
            last_day=None,
            data_hash="",
            seed=seed,
            versions=versions(),
            gates={},
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Closed deals as the model sees them, and those still open whose wait tells something.

    Attributes
    ----------
    closed : the deals, valid
    available : how many deals were closed, those left out of a long history too
    won : (deal,) whether each was won, 0 or 1
    weight : (deal,) how much each row counts
    waiting : what is known of the deals that are still open, None where their wait tells nothing
    """

    closed: pd.DataFrame
    available: int
    scaling: Scaling
    features: Features
    won: Array
    weight: Array
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Readings of deals that have been open ever since.

    Attributes
    ----------
    deals : how many there are
    weight : (row,) how much each reading counts
    odds : (row,) how likely such a wait is if the deal will be won, over how likely if not
    """

    deals: int
    features: Features
    weight: Array
    odds: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What sampling gave: named parameters, each (chain, draw, *dims), log density of their prior, and the gates."""

    parameters: dict[str, Array]
    log_prior: Array
    gates: Gates


def read_training(
    deals: pd.DataFrame,
    settings: Settings,
    *,
    seed: int = 0,
    one_outcome: bool = False,
    waiting_odds: Array | None = None,
) -> Training:
    """The closed deals of a table, described by a scaling learned from them and from the deals that wait.

    Of more than ``sampler.most_deals`` deals that many are drawn at random, by ``seed``: beyond, sampling costs more
    than it tells (decision 011).

    Parameters
    ----------
    waiting_odds : (row,) of each open row how likely its wait is if the deal will be won, over how likely if not; a row
        of even odds tells nothing and is left out, and so are all without this

    Raises
    ------
    DealTableError
        The deals are not valid, none is closed, or all ended alike.
    """
    valid = validate_deals(deals, training=True, one_outcome=one_outcome)
    is_closed = (valid["outcome"].notna() & (valid["outcome"] != "open")).to_numpy(dtype=bool)
    odds = np.ones(len(valid)) if waiting_odds is None else waiting_odds
    tells = is_closed | ((valid["outcome"] == "open").to_numpy(dtype=bool) & (odds != 1))
    chosen = _at_most(settings.sampler.most_deals, valid["deal_id"][tells], seed)
    known, odds, is_closed = valid[tells][chosen], odds[tells][chosen], is_closed[tells][chosen]
    scaling = learn_scaling(known, settings)
    features = describe(known, scaling)
    weight = deal_weights(known, copies_count_once=settings.covariates.copies_count_once)
    closed, waits = known[is_closed], ~is_closed
    return Training(
        closed=closed,
        available=int(valid["deal_id"][valid["outcome"].notna() & (valid["outcome"] != "open")].nunique()),
        scaling=scaling,
        features=features.take(is_closed),
        won=(closed["outcome"] == "won").to_numpy(dtype=float),
        weight=weight[is_closed],
        waiting=Waiting(
            deals=int(known["deal_id"][waits].nunique()),
            features=features.take(waits),
            weight=weight[waits],
            odds=odds[waits],
        )
        if waits.any()
        else None,
    )


def _at_most(most: int, deal_ids: pd.Series, seed: int) -> Array:
    """(row,) whether to keep it: all readings of at most so many deals, drawn at random."""
    names = deal_ids.unique()
    if len(names) <= most:
        return np.ones(len(deal_ids), dtype=bool)
    chosen = np.random.default_rng([seed, 2]).choice(len(names), most, replace=False)
    return deal_ids.isin(names[chosen]).to_numpy()


def learn(
    training: Training, settings: Settings, *, seed: int, signed: bool = False, progress: Progress | None = None
) -> Learned:
    """Believable draws of every parameter.

    Parameters
    ----------
    signed : let role weights be negative, to ask whether the data fight the method; no model for predictions

    Raises
    ------
    NotConvergedError
        The draws failed their gates twice.
    """
    layout = training.scaling.layout
    density = build_density(**_evidence(training), layout=layout, priors=settings.priors, signed=signed)
    points, gates = _believable_draws(density, layout, settings, seed, progress or _silent)
    return Learned(
        parameters=_parameters(points, density, layout, settings),
        log_prior=log_prior(points, density),
        gates=gates,
    )


def _evidence(training: Training) -> dict[str, Any]:
    """Closed and waiting rows end to end, as the density takes them."""
    waiting = training.waiting
    if waiting is None:
        return {"features": training.features, "won": training.won, "weight": training.weight}
    return {
        "features": training.features.join(waiting.features),
        "won": np.concatenate([training.won, np.full(len(waiting.odds), np.nan)]),
        "weight": np.concatenate([training.weight, waiting.weight]),
        "waiting_odds": np.concatenate([np.ones(len(training.won)), waiting.odds]),
    }


def _believable_draws(
    density: Density, layout: Layout, settings: Settings, seed: int, progress: Progress
) -> tuple[Array, Gates]:
    """Points (chain, draw, unknown) that passed the gates at the first or second try."""
    for sampler in (settings.sampler, _stricter(settings.sampler)):
        found: Draws = sample(density, sampler, seed=seed, progress=progress)
        gates = measure_gates(_parameters(found.points, density, layout, settings), found.statistics)
        failures = gates.failures(settings.gates)
        if not failures:
            return found.points[:, :: sampler.thin], gates
    raise NotConvergedError(
        gettext(
            "sampling did not converge, twice (worst at {worst}): {failures}. Nothing was saved. "
            "Look for a column that separates won from lost exactly (winprob check), or for fewer covariates.",
            worst=gates.worst,
            failures="; ".join(failures),
        )
    )


def _parameters(points: Array, density: Density, layout: Layout, settings: Settings) -> dict[str, Array]:
    standard = standard_unknowns(points, density)
    return derive_parameters(np, standard, prior_data(layout, settings.priors), layout, signed=density.signed)


def _stricter(sampler: SamplerSettings) -> SamplerSettings:
    changed = {"draws": sampler.retry_draws, "tune": 2 * sampler.tune, "target_accept": sampler.retry_target_accept}
    return SamplerSettings(**{**asdict(sampler), **changed})


def _posterior(
    *,
    draws: Mapping[str, Array],
    prior: Mapping[str, Array],
    reference: tuple[Features, Array] | None,
    scaling: Scaling,
    settings: Settings,
    provenance: Provenance,
    hazards: Hazards | None = None,
) -> Posterior:
    shape = draws["intercept"].shape
    base, terms, means = _reference(flatten_chains(draws), reference, scaling, provenance.seed)
    kept = {**draws, "base_rate_logit": base.reshape(shape), "term_mean": means.reshape(*shape, len(terms))}
    return Posterior(
        draws={name: np.asarray(values, dtype=np.float32) for name, values in kept.items()},
        prior={name: np.asarray(values, dtype=np.float32) for name, values in prior.items()},
        terms=terms,
        scaling=scaling,
        settings=settings,
        provenance=provenance,
        hazards=hazards,
    )


def _reference(
    flat: Mapping[str, Array], reference: tuple[Features, Array] | None, scaling: Scaling, seed: int
) -> tuple[Array, tuple[str, ...], Array]:
    """Where an explanation starts from, over the training deals: the win rate that the model sees in them, as
    log-odds (draw,), and the mean of every term (draw, term). Without deals: even terms, and the intercept's rate.

    Of a long history evenly spaced rows are enough: this only fixes the point that differences are told from.
    """
    if reference is None:
        return flat["intercept"], (), np.zeros((len(flat["intercept"]), 0))
    features, weight = reference
    rows = np.arange(0, len(features), max(1, len(features) // _REFERENCE_ROWS))
    features, share = features.take(rows), weight[rows] / weight[rows].sum()
    by = coefficients(flat, features, seed=seed)
    means = {name: share @ term for name, term in iter_terms(by, features, scaling)}
    means |= {name: share @ term for name, term in zip(ROLE_TERMS, support_terms(by, features)[0], strict=True)}
    base_rate = share @ expit(logits(by, features))
    return logit(base_rate), tuple(means), np.stack(list(means.values()), axis=-1)


def _provenance(training: Training, seed: int, gates: Gates) -> Provenance:
    closed = training.closed
    days = closed.get("as_of", pd.Series(dtype="datetime64[us]")).dropna()
    measured = {name: value for name, value in asdict(gates).items() if name != "worst"}
    return Provenance(
        deals=int(closed["deal_id"].nunique()),
        rows=len(closed),
        available=training.available,
        counted=float(training.weight.sum()),
        won=float((training.won * training.weight).sum()),
        first_day=days.min().date().isoformat() if len(days) else None,
        last_day=days.max().date().isoformat() if len(days) else None,
        data_hash=_hash(training),
        seed=seed,
        versions=versions(),
        gates=measured,
    )


def _hash(training: Training) -> str:
    """SHA-256 of all that was learned from."""
    digest = hashlib.sha256(np.ascontiguousarray(training.won).tobytes() + training.weight.tobytes())
    parts = [training.features]
    if training.waiting:
        digest.update(training.waiting.odds.tobytes() + training.waiting.weight.tobytes())
        parts.append(training.waiting.features)
    for features in parts:
        for name in features.ROW_ARRAYS:
            digest.update(np.ascontiguousarray(getattr(features, name)).tobytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("winprob", "nutpie", "numba", "numpy")}
    return {"python": platform.python_version(), **libraries}


def _silent(what: str, share: float) -> None:
    """Nobody is watching."""
