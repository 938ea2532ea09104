"""Loading of the methodology from TOML: the files of this package, and a team's own in their place."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field

from winprob.errors import InputError, SettingsError
from winprob.i18n import gettext
from winprob.methodology.records import Methodology, Phrase, Play, Word
from winprob.methodology.situation import RULES, rule_faults
from winprob.methodology.vocabulary import normal
from winprob.toml import Name, Wanted, path_of, read_toml, record, refusal, suggestion, unknown_key, validate

Tables = Mapping[str, Mapping[str, Any]]
Words = Mapping[str, Mapping[str, Word]]
Plays = Mapping[str, tuple[Play, ...]]

_VOCABULARY = "vocabulary"


def _items_wanted() -> str:
    return gettext("at least one table [[items]]")


@record
class _Entry:
    """A value of a word in the vocabulary file."""

    en: Name
    zh: Name
    aliases: tuple[Name, ...] = ()


@record
class _Subject:
    """The file of one subject."""

    items: Annotated[tuple[Play, ...], Field(min_length=1), Wanted(_items_wanted)]


def load(folder: Path | str | None = None) -> Methodology:
    """The methodology: ours, or with a team's files in place of ours of the same name.

    Parameters
    ----------
    folder
        Holds edited copies of ``vocabulary.toml`` and of ``subjects/*.toml``; a file that is not in it stays ours.
        Canonical words are fixed: a vocabulary changes labels and aliases only.

    Returns
    -------
    Methodology
        Ours is read once per process; a folder is read on every call, so keep the result.

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
    found = {_VOCABULARY: room.joinpath("vocabulary.toml"), **_toml_files(room.joinpath("subjects"))}
    tables = {name: read_toml(file, file.name, SettingsError) for name, file in found.items()}
    return _build(tables, None, str(room), [])


def _overridden(folder: Path, ours: Methodology) -> Methodology:
    if not folder.is_dir():
        raise InputError(gettext("methodology folder {path} is not a folder", path=folder))
    found, tables, faults = _toml_files(folder), {}, []
    known = [f"{name}.toml" for name in (_VOCABULARY, *ours.plays)]
    for name, file in found.items():
        try:
            if file.name in known:
                tables[name] = read_toml(file, file.name, SettingsError)
            else:
                faults.append(unknown_key(repr(file.name), file.name, known))
        except SettingsError as error:
            faults.append(str(error))
    return _build(tables, ours, str(folder), faults if found else [gettext("the folder holds no TOML file")])


def _toml_files(folder: Traversable) -> dict[str, Traversable]:
    found = {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}
    return dict(sorted(found.items()))


def _build(tables: Tables, ours: Methodology | None, where: str, faults: list[str]) -> Methodology:
    """Check every table, then put them in place of ``ours``."""
    words, aliases = (ours.words, ours.aliases) if ours else ({}, {})
    plays = dict(ours.plays) if ours else {}
    if _VOCABULARY in tables:
        words, aliases, wrong = _read_words(tables[_VOCABULARY], words)
        faults += _in_file(_VOCABULARY, wrong)
    for name, table in tables.items():
        if name != _VOCABULARY:
            plays[name], wrong = _read_plays(table, words.get("column", {}), plays.get(name, ()))
            faults += _in_file(name, wrong)
    if faults := faults or _in_file(RULES, [*rule_faults(plays)]):
        raise refusal(faults, gettext("methodology in {path}", path=where), SettingsError)
    return Methodology(words=MappingProxyType(words), aliases=MappingProxyType(aliases), plays=MappingProxyType(plays))


def _in_file(name: str, faults: list[str]) -> list[str]:
    return [f"{name}.toml: {fault}" for fault in faults]


# --- words ---------------------------------------------------------------------------------------------------------


def _read_words(table: Mapping[str, Any], ours: Words) -> tuple[Words, Mapping[str, Mapping[str, str]], list[str]]:
    """The words of a vocabulary file, the value of every spelling of each, and the file's faults."""
    entries, faults = validate(dict[str, dict[str, _Entry]], table)
    faults += _changed_values(table, ours) if ours else []
    if entries is None or faults:
        return ours, {}, faults
    words = {word: {value: _word(value, entry) for value, entry in each.items()} for word, each in entries.items()}
    index = {word: _index(word, each, faults) for word, each in words.items()}
    for word, spellings in index.items():
        for spelling in spellings.keys() & index.get("unknown", {}).keys():
            # Only coverage has a canonical value for unknown.
            if word != "unknown" and (word, spellings[spelling]) != ("coverage", "unknown"):
                faults.append(_ambiguous(word, spelling, "unknown", spellings[spelling]))
    return words, index, faults


def _word(value: str, entry: _Entry) -> Word:
    return Word(value=value, label=Phrase(en=entry.en, zh=entry.zh), aliases=entry.aliases)


def _index(word: str, entries: Mapping[str, Word], faults: list[str]) -> dict[str, str]:
    spellings: dict[str, str] = {}
    for value, entry in entries.items():
        for text in (value, entry.label.en, entry.label.zh, *entry.aliases):
            first = spellings.setdefault(normal(text), value)
            if first != value:
                faults.append(_ambiguous(word, text, first, value))
    return spellings


def _ambiguous(word: str, text: str, first: str, second: str) -> str:
    return gettext(
        "[{table}]: {text!r} means both {first!r} and {second!r}", table=word, text=text, first=first, second=second
    )


def _changed_values(table: Mapping[str, Any], ours: Words) -> Iterator[str]:
    """Canonical values that a team's vocabulary lacks, or adds."""
    wanted = {f"{word}.{value}" for word, entries in ours.items() for value in entries}
    got = {f"{word}.{value}" for word, entries in table.items() if isinstance(entries, Mapping) for value in entries}
    yield from (gettext("{path} is missing", path=repr(name)) for name in sorted(wanted - got))
    yield from (gettext("{path} is not a canonical value", path=repr(name)) for name in sorted(got - wanted))


# --- plays ---------------------------------------------------------------------------------------------------------


def _read_plays(
    table: Mapping[str, Any], columns: Collection[str], ours: tuple[Play, ...]
) -> tuple[tuple[Play, ...], list[str]]:
    """The plays of a subject's file, and its faults; ``ours`` determines the sections that a team's file may have."""
    subject, faults = validate(_Subject, table)
    items = table.get("items")
    if isinstance(items, list):
        counts = Counter(item["id"] for item in items if isinstance(item, Mapping) and isinstance(item.get("id"), str))
        faults += [
            gettext("[[items]] {item!r}: the id is used {count} times", item=name, count=count)
            for name, count in counts.items()
            if count > 1
        ]
        for at, item in enumerate(items):
            if isinstance(item, Mapping):
                faults += _section_faults(table, at, item, columns, ours)
    return subject.items if subject else (), faults


def _section_faults(
    table: Mapping[str, Any], at: int, item: Mapping[str, Any], columns: Collection[str], ours: tuple[Play, ...]
) -> Iterator[str]:
    accepted = {"columns": set(columns)}
    if ours:
        accepted |= {"part": {play.part for play in ours}, "of": {play.of for play in ours}}
        accepted["knows"] = {kind for play in ours for kind in play.knows}
    for key in ("part", "of", "anchors", "knows"):
        if key not in item and ours and all(getattr(play, key) for play in ours):
            yield gettext("{path} is missing", path=path_of(table, ("items", at, key)))
    for key, choices in accepted.items():
        given = item.get(key, [])
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, str) and value and value not in choices:
                path = path_of(table, ("items", at, key))
                hint = suggestion(value, sorted(choices))
                yield gettext("{path} is {got}; {hint}", path=path, got=repr(value), hint=hint)
