"""Parse timestamps with and without an offset into one time zone.

``2026-03-31T23:30:00.000+0000`` is the first of April in Shanghai. A time without an offset is in the zone itself.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from winprob.data.schema import as_text, mask_of
from winprob.data.tables.cells import Parsed, parse_days

_CLOCK = re.compile(
    r"[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?$"
)
#: Milliseconds since 1970, as HubSpot's interface gives them.
_EPOCH = re.compile(r"\d{13}")


def is_zone(name: str) -> bool:
    """Whether ``name`` is a time zone of the IANA database."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def parse_instants(cells: pd.Series, zone: str, *, day_first: bool | None = None) -> Parsed:
    """Local times in ``zone``: ``datetime64`` without a zone."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        aware = cells.dt.tz_convert(zone).dt.tz_localize(None) if cells.dt.tz is not None else cells
        return Parsed(read=aware.astype("datetime64[us]"), refused=np.zeros(len(cells), dtype=bool))
    text = as_text(cells)
    epoch = mask_of(text.str.fullmatch(_EPOCH.pattern))
    days = parse_days(text.mask(epoch), day_first=day_first)
    codes, words = pd.factorize(text)
    first_of = pd.Series(np.arange(len(text)), index=codes).groupby(level=0).first()
    read = [_moment(word, days.read.iloc[first_of[code]], ZoneInfo(zone)) for code, word in enumerate(words)]
    values = np.append(np.array(read, dtype="datetime64[us]"), np.datetime64("NaT", "us"))
    return Parsed(read=pd.Series(values[codes], index=cells.index, name=cells.name), refused=days.refused)


def days_in_zone(cells: pd.Series, days: pd.Series, zone: str) -> pd.Series:
    """``days``, read from ``cells``, moved to the day in ``zone`` where the cell has a time with an offset."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return cells.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize() if cells.dt.tz is not None else days
    moved = mask_of(as_text(cells).str.contains(r":\d{2}.*(?:Z|UTC|[+-]\d{2}:?\d{2})$"))
    if not moved.any():
        return days
    read = parse_instants(cells[moved], zone).read.dt.normalize()
    return days.where(~moved, read.reindex(days.index))


def _moment(word: str, day: object, zone: ZoneInfo) -> np.datetime64:
    if _EPOCH.fullmatch(word):
        since = datetime.fromtimestamp(int(word) / 1000, UTC).astimezone(zone).replace(tzinfo=None)
        return np.datetime64(since, "us")
    clock = _CLOCK.search(word)
    if not isinstance(day, pd.Timestamp) or pd.isna(day):
        return np.datetime64("NaT", "us")
    if clock is None:
        return np.datetime64(day.to_pydatetime(), "us")
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if clock[5]:
        hour = hour % 12 + (12 if clock[5][0] in "pP" else 0)
    fraction = int((clock[4] or "0")[:6].ljust(6, "0"))
    moment = day.to_pydatetime() + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)
    if clock[6]:
        moment = (moment - _offset(clock[6])).replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return np.datetime64(moment, "us")


def _offset(text: str) -> timedelta:
    if text in ("Z", "UTC"):
        return timedelta(0)
    digits = text[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if text[0] == "-" else size
