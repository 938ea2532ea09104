"""What is known of one person or of the coach: support, influence, validation of the coach, coverage of each role."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.playbook import check_ids, plays
from winprob.methodology.records import Methodology
from winprob.methodology.vocabulary import COVERAGES, ROLES, SUPPORT_TIERS, is_blank

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
