"""Readings of a deal and its people, derived from evidence: stage, completeness, support, coach, coverage."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.lookups import check_ids, is_unknown, label, plays
from winprob.methodology.records import Methodology, Play
from winprob.methodology.vocabulary import COVERAGES, ROLES, STAGES, SUPPORT_TIERS, is_blank

# --- stage ---------------------------------------------------------------------------------------------------------

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


# --- completeness of the intelligence ------------------------------------------------------------------------------


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


# --- support and influence of a person -----------------------------------------------------------------------------

INFLUENCE = "influence"


def derive_support(ratings: Mapping[str, object], *, using: Methodology | None = None) -> int | None:
    """The support tier from the rated layers and dimensions.

    The tier is the mean of the rated items, rounded to the nearest tier, a half rounded down (the cautious reading).
    Influence is how much a person counts, and is left out. With fewer than half of the other items rated: unknown.
    Raising a rating never lowers the tier.

    Parameters
    ----------
    ratings
        Item of subject ``support`` to its rating 1..4; a blank or an absent item is not rated.
    using
        A team's methodology from `load`; by default ours.

    Returns
    -------
    int or None
        1 opposed, 2 neutral, 3 supportive, 4 champion; None if unknown.

    Raises
    ------
    SettingsError
        Unknown items, or ratings that are not whole numbers from 1 to 4: all at once.
    """
    bearing = [play.id for play in plays("support", using=using) if play.id != INFLUENCE]
    rated = _rated(ratings, using)
    given = [rated[item] for item in bearing if item in rated]
    if not given or 2 * len(given) < len(bearing):
        return None
    # ceil(mean - 1/2) in whole numbers, so that no rounding error decides a tier.
    return -((len(given) - 2 * sum(given)) // (2 * len(given)))


def derive_influence(ratings: Mapping[str, object], *, using: Methodology | None = None) -> int | None:
    """How much a person counts, 1..4, or None if not rated; raises as `derive_support` does."""
    return _rated(ratings, using).get(INFLUENCE)


def _rated(ratings: Mapping[str, object], using: Methodology | None) -> dict[str, int]:
    check_ids(ratings, [play.id for play in plays("support", using=using)], gettext("rubric item"))
    faults = [*_rating_faults(ratings)]
    if faults:
        raise SettingsError("; ".join(faults))
    return {item: _whole(rating) for item, rating in ratings.items() if not is_blank(rating)}


def _rating_faults(ratings: Mapping[str, object]) -> Iterator[str]:
    for item, rating in ratings.items():
        if not is_blank(rating) and _whole(rating) not in SUPPORT_TIERS:
            yield gettext("rating {item!r} is {got!r}, wanted 1, 2, 3, 4 or blank", item=item, got=rating)


def _whole(rating: object) -> int:
    """The rating as a whole number; 0, which is not a tier, for anything else."""
    if isinstance(rating, bool):
        return 0
    if isinstance(rating, float):
        return int(rating) if rating.is_integer() else 0
    # NumPy's integers are not `int`, but have `__index__`.
    return rating.__index__() if hasattr(rating, "__index__") else 0


# --- coach ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CoachReading:
    """The coach's state (``none``, ``unvalidated``, ``validated``, or None for unknown) and the tests behind it."""

    state: str | None
    passed: tuple[str, ...]
    failed: tuple[str, ...]
    missing: tuple[str, ...]


def coach_status(
    evidence: Mapping[str, object], *, exists: bool | None = None, using: Methodology | None = None
) -> CoachReading:
    """The coach's state from the validation tests.

    Validated means that every test was passed; with one failed or still open the coach is unvalidated. With no test
    answered and ``exists`` blank, the state is unknown. An answered test implies that there is a coach.

    Parameters
    ----------
    evidence
        Test of subject ``coach``, part ``validation``, to True (passed), False (failed) or, if not known, a blank.
    exists
        Whether there is a coach at all, where known.
    using
        A team's methodology from `load`; by default ours.

    Raises
    ------
    SettingsError
        Unknown tests, answers other than True, False and blank, or answered tests where ``exists`` is False.
    """
    tests = [play.id for play in plays("coach", "validation", using=using)]
    check_ids(evidence, tests, gettext("coach test"))
    _check_answers(evidence, exists)
    passed = tuple(test for test in tests if evidence.get(test) is True)
    failed = tuple(test for test in tests if evidence.get(test) is False)
    missing = tuple(test for test in tests if is_blank(evidence.get(test)))
    state = _state(exists, bool(passed or failed), proved=bool(passed) and not failed and not missing)
    return CoachReading(state=state, passed=passed, failed=failed, missing=missing)


def _state(exists: bool | None, answered: bool, *, proved: bool) -> str | None:
    if exists is False:
        return "none"
    if proved:
        return "validated"
    return "unvalidated" if exists or answered else None


def _check_answers(evidence: Mapping[str, object], exists: bool | None) -> None:
    answers = {test: answer for test, answer in evidence.items() if not is_blank(answer)}
    faults = [
        gettext("coach test {test!r} is {got!r}, wanted true, false or blank", test=test, got=answer)
        for test, answer in answers.items()
        if not isinstance(answer, bool)
    ]
    if exists is False and answers:
        faults.append(
            gettext("coach tests are answered although there is no coach: leave them blank, or set that there is one")
        )
    if faults:
        raise SettingsError("; ".join(faults))


# --- coverage of the roles -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleContact:
    """Our contact with one person in a role.

    Attributes
    ----------
    role
        One of `vocabulary.ROLES`.
    identified
        The person is known by name; a talk implies it.
    talks
        Number of talks with them.
    in_depth
        At least one talk about their own needs.
    """

    role: str
    identified: bool = False
    talks: int = 0
    in_depth: bool = False


def role_coverage(contacts: Iterable[RoleContact]) -> dict[str, str]:
    """The coverage of all five roles: that of the best covered person; a role without contacts is unknown.

    An in-depth talk makes ``engaged``, any talk ``contacted``, a known name ``identified``.

    Raises
    ------
    SettingsError
        Roles that do not exist, or a negative number of talks: all at once.
    """
    known = tuple(contacts)
    faults = [*_contact_faults(known)]
    if faults:
        raise SettingsError("; ".join(faults))
    return {role: _best(contact for contact in known if contact.role == role) for role in ROLES}


def _best(contacts: Iterable[RoleContact]) -> str:
    return max((_coverage(contact) for contact in contacts), key=COVERAGES.index, default="unknown")


def _coverage(contact: RoleContact) -> str:
    if contact.in_depth:
        return "engaged"
    if contact.talks:
        return "contacted"
    return "identified" if contact.identified else "unknown"


def _contact_faults(contacts: tuple[RoleContact, ...]) -> Iterator[str]:
    for contact in contacts:
        if contact.role not in ROLES:
            yield gettext("role {role!r} is not one of {accepted}", role=contact.role, accepted=", ".join(ROLES))
        if contact.talks < 0:
            yield gettext("{role}: {count} talks, wanted 0 or more", role=contact.role, count=contact.talks)
