"""How do we say how sure? One interval for the whole project: 90 %, equal-tailed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MASS = 0.9
TAILS = ((1 - MASS) / 2, (1 + MASS) / 2)

Array = npt.NDArray[np.floating]


def summarise(draws: Array, axis: int = 0) -> tuple[Array, Array, Array]:
    """Mean, lower and upper end of the 90 % equal-tailed interval, along ``axis`` (the draws).

    The interval's ends are order statistics interpolated linearly (type 7, Hyndman and Fan 1996),
    as in ``numpy.quantile``. Back-transform draw by draw before calling, never after.
    """
    mean = draws.mean(axis=axis, dtype=np.float64)
    lower, upper = np.quantile(draws, TAILS, axis=axis)
    return mean, lower, upper


def sorted_tails(draws: Array) -> tuple[Array, Array]:
    """The interval's ends of each row, sorted in place: NumPy sorts float32 seven times as fast as it partitions."""
    draws.sort(axis=1)
    at = [tail * (draws.shape[1] - 1) for tail in TAILS]
    ends = [_between(draws, int(position), position - int(position)) for position in at]
    return ends[0], ends[1]


def _between(ordered: Array, below: int, share: float) -> Array:
    above = min(below + 1, ordered.shape[1] - 1)
    between: Array = ordered[:, below] * (1 - share) + ordered[:, above] * share
    return between
