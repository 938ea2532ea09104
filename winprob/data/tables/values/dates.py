"""One cell's day and clock, as exports in English, German, French, Spanish, Chinese and their neighbours write them.

A word is read under an `Order`: whether the day comes before the month, and whether a year of two digits comes last.
What the order leaves open is refused. Years of two digits are 2000 to 2079.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache

_YEAR_FIRST = re.compile(r"([0-9]{4})\s*[-/.年]\s*([0-9]{1,2})\s*[-/.月]\s*([0-9]{1,2})\s*[日号]?")
_SHORT_CHINESE = re.compile(r"([0-9]{2})年([0-9]{1,2})月([0-9]{1,2})[日号]?")
_COMPACT = re.compile(r"((?:19|20|21|22)[0-9]{2})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2}))?")
_TRIPLE = re.compile(r"([0-9]{1,2})([./-])\s?([0-9]{1,2})\2\s?([0-9]{4}|[0-9]{2})")
_SERIAL = re.compile(r"[0-9]{5}(?:\.[0-9]+)?")
_EPOCH = re.compile(r"([12][0-9]{9}|[34][0-9]{9})([0-9]{3})?(?:\.0)?")
_CLOCK = re.compile(
    r"(?:[T,\s]+|(?<=[日号]))(?:(?:at|um|à|a las)\s+)?(上午|下午|早上|中午|晚上|凌晨)?\s*"
    r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?\s*([ap]\.?\s?m\.?|uhr)?\s*"
    r"(?:(Z|UTC|GMT)|(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?)?$",
    re.IGNORECASE,
)
_AFTERNOON = frozenset({"下午", "中午", "晚上"})
_CHINESE_MONTH = re.compile(r"([0-9]{1,2})月")
_TOKEN = re.compile(r"[0-9]+|[^\W\d_]+")
_BETWEEN = re.compile(r"[\s.,/ºª-]*")
_FILLERS = frozenset("st nd rd th er de del of the le el den der d".split())
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: The languages of month names, by their locale.
_LOCALES = ("en", "de", "de_AT", "fr", "es", "zh", "pt", "it", "nl")
#: Day 0 of Excel's calendar, for serials after February 1900.
_EXCEL_START = datetime(1899, 12, 30)
_LAST_SHORT_YEAR = 79


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How a file writes days in figures; ``None`` where nothing settles it.

    Attributes
    ----------
    day_first : whether 03/04/2026 is in April
    short_year_last : whether the last part of 24/03/25 is the year
    format : a format of strptime, which then comes before every other
    """

    day_first: bool | None = None
    short_year_last: bool = True
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, its clock if it has one; with a zone where the cell gives an offset."""

    at: datetime
    clock: bool = False
    year_first: bool = False


def read_moment(word: str, order: Order) -> Moment | None:
    """The moment that ``word`` means under ``order``, or None."""
    try:
        if order.format:
            return _by_format(word, order.format)
        return _epoch(word) or _written(word, order)
    except (ValueError, OverflowError):
        return None


def triple(word: str) -> tuple[int, str, int, str] | None:
    """First part, separator, second part and year of a day in figures with its year last."""
    match = _TRIPLE.fullmatch(_CLOCK.sub("", word).strip())
    return (int(match[1]), match[2], int(match[3]), match[4]) if match else None


def _by_format(word: str, form: str) -> Moment | None:
    try:
        at = datetime.strptime(word, form)
    except ValueError:
        # An ISO day is not in doubt, unless the format begins with such a year as well.
        return None if form.startswith("%Y") else _iso(word)
    if "%y" in form and at.year < 2000:
        at = at.replace(year=at.year + 100)
        if at.year > 2000 + _LAST_SHORT_YEAR:
            return None
    return Moment(at, any(mark in form for mark in ("%H", "%I", "%X", "%c")))


def _iso(word: str) -> Moment | None:
    clock = _CLOCK.search(word)
    match = _YEAR_FIRST.fullmatch(_CLOCK.sub("", word).strip())
    return _at(datetime(int(match[1]), int(match[2]), int(match[3])), clock, True) if match else None


def _epoch(word: str) -> Moment | None:
    """Seconds or milliseconds since 1970."""
    match = _EPOCH.fullmatch(word)
    if match is None:
        return None
    return Moment(datetime.fromtimestamp(int(match[1]), UTC) + timedelta(milliseconds=int(match[2] or 0)), True)


def _written(word: str, order: Order) -> Moment | None:
    clock = _CLOCK.search(word)
    body = word[: clock.start()].strip() if clock else word
    if match := _YEAR_FIRST.fullmatch(body):
        return _at(datetime(int(match[1]), int(match[2]), int(match[3])), clock, True)
    if match := _COMPACT.fullmatch(body):
        parts = [int(part) for part in match.groups() if part]
        return Moment(datetime(*parts), len(parts) > 3, True) if clock is None else None  # type: ignore[arg-type]
    if match := _TRIPLE.fullmatch(body):
        day = _by_order(int(match[1]), int(match[3]), match[4], order)
        return _at(day, clock) if day else None
    if match := _SHORT_CHINESE.fullmatch(body):
        return _at(datetime(_year(match[1]), int(match[2]), int(match[3])), clock)
    if _SERIAL.fullmatch(body) and clock is None:
        at = _EXCEL_START + timedelta(seconds=round(float(body) * 86400))
        return Moment(at, at.time() != datetime.min.time())
    day = _named(body)
    return _at(day, clock) if day else None


def _by_order(first: int, second: int, year: str, order: Order) -> datetime | None:
    if len(year) == 2 and not order.short_year_last:
        return None
    day_first = order.day_first
    if day_first is None:
        if first != second and first <= 12 and second <= 12:
            return None
        day_first = first > 12
        if not day_first and second <= 12:
            day_first = True
    day, month = (first, second) if day_first else (second, first)
    return datetime(_year(year), month, day)


def _year(text: str) -> int:
    if len(text) == 4:
        return int(text)
    if int(text) > _LAST_SHORT_YEAR:
        raise ValueError(text)
    return 2000 + int(text)


# ---- names of months -----------------------------------------------------------------------------------------------


def _named(body: str) -> datetime | None:
    """A day with its month in letters: 4. März 2024, Mar 4th, 2024, 4 de marzo de 2024, 04-Mar-24, 2024 Mar 4."""
    body = _CHINESE_MONTH.sub(lambda match: f"-{_ENGLISH[int(match[1]) - 1]}" if 0 < int(match[1]) < 13 else "", body)
    if _BETWEEN.fullmatch("".join(_TOKEN.split(body))) is None:
        return None
    tokens = [_bare(token) for token in _TOKEN.findall(body)]
    names = month_names()
    tokens = [token for token in tokens if token not in _FILLERS and not (token in _weekdays() and token not in names)]
    if len(tokens) == 4 and tokens[0] in _weekdays():
        tokens = tokens[1:]
    if len(tokens) != 3:
        return None
    months = [place for place, token in enumerate(tokens) if token in names]
    rest = [token for token in tokens if token.isdecimal()]
    if len(months) != 1 or months[0] == 2 or len(rest) != 2:
        return None
    day, year = (rest[1], rest[0]) if len(rest[0]) == 4 else rest
    if len(day) > 2 or len(year) not in (2, 4):
        return None
    return datetime(_year(year), names[tokens[months[0]]], int(day))


def _bare(token: str) -> str:
    """Lower case, without accents."""
    return "".join(mark for mark in unicodedata.normalize("NFKD", token.casefold()) if not unicodedata.combining(mark))


@cache
def month_names() -> dict[str, int]:
    """Month by its name, full or short, without accents and dots; a name of two months is left out."""
    from babel.dates import get_month_names

    found: dict[str, set[int]] = {}
    for locale in _LOCALES:
        for width in ("wide", "abbreviated"):
            for number, name in get_month_names(width, "format", locale).items():
                found.setdefault(_bare(name).rstrip("."), set()).add(number)
    found |= {name: {number} for number, name in enumerate(_ENGLISH, 1)} | {"sept": {9}, "mrz": {3}, "maer": {3}}
    found |= {"maerz": {3}, "set": {9}, "sep": {9}, "okt": {10}, "jul": {7}, "jun": {6}}
    return {name: months.pop() for name, months in found.items() if len(months) == 1 and not name[0].isdecimal()}


@cache
def _weekdays() -> frozenset[str]:
    from babel.dates import get_day_names

    names = (
        _bare(name).rstrip(".")
        for locale in _LOCALES
        for width in ("wide", "abbreviated")
        for name in get_day_names(width, "format", locale).values()
    )
    return frozenset(names)


# ---- clocks --------------------------------------------------------------------------------------------------------


def _at(day: datetime, clock: re.Match[str] | None, year_first: bool = False) -> Moment:
    if clock is None:
        return Moment(day, year_first=year_first)
    hour, half = int(clock[2]), (clock[6] or "").casefold()
    if (clock[1] in _AFTERNOON and hour < 12) or half.startswith("p"):
        hour = hour % 12 + 12
    elif half.startswith("a"):
        hour %= 12
    fraction = int((clock[5] or "0")[:6].ljust(6, "0"))
    at = day.replace(hour=hour, minute=int(clock[3]), second=int(clock[4] or 0), microsecond=fraction)
    if clock[7]:
        at = at.replace(tzinfo=UTC)
    elif clock[8]:
        size = timedelta(hours=int(clock[9]), minutes=int(clock[10] or 0))
        at = at.replace(tzinfo=timezone(-size if clock[8] == "-" else size))
    return Moment(at, True, year_first)


def is_date_format(form: str) -> bool:
    """Whether a format of strptime names day, month and year."""
    day = datetime(2021, 12, 30)
    try:
        return datetime.strptime(day.strftime(form), form).date() == day.date()
    except (ValueError, re.error):
        return False
