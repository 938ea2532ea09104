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
Every = Literal["quarter", "month", "week"]

#: Dates may be one day after the day of the export, made in another time zone.
OTHER_ZONE = pd.Timedelta(days=1)
#: The first day that an export may have, and how far after today it may be dated, in days.
FIRST_DAY, _AHEAD = pd.Timestamp(1990, 1, 1), 366


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


def export_day(given: Day) -> pd.Timestamp:
    """``given`` as the day of an export: a day that one can have.

    Raises
    ------
    HistoryError
        It is not an ISO day, or is before 1990 or more than a year from today.
    """
    day, last = as_day(given), pd.Timestamp.today().normalize() + pd.Timedelta(days=_AHEAD)
    if not FIRST_DAY <= day <= last:
        raise HistoryError(
            gettext(
                "{day} cannot be the day of an export: accepted are {first} to {last}. Check the year.",
                day=day.date().isoformat(),
                first=FIRST_DAY.date().isoformat(),
                last=last.date().isoformat(),
            )
        )
    return day


def listed(days: Sequence[pd.Timestamp], most: int = 8) -> str:
    """Days for a message; of many, the first few and the last three."""
    names = [f"{day:%Y-%m-%d}" for day in days]
    if len(names) > most:
        names = [*names[: most - 4], "…", *names[-3:]]
    return ", ".join(names)


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
