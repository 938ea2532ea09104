"""Deals to retrain on, as they were known on a past day: from an export, or from a history of snapshots."""

import datetime as dt
import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data import schema
from winprob.data.history import deal_ends, read_history, review_table, training_rows
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.settings import CalendarSettings

_ONE_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitInputs:
    """The tables that ``fit`` takes."""

    deals: pd.DataFrame
    ends: pd.DataFrame | None = None

    @property
    def more(self) -> dict[str, Any]:
        """The keyword arguments of ``fit`` besides the deals."""
        return {} if self.ends is None else {"ends": self.ends}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Deals to retrain on.

    Attributes
    ----------
    table : an export, valid; of a history, its training rows
    snapshots : all snapshots of a history, None for an export
    """

    table: pd.DataFrame
    calendar: CalendarSettings
    snapshots: pd.DataFrame | None = None

    @cached_property
    def until(self) -> pd.Timestamp | None:
        """The last day of what is known; None without any date."""
        tables = [self.table] if self.snapshots is None else [self.snapshots]
        days = [schema.column_or_missing(table, name).max() for table in tables for name in ("as_of", "closed_on")]
        known = [day for day in days if not pd.isna(day)]
        return max(known) if known else None

    @cached_property
    def ends(self) -> pd.DataFrame:
        """(deal,) the last state of every deal."""
        if self.snapshots is not None:
            return deal_ends(self.snapshots)
        return self.table.iloc[schema.latest_places(self.table)].reset_index(drop=True)

    @cached_property
    def closed(self) -> pd.DataFrame:
        """(deal,) the last state of every deal that has closed."""
        return self.ends[schema.is_closed(self.ends)].reset_index(drop=True)

    def review(self) -> pd.DataFrame:
        """Open and closed deals as they are now, one row each."""
        return self.ends if self.snapshots is None else review_table(self.snapshots)

    def before_close(self) -> tuple[pd.DataFrame, schema.Mask]:
        """Readings of closed deals before their close, and (row,) whether one may be of a later day: hindsight.

        Of a history the last reading of each deal on a day before its close; a deal that was never seen open has none.
        Of an export every reading before the close, or where a deal has none, its other rows, marked.
        """
        if self.snapshots is None:
            rows = self.table[schema.is_closed(self.table)]
            late = ~self._read_before(rows)
            late_deals = schema.mask_of(~rows[schema.ID].isin(rows[schema.ID][~late]))
            used = ~late | late_deals
            return rows[used].reset_index(drop=True), late[used]
        days = list(self.snapshots["as_of"].drop_duplicates())
        rows = training_rows(self.snapshots, reviews=days, calendar=self.calendar)
        rows = rows[schema.is_closed(rows) & self._read_before(rows)]
        rows = rows[~schema.mask_of(rows.duplicated(schema.ID, keep="last"))].reset_index(drop=True)
        return rows, np.zeros(len(rows), dtype=bool)

    @staticmethod
    def _read_before(rows: pd.DataFrame) -> schema.Mask:
        return schema.mask_of(schema.column_or_missing(rows, "as_of") < schema.column_or_missing(rows, "closed_on"))

    def everything(self) -> FitInputs:
        """All that is known now."""
        if self.snapshots is None:
            return FitInputs(deals=self.table)
        return FitInputs(deals=self._training(None), ends=self.ends)

    def known_before(self, day: pd.Timestamp | None, later: Collection[str]) -> FitInputs:
        """What a fit could learn from on the morning of ``day``: a deal that closed later is open, or not there.

        Parameters
        ----------
        day : None where deals have no days; then all but the deals in ``later``
        later : deals that must not be learned from as closed
        """
        if day is None:
            return FitInputs(deals=self.table[~schema.mask_of(self.table[schema.ID].isin(list(later)))])
        last = day - _ONE_DAY
        if self.snapshots is None:
            return FitInputs(deals=_as_known_on(self.table, last, later))
        return FitInputs(deals=self._training(last), ends=deal_ends(self.snapshots, as_of=last))

    def _training(self, as_of: pd.Timestamp | None) -> pd.DataFrame:
        """Monthly readings: those of quarters leave out deals that come and go between two."""
        return training_rows(self.snapshots, as_of=as_of, reviews="month", calendar=self.calendar)  # type: ignore[arg-type]


def evidence_of(deals: pd.DataFrame | Path | str, calendar: CalendarSettings, as_of: dt.date | None = None) -> Evidence:
    """The deals of a table in canonical columns, or of a history's folder.

    Parameters
    ----------
    as_of : use only what was known on this day; closed deals without a day of closing are left out then

    Raises
    ------
    DealTableError, HistoryError
        They are not valid, the folder is not a history, or nothing was known on ``as_of``.
    """
    if isinstance(deals, pd.DataFrame):
        known = deals if as_of is None else _known_by(schema.validate_deals(deals), pd.Timestamp(as_of))
        return Evidence(table=schema.validate_deals(known, training=True), calendar=calendar)
    snapshots = read_history(os.fspath(deals), until=as_of)
    return Evidence(table=training_rows(snapshots, calendar=calendar), calendar=calendar, snapshots=snapshots)


def _known_by(table: pd.DataFrame, last: pd.Timestamp) -> pd.DataFrame:
    """The rows of an export that were read by the evening of ``last``, as they were then."""
    read, ended = (schema.column_or_missing(table, name) for name in ("as_of", "closed_on"))
    undated = schema.is_closed(table) & schema.mask_of(ended.isna())
    known = _as_known_on(table[~undated & ~schema.mask_of(read > last)], last, ())
    if known.empty:
        raise DealTableError(gettext("nothing of these deals was known on {day:%Y-%m-%d}.", day=last))
    return known


def _as_known_on(table: pd.DataFrame, last: pd.Timestamp, later: Collection[str]) -> pd.DataFrame:
    """An export as it was on the evening of ``last``: deals that closed afterwards are censored observations."""
    read, ended = (schema.column_or_missing(table, name) for name in ("as_of", "closed_on"))
    closed = schema.is_closed(table) & ~schema.mask_of(table[schema.ID].isin(list(later)))
    done = closed & schema.mask_of(ended.isna() | (ended <= last))
    waiting = ~done & schema.mask_of(read <= last) & (schema.is_closed(table) | schema.is_censored(table))
    rows, open_now = table[done | waiting], waiting[done | waiting]
    until = rows["known_until"] if "known_until" in rows else pd.Series(last, index=rows.index)
    known = rows.assign(
        outcome=rows["outcome"].mask(open_now, "open"),
        **({"closed_on": rows["closed_on"].mask(open_now)} if "closed_on" in rows else {}),
        **({"known_until": until.fillna(last).mask(until > last, last).where(open_now)} if open_now.any() else {}),
    )
    known.attrs = table.attrs
    return known


# --- which deals a model has learned from ----------------------------------------------------------------------------


def fingerprint(deal_id: str) -> str:
    """A short hash of a deal's id, by which a record names the deals without holding their ids."""
    return hashlib.blake2b(str(deal_id).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedFrom:
    """The closed deals that a model learned from.

    Attributes
    ----------
    until : the last day of its data
    won : by fingerprint of the deal, whether it was won; None where that is not on record
    """

    until: pd.Timestamp | None
    won: Mapping[str, bool] | None

    def record(self) -> dict[str, Any]:
        """Plain values, for ``gate.json``."""
        won = {} if self.won is None else {name: int(won) for name, won in sorted(self.won.items())}
        return {"until": self.until.date().isoformat() if self.until is not None else None, "deals": won}

    def has(self, deal_ids: pd.Series) -> schema.Mask:
        """(row,) whether the deal is one of them."""
        known = self.won or {}
        return np.array([fingerprint(name) in known for name in deal_ids], dtype=bool)

    def rewritten(self, closed: pd.DataFrame) -> tuple[int, int]:
        """Of these deals, the number that is closed now with the other outcome, and the number there now."""
        known = self.won or {}
        names = [fingerprint(name) for name in closed[schema.ID]]
        now = zip(names, closed["outcome"] == "won", strict=True)
        pairs = [(known[name], bool(won)) for name, won in now if name in known]
        return sum(then != won for then, won in pairs), len(pairs)


def learned_from(evidence: Evidence) -> LearnedFrom:
    """What a fit on everything learns from."""
    closed = evidence.closed
    won = zip(closed[schema.ID], closed["outcome"] == "won", strict=True)
    return LearnedFrom(until=evidence.until, won={fingerprint(name): bool(one) for name, one in won})


def learned_on_record(record: Mapping[str, Any] | None) -> LearnedFrom | None:
    """What a ``gate.json`` has on record; None without one."""
    if record is None:
        return None
    until = record.get("until")
    deals = {str(name): bool(won) for name, won in record.get("deals", {}).items()}
    return LearnedFrom(until=pd.Timestamp(until) if until else None, won=deals)


def learned_by_count(closed: pd.DataFrame, deals: int, last_reading: str | None) -> LearnedFrom:
    """For a model without such a record: it is taken to have learned from the first ``deals`` that closed.

    ``last_reading``, the last day of its readings, is the earliest end of its data.
    """
    ended = schema.column_or_missing(closed, "closed_on").dropna().sort_values()
    if not len(ended):
        return LearnedFrom(until=None, won=None)
    until = ended.iloc[min(deals, len(ended)) - 1]
    return LearnedFrom(until=max(until, pd.Timestamp(last_reading)) if last_reading else until, won=None)
