"""Do deals given 30 % win 30 times in 100? Overall, as a curve; and in groups, as counts with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from winprob.evaluation.scores import isotonic
from winprob.intervals import TAILS

Array = npt.NDArray[Any]

GROUPINGS = ("segment", "stage", "decision_method", "seller")
#: Smaller groups say nothing.
LEAST_GROUP = 5
BLANK = ""
#: Up to this many deals a count's distribution is exact, beyond it normal: the error of its cdf is then below 0.005.
_EXACT = 80


def reliability_curve(won: Array, win_prob: Array, *, seed: int, draws: int = 1000) -> pd.DataFrame:
    """The win rate at each probability, by isotonic regression, and where it would lie if the model were calibrated.

    Returns
    -------
    DataFrame with columns ``win_prob`` (distinct, rising), ``observed``, ``lower, upper`` (90 %, pointwise, of curves
    of outcomes drawn from the probabilities themselves: a consistency band) and ``deals``.

    References
    ----------
    Dimitriadis, Gneiting, Jordan (2021), doi 10.1073/pnas.2016191118.
    """
    distinct, first, counts = np.unique(win_prob, return_index=True, return_counts=True)
    rng = np.random.default_rng(seed)
    curves = np.stack([isotonic(rng.random(len(win_prob)) < win_prob, win_prob)[first] for _ in range(draws)])
    lower, upper = np.quantile(curves, TAILS, axis=0)
    observed = isotonic(np.asarray(won, dtype=float), win_prob)[first]
    return pd.DataFrame({"win_prob": distinct, "observed": observed, "lower": lower, "upper": upper, "deals": counts})


def group_calibration(won: Array, draws: Array, deals: pd.DataFrame, *, by: Sequence[str] = GROUPINGS) -> pd.DataFrame:
    """How many deals each group won, against how many it was expected to.

    Parameters
    ----------
    won : (deal,) 0 or 1
    draws : (deal, draw) win probabilities; doubt that deals share stays shared, a draw at a time
    by : columns to group by; a blank is a level of its own, groups below five deals are left out

    Returns
    -------
    DataFrame with columns ``grouping, level, n, won, expected`` (mean count), ``lower, upper`` (90 % predictive
    counts) and ``covered``, 0..1: how much of the count's probability lies within the interval's 90 %. A count is a
    lump of probability, so a plain yes or no would cover more than 90 %; this has mean 0.9 exactly where all is right.
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
        "expected": float(draws.sum(axis=0).mean()),
        "lower": lower,
        "upper": upper,
        "covered": _covered(below[count - 1] if count else 0.0, below[count]),
    }


def _covered(before: float, upto: float) -> float:
    """The randomised probability integral transform, its randomness averaged out (Czado, Gneiting, Held 2009)."""
    if upto <= before:
        return float(TAILS[0] <= upto <= TAILS[1])
    return float(max(min(upto, TAILS[1]) - max(before, TAILS[0]), 0.0) / (upto - before))


def count_cdf(draws: Array) -> Array:
    """(count,) P(at most 0, 1, ..., n deals are won), averaged over draws; within a draw deals are independent."""
    cdf = _exact_cdf(draws) if len(draws) <= _EXACT else _normal_cdf(draws)
    return np.minimum(cdf.mean(axis=0), 1.0)


def _exact_cdf(draws: Array) -> Array:
    """(draw, count) Poisson-binomial, one deal after another."""
    mass = np.zeros((draws.shape[1], len(draws) + 1))
    mass[:, 0] = 1
    for chance in draws.astype(float):
        mass[:, 1:] = mass[:, 1:] * (1 - chance)[:, None] + mass[:, :-1] * chance[:, None]
        mass[:, 0] *= 1 - chance
    return np.cumsum(mass, axis=1)


def _normal_cdf(draws: Array) -> Array:
    mean, sd = draws.sum(axis=0), np.sqrt((draws * (1 - draws)).sum(axis=0))
    cdf: Array = ndtr((np.arange(len(draws) + 1) + 0.5 - mean[:, None]) / np.maximum(sd, 1e-9)[:, None])
    cdf[:, -1] = 1
    return cdf
