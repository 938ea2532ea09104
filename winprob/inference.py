"""Can we believe the draws? Sample, pass the gates, and hand back a fitted model, or refuse."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from winprob.catalog import say
from winprob.errors import NotConvergedError
from winprob.features import Features, Scaling, describe, empty_scaling, learn_scaling
from winprob.intervals import TAILS
from winprob.model import STANDARD, build_model, model_data
from winprob.parameters import DIMS, Layout, derive_parameters, prior_data, sample_prior
from winprob.posterior import Posterior, Provenance, flatten_chains
from winprob.schema import validate_deals
from winprob.settings import GateSettings, SamplerSettings, Settings
from winprob.terms import ROLE_TERMS, coefficients, iter_terms, logits, support_terms
from winprob.weights import deal_weights

Array = npt.NDArray[Any]

#: Called with what is going on, in words, and how much of it is done, 0..1.
Progress = Callable[[str, float], None]

#: Compiled graphs of this process, by the lengths of the padded layout.
_compiled: dict[tuple[int, ...], Any] = {}

_REFERENCE_ROWS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Diagnostics of one run: the worst over every parameter kept, and which parameter that is."""

    r_hat: float
    bulk_ess: float
    tail_ess: float
    divergent_share: float
    bfmi: float
    worst: str

    def failures(self, wanted: GateSettings) -> list[str]:
        """In words, each gate that was not passed."""
        checks = (
            (self.r_hat < wanted.r_hat, say("R-hat {got:.3f}, wanted < {want}", got=self.r_hat, want=wanted.r_hat)),
            (
                self.bulk_ess > wanted.bulk_ess,
                say("bulk ESS {got:.0f}, wanted > {want:.0f}", got=self.bulk_ess, want=wanted.bulk_ess),
            ),
            (
                self.tail_ess > wanted.tail_ess,
                say("tail ESS {got:.0f}, wanted > {want:.0f}", got=self.tail_ess, want=wanted.tail_ess),
            ),
            (
                self.divergent_share <= wanted.divergent_share,
                say(
                    "{got:.1%} of draws diverged, wanted <= {want:.1%}",
                    got=self.divergent_share,
                    want=wanted.divergent_share,
                ),
            ),
            (self.bfmi > wanted.bfmi, say("energy (BFMI) {got:.2f}, wanted > {want}", got=self.bfmi, want=wanted.bfmi)),
        )
        return [words for passed, words in checks if not passed]


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
    closed = _closed(deals, one_outcome=one_outcome)
    scaling = learn_scaling(closed, settings)
    features = describe(closed, scaling)
    won, weight = (
        (closed["outcome"] == "won").to_numpy(dtype=float),
        deal_weights(closed, copies_count_once=settings.covariates.copies_count_once),
    )
    padded = scaling.layout.padded()
    data = model_data(features, padded, settings.priors, won=won, weight=weight)
    standard, gates = _believable_draws(padded, data, settings, seed, progress or _silent)
    draws = _kept(derive_parameters(np, standard, prior_data(padded, settings.priors), padded), scaling.layout, axis=2)
    rng = np.random.default_rng([seed, 1])
    return _posterior(
        draws=draws,
        prior=sample_prior(scaling.layout, settings.priors, settings.sampler.prior_draws, rng),
        reference=(features, weight),
        scaling=scaling,
        settings=settings,
        provenance=_provenance(closed, data, seed, gates),
    )


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
            counted=0.0,
            won=0.0,
            first_day=None,
            last_day=None,
            data_hash="",
            seed=seed,
            versions=_versions(),
            gates={},
        ),
    )


def _closed(deals: pd.DataFrame, *, one_outcome: bool) -> pd.DataFrame:
    valid = validate_deals(deals, training=True, one_outcome=one_outcome)
    closed = valid["outcome"].notna() & (valid["outcome"] != "open")
    return valid[closed]


def _believable_draws(
    layout: Layout, data: Mapping[str, Array], settings: Settings, seed: int, progress: Progress
) -> tuple[dict[str, Array], Gates]:
    """Draws of the standard unknowns, each (chain, draw, unknown), that passed the gates at the first or second try."""
    compiled = _compile(layout, data, progress)
    tries = (settings.sampler, _stricter(settings.sampler))
    for sampler in tries:
        tree = _sample(compiled, sampler, seed, progress)
        standard = {name: tree["posterior"][name].to_numpy() for name in STANDARD}
        gates = _measure(standard, tree["sample_stats"], layout, settings)
        failures = gates.failures(settings.gates)
        if not failures:
            return {name: values[:, :: sampler.thin] for name, values in standard.items()}, gates
    raise NotConvergedError(
        say(
            "sampling did not converge, twice (worst at {worst}): {failures}. Nothing was saved. "
            "Look for a column that separates won from lost exactly (winprob check), or for fewer covariates.",
            worst=gates.worst,
            failures="; ".join(failures),
        )
    )


def _stricter(sampler: SamplerSettings) -> SamplerSettings:
    changed = {"draws": sampler.retry_draws, "tune": 2 * sampler.tune, "target_accept": sampler.retry_target_accept}
    return SamplerSettings(**{**asdict(sampler), **changed})


def _compile(layout: Layout, data: Mapping[str, Array], progress: Progress) -> Any:
    """The compiled graph for this padded layout, over these data."""
    # nutpie and numba take seconds to import; a command that fails on its input should not pay for them.
    import nutpie

    key = (len(layout.field_of_level), len(layout.quarter_share), layout.fields, layout.features, layout.components)
    if key not in _compiled:
        progress(say("compiling the model (about a minute the first time)"), 0.0)
        # PyTensor keeps its own cache; nutpie's never hits, since each process makes new names, and only grows.
        _compiled[key] = nutpie.compile_pymc_model(build_model(layout, data), cache=False, var_names=list(STANDARD))
    return _compiled[key].with_data(**data)


def _sample(compiled: Any, sampler: SamplerSettings, seed: int, progress: Progress) -> Any:
    import nutpie

    total = sampler.chains * (sampler.tune + sampler.draws)

    def tell(chains: Any) -> None:
        progress(say("sampling"), sum(chain.finished_draws for chain in chains) / total)

    tree = nutpie.sample(
        compiled,
        draws=sampler.draws,
        tune=sampler.tune,
        chains=sampler.chains,
        seed=seed,
        target_accept=sampler.target_accept,
        progress_bar=False,
        progress_callback=tell,
        save_warmup=False,
    )
    progress(say("sampling"), 1.0)
    return tree


def _measure(standard: Mapping[str, Array], stats: Any, layout: Layout, settings: Settings) -> Gates:
    """Diagnostics over every named parameter (rank-normalised, Vehtari et al. 2021)."""
    from arviz_stats import bfmi
    from arviz_stats.base import array_stats

    parameters = derive_parameters(np, standard, prior_data(layout, settings.priors), layout)
    columns = {f"{name}[{at}]": c for name, v in parameters.items() for at, c in enumerate(_columns(v))}
    draws = np.stack([values for values in columns.values() if values.std() > 0], axis=-1)
    names = [name for name, values in columns.items() if values.std() > 0]
    r_hat = array_stats.rhat(draws, chain_axis=0, draw_axis=1)
    bulk_ess = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk")
    tail_ess = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="tail", prob=TAILS)
    return Gates(
        r_hat=float(np.max(r_hat)),
        bulk_ess=float(np.min(bulk_ess)),
        tail_ess=float(np.min(tail_ess)),
        divergent_share=float(stats["diverging"].mean()),
        bfmi=float(np.min(bfmi(stats.to_dataset()).to_array())),
        worst=names[int(np.argmax(r_hat))],
    )


def _columns(values: Array) -> list[Array]:
    flat = values.reshape(*values.shape[:2], -1)
    return [flat[:, :, at] for at in range(flat.shape[-1])]


def _kept(parameters: Mapping[str, Array], layout: Layout, axis: int) -> dict[str, Array]:
    """Parameters without the padding: of each padded dim, the first entries that mean something."""
    length = {
        "level": len(layout.field_of_level),
        "field": layout.fields,
        "feature": layout.features,
        "component": layout.components,
        "quarter": len(layout.quarter_share),
    }
    kept = {}
    for name, values in parameters.items():
        for at, dim in enumerate(DIMS[name]):
            values = values.take(range(length[dim]), axis=axis + at) if dim in length else values
        kept[name] = values
    return kept


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


def _provenance(closed: pd.DataFrame, data: Mapping[str, Array], seed: int, gates: Gates) -> Provenance:
    digest = hashlib.sha256()
    for name in sorted(data):
        digest.update(np.ascontiguousarray(data[name]).tobytes())
    days = closed.get("as_of", pd.Series(dtype="datetime64[us]")).dropna()
    measured = {name: value for name, value in asdict(gates).items() if name != "worst"}
    return Provenance(
        deals=int(closed["deal_id"].nunique()),
        rows=len(closed),
        counted=float(data["weight"].sum()),
        won=float(data["won_weight"].sum()),
        first_day=days.min().date().isoformat() if len(days) else None,
        last_day=days.max().date().isoformat() if len(days) else None,
        data_hash=digest.hexdigest(),
        seed=seed,
        versions=_versions(),
        gates=measured,
    )


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("winprob", "pymc", "pytensor", "nutpie", "numpy")}
    return {"python": platform.python_version(), **libraries}


def _silent(what: str, share: float) -> None:
    """Nobody is watching."""
