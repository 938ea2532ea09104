"""Posterior predictive number of arrivals in a coming quarter: a local level with growth, season and overdispersion.

The log rate is a random walk by quarter with a drift, to which a season is added; counts are negative binomial. Level,
steps, growth and seasons are drawn from a Laplace approximation for each size of the steps and of the overdispersion,
these by the approximation's evidence; the level is then drawn anew, exactly, given everything else.

References
----------
Durbin, Koopman (2012), Time Series Analysis by State Space Methods, ch. 2 and 9.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, gammaln, pdtr, pdtrik

from winprob.arrays import Array

#: Prior sd of the log season factor, of a history of at least two years; none for one of a year or less.
SEASON_SPREAD = 0.2
#: Grid of the coefficient of variation of the rate between quarters, and the scale of its half-normal prior.
SPREADS = tuple(np.linspace(0, 1.2, 13))
_SPREAD_SCALE = 0.3
#: Grid of the sd of the steps of the log rate from quarter to quarter, and the scale of its half-normal prior.
STEPS = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3)
_STEP_SCALE = 0.1
#: Prior sd of the growth of the log rate per quarter.
GROWTH = 0.05
_NEWTON, _MESH, _REACH, _CHUNK = 40, 121, 7.0, 4096


@dataclass(frozen=True, slots=True)
class _Cells:
    """Laplace approximations, one for each pair of spread and step.

    Attributes
    ----------
    shape : (cell,) of the negative binomial
    design : (cell, quarter, unknown) of the log mean: level of the last quarter, steps, growth, seasons
    mode : (cell, unknown)
    root : (cell, unknown, unknown) Cholesky factor of the precision
    weight : (cell,) posterior probability
    """

    spread: Array
    step: Array
    shape: Array
    design: Array
    mode: Array
    root: Array
    weight: Array


def draw_growing_counts(
    observed: Array,
    seasons: Array,
    season: int,
    uniforms: Array,
    rng: np.random.Generator,
    *,
    ahead: int = 1,
    spreads: tuple[float, ...] = SPREADS,
    steps: tuple[float, ...] = STEPS,
    growth: float = GROWTH,
    season_spread: float = SEASON_SPREAD,
) -> Array:
    """(draw,) posterior predictive count of a coming quarter, given the counts of past ones.

    Parameters
    ----------
    observed : (quarter,) counts; fractional where a week is split
    uniforms : (4, draw) quantiles of spread and step, level, rate, count
    rng : of the other unknowns
    ahead : how many quarters after the last observed one
    """
    quarters = len(observed)
    shown = season_spread * float(np.clip((quarters - 4) / 4, 0, 1))
    cells = _approximate(observed, seasons.astype(int), spreads, steps, growth, shown)
    edges = np.cumsum(cells.weight)
    cell = np.minimum(np.searchsorted(edges, uniforms[0] * edges[-1], side="right"), len(edges) - 1)
    standard = rng.standard_normal((len(cell), cells.mode.shape[1] + 1))
    unknown, offsets = _draw_unknowns(cells, cell, standard[:, 1:])
    level = _draw_level(observed, offsets, cells.shape[cell], uniforms[1])
    log_mean = level + ahead * growth * unknown[:, quarters] + shown * unknown[:, quarters + 1 + season]
    mean = np.exp(log_mean + np.sqrt(ahead) * cells.step[cell] * standard[:, 0])
    spread = cells.spread[cell]
    shape = 1 / np.maximum(spread, 1e-6) ** 2
    mean = np.where(spread > 0, mean * gammaincinv(shape, uniforms[2]) / shape, mean)
    return poisson_quantile(uniforms[3], mean)


def _approximate(
    observed: Array, seasons: Array, spreads: tuple[float, ...], steps: tuple[float, ...], growth: float, shown: float
) -> _Cells:
    spread, step = (grid.ravel() for grid in np.meshgrid(spreads, steps, indexing="ij"))
    shape = 1 / np.maximum(spread, 1e-3) ** 2
    design = _design(len(observed), seasons, step, growth, shown)
    precision = np.ones(design.shape[2])
    # Jeffreys' prior of a rate, as a density of its log.
    precision[0], lean = 0.0, np.eye(1, design.shape[2])[0] / 2
    mode = np.zeros((len(step), design.shape[2]))
    mode[:, 0] = np.log(observed.mean() + 0.25)
    for _ in range(_NEWTON):
        slope, curvature = _derivatives(observed, design, mode, shape)
        gradient = np.einsum("ctu,ct->cu", design, slope) - precision * mode + lean
        hessian = np.einsum("ctu,ct,ctv->cuv", design, curvature, design) + np.diag(precision)
        move = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        mode = mode + np.clip(move, -1.0, 1.0)
        if np.abs(move).max() < 1e-8:
            break
    log_mean = np.einsum("ctu,cu->ct", design, mode)
    evidence = _log_likelihood(observed, log_mean, shape[:, None]).sum(axis=1)
    evidence += mode @ lean - (precision * mode**2).sum(axis=1) / 2 - np.linalg.slogdet(hessian)[1] / 2
    evidence -= ((spread / _SPREAD_SCALE) ** 2 + (step / _STEP_SCALE) ** 2) / 2
    weight = np.exp(evidence - evidence.max())
    return _Cells(spread, step, shape, design, mode, np.linalg.cholesky(hessian), weight)


def _design(quarters: int, seasons: Array, step: Array, growth: float, shown: float) -> Array:
    """(cell, quarter, unknown); every unknown but the level has a standard normal prior."""
    back = np.arange(quarters)[::-1].astype(float)
    later = np.triu(np.ones((quarters, quarters)))[:, : quarters - 1]
    design = np.zeros((len(step), quarters, quarters + 5))
    design[:, :, 0] = 1
    design[:, :, 1:quarters] = -step[:, None, None] * later
    design[:, :, quarters] = -growth * back
    design[:, :, quarters + 1 :] = shown * np.eye(4)[seasons]
    return design


def _derivatives(observed: Array, design: Array, mode: Array, shape: Array) -> tuple[Array, Array]:
    """(cell, quarter) first derivative by the log mean of the log likelihood, and minus the second."""
    mean, size = np.exp(np.einsum("ctu,cu->ct", design, mode)), shape[:, None]
    slope = observed - (observed + size) * mean / (size + mean)
    return slope, (observed + size) * size * mean / (size + mean) ** 2


def _log_likelihood(observed: Array, log_mean: Array, shape: Array) -> Array:
    """Negative binomial log likelihood, up to a constant of the counts."""
    mean = np.exp(log_mean)
    constant = gammaln(observed + shape) - gammaln(shape) - observed * np.log(shape)
    return np.asarray(constant + observed * log_mean - (observed + shape) * np.log1p(mean / shape))


def _draw_unknowns(cells: _Cells, cell: Array, standard: Array) -> tuple[Array, Array]:
    """(draw, unknown) of the approximations, and (draw, quarter) log mean without the level."""
    unknown, offsets = np.empty_like(standard), np.empty((len(cell), cells.design.shape[1]))
    for at in np.unique(cell):
        rows = cell == at
        unknown[rows] = cells.mode[at] + np.linalg.solve(cells.root[at].T, standard[rows].T).T
        offsets[rows] = unknown[rows, 1:] @ cells.design[at][:, 1:].T
    return unknown, offsets


def _draw_level(observed: Array, offsets: Array, shape: Array, uniforms: Array) -> Array:
    """(draw,) log rate of the last quarter given all else, by inversion on a mesh."""
    level = np.empty(len(uniforms))
    for start in range(0, len(level), _CHUNK):
        rows = slice(start, start + _CHUNK)
        level[rows] = _invert_level(observed, offsets[rows], shape[rows], uniforms[rows])
    return level


def _invert_level(observed: Array, offsets: Array, shape: Array, uniforms: Array) -> Array:
    total, quarters = observed.sum() + 0.5, len(observed)
    middle = np.log(total) - np.log(np.exp(offsets).sum(axis=1))
    reach = _REACH * np.sqrt(1 / total + 1 / (quarters * shape))
    mesh = middle[:, None] + reach[:, None] * np.linspace(-1, 1, _MESH)
    log_density = 0.5 * mesh
    for at, count in enumerate(observed):
        log_mean = mesh + offsets[:, at, None]
        log_density += count * log_mean - (count + shape)[:, None] * np.log1p(np.exp(log_mean) / shape[:, None])
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    below = np.cumsum((density[:, 1:] + density[:, :-1]) / 2, axis=1)
    below = np.concatenate([np.zeros((len(below), 1)), below], axis=1) / below[:, -1:]
    place = np.clip((below <= uniforms[:, None]).sum(axis=1), 1, _MESH - 1)
    each = np.arange(len(place))
    low, high = below[each, place - 1], below[each, place]
    share = (uniforms - low) / np.maximum(high - low, 1e-300)
    return np.asarray(mesh[each, place - 1] + share * (mesh[each, place] - mesh[each, place - 1]))


def poisson_quantile(uniforms: Array, mean: Array) -> Array:
    """(draw,) quantiles of Poisson counts."""
    count = np.ceil(pdtrik(uniforms, mean))
    fewer = np.maximum(count - 1, 0)
    # ``pdtrik`` is exact up to rounding: the next lower count may already reach the quantile.
    reached = np.where(pdtr(fewer, mean) >= uniforms, fewer, count)
    return np.asarray(np.where(np.isfinite(reached), reached, 0).astype(int))
