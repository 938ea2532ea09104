"""Parse columns of moments, with and without a clock and an offset, into one time zone.

``2026-03-31T23:30:00.000+0000`` is the first of April in Shanghai. One rule for deals and change logs: a clock with an
offset is counted in the zone that is set, else in UTC; a clock without one is in the zone itself, unless the CRM is
known to write another; a day without a clock is that day everywhere.
"""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from winprob.data.schema import Mask, as_text, mask_of
from winprob.data.tables.values.conventions import Convention, gather, settle
from winprob.data.tables.values.dates import Moment, Order, read_moment, triple
from winprob.data.tables.values.nulls import is_blank_word
from winprob.data.tables.values.parsed import Parsed, matches, plain

_ISO_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ISO_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_OFFSET = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_NEVER = np.datetime64("NaT", "us")
#: Offices between California and China: how far a day may move from UTC.
_HOURS = (-8, 8)


def is_zone(name: str) -> bool:
    """Whether ``name`` is a time zone of the IANA database."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def parse_instants(
    cells: pd.Series, zone: str, *, day_first: bool | None = None, convention: Convention | None = None
) -> Parsed:
    """Local times in ``zone``: ``datetime64`` without a zone.

    Parameters
    ----------
    convention : Convention or None
        That of the file; ``None`` infers it from the column.
    """
    known = convention or settle(gather(days=[cells]), day_first=day_first)
    return read_moments(cells, replace(known, zone=zone))


def days_in_zone(cells: pd.Series, days: pd.Series, zone: str) -> pd.Series:
    """``days``, read from ``cells``, moved to the day in ``zone`` where the cell has a time with an offset."""
    moved: pd.Series = parse_instants(cells, zone).read.dt.normalize().fillna(days)
    return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossings:
    """How many moments have an offset, and how many of these are another day, another quarter, in other offices."""

    moments: int
    days: int
    quarters: int


def crossings(clocks: pd.Series) -> Crossings:
    """How much the days of moments in UTC depend on the time zone, from California to China."""
    known = clocks.dropna()
    day = known.dt.normalize()
    moved = [(known + pd.Timedelta(hours=hours)).dt.normalize() for hours in _HOURS]
    other_day = np.logical_or.reduce([mask_of(each != day) for each in moved])
    quarter = day.dt.to_period("Q")
    other_quarter = np.logical_or.reduce([mask_of(each.dt.to_period("Q") != quarter) for each in moved])
    return Crossings(moments=len(known), days=int(other_day.sum()), quarters=int(other_quarter.sum()))


def read_moments(cells: pd.Series, convention: Convention) -> Parsed:
    """The moments in a column, by the conventions of its file: local times in its zone."""
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return _typed(cells, convention)
    text = as_text(cells)
    days = matches(text, f"{_ISO_DAY}$") if not convention.order.format else np.zeros(len(text), dtype=bool)
    local = pd.to_datetime(text.where(days), format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")
    timed = np.zeros(len(text), dtype=bool)
    utc = pd.Series(_NEVER, index=cells.index, dtype="datetime64[us]")
    if not days.all() and not convention.order.format:
        timed = ~days & matches(text, f"{_ISO_DAY}{_ISO_CLOCK}{_OFFSET}?$")
    if timed.any():
        moments, aware = _iso_clocks(text[timed], convention)
        local[timed] = moments.to_numpy()
        utc[timed] = aware.to_numpy()
    rest = text.mask(days | timed)
    if rest.notna().any():
        slow, slow_utc = _worded(rest, convention)
        local, utc = local.where(days | timed, slow), utc.where(days | timed, slow_utc)
    refused = mask_of(local.isna()) & mask_of(text.notna())
    doubtful = np.zeros(len(text), dtype=bool)
    if refused.any():
        refused[refused] = [not is_blank_word(word) for word in text[refused]]
        doubtful[refused] = [_in_doubt(plain(word), convention.order) for word in text[refused]]
    return Parsed(
        read=pd.Series(local, name=cells.name),
        refused=refused,
        doubtful=doubtful,
        clocks=utc if utc.notna().any() else None,
    )


def _in_doubt(word: str, order: Order) -> bool:
    """Whether ``word`` is a day in figures under another order."""
    return triple(word) is not None and any(
        read_moment(word, Order(day_first=day_first)) is not None for day_first in (True, False)
    )


def _typed(cells: pd.Series, convention: Convention) -> Parsed:
    refused: Mask = np.zeros(len(cells), dtype=bool)
    if cells.dt.tz is None:
        return Parsed(read=cells.astype("datetime64[us]"), refused=refused)
    utc = cells.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
    local = cells.dt.tz_convert(convention.zone or "UTC").dt.tz_localize(None).astype("datetime64[us]")
    return Parsed(read=local, refused=refused, clocks=utc)


def _iso_clocks(text: pd.Series, convention: Convention) -> tuple[pd.Series, pd.Series]:
    """Local times, and moments in UTC where there is an offset, of ISO clocks; missing where there is none such."""
    aware = matches(text, f".*{_OFFSET}$")
    moments = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).astype("datetime64[us, UTC]")
    utc = moments.dt.tz_localize(None)
    if not aware.all() and convention.clock_zone:
        naive = utc[~aware].dt.tz_localize(convention.clock_zone, ambiguous=True, nonexistent="shift_forward")
        utc = utc.where(aware, naive.dt.tz_convert("UTC").dt.tz_localize(None).reindex(utc.index))
        aware = np.ones(len(text), dtype=bool)
    in_zone = utc.dt.tz_localize("UTC").dt.tz_convert(convention.zone or "UTC").dt.tz_localize(None)
    return in_zone.where(aware, utc), utc.where(aware)


def _worded(rest: pd.Series, convention: Convention) -> tuple[pd.Series, pd.Series]:
    """Local times, and moments in UTC where there is an offset, of the texts in ``rest``, each distinct one once."""
    codes, distinct = pd.factorize(rest)
    moments = [read_moment(plain(word), convention.order) for word in distinct]
    known = [_placed(moment, convention) for moment in moments]
    local = np.array([at for at, _ in known] + [_NEVER], dtype="datetime64[us]")
    utc = np.array([at for _, at in known] + [_NEVER], dtype="datetime64[us]")
    return pd.Series(local[codes], index=rest.index), pd.Series(utc[codes], index=rest.index)


def _placed(moment: Moment | None, convention: Convention) -> tuple[np.datetime64, np.datetime64]:
    """A moment's local time, and its time in UTC if it has an offset."""
    if moment is None:
        return _NEVER, _NEVER
    at = moment.at
    if at.tzinfo is None and moment.clock and moment.year_first and convention.clock_zone:
        at = at.replace(tzinfo=ZoneInfo(convention.clock_zone))
    if at.tzinfo is None:
        return np.datetime64(at, "us"), _NEVER
    utc = at.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
    return np.datetime64(at.astimezone(ZoneInfo(convention.zone or "UTC")).replace(tzinfo=None), "us"), np.datetime64(
        utc, "us"
    )
