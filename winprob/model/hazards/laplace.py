"""Where is the density highest, and what do draws from around there weigh?

The density is nearly a normal about its mode. Draws from that normal are weighted by how far it is off, the weights'
tail is smoothed, and its index says whether they can be believed (Vehtari et al. 2024, JMLR 25(72)).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from winprob.arrays import Array
from winprob.model.hazards.density import Slopes

_STEPS = 200
_TOLERANCE = 1e-9
#: How far a draw is turned at each try to move it.
_TURN = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A highest point of a density, its log density, and the Cholesky factor of the precision there (lower)."""

    point: Array
    value: float
    factor: Array

    @property
    def evidence(self) -> float:
        """Log of how much of the density lies about it, up to a constant."""
        return float(self.value - np.log(np.diag(self.factor)).sum())


def find_mode(slopes: Callable[[Array], Slopes], start: Array) -> Mode:
    """Newton's method, damped where the density is not concave or a step overshoots."""
    point, here, damping = start, slopes(start), 0.0
    for _ in range(_STEPS):
        size = np.eye(len(point)) * damping
        try:
            step = cho_solve(cho_factor(size - here.hessian), here.gradient)
        except np.linalg.LinAlgError:
            damping = max(10 * damping, 1e-3)
            continue
        gain = float(step @ here.gradient)
        if gain < _TOLERANCE and damping == 0:
            break
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            there = slopes(point + step)
        if np.isfinite(there.value) and there.value >= here.value + 1e-4 * gain - 1e-12 * abs(here.value):
            point, here, damping = point + step, there, 0.0 if damping < 1e-3 else damping / 10
        else:
            damping = max(10 * damping, 1e-3)
    return Mode(point=point, value=here.value, factor=cholesky(-here.hessian, lower=True))


def draw_around(mode: Mode, count: int, rng: np.random.Generator, freedom: float | None) -> tuple[Array, Array]:
    """Draws (draw, unknown) from a normal, or a t, about the mode, and their log density up to a constant."""
    normal = rng.standard_normal((count, len(mode.point)))
    if freedom is None:
        log_q = -0.5 * (normal**2).sum(axis=1)
    else:
        normal /= np.sqrt(rng.chisquare(freedom, (count, 1)) / freedom)
        log_q = -0.5 * (freedom + normal.shape[1]) * np.log1p((normal**2).sum(axis=1) / freedom)
    return mode.point + solve_triangular(mode.factor, normal.T, lower=True, trans=1).T, log_q


def stirred(
    points: Array, mode: Mode, log_density: Callable[[Array], Array], rng: np.random.Generator, *, tries: int
) -> Array:
    """Draws (draw, unknown) moved by Metropolis steps, each on its own, so that those kept twice come apart.

    A step turns a draw towards a fresh one of the normal about the mode, which leaves that normal as it is; so only
    what the density differs by decides (preconditioned Crank-Nicolson: Cotter et al. 2013, doi 10.1214/13-STS421;
    moves after resampling: Gilks and Berzuini 2001, doi 10.1111/1467-9868.00280).
    """
    weight = log_density(points) - _log_normal(points, mode)
    for _ in range(tries):
        fresh, _ = draw_around(mode, len(points), rng, None)
        turned = mode.point + np.sqrt(1 - _TURN**2) * (points - mode.point) + _TURN * (fresh - mode.point)
        other = log_density(turned) - _log_normal(turned, mode)
        moves = np.log(rng.random(len(points))) < other - weight
        points, weight = np.where(moves[:, None], turned, points), np.where(moves, other, weight)
    return points


def _log_normal(points: Array, mode: Mode) -> Array:
    return np.asarray(-0.5 * (((points - mode.point) @ mode.factor) ** 2).sum(axis=1))
