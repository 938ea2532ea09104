"""How is an export kept for good? Written aside, made safe, then given its name at one stroke.

A writer works in a hidden folder of the history and ends by renaming it to ``as_of=YYYY-MM-DD``. The name is free or
it is not: a writer killed at any moment leaves a whole snapshot or none, and of two writers for one day the second
finds the day taken. While one works the others wait, where the file system can lock a folder.
"""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.history.content import content_of, of_next_day, refuse_other
from winprob.data.history.days import Day, as_day
from winprob.data.history.folder import (
    MANIFEST,
    SCRATCH,
    SNAPSHOT,
    is_fresh,
    manifest_text,
    place_of,
    require_history,
)
from winprob.data.history.reading import KEY, read_content
from winprob.errors import HistoryError, OutputError
from winprob.i18n import gettext


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What became of an export.

    Attributes
    ----------
    place : the folder that holds it
    deals : how many deals it holds
    added : False where the same export was there already
    next_day : deals closed a day after ``as_of``, by a clock in another zone
    left_out : columns of the export that are neither canonical nor covariates
    """

    as_of: pd.Timestamp
    place: Path
    deals: int
    added: bool
    next_day: int
    left_out: tuple[str, ...]


def write_snapshot(deals: pd.DataFrame, as_of: Day, history: str | Path) -> Snapshot:
    """Add what is known on a day to a history, which is made where there is none. Nothing there is ever changed.

    Parameters
    ----------
    deals : frame in canonical columns; of several readings of a deal the last counts
    as_of : the day of the export

    Raises
    ------
    DealTableError
        The deals are not valid, there is none, or they know of days after ``as_of``. Every offence at once.
    HistoryError
        ``history`` is another kind of folder, or holds another export for that day.
    OutputError
        It cannot be written to.
    """
    day = as_day(as_of)
    content = content_of(deals, day)
    folder = Path(history)
    with _told(folder), _locked(_made(folder)) as alone:
        if alone:
            _clear(folder)
        if is_fresh(folder):
            _sign(folder)
        place = place_of(folder, day)
        added = not place.exists() and _put(folder, place, content, deals.attrs.get("covariates"))
        if not added:
            refuse_other(read_content(place), content, day, folder)
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
    if not is_fresh(folder):
        return require_history(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sign(folder: Path) -> None:
    """Make an empty folder a history."""
    with _scratch(folder) as aside:
        _write(aside / MANIFEST, manifest_text().encode())
        os.replace(aside / MANIFEST, folder / MANIFEST)
        _settle(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether this process has the folder to itself until the block ends; it waits for its turn."""
    try:
        # Imported here: Windows has none.
        import fcntl
    except ImportError:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(fcntl, handle)
    finally:
        # Closing unlocks; so does the system when the process is killed.
        os.close(handle)


def _lock(fcntl: Any, handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        # Some network drives lock no folders: two writers are still kept apart by the rename.
        return False
    return True


def _clear(folder: Path) -> None:
    """Remove what writers that were killed have left behind."""
    for leftover in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    aside = folder / f"{SCRATCH}{secrets.token_hex(6)}"
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put(folder: Path, place: Path, content: pd.DataFrame, covariates: object) -> bool:
    """Whether the snapshot got its name; False when another writer was first."""
    with _scratch(folder) as aside:
        _write(aside / SNAPSHOT, _parquet(content, covariates))
        _settle(aside)
        try:
            os.rename(aside, place)
        except OSError as fault:
            if fault.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.EACCES) and place.exists():
                return False
            raise
        _settle(folder)
    return True


def _parquet(content: pd.DataFrame, covariates: object) -> bytes:
    # Imported here: only a history needs it.
    import pyarrow as pa
    from pyarrow import parquet

    plain = content.copy()
    plain.attrs = {}
    table = pa.Table.from_pandas(plain, preserve_index=False)
    said = {**(table.schema.metadata or {}), KEY: json.dumps({"covariates": covariates or {}}).encode()}
    buffer = pa.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata(said), buffer)
    return bytes(buffer.getvalue())


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as fault:
        # Not every file system can for a folder.
        if fault.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except NotADirectoryError:
        raise HistoryError(gettext("{path} is a file; a history is a folder. Name the folder.", path=folder)) from None
    except PermissionError:
        raise OutputError(gettext("cannot write {path}: permission denied.", path=folder)) from None
    except OSError as fault:
        raise OutputError(
            gettext("cannot write {path}: {fault}.", path=folder, fault=fault.strerror or fault)
        ) from None
