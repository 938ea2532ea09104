"""How did each deal come to where it is? All snapshots, deal by deal and in order of days."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.arrays import Array
from winprob.data.history.days import Day, as_day
from winprob.data.history.reading import read_history
from winprob.data.schema import DATES, ID, Mask, fact_columns, mask_of, validate_deals
from winprob.errors import HistoryError
from winprob.i18n import gettext

Places = npt.NDArray[np.intp]


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
        """Columns that say something of a deal, but for the day of the snapshot."""
        return tuple(name for name in fact_columns(self.rows) if name != "as_of")

    @cached_property
    def deal(self) -> Array:
        """(row,) code of the deal, in order."""
        return np.asarray(pd.factorize(self.rows[ID])[0])

    @cached_property
    def first(self) -> Mask:
        """(row,) whether it is the first that tells of its deal."""
        return np.asarray(np.diff(self.deal, prepend=-1) != 0)

    @cached_property
    def last(self) -> Mask:
        """(row,) whether it is the last that tells of its deal."""
        return np.asarray(np.diff(self.deal, append=-1) != 0)

    @cached_property
    def closed(self) -> Mask:
        """(row,) whether the deal had ended, as far as was known that day."""
        return mask_of(self.rows["outcome"].notna() & (self.rows["outcome"] != "open"))

    @cached_property
    def open(self) -> Mask:
        """(row,) whether nothing said that the deal had ended."""
        return ~self.closed & ~mask_of(self.rows["outcome"].isna() & self.rows["closed_on"].notna())

    @cached_property
    def snapshot(self) -> Places:
        """(row,) position of its snapshot among the days."""
        return np.asarray(self.days.get_indexer(pd.Index(self.rows["as_of"])))

    @cached_property
    def codes(self) -> dict[str, Array]:
        """Of each fact (row,) a number for its value, -1 where unknown."""
        return {name: np.asarray(pd.factorize(self.rows[name])[0]) for name in self.facts}

    def changed(self, column: str) -> Mask:
        """(row,) whether the fact is another than in the deal's snapshot before; unknown is a state like others."""
        return np.asarray(~self.first & (np.diff(self.codes[column], prepend=-2) != 0))

    def before(self, mask: Mask) -> Mask:
        """(row,) what held in the deal's snapshot before; false in its first."""
        return ~self.first & np.roll(mask, 1)

    def of_deal(self, rows: Mask) -> Mask:
        """(row,) whether its deal has any row among ``rows``."""
        return np.asarray(np.bincount(self.deal, weights=rows)[self.deal] > 0)


def follow(history: str | Path | pd.DataFrame, *, as_of: Day | None = None) -> Trail:
    """The trail of a history, of its folder or as ``read_history`` gives it, up to a day.

    Raises
    ------
    HistoryError
        There is no history, or no snapshot by that day.
    DealTableError
        A frame that is no valid deal table.
    """
    if isinstance(history, pd.DataFrame):
        table = validate_deals(_until(_dated(history), as_of))
    else:
        # Every snapshot was valid when it was written; a column that changed its kind since would not be.
        table = validate_deals(read_history(history, until=as_of))
    kinds = {"outcome": "str", **dict.fromkeys(DATES, "datetime64[us]")}
    absent = {name: pd.Series(index=table.index, dtype=kind) for name, kind in kinds.items() if name not in table}
    table = table.assign(**absent).sort_values([ID, "as_of"], kind="stable", ignore_index=True)
    return Trail(rows=table, days=pd.DatetimeIndex(np.sort(table["as_of"].unique())))


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
