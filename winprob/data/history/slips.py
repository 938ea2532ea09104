"""Slips of the seller's close date: the number of moves later by a week or more, and the days they add up to."""

import numpy as np
import pandas as pd

from winprob.arrays import Array

#: A later date counts once it is this many days after the last one that counted.
LEAST_MOVE = 7


def count_slips(deal: Array, expected: pd.Series | Array) -> tuple[Array, Array]:
    """Moves later and days slipped so far, of the successive expected close dates of deals.

    A date is compared with the last one that counted: the deal's first, every move later by ``LEAST_MOVE`` days or
    more, and every move earlier. Steps of a few days therefore add up until they make a week, and a date moved 273 days
    in steps of 21 has moved 13 times.

    Parameters
    ----------
    deal : (row,) code of the deal; the rows of a deal are adjacent, in order of days
    expected : (row,) dates; blank where unknown, which changes nothing

    Returns
    -------
    (row,) number of moves and (row,) sum of their days, both up to and including the row
    """
    days = np.asarray(expected, dtype="datetime64[D]")
    known = ~np.isnat(days)
    numbers = days.astype(np.int64).tolist()
    moves, slipped = np.zeros((2, len(days)), dtype=np.int64)
    at, counted = -1, None
    count = total = 0
    for row, code in enumerate(deal.tolist()):
        if code != at:
            at, counted = code, None
            count = total = 0
        if known[row]:
            number = numbers[row]
            if counted is None or number < counted:
                counted = number
            elif number >= counted + LEAST_MOVE:
                count += 1
                total += number - counted
                counted = number
        moves[row], slipped[row] = count, total
    return moves, slipped


def slip_columns(deal: Array, expected: pd.Series) -> dict[str, Array]:
    """The columns ``pushes`` and ``days_slipped`` of a history, by ``count_slips``, and ``month_pushes``.

    The last counts moves of a month or more from one snapshot to the next; models fitted before slips were counted
    have learned from it.
    """
    pushes, days = count_slips(deal, expected)
    known = expected.groupby(deal).ffill()
    before = known.groupby(deal).shift()
    month = (known >= before + pd.DateOffset(months=1)).astype(np.int64).groupby(deal).cumsum()
    return {"pushes": pushes, "days_slipped": days, "month_pushes": np.asarray(month)}
