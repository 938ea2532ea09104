"""The win model written by hand in NumPyro, a peer to be measured against: the model of ``winprob.model.win.graph``.

Needs NumPyro and no winprob: it is run by ``numpyro_worker.py`` in an environment of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.nn import softplus

Data = Mapping[str, Any]

ROLES, COACHES, METHODS, STAGES, COVERAGES = 5, 4, 4, 5, 3


def sites(data: Data, fields: int, features: int) -> dict[str, dict[str, int]]:
    """Every unknown and its length, in the order in which winprob lays them end to end."""
    levels, quarters = len(data["field_of_level"]), len(data["walk"])
    normal = {
        "intercept": 1,
        "effect_scale": 1,
        "stage_unknown": 1,
        "coverage_unknown": 1,
        "coach": COACHES,
        "decision_method": METHODS,
        "unknown_support": ROLES,
        "deviation": ROLES * METHODS,
        "field_deviation": fields,
        "offset": levels,
        "numeric": features,
        "pair": data["columns"].shape[1] - features,
        "drift": quarters,
    }
    half_normal = {"stage_step": STAGES - 1, "coverage_step": COVERAGES - 1, "role_weight": ROLES, "method_spread": 1}
    half_normal |= dict.fromkeys(("offset_scale", "numeric_scale", "pair_scale", "drift_scale"), 1)
    return {"normal": normal, "half_normal": half_normal, "ratio": {"ratio": 4}}


def win_model(data: Data, fields: int, features: int) -> None:
    """Wins and losses of every deal; all effects non-centred.

    Parameters
    ----------
    data : as ``graph.model_data`` returns it; arguments, so that other rows of like shape compile nothing anew
    fields, features : how many there are; they are shapes
    """
    z, s, ratio = _unknowns(data, sites(data, fields, features))
    role_weight = s["role_weight"][:, None] * jnp.exp(
        s["method_spread"] * z["deviation"].reshape(ROLES, METHODS) + data["method_lean"]
    )
    offset = z["offset"] * (s["offset_scale"] * jnp.exp(z["field_deviation"]))[data["field_of_level"]]
    effects = [
        *(_climb(STAGES) @ s["stage_step"], z["stage_unknown"]),
        *(_climb(COVERAGES) @ s["coverage_step"], z["coverage_unknown"]),
        *(z["coach"], z["decision_method"], offset),
    ]
    drift = data["walk"] @ (z["drift"] * s["drift_scale"])
    by_place = jnp.concatenate([*effects, drift, jnp.zeros(1)])
    slope = jnp.concatenate([z["numeric"] * s["numeric_scale"], z["pair"] * s["pair_scale"]])
    shared = data["effect_share"]
    average = by_place[: len(shared)] @ shared + (data["unreported_share"] * role_weight).sum(1) @ z["unknown_support"]

    mean, variance = _latent_support(z["unknown_support"], _reliability(ratio), data)
    weight = role_weight.T[data["method_code"]]
    predictor = z["intercept"] - average + by_place[data["effect_index"]].sum(1) + data["columns"] @ slope
    shrink = jnp.sqrt(1 + jnp.pi / 8 * (weight**2 * variance).sum(1))
    logit = (predictor + (weight * mean).sum(1)) / shrink
    # Weighted counts of wins and losses: a binomial of fractions, without its constant.
    numpyro.factor("won", (data["weight"] * (data["won_share"] * logit - softplus(logit))).sum())


def _unknowns(data: Data, lengths: Mapping[str, Mapping[str, int]]) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Standard unknowns, a site each, given their prior's place and scale."""
    z, s = {}, {}
    at = 0
    for name, length in lengths["normal"].items():
        own = slice(at, at := at + length)
        z[name] = data["normal_mean"][own] + data["normal_sd"][own] * _sample(name, dist.Normal(0, 1), length)
        if name == "effect_scale":
            effect_scale = jnp.exp(z[name])
        elif name != "intercept":
            z[name] = z[name] * (1 + (effect_scale - 1) * data["normal_scaled"][own])
    at = 0
    for name, length in lengths["half_normal"].items():
        own = slice(at, at := at + length)
        s[name] = data["half_normal_sd"][own] * _sample(name, dist.HalfNormal(1), length)
        s[name] = s[name] * (1 + (effect_scale - 1) * data["half_normal_scaled"][own])
    ratio = numpyro.sample("ratio", dist.Beta(data["ratio_a"], data["ratio_b"]).to_event(1))
    return z, s, ratio


def _sample(name: str, prior: Any, length: int) -> Any:
    return numpyro.sample(name, prior.expand([length]).to_event(1)) if length else jnp.zeros(0)


def _latent_support(unknown_support: Any, reliability: Any, data: Data) -> tuple[Any, Any]:
    """Mean and variance of true support given the reports on it, each (deal, role)."""
    rho, readers = reliability[data["coach_code"]][:, None], data["readers"]
    spread = 1 + (readers - 1) * rho**2
    gain = rho * readers / spread
    mean = gain * data["reading"] + jnp.where(readers == 0, unknown_support, 0.0)
    return mean, (1 - rho**2) / spread + gain**2 * data["reading_variance"]


def _reliability(ratio: Any) -> Any:
    """(coach,) none <= unvalidated <= validated, unknown between the ends."""
    validated, unvalidated, none = jnp.cumprod(ratio[:3])
    return jnp.stack([none, unvalidated, validated, none + (validated - none) * ratio[3]])


def _climb(levels: int) -> np.ndarray:
    """(level, step) which steps are below each level, centred."""
    below = np.tril(np.ones((levels, levels - 1)), -1)
    return below - below.mean(axis=0)
