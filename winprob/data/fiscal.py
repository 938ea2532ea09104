"""Fiscal quarters and their weeks: calendars by months, by weeks (4-4-5), or by a table."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.settings import CalendarSettings

_NAME = re.compile(r"(?P<fiscal>FY)?\s*(?P<year>\d{4}|\d{2})\s*[-/ ]?\s*Q(?P<quarter>[1-4])", re.IGNORECASE)
_QUARTER_FIRST = re.compile(r"Q(?P<quarter>[1-4])\s*[-/ ]?\s*(?P<fiscal>FY)?\s*(?P<year>\d{4}|\d{2})", re.IGNORECASE)
#: Weeks of each of the four quarters; a year of 53 weeks gives the last one a week more.
_WEEKS = 13


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Quarter:
    """A fiscal quarter: its first and last day, and its name."""

    start: dt.date
    end: dt.date
    name: str

    def __contains__(self, day: object) -> bool:
        return isinstance(day, dt.date) and self.start <= day <= self.end

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days + 1

    @property
    def weeks(self) -> int:
        """Number of weeks: 13, rarely 14; a quarter by months has 90 to 92 days and counts as 13."""
        return max(round(self.days / 7), 1)

    def week_of(self, day: dt.date) -> int:
        """Week of ``day``, from 1; the odd day at the end of a quarter by months belongs to the last week."""
        return min((day - self.start).days // 7 + 1, self.weeks)


def quarter_of(day: dt.date, calendar: CalendarSettings) -> Quarter:
    """The quarter that contains ``day``.

    Raises
    ------
    SettingsError
        The calendar is a table, and the day is outside it.
    """
    if calendar.names:
        return _from_table(day, calendar)
    year = day.year + 1
    while (first := _year_start(year, calendar)) > day:
        year -= 1
    starts = [*_quarter_starts(first, year, calendar), _year_start(year + 1, calendar)]
    number = max(at for at in range(4) if starts[at] <= day)
    end = starts[number + 1] - dt.timedelta(days=1)
    return Quarter(start=starts[number], end=end, name=_name(year, number, calendar))


def next_quarter(quarter: Quarter, calendar: CalendarSettings) -> Quarter:
    """The quarter after this one."""
    return quarter_of(quarter.end + dt.timedelta(days=1), calendar)


def previous_quarter(quarter: Quarter, calendar: CalendarSettings) -> Quarter:
    """The quarter before this one."""
    return quarter_of(quarter.start - dt.timedelta(days=1), calendar)


def season_of(quarter: Quarter) -> int:
    """Season 0..3, by the calendar month of the quarter's middle."""
    return ((quarter.start + (quarter.end - quarter.start) / 2).month - 1) // 3


def quarters_between(first: dt.date, last: dt.date, calendar: CalendarSettings) -> Iterator[Quarter]:
    """Every quarter from that of ``first`` to that of ``last``."""
    quarter = quarter_of(first, calendar)
    while quarter.start <= last:
        yield quarter
        if quarter.end >= last:
            return
        quarter = next_quarter(quarter, calendar)


def find_quarter(name: str, calendar: CalendarSettings) -> Quarter:
    """The quarter called ``name``: ``2026Q4``, ``FY27 Q2``, ``Q4 2026``, or a name of the calendar table.

    ``FY27`` is the fiscal year that ends in 2027; a bare year is the one in which the fiscal year begins.

    Raises
    ------
    SettingsError
        The quarter does not exist; the message lists what is accepted.
    """
    if calendar.names:
        return _named_in_table(name, calendar)
    match = _NAME.fullmatch(name.strip()) or _QUARTER_FIRST.fullmatch(name.strip())
    if match is None:
        raise SettingsError(
            gettext("quarter {name!r} is not understood: write it as {accepted}", name=name, accepted="2026Q4, FY27 Q2")
        )
    year = int(match["year"]) + (2000 if len(match["year"]) == 2 else 0)
    if match["fiscal"] and calendar.fiscal_year_start_month > 1:
        year -= 1
    if not 1970 <= year <= 2099:
        raise SettingsError(gettext("quarter {name!r} is outside 1970 to 2099", name=name))
    start = _quarter_starts(_year_start(year, calendar), year, calendar)[int(match["quarter"]) - 1]
    return quarter_of(start, calendar)


def _name(year: int, number: int, calendar: CalendarSettings) -> str:
    if calendar.fiscal_year_start_month == 1:
        return f"{year}Q{number + 1}"
    return f"FY{(year + 1) % 100:02d} Q{number + 1}"


def _year_start(year: int, calendar: CalendarSettings) -> dt.date:
    """First day of the fiscal year that begins in (or, by weeks, about the beginning of) ``year``."""
    month = calendar.fiscal_year_start_month
    first = dt.date(year, month, 1)
    if calendar.pattern == "months":
        return first
    last = first - dt.timedelta(days=1)
    back = (last.weekday() - calendar.year_end_weekday) % 7
    if calendar.year_end == "nearest" and back > 3:
        back -= 7
    return last - dt.timedelta(days=back - 1)


def _quarter_starts(first: dt.date, year: int, calendar: CalendarSettings) -> list[dt.date]:
    if calendar.pattern != "months":
        return [first + dt.timedelta(weeks=_WEEKS * number) for number in range(4)]
    month = calendar.fiscal_year_start_month - 1
    return [dt.date(year + (month + 3 * n) // 12, (month + 3 * n) % 12 + 1, 1) for n in range(4)]


def _table(calendar: CalendarSettings) -> list[Quarter]:
    days = [dt.date.fromisoformat(day) for day in calendar.starts]
    return [
        Quarter(start=start, end=after - dt.timedelta(days=1), name=name)
        for name, (start, after) in zip(calendar.names, pairwise(days), strict=True)
    ]


def _from_table(day: dt.date, calendar: CalendarSettings) -> Quarter:
    quarters = _table(calendar)
    for quarter in quarters:
        if day in quarter:
            return quarter
    raise SettingsError(
        gettext(
            "day {day} is outside the calendar table, which runs from {first} to {last}: add its quarters",
            day=day,
            first=quarters[0].start,
            last=quarters[-1].end,
        )
    )


def _named_in_table(name: str, calendar: CalendarSettings) -> Quarter:
    wanted = "".join(name.split()).casefold()
    for quarter in _table(calendar):
        if "".join(quarter.name.split()).casefold() == wanted:
            return quarter
    known = ", ".join(calendar.names)
    raise SettingsError(
        gettext("quarter {name!r} is not in the calendar table; it has {known}", name=name, known=known)
    )
