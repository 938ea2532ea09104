"""How long has a deal been open, and how long until the seller expects it to close? Told by its dates."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Covariates that a history teaches from; a table need not have these columns, its dates tell them.
ELAPSED = ("age", "days_to_expected_close")
_FROM_TO = {"age": ("opened_on", "as_of"), "days_to_expected_close": ("as_of", "expected_close_on")}
#: Beyond these a day more or less tells no more: placeholders, forgotten deals.
_BOUNDS = {"age": (0.0, 1095.0), "days_to_expected_close": (-90.0, 730.0)}


def elapsed(deals: pd.DataFrame, name: str) -> pd.Series:
    """(deal,) days of one of ``ELAPSED``: the column where there is one, else by dates, NaN where one is blank."""
    if name in deals:
        return deals[name]
    begin, end = _FROM_TO[name]
    if not {begin, end} <= set(deals.columns):
        return pd.Series(np.nan, index=deals.index)
    days = (deals[end] - deals[begin]).dt.days.astype("float64")
    return days.clip(*_BOUNDS[name])
