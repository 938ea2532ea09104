"""Log likelihood of the deals and its gradient, a block of deals at a time.

What a deal adds up, and where its slope goes, are places in vectors: loads and stores, a deal after the other. Between
them exponentials, logarithms and roots take most of the time: a loop without a branch and without a call, which the
compiler turns into instructions over several deals at once. A block fits the processor's nearest cache.
"""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from winprob.arrays import Array
from winprob.model.win.attenuation import SHRINK

if TYPE_CHECKING:
    from winprob.model.win.density import Density

_BLOCK = 256
#: Beyond, the exponential is below 1e-19, and so of no consequence beside one.
_FAR = 44.0
#: The exponential is that of a 128th, squared seven times.
_HALVINGS = 7
_EXPONENTIAL = tuple(1 / factorial(power) for power in range(13))
_INVERSE_TANGENT = tuple(1 / (2 * power + 1) for power in range(17))


@njit(nogil=True, error_model="numpy")
def log_likelihood(
    intercept: float,
    effects: Array,
    support: Array,
    variance: Array,
    column_weight: Array,
    g_effects: Array,
    g_column: Array,
    d: Density,
) -> tuple[float, float, Array, Array]:
    """Log likelihood, and its gradient with respect to the intercept, support, and variance of support.

    Those with respect to effects and weights of columns are added to ``g_effects`` and ``g_column``.
    """
    g_support, g_variance = np.zeros_like(support), np.zeros_like(variance)
    total, g_intercept = 0.0, 0.0
    buffers = np.empty((6, min(_BLOCK, len(d.weight))))
    for start in range(0, len(d.weight), _BLOCK):
        rows = min(_BLOCK, len(d.weight) - start)
        # One by one: rows of a slice of both dimensions would not be known to be contiguous.
        predictor, doubt, shrink = buffers[0, :rows], buffers[1, :rows], buffers[2, :rows]
        chance, value, by_logit = buffers[3, :rows], buffers[4, :rows], buffers[5, :rows]
        _add_up(start, (intercept, effects, support, variance, column_weight), d, predictor, doubt)
        won, weight = d.won[start : start + rows], d.weight[start : start + rows]
        _of_closed(predictor, doubt, won, weight, shrink, chance, value, by_logit)
        for at in range(rows):
            row, by_predictor = start + at, by_logit[at]
            total += value[at]
            if d.waiting[row] > 0:
                waited = 1 + (d.waiting_odds[row] - 1) * chance[at]
                total += d.waiting[row] * np.log(waited)
                by_predictor += d.waiting[row] * (d.waiting_odds[row] - 1) * chance[at] * (1 - chance[at]) / waited
            by_predictor *= shrink[at]
            by_variance = -0.5 * SHRINK * by_predictor * predictor[at] * shrink[at] * shrink[at]
            g_intercept += by_predictor
            _share_out(row, by_predictor, by_variance, (g_effects, g_support, g_variance, g_column), d)
    return total, g_intercept, g_support, g_variance


@njit(nogil=True, error_model="numpy")
def _add_up(
    start: int, parts: tuple[float, Array, Array, Array, Array], d: Density, predictor: Array, doubt: Array
) -> None:
    """Fill in the last two, each (row,): predictors from row ``start`` on, and the square of their attenuation."""
    intercept, effects, support, variance, column_weight = parts
    roles = len(d.unreported_share)
    slots, columns = d.places.shape[1] - roles, d.columns.shape[1]
    for at in range(len(predictor)):
        row = start + at
        log_odds, spread = intercept, 1.0
        for slot in range(slots):
            log_odds += effects[d.places[row, slot]]
        for column in range(columns):
            log_odds += d.columns[row, column] * column_weight[column]
        for slot in range(slots, slots + roles):
            log_odds += support[d.places[row, slot]]
            spread += SHRINK * variance[d.places[row, slot]]
        predictor[at], doubt[at] = log_odds, spread


@njit(nogil=True, error_model="numpy")
def _share_out(
    row: int, by_predictor: float, by_variance: float, slopes: tuple[Array, Array, Array, Array], d: Density
) -> None:
    """Add a row's slopes to those of its effects, its support, the variance of that, and the weights of columns."""
    g_effects, g_support, g_variance, g_column = slopes
    roles = len(d.unreported_share)
    slots, columns = d.places.shape[1] - roles, d.columns.shape[1]
    for slot in range(slots):
        g_effects[d.places[row, slot]] += by_predictor
    for column in range(columns):
        g_column[column] += d.columns[row, column] * by_predictor
    for slot in range(slots, slots + roles):
        g_support[d.places[row, slot]] += by_predictor
        g_variance[d.places[row, slot]] += by_variance


@njit(nogil=True, error_model="numpy")
def _of_closed(
    predictor: Array,
    doubt: Array,
    won: Array,
    weight: Array,
    shrink: Array,
    chance: Array,
    value: Array,
    by_logit: Array,
) -> None:
    """Fill in the last four, each (row,): attenuation, chance to win, log likelihood of the closed deals, its slope."""
    for at in range(len(predictor)):
        shrink[at] = 1 / np.sqrt(doubt[at])
        logit = predictor[at] * shrink[at]
        small = exp_minus(abs(logit))
        larger = 1 / (1 + small)
        chance[at] = larger if logit >= 0 else small * larger
        value[at] = won[at] * logit - weight[at] * (max(logit, 0.0) + log_one_plus(small))
        by_logit[at] = won[at] - weight[at] * chance[at]


@njit(nogil=True, error_model="numpy")
def exp_minus(distance: float) -> float:
    """``exp(-x)`` of x from 0 to 44 to a relative error of 1e-13, beyond that of 44: Taylor's series, no branch."""
    exponent = -min(distance, _FAR) / 2**_HALVINGS
    total = _EXPONENTIAL[-1]
    for power in range(len(_EXPONENTIAL) - 2, -1, -1):
        total = total * exponent + _EXPONENTIAL[power]
    for _ in range(_HALVINGS):
        total *= total
    return total


@njit(nogil=True, error_model="numpy")
def log_one_plus(small: float) -> float:
    """``log(1 + x)`` of x from 0 to 1: twice the inverse hyperbolic tangent of ``x / (2 + x)``, its series."""
    ratio = small / (2 + small)
    square, total = ratio * ratio, _INVERSE_TANGENT[-1]
    for power in range(len(_INVERSE_TANGENT) - 2, -1, -1):
        total = total * square + _INVERSE_TANGENT[power]
    return 2 * ratio * total
