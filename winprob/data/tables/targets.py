"""Refuse an output that is an input, lies in a folder that winprob keeps, or is named twice: before any work."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from winprob.data.tables.replacing import is_device
from winprob.errors import OutputError
from winprob.i18n import gettext

#: A folder that winprob keeps (a history, a forecast log, a registry of models) holds a file of this pattern.
_KEPT = "_winprob_*.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path that a command reads or writes.

    Attributes
    ----------
    option : the argument or option that names it, as a message shows it
    kept : whether it is a folder of winprob's own, such as a history, to which the command adds
    """

    option: str
    path: Path
    kept: bool = False


def require_separate(outputs: Sequence[Place], inputs: Sequence[Place]) -> None:
    """Check before the work that no output would damage an input, a folder that winprob keeps, or another output.

    Paths are compared as files: links are followed, and names that the file system does not distinguish are the same.

    Raises
    ------
    OutputError
        All conflicts at once.
    """
    written = [place for place in outputs if not is_device(place.path)]
    conflicts = [conflict for at, place in enumerate(written) for conflict in _conflicts(place, written[:at], inputs)]
    if conflicts:
        raise OutputError("\n".join(dict.fromkeys(conflicts)))


def _conflicts(output: Place, others: Sequence[Place], inputs: Sequence[Place]) -> Iterator[str]:
    words = {"option": output.option, "path": output.path}
    for other in inputs:
        if _same(output.path, other.path):
            yield gettext(
                "cannot write {option} {path}: it is the input {other}. Name another file.", **words, other=other.option
            )
        elif _within(output.path, other.path):
            yield gettext(
                "cannot write {option} {path}: it is in the folder that {other} reads. Name another place.",
                **words,
                other=other.option,
            )
    for other in others:
        if _same(output.path, other.path) or _in_kept(output, other) or _in_kept(other, output):
            yield gettext(
                "cannot write {option} {path}: {other} writes to the same place. Name two places.",
                **words,
                other=other.option,
            )
    kept = _kept_folder(output)
    if kept is not None:
        yield gettext(
            "cannot write {option} {path}: it is inside {folder}, which only winprob changes. Name another place.",
            **words,
            folder=kept,
        )


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, by whatever names, links or spelling; a file that does not exist yet included."""
    try:
        return one.samefile(other)
    except OSError:
        return _key(one) == _key(other)


def _within(path: Path, folder: Path) -> bool:
    """Whether the path is inside the folder, which need not exist yet."""
    return any(_same(parent, folder) for parent in _parents(path))


def _in_kept(inner: Place, outer: Place) -> bool:
    return outer.kept and _within(inner.path, outer.path)


def _kept_folder(output: Place) -> Path | None:
    """The folder kept by winprob that holds the output, or is it."""
    places = _parents(output.path) if output.kept else (output.path, *_parents(output.path))
    return next((folder for folder in places if _is_kept(folder)), None)


def _is_kept(folder: Path) -> bool:
    try:
        return any(folder.glob(_KEPT))
    except OSError:
        return False


def _parents(path: Path) -> Sequence[Path]:
    return Path(os.path.realpath(path)).parents


def _key(path: Path) -> str:
    """The resolved path, in one spelling where the file system does not distinguish spellings."""
    full = os.path.realpath(path)
    if not _ignores_case(Path(full).parent):
        return full
    return unicodedata.normalize("NFC", full).casefold()


def _ignores_case(folder: Path) -> bool:
    """Whether the file system of ``folder`` takes ``A`` and ``a`` for one name, judged by the folder's own names."""
    for place in (folder, *folder.parents):
        other = place.with_name(place.name.swapcase()) if place.name.swapcase() != place.name else None
        if other is not None and place.exists():
            try:
                return place.samefile(other)
            except OSError:
                return False
    return False
