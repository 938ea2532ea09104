"""A change log prepared for replay: typed, in order of time, without repetitions; and checks for contradictions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import DATES, ID, NUMBERS, Finding, Mask, as_days, as_numbers, as_text, mask_of, refuse, whole
from winprob.data.schema.access import CLOSED_OUTCOMES
from winprob.data.schema.findings import Severity
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.methodology import STAGES

_MOVED_BY_THE_CLOSE = ("outcome", "stage", "closed_on", "rep_category", "rep_probability")
_NEEDED = ("field", "new")
_DEFAULTS: dict[str, Any] = {"old": np.nan, "has_old": False, "kind": "change", "order": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One column's changes, sorted by deal and time; ``deal`` is the position in the current table.

    ``begins`` is the position of each deal's first change, followed by the number of changes.
    """

    column: str
    rows: pd.DataFrame
    begins: npt.NDArray[np.int64]
    has_states: bool

    def last_by(self, day: pd.Timestamp) -> npt.NDArray[np.int64]:
        """(deal,) position of the last change by the end of ``day``; one before the first where there is none."""
        known = (self.rows["day"] <= day).to_numpy()
        counts = np.bincount(self.rows["deal"].to_numpy()[known], minlength=len(self.begins) - 1)
        return self.begins[:-1] + counts - 1


def ready(changes: pd.DataFrame) -> pd.DataFrame:
    """The log with all columns, in canonical types.

    Raises
    ------
    DealTableError
        Columns are missing, or a day cannot be read.
    """
    missing = [name for name in (ID, *_NEEDED) if name not in changes]
    if "changed_at" not in changes and "changed_on" not in changes:
        missing.append("changed_on")
    if missing:
        message = gettext("the change log has no column {missing}", missing=", ".join(missing))
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
        message = gettext("the change log has {rows} rows without a readable day", rows=bad)
        refuse([whole("error", "changed_on", message)], rows=len(log), error=DealTableError)
    log["day"] = log["changed_at"].dt.normalize()
    return log


def _moments(values: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values.dtype) and values.dt.tz is None:
        return values.astype("datetime64[us]")
    return as_days(values)


def build_track(log: pd.DataFrame, column: str, ids: pd.Index, numeric: frozenset[str]) -> Track:
    """The changes of one column in the deals ``ids``, by time; changes of one moment in the log's own order."""
    rows = log[log["field"] == column]
    rows = rows.assign(deal=ids.get_indexer(pd.Index(rows[ID])))
    rows = rows[rows["deal"] >= 0]
    for name in ("old", "new"):
        rows[name] = typed(rows[name], column, numeric)
    rows["text"] = as_text(rows["new"]).fillna("")
    rows = rows.sort_values(["deal", "changed_at", "order", "text"], kind="stable").reset_index(drop=True)
    same = (rows["deal"] == rows["deal"].shift()) & (rows["text"] == rows["text"].shift())
    # A repeated "open" is kept: the stage before may end a deal, which only the export shows.
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


# ---- contradictions -------------------------------------------------------------------------------------------------


def odd_histories(deals: pd.DataFrame, log: pd.DataFrame, tracks: Mapping[str, Track]) -> Iterator[Finding]:
    """Findings on contradictions in the log, which is used unchanged all the same."""
    for name, track in tracks.items():
        if name == "closed_on" and "expected_close_on" in tracks:
            continue
        if name != "outcome":
            yield from _broken_chain(deals, track)
            yield from _one_moment(deals, track)
            yield from _not_todays(deals, track)
        yield from _before_creation(deals, track)
        if name not in _MOVED_BY_THE_CLOSE:
            yield from _after_close(deals, track, tracks["outcome"])
    if "stage" in tracks:
        yield from _stage_back(deals, tracks["stage"])
    yield from _reopened(deals, tracks["outcome"])
    yield from _ended_otherwise(deals, tracks["outcome"])


def _finding(
    deals: pd.DataFrame, track: Track, mask: Mask, severity: Severity, message_for: Callable[..., str]
) -> Iterator[Finding]:
    """A finding where ``mask`` holds a row; ``message_for`` formats its message."""
    if mask.any():
        deal = str(deals[ID].iloc[int(track.rows["deal"].to_numpy()[int(np.flatnonzero(mask)[0])])])
        rows = int(mask.sum())
        message = message_for(rows=rows, deal=repr(deal))
        yield Finding(severity=severity, column=track.column, rows=rows, first_deal=deal, message=message)


def _follows(rows: pd.DataFrame) -> Mask:
    """(row,) whether the deal has an earlier change."""
    return mask_of(rows["deal"] == rows["deal"].shift())


def _broken_chain(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    rows = track.rows
    before, given = rows["text"].shift().fillna(""), as_text(rows["old"]).fillna("")
    broken = _follows(rows) & rows["has_old"].to_numpy(dtype=bool) & mask_of(before != given)
    yield from _finding(
        deals,
        track,
        broken,
        "warning",
        lambda **spot: gettext(
            "the old value of {rows} changes is not the new value of the change before, first deal {deal}", **spot
        ),
    )


def _one_moment(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    rows = track.rows
    keys = ["deal", "changed_at", "order"]
    doubled = _follows(rows) & mask_of(rows.duplicated(keys)) & mask_of(rows["text"] != rows["text"].shift())
    yield from _finding(
        deals,
        track,
        doubled,
        "warning",
        lambda **spot: gettext(
            "{rows} changes have the same moment as another, so their order is unknown, first deal {deal}", **spot
        ),
    )


def _before_creation(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    opened = deals["opened_on"].to_numpy()[track.rows["deal"].to_numpy()]
    early = track.rows["day"].to_numpy() < opened
    yield from _finding(
        deals,
        track,
        early,
        "warning",
        lambda **spot: gettext("{rows} changes are earlier than the deal's creation, first deal {deal}", **spot),
    )


def _after_close(deals: pd.DataFrame, track: Track, outcome: Track) -> Iterator[Finding]:
    """A change on a later day than the one on which the outcome was set."""
    ends = outcome.rows[["deal", "day", "new"]].rename(columns={"day": "ended", "new": "end"})
    rows = track.rows.reset_index(names="place").sort_values("day", kind="stable")
    left = rows[["place", "deal", "day"]]
    met = pd.merge_asof(
        left,
        ends.sort_values("ended", kind="stable"),
        left_on="day",
        right_on="ended",
        by="deal",
        allow_exact_matches=False,
    )
    late = np.zeros(len(rows), dtype=bool)
    late[met["place"].to_numpy()] = mask_of(met["end"].isin(CLOSED_OUTCOMES))
    yield from _finding(
        deals,
        track,
        late,
        "warning",
        lambda **spot: gettext("{rows} changes came after the deal was closed, first deal {deal}", **spot),
    )


def _stage_back(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    step = track.rows["new"].map({name: place for place, name in enumerate(STAGES)}).astype("float64")
    back = _follows(track.rows) & mask_of(step < step.groupby(track.rows["deal"]).ffill().shift())
    yield from _finding(
        deals,
        track,
        back,
        "note",
        lambda **spot: gettext("a deal returned to an earlier stage {rows} times, first deal {deal}", **spot),
    )


def _reopened(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    before = track.rows["new"].shift()
    again = _follows(track.rows) & mask_of(track.rows["new"] == "open") & mask_of(before.notna() & (before != "open"))
    yield from _finding(
        deals,
        track,
        again,
        "warning",
        lambda **spot: gettext("a closed deal was reopened {rows} times, first deal {deal}", **spot),
    )


def _ended_otherwise(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    if "outcome" not in deals:
        return
    last = mask_of(track.rows["deal"] != track.rows["deal"].shift(-1))
    today = deals["outcome"].reindex(track.rows["deal"]).reset_index(drop=True)
    differs = last & mask_of(today.notna() & (track.rows["new"].fillna("open") != today))
    yield from _finding(
        deals,
        track,
        differs,
        "warning",
        lambda **spot: gettext(
            "{rows} deals have another outcome in the log than in the export, first deal {deal}", **spot
        ),
    )


def _not_todays(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    """The last value of an open deal is not the export's: the log is incomplete, or the export is of another day."""
    if track.column not in deals or "outcome" not in deals:
        return
    rows = track.rows
    last = mask_of(rows["deal"] != rows["deal"].shift(-1))
    today = deals[[track.column, "outcome"]].reindex(rows["deal"]).reset_index(drop=True)
    differs = as_text(today[track.column]).fillna("") != rows["text"]
    odd = last & mask_of(differs) & mask_of(today["outcome"] == "open")
    yield from _finding(
        deals,
        track,
        odd,
        "warning",
        lambda **spot: gettext(
            "{rows} open deals have another value in the export than at the end of the log, first deal {deal}", **spot
        ),
    )
