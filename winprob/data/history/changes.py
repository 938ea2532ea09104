"""What changed, and when? A log of changes made ready: typed, in order, each repetition taken out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import DATES, ID, NUMBERS, as_days, as_numbers, as_text, refuse, whole
from winprob.errors import DealTableError
from winprob.i18n import gettext

_NEEDED = ("field", "new")
_DEFAULTS: dict[str, Any] = {"old": np.nan, "has_old": False, "kind": "change", "order": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One column's changes, by deal and time: ``deal`` is the place in the current table, never falling.

    ``begins`` has the first change of each deal and, at its end, the number of all.
    """

    column: str
    rows: pd.DataFrame
    begins: npt.NDArray[np.int64]
    has_states: bool

    def last_by(self, day: pd.Timestamp) -> npt.NDArray[np.int64]:
        """The place of each deal's last change by the end of ``day``; one before its first where there is none."""
        known = (self.rows["day"] <= day).to_numpy()
        counts = np.bincount(self.rows["deal"].to_numpy()[known], minlength=len(self.begins) - 1)
        return self.begins[:-1] + counts - 1


def ready(changes: pd.DataFrame) -> pd.DataFrame:
    """The log with every column, days and ids in our types.

    Raises
    ------
    DealTableError
        Columns are missing: all are named at once.
    """
    missing = [name for name in (ID, *_NEEDED) if name not in changes]
    if "changed_at" not in changes and "changed_on" not in changes:
        missing.append("changed_on")
    if missing:
        message = gettext("the log of changes has no column {missing}", missing=", ".join(missing))
        refuse([whole("error", "", message)], rows=len(changes), error=DealTableError)
    log = changes.reset_index(drop=True).copy()
    if "has_old" not in log and "old" in log:
        log["has_old"] = True
    for name, default in _DEFAULTS.items():
        if name not in log:
            log[name] = default
    log[ID], log["field"] = as_text(log[ID]), as_text(log["field"])
    log["changed_at"] = _moments(log["changed_at" if "changed_at" in log else "changed_on"])
    bad = int(log["changed_at"].isna().sum())
    if bad:
        message = gettext("the log of changes has {rows} rows without a day that reads", rows=bad)
        refuse([whole("error", "changed_on", message)], rows=len(log), error=DealTableError)
    log["day"] = log["changed_at"].dt.normalize()
    return log


def _moments(values: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values.dtype) and values.dt.tz is None:
        return values.astype("datetime64[us]")
    return as_days(values)


def build_track(log: pd.DataFrame, column: str, ids: pd.Index, numeric: frozenset[str]) -> Track:
    """The changes of one column in the deals ``ids``, in order of time; of one moment, in that of the log's own ids."""
    rows = log[log["field"] == column]
    rows = rows.assign(deal=ids.get_indexer(pd.Index(rows[ID])))
    rows = rows[rows["deal"] >= 0]
    for name in ("old", "new"):
        rows[name] = typed(rows[name], column, numeric)
    rows["text"] = as_text(rows["new"]).fillna("")
    rows = rows.sort_values(["deal", "changed_at", "order", "text"], kind="stable").reset_index(drop=True)
    same = (rows["deal"] == rows["deal"].shift()) & (rows["text"] == rows["text"].shift())
    # That a deal is still open is kept: a stage may have ended it of which only the export knows that it is an end.
    repeats = same & ((rows["text"] != "open") if column == "outcome" else (rows["kind"] == "state"))
    rows = rows[~repeats].reset_index(drop=True)
    counts = np.bincount(rows["deal"], minlength=len(ids))
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Track(column=column, rows=rows, begins=begins, has_states=bool((rows["kind"] == "state").any()))


def typed(values: pd.Series, column: str, numeric: frozenset[str] = frozenset()) -> pd.Series:
    """``values`` in the type of the deal table's column."""
    if column in DATES:
        return as_days(values)
    return as_numbers(values) if column in NUMBERS or column in numeric else as_text(values)
