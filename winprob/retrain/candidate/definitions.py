"""Definitions of the facts a model learns from: words, criteria and mapping, hashed by concept; what has changed.

A stage called *evaluation* under two sets of criteria is two facts. Readings made under another definition are never
pooled in silence: they lose the fact, or they get an effect of their own that is pooled towards the present one, or the
candidate is refused (``[retraining] changed_definitions``).
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import COVERAGE_COLUMNS, READINGS, SUPPORTS, Mask, column_or_missing, mask_of
from winprob.methodology import Methodology, load
from winprob.model.features import FORMER, WORDS, read_between

#: The columns whose meaning each concept fixes.
CONCEPTS: Mapping[str, tuple[str, ...]] = {
    "stage": ("stage",),
    "decision_method": ("decision_method",),
    "coach": ("coach",),
    "support": tuple(SUPPORTS),
    "coverage": tuple(COVERAGE_COLUMNS),
    "outcome": ("outcome",),
}
#: The columns that hold a concept's facts besides: several people's readings of a support.
_ALSO = {"support": READINGS}
#: The columns whose effects on winning a model learns; a former definition of these may have an effect of its own.
_LEARNED = (*(word.column for word in WORDS), *SUPPORTS)
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
class Former:
    """A former definition, and the days of readings under it: from ``since`` (None: ever) and before ``until``."""

    digest: str
    since: dt.date | None
    until: dt.date

    def has(self, deals: pd.DataFrame) -> Mask:
        """(row,) whether the row was read under it."""
        return read_between(deals, _day(self.since), _day(self.until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What one concept means: the hash of its words, criteria and mapping, and the first day of readings under it.

    ``since`` is None where all readings are under it, as far as is known; ``earlier`` are the definitions before it.
    """

    digest: str
    since: dt.date | None = None
    earlier: tuple[Former, ...] = ()

    @property
    def former(self) -> tuple[Former, ...]:
        """Spans of days under another definition; one that has come back is none."""
        if self.since and not self.earlier:
            return (Former(digest="", since=None, until=self.since),)
        return tuple(one for one in self.earlier if one.digest != self.digest)

    def before(self, digest: str, since: dt.date | None) -> "Definition":
        """The definition that follows this one on the day ``since``; None where no day divides the readings."""
        if since is None:
            return Definition(digest=digest)
        known = self.earlier or (self.former if self.since else ())
        spans = (*known, Former(digest=self.digest, since=self.since, until=since))
        earlier = [replace(one, until=min(one.until, since)) for one in spans if not (one.since and one.since >= since)]
        return Definition(digest=digest, since=since, earlier=tuple(earlier))

    def record(self) -> dict[str, Any]:
        """Plain values."""
        earlier = [{"sha256": f.digest, "since": _day(f.since) or None, "until": _day(f.until)} for f in self.earlier]
        return {"sha256": self.digest, "since": _day(self.since) or None, **({"earlier": earlier} if earlier else {})}


def _day(day: dt.date | None) -> str:
    return day.isoformat() if day else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """Definitions by concept, see ``CONCEPTS``."""

    by_concept: Mapping[str, Definition]

    @property
    def digests(self) -> dict[str, str]:
        """The hash of each concept, as a snapshot has it on record."""
        return {concept: one.digest for concept, one in self.by_concept.items()}

    def record(self) -> dict[str, Any]:
        """Plain values, as ``definitions.json`` holds them."""
        return {concept: one.record() for concept, one in self.by_concept.items()}

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
        earlier = tuple(
            Former(digest=str(one["sha256"]), since=_read_day(one["since"]), until=dt.date.fromisoformat(one["until"]))
            for one in entry.get("earlier", ())
        )
        known[concept] = Definition(digest=entry["sha256"], since=_read_day(entry.get("since")), earlier=earlier)
    return Definitions(by_concept=known)


def _read_day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


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
            concept: old.by_concept[concept].before(one.digest, since)
            if concept in changed
            else old.by_concept.get(concept, one)
            for concept, one in new.by_concept.items()
        }
    )


def of_snapshots(snapshots: pd.DataFrame | None) -> Definitions:
    """The definitions that the snapshots of a history have on record, with the days of changes; none of None.

    Snapshots without a record are taken to be under the first definition on record.
    """
    known: dict[str, Definition] = {}
    by_day = {} if snapshots is None else snapshots.attrs.get("definitions", {})
    for day, digests in sorted(by_day.items()):
        for concept in CONCEPTS:
            digest = digests.get(concept)
            if digest and concept not in known:
                known[concept] = Definition(digest=digest)
            elif digest and digest != known[concept].digest:
                known[concept] = known[concept].before(digest, dt.date.fromisoformat(day))
    return Definitions(by_concept=known)


def today_of(plain: Definitions, recorded: Definitions, known: Definitions | None) -> Definitions:
    """The definitions of today: those on record in a history, else ``plain`` ones, which know no mapping.

    A current model that has the plain definition on record was fitted before snapshots had one: while the record shows
    no change, that is the same definition.
    """
    before = known.by_concept if known else {}
    return Definitions(
        by_concept={
            concept: one
            if concept not in recorded.by_concept
            or (concept in before and before[concept].digest == one.digest and not recorded.by_concept[concept].earlier)
            else recorded.by_concept[concept]
            for concept, one in plain.by_concept.items()
        }
    )


def with_recorded_days(definitions: Definitions, recorded: Definitions, since: dt.date | None) -> Definitions:
    """The definitions, with the days that a history has on record where it shows a change; ``since`` cuts these off."""
    changed = {concept: one for concept, one in recorded.by_concept.items() if one.earlier}
    if since:
        changed = {concept: one.before(one.digest, since) for concept, one in changed.items()}
    return Definitions(by_concept={**definitions.by_concept, **changed})


def without_old_readings(deals: pd.DataFrame, definitions: Definitions) -> tuple[pd.DataFrame, dict[str, int]]:
    """The deals, with each fact unknown where it was read under another definition.

    A reading without a day may be of either definition: it loses the fact too. Outcomes stay: a deal whose outcome has
    another meaning cannot be learned from without it.

    Returns
    -------
    The deals, and by concept the number of rows that lost a known fact.
    """
    return _without(deals, definitions, lambda former: _any_of([_undated(deals), *(one.has(deals) for one in former)]))


def with_own_effects(
    deals: pd.DataFrame, definitions: Definitions
) -> tuple[pd.DataFrame, dict[str, int], dict[str, int]]:
    """The deals, with an effect of its own asked for wherever a fact was read under another definition.

    The model then has a partially pooled deviation for each former definition of each column, see
    ``features.former``. A reading without a day may be of either definition: it loses the fact.

    Returns
    -------
    The deals, and by concept the number of rows with a known fact that have such an effect, and that lost the fact.
    """
    kept, lost = _without(deals, definitions, lambda _: _undated(deals))
    own: dict[str, int] = {}
    listed: list[dict[str, str]] = []
    for concept, former, names in _redefined(deals, definitions):
        read_then = _any_of([one.has(deals) for one in former])
        own[concept] = _known(deals, read_then, names)
        days = [{"since": _day(one.since), "until": _day(one.until)} for one in former]
        listed += [{"column": name, **each} for name in names if name in _LEARNED for each in days]
    if listed:
        kept = kept.copy(deep=False)
        kept.attrs = {**deals.attrs, "covariates": {**deals.attrs.get("covariates", {}), FORMER: listed}}
    return kept, own, {concept: rows for concept, rows in lost.items() if rows}


def _without(
    deals: pd.DataFrame, definitions: Definitions, losing: Callable[[Sequence[Former]], Mask]
) -> tuple[pd.DataFrame, dict[str, int]]:
    lost: dict[str, int] = {}
    columns: dict[str, pd.Series] = {}
    for concept, former, names in _redefined(deals, definitions):
        rows = losing(former)
        lost[concept] = _known(deals, rows, names)
        columns |= {name: deals[name].mask(rows) for name in names}
    if not columns:
        return deals, lost
    changed = deals.assign(**columns)
    changed.attrs = deals.attrs
    return changed, lost


def _redefined(deals: pd.DataFrame, definitions: Definitions) -> Iterator[tuple[str, tuple[Former, ...], list[str]]]:
    """Concepts with a former definition, these, and the columns of the deals that hold the fact."""
    for concept, one in definitions.by_concept.items():
        names = [name for name in (*CONCEPTS[concept], *_ALSO.get(concept, ())) if name in deals]
        if one.former and concept != "outcome" and names:
            yield concept, one.former, names


def _known(deals: pd.DataFrame, rows: Mask, names: Sequence[str]) -> int:
    return int((rows & mask_of(deals[list(names)].notna().any(axis=1))).sum())


def _undated(deals: pd.DataFrame) -> Mask:
    return mask_of(column_or_missing(deals, "as_of").isna())


def _any_of(masks: Sequence[Mask]) -> Mask:
    return np.asarray(np.any(masks, axis=0))
