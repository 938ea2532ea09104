"""What waiting says: the odds of a deal that is still open so long after its reading.

Where wins are quick, a deal that has not closed for months is less and less likely to be won; where losses are entered
quickly, more. The likelihood ratio of having stayed open, ``S_won / S_lost`` of the time-to-close model, multiplies the
odds of every open deal, in training as in every answer.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import is_censored
from winprob.model.features import Features, describe
from winprob.model.hazards import last_day, waiting_odds
from winprob.model.posterior import Posterior

#: The term of ``explain``.
WAITING = "waiting"


def describe_waiting(posterior: Posterior, deals: pd.DataFrame) -> Features:
    """Deals (valid) as arrays, with what is known of how long they have been open."""
    return replace(describe(deals, posterior.scaling), waiting=waiting_log_odds(posterior, deals))


def waiting_log_odds(posterior: Posterior, deals: pd.DataFrame) -> Array:
    """(deal,) log of the likelihood ratio, won over not won, of being open still.

    A deal (valid) counts whose ``outcome`` is open: until its ``known_until`` or, in a table without this column, until
    the day on which the knowledge of the model ended. 0 for other deals, where ``known_until`` is blank or not after
    the reading, and without a time-to-close model.
    """
    result = np.zeros(len(deals), dtype=np.float32)
    if posterior.hazards is None or "outcome" not in deals or not len(deals):
        return result
    model_day = dt.date.fromisoformat(posterior.hazards.known_on)
    dated = deals if "known_until" in deals else known_open_until(deals, model_day)
    rows = np.flatnonzero(is_censored(dated) & dated["known_until"].notna().to_numpy())
    if len(rows):
        latest = dated["known_until"].max().date()
        result[rows] = np.log(waiting_odds(posterior.hazards, dated.iloc[rows], known_on=latest))
    return result


def newest_day(tables: Iterable[pd.DataFrame]) -> dt.date | None:
    """The latest reading or closing in the blocks of one table (valid): the default day of `known_open_until`."""
    latest = max((day for table in tables if (day := last_day(table)) is not None), default=None)
    return None if latest is None else pd.Timestamp(latest, unit="D").date()


def known_open_until(deals: pd.DataFrame, day: dt.date | None = None) -> pd.DataFrame:
    """The deals (valid), those whose ``outcome`` is open known to have been open until ``day``, as ``known_until``.

    Parameters
    ----------
    day : by default the latest reading or closing in the table; a table without any stays as it is
    """
    until = day or newest_day([deals])
    if until is None or "outcome" not in deals:
        return deals
    days = pd.Series(pd.Timestamp(until), index=deals.index, dtype="datetime64[us]")
    return deals.assign(known_until=days.where(is_censored(deals)))
