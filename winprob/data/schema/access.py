"""Open and closed deals, and optional columns: how code reads a validated deal table."""

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema.columns import DATES, NUMBERS

#: Outcomes of a deal that has ended.
CLOSED_OUTCOMES = ("won", "lost", "no_decision")


def is_closed(deals: pd.DataFrame) -> Array:
    """(row,) whether the deal has ended: its outcome is won, lost or no decision."""
    return np.asarray(column_or_missing(deals, "outcome").isin(CLOSED_OUTCOMES), dtype=bool)


def is_open(deals: pd.DataFrame) -> Array:
    """(row,) whether the deal is not known to have ended: its outcome is ``open``, blank, or there is no such column.

    Forecasts and actions include a deal of unknown outcome. Learning does not: only an explicit ``open`` is a
    censored observation, see ``is_censored``.
    """
    return ~is_closed(deals)


def is_censored(deals: pd.DataFrame) -> Array:
    """(row,) whether the deal is known to be still open; a blank outcome is unknown and no observation of anything."""
    return np.asarray(column_or_missing(deals, "outcome").isin(["open"]), dtype=bool)


def column_or_missing(deals: pd.DataFrame, name: str) -> pd.Series:
    """The column ``name``, or one of its dtype in which every value is missing."""
    if name in deals:
        return deals[name]
    dtype = "datetime64[us]" if name in DATES else "float64" if name in NUMBERS else "str"
    return pd.Series(None, index=deals.index, dtype=dtype, name=name)
