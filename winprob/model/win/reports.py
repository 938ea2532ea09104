"""What a role's support adds to the log-odds, given each distinct report on it: forward, and adjoint.

``d.group_coach`` and ``d.group_readers`` are the few distinct pairs of a coach and a number of readers: nothing else
decides how much the expected support moves with a reading, and what variance is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from winprob.arrays import Array

if TYPE_CHECKING:
    from winprob.model.win.density import Density


@njit(nogil=True, error_model="numpy")
def support_of(
    weight: Array, factor: Array, reliability: Array, unknown_support: Array, d: Density
) -> tuple[Array, Array]:
    """(report,) weighted mean and variance of true support given each distinct report, see ``graph``.

    Parameters
    ----------
    weight : (role, method)
    factor : (team, role) of the weights; without teams there are none
    reliability : (coach,)
    unknown_support : (role,) mean of true support without a reader
    """
    gain, rest = _gains(reliability, d)
    mean, variance = np.empty(len(d.reading)), np.empty(len(d.reading))
    for at in range(len(d.reading)):
        role, group = d.report_role[at], d.report_group[at]
        w = weight[role, d.report_method[at]]
        if len(factor):
            w *= factor[d.report_team[at], role]
        silent = 1.0 if d.group_readers[group] == 0 else 0.0
        mean[at] = w * (gain[group] * d.reading[at] + silent * unknown_support[role])
        variance[at] = w * w * (rest[group] + gain[group] * gain[group] * d.reading_variance[at])
    return mean, variance


@njit(nogil=True, error_model="numpy")
def support_adjoint(
    parts: tuple[Array, Array, Array, Array],
    g_mean: Array,
    g_variance: Array,
    g_parts: tuple[Array, Array, Array, Array],
    d: Density,
) -> None:
    """Add to the gradients with respect to weights, their factors by team, reliabilities and expected support."""
    weight, factor, reliability, unknown_support = parts
    g_weight, g_factor, g_reliability, g_unknown = g_parts
    gain, rest = _gains(reliability, d)
    by_gain, by_rest = np.zeros(len(gain)), np.zeros(len(gain))
    for at in range(len(d.reading)):
        role, method, group = d.report_role[at], d.report_method[at], d.report_group[at]
        own = factor[d.report_team[at], role] if len(factor) else 1.0
        w, hidden = weight[role, method] * own, d.reading_variance[at]
        silent = 1.0 if d.group_readers[group] == 0 else 0.0
        square = rest[group] + gain[group] * gain[group] * hidden
        by_weight = g_mean[at] * (gain[group] * d.reading[at] + silent * unknown_support[role])
        by_weight += 2 * w * g_variance[at] * square
        g_unknown[role] += g_mean[at] * w * silent
        by_gain[group] += g_mean[at] * w * d.reading[at] + g_variance[at] * w * w * 2 * gain[group] * hidden
        by_rest[group] += g_variance[at] * w * w
        g_weight[role, method] += by_weight * own
        if len(factor):
            g_factor[d.report_team[at], role] += by_weight * weight[role, method]
    for group in range(len(gain)):
        readers, rho = d.group_readers[group], reliability[d.group_coach[group]]
        if readers > 0:
            spread = 1 + (readers - 1) * rho * rho
            gain_slope = readers * (1 - (readers - 1) * rho * rho) / spread**2
            g_reliability[d.group_coach[group]] += by_gain[group] * gain_slope
            g_reliability[d.group_coach[group]] -= by_rest[group] * 2 * rho * readers / spread**2


@njit(nogil=True, error_model="numpy")
def _gains(reliability: Array, d: Density) -> tuple[Array, Array]:
    """(group,) by how much the expected support moves with a reading, and the variance that is left; 0 and 1 without
    a reader.
    """
    gain, rest = np.zeros(len(d.group_readers)), np.ones(len(d.group_readers))
    for group in range(len(gain)):
        readers, rho = d.group_readers[group], reliability[d.group_coach[group]]
        if readers > 0:
            spread = 1 + (readers - 1) * rho * rho
            gain[group], rest[group] = rho * readers / spread, (1 - rho * rho) / spread
    return gain, rest
