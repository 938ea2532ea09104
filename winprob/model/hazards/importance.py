"""Can draws from an approximation be believed, and how much does each weigh? Pareto-smoothed importance sampling.

Vehtari, Simpson, Gelman, Yao and Gabry 2024, JMLR 25(72); the tail index after Zhang and Stephens 2009,
doi 10.1198/tech.2009.08017.
"""

import numpy as np
from scipy.special import softmax

from winprob.arrays import Array

#: Weights whose tail index is above this say nothing reliable.
BELIEVABLE = 0.7
_TAIL = 0.2


def smooth_weights(log_ratio: Array) -> tuple[Array, float]:
    """(draw,) weights that sum to 1, the largest made smooth, and the Pareto index of their tail."""
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
    """Shape and scale of a generalised Pareto tail (ascending, positive), with the usual weak prior on the shape."""
    count = len(excess)
    grid = 30 + int(np.sqrt(count))
    quartile = excess[int(count / 4 + 0.5) - 1]
    theta = 1 / excess[-1] + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * quartile)
    shape = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = count * (np.log(-theta / shape) - shape - 1)
    best = float(theta @ softmax(profile))
    found = float(np.log1p(-best * excess).mean())
    return (found * count + 10 * 0.5) / (count + 10), -found / best


def pareto_quantile(quantile: Array, shape: float, scale: float) -> Array:
    """Quantiles of the generalised Pareto distribution."""
    if abs(shape) < 1e-12:
        return -scale * np.log1p(-quantile)
    return np.asarray(scale * np.expm1(-shape * np.log1p(-quantile)) / shape)


def resample(weights: Array, count: int, rng: np.random.Generator) -> Array:
    """(draw,) which draws to keep so that all kept count the same: systematic, then in random order."""
    position = (np.arange(count) + rng.random()) / count
    return rng.permutation(np.minimum(np.searchsorted(np.cumsum(weights), position), len(weights) - 1))


def _normalised(log_weight: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())
