"""Where does the methodology come from? Our files, and a team's own in their place."""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from winprob.errors import InputError, SettingsError
from winprob.i18n import gettext
from winprob.methodology.play_files import build_plays, play_faults
from winprob.methodology.records import Methodology
from winprob.methodology.situation import RULES, rule_faults
from winprob.methodology.word_files import build_words, index_aliases, word_faults

_VOCABULARY = "vocabulary"


def load(folder: Path | str | None = None) -> Methodology:
    """The methodology: ours, or with a team's files in place of ours of the same name.

    Parameters
    ----------
    folder
        Holds copies of ``vocabulary.toml`` and of ``subjects/*.toml``, edited; a file that is not there stays ours.
        Canonical words stay as they are: a vocabulary changes labels and aliases only.

    Returns
    -------
    Methodology
        Ours is read once per process; a folder is read on every call, so keep what you get.

    Raises
    ------
    InputError
        ``folder`` is not a folder.
    SettingsError
        Anything in it is wrong: every offence at once, by file and item.
    """
    return _shipped() if folder is None else _overridden(Path(folder), _shipped())


@cache
def _shipped() -> Methodology:
    room = files("winprob.methodology")
    tables = {name: _parse(file) for name, file in _toml_files(room.joinpath("subjects")).items()}
    return _build({_VOCABULARY: _parse(room.joinpath("vocabulary.toml")), **tables}, None, str(room))


def _overridden(folder: Path, ours: Methodology) -> Methodology:
    if not folder.is_dir():
        raise InputError(gettext("methodology folder {path} is not a folder", path=folder))
    found, tables = _toml_files(folder), {}
    faults = [] if found else [gettext("it holds no TOML file")]
    for name, file in found.items():
        if name != _VOCABULARY and name not in ours.plays:
            faults.append(f"{file.name}: {_stranger(name, (_VOCABULARY, *ours.plays))}")
            continue
        try:
            tables[name] = _parse(file)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            faults.append(f"{file.name}: " + gettext("not TOML: {reason}", reason=error))
    return _build(tables, ours, str(folder), faults)


def _build(
    tables: Mapping[str, Mapping[str, Any]], ours: Methodology | None, where: str, faults: list[str] | None = None
) -> Methodology:
    """Check every table, then build what is sound on top of ``ours``."""
    found = [*(faults or ())]
    words, aliases = (ours.words, ours.aliases) if ours else ({}, {})
    if _VOCABULARY in tables:
        wrong = [*word_faults(tables[_VOCABULARY], ours.words if ours else None)]
        if not wrong:
            words = build_words(tables[_VOCABULARY])
            aliases, wrong = index_aliases(words)
        found += _in_file(_VOCABULARY, wrong)
    subjects = {name: table for name, table in tables.items() if name != _VOCABULARY}
    for name, table in subjects.items():
        found += _in_file(name, [*play_faults(table, words.get("column", ()), ours.plays[name] if ours else None)])
    if found:
        raise SettingsError(_message(where, found))
    plays = {**(ours.plays if ours else {}), **{name: build_plays(table) for name, table in subjects.items()}}
    if found := _in_file(RULES, [*rule_faults(plays)]):
        raise SettingsError(_message(where, found))
    return Methodology(words=MappingProxyType(words), aliases=MappingProxyType(aliases), plays=MappingProxyType(plays))


def _toml_files(folder: Traversable) -> dict[str, Traversable]:
    found = {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}
    return dict(sorted(found.items()))


def _parse(file: Traversable) -> dict[str, Any]:
    return tomllib.loads(file.read_bytes().decode("utf-8-sig"))  # Windows editors add a byte-order mark


def _in_file(name: str, faults: list[str]) -> list[str]:
    return [f"{name}.toml, {fault}" for fault in faults]


def _stranger(name: str, accepted: tuple[str, ...]) -> str:
    near = get_close_matches(name, accepted, n=1) or accepted
    return gettext("not a file of the methodology; did you mean {near}?", near=", ".join(near))


def _message(where: str, faults: list[str]) -> str:
    head = gettext("methodology in {path}, {count} to mend:", path=where, count=len(faults))
    return "\n".join([head, *(f"  - {fault}" for fault in faults)])
