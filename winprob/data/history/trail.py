"""The trail of each deal: all snapshots of a history, sorted by deal and day."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.history.days import FIRST_DAY, Day, as_day
from winprob.data.history.folder import read_history
from winprob.data.history.slips import slip_columns
from winprob.data.schema import COVERAGE_COLUMNS, DATES, ID, as_days, fact_columns, is_closed, is_open, validate_deals
from winprob.data.schema.access import column_or_missing
from winprob.data.schema.findings import Mask, Spot, mask_of, shown_cell, spot
from winprob.data.tables import NOT_LEARNED
from winprob.errors import HistoryError
from winprob.i18n import gettext

#: The last day that a deal table may hold.
_LAST_DAY = pd.Timestamp(2099, 12, 31)
#: Fewer deals than this may look alike by chance.
ENOUGH = 10


@dataclass(frozen=True, kw_only=True)
class Trail:
    """A history's rows, sorted by deal and day.

    Attributes
    ----------
    rows : canonical types, index 0, 1, ...; ``outcome`` and all dates are there, if only as unknown
    days : of the snapshots, in order
    """

    rows: pd.DataFrame
    days: pd.DatetimeIndex

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Columns that describe a deal, without the day of the snapshot."""
        return tuple(name for name in fact_columns(self.rows) if name != "as_of")

    @cached_property
    def deal(self) -> Array:
        """(row,) code of the deal, in order."""
        return np.asarray(pd.factorize(self.rows[ID])[0])

    @cached_property
    def first(self) -> Mask:
        """(row,) whether it is its deal's first."""
        return np.asarray(np.diff(self.deal, prepend=-1) != 0)

    @cached_property
    def last(self) -> Mask:
        """(row,) whether it is its deal's last."""
        return np.asarray(np.diff(self.deal, append=-1) != 0)

    @cached_property
    def closed(self) -> Mask:
        """(row,) whether the deal had ended, as far as was known that day."""
        return is_closed(self.rows)

    @cached_property
    def open(self) -> Mask:
        """(row,) whether the deal was open, with neither an outcome nor a closing day of unknown outcome."""
        return is_open(self.rows) & ~mask_of(self.rows["outcome"].isna() & self.rows["closed_on"].notna())

    @cached_property
    def snapshot(self) -> Array:
        """(row,) position of its snapshot among the days."""
        return np.asarray(self.days.get_indexer(pd.Index(self.rows["as_of"])))

    @cached_property
    def codes(self) -> dict[str, Array]:
        """(row,) of each fact, an integer code for its value, -1 where unknown."""
        return {name: np.asarray(pd.factorize(self.rows[name])[0]) for name in self.facts}

    def changed(self, column: str) -> Mask:
        """(row,) whether the fact differs from the deal's snapshot before; unknown is a value like others."""
        return np.asarray(~self.first & (np.diff(self.codes[column], prepend=-2) != 0))

    def before(self, mask: Mask) -> Mask:
        """(row,) the mask at the deal's snapshot before; false in its first."""
        return ~self.first & np.roll(mask, 1)

    def of_deal(self, rows: Mask) -> Mask:
        """(row,) whether its deal has any row among ``rows``."""
        return np.asarray(np.bincount(self.deal, weights=rows)[self.deal] > 0)


def follow(history: str | Path | pd.DataFrame, *, as_of: Day | None = None) -> Trail:
    """The trail of a history, given as its folder or as the frame of ``read_history``, up to a day.

    Raises
    ------
    HistoryError
        It is not a history, or has no snapshot by that day.
    DealTableError
        A frame that is not a valid deal table.
    """
    if isinstance(history, pd.DataFrame):
        table = validate_deals(_with_usable_days(_until(_dated(history), as_of)))
    else:
        # Every snapshot was valid when it was written; together a column may have two types.
        table = validate_deals(_with_usable_days(read_history(history, until=as_of)))
    table = table.assign(**{name: column_or_missing(table, name) for name in ("outcome", *DATES)}).sort_values(
        [ID, "as_of"], kind="stable", ignore_index=True
    )
    return Trail(rows=table, days=pd.DatetimeIndex(np.sort(table["as_of"].unique())))


def _with_usable_days(snapshots: pd.DataFrame) -> pd.DataFrame:
    """The snapshots without those of days that no export has, which a former version accepted; they are reported."""
    read = as_days(snapshots["as_of"])
    odd = read.notna() & ~read.between(FIRST_DAY, _LAST_DAY)
    if not odd.any() or odd.all():
        return snapshots
    days = [day.date().isoformat() for day in sorted(read[odd].unique())]
    logging.getLogger("winprob").warning(
        gettext("snapshots of days that no export has are left out: {days}.", days=", ".join(days))
    )
    usable = snapshots[~odd].reset_index(drop=True)
    usable.attrs = snapshots.attrs
    return usable


def review_table(history: str | Path | pd.DataFrame, *, as_of: Day | None = None) -> pd.DataFrame:
    """The last snapshot by ``as_of``, open and closed deals, with ``pushes`` and ``days_slipped`` as in
    ``training_rows``.

    Raises
    ------
    HistoryError
        It is not a history, or has no snapshot by that day.
    """
    trail = follow(history, as_of=as_of)
    last = trail.rows["as_of"] == trail.days[-1]
    slips = slip_columns(trail.deal, trail.rows["expected_close_on"])
    return trail.rows.assign(**slips)[last].reset_index(drop=True)


def deal_ends(history: str | Path | pd.DataFrame, *, as_of: Day | None = None) -> pd.DataFrame:
    """One row per deal of the history: its last state.

    ``training_rows`` has no row of a deal that came and closed between two reviews; the rate of such deals is
    estimated from these ends (``fit(..., ends=)``).

    Raises
    ------
    HistoryError
        It is not a history, or has no snapshot by ``as_of``.
    """
    trail = follow(history, as_of=as_of)
    return trail.rows[trail.last].reset_index(drop=True)


def _dated(history: pd.DataFrame) -> pd.DataFrame:
    """The frame, once each of its rows is known to have a day."""
    if history.empty or "as_of" not in history or history["as_of"].isna().any():
        raise HistoryError(
            gettext("a history needs the day of its snapshot, 'as_of', in every row, and at least one row.")
        )
    return history


def _until(history: pd.DataFrame, as_of: Day | None) -> pd.DataFrame:
    if as_of is None:
        return history
    last = as_day(as_of)
    known = history[pd.to_datetime(history["as_of"]) <= last]
    if known.empty:
        raise HistoryError(gettext("the history has no snapshot by {day}.", day=f"{last:%Y-%m-%d}"))
    return known


# ---- columns and rows, as the rules of the audit use them -----------------------------------------------------------


def learned(trail: Trail) -> tuple[str, ...]:
    """The facts from which a win model learns."""
    return tuple(name for name in trail.facts if name not in NOT_LEARNED)


def covariates(trail: Trail) -> list[str]:
    """The covariates that a mapping named, in addition to the canonical columns."""
    settings = trail.rows.attrs.get("covariates", {})
    names = dict.fromkeys((*settings.get("varying", ()), *(item["column"] for item in settings.get("numeric", ()))))
    return [name for name in names if name in trail.rows]


def filled(trail: Trail, column: str) -> Mask:
    """(row,) whether the fact is known; a coverage of "unknown" is not."""
    values = trail.rows[column]
    known = mask_of(values.notna())
    return known & ~mask_of(values == "unknown") if column in COVERAGE_COLUMNS else known


def last_open(trail: Trail) -> Mask:
    """(row,) each deal's last row in which it is open."""
    places = pd.Series(np.flatnonzero(trail.open)).groupby(trail.deal[trail.open]).last()
    chosen = np.zeros(len(trail.rows), dtype=bool)
    chosen[places.to_numpy()] = True
    return chosen


def closing(trail: Trail) -> Mask:
    """(row,) the first row in which a deal that was open before has ended."""
    return np.asarray(trail.closed & trail.before(trail.open))


def ends_won(trail: Trail) -> Mask:
    """(row,) whether its deal has been won, by its last row."""
    won = mask_of(trail.rows["outcome"] == "won")
    return np.asarray(won[np.flatnonzero(trail.last)][trail.deal])


def ends_closed(trail: Trail) -> Mask:
    """(row,) whether its deal has ended, by its last row."""
    return np.asarray(trail.closed[np.flatnonzero(trail.last)][trail.deal])


def share(part: Mask, whole: Mask) -> float:
    """Share of the rows in ``whole`` that are in ``part``; 0 for no rows."""
    return float((part & whole).sum()) / max(int(whole.sum()), 1)


def at(trail: Trail, mask: Mask, column: str) -> Spot:
    """Where a finding on ``column`` applies."""
    return spot(trail.rows, mask, trail.rows[column])


def was(trail: Trail, mask: Mask, column: str) -> str:
    """The cell in the deal's snapshot before the first row of ``mask``, for a message."""
    cell = trail.rows[column].iloc[int(np.flatnonzero(mask)[0]) - 1]
    return "-" if pd.isna(cell) else shown_cell(cell)


def deals_in(trail: Trail, mask: Mask) -> int:
    """Number of deals with a row in ``mask``."""
    return int(np.unique(trail.deal[mask]).size)
