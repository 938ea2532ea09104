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
