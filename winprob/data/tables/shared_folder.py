"""Write into a folder that several programs share: a lock on it, and files and names synchronised to disk.

A history of snapshots and a registry of models are such folders. A writer killed at any moment leaves temporary folders
at most, which the next writer removes under the lock.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Prefix of a writer's temporary folder; one left behind by a killed writer is removed by the next.
SCRATCH = ".winprob-"


def is_fresh(folder: Path) -> bool:
    """Whether the folder does not exist or holds only hidden files."""
    return not os.path.exists(folder) or (
        os.path.isdir(folder) and all(item.name.startswith(".") for item in folder.iterdir())
    )


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Wait for a lock on the folder, held until the block ends; False where the system has no such locks."""
    try:
        # Imported here: not available on Windows.
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
        # Some network drives cannot lock folders.
        return False
    return True


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A temporary folder in ``folder``, removed at the end unless it was renamed."""
    aside = folder / f"{SCRATCH}{secrets.token_hex(6)}"
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def clear_scratch(folder: Path) -> None:
    """Remove the temporary folders of killed writers; only for a writer that holds the lock."""
    for leftover in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and synchronise its content to disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_synced(path: Path, data: bytes, folder: Path | None = None) -> None:
    """Replace a file by one rename, and synchronise it; the temporary file is in ``folder``, by default its own."""
    with scratch(folder or path.parent) as aside:
        write_synced(aside / path.name, data)
        os.replace(aside / path.name, path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Synchronise a folder's directory entries to disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as fault:
        # Some file systems cannot synchronise a folder.
        if fault.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)
