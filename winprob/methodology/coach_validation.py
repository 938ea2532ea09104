"""Have we a coach, and has what the coach says been proved?"""

from collections.abc import Mapping
from dataclasses import dataclass

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.playbook import check_ids, plays
from winprob.methodology.records import Methodology
from winprob.methodology.spelling import is_blank


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

    Validated means that every test was passed; one failed or still open leaves the coach unvalidated. With no test
    answered and no word on whether there is a coach, the state is unknown. An answered test says that there is one.

    Parameters
    ----------
    evidence
        Test of subject ``coach``, part ``validation``, to True (passed), False (failed) or, if not known, a blank.
    exists
        Whether there is a coach at all, where that was asked.
    using
        A team's methodology from `load`; by default ours.

    Raises
    ------
    SettingsError
        Unknown tests, answers other than True, False and blank, or answered tests of a coach who does not exist.
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
            gettext("coach tests are answered although there is no coach: leave them blank, or say there is one")
        )
    if faults:
        raise SettingsError("; ".join(faults))
