"""Days of snapshots and reviews."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import pandas as pd

from winprob.data.fiscal import quarters_between
from winprob.data.schema import as_days, cell_text
from winprob.errors import HistoryError
from winprob.i18n import gettext
from winprob.settings import CalendarSettings

Day = str | date | pd.Timestamp

#: Dates may be one day after the day of the export, made in another time zone.
OTHER_ZONE = pd.Timedelta(days=1)


def as_day(given: Day) -> pd.Timestamp:
    """``given`` as a day, at midnight and without a zone.

    Raises
    ------
    HistoryError
        It is not an ISO day.
    """
    day = as_days(pd.Series([given], dtype=object)).iloc[0]
    if pd.isna(day):
        raise HistoryError(
            gettext("{got} is not a day; wanted YYYY-MM-DD, such as 2026-06-30.", got=repr(cell_text(given)))
        )
    return pd.Timestamp(day)


def listed(days: Sequence[pd.Timestamp], most: int = 8) -> str:
    """Days for a message; of many, the first few and the last three."""
    names = [f"{day:%Y-%m-%d}" for day in days]
    if len(names) > most:
        names = [*names[: most - 4], "…", *names[-3:]]
    return ", ".join(names)


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
        ``first`` or ``last`` is not a day.
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
