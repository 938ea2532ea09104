"""Which of a file's headers is meant? Case, blanks and underscores do not count: StageName, stage_name, Stage Name."""

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from winprob.data.tables.presets.preset_files import Preset
from winprob.methodology import normal


def same_name(one: str, other: str) -> bool:
    """Whether two spellings name the same field."""
    return normal(one) == normal(other)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether ``name`` is one of ``patterns``, in which * stands for anything."""
    return any(fnmatchcase(normal(name), normal(pattern)) for pattern in patterns)


def find_header(wanted: Iterable[str], headers: Iterable[str]) -> str | None:
    """The first of the ``wanted`` names that the file has, spelled as the file spells it."""
    by_name: dict[str, str] = {}
    for header in headers:
        by_name.setdefault(normal(header), header)
    return next((by_name[normal(name)] for name in wanted if normal(name) in by_name), None)


def known_header(preset: Preset) -> Callable[[str], bool]:
    """Whether a header is one that the preset looks for, in whichever of the CRM's tables."""
    names = {normal(name) for name in _names(preset)}
    return lambda header: normal(header) in names


def _names(preset: Preset) -> Iterator[str]:
    for given in preset.columns.values():
        yield from given["column"]
    for names in preset.flags.values():
        yield from names
    yield from _texts(preset.people)
    for log in preset.changes.values():
        yield from _texts(log)


def _texts(table: Any) -> Iterator[str]:
    return (name for names in table.values() if isinstance(names, list) for name in names)
