"""On which days is a quarter reviewed? The first of each fiscal quarter, or every week or month between."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from winprob.fiscal import quarters_between
from winprob.history.days import Day, as_day
from winprob.settings import CalendarSettings

Every = Literal["quarter", "month", "week"]


def review_days(
    first: Day, last: Day, *, every: Every = "quarter", calendar: CalendarSettings | None = None
) -> list[pd.Timestamp]:
    """The review days from ``first`` to ``last``, both included.

    Parameters
    ----------
    every : the first day of each fiscal ``quarter``, of each ``month``, or each Monday (``week``)
    calendar : the fiscal quarters

    Raises
    ------
    HistoryError
        ``first`` or ``last`` is no day.
    SettingsError
        The calendar is a table that ends too soon.
    """
    begin, end = as_day(first), as_day(last)
    if every == "quarter":
        quarters = quarters_between(begin.date(), end.date(), calendar or CalendarSettings())
        days = [pd.Timestamp(quarter.start) for quarter in quarters]
    else:
        days = list(pd.date_range(begin, end, freq="MS" if every == "month" else "W-MON"))
    return [day for day in days if begin <= day <= end]
