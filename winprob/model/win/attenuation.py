"""The ridge of overall strength: stronger effects under less reliable reports explain the deals nearly as well.

What reports leave open of true support shrinks all log-odds by one factor, the attenuation ``c`` (see ``graph``). The
deals identify effects divided by ``c``: along the ridge effects and their posterior widths grow with it, and a linear
map cannot straighten that. So coordinates are in units of ``c``, here that of the average deal as a function of role
weights, the effect scale and the reliability of the best reports. Role weights are in its units in part: wholly, they
would grow without bound. What identifies the reliability itself is its log, until it is near 1, where only the prior
does.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from winprob.arrays import Array

#: Of the probit approximation to a logistic-normal integral (MacKay 1992, doi 10.1162/neco.1992.4.5.720).
SHRINK = np.pi / 8
_EFFECT_SCALE, _RELIABILITY = 0, 1
_SD, _ORIGIN, _BEND = 0, 1, 2
_STEPS, _SMALL = 100, 1e-12


class Strength(NamedTuple):
    """What the attenuation is a function of.

    Attributes
    ----------
    weight : (role,) unknowns that are logs of role weights in units of the effect scale; none: there is no attenuation
    weight_log : (role,) log of the root mean square of a role's weight over that unit
    known : (role,) share of the variance of support that a perfectly reliable report would explain, over all deals
    common : the unknowns of the effect scale and of the reliability of the best reports
    numbers : sd of the log of the effect scale; log attenuation at the origin; how much more the log of the reliability
        counts in its coordinate than its log-odds
    """

    weight: Array
    weight_log: Array
    known: Array
    common: Array
    numbers: Array


@njit(nogil=True, error_model="numpy")
def attenuation(standard: Array, s: Strength) -> tuple[float, Array, Array]:
    """Log of the attenuation relative to the origin; then of each role: the share of its weight in the squared
    attenuation, which is the slope by that weight's log, and how fast it falls with the log of the reliability.
    """
    shares, falls = np.zeros(len(s.weight)), np.zeros(len(s.weight))
    if len(s.weight) == 0:
        return 0.0, shares, falls
    _sizes(standard, s, shares, falls)
    square = 1 + shares.sum()
    return 0.5 * np.log(square) - s.numbers[_ORIGIN], shares / square, falls


@njit(nogil=True, error_model="numpy")
def shift(standard: Array, by: Array, s: Strength) -> tuple[float, float]:
    """Add ``by`` times the log attenuation relative to the origin to each unknown; it is that of the unknowns after it.

    Returns
    -------
    the log attenuation, and the log of the Jacobian
    """
    if len(s.weight) == 0:
        return 0.0, 0.0
    shares, falls = np.zeros(len(s.weight)), np.zeros(len(s.weight))
    _sizes(standard, s, shares, falls)
    by_weight = by[s.weight]
    result, slope = -s.numbers[_ORIGIN], 0.0
    for _ in range(_STEPS):  # Newton's: concave, so that steps from below never pass the root
        square, slope = 1.0, 0.0
        for role in range(len(shares)):
            size = shares[role] * np.exp(2 * by_weight[role] * result)
            square += size
            slope += by_weight[role] * size
        slope /= square
        step = (0.5 * np.log(square) - s.numbers[_ORIGIN] - result) / (1 - slope)
        result += step
        if not abs(step) > _SMALL:
            break
    for at in range(len(standard)):
        standard[at] += by[at] * result
    return result, -np.log(1 - slope)


@njit(nogil=True, error_model="numpy")
def shift_adjoint(standard: Array, gradient: Array, by_attenuation: float, by: Array, s: Strength) -> None:
    """The gradient of the value and the Jacobian with respect to the unknowns before the shift.

    Parameters
    ----------
    standard, gradient : after it
    by_attenuation : slope of the value by the log attenuation itself
    """
    if len(s.weight) == 0:
        return
    _, shares, falls = attenuation(standard, s)
    by_weight = by[s.weight]
    rest = 1 - (by_weight * shares).sum()
    by_size = 2 * by_weight * shares / rest
    gradient[s.weight] += by_size
    total = by_attenuation + (by * gradient).sum() - by_size.sum()
    by_size += total / rest * shares
    gradient[s.weight] += total / rest * shares
    gradient[s.common[_EFFECT_SCALE]] += by_size.sum() * s.numbers[_SD]
    doubt = 1 / (1 + np.exp(standard[s.common[_RELIABILITY]]))
    gradient[s.common[_RELIABILITY]] -= (by_size * falls).sum() * doubt


@njit(nogil=True, error_model="numpy")
def _sizes(standard: Array, s: Strength, sizes: Array, falls: Array) -> None:
    reliability = 1 / (1 + np.exp(-standard[s.common[_RELIABILITY]]))
    effect_scale = standard[s.common[_EFFECT_SCALE]] * s.numbers[_SD]
    for role in range(len(s.weight)):
        known = s.known[role] * reliability * reliability
        squared = np.exp(2 * (standard[s.weight[role]] + s.weight_log[role] + effect_scale))
        sizes[role] = SHRINK * squared * (1 - known)
        falls[role] = known / (1 - known)


@njit(nogil=True, error_model="numpy")
def straighten(standard: Array, s: Strength) -> float:
    """Replace the reliability's coordinate by its log-odds; returns the log of the Jacobian.

    The coordinate is ``x + bend * log(expit(x))``: concave, so that Newton's steps from below never pass its inverse.
    """
    if len(s.weight) == 0:
        return 0.0
    goal, bend = standard[s.common[_RELIABILITY]], s.numbers[_BEND]
    x = max(goal, goal / (1 + bend))
    for _ in range(_STEPS):
        log_reliability = min(x, 0.0) - np.log1p(np.exp(-abs(x)))
        step = (goal - x - bend * log_reliability) / (1 + bend / (1 + np.exp(x)))
        x += step
        if not abs(step) > _SMALL:
            break
    standard[s.common[_RELIABILITY]] = x
    return -np.log(1 + bend / (1 + np.exp(x)))


@njit(nogil=True, error_model="numpy")
def straighten_adjoint(standard: Array, gradient: Array, s: Strength) -> None:
    """The gradient of the value and the Jacobian with respect to the reliability's coordinate instead."""
    if len(s.weight) == 0:
        return
    own, bend = s.common[_RELIABILITY], s.numbers[_BEND]
    doubt = 1 / (1 + np.exp(standard[own]))
    slope = 1 + bend * doubt
    gradient[own] = (gradient[own] + bend * doubt * (1 - doubt) / slope) / slope


def straight(log_odds: float, bend: float) -> float:
    """The reliability's coordinate at its log-odds, see ``straighten``."""
    return log_odds - bend * float(np.log1p(np.exp(-log_odds)))


def no_strength() -> Strength:
    """No attenuation: every coordinate is in units of log-odds."""
    none = np.zeros(0, dtype=np.int64)
    return Strength(weight=none, weight_log=np.zeros(0), known=np.zeros(0), common=none, numbers=np.zeros(0))
