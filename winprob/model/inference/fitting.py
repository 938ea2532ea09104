"""From deals to a fitted model: sample, pass the convergence gates, or refuse."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from winprob.arrays import Array
from winprob.data.schema import fact_columns, in_order, is_closed, validate_deals
from winprob.i18n import gettext
from winprob.model.amounts import learn_closing_amounts
from winprob.model.arrivals import learn_arrivals
from winprob.model.features import Features, Layout, Scaling, empty_scaling, without_former
from winprob.model.hazards import Hazards
from winprob.model.inference.believable import believable_draws
from winprob.model.inference.gates import Gates
from winprob.model.inference.past_readings import recalibrated
from winprob.model.inference.sampling import Progress
from winprob.model.inference.training_data import Training, learn_time, odds_of_waiting, training_from
from winprob.model.inference.unfinished import Unfinished
from winprob.model.posterior import Posterior, Provenance, flatten_chains
from winprob.model.win.blocks import TERMS, UNCONSTRAINED, Term
from winprob.model.win.density_data import build_density, log_prior, standard_unknowns
from winprob.model.win.parameters import derive_parameters, informed, prior_data, sample_prior, silent
from winprob.model.win.terms import ROLE_TERMS, coefficients, iter_terms, logits, support_terms
from winprob.settings import Settings

_REFERENCE_ROWS = 4000


def fit(
    deals: pd.DataFrame,
    *,
    seed: int,
    settings: Settings | None = None,
    readings: pd.DataFrame | None = None,
    ends: pd.DataFrame | None = None,
    one_outcome: bool = False,
    pseudonymous: bool = False,
    progress: Progress | None = None,
    unfinished: Unfinished | None = None,
) -> Posterior:
    """Fit the win model and the time to close, to closed deals and to open ones as censored observations.

    The time to close is learned where the table has dates for it, see ``hazards.learn_hazards``; without it open deals
    are left out. Arrivals of new deals and changes of amounts at the close are learned from past quarters. The order
    of the rows does not matter.

    Parameters
    ----------
    deals : frame in canonical columns; many rows (readings) of a deal add no weight beyond one
    readings : more readings of the deals, from which the time to close is learned instead: in readings at one time of
        the quarter only, weeks of waiting and weeks of the quarter are not identified separately
    ends : all deals as they ended, where ``deals`` lacks some: those of a history that were created and closed between
        two reviews (``history.deal_ends``). Only the number of deals per quarter is learned from them
    seed : of the sampler, and of every later draw for new sellers, regions, quarters
    one_outcome : accept closed deals that all ended alike
    pseudonymous : store pseudonyms of sellers and accounts instead of their names; they depend on the seed alone
    progress : called with the current step and how much of it is done
    unfinished : go on from the draws of a run with these arguments that did not converge, see ``NotConvergedError``

    Raises
    ------
    DealTableError
        The deals are not valid, none is closed, or all ended alike.
    InputError
        The unfinished run was of other deals, settings or seed.
    NotConvergedError
        The draws failed their gates.
    """
    settings = settings or Settings()
    valid = in_order(validate_deals(deals, training=True, one_outcome=one_outcome))
    dated = without_former(valid if readings is None else in_order(validate_deals(readings)))
    record = valid if ends is None else in_order(validate_deals(ends))
    progress = progress or _silent
    progress(gettext("learning when deals close"), 0.0)
    hazards = learn_time(dated, settings, seed)
    progress(gettext("learning when deals close"), 1.0)
    salt = sha256(f"winprob pseudonyms {seed}".encode()).hexdigest()[:32] if pseudonymous else ""
    training = training_from(
        valid, settings, seed=seed, waiting_odds=odds_of_waiting(hazards, without_former(valid)), salt=salt
    )
    learned = learn(training, settings, seed=seed, progress=progress, unfinished=unfinished)
    layout, rng = training.scaling.layout, np.random.default_rng([seed, 1])
    fitted = _posterior(
        draws={**learned.parameters, "log_prior": learned.log_prior},
        prior=sample_prior(layout, settings.priors, settings.sampler.prior_draws, rng),
        reference=(training.features, training.weight),
        scaling=training.scaling,
        settings=settings,
        provenance=_provenance(training, record, seed, learned.gates),
        hazards=hazards,
    )
    return replace(
        fitted,
        hazards=recalibrated(fitted, dated, seed=seed),
        arrivals=learn_arrivals(record, settings.calendar),
        amounts=learn_closing_amounts(valid),
    )


def fit_prior(*, seed: int, settings: Settings | None = None) -> Posterior:
    """The model before any deal is seen: every draw is from the prior, and ``prior_share`` is 1 throughout."""
    settings = settings or Settings()
    scaling = empty_scaling(settings)
    sampler = settings.sampler
    shape = (sampler.chains, sampler.kept)
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
class Learned:
    """Draws: named parameters, each (chain, draw, *dims), log density of their prior, and the convergence gates."""

    parameters: dict[str, Array]
    log_prior: Array
    gates: Gates


def learn(
    training: Training,
    settings: Settings,
    *,
    seed: int,
    unconstrained: bool = False,
    progress: Progress | None = None,
    unfinished: Unfinished | None = None,
) -> Learned:
    """Posterior draws of every parameter that passed the convergence gates.

    Parameters
    ----------
    unconstrained : allow negative role weights, to ask whether the data contradict the method; not for predictions

    Raises
    ------
    NotConvergedError
        The draws failed their gates.
    """
    layout = training.scaling.layout
    terms = informed(UNCONSTRAINED if unconstrained else TERMS, layout)
    priors = settings.priors.with_deals(read_often=training.read_often)
    density = build_density(**training.evidence(), layout=layout, priors=priors, terms=terms)

    def parameters(points: Array) -> dict[str, Array]:
        standard = standard_unknowns(points, density)
        return derive_parameters(np, standard, prior_data(layout, priors, terms), layout, terms)

    how = (settings, seed, progress or _silent, unfinished)
    points, gates = believable_draws(density, parameters, training.scaling, *how)
    learned = parameters(points)
    learned = apart(learned, training.scaling)
    if not unconstrained:
        learned = _with_prior(learned, terms, layout, settings, np.random.default_rng([seed, 3]))
    return Learned(parameters=learned, log_prior=log_prior(points, density), gates=gates)


def apart(learned: Mapping[str, Array], scaling: Scaling) -> dict[str, Array]:
    """Draws in which the companion is only what trees find beyond single covariates.

    Sampled with all that the trees find: effects of levels and bins are then what they miss, and shrink towards them.
    The part of the trees that is a sum over single covariates is moved to these effects; no prediction changes.
    """
    companion = scaling.companion
    if companion is None:
        return dict(learned)
    levels, bins = np.split(companion.additive, [len(companion.category)])
    weight = learned["companion_weight"]
    moved = {name: learned[name] + weight * own for name, own in (("offset", levels), ("curve", bins)) if len(own)}
    return {**learned, **moved}


def _with_prior(
    learned: Mapping[str, Array],
    terms: Sequence[Term],
    layout: Layout,
    settings: Settings,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draws of all parameters: those on which no deal bears are from the prior.

    A fact that every training deal lacks is part of the typical deal: the prior's draw for *unknown* adds nothing.
    """
    shape = learned["intercept"].shape
    prior = sample_prior(layout, settings.priors, int(np.prod(shape)), rng)
    drawn = {name: values.reshape(*shape, *values.shape[1:]) for name, values in prior.items()}
    draws = {**drawn, **learned}
    if silent(layout):
        draws |= _stretched(learned, drawn)
    for term in TERMS:
        if term.part == "effect" and term not in terms and term.reads in layout.shares:
            draws["intercept"] = draws["intercept"] - drawn[term.coefficient] @ layout.shares[term.reads]
    return draws


def _stretched(learned: Mapping[str, Array], drawn: Mapping[str, Array]) -> dict[str, Array]:
    """What was learned without any report: then all log-odds are shrunk alike by what is unknown of support.

    They were learned as they are after that, so they are stretched by as much; what support is expected there adds
    nothing to the typical deal, and teams weigh alike.
    """
    weight = drawn["role_weight"][..., -1]
    stretch = np.sqrt(1 + np.pi / 8 * (weight**2).sum(axis=-1))
    added = [term for term in TERMS if term.part in ("intercept", "effect", "column")]
    names = [name for term in added for name in term.parameters if name in learned]
    scaled = {name: (learned[name].T * stretch.T).T for name in names}
    scaled["intercept"] = scaled["intercept"] - (weight * drawn["unknown_support"]).sum(axis=-1)
    return scaled | {"team_factor": np.ones_like(drawn["team_factor"])}


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
    arrays = {**draws, "base_rate_logit": base.reshape(shape), "term_mean": means.reshape(*shape, len(terms))}
    return Posterior(
        draws={name: np.asarray(values, dtype=np.float32) for name, values in arrays.items()},
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
    """The reference of explanations, over the training deals: the model's win rate, as log-odds (draw,), and the mean
    of every term (draw, term). Without deals: the intercept, and no terms.

    For a long history evenly spaced rows suffice: they only fix the point that differences are relative to.
    """
    if reference is None:
        return flat["intercept"], (), np.zeros((len(flat["intercept"]), 0))
    features, weight = reference
    rows = np.arange(0, len(features), max(1, len(features) // _REFERENCE_ROWS))
    features, share = features.take(rows), weight[rows] / weight[rows].sum()
    coefs = coefficients(flat, features, seed=seed)
    means = {name: share @ term for name, term in iter_terms(coefs, features, scaling)}
    means |= {name: share @ term for name, term in zip(ROLE_TERMS, support_terms(coefs, features)[0], strict=True)}
    base_rate = share @ expit(logits(coefs, features))
    return logit(base_rate), tuple(means), np.stack(list(means.values()), axis=-1)


def _provenance(training: Training, record: pd.DataFrame, seed: int, gates: Gates) -> Provenance:
    closed, counted = training.closed, training.counted
    days = closed.get("as_of", pd.Series(dtype="datetime64[us]")).dropna()
    measured = {name: value for name, value in asdict(gates).items() if name not in ("worst", "each")}
    return Provenance(
        deals=int(closed["deal_id"].nunique()),
        rows=len(closed),
        available=training.available,
        counted=counted,
        won=float(counted * np.average(training.won, weights=training.weight)),
        first_day=days.min().date().isoformat() if len(days) else None,
        last_day=days.max().date().isoformat() if len(days) else None,
        data_hash=training.hash(),
        seed=seed,
        versions=versions(),
        gates=measured,
        readings={str(name): int(closed[name].notna().sum()) for name in fact_columns(closed)},
        closed=int(pd.concat([some["deal_id"][is_closed(some)] for some in (closed, record)]).nunique()),
    )


def versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("winprob", "nutpie", "numba", "numpy")}
    return {"python": platform.python_version(), **libraries}


def _silent(what: str, share: float) -> None:
    """Progress without a display."""
