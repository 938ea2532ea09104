"""Laplace approximation at the mode, Pareto-smoothed importance sampling (PSIS), and MCMC moves after resampling.

The posterior is close to a normal about its mode. Draws from that normal are importance weighted, the tail of the
weights is smoothed, and its Pareto k measures their reliability (Vehtari, Simpson, Gelman, Yao, Gabry 2024, JMLR
25(72); the estimate of k after Zhang and Stephens 2009, doi 10.1198/tech.2009.08017).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.special import softmax

from winprob.arrays import Array
from winprob.model.hazards.density import Slopes

#: Importance weights are reliable up to this Pareto k.
RELIABLE_K = 0.7
#: Share of the weights that are smoothed, at most.
_TAIL = 0.2
_STEPS = 200
_TOLERANCE = 1e-9
#: Step size of the preconditioned Crank-Nicolson proposal.
_STEP_SIZE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A mode, its log density, and the lower Cholesky factor of the precision (negative Hessian) there."""

    point: Array
    value: float
    factor: Array

    @property
    def evidence(self) -> float:
        """Log of the Laplace approximation of the mass around the mode, up to a constant."""
        return float(self.value - np.log(np.diag(self.factor)).sum())


def find_mode(slopes: Callable[[Array], Slopes], start: Array) -> Mode:
    """Mode by Newton's method, damped where the density is not concave or a step overshoots."""
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
    """Proposals (draw, unknown) from a normal, or a multivariate t, about the mode, and their log density."""
    normal = rng.standard_normal((count, len(mode.point)))
    if freedom is None:
        log_q = -0.5 * (normal**2).sum(axis=1)
    else:
        normal /= np.sqrt(rng.chisquare(freedom, (count, 1)) / freedom)
        log_q = -0.5 * (freedom + normal.shape[1]) * np.log1p((normal**2).sum(axis=1) / freedom)
    return mode.point + solve_triangular(mode.factor, normal.T, lower=True, trans=1).T, log_q


def smooth_weights(log_ratio: Array) -> tuple[Array, float]:
    """PSIS: (draw,) weights that sum to 1 with a smoothed tail, and the Pareto k of the tail."""
    log_weight = log_ratio - log_ratio.max()
    tail = int(min(_TAIL * len(log_weight), 3 * np.sqrt(len(log_weight))))
    order = np.argsort(log_weight)
    cut = log_weight[order[-tail - 1]]
    largest = order[-tail:]
    excess = np.exp(log_weight[largest]) - np.exp(cut)
    if tail < 5 or excess[-1] <= 0:
        return _normalised(log_weight), -np.inf
    shape, scale = fit_pareto(excess)
    quantile = (np.arange(tail) + 0.5) / tail
    smoothed = np.exp(cut) + pareto_quantile(quantile, shape, scale)
    log_weight[largest] = np.minimum(np.log(smoothed), 0.0)
    return _normalised(log_weight), shape


def fit_pareto(excess: Array) -> tuple[float, float]:
    """Shape k and scale of a generalised Pareto tail (ascending, positive), with the usual weak prior on the shape."""
    count = len(excess)
    grid = 30 + int(np.sqrt(count))
    quartile = excess[int(count / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * quartile)
    shape = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = count * (np.log(-theta / shape) - shape - 1)
    best = float(theta @ softmax(profile))
    estimate = float(np.log1p(-best * excess).mean())
    return (estimate * count + 10 * 0.5) / (count + 10), -estimate / best


def pareto_quantile(quantile: Array, shape: float, scale: float) -> Array:
    """Quantiles of the generalised Pareto distribution."""
    if abs(shape) < 1e-12:
        return -scale * np.log1p(-quantile)
    return np.asarray(scale * np.expm1(-shape * np.log1p(-quantile)) / shape)


def resample(weights: Array, count: int, rng: np.random.Generator) -> Array:
    """(draw,) indices of an equally weighted sample: systematic resampling, in random order."""
    position = (np.arange(count) + rng.random()) / count
    return rng.permutation(np.minimum(np.searchsorted(np.cumsum(weights), position), len(weights) - 1))


def _normalised(log_weight: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())


def rejuvenate(
    points: Array, mode: Mode, log_density: Callable[[Array], Array], rng: np.random.Generator, *, moves: int
) -> Array:
    """Move resampled draws (draw, unknown) by independent Metropolis steps, so that duplicates separate.

    The proposal leaves the normal about the mode invariant, so acceptance depends only on how the density differs from
    it (preconditioned Crank-Nicolson: Cotter et al. 2013, doi 10.1214/13-STS421; resample-move: Gilks and Berzuini
    2001, doi 10.1111/1467-9868.00280).
    """
    weight = log_density(points) - _log_normal(points, mode)
    for _ in range(moves):
        fresh, _ = draw_around(mode, len(points), rng, None)
        proposal = mode.point + np.sqrt(1 - _STEP_SIZE**2) * (points - mode.point) + _STEP_SIZE * (fresh - mode.point)
        other = log_density(proposal) - _log_normal(proposal, mode)
        accepted = np.log(rng.random(len(points))) < other - weight
        points, weight = np.where(accepted[:, None], proposal, points), np.where(accepted, other, weight)
    return points


def _log_normal(points: Array, mode: Mode) -> Array:
    return np.asarray(-0.5 * (((points - mode.point) @ mode.factor) ** 2).sum(axis=1))
