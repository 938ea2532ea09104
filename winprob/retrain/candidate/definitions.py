"""Definitions of the facts a model learns from: words, criteria and mapping, hashed by concept; what has changed.

A stage called *evaluation* under two sets of criteria is two facts. Readings made under another definition are never
pooled in silence: they lose the fact, or the candidate is refused (``[retraining] changed_definitions``).
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.schema import COVERAGE_COLUMNS, SUPPORTS, column_or_missing, mask_of
from winprob.methodology import Methodology, load

#: The columns whose meaning each concept fixes.
CONCEPTS: Mapping[str, tuple[str, ...]] = {
    "stage": ("stage",),
    "decision_method": ("decision_method",),
    "coach": ("coach",),
    "support": tuple(SUPPORTS),
    "coverage": tuple(COVERAGE_COLUMNS),
    "outcome": ("outcome",),
}
#: Where the criteria of a concept are: the subject, and the parts of it that say when a value holds.
_CRITERIA: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "stage": ("stages", ("state", "cares")),
    "decision_method": ("chain", ("decides",)),
    "coach": ("coach", ("selection", "validation")),
    "support": ("support", ("layer", "dimension")),
}
#: Entries of a mapping that change how every cell is read.
_OF_THE_FILE = ("preset", "null", "rows", "sheet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What one concept means: the hash of its words, criteria and mapping, and the first day of readings under it.

    ``since`` is None where all readings are under it, as far as is known.
    """

    digest: str
    since: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """Definitions by concept, see ``CONCEPTS``."""

    by_concept: Mapping[str, Definition]

    def record(self) -> dict[str, Any]:
        """Plain values, as ``definitions.json`` holds them."""
        return {
            concept: {"sha256": one.digest, "since": one.since.isoformat() if one.since else None}
            for concept, one in self.by_concept.items()
        }

    @classmethod
    def from_json(cls, text: bytes) -> "Definitions":
        """The content of a ``definitions.json``.

        Raises
        ------
        ValueError
            It is not one.
        """
        return definitions_from(json.loads(text))

    def to_json(self) -> str:
        """The content of ``definitions.json``."""
        return canonical_json(self.record(), indent=1) + "\n"


def definitions_from(record: Mapping[str, Any]) -> Definitions:
    """The definitions in a ``definitions.json``; a concept that it does not hold is left out.

    Raises
    ------
    ValueError
        It is not one.
    """
    known: dict[str, Definition] = {}
    for concept in CONCEPTS:
        entry = record.get(concept)
        if entry is None:
            continue
        if not isinstance(entry, Mapping) or not isinstance(entry.get("sha256"), str):
            raise ValueError(concept)
        since = entry.get("since")
        known[concept] = Definition(digest=entry["sha256"], since=dt.date.fromisoformat(since) if since else None)
    return Definitions(by_concept=known)


def define(
    mapping: Mapping[str, Any] | None = None, methodology: Methodology | Path | str | None = None
) -> Definitions:
    """The definitions of today.

    Parameters
    ----------
    mapping : the content of the mapping file; None where the data are in canonical columns, as in a history
    methodology : the method, or the folder of a team's own files; by default ours
    """
    method = methodology if isinstance(methodology, Methodology) else load(methodology)
    return Definitions(
        by_concept={
            concept: Definition(digest=digest_of(_meaning(concept, columns, mapping or {}, method)))
            for concept, columns in CONCEPTS.items()
        }
    )


def _meaning(concept: str, columns: Sequence[str], mapping: Mapping[str, Any], method: Methodology) -> dict[str, Any]:
    words = {value: [word.label.en, word.label.zh] for value, word in method.words[concept].items()}
    subject, parts = _CRITERIA.get(concept, ("", ()))
    criteria = {
        play.id: [play.en, play.zh, play.of, list(play.columns), [[anchor.en, anchor.zh] for anchor in play.anchors]]
        for play in method.plays.get(subject, ())
        if play.part in parts
    }
    named = mapping.get("columns")
    sources = {name: named[name] for name in columns if name in named} if isinstance(named, Mapping) else {}
    of_file = {name: mapping[name] for name in _OF_THE_FILE if name in mapping}
    return {"words": words, "criteria": criteria, "mapping": sources, "file": of_file}


def canonical_json(value: Any, indent: int | None = None) -> str:
    """JSON in which equal values have equal text: keys sorted, and no white space without ``indent``."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent, separators=separators, default=str)


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON of plain values."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def changed_concepts(old: Definitions, new: Definitions) -> tuple[str, ...]:
    """Concepts that both define, and differently."""
    return tuple(
        concept
        for concept, one in new.by_concept.items()
        if concept in old.by_concept and old.by_concept[concept].digest != one.digest
    )


def dated(old: Definitions | None, new: Definitions, since: dt.date | None) -> Definitions:
    """``new`` with the first day of each definition: ``since`` where it has changed, else that of ``old``."""
    if old is None:
        return new
    changed = changed_concepts(old, new)
    return Definitions(
        by_concept={
            concept: Definition(
                digest=one.digest,
                since=since if concept in changed else getattr(old.by_concept.get(concept), "since", None),
            )
            for concept, one in new.by_concept.items()
        }
    )


def without_old_readings(deals: pd.DataFrame, definitions: Definitions) -> tuple[pd.DataFrame, dict[str, int]]:
    """The deals, with each fact unknown where it was read before its definition of today.

    A reading without a day may be of either definition: it loses the fact too. Outcomes stay: a deal whose outcome has
    another meaning cannot be learned from without it.

    Returns
    -------
    The deals, and by concept the number of rows that lost a known fact.
    """
    read = column_or_missing(deals, "as_of")
    lost: dict[str, int] = {}
    columns: dict[str, pd.Series] = {}
    for concept, one in definitions.by_concept.items():
        names = [name for name in CONCEPTS[concept] if name in deals]
        if one.since is None or concept == "outcome" or not names:
            continue
        old = mask_of(read.isna() | (read < pd.Timestamp(one.since)))
        lost[concept] = int((old & mask_of(deals[names].notna().any(axis=1))).sum())
        columns |= {name: deals[name].mask(old) for name in names}
    if not columns:
        return deals, lost
    changed = deals.assign(**columns)
    changed.attrs = deals.attrs
    return changed, lost
