"""Is a vocabulary file sound, and what does it say?"""

from collections.abc import Iterator, Mapping
from typing import Any

from winprob.i18n import gettext
from winprob.methodology.records import Phrase, Word
from winprob.methodology.spelling import is_blank, normal

Words = Mapping[str, Mapping[str, Word]]
_KEYS = ("en", "zh", "aliases")


def word_faults(table: Mapping[str, Any], ours: Words | None = None) -> Iterator[str]:
    """Everything wrong with a parsed vocabulary: a wrong shape, or other words and values than ``ours``."""
    for word, entries in table.items():
        if not isinstance(entries, Mapping):
            yield gettext("[{table}]: not a table of values", table=word)
            continue
        for value, entry in entries.items():
            yield from (f"[{word}.{value}]: {fault}" for fault in _entry_faults(entry))
    if ours is not None:
        yield from _set_faults(table, ours)


def build_words(table: Mapping[str, Any]) -> dict[str, dict[str, Word]]:
    """The words of a table without faults."""
    return {word: {value: _word(value, entry) for value, entry in entries.items()} for word, entries in table.items()}


def index_aliases(words: Words) -> tuple[dict[str, dict[str, str]], list[str]]:
    """For each word the value of every spelling, and the spellings that would mean two things."""
    faults: list[str] = []
    index = {word: _index(word, entries, faults) for word, entries in words.items()}
    for word, spellings in index.items():
        for spelling in spellings.keys() & index.get("unknown", {}).keys():
            # Coverage alone has a canonical value for not knowing.
            if word != "unknown" and (word, spellings[spelling]) != ("coverage", "unknown"):
                faults.append(_ambiguous(word, spelling, "unknown", spellings[spelling]))
    return index, faults


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


def _word(value: str, entry: Mapping[str, Any]) -> Word:
    return Word(value=value, label=Phrase(en=entry["en"], zh=entry["zh"]), aliases=tuple(entry.get("aliases", ())))


def _entry_faults(entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield gettext("not a table with en and zh")
        return
    for key in entry:
        if key not in _KEYS:
            yield gettext("unknown key {key!r}; accepted: {accepted}", key=key, accepted=", ".join(_KEYS))
    for key in ("en", "zh"):
        if not isinstance(entry.get(key), str) or is_blank(entry[key]):
            yield gettext("{key!r} is missing or not a text", key=key)
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or any(not isinstance(alias, str) or is_blank(alias) for alias in aliases):
        yield gettext("{key!r} must be a list of texts", key="aliases")


def _set_faults(table: Mapping[str, Any], ours: Words) -> Iterator[str]:
    wanted = {f"{word}.{value}" for word, entries in ours.items() for value in entries}
    got = {f"{word}.{value}" for word, entries in table.items() if isinstance(entries, Mapping) for value in entries}
    yield from (gettext("[{table}] is missing", table=name) for name in sorted(wanted - got))
    yield from (gettext("[{table}] is not a canonical value", table=name) for name in sorted(got - wanted))
