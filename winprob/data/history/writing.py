"""Write a snapshot to a history atomically: into a temporary folder, synchronised to disk, then renamed.

The rename to ``as_of=YYYY-MM-DD`` fails if the name exists: a writer killed at any moment leaves a whole snapshot or
none, and the second of two writers for one day finds the day taken. Writers wait for each other where the file system
can lock a folder.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.history import folder as layout
from winprob.data.history import snapshot_file
from winprob.data.history.days import OTHER_ZONE, Day, export_day
from winprob.data.history.folder import place_of, snapshot_days
from winprob.data.schema import ID, NAMES, as_numbers, as_text, fact_columns, latest_places, validate_deals
from winprob.data.schema.findings import Finding, mask_of, refuse, shown_cell, spot
from winprob.data.tables import shared_folder
from winprob.data.tables.replacing import translate_os_errors
from winprob.errors import DealTableError, HistoryError, InputError, OutputError
from winprob.i18n import gettext


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The result of adding an export to a history.

    Attributes
    ----------
    place : the folder that holds it
    deals : how many deals it holds
    added : False where the history held the same export already
    next_day : deals closed a day after ``as_of``, treated as a time-zone difference
    left_out : columns of the export that are neither canonical nor covariates
    """

    as_of: pd.Timestamp
    place: Path
    deals: int
    added: bool
    next_day: int
    left_out: tuple[str, ...]


def write_snapshot(deals: pd.DataFrame, as_of: Day, history: str | Path) -> Snapshot:
    """Add the deals as known on a day to a history, creating it if needed; existing snapshots never change.

    Parameters
    ----------
    deals : frame in canonical columns; of several readings of a deal the last is used. ``attrs["definitions"]``, hashes
        by concept (``retrain.candidate.define``), are kept with it: a retraining sees where a mapping has changed
    as_of : the day of the export, from 1990 to a year from today

    Raises
    ------
    DealTableError
        The deals are not valid, there are none, or they hold dates after ``as_of``. Every error at once.
    HistoryError
        ``history`` is another kind of folder, or holds another export for that day.
    OutputError
        It cannot be written to.
    """
    day = export_day(as_of)
    content = content_of(deals, day)
    folder = Path(history)
    with _translate_os_errors(folder), shared_folder.locked(_made(folder)) as alone:
        if alone:
            shared_folder.clear_scratch(folder)
        if shared_folder.is_fresh(folder):
            _sign(folder)
        place = layout.place_of(folder, day)
        added = not place.exists() and _put(folder, place, content, deals.attrs)
        if not added:
            refuse_other(snapshot_file.read_content(place), content, day, folder)
        _add_checksums(folder)
    return Snapshot(
        as_of=day,
        place=place,
        deals=len(content),
        added=added,
        next_day=of_next_day(content, day),
        left_out=tuple(str(name) for name in deals.columns if name not in content.columns and name != "as_of"),
    )


def _made(folder: Path) -> Path:
    """The history's folder, or a new one."""
    if not shared_folder.is_fresh(folder):
        return layout.require_history(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except ValueError as fault:
        raise OutputError(gettext("cannot write {path}: {fault}.", path=folder, fault=fault)) from None
    return folder


def _sign(folder: Path) -> None:
    """Make an empty folder a history."""
    shared_folder.replace_synced(folder / layout.MANIFEST, layout.manifest_text().encode())


def _put(folder: Path, place: Path, content: pd.DataFrame, attrs: Mapping[Any, Any]) -> bool:
    """Write the snapshot; False where another writer was first."""
    with shared_folder.scratch(folder) as aside:
        data = snapshot_file.snapshot_bytes(content, attrs.get("covariates"), attrs.get("definitions"))
        shared_folder.write_synced(aside / snapshot_file.SNAPSHOT, data)
        shared_folder.write_synced(aside / snapshot_file.CHECKSUM, snapshot_file.checksum_bytes(data))
        shared_folder.sync_folder(aside)
        try:
            os.rename(aside, place)
        except OSError as fault:
            if fault.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.EACCES) and place.exists():
                return False
            raise
        shared_folder.sync_folder(folder)
    return True


def _add_checksums(folder: Path) -> None:
    """Give the snapshots of a former version a checksum each; one that cannot be read gets none."""
    for place in (place_of(folder, day) for day in snapshot_days(folder)):
        if snapshot_file.has_checksum(place):
            continue
        try:
            snapshot_file.read_content(place)
        except InputError:
            continue
        data = (place / snapshot_file.SNAPSHOT).read_bytes()
        shared_folder.replace_synced(place / snapshot_file.CHECKSUM, snapshot_file.checksum_bytes(data), folder)


@contextmanager
def _translate_os_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the operating system into `HistoryError` and `OutputError`."""
    with translate_os_errors(folder):
        try:
            yield
        except NotADirectoryError:
            message = gettext("{path} is a file; a history is a folder. Name the folder.", path=folder)
            raise HistoryError(message) from None


def content_of(deals: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """What was known on ``day``: each deal's last reading, canonical columns and covariates, without ``as_of``.

    Raises
    ------
    DealTableError
        The deals are not valid, there are none, or they hold dates after the day.
    """
    valid = validate_deals(deals)
    if valid.empty:
        raise DealTableError(gettext("the export holds no deals: nothing was added to the history."))
    refuse(list(_from_later(valid, day)), rows=len(valid))
    last = valid.iloc[latest_places(valid)]
    names = [name for name in NAMES if name in valid]
    content = last[[ID, *(name for name in fact_columns(valid) if name != "as_of"), *names]].reset_index(drop=True)
    return _plainly_typed(content)


def _plainly_typed(content: pd.DataFrame) -> pd.DataFrame:
    """Covariates as text or numbers, so that a column has the same dtype in every snapshot."""
    typed = content.copy()
    for name in content.columns:
        if not pd.api.types.is_datetime64_any_dtype(content[name].dtype):
            number = pd.api.types.is_numeric_dtype(content[name].dtype)
            typed[name] = as_numbers(content[name]) if number else as_text(content[name])
    return typed


def _from_later(deals: pd.DataFrame, day: pd.Timestamp) -> Iterator[Finding]:
    """Errors on readings and closes that are later than the day by more than a time zone."""
    last = day + OTHER_ZONE
    if "as_of" in deals and (late := mask_of(deals["as_of"] > last)).any():
        where = spot(deals, late, deals["as_of"])
        yield where.error(
            gettext(
                "'as_of' is after the snapshot's day {day} in {rows} rows, first deal {deal} has {got}: "
                "give that day, or an earlier export",
                day=f"{day:%Y-%m-%d}",
                **where.fields,
            )
        )
    if "closed_on" in deals and (late := mask_of(deals["closed_on"] > last)).any():
        where = spot(deals, late, deals["closed_on"])
        yield where.error(
            gettext(
                "'closed_on' is after the snapshot's day {day} in {rows} rows, first deal {deal} has {got}: "
                "not known then (one day later is treated as a time-zone difference). "
                "If it is the seller's expected day, map it to 'expected_close_on'",
                day=f"{day:%Y-%m-%d}",
                **where.fields,
            )
        )


def of_next_day(content: pd.DataFrame, day: pd.Timestamp) -> int:
    """Number of deals that closed on the next day, which is treated as a time-zone difference."""
    return int((content["closed_on"] > day).sum()) if "closed_on" in content else 0


def refuse_other(there: pd.DataFrame, new: pd.DataFrame, day: pd.Timestamp, place: object) -> None:
    """Compare two exports for one day, whatever their order of rows; a difference is an error.

    Raises
    ------
    HistoryError
        They differ: the number of deals, the first of them, and what to do.
    """
    old, other = (_comparable(frame, {*there.columns, *new.columns}) for frame in (there, new))
    ids = old.index.union(other.index)
    old, other = old.reindex(ids), other.reindex(ids)
    differs = (old != other) & ~(old.isna() & other.isna())
    deals = differs.any(axis=1).to_numpy() | ~(ids.isin(there[ID]) & ids.isin(new[ID]))
    if deals.any():
        raise HistoryError(_disagreement(old, other, there, new, deals.nonzero()[0], day, place))


def _comparable(frame: pd.DataFrame, columns: set[str]) -> pd.DataFrame:
    """Deals by id with every column of either export, as plain objects; an absent column is unknown."""
    names = sorted(columns - {ID})
    return frame.set_index(ID).reindex(columns=names).astype(object)


def _disagreement(
    old: pd.DataFrame,
    other: pd.DataFrame,
    there: pd.DataFrame,
    new: pd.DataFrame,
    deals: Any,
    day: pd.Timestamp,
    place: object,
) -> str:
    first = old.index[deals[0]]
    return gettext(
        "overlapping snapshots that disagree: {place} already holds another export for {day}; {count} deals differ, "
        "first deal {deal}: {how}. A snapshot is never rewritten: give this export its own day, or, if the "
        "existing one is wrong, move its folder away and run this again.",
        place=place,
        day=f"{day:%Y-%m-%d}",
        count=len(deals),
        deal=repr(first),
        how=_how(old.loc[first], other.loc[first], first in set(there[ID]), first in set(new[ID])),
    )


def _how(old: pd.Series, other: pd.Series, was_there: bool, is_new: bool) -> str:
    if not is_new:
        return gettext("it is missing now")
    if not was_there:
        return gettext("it was missing before")
    differing = (old != other) & ~(old.isna() & other.isna())
    column = str(differing[differing].index[0])
    was, now = (_shown(row[column]) for row in (old, other))
    return gettext("'{column}' was {was} and is {now} now", column=column, was=was, now=now)


def _shown(cell: object) -> str:
    return gettext("blank") if pd.isna(cell) else shown_cell(cell)  # type: ignore[call-overload]
