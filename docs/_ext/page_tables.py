"""Tables that pages insert: words of the method from the program's own TOML files, priors from its defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import winprob

METHODOLOGY = Path(__file__).parents[2] / "winprob" / "methodology"
#: Groups of words in ``vocabulary.toml`` that the glossary shows, by the name of their substitution.
WORDS = ("stage", "role", "decision_method", "coach", "support", "coverage", "outcome", "rep_category", "column")


def tables() -> dict[str, str]:
    """Markdown tables, by the name under which a page inserts them: ``{{ words_stage }}``."""
    vocabulary = _read("vocabulary.toml")
    words = {f"words_{group}": _words(vocabulary[group]) for group in WORDS}
    return {
        **words,
        "words_unknown": _words(vocabulary["unknown"], aliases=True),
        "items_stages": _items("stages", "state", "cares", "do", of=vocabulary["stage"]),
        "items_chain": _items("chain", "decides", of=vocabulary["decision_method"]),
        "items_rubric": _items("support", *_parts("support")),
        "items_coach": _items("coach", *_parts("coach")),
        "concepts": _concepts(),
        "flags": _flags(),
        "prior_sheet": _prior_sheet(),
        "prior_settings": _table(("setting", "default"), ((f"`{name}`", str(value)) for name, value in _priors())),
    }


def _prior_sheet() -> str:
    sheet = winprob.prior_sheet()
    numbers = ((f"{row.lower:.2f}", f"{row.middle:.2f}", f"{row.upper:.2f}") for row in sheet.itertuples())
    settings = (", ".join(f"`{name}`" for name in row.split(", ")) for row in sheet["setting"])
    rows = zip(sheet["belief"], numbers, settings, strict=True)
    header = ("belief", "5 %", "50 %", "95 %", "setting")
    return _table(header, ((belief, *cells, name) for belief, cells, name in rows))


def _priors() -> Iterator[tuple[str, object]]:
    for name, value in asdict(winprob.Settings().priors).items():
        yield name, ", ".join(map(str, value)) if isinstance(value, tuple) else value


def _words(group: dict[str, dict[str, Any]], *, aliases: bool = False) -> str:
    header = ("value", "English", "中文", *(("also accepted",) if aliases else ()))
    rows = [
        (f"`{value}`", word["en"], word["zh"], *((", ".join(f"`{name}`" for name in word["aliases"]),) * aliases))
        for value, word in group.items()
    ]
    return _table(header, rows)


def _items(subject: str, *parts: str, of: dict[str, Any] | None = None) -> str:
    """Items of one subject, in the order of the file; the first column is the word they belong to, or their part."""
    kept = [item for item in _read(f"subjects/{subject}.toml")["items"] if item["part"] in parts]
    rows = [
        (of[item["of"]]["en"] if of else item["part"].replace("_", " "), item["en"], item["zh"])
        for item in kept
        if not of or item.get("of") in of
    ]
    return _table(("word" if of else "part", "English", "中文"), rows)


def _flags() -> str:
    """Every red flag: severity, title in both languages, and its sources in the method."""
    items = _read("subjects/flags.toml")["items"]
    rows = [(f"`{one['id']}`", one["part"], one["en"], one["zh"], _sources(one["points_to"])) for one in items]
    return _table(("flag", "severity", "English", "中文", "in the method"), rows)


def _sources(pointers: Iterable[str]) -> str:
    titles = []
    for pointer in pointers:
        subject, _, name = pointer.partition(".")
        titles += [item["en"] for item in _read(f"subjects/{subject}.toml")["items"] if item["id"] == name]
    return "; ".join(titles)


#: Where a concept is met, as a page names it.
_PLACES = {
    "worksheet": "`winprob worksheets`",
    "brief": "`winprob brief`",
    "flags": "`winprob flags`",
    "intel": "`winprob intel`",
    "postmortem": "`winprob postmortem`",
}


def _concepts() -> str:
    """Every concept of the method: the file that holds it, where its text is shown, and what it is used for."""
    concepts = tomllib.loads((Path(__file__).parents[1] / "concepts.toml").read_text("utf-8"))["concepts"]
    rows = []
    for one in concepts:
        files = [f"`subjects/{name.partition('.')[0]}.toml`" for name in one["items"]]
        files += ["`vocabulary.toml`"] if one.get("words") else []
        places = ", ".join(_PLACES[place] for place in one["places"])
        rows.append((one["en"], one["zh"], ", ".join(dict.fromkeys(files)), places, one["use"]))
    return _table(("concept", "中文", "file", "where its text is shown", "used for"), rows)


def _parts(subject: str) -> list[str]:
    return list(dict.fromkeys(item["part"] for item in _read(f"subjects/{subject}.toml")["items"]))


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(header)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((METHODOLOGY / name).read_text("utf-8"))
