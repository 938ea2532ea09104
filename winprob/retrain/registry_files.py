"""The files of a registry: what makes a folder one, its log, and the line that names the current model.

::

    DIR/_winprob_registry.json    {"kind": "winprob registry", "format": 1}
    DIR/0007-3fa9c1/              model.nc and what belongs to it
    DIR/log.jsonl                 every change, see `registry_log`
    DIR/current                   the name of the current model
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from winprob.data.tables import shared_folder
from winprob.errors import RegistryError
from winprob.i18n import gettext
from winprob.retrain.entry import entry_faults, entry_of, staged_place
from winprob.retrain.registry_log import ADDING, LOG, MOVING, NAME, Log, parse_log

MANIFEST, CURRENT = "_winprob_registry.json", "current"
_KIND, _FORMAT = "winprob registry", 1
#: A larger log is not one of ours.
_LARGEST_LOG = 100_000_000


def is_registry(path: str | Path) -> bool:
    """Whether ``path`` is a folder with the manifest of a registry."""
    return os.path.isfile(Path(path, MANIFEST))


def manifest_bytes() -> bytes:
    return json.dumps({"kind": _KIND, "format": _FORMAT}).encode() + b"\n"


def require_registry(path: Path) -> None:
    """Check that a folder is a registry.

    Raises
    ------
    RegistryError
        It is missing, a file, another kind of folder, or of a later format.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        manifest = None
    if not os.path.exists(path):
        raise RegistryError(gettext("registry {path} does not exist. Name the folder of a registry.", path=path))
    if not isinstance(manifest, dict) or manifest.get("kind") != _KIND:
        raise RegistryError(
            gettext(
                "{path} is not a registry of models: {file} is missing or damaged. Name the folder of a registry, or "
                "the file of a model.",
                path=path,
                file=MANIFEST,
            )
        )
    if manifest.get("format") != _FORMAT:
        raise RegistryError(
            gettext(
                "registry {path} has format {found!r}, this winprob reads format {known}. Update winprob.",
                path=path,
                found=manifest.get("format"),
                known=_FORMAT,
            )
        )


def read_log(path: Path) -> Log:
    """The log of a registry; empty for a folder that is still to be made.

    Raises
    ------
    RegistryError
        The folder is not a registry, or its log was altered.
    """
    if shared_folder.is_fresh(path):
        return parse_log(b"")
    require_registry(path)
    return require_unbroken(path, parse_log(log_bytes(path)))


def require_unbroken(path: Path, log: Log) -> Log:
    """The log, which no one has altered.

    Raises
    ------
    RegistryError
        It has faults: the first of them, and what to do.
    """
    if log.faults:
        raise RegistryError(
            gettext(
                "registry {path} was altered: {faults}. Restore {file} from a copy; until then name a model by its "
                "file, such as {path}/NAME/model.nc. For all faults: winprob models verify --registry {path}",
                path=path,
                faults="; ".join(log.faults[:3]),
                file=LOG,
            )
        )
    return log


def log_bytes(path: Path) -> bytes:
    """The content of the log; empty where there is none yet."""
    place = path / LOG
    try:
        if place.stat().st_size > _LARGEST_LOG:
            raise RegistryError(gettext("{path} is too large to be the log of a registry.", path=place))
        return place.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as fault:
        raise _unreadable(place, fault) from None


def read_current(path: Path) -> str | None:
    """The name in ``current``, None where the file does not exist.

    Raises
    ------
    RegistryError
        It holds anything else than the name of a model.
    """
    place = path / CURRENT
    try:
        with place.open("rb") as file:
            text = file.read(100).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise _unreadable(place, fault) from None
    name = text.removesuffix("\n").removesuffix("\r")
    if not NAME.fullmatch(name):
        raise RegistryError(
            gettext(
                "{path} holds {got!r}, which is not the name of a model. {remedy}",
                path=place,
                got=name,
                remedy=_remedy(),
            )
        )
    return name


def require_possible(path: Path, name: str | None, log: Log) -> None:
    """Check that ``current`` names what the log does, or what was current before the log's last line.

    Raises
    ------
    RegistryError
        It names another model.
    """
    if name not in possible(log):
        raise RegistryError(
            gettext(
                "{path} names {got}, and by the log {known} is current. {remedy}",
                path=path / CURRENT,
                got=name or "-",
                known=log.current or "-",
                remedy=_remedy(),
            )
        )


def possible(log: Log) -> set[str | None]:
    """What ``current`` may hold: a writer killed after its line in the log has not changed ``current`` yet."""
    last = log.lines[-1] if log.lines else None
    return {log.current, last.source} if last and last.verb in MOVING else {log.current}


def _remedy() -> str:
    return gettext("Write the name of the current model there, one line such as 0007-3fa9c1, or restore both files.")


def _unreadable(place: Path, fault: OSError) -> RegistryError:
    return RegistryError(gettext("{path} cannot be read: {reason}.", path=place, reason=fault.strerror or fault))


def registry_faults(path: Path) -> Iterator[str]:
    """Everything that is wrong with the files of a registry, in words; its lock is held by the caller."""
    data = log_bytes(path)
    log = parse_log(data)
    yield from log.faults
    for line in log.added.values():
        yield from entry_faults(entry_of(path, line))
    for place in sorted(path.iterdir()):
        if NAME.fullmatch(place.name) and place.name not in log.added:
            yield gettext("{path} is not in the log: it was added by hand, or its line was removed", path=place)
    yield from _current_faults(path, log)
    yield from _unfinished(path, log, data)


def _current_faults(path: Path, log: Log) -> Iterator[str]:
    try:
        name = read_current(path)
        if not log.faults:
            require_possible(path, name, log)
    except RegistryError as fault:
        yield str(fault)
        return
    if name is not None and not (path / name).is_dir():
        yield gettext("{path} names {name}, which has no folder", path=path / CURRENT, name=name)


def _unfinished(path: Path, log: Log, data: bytes) -> Iterator[str]:
    """What a killed writer has left to the next one."""
    last = log.lines[-1] if log.lines else None
    if log.unended or log.whole < len(data):
        yield _left(LOG)
    if last and last.verb in ADDING and staged_place(path, str(last.target)).is_dir():
        yield _left(last.target)
    if last and last.verb in MOVING and not log.faults and _is_behind(path, log):
        yield _left(CURRENT)


def _is_behind(path: Path, log: Log) -> bool:
    try:
        name = read_current(path)
    except RegistryError:
        return False
    return name != log.current and name in possible(log)


def _left(what: object) -> str:
    return gettext("{what} was left unfinished by a killed run; the next add, promote or revert finishes it", what=what)
