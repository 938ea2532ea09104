"""At which stage is the customer, by what they say, do and ask for?"""

from collections.abc import Iterable
from dataclasses import dataclass

from winprob.i18n import gettext
from winprob.methodology.labels import label
from winprob.methodology.playbook import check_ids, plays
from winprob.methodology.records import Methodology, Play
from winprob.methodology.vocabulary import STAGES

KINDS = ("says", "does", "asks")
_ENOUGH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvidence:
    """The observed signs of one stage, and the kinds they are of."""

    stage: str
    signs: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReading:
    """The stage that the signs show, or None for unknown; the evidence in the journey's order; and why, in words."""

    stage: str | None
    evidence: tuple[StageEvidence, ...]
    why: str


def derive_stage(signals: Iterable[str], *, using: Methodology | None = None) -> StageReading:
    """The customer's stage from the signs observed.

    A stage is read when (1) it shows signs of at least two of the three kinds (says, does, asks), for words alone
    prove nothing; (2) it shows more kinds than any other stage; and (3) no stage but a neighbour shows two kinds
    as well. Anything else is unknown. How many signs of one kind there are does not count: one person repeats itself.

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
    stage, why = _judge(evidence, using)
    return StageReading(stage=stage, evidence=evidence, why=why)


def _evidence(stage: str, seen: list[Play]) -> StageEvidence:
    mine = [sign for sign in seen if sign.of == stage]
    kinds = {sign.part for sign in mine}
    return StageEvidence(
        stage=stage, signs=tuple(sign.id for sign in mine), kinds=tuple(kind for kind in KINDS if kind in kinds)
    )


def _judge(evidence: tuple[StageEvidence, ...], using: Methodology | None) -> tuple[str | None, str]:
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
