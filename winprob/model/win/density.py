"""How plausible are the unknowns, given the deals, and which way is up? The density of ``model`` and its gradient.

What the sampler calls some million times. Differentiated by hand, because a compiled graph of the same density costs a
minute before the first draw and several times as much at each: a deal is a row of places to add up (``terms`` says it
likewise), so a gradient is one pass over the deals. ``model`` states the density; a test holds the two together.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import expit

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import COVERAGE_LEVELS, STAGE_STATES, Features, Layout, effect_places
from winprob.model.win.parameters import climb, prior_data
from winprob.settings import PriorSettings

#: Which block of ``Layout.unit_blocks`` and ``Layout.positive_blocks`` is which; the next one starts where it ends.
_INTERCEPT, _EFFECT_SCALE, _STAGE_UNKNOWN, _COVERAGE_UNKNOWN, _COACH, _DECISION_METHOD, _UNKNOWN_SUPPORT = range(7)
_DEVIATION, _FIELD_DEVIATION, _OFFSET, _NUMERIC, _PAIR, _DRIFT = range(7, 13)
_STAGE_STEP, _COVERAGE_STEP, _ROLE_WEIGHT, _METHOD_SPREAD, _OFFSET_SCALE, _NUMERIC_SCALE, _PAIR_SCALE, _DRIFT_SCALE = (
    range(8)
)
#: Blocks whose scale is learned.
_POOLED = (_DEVIATION, _OFFSET, _NUMERIC, _PAIR, _DRIFT)
#: Of the probit approximation to a logistic-normal integral (MacKay 1992, doi 10.1162/neco.1992.4.5.720).
_SHRINK = np.pi / 8


class Density(NamedTuple):
    """All that the density depends on but the unknowns; a tuple, since that is what Numba takes.

    Attributes
    ----------
    unit, positive : where each block of the two vectors of unknowns starts, in ``Layout``'s order; their length last
    places : (row, slot) effects that a row adds up; then, for each role, its report
    columns : (row, column) numbers that weights multiply
    won, weight : (row,) how many deals of a row were won, and how many closed ones it stands for
    waiting, waiting_odds : (row,) how many deals of a row are still open, and how much likelier their wait is if they
        will be won than if not
    report_role, report_coach, report_method : (report,) distinct reports on a role's support, 0 readers = none
    readers, reading, reading_variance : (report,) see ``Features``
    signed : whether role weights may be negative, which the method says they are not
    """

    unit: Array
    positive: Array
    unit_mean: Array
    unit_sd: Array
    positive_sd: Array
    unit_shared: Array
    positive_shared: Array
    ratio_a: Array
    ratio_b: Array
    field_of_level: Array
    effect_share: Array
    unreported_share: Array
    method_lean: Array
    walk: Array
    stage_climb: Array
    coverage_climb: Array
    places: Array
    columns: Array
    won: Array
    weight: Array
    waiting: Array
    waiting_odds: Array
    report_role: Array
    report_coach: Array
    report_method: Array
    readers: Array
    reading: Array
    reading_variance: Array
    signed: bool

    @property
    def unknowns(self) -> int:
        """How many there are."""
        return int(self.unit[-1] + self.positive[-1] + len(self.ratio_a))


def build_density(
    features: Features,
    layout: Layout,
    priors: PriorSettings,
    *,
    won: Array,
    weight: Array,
    waiting_odds: Array | None = None,
    signed: bool = False,
) -> Density:
    """The density over these deals; rows alike in all the model looks at become one that counts for all of them.

    Parameters
    ----------
    won : (deal,) share of the row's weight that was won, 0..1; NaN where the deal is still open
    weight : (deal,) how much each row counts
    waiting_odds : (deal,) of each open deal how likely it is to have stayed open so long if it will be won, over how
        likely if not; an open deal adds ``log(1 + (odds - 1) p)``, nothing where the odds are 1
    """
    report, places = _reports(features)
    rows = np.concatenate([effect_places(features, layout), places], axis=1).astype(np.uint32)
    columns = np.concatenate([features.numeric, features.pairs], axis=1).astype(np.float64)
    still_open = np.isnan(won)
    odds = np.where(still_open, 1.0 if waiting_odds is None else waiting_odds, 1.0)
    first, counted = _alike(rows, columns, odds)
    prior = prior_data(layout, priors)
    return Density(
        unit=_starts(layout.unit_blocks),
        positive=_starts(layout.positive_blocks),
        **{name: np.ascontiguousarray(values) for name, values in prior.items()},
        stage_climb=climb(len(STAGE_STATES) - 1),
        coverage_climb=climb(len(COVERAGE_LEVELS) - 1),
        places=np.ascontiguousarray(rows[first]),
        columns=np.ascontiguousarray(columns[first]),
        won=np.bincount(counted, weights=np.where(still_open, 0.0, won * weight)),
        weight=np.bincount(counted, weights=np.where(still_open, 0.0, weight)),
        waiting=np.bincount(counted, weights=np.where(still_open, weight, 0.0)),
        waiting_odds=odds[first],
        **report,
        signed=signed,
    )


def standard_unknowns(points: Array, density: Density) -> dict[str, Array]:
    """``unit``, ``positive`` and ``ratio``, each (..., unknown), from points of the space the sampler walks in."""
    unit, log_positive, log_odds = _split(points, density)
    positive = np.exp(log_positive)
    if density.signed:
        # Not logs: see ``log_density``.
        free = slice(density.positive[_ROLE_WEIGHT], density.positive[_ROLE_WEIGHT + 1])
        positive[..., free] = log_positive[..., free]
    return {"unit": unit, "positive": positive, "ratio": expit(log_odds)}


def log_prior(points: Array, density: Density) -> Array:
    """(...) log density, up to a constant, of what a person set: unknowns at the top, not those whose scale is learned.

    That is what power scaling asks about (Kallioinen et al. 2024, doi 10.1007/s11222-023-10366-5).
    """
    standard = standard_unknowns(points, density)
    pooled = [slice(density.unit[at], density.unit[at + 1]) for at in _POOLED]
    unit = standard["unit"].copy()
    for block in pooled:
        unit[..., block] = 0
    ratio = standard["ratio"]
    beta = (density.ratio_a - 1) * np.log(ratio) + (density.ratio_b - 1) * np.log1p(-ratio)
    return np.asarray(beta.sum(axis=-1) - 0.5 * ((unit**2).sum(axis=-1) + (standard["positive"] ** 2).sum(axis=-1)))


def _split(points: Array, density: Density) -> list[Array]:
    return np.split(points, [density.unit[-1], density.unit[-1] + density.positive[-1]], axis=-1)


def _starts(blocks: Mapping[str, slice]) -> Array:
    return np.array([block.start for block in blocks.values()] + [max(block.stop for block in blocks.values())])


def _reports(features: Features) -> tuple[dict[str, Array], Array]:
    """Distinct reports on a role under a coach and a method, and (deal, role) which of them a deal has."""
    role = np.broadcast_to(np.arange(len(ROLES)), features.readers.shape)
    shared = [np.broadcast_to(code[:, None], role.shape) for code in (features.coach, features.method)]
    said = [features.readers, features.unbiased, features.reading_variance]
    table = np.stack([role, *shared, *said], axis=-1).reshape(-1, 6)
    distinct, place = np.unique(table, axis=0, return_inverse=True)
    names = ("report_role", "report_coach", "report_method", "readers", "reading", "reading_variance")
    columns = [np.ascontiguousarray(column) for column in distinct.T]
    codes = [column.astype(np.int64) for column in columns[:3]]
    return dict(zip(names, [*codes, *columns[3:]], strict=True)), place.reshape(role.shape)


def _alike(places: Array, columns: Array, odds: Array) -> tuple[Array, Array]:
    """The first of the rows that are alike, and to which of these each row belongs."""
    rows = np.concatenate([places.astype(np.float64), columns, odds[:, None]], axis=1)
    _, first, counted = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, counted.ravel()


@njit(cache=True, nogil=True, error_model="numpy")
def log_density(point: Array, d: Density) -> tuple[float, Array]:
    """Log density of the unknowns, up to a constant, and its gradient.

    Parameters
    ----------
    point : (unknown,) standard normals; logs of standard half-normals; log-odds of betas
    """
    units, positives = d.unit[-1], d.positive[-1]
    z, log_positive, log_odds = point[:units], point[units : units + positives], point[units + positives :]
    gradient = np.empty_like(point)

    # --- the unknowns and their prior
    total = 0.0
    value, scale, ratio = d.unit_mean + z * d.unit_sd, np.exp(log_positive), 1 / (1 + np.exp(-log_odds))
    effect_scale = np.exp(value[d.unit[_EFFECT_SCALE]])
    unit_sd = d.unit_sd * (1 + (effect_scale - 1) * d.unit_shared)
    positive_sd = d.positive_sd * (1 + (effect_scale - 1) * d.positive_shared)
    value = d.unit_mean + z * unit_sd
    free_weight = slice(d.positive[_ROLE_WEIGHT], d.positive[_ROLE_WEIGHT + 1])
    if d.signed:
        scale[free_weight] = log_positive[free_weight]
    total -= 0.5 * ((z * z).sum() + (scale * scale).sum()) - log_positive.sum()
    if d.signed:
        total -= log_positive[free_weight].sum()
    total += (d.ratio_a * np.log(ratio) + d.ratio_b * np.log1p(-ratio)).sum()
    scaled = scale * positive_sd

    # --- parameters
    weight, grown = _role_weights(value, scaled, positive_sd, d)
    none = ratio[0] * ratio[1] * ratio[2]
    reliability = np.array([none, ratio[0] * ratio[1], ratio[0], none + (ratio[0] - none) * ratio[3]])
    unknown_support = value[d.unit[_UNKNOWN_SUPPORT] : d.unit[_UNKNOWN_SUPPORT + 1]]
    effects, field_scale = _effects(value, scaled, d)
    column_weight = np.empty(d.columns.shape[1])
    numeric = d.unit[_NUMERIC + 1] - d.unit[_NUMERIC]
    column_weight[:numeric] = value[d.unit[_NUMERIC] : d.unit[_NUMERIC + 1]] * scaled[d.positive[_NUMERIC_SCALE]]
    column_weight[numeric:] = value[d.unit[_PAIR] : d.unit[_PAIR + 1]] * scaled[d.positive[_PAIR_SCALE]]
    shared = len(d.effect_share)
    intercept = value[d.unit[_INTERCEPT]] - (d.effect_share * effects[:shared]).sum()
    intercept -= ((d.unreported_share * weight).sum(axis=1) * unknown_support).sum()
    support, variance = _support(weight, reliability, unknown_support, d)

    # --- deals
    log_likelihood, g_intercept, g_effects, g_support, g_variance, g_column = _deals(
        intercept, effects, support, variance, column_weight, d
    )
    total += log_likelihood

    # --- and all the way back
    g_value, g_scaled = np.zeros(units), np.zeros(positives)
    g_value[d.unit[_INTERCEPT]] = g_intercept
    g_effects[:shared] -= g_intercept * d.effect_share
    g_weight, g_reliability, g_unknown = _support_back(weight, reliability, unknown_support, g_support, g_variance, d)
    for role in range(len(g_unknown)):
        for method in range(weight.shape[1]):
            g_weight[role, method] -= g_intercept * d.unreported_share[role, method] * unknown_support[role]
            g_unknown[role] -= g_intercept * d.unreported_share[role, method] * weight[role, method]
    g_value[d.unit[_UNKNOWN_SUPPORT] : d.unit[_UNKNOWN_SUPPORT + 1]] = g_unknown
    _role_weights_back(value, scaled, weight, grown, g_weight, g_value, g_scaled, d)
    _effects_back(value, scaled, field_scale, g_effects, g_value, g_scaled, d)
    g_value[d.unit[_NUMERIC] : d.unit[_NUMERIC + 1]] = g_column[:numeric] * scaled[d.positive[_NUMERIC_SCALE]]
    g_scaled[d.positive[_NUMERIC_SCALE]] = (g_column[:numeric] * value[d.unit[_NUMERIC] : d.unit[_NUMERIC + 1]]).sum()
    g_value[d.unit[_PAIR] : d.unit[_PAIR + 1]] = g_column[numeric:] * scaled[d.positive[_PAIR_SCALE]]
    g_scaled[d.positive[_PAIR_SCALE]] = (g_column[numeric:] * value[d.unit[_PAIR] : d.unit[_PAIR + 1]]).sum()

    by_effect_scale = (g_value * z * unit_sd * d.unit_shared).sum() + (g_scaled * scaled * d.positive_shared).sum()
    if d.signed:
        by_effect_scale += (g_weight * (weight - scaled[free_weight].reshape(-1, 1))).sum()
    g_value[d.unit[_EFFECT_SCALE]] = by_effect_scale
    gradient[:units] = g_value * unit_sd - z
    gradient[units : units + positives] = g_scaled * scaled + 1 - scale * scale
    if d.signed:
        free = g_scaled[free_weight] * positive_sd[free_weight] - scale[free_weight]
        gradient[units + d.positive[_ROLE_WEIGHT] : units + d.positive[_ROLE_WEIGHT + 1]] = free
    g_none = g_reliability[0] + g_reliability[3] * (1 - ratio[3])
    g_ratio = np.array(
        [
            g_none * ratio[1] * ratio[2] + g_reliability[1] * ratio[1] + g_reliability[2] + g_reliability[3] * ratio[3],
            g_none * ratio[0] * ratio[2] + g_reliability[1] * ratio[0],
            g_none * ratio[0] * ratio[1],
            g_reliability[3] * (ratio[0] - none),
        ]
    )
    gradient[units + positives :] = g_ratio * ratio * (1 - ratio) + d.ratio_a * (1 - ratio) - d.ratio_b * ratio
    return total, gradient


@njit(cache=True, nogil=True, error_model="numpy")
def _role_weights(value: Array, scaled: Array, positive_sd: Array, d: Density) -> tuple[Array, Array]:
    """(role, method) weights, and what each is of its population weight."""
    roles, methods = d.unreported_share.shape
    weight, grown = np.empty((roles, methods)), np.empty((roles, methods))
    spread = scaled[d.positive[_METHOD_SPREAD]]
    for role in range(roles):
        population = scaled[d.positive[_ROLE_WEIGHT] + role]
        for method in range(methods):
            deviation = value[d.unit[_DEVIATION] + role * methods + method]
            if d.signed:
                grown[role, method] = positive_sd[d.positive[_ROLE_WEIGHT] + role]
                weight[role, method] = population + grown[role, method] * spread * deviation
            else:
                grown[role, method] = np.exp(spread * deviation + d.method_lean[role, method])
                weight[role, method] = population * grown[role, method]
    return weight, grown


@njit(cache=True, nogil=True, error_model="numpy")
def _role_weights_back(
    value: Array,
    scaled: Array,
    weight: Array,
    grown: Array,
    g_weight: Array,
    g_value: Array,
    g_scaled: Array,
    d: Density,
) -> None:
    roles, methods = weight.shape
    spread = d.positive[_METHOD_SPREAD]
    for role in range(roles):
        for method in range(methods):
            at = d.unit[_DEVIATION] + role * methods + method
            g = g_weight[role, method]
            by_deviation = grown[role, method] if d.signed else weight[role, method]
            g_value[at] = g * by_deviation * scaled[spread]
            g_scaled[spread] += g * by_deviation * value[at]
            g_scaled[d.positive[_ROLE_WEIGHT] + role] += g if d.signed else g * grown[role, method]


@njit(cache=True, nogil=True, error_model="numpy")
def _effects(value: Array, scaled: Array, d: Density) -> tuple[Array, Array]:
    """All effects that deals pick from, end to end, a zero last; and the scale of every field."""
    stages, coverages = len(d.stage_climb), len(d.coverage_climb)
    levels, quarters = len(d.field_of_level), len(d.walk)
    effects = np.zeros(len(d.effect_share) + quarters + 1)
    effects[:stages] = d.stage_climb @ scaled[d.positive[_STAGE_STEP] : d.positive[_STAGE_STEP + 1]]
    effects[stages] = value[d.unit[_STAGE_UNKNOWN]]
    at = stages + 1
    effects[at : at + coverages] = (
        d.coverage_climb @ scaled[d.positive[_COVERAGE_STEP] : d.positive[_COVERAGE_STEP + 1]]
    )
    effects[at + coverages] = value[d.unit[_COVERAGE_UNKNOWN]]
    at += coverages + 1
    effects[at : at + d.unit[_DECISION_METHOD + 1] - d.unit[_COACH]] = value[
        d.unit[_COACH] : d.unit[_DECISION_METHOD + 1]
    ]
    at += d.unit[_DECISION_METHOD + 1] - d.unit[_COACH]
    field_scale = scaled[d.positive[_OFFSET_SCALE]] * np.exp(
        value[d.unit[_FIELD_DEVIATION] : d.unit[_FIELD_DEVIATION + 1]]
    )
    for level in range(levels):
        effects[at + level] = value[d.unit[_OFFSET] + level] * field_scale[d.field_of_level[level]]
    effects[at + levels : at + levels + quarters] = d.walk @ (
        value[d.unit[_DRIFT] : d.unit[_DRIFT + 1]] * scaled[d.positive[_DRIFT_SCALE]]
    )
    return effects, field_scale


@njit(cache=True, nogil=True, error_model="numpy")
def _effects_back(
    value: Array, scaled: Array, field_scale: Array, g_effects: Array, g_value: Array, g_scaled: Array, d: Density
) -> None:
    stages, coverages = len(d.stage_climb), len(d.coverage_climb)
    levels, quarters = len(d.field_of_level), len(d.walk)
    g_scaled[d.positive[_STAGE_STEP] : d.positive[_STAGE_STEP + 1]] = g_effects[:stages] @ d.stage_climb
    g_value[d.unit[_STAGE_UNKNOWN]] = g_effects[stages]
    at = stages + 1
    g_scaled[d.positive[_COVERAGE_STEP] : d.positive[_COVERAGE_STEP + 1]] = (
        g_effects[at : at + coverages] @ d.coverage_climb
    )
    g_value[d.unit[_COVERAGE_UNKNOWN]] = g_effects[at + coverages]
    at += coverages + 1
    g_value[d.unit[_COACH] : d.unit[_DECISION_METHOD + 1]] = g_effects[
        at : at + d.unit[_DECISION_METHOD + 1] - d.unit[_COACH]
    ]
    at += d.unit[_DECISION_METHOD + 1] - d.unit[_COACH]
    for level in range(levels):
        field = d.field_of_level[level]
        g_value[d.unit[_OFFSET] + level] = g_effects[at + level] * field_scale[field]
        g_value[d.unit[_FIELD_DEVIATION] + field] += (
            g_effects[at + level] * value[d.unit[_OFFSET] + level] * field_scale[field]
        )
    g_scaled[d.positive[_OFFSET_SCALE]] = (
        g_value[d.unit[_FIELD_DEVIATION] : d.unit[_FIELD_DEVIATION + 1]].sum() / scaled[d.positive[_OFFSET_SCALE]]
    )
    g_steps = g_effects[at + levels : at + levels + quarters] @ d.walk
    g_value[d.unit[_DRIFT] : d.unit[_DRIFT + 1]] = g_steps * scaled[d.positive[_DRIFT_SCALE]]
    g_scaled[d.positive[_DRIFT_SCALE]] = (g_steps * value[d.unit[_DRIFT] : d.unit[_DRIFT + 1]]).sum()


@njit(cache=True, nogil=True, error_model="numpy")
def _support(weight: Array, reliability: Array, unknown_support: Array, d: Density) -> tuple[Array, Array]:
    """Weighted mean and variance of true support given each distinct report, see ``model``."""
    mean, variance = np.empty(len(d.readers)), np.empty(len(d.readers))
    for at in range(len(d.readers)):
        w, readers = weight[d.report_role[at], d.report_method[at]], d.readers[at]
        if readers == 0:
            mean[at], variance[at] = w * unknown_support[d.report_role[at]], w * w
            continue
        rho = reliability[d.report_coach[at]]
        spread = 1 + (readers - 1) * rho * rho
        gain = rho * readers / spread
        mean[at] = w * gain * d.reading[at]
        variance[at] = w * w * ((1 - rho * rho) / spread + gain * gain * d.reading_variance[at])
    return mean, variance


@njit(cache=True, nogil=True, error_model="numpy")
def _support_back(
    weight: Array, reliability: Array, unknown_support: Array, g_mean: Array, g_variance: Array, d: Density
) -> tuple[Array, Array, Array]:
    g_weight, g_reliability = np.zeros_like(weight), np.zeros_like(reliability)
    g_unknown = np.zeros(len(unknown_support))
    for at in range(len(d.readers)):
        role, method, coach, readers = d.report_role[at], d.report_method[at], d.report_coach[at], d.readers[at]
        w, by_mean, by_variance = weight[role, method], g_mean[at], g_variance[at]
        if readers == 0:
            g_weight[role, method] += by_mean * unknown_support[role] + 2 * w * by_variance
            g_unknown[role] += by_mean * w
            continue
        rho = reliability[coach]
        spread = 1 + (readers - 1) * rho * rho
        gain = rho * readers / spread
        variance = (1 - rho * rho) / spread + gain * gain * d.reading_variance[at]
        g_weight[role, method] += by_mean * gain * d.reading[at] + 2 * w * by_variance * variance
        by_gain = by_mean * w * d.reading[at] + by_variance * w * w * 2 * gain * d.reading_variance[at]
        gain_slope = readers * (1 - (readers - 1) * rho * rho) / spread**2
        g_reliability[coach] += by_gain * gain_slope - by_variance * w * w * 2 * rho * readers / spread**2
    return g_weight, g_reliability, g_unknown


@njit(cache=True, nogil=True, error_model="numpy")
def _deals(
    intercept: float, effects: Array, support: Array, variance: Array, column_weight: Array, d: Density
) -> tuple[float, float, Array, Array, Array, Array]:
    """Log likelihood of all deals; its gradient by intercept, effects, support, its variance, and column weights."""
    roles = len(d.unreported_share)
    slots, columns = d.places.shape[1] - roles, d.columns.shape[1]
    g_effects, g_column = np.zeros_like(effects), np.zeros_like(column_weight)
    g_support, g_variance = np.zeros_like(support), np.zeros_like(variance)
    total, g_intercept = 0.0, 0.0
    for row in range(len(d.weight)):
        predictor, doubt = intercept, 1.0
        for slot in range(slots):
            predictor += effects[d.places[row, slot]]
        for column in range(columns):
            predictor += d.columns[row, column] * column_weight[column]
        for slot in range(slots, slots + roles):
            predictor += support[d.places[row, slot]]
            doubt += _SHRINK * variance[d.places[row, slot]]
        shrink = 1 / np.sqrt(doubt)
        logit = predictor * shrink
        small = np.exp(-abs(logit))
        total += d.won[row] * logit - d.weight[row] * (max(logit, 0.0) + np.log1p(small))
        chance = 1 / (1 + small) if logit >= 0 else small / (1 + small)
        by_logit = d.won[row] - d.weight[row] * chance
        if d.waiting[row] > 0:
            waited = 1 + (d.waiting_odds[row] - 1) * chance
            total += d.waiting[row] * np.log(waited)
            by_logit += d.waiting[row] * (d.waiting_odds[row] - 1) * chance * (1 - chance) / waited
        by_predictor = by_logit * shrink
        by_variance = -0.5 * _SHRINK * by_predictor * predictor * shrink * shrink
        g_intercept += by_predictor
        for slot in range(slots):
            g_effects[d.places[row, slot]] += by_predictor
        for column in range(columns):
            g_column[column] += d.columns[row, column] * by_predictor
        for slot in range(slots, slots + roles):
            g_support[d.places[row, slot]] += by_predictor
            g_variance[d.places[row, slot]] += by_variance
    return total, g_intercept, g_effects, g_support, g_variance, g_column
