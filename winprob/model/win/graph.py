"""What generates wins? The PyMC graph and nothing else.

This is the model, stated once in full. What is sampled is ``density``, the same log density with its gradient fused by
hand: a test holds it to this graph, value and slope. The unknowns are three vectors of standard variables; deals and
prior numbers enter through ``pm.Data``, so that a graph compiled once serves other rows of like layout.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Features, Layout, effect_places
from winprob.model.win.parameters import derive_parameters, prior_data
from winprob.settings import PriorSettings

#: The unknowns the sampler sees.
STANDARD = ("unit", "positive", "ratio")

_ROW_DIMS: dict[str, tuple[str, ...]] = {
    "effect_index": ("deal", "slot"),
    "coach": ("deal",),
    "method": ("deal",),
    "readers": ("deal", "role"),
    "reading": ("deal", "role"),
    "reading_variance": ("deal", "role"),
    "columns": ("deal", "column"),
    "won_weight": ("deal",),
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
) -> dict[str, Array]:
    """Every array of the graph.

    Parameters
    ----------
    features : described by a scaling whose layout is ``layout``
    won : (deal,) share of the row's weight that was won, 0..1; NaN where the deal is still open
    weight : (deal,) how much each row counts
    waiting_odds : (deal,) likelihood of an open deal's wait if it will be won, over that if not, see ``density``
    """
    still_open = np.isnan(won)
    return {
        "effect_index": effect_places(features, layout),
        "coach": features.coach,
        "method": features.method,
        "readers": features.readers,
        "reading": features.unbiased,
        "reading_variance": features.reading_variance,
        "columns": np.concatenate([features.numeric, features.pairs], axis=1).astype(float),
        "won_weight": np.where(still_open, 0.0, won * weight),
        "weight": np.where(still_open, 0.0, weight),
        "waiting_weight": np.where(still_open, weight, 0.0),
        "waiting_odds": np.where(still_open, 1.0 if waiting_odds is None else waiting_odds, 1.0),
        **prior_data(layout, priors),
    }


def build_model(layout: Layout, data: Mapping[str, Array]) -> pm.Model:
    """The win model over ``data``. ``logit_win_prob`` (deal,) is its one derived quantity."""
    coords = {
        "role": list(ROLES),
        "slot": range(5 + layout.fields),
        "column": range(layout.features + layout.components),
    }
    with pm.Model(coords=coords) as model:
        for name, values in data.items():
            pm.Data(name, values, dims=_ROW_DIMS.get(name))
        standard = {
            "unit": pm.Normal("unit", 0, 1, shape=len(data["unit_mean"])),
            "positive": pm.HalfNormal("positive", 1, shape=len(data["positive_sd"])),
            "ratio": pm.Beta("ratio", model["ratio_a"], model["ratio_b"], shape=4),
        }
        parameters = derive_parameters(pt, standard, model.named_vars, layout)
        logit = pm.Deterministic("logit_win_prob", _logit(model, parameters), dims="deal")
        # Weighted counts, so that several readings of one deal, or many like deals in one row, count rightly.
        pm.Potential("won", (model["won_weight"] * logit - model["weight"] * pt.softplus(logit)).sum())
        # Of an open deal it is known how long it has waited: p S_won + (1 - p) S_lost, up to a factor.
        waited = pt.log1p((model["waiting_odds"] - 1) * pt.sigmoid(logit))
        pm.Potential("waiting", (model["waiting_weight"] * waited).sum())
    return model


def _logit(model: pm.Model, parameters: Mapping[str, Any]) -> Any:
    """Log-odds of winning with every deal's latent support averaged out (probit approximation, MacKay 1992)."""
    mean, variance = _latent_support(model, parameters)
    weight = parameters["role_weight"].T[model["method"]]
    predictor = (
        parameters["intercept"]
        + _effects(parameters)[model["effect_index"]].sum(axis=1)
        + model["columns"] @ pt.concatenate([parameters["numeric_weight"], parameters["pair_weight"]])
        + (weight * mean).sum(axis=1)
    )
    return predictor / pt.sqrt(1 + np.pi / 8 * (weight**2 * variance).sum(axis=1))


def _effects(parameters: Mapping[str, Any]) -> Any:
    """All effects a deal picks from, end to end: one gather is far cheaper to compile than one for each word."""
    words = ("stage_effect", "coverage_effect", "coach_effect", "method_effect", "offset", "drift")
    return pt.concatenate([*(parameters[word] for word in words), np.zeros(1)])


def _latent_support(model: pm.Model, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
    """Mean and variance of true support given what was reported, each (deal, role).

    ``readers`` people read the same support with equal noise: a normal prior and normal readings give the gain;
    what tiers hide of a reading (``reading_variance``) comes on top. Without a reader the prior stays, moved by
    ``unknown_support``.
    """
    rho = parameters["reliability"][model["coach"]][:, None]
    readers = model["readers"]
    spread = 1 + (readers - 1) * rho**2
    gain = rho * readers / spread
    mean = gain * model["reading"] + pt.eq(readers, 0) * parameters["unknown_support"]
    return mean, (1 - rho**2) / spread + gain**2 * model["reading_variance"]
