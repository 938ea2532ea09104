"""Coordinates in which the sampler moves: effects in units of what is left open of them, then whitened about a mode.

An effect with many deals is known nearly regardless of its scale, one with few is known relative to it: a standard
unknown ``z`` (non-centred) suits the second kind, ``z`` times its scale (centred) the first. The information on an
effect grows with the square of its scale, so one effect is of either kind at different scales. Here each is
``z * sqrt(1 + informed * (scale / reference) ** 2)``: divided by its conditional posterior sd, whatever the scale
(between the two parametrisations: Papaspiliopoulos, Roberts and Skold 2007, doi 10.1214/088342307000000014). Effects
and scales are in units of the attenuation, see ``attenuation``. What correlation is left about the mode is removed by a
linear map: the sampler sees a density close to a standard normal.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from winprob.arrays import Array
from winprob.model.win.attenuation import (
    Strength,
    attenuation,
    no_strength,
    shift,
    shift_adjoint,
    straighten,
    straighten_adjoint,
)

_STEPS, _SMALL = 100, 1e-12
#: No scale: the unknown is its own coordinate.
ALONE = -1


class Geometry(NamedTuple):
    """The map from the sampler's coordinates to standard unknowns; a tuple of arrays, as Numba takes it.

    Attributes
    ----------
    middle : (unknown,) centred coordinates of the origin
    turned : (turned,) the unknowns that are whitened together
    factor : (turned, turned) of a step of these
    stretch : (unknown,) of a step of one of the others
    informed : (normal,) the information on the unknown at the reference scale, relative to its prior's precision
    scale : (normal,) which scale an unknown has, ``ALONE`` for none
    half, deviation : (scale,) the unknowns that its log adds up: log of a half-normal, and a normal; ``ALONE`` for none
    deviation_sd : (scale,)
    reference : (scale,) log of the reference
    attenuated : (scale,) 1 where the scale is one of log-odds, 0 where it is relative
    half_normal : the unknowns that are logs of half-normals
    shift : (unknown,) how far it moves with the log of the attenuation
    strength : what the attenuation is a function of
    """

    middle: Array
    turned: Array
    factor: Array
    stretch: Array
    informed: Array
    scale: Array
    half: Array
    deviation: Array
    deviation_sd: Array
    reference: Array
    attenuated: Array
    half_normal: Array
    shift: Array
    strength: Strength


@njit(nogil=True, error_model="numpy")
def to_standard(point: Array, g: Geometry) -> tuple[Array, float]:
    """Standard unknowns of a point of the sampler, and the log of the Jacobian up to a constant."""
    standard = g.middle + g.stretch * point
    turned = _times(g.factor, point[g.turned])
    for at in range(len(turned)):
        standard[g.turned[at]] = g.middle[g.turned[at]] + turned[at]
    jacobian = _lengthen(standard, g) + straighten(standard, g.strength)
    log_attenuation, shifted = shift(standard, g.shift, g.strength)
    jacobian += shifted
    log_scale = _log_scales(standard, log_attenuation, g)
    for at in range(len(g.scale)):
        if g.scale[at] >= 0 and g.informed[at] > 0:
            grown = (1 + g.informed[at] * np.exp(2 * log_scale[g.scale[at]])) / (1 + g.informed[at])
            standard[at] /= np.sqrt(grown)
            jacobian -= 0.5 * np.log(grown)
    return standard, jacobian


@njit(nogil=True, error_model="numpy")
def to_standard_adjoint(standard: Array, gradient: Array, g: Geometry) -> Array:
    """The gradient with respect to the sampler's point, from that with respect to standard unknowns; it is changed."""
    log_attenuation, _, _ = attenuation(standard, g.strength)
    log_scale = _log_scales(standard, log_attenuation, g)
    by_scale = np.zeros(len(g.half))
    for at in range(len(g.scale)):
        if g.scale[at] >= 0 and g.informed[at] > 0:
            own = g.scale[at]
            data = g.informed[at] * np.exp(2 * log_scale[own])
            by_scale[own] -= data / (1 + data) * (gradient[at] * standard[at] + 1)
            gradient[at] *= np.sqrt((1 + g.informed[at]) / (1 + data))
    for own in range(len(g.half)):
        if g.half[own] >= 0:
            gradient[g.half[own]] += by_scale[own]
        if g.deviation[own] >= 0:
            gradient[g.deviation[own]] += by_scale[own] * g.deviation_sd[own]
    shift_adjoint(standard, gradient, -(g.attenuated * by_scale).sum(), g.shift, g.strength)
    straighten_adjoint(standard, gradient, g.strength)
    _lengthen_adjoint(standard - g.shift * log_attenuation, gradient, g)
    by_turned = _times_transposed(g.factor, gradient[g.turned])
    for at in range(len(gradient)):
        gradient[at] *= g.stretch[at]
    for at in range(len(by_turned)):
        gradient[g.turned[at]] = by_turned[at]
    return gradient


@njit(nogil=True, error_model="numpy")
def _lengthen(standard: Array, g: Geometry) -> float:
    """Replace coordinates by logs of half-normals; returns the log of the Jacobian. See ``shortened``.

    Coordinates are convex in the logs, so that Newton's steps from above never pass the inverse.
    """
    jacobian = 0.0
    for own in g.half_normal:
        origin = g.middle[own]
        goal = standard[own] - origin + shortened(0.0)[0]
        log, slope = goal, 1.0
        for _ in range(_STEPS):
            value, slope, _ = shortened(log)
            log += (goal - value) / slope
            if not abs(goal - value) > _SMALL:
                break
        standard[own] = origin + log
        jacobian -= np.log(slope)
    return jacobian


@njit(nogil=True, error_model="numpy")
def _lengthen_adjoint(standard: Array, gradient: Array, g: Geometry) -> None:
    for own in g.half_normal:
        _, slope, bend = shortened(standard[own] - g.middle[own])
        gradient[own] = (gradient[own] - bend / slope) / slope


@njit(nogil=True, error_model="numpy")
def shortened(log: float) -> tuple[float, float, float]:
    """The coordinate of a half-normal's log, its slope and second derivative.

    Where the deals leave a scale near zero, the density of its log falls like an exponential. The coordinate is the log
    itself above the origin, below it falls like the square root: there the density is close to a normal one.
    """
    up = 1 / (1 + np.exp(-log))
    below = np.log1p(np.exp(-abs(log))) - min(log, 0.0)
    root = 1 / np.sqrt(1 + 2 * below)
    slope = up + (1 - up) * root
    return log + below - (1 / root - 1), slope, up * (1 - up) * (1 - root) + (1 - up) ** 2 * root**3


# By hand: the threads of a linear algebra library would wait for each other, the chains have theirs.
@njit(nogil=True, error_model="numpy", fastmath=True)
def _times(matrix: Array, vector: Array) -> Array:
    result = np.empty(len(matrix))
    for row in range(len(matrix)):
        total = 0.0
        for column in range(len(vector)):
            total += matrix[row, column] * vector[column]
        result[row] = total
    return result


@njit(nogil=True, error_model="numpy", fastmath=True)
def _times_transposed(matrix: Array, vector: Array) -> Array:
    result = np.zeros(matrix.shape[1])
    for row in range(len(vector)):
        for column in range(len(result)):
            result[column] += matrix[row, column] * vector[row]
    return result


@njit(nogil=True, error_model="numpy")
def _log_scales(standard: Array, log_attenuation: float, g: Geometry) -> Array:
    """(scale,) log of each scale relative to its reference; scales themselves are never centred."""
    log_scale = -g.reference - g.attenuated * log_attenuation
    for own in range(len(g.half)):
        if g.half[own] >= 0:
            log_scale[own] += standard[g.half[own]]
        if g.deviation[own] >= 0:
            log_scale[own] += standard[g.deviation[own]] * g.deviation_sd[own]
    return log_scale


def identity(unknowns: int, normals: int) -> Geometry:
    """The map that changes nothing."""
    none = np.zeros(0, dtype=np.int64)
    return Geometry(
        middle=np.zeros(unknowns),
        turned=none,
        factor=np.zeros((0, 0)),
        stretch=np.ones(unknowns),
        informed=np.zeros(normals),
        scale=np.full(normals, ALONE),
        half=none,
        deviation=none,
        deviation_sd=np.zeros(0),
        reference=np.zeros(0),
        attenuated=np.zeros(0),
        half_normal=none,
        shift=np.zeros(unknowns),
        strength=no_strength(),
    )
