"""Find coordinates for the sampler: a mode, the scales there, and how much the deals tell of each effect.

Effects are at their mode given the scales, scales where the effects' spread puts them (EM; Laplace approximation of the
effects): a joint mode of both would be at a scale of zero. Second derivatives are differences of the exact gradient.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from winprob.arrays import Array
from winprob.model.inference.coordinates import unwhitened
from winprob.model.inference.native import slopes_of
from winprob.model.win.density import Density
from winprob.model.win.geometry import Geometry

#: Rows on which curvature is measured while the scales are sought.
_ROWS = 5000
#: Effects that are whitened together, at most, and how much deals must tell of one, relative to its prior's precision.
_TURNED, _SAID = 300, 0.1
_START_HALF_NORMAL = -0.5
_ROUNDS, _SETTLED = 8, 0.1
_STEP = 1e-5
#: Curvatures below this are taken for it: the prior's is 1, and a narrow one would make the sampler's steps too long.
_FLATTEST = 0.25

_Gradient = Callable[[Array], tuple[float, Array]]


def find_geometry(density: Density) -> Geometry:
    """Coordinates in which the density of these deals is close to a standard normal."""
    point, curvature = settle(density)
    informed = np.maximum(np.diag(curvature)[: len(density.scale)] - 1, 0)
    plain = unwhitened(density, point, np.diag(curvature))

    turned = _turned(informed, density)
    # Of all deals: of some, the gradient is not zero at the mode, which bends what is straight.
    curvature = _curvature(slopes_of(density, plain), np.zeros(len(point)), turned)
    size, direction = np.linalg.eigh(curvature[np.ix_(turned, turned)])
    stretch = np.ones(len(point))
    stretch[: len(informed)] = 1 / np.sqrt(1 + informed)
    return plain._replace(
        turned=turned, factor=np.ascontiguousarray(direction / np.sqrt(np.maximum(size, _FLATTEST))), stretch=stretch
    )


def _turned(informed: Array, density: Density) -> Array:
    """The unknowns that are whitened together: all but effects, and the effects with most information."""
    pooled = np.zeros(density.unknowns, dtype=bool)
    pooled[: len(density.scale)] = density.scale >= 0
    most = np.flatnonzero(pooled)
    most = most[np.argsort(-informed[most], kind="stable")[:_TURNED]]
    return np.union1d(np.flatnonzero(~pooled), most[informed[most] > _SAID])


def _log_scales(point: Array, density: Density) -> Array:
    """(scale,) log of each scale, up to its prior's constant."""
    deviation = np.where(density.scale_deviation >= 0, point[density.scale_deviation], 0.0)
    return np.asarray(point[density.scale_half] + deviation * density.scale_deviation_sd)


def settle(density: Density) -> tuple[Array, Array]:
    """(unknown,) effects at their mode given the scales, scales by EM; and (unknown, unknown) the curvature there."""
    slopes, fewer = slopes_of(density), slopes_of(_thinned(density))
    halves = np.full(len(density.half_normal_sd), _START_HALF_NORMAL)
    point = np.concatenate([np.zeros(len(density.normal_sd)), halves, np.log(density.ratio_a / density.ratio_b)])
    own, free = _parts(density)
    members = [np.flatnonzero(density.scale == at) for at in range(len(density.scale_half))]
    curvature = np.eye(len(point))
    for _ in range(_ROUNDS):
        point[free] = _mode(slopes, point, free)
        curvature = _curvature(fewer, point, free)
        variance = _variance(curvature, free, density)
        before = _log_scales(point, density)
        point[own] = _scales(point, own, variance, before, members, density)
        after = _log_scales(point, density)
        for at, unknowns in enumerate(members):
            point[unknowns] *= np.exp(before[at] - after[at])
        if np.abs(after - before).max(initial=0.0) < _SETTLED:
            break
    return point, curvature


def _variance(curvature: Array, free: Array, density: Density) -> Array:
    """(unknown,) of the effects given the scales; those with little information are taken to vary alone."""
    variance = np.zeros(len(curvature))
    variance[free] = 1 / np.maximum(np.diag(curvature)[free], _FLATTEST)
    informed = np.maximum(np.diag(curvature)[: len(density.scale)] - 1, 0)
    some = np.intersect1d(free, _turned(informed, density))
    variance[some] = np.diag(np.linalg.inv(_definite(curvature[np.ix_(some, some)])))
    return variance


def effects_given_scales(density: Density, point: Array) -> Array:
    """(unknown,) the mode of the effects with the scales of ``point``."""
    _, free = _parts(density)
    result = point.copy()
    result[free] = _mode(slopes_of(density), point, free)
    return result


def _parts(density: Density) -> tuple[Array, Array]:
    """The unknowns that scales are made of, and all others."""
    own = np.unique(np.concatenate([density.scale_half, density.scale_deviation[density.scale_deviation >= 0]]))
    return own, np.setdiff1d(np.arange(density.unknowns), own)


def _mode(slopes: _Gradient, point: Array, free: Array) -> Array:
    def fallen(values: Array) -> tuple[float, Array]:
        at = point.copy()
        at[free] = values
        value, gradient = slopes(at)
        return -value, -gradient[free]

    found = minimize(fallen, point[free], jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x)


def _scales(point: Array, own: Array, variance: Array, before: Array, members: list[Array], density: Density) -> Array:
    """The unknowns of the scales at their mode given the effects' squares, in expectation."""
    squares = np.array([(point[some] ** 2 + variance[some]).sum() for some in members])
    counts = np.array([len(some) for some in members], dtype=float)
    normals = len(density.normal_sd)

    def fallen(values: Array) -> float:
        at = point.copy()
        at[own] = values
        log_scale = _log_scales(at, density)
        likelihood = -counts @ log_scale - 0.5 * squares @ np.exp(np.clip(2 * (before - log_scale), None, 50))
        half, normal = values[own >= normals], values[own < normals]
        prior = (half - 0.5 * np.exp(2 * half)).sum() - 0.5 * (normal**2).sum()
        return float(-(likelihood + prior))

    return np.asarray(minimize(fallen, point[own], method="L-BFGS-B").x) if len(own) else point[own]


def _curvature(slopes: _Gradient, point: Array, free: Array | None = None) -> Array:
    """Negative second derivatives at a point; the identity for unknowns that are not free."""
    free = np.arange(len(point)) if free is None else free
    result, (_, here) = np.eye(len(point)), slopes(point)
    for at in free.tolist():
        beyond = point.copy()
        beyond[at] += _STEP
        result[at, free] = (here - slopes(beyond)[1])[free] / _STEP
    return (result + result.T) / 2


def _definite(curvature: Array) -> Array:
    size, direction = np.linalg.eigh(curvature)
    return np.asarray((direction * np.maximum(size, _FLATTEST)) @ direction.T)


def _thinned(density: Density) -> Density:
    """The same with at most so many rows, evenly spaced, each with the weight of those it represents."""
    rows = len(density.weight)
    if rows <= _ROWS:
        return density
    some = np.linspace(0, rows - 1, _ROWS).astype(int)
    counted = ("won", "weight", "waiting")
    fewer = {name: np.ascontiguousarray(getattr(density, name)[some]) for name in ("places", "columns", "waiting_odds")}
    fewer |= {name: getattr(density, name)[some] * (rows / _ROWS) for name in counted}
    return density._replace(**fewer)
