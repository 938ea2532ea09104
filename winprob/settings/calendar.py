"""What can be tuned of the fiscal year?"""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from winprob.i18n import gettext
from winprob.settings.checks import require


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSettings:
    """The fiscal year.

    Attributes
    ----------
    fiscal_year_start_month : the month in which it begins
    pattern : ``months``, or weeks to a month: ``445``, ``454``, ``544``; quarters then have 13 weeks
    year_end_weekday, year_end : a year of weeks ends on the ``last`` such weekday (Monday is 0) of the month before
        ``fiscal_year_start_month``, or on the one ``nearest`` to that month's end
    names, starts : a calendar table instead: each quarter's name, and the day on which it begins (ISO); one more day
        says where the last one ends
    """

    fiscal_year_start_month: int = 1
    pattern: str = "months"
    year_end_weekday: int = 5
    year_end: str = "last"
    names: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        month = self.fiscal_year_start_month
        require(1 <= month <= 12, "calendar.fiscal_year_start_month", month, "1..12")
        patterns, ends = ("months", "445", "454", "544"), ("last", "nearest")
        require(self.pattern in patterns, "calendar.pattern", self.pattern, ", ".join(patterns))
        require(0 <= self.year_end_weekday <= 6, "calendar.year_end_weekday", self.year_end_weekday, "0..6")
        require(self.year_end in ends, "calendar.year_end", self.year_end, ", ".join(ends))
        if self.names or self.starts:
            wanted = len(self.names) + 1
            require(
                len(self.starts) == wanted, "calendar.starts", len(self.starts), gettext("{count} days", count=wanted)
            )
            require(_rising_days(self.starts), "calendar.starts", self.starts, gettext("ISO days, each after the last"))


def _rising_days(days: tuple[str, ...]) -> bool:
    try:
        read = [date.fromisoformat(day) for day in days]
    except ValueError:
        return False
    return all(one < other for one, other in pairwise(read))
