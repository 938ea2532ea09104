"""Is a file of plays sound, and what does it say?"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from winprob.i18n import gettext
from winprob.methodology.records import Phrase, Play
from winprob.methodology.spelling import is_blank

ORIGINS = ("method", "ours")
_TEXTS = ("id", "en", "zh", "origin", "part", "of")
_LISTS = ("knows", "columns", "points_to")
_KEYS = (*_TEXTS, "how", "anchors", *_LISTS, "when")
_ALWAYS = ("id", "en", "zh", "origin")
_RATINGS = 4


def play_faults(
    table: Mapping[str, Any], columns: Collection[str], ours: tuple[Play, ...] | None = None
) -> Iterator[str]:
    """Everything wrong with a parsed file of plays; ``ours``, where given, says which sections are known."""
    items = table.get("items")
    yield from (_unknown_key(key, ("items",)) for key in table if key != "items")
    if not isinstance(items, list) or not items or not all(isinstance(item, Mapping) for item in items):
        yield gettext("no [[items]] found")
        return
    required, accepted = _rules(columns, ours)
    counts = Counter(item.get("id") for item in items if isinstance(item.get("id"), str))
    yield from (_at(name, gettext("the id is used {count} times", count=n)) for name, n in counts.items() if n > 1)
    for number, item in enumerate(items, start=1):
        faults = (*_key_faults(item, required), *_shape_faults(item), *_choice_faults(item, accepted))
        yield from (_at(item.get("id", number), fault) for fault in faults)


def build_plays(table: Mapping[str, Any]) -> tuple[Play, ...]:
    """The plays of a table without faults."""
    return tuple(_play(item) for item in table["items"])


def _play(item: Mapping[str, Any]) -> Play:
    return Play(
        id=item["id"],
        phrase=Phrase(en=item["en"], zh=item["zh"]),
        origin=item["origin"],
        part=item.get("part", ""),
        of=item.get("of", ""),
        how=Phrase(**item["how"]) if "how" in item else None,
        anchors=tuple(Phrase(**anchor) for anchor in item.get("anchors", ())),
        knows=tuple(item.get("knows", ())),
        columns=tuple(item.get("columns", ())),
        when=tuple((fact, tuple(values)) for fact, values in item.get("when", {}).items()),
        points_to=tuple(item.get("points_to", ())),
    )


def _rules(
    columns: Collection[str], ours: tuple[Play, ...] | None
) -> tuple[tuple[str, ...], dict[str, Collection[str]]]:
    """The keys an item must have, and the values a key may have."""
    accepted: dict[str, Collection[str]] = {"origin": ORIGINS, "columns": columns}
    if ours is None:
        return _ALWAYS, accepted
    shaping = ("part", "of", "anchors", "knows")
    required = (*_ALWAYS, *(key for key in shaping if all(getattr(play, key) for play in ours)))
    accepted["part"] = {play.part for play in ours}
    accepted["of"] = {play.of for play in ours}
    accepted["knows"] = {kind for play in ours for kind in play.knows}
    return required, accepted


def _key_faults(item: Mapping[str, Any], required: tuple[str, ...]) -> Iterator[str]:
    yield from (_unknown_key(key, _KEYS) for key in item if key not in _KEYS)
    yield from (gettext("{key!r} is missing", key=key) for key in required if key not in item)


def _shape_faults(item: Mapping[str, Any]) -> Iterator[str]:
    for key in _TEXTS:
        if key in item and (not isinstance(item[key], str) or is_blank(item[key])):
            yield gettext("{key!r} must be a text", key=key)
    for key in _LISTS:
        if key in item and not _is_list(item[key], str):
            yield gettext("{key!r} must be a list of texts", key=key)
    if "how" in item and not _is_phrase(item["how"]):
        yield gettext("{key!r} needs en and zh", key="how")
    if "anchors" in item and not _are_anchors(item["anchors"]):
        yield gettext("'anchors' needs {count} entries, each with en and zh", count=_RATINGS)
    if "when" in item and not _is_situation(item["when"]):
        yield gettext("'when' must be a table of facts, each with a list of texts")


def _choice_faults(item: Mapping[str, Any], accepted: Mapping[str, Collection[str]]) -> Iterator[str]:
    for key, choices in accepted.items():
        got = item.get(key, [])
        for value in got if isinstance(got, list) else [got]:
            if isinstance(value, str) and value and value not in choices:
                wanted = ", ".join(sorted(choices)) or gettext("nothing")
                yield gettext("{key!r} is {got!r}, accepted: {accepted}", key=key, got=value, accepted=wanted)


def _is_list(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(entry, kind) for entry in value)


def _is_phrase(value: object) -> bool:
    if not isinstance(value, Mapping) or set(value) != {"en", "zh"}:
        return False
    return all(isinstance(text, str) and not is_blank(text) for text in value.values())


def _is_situation(value: object) -> bool:
    return isinstance(value, Mapping) and all(_is_list(values, str) for values in value.values())


def _are_anchors(value: object) -> bool:
    return isinstance(value, list) and len(value) == _RATINGS and all(_is_phrase(anchor) for anchor in value)


def _unknown_key(key: str, accepted: tuple[str, ...]) -> str:
    return gettext("unknown key {key!r}; accepted: {accepted}", key=key, accepted=", ".join(accepted))


def _at(item: object, fault: str) -> str:
    return gettext("item {item!r}: {fault}", item=item, fault=fault)
