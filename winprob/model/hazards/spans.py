"""Fiscal quarters as spans of days: where each begins, its season, and the place of a day among them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from winprob.arrays import Array
from winprob.data.fiscal import Quarter, quarters_between, season_of
from winprob.settings import CalendarSettings

#: Seasons of a year, and the one of days outside a calendar table, which has no effect of its own.
SEASONS = ("1", "2", "3", "4")
NO_SEASON = -1
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Spans of days in order, a fiscal quarter each; what a calendar table leaves out is a span without a season.

    Attributes
    ----------
    starts : (span,) first day, days since 1970
    seasons : (span,) 0..3, or ``NO_SEASON``
    """

    starts: Array
    seasons: Array

    def __len__(self) -> int:
        return len(self.starts)

    def place(self, days: Array) -> Array:
        """The span of each day; the first one for days before it."""
        return np.maximum(np.searchsorted(self.starts, days, side="right") - 1, 0)

    def take(self, places: Array) -> Spans:
        """Some of the spans."""
        return Spans(starts=self.starts[places], seasons=self.seasons[places])

    @property
    def dates(self) -> tuple[str, ...]:
        """First days, ISO."""
        return tuple(date_of(int(day)).isoformat() for day in self.starts)


def spans_of(dates: tuple[str, ...], calendar: CalendarSettings) -> Spans:
    """The spans that begin on these ISO dates."""
    starts = np.array([ordinal(dt.date.fromisoformat(day)) for day in dates], dtype=np.int64)
    whole = [spans_between(int(day), int(day), calendar) for day in starts]
    seasons = np.array([int(one.seasons[0]) for one in whole], dtype=np.int64)
    return Spans(starts=starts, seasons=seasons)


def spans_between(first: int, last: int, calendar: CalendarSettings) -> Spans:
    """Every span from that of day ``first`` to that of day ``last`` (days since 1970)."""
    begin, stop = known_days(first, last, calendar)
    quarters = list(quarters_between(date_of(begin), date_of(stop), calendar)) if begin <= stop else []
    starts, seasons = [ordinal(quarter.start) for quarter in quarters], [season_of(quarter) for quarter in quarters]
    if begin > first or not quarters:
        starts, seasons = [first, *starts], [NO_SEASON, *seasons]
    if quarters and stop < last:
        starts, seasons = [*starts, _after(quarters[-1])], [*seasons, NO_SEASON]
    return Spans(starts=np.array(starts, dtype=np.int64), seasons=np.array(seasons, dtype=np.int64))


def known_days(first: int, last: int, calendar: CalendarSettings) -> tuple[int, int]:
    """The days from ``first`` to ``last`` that a calendar has."""
    if not calendar.starts:
        return first, last
    ends = [ordinal(dt.date.fromisoformat(calendar.starts[at])) for at in (0, -1)]
    return max(first, ends[0]), min(last, ends[1] - 1)


def _after(quarter: Quarter) -> int:
    return ordinal(quarter.end) + 1


def ordinal(day: dt.date) -> int:
    """Days since 1970."""
    return (day - _EPOCH).days


def date_of(days: int) -> dt.date:
    """The inverse of ``ordinal``."""
    return _EPOCH + dt.timedelta(days=days)
