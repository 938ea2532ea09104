"""The stage of the customer from observed signs, and the completeness of the intelligence on a deal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from winprob.i18n import gettext
from winprob.methodology.labels import is_unknown, label
from winprob.methodology.playbook import check_ids, plays
from winprob.methodology.records import Methodology, Play
from winprob.methodology.vocabulary import STAGES

KINDS = ("says", "does", "asks")
_ENOUGH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvidence:
    """The observed signs of one stage, and their kinds."""

    stage: str
    signs: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReading:
    """The stage that the signs show, or None for unknown; the evidence by stage in order; and the reason, in words."""

    stage: str | None
    evidence: tuple[StageEvidence, ...]
    why: str


def derive_stage(signals: Iterable[str], *, using: Methodology | None = None) -> StageReading:
    """The customer's stage from observed signs.

    A stage is read when (1) it shows signs of at least two of the three kinds (says, does, asks), because words alone
    are not proof; (2) it shows more kinds than any other stage; and (3) no stage but a neighbour shows two kinds
    as well. Anything else is unknown. The number of signs of one kind does not count: people repeat themselves.

    Parameters
    ----------
    signals
        Ids of subject ``signs``; order and repeats do not matter.
    using
        A team's methodology from `load`; by default ours.

    Raises
    ------
    SettingsError
        Some ids are not signs; all are named, with near matches.
    """
    observed = set(signals)
    signs = {play.id: play for play in plays("signs", using=using)}
    check_ids(sorted(observed), signs, gettext("sign"))
    seen = [sign for name, sign in signs.items() if name in observed]
    evidence = tuple(entry for stage in STAGES if (entry := _evidence(stage, seen)).signs)
    stage, why = _stage_of(evidence, using)
    return StageReading(stage=stage, evidence=evidence, why=why)


def _evidence(stage: str, seen: list[Play]) -> StageEvidence:
    mine = [sign for sign in seen if sign.of == stage]
    kinds = {sign.part for sign in mine}
    return StageEvidence(
        stage=stage, signs=tuple(sign.id for sign in mine), kinds=tuple(kind for kind in KINDS if kind in kinds)
    )


def _stage_of(evidence: tuple[StageEvidence, ...], using: Methodology | None) -> tuple[str | None, str]:
    if not evidence:
        return None, gettext("no sign was observed")
    leader, *others = sorted(evidence, key=lambda entry: -len(entry.kinds))
    name = label("stage", leader.stage, using=using)
    if len(leader.kinds) < _ENOUGH:
        return None, gettext("no stage shows signs of two kinds out of what the customer says, does and asks for")
    rival = next((entry for entry in others if _contradicts(entry, leader)), None)
    if rival is None:
        return leader.stage, gettext(
            "{stage}: signs of {count} kinds, more than any other stage", stage=name, count=len(leader.kinds)
        )
    other = label("stage", rival.stage, using=using)
    return None, gettext("the signs conflict: {stage} and {other} are both well supported", stage=name, other=other)


def _contradicts(entry: StageEvidence, leader: StageEvidence) -> bool:
    apart = abs(STAGES.index(entry.stage) - STAGES.index(leader.stage)) > 1
    return len(entry.kinds) == len(leader.kinds) or (apart and len(entry.kinds) >= _ENOUGH)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCompleteness:
    """The facts known and missing of one kind of intelligence, and the share known in [0, 1]."""

    kind: str
    known: tuple[str, ...]
    missing: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Completeness by kind, in the method's order, and the share of all wanted facts that is known, in [0, 1]."""

    kinds: tuple[KindCompleteness, ...]
    share: float


def intelligence_completeness(
    known: Iterable[str] = (), *, deal: Mapping[Any, object] | None = None, using: Methodology | None = None
) -> Completeness:
    """The share of wanted facts that is known, by kind.

    Parameters
    ----------
    known
        Ids of the known facts of subject ``intelligence``.
    deal
        A row of the deal table: a fact whose columns are all filled there is known too. Blank and unknown do not
        count as filled; a coach of ``none`` does.
    using
        A team's methodology from `load`; by default ours.

    Raises
    ------
    SettingsError
        Some ids are not facts; all are named, with near matches.
    """
    facts = plays("intelligence", "fact", using=using)
    have = set(known)
    check_ids(sorted(have), [fact.id for fact in facts], gettext("fact"))
    have |= {fact.id for fact in facts if _is_in(fact, deal or {})}
    kinds = tuple(_kind(kind, facts, have) for kind in dict.fromkeys(fact.of for fact in facts))
    return Completeness(kinds=kinds, share=len(have) / len(facts))


def _is_in(fact: Play, deal: Mapping[Any, object]) -> bool:
    return bool(fact.columns) and not any(is_unknown(deal.get(column)) for column in fact.columns)


def _kind(kind: str, facts: tuple[Play, ...], have: set[str]) -> KindCompleteness:
    wanted = [fact.id for fact in facts if fact.of == kind]
    known = tuple(fact for fact in wanted if fact in have)
    missing = tuple(fact for fact in wanted if fact not in have)
    return KindCompleteness(kind=kind, known=known, missing=missing, share=len(known) / len(wanted))
