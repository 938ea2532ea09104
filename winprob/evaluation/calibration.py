"""Do deals given 30 % win 30 times in 100? Overall, as a curve; and in groups, as counts with an interval."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.evaluation.scores import isotonic
from winprob.model.draws import TAILS

GROUPINGS = ("segment", "stage", "decision_method", "seller")
#: Smaller groups say nothing.
LEAST_GROUP = 5
BLANK = ""
#: Deals counted one after another, before their counts are added by Fourier transform.
_BLOCK = 16
#: Deals times draws held at once, 32 MB of them at most.
_AT_ONCE = 2**21


def reliability_curve(won: Array, win_prob: Array, *, seed: int, draws: int = 1000) -> pd.DataFrame:
    """The win rate at each probability, by isotonic regression, and where it would lie if the model were calibrated.

    The band is a consistency band, not a confidence band: it assumes that the probabilities are right, draws outcomes
    from them, ``draws`` times, and refits each; the probabilities themselves stay as they are. It says which curves
    chance alone could make, so a curve outside it speaks against the model. It lies about the diagonal, but for the
    least and the greatest probabilities, where isotonic curves run into 0 and 1 and the band with them.

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
    # Single precision: 1,000 curves of 30,000 deals must not fill the memory.
    curves = np.empty((draws, len(distinct)), dtype=np.float32)
    for curve in curves:
        curve[:] = isotonic_regression(rng.binomial(counts, distinct) / counts, weights=counts).x
    lower, upper = np.quantile(curves, TAILS, axis=0)
    observed = isotonic(np.asarray(won, dtype=float), win_prob)[first]
    return pd.DataFrame({"win_prob": distinct, "observed": observed, "lower": lower, "upper": upper, "deals": counts})


def group_calibration(won: Array, draws: Array, deals: pd.DataFrame, *, by: Sequence[str] = GROUPINGS) -> pd.DataFrame:
    """How many deals each group won, against how many it was expected to.

    Parameters
    ----------
    won : (deal,) 0 or 1
    draws : (deal, draw) win probabilities; doubt that deals share stays shared, a draw at a time. (deal, 1) for a model
        without draws: it is taken at its word.
    by : columns to group by, those that ``deals`` has; a blank is a level of its own, groups below five deals are left
        out

    Returns
    -------
    DataFrame with columns ``grouping, level, n, won, expected`` (mean count), ``lower, upper`` (90 % predictive
    counts) and ``covered``, 0..1: how much of the count's probability lies within the interval's 90 %. A count is a
    lump of probability, so a plain yes or no would cover more than 90 %; this has mean 0.9 exactly where all is right.

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
    """Share of groups whose wins lie in their 90 % interval; NaN without groups."""
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
    """How much of the randomised probability integral transform lies in the interval: its randomness averaged out."""
    if upto <= before:
        return float(TAILS[0] <= upto <= TAILS[1])
    return float(max(min(upto, TAILS[1]) - max(before, TAILS[0]), 0.0) / (upto - before))


def count_cdf(draws: Array) -> Array:
    """(count,) P(at most 0, 1, ..., n deals are won), averaged over draws; within a draw deals are independent.

    Exact but for rounding (1e-12): each draw's count is Poisson-binomial.
    """
    deals, count = draws.shape
    at_once = max(1, _AT_ONCE // deals)
    mass = np.zeros(deals + 1)
    for done in range(0, count, at_once):
        mass += _count_mass(draws[:, done : done + at_once].T.astype(float)).sum(axis=0)
    return np.asarray(np.minimum(np.cumsum(mass) / count, 1.0))


def _count_mass(chances: Array) -> Array:
    """(draw, count) from (draw, deal): blocks of deals by recursion, then pairs of blocks by convolution.

    One deal after another to the end would cost the square of the number of deals.
    """
    from scipy.signal import fftconvolve

    draws, deals = chances.shape
    blocks = 2 ** math.ceil(math.log2(max(1, deals / _BLOCK)))
    # Deals that are never won fill the last blocks: they change no count.
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
