"""From standard unknowns to named parameters (non-centred), for NumPy draws and the PyTensor graph alike.

The unknowns are three vectors of standard variables: ``normal``, ``half_normal`` and ``ratio`` (beta). The table of
``blocks`` fixes what is in them. ``derive_parameters`` turns them into the named parameters of the model; written once
for both libraries, so that prior draws need no sampler.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.methodology import DECISION_METHODS, ROLES, plays
from winprob.model.features import METHOD_LEVELS, Layout
from winprob.model.win.blocks import TERMS, Kind, Term, block_slices, blocks_of, effect_share, end_to_end
from winprob.settings import PriorSettings

#: Prior of a beta unknown without a setting.
_BETA = (2.0, 2.0)
#: A share of the training deals this close to 1 is all of them.
_ALL = 1e-9


def informed(terms: Iterable[Term], layout: Layout) -> tuple[Term, ...]:
    """The terms on which the training deals bear; of the others the posterior is the prior.

    A fact that is unknown in every deal is part of the intercept. Roles without any report are, too, where the decision
    method is unknown in every deal: then they shrink all log-odds alike, see ``fitting``.
    """
    return tuple(term for term in terms if _informed(term, layout))


def _informed(term: Term, layout: Layout) -> bool:
    if term.part in ("support", "factor") and silent(layout):
        return False
    if term.reads in layout.shares and term.reads != "level":
        return bool(layout.shares[term.reads][-1] < 1 - _ALL)
    return term.part in (None, "intercept") or term.size(layout) > 0


def silent(layout: Layout) -> bool:
    """Whether no deal reports any role's support, nor how the customer decides."""
    return bool((layout.unreported_share[:, -1] > 1 - _ALL).all())


def prior_data(layout: Layout, priors: PriorSettings, terms: Sequence[Term] = TERMS) -> dict[str, Array]:
    """The numbers that turn standard unknowns into parameters; they enter the graph as data.

    Returns
    -------
    dict with ``normal_mean, normal_sd`` (normal,), ``half_normal_sd`` (half-normal,), ``ratio_a, ratio_b`` (beta,);
    ``normal_scaled, half_normal_scaled``, 1 for what the effect scale multiplies; ``field_of_level`` (level,),
    ``effect_share`` (effect,), ``unreported_share`` and ``who_decides`` (role, method), and ``walk``
    (quarter, quarter), the centred cumulative sum.
    """
    normal = [
        (*_normal(block.settings, priors, layout), block.scaled, block.length(layout))
        for block in blocks_of("normal", terms)
    ]
    half = [
        (getattr(priors, block.settings[0]), block.scaled, block.length(layout))
        for block in blocks_of("half_normal", terms)
    ]
    betas = [
        getattr(priors, block.settings[at]) if at < len(block.settings) else _BETA
        for block in blocks_of("beta", terms)
        for at in range(block.length(layout))
    ]
    steps = np.tril(np.ones((len(layout.quarter_share), len(layout.quarter_share))))
    return {
        **dict(zip(("normal_mean", "normal_sd", "normal_scaled"), _repeated(normal), strict=True)),
        **dict(zip(("half_normal_sd", "half_normal_scaled"), _repeated(half), strict=True)),
        **dict(zip(("ratio_a", "ratio_b"), np.array(betas).reshape(-1, 2).T, strict=True)),
        "field_of_level": layout.field_of_level,
        "effect_share": effect_share(layout, terms),
        "unreported_share": layout.unreported_share,
        "who_decides": _who_decides(),
        "walk": steps - layout.quarter_share @ steps,
    }


def _normal(settings: Sequence[str], priors: PriorSettings, layout: Layout) -> tuple[float, float]:
    """Mean and sd: a setting is a pair or an sd; without one the scale is learned, and the sd is 1.

    The companion's weight was found by stacking, see ``inference.stacking``: here it is that of its log.
    """
    if settings == ("companion_weight",):
        mean, sd = layout.companion_weight
        return np.log(mean), sd / mean
    setting = getattr(priors, settings[0]) if settings else 1.0
    if settings == ("method_lean",) and not isinstance(setting, tuple):
        return setting, 0.0
    return setting if isinstance(setting, tuple) else (0.0, setting)


def _repeated(blocks: Sequence[tuple[Any, ...]]) -> Array:
    """(number, unknown) the numbers of each block, as often as it has unknowns; its length comes last."""
    table = np.array(blocks, dtype=float)
    return np.repeat(table[:, :-1], table[:, -1].astype(int), axis=0).T.copy()


def _who_decides() -> Array:
    """(role, method) 1 where the method lets the role decide, -1 where it does not, 0 where the method is unknown."""
    decides = np.zeros((len(ROLES), len(METHOD_LEVELS)))
    decides[:, : len(DECISION_METHODS)] = -1
    for play in plays("chain", "decides"):
        for column in play.columns:
            decides[ROLES.index(column.removesuffix("_support")), METHOD_LEVELS.index(play.of)] = 1
    return decides


def derive_parameters(
    xp: ModuleType,
    standard: Mapping[str, Any],
    prior: Mapping[str, Any],
    layout: Layout,
    terms: Sequence[Term] = TERMS,
) -> dict[str, Any]:
    """Named parameters from standard unknowns.

    Parameters
    ----------
    xp : ``numpy`` or ``pytensor.tensor``
    standard : ``normal``, ``half_normal``, ``ratio``, each (..., unknown)
    prior : as ``prior_data`` gives it, arrays or graph variables

    Returns
    -------
    dict of (..., *dims) by the names and dims of the table, see ``DIMS``
    """
    slices = {family: block_slices(family, layout, terms) for family in ("normal", "half_normal")}
    value = prior["normal_mean"] + standard["normal"] * prior["normal_sd"]
    effect_scale = xp.exp(value[..., slices["normal"]["effect_scale"]])
    value = value * (1 + (effect_scale - 1) * prior["normal_scaled"])
    scale = standard["half_normal"] * prior["half_normal_sd"] * (1 + (effect_scale - 1) * prior["half_normal_scaled"])
    blocks = _split(xp, value, slices["normal"]) | _split(xp, scale, slices["half_normal"])
    blocks |= _split(xp, standard["ratio"], block_slices("beta", layout, terms))
    named: dict[str, Any] = {}
    for term in terms:
        values = _DERIVE[term.kind](xp, [blocks[block.name] for block in term.blocks], constant_of(term, layout, prior))
        for (name, dims), parameter in zip(term.parameters.items(), values, strict=True):
            named[name] = parameter if dims else xp.squeeze(parameter, axis=-1)
    return named | {"intercept": named["intercept"] - _average(xp, named, prior, terms)}


def _average(xp: ModuleType, named: Mapping[str, Any], prior: Mapping[str, Any], terms: Sequence[Term]) -> Any:
    """(...) effects of the average training deal.

    The unknown behind the intercept is that deal's log-odds. An intercept at zero effects and an effect that most deals
    share (a column that is unknown throughout) would be hardly identified, a ridge that slows the sampler down.
    """
    average = (all_effects(xp, named, terms) * prior["effect_share"]).sum(axis=-1)
    if "role_weight" not in named:
        return average
    unreported = (prior["unreported_share"] * named["role_weight"]).sum(axis=-1) * named["unknown_support"]
    return average + unreported.sum(axis=-1)


def all_effects(xp: ModuleType, named: Mapping[str, Any], terms: Sequence[Term] = TERMS) -> Any:
    """(..., effect) all effects end to end, then a zero: one gather is cheaper to compile than one for each term."""
    effects = [named[term.coefficient] for term in terms if term.part == "effect"]
    return xp.concatenate([*effects, xp.zeros_like(effects[0][..., :1])], axis=-1)


# --- each kind: its parameters, in the order of the row, from its blocks ----------------------------------------------

_Derive = Callable[[ModuleType, Sequence[Any], Any], Sequence[Any]]


def constant_of(term: Term, layout: Layout, prior: Mapping[str, Any]) -> Any:
    """The numbers that the term's kind needs besides its unknowns; None where it needs none."""
    if term.kind is Kind.ORDERED:
        (dim,) = term.parameters[term.coefficient]
        return ordinal_contrasts(layout.sizes[dim] - 1)
    if term.kind is Kind.CURVE:
        return layout.curves
    return prior.get(term.constant)


def ordinal_contrasts(levels: int) -> Array:
    """(level, step) which steps are below each level, centred over the levels."""
    below = np.tril(np.ones((levels, levels - 1)), -1)
    return below - below.mean(axis=0)


def _copied(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    return blocks


def _positive(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    return (xp.exp(blocks[0]),)


def _ordered(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    """Steps are not negative; centred, so that the intercept is in the middle; *unknown* is free of the order."""
    unknown, step = blocks
    return (xp.concatenate([step @ constant.T, unknown], axis=-1),)


def _pooled(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    """Fields share one scale, each with a factor of its own: partial pooling of fields, too."""
    deviation, level, scale = blocks
    field_scale = scale * xp.exp(deviation)
    return level * field_scale[..., constant], field_scale


def _walk(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    step, scale = blocks
    return (step * scale) @ constant.T, scale


def _linear(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    weight, scale = blocks
    return weight * scale, scale


def _curve(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    """Columns share one scale, each with a factor of its own; the basis is that of a line and a random walk."""
    deviation, unknown, scale = blocks
    sign = constant.sign
    signed = xp.where(sign == 0, unknown, sign * xp.log1p(xp.exp(unknown)))
    column_scale = scale * xp.exp(deviation)
    return (signed * column_scale[..., constant.column_of_bin]) @ constant.basis.T, column_scale


def _role_weight(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    unknown, lean, population, deviation, spread, ratio = blocks
    deviation = deviation.reshape((*deviation.shape[:-1], *_CELLS))
    weight = population[..., None] * xp.exp(spread[..., None] * deviation + lean[..., None] * constant)
    return weight, population, spread, _reliability(xp, ratio), unknown, lean


def _unconstrained_role_weight(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    unknown, population, deviation, spread, ratio = blocks
    weight = population[..., None] + spread[..., None] * deviation.reshape((*deviation.shape[:-1], *_CELLS))
    return weight, population, spread, _reliability(xp, ratio), unknown


_CELLS = (len(ROLES), len(METHOD_LEVELS))


def _factor(xp: ModuleType, blocks: Sequence[Any], constant: Any) -> Sequence[Any]:
    """Log-normal factors by team and role, with a learned sd of their log."""
    deviation, spread = blocks
    return xp.exp(spread * deviation).reshape((*deviation.shape[:-1], -1, len(ROLES))), spread


_DERIVE: dict[Kind, _Derive] = {
    Kind.EFFECT_SCALE: _positive,
    Kind.COPIED: _copied,
    Kind.POSITIVE: _positive,
    Kind.ORDERED: _ordered,
    Kind.POOLED: _pooled,
    Kind.WALK: _walk,
    Kind.LINEAR: _linear,
    Kind.CURVE: _curve,
    Kind.ROLE_WEIGHT: _role_weight,
    Kind.UNCONSTRAINED_ROLE_WEIGHT: _unconstrained_role_weight,
    Kind.FACTOR: _factor,
}


def _reliability(xp: ModuleType, ratio: Any) -> Any:
    """Reliability of a report by coach: none <= unvalidated <= validated, *unknown* between the ends."""
    steps, position = _split(xp, ratio, end_to_end({"steps": 3, "position": 1})).values()
    ladder = xp.exp(xp.log(steps) @ np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]).T)
    none, unvalidated, validated = _split(
        xp, ladder, end_to_end({"none": 1, "unvalidated": 1, "validated": 1})
    ).values()
    unknown = none + (validated - none) * position
    return xp.concatenate([none, unvalidated, validated, unknown], axis=-1)


def _split(xp: ModuleType, values: Any, blocks: Mapping[str, slice]) -> dict[str, Any]:
    """The blocks of the last axis. One split: the gradients of many slices take far longer to compile."""
    if xp is np:
        return {name: values[..., block] for name, block in blocks.items()}
    # Of a split into one part PyTensor gives the part, not a list.
    if len(blocks) == 1:
        return dict.fromkeys(blocks, values)
    lengths = [block.stop - block.start for block in blocks.values()]
    return dict(zip(blocks, xp.split(values, lengths, n_splits=len(lengths), axis=-1), strict=True))


def sample_prior(layout: Layout, priors: PriorSettings, draws: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draws of every named parameter before any deal is seen, each (draw, *dims)."""
    prior = prior_data(layout, priors)
    standard = {
        "normal": rng.standard_normal((draws, len(prior["normal_mean"]))),
        "half_normal": np.abs(rng.standard_normal((draws, len(prior["half_normal_sd"])))),
        "ratio": rng.beta(prior["ratio_a"], prior["ratio_b"], (draws, len(prior["ratio_a"]))),
    }
    return derive_parameters(np, standard, prior, layout)
