"""Log density of the unknowns given the deals, and its gradient, fused by hand: what the sampler evaluates.

A compiled graph of the same density costs a minute before the first draw and several times as much at each evaluation
(decision 007). A deal is a row of places to add up (``terms`` computes predictions in the same way), so a gradient is
one pass over the deals. ``graph`` defines the density in PyMC; a test compares values and gradients.
"""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from winprob.arrays import Array
from winprob.model.compiled_cache import cached_njit
from winprob.model.win import attenuation, geometry, kinds, likelihood, reports, role_kinds

#: Where the parts of the vector of coefficients start, and its length last; then the unknown that is the effect scale.
_COLUMNS, _SUPPORT, _FACTOR, _INTERCEPT, _END, _SCALE = range(6)


class Density(NamedTuple):
    """All that the density depends on besides the unknowns; a tuple of arrays, as Numba takes it.

    Attributes
    ----------
    rows, constants : the table of terms, see ``kinds.table_rows``
    parts : int64 (6,); all coefficients are one vector: effects and a zero, weights of columns, support (expected level
        by role, weight by role and method, reliability by coach), factors of weights by team and role, intercept
    places : (row, slot) effects that a row adds up; then, for each role, its report
    columns : (row, column) numbers that weights multiply
    won, weight : (row,) how many deals of a row were won, and how many closed ones it represents
    waiting, waiting_odds : (row,) how many deals of a row are censored, still open, and the likelihood of their wait
        if they will be won over that if not
    report_role, report_group, report_method, report_team : (report,) distinct reports on a role's support; the team is
        0 where there are none
    group_coach, group_readers : (group,) distinct pairs of a coach and a number of readers, 0 = none
    reading, reading_variance : (report,) see ``Features``
    scale, centred : (normal,) the learned scale of each unknown, -1 for none, and whether it may be centred
    scale_half, scale_deviation, scale_deviation_sd : (scale,) see ``Geometry``
    scale_attenuated : (scale,) 1 where it is one of log-odds, 0 where it multiplies weights
    fixed : (normal,) 1 for effects whose prior a person set, which may be centred, too
    log_weight, unknown_support : (role,) the unknowns behind a role's weight, where it is positive, and its expected
        level
    """

    rows: Array
    constants: Array
    parts: Array
    normal_mean: Array
    normal_sd: Array
    normal_scaled: Array
    normal_pooled: Array
    half_normal_sd: Array
    half_normal_scaled: Array
    ratio_a: Array
    ratio_b: Array
    effect_share: Array
    unreported_share: Array
    places: Array
    columns: Array
    won: Array
    weight: Array
    waiting: Array
    waiting_odds: Array
    report_role: Array
    report_group: Array
    report_method: Array
    report_team: Array
    group_coach: Array
    group_readers: Array
    reading: Array
    reading_variance: Array
    scale: Array
    centred: Array
    scale_half: Array
    scale_deviation: Array
    scale_deviation_sd: Array
    scale_attenuated: Array
    fixed: Array
    log_weight: Array
    unknown_support: Array

    @property
    def unknowns(self) -> int:
        """How many there are."""
        return len(self.normal_sd) + len(self.half_normal_sd) + len(self.ratio_a)


def source_hash() -> int:
    """A checksum of all the source that an entry compiles.

    Numba finds a cached function by its own file's time and by what it closes over, not by what it calls: an entry that
    did not close over this would go on running a density that has changed since.
    """
    modules = (kinds, role_kinds, reports, likelihood, geometry, attenuation)
    files = (Path(str(file)) for file in (__file__, *(module.__file__ for module in modules)))
    return zlib.crc32(b"".join(file.read_bytes() for file in files))


@njit(nogil=True, error_model="numpy")
def log_density(point: Array, d: Density) -> tuple[float, Array]:
    """Log density of the unknowns, up to a constant, and its gradient, at a point (unknown,): standard normals; logs of
    standard half-normals; log-odds of betas.
    """
    normals, halves = len(d.normal_sd), len(d.half_normal_sd)
    z, log_half, log_odds = point[:normals], point[normals : normals + halves], point[normals + halves :]

    # --- the unknowns and their prior
    half, ratio = np.exp(log_half), 1 / (1 + np.exp(-log_odds))
    total = log_half.sum() - 0.5 * ((z * z).sum() + (half * half).sum())
    total += (d.ratio_a * np.log(ratio) + d.ratio_b * np.log1p(-ratio)).sum()
    value, scaled, normal_sd = _scaled(z, half, d)

    # --- coefficients
    roles, methods = d.unreported_share.shape
    coefs = np.zeros(d.parts[_END])
    kinds.forward(d.rows, d.constants, value, scaled, ratio, coefs)
    effects, column_weight = coefs[: d.parts[_COLUMNS]], coefs[d.parts[_COLUMNS] : d.parts[_SUPPORT]]
    unknown_support, weight, reliability = _support_parts(coefs[d.parts[_SUPPORT] : d.parts[_FACTOR]], roles, methods)
    factor = _by_team(coefs, roles, d)
    intercept = coefs[d.parts[_INTERCEPT]] - (d.effect_share * effects).sum()
    for role in range(roles):
        for method in range(methods):
            intercept -= d.unreported_share[role, method] * weight[role, method] * unknown_support[role]
    support, variance = reports.support_of(weight, factor, reliability, unknown_support, d)

    # --- deals
    g_coefs = np.zeros_like(coefs)
    g_effects, g_column = g_coefs[: d.parts[_COLUMNS]], g_coefs[d.parts[_COLUMNS] : d.parts[_SUPPORT]]
    of_deals, g_intercept, g_support, g_variance = likelihood.log_likelihood(
        intercept, effects, support, variance, column_weight, g_effects, g_column, d
    )

    # --- adjoint
    g_coefs[d.parts[_INTERCEPT]] = g_intercept
    for effect in range(len(g_effects)):
        g_effects[effect] -= g_intercept * d.effect_share[effect]
    g_unknown, g_weight, g_reliability = _support_parts(g_coefs[d.parts[_SUPPORT] : d.parts[_FACTOR]], roles, methods)
    parts, g_factor = (weight, factor, reliability, unknown_support), _by_team(g_coefs, roles, d)
    reports.support_adjoint(parts, g_support, g_variance, (g_weight, g_factor, g_reliability, g_unknown), d)
    for role in range(roles):
        for method in range(methods):
            g_weight[role, method] -= g_intercept * d.unreported_share[role, method] * unknown_support[role]
            g_unknown[role] -= g_intercept * d.unreported_share[role, method] * weight[role, method]
    g_value, g_scaled, g_ratio = np.zeros(normals), np.zeros(halves), np.zeros_like(ratio)
    kinds.adjoint(d.rows, d.constants, value, scaled, ratio, coefs, g_coefs, g_value, g_scaled, g_ratio)
    at = d.parts[_SCALE]
    g_value[at] = (g_value * z * normal_sd * d.normal_scaled).sum() + (g_scaled * scaled * d.half_normal_scaled).sum()
    gradient = np.empty_like(point)
    gradient[:normals] = g_value * normal_sd - z
    gradient[normals : normals + halves] = g_scaled * scaled + 1 - half * half
    gradient[normals + halves :] = g_ratio * ratio * (1 - ratio) + d.ratio_a * (1 - ratio) - d.ratio_b * ratio
    return total + of_deals, gradient


@njit(nogil=True, error_model="numpy")
def _scaled(z: Array, half: Array, d: Density) -> tuple[Array, Array, Array]:
    """Normals and half-normals times their prior scales, and those of normals."""
    at = d.parts[_SCALE]
    effect_scale = np.exp(d.normal_mean[at] + z[at] * d.normal_sd[at])
    normal_sd = d.normal_sd * (1 + (effect_scale - 1) * d.normal_scaled)
    half_sd = d.half_normal_sd * (1 + (effect_scale - 1) * d.half_normal_scaled)
    return d.normal_mean + z * normal_sd, half * half_sd, normal_sd


@njit(nogil=True, error_model="numpy")
def _support_variance(point: Array, d: Density) -> Array:
    normals, halves = len(d.normal_sd), len(d.half_normal_sd)
    ratio = 1 / (1 + np.exp(-point[normals + halves :]))
    value, scaled, _ = _scaled(point[:normals], np.exp(point[normals : normals + halves]), d)
    coefs = np.zeros(d.parts[_END])
    kinds.forward(d.rows, d.constants, value, scaled, ratio, coefs)
    roles, methods = d.unreported_share.shape
    level, weight, reliability = _support_parts(coefs[d.parts[_SUPPORT] : d.parts[_FACTOR]], roles, methods)
    return reports.support_of(weight, _by_team(coefs, roles, d), reliability, level, d)[1]


@njit(nogil=True, error_model="numpy")
def _support_parts(support: Array, roles: int, methods: int) -> tuple[Array, Array, Array]:
    """Expected support by role, weight by role and method, and reliability by coach: views of one vector."""
    cells = roles * methods
    return support[:roles], support[roles : roles + cells].reshape((roles, methods)), support[roles + cells :]


@njit(nogil=True, error_model="numpy")
def _by_team(coefs: Array, roles: int, d: Density) -> Array:
    """(team, role) factors of role weights, a view; without teams there are none."""
    factor = coefs[d.parts[_FACTOR] : d.parts[_INTERCEPT]]
    return factor.reshape((len(factor) // roles, roles))


def _entry(source: int) -> Callable[[Array, Density], Array]:
    @cached_njit(nogil=True, error_model="numpy")
    def variance(point: Array, d: Density) -> Array:
        return _support_variance(point, d) + 0 * source

    return variance


#: (report,) variance, at a point (unknown,), of what a role's support adds to the log-odds, given each distinct report.
support_variance = _entry(source_hash())
