"""From closed deals to a fitted model, or a refusal."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from winprob.arrivals import learn_arrivals
from winprob.catalog import say
from winprob.density import Density, build_density, log_prior, standard_unknowns
from winprob.errors import NotConvergedError
from winprob.features import Features, Scaling, describe, empty_scaling, learn_scaling
from winprob.inference.gates import Gates, measure_gates
from winprob.inference.sampling import Draws, Progress, sample
from winprob.parameters import Layout, derive_parameters, prior_data, sample_prior
from winprob.posterior import Posterior, Provenance, flatten_chains
from winprob.revisions import learn_revisions
from winprob.schema import validate_deals
from winprob.settings import SamplerSettings, Settings
from winprob.terms import ROLE_TERMS, coefficients, iter_terms, logits, support_terms
from winprob.weights import deal_weights

Array = npt.NDArray[Any]

_REFERENCE_ROWS = 4000


def fit(
    deals: pd.DataFrame,
    *,
    seed: int,
    settings: Settings | None = None,
    one_outcome: bool = False,
    progress: Progress | None = None,
) -> Posterior:
    """Learn the win model from closed deals; open ones are left out.

    Parameters
    ----------
    deals : frame in canonical columns; a deal with several rows (readings) counts once
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
    training = read_training(deals, settings, seed=seed, one_outcome=one_outcome)
    learned = learn(training, settings, seed=seed, progress=progress)
    layout, rng = training.scaling.layout, np.random.default_rng([seed, 1])
    fitted = _posterior(
        draws={**learned.parameters, "log_prior": learned.log_prior},
        prior=sample_prior(layout, settings.priors, settings.sampler.prior_draws, rng),
        reference=(training.features, training.weight),
        scaling=training.scaling,
        settings=settings,
        provenance=_provenance(training, seed, learned.gates),
    )
    valid = validate_deals(deals)
    return replace(fitted, arrivals=learn_arrivals(valid, settings.calendar), revisions=learn_revisions(valid))


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
    """Closed deals as the model sees them.

    Attributes
    ----------
    closed : the deals, valid
    available : how many deals were closed, those left out of a long history too
    won : (deal,) whether each was won, 0 or 1
    weight : (deal,) how much each row counts
    """

    closed: pd.DataFrame
    available: int
    scaling: Scaling
    features: Features
    won: Array
    weight: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What sampling gave: named parameters, each (chain, draw, *dims), log density of their prior, and the gates."""

    parameters: dict[str, Array]
    log_prior: Array
    gates: Gates


def read_training(deals: pd.DataFrame, settings: Settings, *, seed: int = 0, one_outcome: bool = False) -> Training:
    """The closed deals of a table, described by a scaling learned from them.

    Of more than ``sampler.most_deals`` deals that many are drawn at random, by ``seed``: beyond, sampling costs more
    than it tells (decision 011).

    Raises
    ------
    DealTableError
        The deals are not valid, none is closed, or all ended alike.
    """
    valid = validate_deals(deals, training=True, one_outcome=one_outcome)
    every = valid[valid["outcome"].notna() & (valid["outcome"] != "open")]
    closed = _at_most(settings.sampler.most_deals, every, seed)
    scaling = learn_scaling(closed, settings)
    return Training(
        closed=closed,
        available=int(every["deal_id"].nunique()),
        scaling=scaling,
        features=describe(closed, scaling),
        won=(closed["outcome"] == "won").to_numpy(dtype=float),
        weight=deal_weights(closed, copies_count_once=settings.covariates.copies_count_once),
    )


def _at_most(most: int, deals: pd.DataFrame, seed: int) -> pd.DataFrame:
    """All readings of at most so many deals, in the table's order."""
    names = deals["deal_id"].unique()
    if len(names) <= most:
        return deals
    chosen = np.random.default_rng([seed, 2]).choice(len(names), most, replace=False)
    return deals[deals["deal_id"].isin(names[chosen])]


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
    density = build_density(
        training.features, layout, settings.priors, won=training.won, weight=training.weight, signed=signed
    )
    points, gates = _believable_draws(density, layout, settings, seed, progress or _silent)
    return Learned(
        parameters=_parameters(points, density, layout, settings),
        log_prior=log_prior(points, density),
        gates=gates,
    )


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
        say(
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
    for name in training.features.ROW_ARRAYS:
        digest.update(np.ascontiguousarray(getattr(training.features, name)).tobytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("winprob", "nutpie", "numba", "numpy")}
    return {"python": platform.python_version(), **libraries}


def _silent(what: str, share: float) -> None:
    """Nobody is watching."""
