"""Won by a day, and slipped: mean and interval of each deal."""

import datetime as dt

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.model.draws import sorted_tails
from winprob.model.hazards import NEVER, days
from winprob.model.posterior import Posterior
from winprob.model.timing.outlook import Outlook, in_blocks, outlooks, same_day

_COLUMNS = ("mean", "lower", "upper")


def win_prob_by(
    posterior: Posterior, deals: pd.DataFrame, day: dt.date, *, as_of: dt.date | None = None
) -> pd.DataFrame:
    """Probability that each deal is won by the end of ``day``, given that it is open on ``as_of``.

    Returns
    -------
    DataFrame, the index of ``deals``, with columns ``deal_id, mean, lower, upper`` (0..1; the interval is doubt about
    the probability, 90 %, equal-tailed)

    Raises
    ------
    DealTableError
        The frame is not a valid deal table, or a reading has no day and ``as_of`` is not given.
    UndatedError
        The model has learned nothing of time.
    """
    valid = validate_deals(deals)
    numbers = np.empty((0, 3))
    if len(valid):
        numbers = in_blocks(outlooks(posterior, valid, same_day(valid, day), as_of), _won_by)
    result = pd.DataFrame(numbers, columns=_COLUMNS, index=deals.index)
    result.insert(0, "deal_id", valid["deal_id"])
    return result


def slip_prob(posterior: Posterior, deals: pd.DataFrame, *, as_of: dt.date | None = None) -> pd.Series:
    """(deal,) probability that a deal is open after the seller's ``expected_close_on``; 1 where that has passed.

    Missing where the seller gave no date. The index of ``deals``; raises as ``win_prob_by``.
    """
    valid = validate_deals(deals)
    expected = days(valid, "expected_close_on")
    slips = np.full(len(deals), np.nan)
    dated = np.flatnonzero(expected != NEVER)
    if len(dated):
        table = outlooks(posterior, valid.iloc[dated], expected[dated], as_of)
        slips[dated] = in_blocks(table, lambda outlook: outlook.still_open().mean(axis=1, dtype=np.float64))
    return pd.Series(slips, index=deals.index, name="slip_prob")


def add_timing(chances: pd.DataFrame, posterior: Posterior, deals: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """A table of predictions with ``won_by, won_by_lower, won_by_upper`` and ``slip_prob`` of the same deals beside."""
    by = win_prob_by(posterior, deals, day)
    return chances.assign(
        won_by=by["mean"], won_by_lower=by["lower"], won_by_upper=by["upper"], slip_prob=slip_prob(posterior, deals)
    )


def _won_by(outlook: Outlook) -> Array:
    chance = outlook.won_by()
    mean = chance.mean(axis=1, dtype=np.float64)
    lower, upper = sorted_tails(chance)
    return np.stack([mean, lower, upper], axis=1)
