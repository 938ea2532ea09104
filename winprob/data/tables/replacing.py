"""Replace a file atomically: a locked temporary file next to it, renamed when all is written."""

import errno
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from winprob.errors import OutputError
from winprob.i18n import gettext

#: Temporary files and folders: short names, so that a target's name may be as long as the file system allows.
_PREFIX = ".winprob_"
_OURS = re.compile(r"\.winprob_[0-9a-f]{12}(\.tmp)?")
#: The former names, ``.NAME.XXXXXXXX.tmp``: their writers held no lock, so only old ones are removed.
_FORMER = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")
_OLD = 24 * 3600.0


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file in the folder of ``path``: renamed to it when the block succeeds, removed when it fails.

    The new file has the mode of the one it replaces. Temporary files that killed writers left in the folder are
    removed; those of running writers, which hold a lock, are not.

    Raises
    ------
    OutputError
        When the folder is missing, is not a folder, or may not be written to.
    """
    target = Path(path)
    with translate_os_errors(target):
        if is_device(target):
            yield target
            return
        folder, final = _place(target)
        _remove_leftovers(folder)
        temporary, handle = _temporary_file(folder)
        try:
            yield temporary
            _keep_mode(final, temporary)
            os.replace(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(handle)


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A locked temporary folder in ``folder``, removed at the end; those of killed writers are removed first."""
    _remove_leftovers(folder)
    while True:
        place = folder / f"{_PREFIX}{secrets.token_hex(6)}"
        place.mkdir()
        handle = os.open(place, os.O_RDONLY) if os.name == "posix" else None
        if handle is None or (_lock(handle) is not False and place.exists()):
            break
        os.close(handle)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def require_writable(path: str | Path) -> None:
    """Check that `replacing` can write to ``path``, without changing anything.

    Raises
    ------
    OutputError
        When the folder is missing, is not a folder, or may not be written to.
    """
    target = Path(path)
    with translate_os_errors(target):
        if is_device(target):
            return
        folder, _ = _place(target)
        temporary, handle = _temporary_file(folder)
        temporary.unlink()
        os.close(handle)


def is_device(target: Path) -> bool:
    """A pipe or a device such as /dev/null, which is written to and not replaced."""
    try:
        kind = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


@contextmanager
def translate_os_errors(target: Path) -> Iterator[None]:
    """Turn an `OSError` into an `OutputError` that names the file and the reason."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise OutputError(
            gettext(
                "cannot write {path}: there is no folder {folder}. Make it first.", path=target, folder=target.parent
            )
        ) from None
    except IsADirectoryError:
        raise OutputError(gettext("cannot write {path}: it is a folder. Name a file in it.", path=target)) from None
    except PermissionError:
        raise OutputError(gettext("cannot write {path}: permission denied.", path=target)) from None
    except OSError as fault:
        raise OutputError(
            gettext("cannot write {path}: {fault}.", path=target, fault=fault.strerror or fault)
        ) from None


def _place(target: Path) -> tuple[Path, Path]:
    """The folder and the file that ``target`` means, links followed."""
    if target.is_dir():
        raise IsADirectoryError
    final = target.resolve()
    # A name that is too long is found here, before the work.
    with suppress(FileNotFoundError):
        final.lstat()
    return final.parent, final


def _temporary_file(folder: Path) -> tuple[Path, int]:
    """A new empty file in ``folder`` and the descriptor that holds its lock."""
    while True:
        temporary = folder / f"{_PREFIX}{secrets.token_hex(6)}.tmp"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        # Between the two calls another writer may have taken the file for a leftover.
        if _lock(handle) is not False and os.fstat(handle).st_nlink:
            return temporary, handle
        os.close(handle)


def _lock(handle: int) -> bool | None:
    """Lock an open file or folder: False where another writer holds the lock, None where there are no locks."""
    try:
        # Imported here: not available on Windows.
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        return False if fault.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True


def _keep_mode(final: Path, temporary: Path) -> None:
    try:
        mode = stat.S_IMODE(final.stat().st_mode)
    except FileNotFoundError:
        return
    with suppress(PermissionError, NotImplementedError):
        temporary.chmod(mode)


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left in ``folder``: unlocked temporary files and folders of ours."""
    with suppress(OSError):
        for item in list(os.scandir(folder)):
            if _OURS.fullmatch(item.name) and not item.is_symlink():
                _remove_unlocked(Path(item.path))
            elif _FORMER.fullmatch(item.name) and time.time() - item.stat(follow_symlinks=False).st_mtime > _OLD:
                Path(item.path).unlink(missing_ok=True)


def _remove_unlocked(leftover: Path) -> None:
    with suppress(OSError):
        handle = os.open(leftover, os.O_RDONLY)
        try:
            # Without locks, running and killed writers look the same: nothing is removed.
            if _lock(handle):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        finally:
            os.close(handle)
