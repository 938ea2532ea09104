"""Change a registry so that a writer killed at any moment leaves it whole: the log first, then what the log says.

Adding: the files in a temporary folder, the line in the log, the folder's own name. Promoting and reverting: the line
in the log, then ``current``. Before the line nothing has happened; after it the next writer does the rest (`writing`).
"""

import datetime as dt
import getpass
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from winprob.data.tables import shared_folder, translate_os_errors
from winprob.errors import OutputError, RegistryError
from winprob.i18n import gettext
from winprob.retrain import registry_files as layout
from winprob.retrain.entry import place_of, staged_place
from winprob.retrain.registry_log import ADDING, LOG, MOST_BYTES, NAME, Log, LogLine, line_bytes, parse_log


@contextmanager
def writing(path: Path) -> Iterator[Log]:
    """The log of a registry, under its lock, after all that a killed writer left is finished or removed.

    A folder that is missing or empty becomes a registry.

    Raises
    ------
    RegistryError
        It is another kind of folder, or was altered.
    OutputError
        It cannot be written.
    """
    with translate_os_errors(path):
        if shared_folder.is_fresh(path):
            _make(path)
        with shared_folder.locked(path) as alone:
            if shared_folder.is_fresh(path):
                shared_folder.replace_synced(path / layout.MANIFEST, layout.manifest_bytes())
            layout.require_registry(path)
            log = _mended(path)
            if alone:
                shared_folder.clear_scratch(path)
            yield log


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except ValueError as fault:
        raise OutputError(gettext("cannot write {path}: {fault}.", path=path, fault=fault)) from None


def _mended(path: Path) -> Log:
    """The log, after what its last writer began has been finished.

    Raises
    ------
    RegistryError
        The log was altered, or ``current`` names a model that no killed writer could have left there.
    """
    data = layout.log_bytes(path)
    log = layout.require_unbroken(path, parse_log(data))
    name = layout.read_current(path)
    layout.require_possible(path, name, log)
    if log.unended or log.whole < len(data):
        _end_log(path / LOG, log)
    last = log.lines[-1] if log.lines else None
    if last and last.verb in ADDING:
        unstage(path, str(last.target))
    if log.current and name != log.current:
        point(path, log.current)
    return log


def _end_log(place: Path, log: Log) -> None:
    """Cut off the beginning of a line that a killed writer left, or add a missing line end."""
    with place.open("r+b") as file:
        file.truncate(log.whole)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" if log.unended else b"")
        file.flush()
        os.fsync(file.fileno())


def next_number(path: Path, log: Log) -> int:
    """The number of the next model: one more than any in the log or in the folder."""
    names = [*log.added, *(place.name for place in path.iterdir())]
    return max((int(match[1]) for match in map(NAME.fullmatch, names) if match), default=0) + 1


def stage(path: Path, name: str, files: Mapping[str, bytes]) -> None:
    """Write a model's files into a temporary folder, synchronised to disk."""
    aside = staged_place(path, name)
    aside.mkdir()
    try:
        for own, data in files.items():
            shared_folder.write_synced(aside / own, data)
        shared_folder.sync_folder(aside)
        shared_folder.sync_folder(path)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def unstage(path: Path, name: str) -> None:
    """Give the folder of a logged model its own name, unless it has it."""
    if place_of(path, name) == staged_place(path, name):
        os.rename(staged_place(path, name), path / name)
        shared_folder.sync_folder(path)


def append(path: Path, line: LogLine, log: Log) -> None:
    """Append a line to the log, synchronised to disk.

    Raises
    ------
    RegistryError
        It is too long.
    """
    data = line_bytes(line, log.last)
    if len(data) > MOST_BYTES:
        raise RegistryError(gettext("the reason is too long for the log: {size:,} bytes.", size=len(data)))
    with (path / LOG).open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    shared_folder.sync_folder(path)


def point(path: Path, name: str) -> None:
    """Write the name of the current model, replaced by one rename."""
    shared_folder.replace_synced(path / layout.CURRENT, f"{name}\n".encode())


def new_line(
    verb: str, source: str | None, target: str, reason: str, by: str | None, files: Mapping[str, str] | None = None
) -> LogLine:
    """A line of the log as of now, by ``by`` or the login name."""
    when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return LogLine(
        when=when, who=by or _login(), verb=verb, source=source, target=target, reason=reason, files=files or {}
    )


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container's user may have no name.
        return "-"
