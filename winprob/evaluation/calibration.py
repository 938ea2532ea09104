"""Calibration: the reliability curve with a consistency band, and expected and observed wins in groups of deals.

Do 30 of 100 deals with a win probability of 30 % end as won?
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.evaluation.scores import isotonic
from winprob.model.draws import TAILS

GROUPINGS = ("segment", "stage", "decision_method", "seller")
#: Smaller groups are left out.
LEAST_GROUP = 5
BLANK = ""
#: Deals convolved by recursion, before blocks of deals are convolved by Fourier transform.
_BLOCK = 16
#: Deals times draws per block, at most 32 MB.
_AT_ONCE = 2**21


def reliability_curve(won: Array, win_prob: Array, *, seed: int, draws: int = 1000) -> pd.DataFrame:
    """Reliability curve (CORP): the win rate at each probability by isotonic regression, with a consistency band.

    The band is a consistency band, not a confidence band: it assumes calibrated probabilities, simulates outcomes from
    them ``draws`` times, and refits each. A curve outside it is evidence of miscalibration. The band surrounds the
    diagonal except at the extreme probabilities, where isotonic curves approach 0 and 1.

    Parameters
    ----------
    won : (deal,) 0 or 1
    win_prob : (deal,)

    Returns
    -------
    DataFrame with columns ``win_prob`` (distinct, rising), ``observed``, ``lower, upper`` (90 %, pointwise) and
    ``deals``.

    References
    ----------
    Dimitriadis, Gneiting, Jordan (2021), doi 10.1073/pnas.2016191118.
    """
    from scipy.optimize import isotonic_regression

    distinct, first, counts = np.unique(np.asarray(win_prob, dtype=float), return_index=True, return_counts=True)
    rng = np.random.default_rng(seed)
    # Single precision bounds the memory: 1,000 curves of 30,000 deals.
    curves = np.empty((draws, len(distinct)), dtype=np.float32)
    for curve in curves:
        curve[:] = isotonic_regression(rng.binomial(counts, distinct) / counts, weights=counts).x
    lower, upper = np.quantile(curves, TAILS, axis=0)
    observed = isotonic(np.asarray(won, dtype=float), win_prob)[first]
    return pd.DataFrame({"win_prob": distinct, "observed": observed, "lower": lower, "upper": upper, "deals": counts})


def group_calibration(won: Array, draws: Array, deals: pd.DataFrame, *, by: Sequence[str] = GROUPINGS) -> pd.DataFrame:
    """Observed and expected number of wins in each group of deals.

    Parameters
    ----------
    won : (deal,) 0 or 1
    draws : (deal, draw) posterior draws of the win probability, joint over deals; (deal, 1) for a model without draws
    by : columns to group by, where ``deals`` has them; a blank is a level of its own, groups below five deals are left
        out

    Returns
    -------
    DataFrame with columns ``grouping, level, n, won, expected`` (mean count), ``lower, upper`` (90 % predictive
    counts) and ``covered``, 0..1: the share of the observed count's randomised PIT within the central 90 %. Counts are
    discrete, so an indicator would cover more than 90 %; this has mean exactly 0.9 under calibration.

    References
    ----------
    Czado, Gneiting, Held (2009), Predictive model assessment for count data, doi 10.1111/j.1541-0420.2009.01191.x.
    """
    records = []
    for grouping in by:
        if grouping not in deals:
            continue
        levels = deals[grouping].astype("str").where(deals[grouping].notna(), BLANK).to_numpy()
        for level in np.unique(levels):
            rows = levels == level
            if rows.sum() >= LEAST_GROUP:
                records.append({"grouping": grouping, "level": str(level), **_group(won[rows], draws[rows])})
    columns = ["grouping", "level", "n", "won", "expected", "lower", "upper", "covered"]
    return pd.DataFrame(records, columns=columns)


def coverage_90(groups: pd.DataFrame) -> float:
    """Mean coverage of the groups' 90 % intervals; NaN without groups."""
    return float(groups["covered"].mean()) if len(groups) else float("nan")


def _group(won: Array, draws: Array) -> dict[str, float]:
    below = count_cdf(draws)
    count = int(won.sum())
    lower, upper = (int(np.searchsorted(below, tail)) for tail in TAILS)
    return {
        "n": len(won),
        "won": count,
        "expected": float(draws.sum(dtype=float) / draws.shape[1]),
        "lower": lower,
        "upper": upper,
        "covered": _covered(below[count - 1] if count else 0.0, below[count]),
    }


def _covered(before: float, upto: float) -> float:
    """Share of the randomised probability integral transform within the interval, averaged over its randomisation."""
    if upto <= before:
        return float(TAILS[0] <= upto <= TAILS[1])
    return float(max(min(upto, TAILS[1]) - max(before, TAILS[0]), 0.0) / (upto - before))


def count_cdf(draws: Array) -> Array:
    """(count,) cumulative distribution of the number of wins, averaged over draws; independent deals within a draw.

    Exact up to rounding (1e-12): each draw's count is Poisson-binomial.
    """
    deals, count = draws.shape
    at_once = max(1, _AT_ONCE // deals)
    mass = np.zeros(deals + 1)
    for done in range(0, count, at_once):
        mass += _count_mass(draws[:, done : done + at_once].T.astype(float)).sum(axis=0)
    return np.asarray(np.minimum(np.cumsum(mass) / count, 1.0))


def _count_mass(chances: Array) -> Array:
    """(draw, count) Poisson-binomial probabilities of (draw, deal) chances.

    Blocks of deals by recursion, then pairs of blocks by convolution: recursion alone would cost the square of the
    number of deals.
    """
    from scipy.signal import fftconvolve

    draws, deals = chances.shape
    blocks = 2 ** math.ceil(math.log2(max(1, deals / _BLOCK)))
    # Deals with probability zero pad the last block; they do not change the count.
    filled = np.zeros((draws, blocks * _BLOCK))
    filled[:, :deals] = chances
    mass = np.zeros((draws, blocks, _BLOCK + 1))
    mass[..., 0] = 1
    for chance in np.moveaxis(filled.reshape(draws, blocks, _BLOCK, 1), 2, 0):
        won = mass[..., :-1] * chance
        mass *= 1 - chance
        mass[..., 1:] += won
    while mass.shape[1] > 1:
        mass = fftconvolve(mass[:, ::2], mass[:, 1::2], axes=2)
    return np.asarray(mass[:, 0, : deals + 1])
