"""R-hat and effective sample size of many parameters at once (rank-normalised, Vehtari et al. 2021).

The same figures as ArviZ's, which goes through the parameters one by one: a third of a fit with two thousand of them.
"""

from collections.abc import Iterator

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import ndtri
from scipy.stats import rankdata

from winprob.arrays import Array

#: Parameters that are worked on at a time.
_BLOCK = 64


def rank_diagnostics(draws: Array, tails: tuple[float, float]) -> tuple[Array, Array, Array]:
    """R-hat, bulk and tail effective sample size, each (parameter,), of draws (chain, draw, parameter).

    ``tails`` are the two quantiles whose estimates the tail ESS is of.
    """
    blocks = [_of_block(block, tails) for block in _blocks(draws)]
    r_hat, bulk, tail = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return r_hat, bulk, tail


def _blocks(draws: Array) -> Iterator[Array]:
    """(parameter, half of a chain, draw), some parameters at a time; of an odd number the last draw is left out."""
    half = draws.shape[1] // 2
    for start in range(0, draws.shape[2], _BLOCK):
        block = np.moveaxis(draws[:, : 2 * half, start : start + _BLOCK], 2, 0)
        yield np.ascontiguousarray(block, dtype=float).reshape(len(block), -1, half)


def _of_block(split: Array, tails: tuple[float, float]) -> tuple[Array, Array, Array]:
    normal = _normal_scores(split)
    folded = _normal_scores(np.abs(split - np.median(split, axis=(1, 2), keepdims=True)))
    ends = np.quantile(split, tails, axis=(1, 2))[..., None, None]
    tail = np.minimum(*(_effective(np.where(split <= end, 1.0, 0.0)) for end in ends))
    return np.maximum(_r_hat(normal), _r_hat(folded)), _effective(normal), tail


def _normal_scores(split: Array) -> Array:
    flat = split.reshape(len(split), -1)
    return np.asarray(ndtri((rankdata(flat, axis=1) - 0.375) / (flat.shape[1] + 0.25))).reshape(split.shape)


def _r_hat(split: Array) -> Array:
    draws = split.shape[2]
    between = draws * split.mean(2).var(1, ddof=1)
    within = split.var(2, ddof=1).mean(1)
    return np.asarray(np.sqrt((between / within + draws - 1) / draws))


def _effective(split: Array) -> Array:
    """Effective sample size, by Geyer's initial monotone sequence."""
    parameters, chains, draws = split.shape
    size = next_fast_len(2 * draws, real=True)
    spectrum = rfft(split - split.mean(2, keepdims=True), size, axis=2)
    covariance = irfft(np.abs(spectrum) ** 2, size, axis=2)[..., :draws].mean(1) / draws
    within = covariance[:, :1] * draws / (draws - 1)
    plus = covariance[:, :1] + split.mean(2).var(1, ddof=1)[:, None]
    varies = plus > 0
    correlation = 1 - (within - covariance) / np.where(varies, plus, 1.0)
    correlation[:, 0] = 1.0
    pairs = correlation[:, : draws // 2 * 2].reshape(parameters, -1, 2)[:, : max((draws - 1) // 2, 1)]
    sums = pairs.sum(2)
    kept = np.logical_and.accumulate(sums > 0, axis=1)
    kept[:, -1] = False
    lowest = np.minimum.accumulate(np.where(kept, sums, np.inf), axis=1)
    # Of the first pair that is left out, its even member counts once where it is positive.
    even = np.maximum(pairs[np.arange(parameters), kept.sum(1), 0], 0.0)
    time = -1 + 2 * np.where(kept, lowest, 0.0).sum(1) + even
    count = chains * draws
    return np.asarray(np.where(varies[:, 0], count / np.maximum(time, 1 / np.log10(count)), count))
