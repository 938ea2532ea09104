"""The conventions of one file: order of day and month, decimal mark, time zone; settled once, then applied to columns.

`gather` collects from columns what settles them (a cell such as 13/04/2026 or 1.234,56), evidence of several blocks of
a file adds up, and `settle` makes a frozen `Convention` of it, in which the user's settings come first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

import pandas as pd

from winprob.data.schema import as_text
from winprob.data.tables.values.dates import Order, triple
from winprob.data.tables.values.figures import Marks, marks_of
from winprob.data.tables.values.parsed import is_texts, matches, plain

#: A first part of a day in figures that may be a recent year in two digits.
_RECENT = range(15, 46)
#: A last part that may be the year of a deal.
_YEARS = range(10, 46)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEvidence:
    """What days in figures, year last, give away about their order."""

    day_first: bool = False
    month_first: bool = False
    #: Smallest and largest first and last part of days with a year of two digits; None without one.
    short: tuple[int, int, int, int] | None = None
    #: Whether every first part of these may be a year.
    maybe_year_first: bool = True

    def __add__(self, other: "DayEvidence") -> "DayEvidence":
        spans = [each.short for each in (self, other) if each.short]
        lows, highs, first_years, last_years = zip(*spans, strict=True) if spans else ((0,),) * 4
        return DayEvidence(
            day_first=self.day_first or other.day_first,
            month_first=self.month_first or other.month_first,
            short=(min(lows), max(highs), min(first_years), max(last_years)) if spans else None,
            maybe_year_first=self.maybe_year_first and other.maybe_year_first,
        )

    @property
    def short_year_last(self) -> bool:
        """Whether the year of two digits is the last part: it may be one, and varies no more than the first."""
        if self.short is None or not self.maybe_year_first:
            return True
        low, high, first_year, last_year = self.short
        return first_year in _YEARS and last_year in _YEARS and high - low >= last_year - first_year


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the columns of a file, or of a block of it, give away; evidence of blocks adds up."""

    days: DayEvidence = field(default_factory=DayEvidence)
    numbers: Mapping[str, Marks] = field(default_factory=dict)
    currencies: frozenset[str] = frozenset()

    def __add__(self, other: "Evidence") -> "Evidence":
        names = {**self.numbers, **other.numbers}
        numbers = {name: self.numbers.get(name, Marks()) + other.numbers.get(name, Marks()) for name in names}
        return Evidence(days=self.days + other.days, numbers=numbers, currencies=self.currencies | other.currencies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """How a file writes days and numbers.

    Attributes
    ----------
    order : of day, month and year
    decimal_comma : the user's setting; None where there is none
    numbers : the decimal marks found in each column
    currencies : those that some cell names without a doubt
    zone : where the days are counted; None for UTC
    clock_zone : the zone of ISO clocks without an offset; None where it is ``zone``
    spellings : the level to use in place of each other one, by column; None where the column itself is to show it
    """

    order: Order = field(default_factory=Order)
    decimal_comma: bool | None = None
    numbers: Mapping[str, Marks] = field(default_factory=dict)
    currencies: frozenset[str] = frozenset()
    zone: str | None = None
    clock_zone: str | None = None
    spellings: Mapping[str, Mapping[str, str]] | None = None

    def marks(self, column: object) -> tuple[Marks, Marks]:
        """The marks found in a column, and those in the other columns."""
        others = (marks for name, marks in self.numbers.items() if name != str(column))
        return self.numbers.get(str(column), Marks()), reduce(Marks.__add__, others, Marks())


def gather(days: Iterable[pd.Series] = (), numbers: Mapping[str, pd.Series] | None = None) -> Evidence:
    """The evidence in columns of days and, by name, of numbers."""
    found = reduce(DayEvidence.__add__, map(_of_days, days), DayEvidence())
    return Evidence(days=found, numbers={name: marks_of(cells) for name, cells in (numbers or {}).items()})


def settle(
    evidence: Evidence,
    *,
    day_first: bool | None = None,
    decimal_comma: bool | None = None,
    date_format: str | None = None,
    zone: str | None = None,
    clock_zone: str | None = None,
) -> Convention:
    """The conventions of a file by its evidence; the settings that are given take precedence."""
    days = evidence.days
    found = days.day_first if days.day_first != days.month_first else None
    order = Order(
        day_first=found if day_first is None else day_first,
        short_year_last=days.short_year_last or day_first is not None,
        format=date_format,
    )
    return Convention(
        order=order,
        decimal_comma=decimal_comma,
        numbers=evidence.numbers,
        currencies=evidence.currencies,
        zone=zone,
        clock_zone=clock_zone,
    )


def _of_days(cells: pd.Series) -> DayEvidence:
    if not is_texts(cells):
        return DayEvidence()
    parts = list(_triples(cells))
    short = [(first, int(year)) for first, _, _, year in parts if len(year) == 2]
    return DayEvidence(
        day_first=any(first > 12 or (mark == "." and second <= 12) for first, mark, second, _ in parts if first <= 31),
        month_first=any(second > 12 for _, _, second, _ in parts),
        short=_span(short) if short else None,
        maybe_year_first=all(first in _RECENT for first, _ in short),
    )


def _span(short: list[tuple[int, int]]) -> tuple[int, int, int, int]:
    firsts, lasts = [first for first, _ in short], [last for _, last in short]
    return min(firsts), max(firsts), min(lasts), max(lasts)


_MAYBE = r"[0-9０-９]{1,2}\s?[./／．-]"


def _triples(cells: pd.Series) -> Iterator[tuple[int, str, int, str]]:
    text = as_text(cells)
    maybe = text[matches(text, _MAYBE)]
    # Without the clock: days are far fewer than moments.
    heads = maybe.str.slice(0, 12).unique()
    for head in heads:
        word = plain(str(head))
        found = triple(word) or triple(word.split(" ")[0].split(",")[0].split("T")[0])
        if found:
            yield found
