"""Which histories cannot have been so? Those that go backwards, begin before the deal or go on after its close."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

from winprob.data.history.changes import Track
from winprob.data.schema import ID, Finding, Mask, as_text, mask_of
from winprob.data.schema.findings import Severity
from winprob.i18n import gettext
from winprob.methodology import STAGES

_MOVED_BY_THE_CLOSE = ("outcome", "stage", "closed_on", "rep_category", "rep_probability")


def odd_histories(deals: pd.DataFrame, log: pd.DataFrame, tracks: Mapping[str, Track]) -> Iterator[Finding]:
    """What is odd in the log, with counts and the first deal; used all the same, as it stands."""
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


def _found(
    deals: pd.DataFrame, track: Track, mask: Mask, severity: Severity, say_it: Callable[..., str]
) -> Iterator[Finding]:
    """The finding that ``say_it`` words, where ``mask`` holds a row."""
    if mask.any():
        deal = str(deals[ID].iloc[int(track.rows["deal"].to_numpy()[int(np.flatnonzero(mask)[0])])])
        rows = int(mask.sum())
        message = say_it(rows=rows, deal=repr(deal))
        yield Finding(severity=severity, column=track.column, rows=rows, first_deal=deal, message=message)


def _follows(rows: pd.DataFrame) -> Mask:
    """Where a change has one before it in the same deal."""
    return mask_of(rows["deal"] == rows["deal"].shift())


def _broken_chain(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    rows = track.rows
    was, said = rows["text"].shift().fillna(""), as_text(rows["old"]).fillna("")
    broken = _follows(rows) & rows["has_old"].to_numpy(dtype=bool) & mask_of(was != said)
    yield from _found(
        deals,
        track,
        broken,
        "warning",
        lambda **spot: gettext(
            "{rows} changes start from another value than the one before them left, first deal {deal}", **spot
        ),
    )


def _one_moment(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    rows = track.rows
    keys = ["deal", "changed_at", "order"]
    doubled = _follows(rows) & mask_of(rows.duplicated(keys)) & mask_of(rows["text"] != rows["text"].shift())
    yield from _found(
        deals,
        track,
        doubled,
        "warning",
        lambda **spot: gettext(
            "{rows} changes are of one moment with another: which came last is not told, first deal {deal}", **spot
        ),
    )


def _before_creation(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    opened = deals["opened_on"].to_numpy()[track.rows["deal"].to_numpy()]
    early = track.rows["day"].to_numpy() < opened
    yield from _found(
        deals,
        track,
        early,
        "warning",
        lambda **spot: gettext("{rows} changes are older than the deal's creation, first deal {deal}", **spot),
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
    late[met["place"].to_numpy()] = mask_of(met["end"].isin(["won", "lost", "no_decision"]))
    yield from _found(
        deals,
        track,
        late,
        "warning",
        lambda **spot: gettext("{rows} changes came after the deal was closed, first deal {deal}", **spot),
    )


def _stage_back(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    step = track.rows["new"].map({name: place for place, name in enumerate(STAGES)}).astype("float64")
    back = _follows(track.rows) & mask_of(step < step.groupby(track.rows["deal"]).ffill().shift())
    yield from _found(
        deals,
        track,
        back,
        "note",
        lambda **spot: gettext("{rows} times a deal went back to an earlier stage, first deal {deal}", **spot),
    )


def _reopened(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    before = track.rows["new"].shift()
    again = _follows(track.rows) & mask_of(track.rows["new"] == "open") & mask_of(before.notna() & (before != "open"))
    yield from _found(
        deals,
        track,
        again,
        "warning",
        lambda **spot: gettext("{rows} times a closed deal was opened again, first deal {deal}", **spot),
    )


def _ended_otherwise(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    if "outcome" not in deals:
        return
    last = mask_of(track.rows["deal"] != track.rows["deal"].shift(-1))
    today = deals["outcome"].reindex(track.rows["deal"]).reset_index(drop=True)
    differs = last & mask_of(today.notna() & (track.rows["new"].fillna("open") != today))
    yield from _found(
        deals,
        track,
        differs,
        "warning",
        lambda **spot: gettext("{rows} deals ended otherwise in the log than in the export, first deal {deal}", **spot),
    )


def _not_todays(deals: pd.DataFrame, track: Track) -> Iterator[Finding]:
    """The last value of an open deal is not the export's: the log is not whole, or the export is of another day."""
    if track.column not in deals or "outcome" not in deals:
        return
    rows = track.rows
    last = mask_of(rows["deal"] != rows["deal"].shift(-1))
    today = deals[[track.column, "outcome"]].reindex(rows["deal"]).reset_index(drop=True)
    differs = as_text(today[track.column]).fillna("") != rows["text"]
    odd = last & mask_of(differs) & mask_of(today["outcome"] == "open")
    yield from _found(
        deals,
        track,
        odd,
        "warning",
        lambda **spot: gettext(
            "{rows} open deals have another value in the export than the log's last, first deal {deal}", **spot
        ),
    )
