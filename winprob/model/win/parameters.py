"""Which unknowns does the model have, and how do they become weights and effects?

The sampler sees three blocks of standard unknowns: ``unit`` (standard normal), ``positive`` (standard half-normal)
and ``ratio`` (beta). ``derive_parameters`` turns them into the named parameters of the model; written once, it serves
the PyTensor graph (one point) and NumPy draws (draws x unknowns) alike, so a prior draw needs no sampler and the
two cannot drift apart.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.methodology import COVERAGES, DECISION_METHODS, ROLES, STAGES, plays
from winprob.model.features import METHOD_LEVELS, Layout, block_slices
from winprob.settings import PriorSettings

#: Dims of every parameter a fitted model keeps, after ``draw``.
DIMS: dict[str, tuple[str, ...]] = {
    "intercept": (),
    "effect_scale": (),
    "stage_effect": ("stage",),
    "coverage_effect": ("coverage",),
    "coach_effect": ("coach",),
    "method_effect": ("decision_method",),
    "role_weight": ("role", "decision_method"),
    "role_weight_population": ("role",),
    "method_spread": (),
    "reliability": ("coach",),
    "unknown_support": ("role",),
    "offset": ("level",),
    "offset_scale": ("field",),
    "numeric_weight": ("feature",),
    "numeric_scale": (),
    "pair_weight": ("component",),
    "pair_scale": (),
    "drift": ("quarter",),
    "drift_scale": (),
}


#: Blocks of unknowns that ``effect_scale`` multiplies: all that sets one deal apart from another, however much that is.
_SHARED = frozenset(
    (
        "stage_unknown",
        "coverage_unknown",
        "coach",
        "decision_method",
        "stage_step",
        "coverage_step",
        "role_weight",
        "offset_scale",
        "numeric_scale",
        "pair_scale",
    )
)


def prior_data(layout: Layout, priors: PriorSettings) -> dict[str, Array]:
    """The numbers that turn standard unknowns into parameters; they enter the graph as data.

    Returns
    -------
    dict with ``unit_mean, unit_sd`` (unit,), ``positive_sd`` (positive,), ``ratio_a, ratio_b`` (4,); ``unit_shared,
    positive_shared``, 1 for what ``effect_scale`` multiplies; ``field_of_level`` (level,), ``effect_share`` (state and
    level,), ``unreported_share`` and ``method_lean`` (role, method), and ``walk`` (quarter, quarter), the centred
    cumulative sum.
    """
    mean, sd = _unit_numbers(layout, priors)
    positive = np.zeros(_length(layout.positive_blocks))
    for name, block in layout.positive_blocks.items():
        positive[block] = getattr(priors, name)
    betas = np.array(
        [priors.reliability_validated, priors.reliability_unvalidated_ratio, priors.reliability_none_ratio, (2.0, 2.0)]
    )
    quarters = len(layout.quarter_share)
    steps = np.tril(np.ones((quarters, quarters)))
    return {
        "unit_mean": mean,
        "unit_sd": sd,
        "positive_sd": positive,
        "unit_shared": _shared(layout.unit_blocks),
        "positive_shared": _shared(layout.positive_blocks),
        "ratio_a": betas[:, 0],
        "ratio_b": betas[:, 1],
        "field_of_level": layout.field_of_level,
        "effect_share": np.concatenate([layout.state_share, layout.level_share]),
        "unreported_share": layout.unreported_share,
        "method_lean": priors.method_lean * _who_decides(),
        "walk": steps - layout.quarter_share @ steps,
    }


def _shared(blocks: Mapping[str, slice]) -> Array:
    """(unknown,) 1 where ``effect_scale`` multiplies it."""
    mark = np.zeros(_length(blocks))
    for name in _SHARED & blocks.keys():
        mark[blocks[name]] = 1
    return mark


def _who_decides() -> Array:
    """(role, method) 1 where the method lets the role decide, -1 where it does not, 0 where the method is unknown."""
    found = np.zeros((len(ROLES), len(METHOD_LEVELS)))
    found[:, : len(DECISION_METHODS)] = -1
    for play in plays("chain", "decides"):
        for column in play.columns:
            found[ROLES.index(column.removesuffix("_support")), METHOD_LEVELS.index(play.of)] = 1
    return found


def _unit_numbers(layout: Layout, priors: PriorSettings) -> tuple[Array, Array]:
    """Mean and sd of every standard normal unknown; where a scale is learned, the sd is 1."""
    blocks = layout.unit_blocks
    mean, sd = np.zeros(_length(blocks)), np.ones(_length(blocks))
    for name in ("intercept", "effect_scale", "unknown_support"):
        mean[blocks[name]], sd[blocks[name]] = getattr(priors, name)
    for name in ("coach", "decision_method", "field_deviation"):
        sd[blocks[name]] = getattr(priors, name)
    for name in ("stage_unknown", "coverage_unknown"):
        sd[blocks[name]] = priors.unknown
    return mean, sd


def derive_parameters(
    xp: ModuleType, standard: Mapping[str, Any], prior: Mapping[str, Any], layout: Layout, *, signed: bool = False
) -> dict[str, Any]:
    """Named parameters from standard unknowns.

    Parameters
    ----------
    xp : ``numpy`` or ``pytensor.tensor``
    standard : ``unit``, ``positive``, ``ratio``, each (..., unknown)
    prior : as ``prior_data`` gives it, arrays or graph variables
    signed : role weights may be negative: their population weights are normal, methods deviate by adding

    Returns
    -------
    dict of (..., *dims) by the names and dims of ``DIMS``
    """
    value = prior["unit_mean"] + standard["unit"] * prior["unit_sd"]
    effect_scale = xp.exp(value[..., layout.unit_blocks["effect_scale"]])
    value = value * _where_shared(effect_scale, prior["unit_shared"])
    scale = standard["positive"] * prior["positive_sd"] * _where_shared(effect_scale, prior["positive_shared"])
    normal, positive = _split(xp, value, layout.unit_blocks), _split(xp, scale, layout.positive_blocks)
    deviation = normal["deviation"].reshape((*value.shape[:-1], len(ROLES), len(METHOD_LEVELS)))
    # Fields share one scale, each with a factor of its own: none stands alone, and a field may still tell nothing.
    field_scale = positive["offset_scale"] * xp.exp(normal["field_deviation"])
    stage = _climb(xp, len(STAGES), positive["stage_step"], normal["stage_unknown"])
    coverage = _climb(xp, len(COVERAGES) - 1, positive["coverage_step"], normal["coverage_unknown"])
    offset = normal["offset"] * field_scale[..., prior["field_of_level"]]
    spread = positive["method_spread"][..., None] * deviation
    population = positive["role_weight"][..., :, None]
    own_scale = effect_scale * prior["positive_sd"][layout.positive_blocks["role_weight"]]
    role_weight = (
        population + own_scale[..., None] * spread if signed else population * xp.exp(spread + prior["method_lean"])
    )
    # The free intercept is the average training deal's: left at zero effects, it and what most deals share (a column
    # that is unknown throughout) would be told apart by nothing, a ridge on which the sampler crawls.
    effects = xp.concatenate([stage, coverage, normal["coach"], normal["decision_method"], offset], axis=-1)
    unreported = (prior["unreported_share"] * role_weight).sum(axis=-1) * normal["unknown_support"]
    average = (effects * prior["effect_share"]).sum(axis=-1) + unreported.sum(axis=-1)
    return {
        "intercept": xp.squeeze(normal["intercept"], axis=-1) - average,
        "effect_scale": xp.squeeze(effect_scale, axis=-1),
        "stage_effect": stage,
        "coverage_effect": coverage,
        "coach_effect": normal["coach"],
        "method_effect": normal["decision_method"],
        "role_weight": role_weight,
        "role_weight_population": positive["role_weight"],
        "method_spread": xp.squeeze(positive["method_spread"], axis=-1),
        "reliability": _reliability(xp, standard["ratio"]),
        "unknown_support": normal["unknown_support"],
        "offset": offset,
        "offset_scale": field_scale,
        "numeric_weight": normal["numeric"] * positive["numeric_scale"],
        "numeric_scale": xp.squeeze(positive["numeric_scale"], axis=-1),
        "pair_weight": normal["pair"] * positive["pair_scale"],
        "pair_scale": xp.squeeze(positive["pair_scale"], axis=-1),
        "drift": (normal["drift"] * positive["drift_scale"]) @ prior["walk"].T,
        "drift_scale": xp.squeeze(positive["drift_scale"], axis=-1),
    }


def _where_shared(effect_scale: Any, shared: Any) -> Any:
    """(..., unknown) the effect_scale where an unknown shares it, else 1."""
    return 1 + (effect_scale - 1) * shared


def _climb(xp: ModuleType, levels: int, steps: Any, unknown: Any) -> Any:
    """Steps that only climb, centred so that the intercept stays in the middle; *unknown* is free of the order."""
    return xp.concatenate([steps @ climb(levels).T, unknown], axis=-1)


def climb(levels: int) -> Array:
    """(level, step) which steps lie below each level, centred over the levels."""
    below = np.tril(np.ones((levels, levels - 1)), -1)
    return below - below.mean(axis=0)


def _reliability(xp: ModuleType, ratio: Any) -> Any:
    """How truly a report reads support, by coach: none <= unvalidated <= validated, *unknown* between the ends."""
    steps, position = _split(xp, ratio, block_slices(steps=3, position=1)).values()
    ladder = xp.exp(xp.log(steps) @ np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]).T)
    none, unvalidated, validated = _split(xp, ladder, block_slices(none=1, unvalidated=1, validated=1)).values()
    unknown = none + (validated - none) * position
    return xp.concatenate([none, unvalidated, validated, unknown], axis=-1)


def _split(xp: ModuleType, values: Any, blocks: Mapping[str, slice]) -> dict[str, Any]:
    """The blocks of the last axis. One split: the gradients of many slices take far longer to compile."""
    if xp is np:
        return {name: values[..., block] for name, block in blocks.items()}
    lengths = [block.stop - block.start for block in blocks.values()]
    return dict(zip(blocks, xp.split(values, lengths, n_splits=len(lengths), axis=-1), strict=True))


def sample_prior(layout: Layout, priors: PriorSettings, draws: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draws of every named parameter before any deal is seen, each (draw, *dims)."""
    prior = prior_data(layout, priors)
    standard = {
        "unit": rng.standard_normal((draws, len(prior["unit_mean"]))),
        "positive": np.abs(rng.standard_normal((draws, len(prior["positive_sd"])))),
        "ratio": rng.beta(prior["ratio_a"], prior["ratio_b"], (draws, 4)),
    }
    return derive_parameters(np, standard, prior, layout)


def _length(blocks: Mapping[str, slice]) -> int:
    return max(int(block.stop) for block in blocks.values())
