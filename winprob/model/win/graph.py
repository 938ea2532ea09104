"""The PyMC graph of the win model: its definition.

``density`` is the same log density with its gradient, fused by hand, and is what ``fit`` samples; a test compares value
and gradient. The unknowns are three vectors of standard variables (decision 001), every named parameter is a
deterministic of them. Deals and prior numbers enter through ``pm.Data``, so that a compiled graph serves other rows of
the same layout.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Features, Layout
from winprob.model.win.blocks import TERMS, Term, column_values, effect_places
from winprob.model.win.parameters import all_effects, derive_parameters, prior_data
from winprob.settings import PriorSettings

#: The free variables.
STANDARD = ("normal", "half_normal", "ratio")

_ROW_DIMS: dict[str, tuple[str, ...]] = {
    "effect_index": ("deal", "slot"),
    "coach_code": ("deal",),
    "method_code": ("deal",),
    "team_code": ("deal",),
    "readers": ("deal", "role"),
    "reading": ("deal", "role"),
    "reading_variance": ("deal", "role"),
    "columns": ("deal", "number"),
    "won_share": ("deal",),
    "weight": ("deal",),
    "waiting_weight": ("deal",),
    "waiting_odds": ("deal",),
}


def model_data(
    features: Features,
    layout: Layout,
    priors: PriorSettings,
    *,
    won: Array,
    weight: Array,
    waiting_odds: Array | None = None,
    terms: Sequence[Term] = TERMS,
) -> dict[str, Array]:
    """Every array of the graph.

    Parameters
    ----------
    features : described by a scaling whose layout is ``layout``
    won : (deal,) share of the row's weight that was won, 0..1; NaN for a censored deal, which is still open
    weight : (deal,) weight of each row
    waiting_odds : (deal,) likelihood of a censored deal's wait if it will be won, over that if not
    """
    censored = np.isnan(won)
    return {
        "effect_index": effect_places(features, layout, terms),
        "coach_code": features.coach,
        "method_code": features.method,
        "team_code": features.team_code,
        "readers": features.readers,
        "reading": features.unbiased,
        "reading_variance": features.reading_variance,
        "columns": column_values(features, layout, terms),
        "won_share": np.where(censored, 0.0, won),
        "weight": np.where(censored, 0.0, weight),
        "waiting_weight": np.where(censored, weight, 0.0),
        "waiting_odds": np.where(censored, 1.0 if waiting_odds is None else waiting_odds, 1.0),
        **prior_data(layout, priors, terms),
    }


def build_graph(
    layout: Layout,
    data: Mapping[str, Array],
    *,
    terms: Sequence[Term] = TERMS,
    coords: Mapping[str, Sequence[Any]] | None = None,
    add: Callable[[pm.Model], Any] | None = None,
) -> pm.Model:
    """The win model over ``data``, as ``model_data`` gives it.

    Parameters
    ----------
    coords : labels of the dims of the parameters; numbers without them
    add : called inside the model, returns a term to add to every deal's log-odds, see ``winprob.build_model``
    """
    labels = coords or {dim: range(size) for dim, size in layout.sizes.items()}
    slots = data["effect_index"].shape[1]
    rows = {"role": list(ROLES), "slot": range(slots), "number": range(data["columns"].shape[1])}
    with pm.Model(coords={**labels, **rows, "deal": range(len(data["weight"]))}) as model:
        for name, values in data.items():
            pm.Data(name, values, dims=_ROW_DIMS.get(name))
        standard = {
            "normal": pm.Normal("normal", 0, 1, shape=len(data["normal_mean"])),
            "half_normal": pm.HalfNormal("half_normal", 1, shape=len(data["half_normal_sd"])),
            "ratio": pm.Beta("ratio", model["ratio_a"], model["ratio_b"], shape=len(data["ratio_a"])),
        }
        parameters = derive_parameters(pt, standard, model.named_vars, layout, terms)
        dims = {name: dims for term in terms for name, dims in term.parameters.items()}
        named = {name: pm.Deterministic(name, parameters[name], dims=dims[name]) for name in dims}
        added = add(model) if add else 0.0
        logit = pm.Deterministic("logit_win_prob", _logit(model, named, terms, added), dims="deal")
        # A row counts by its weight: several readings of one deal have one deal's weight together.
        pm.CustomDist(
            "won", logit, model["weight"], logp=_weighted, random=_draw, observed=model["won_share"], dims="deal"
        )
        # A censored observation, p S_won + (1 - p) S_lost up to a factor: how long a deal has been open is known.
        waited = pt.log1p((model["waiting_odds"] - 1) * pt.sigmoid(logit))
        pm.Potential("waiting", (model["waiting_weight"] * waited).sum())
    return model


def _weighted(won: Any, logit: Any, weight: Any) -> Any:
    """Bernoulli log likelihood of the share won, times the weight."""
    return weight * (won * logit - pt.softplus(logit))


def _draw(logit: Array, weight: Array, rng: np.random.Generator | None = None, size: Any = None) -> Array:
    rng = rng or np.random.default_rng()
    return np.asarray(rng.random(size) < 1 / (1 + np.exp(-logit)), dtype=float)


def _logit(model: pm.Model, parameters: Mapping[str, Any], terms: Sequence[Term], added: Any) -> Any:
    """Log-odds of winning with every deal's latent support averaged out (probit approximation, MacKay 1992)."""
    mean, variance = _latent_support(model, parameters)
    weight = parameters["role_weight"].T[model["method_code"]]
    if model.coords["team"]:
        weight = weight * parameters["team_factor"][model["team_code"]]
    columns = [parameters[term.coefficient] for term in terms if term.part == "column"]
    predictor = (
        parameters["intercept"]
        + all_effects(pt, parameters, terms)[model["effect_index"]].sum(axis=1)
        + model["columns"] @ pt.concatenate(columns)
        + (weight * mean).sum(axis=1)
        + added
    )
    return predictor / pt.sqrt(1 + np.pi / 8 * (weight**2 * variance).sum(axis=1))


def _latent_support(model: pm.Model, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
    """Mean and variance of true support given what was reported, each (deal, role).

    ``readers`` people read the same support with equal noise: a normal prior and normal readings give the gain; what
    tiers hide of a reading (``reading_variance``) is added. Without a reader the prior remains, moved by
    ``unknown_support``.
    """
    rho = parameters["reliability"][model["coach_code"]][:, None]
    readers = model["readers"]
    spread = 1 + (readers - 1) * rho**2
    gain = rho * readers / spread
    mean = gain * model["reading"] + pt.eq(readers, 0) * parameters["unknown_support"]
    return mean, (1 - rho**2) / spread + gain**2 * model["reading_variance"]
