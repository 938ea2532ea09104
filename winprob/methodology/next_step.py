"""The next step with a person, by the rules of the method.

The rules are the items of ``subjects/next_steps.toml``: in each section the first one that fits gives the reason, and
points to plays of the other subjects. A team that edits the file changes the advice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology.loading import load
from winprob.methodology.records import Methodology, Play
from winprob.methodology.situation import FACTS, FOR_ALL, FOR_SOME, RULES, UNKNOWN, WEAKEST, find, fitting, rubric
from winprob.methodology.vocabulary import as_word, is_blank


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A reason, and the plays of the other subjects to use."""

    why: Play
    plays: tuple[Play, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """The next step with one person.

    Attributes
    ----------
    goal : what the visit is to change, by their support
    weight : how much the role decides under this decision method
    trust : which personal and organisational trust to build
    relationship : which of the five steps is next
    explore : which needs and motives to explore
    learn : what to learn about a need
    guide : from which belief to which criterion, and the way there
    differ : which differences the role looks for
    ask : the commitment to ask for, its proof in ``how``; least : the least that is worth the visit
    executive : for approver and decision maker, which of the seven steps is next; else None
    bridge : for them, how the five gaps are bridged, the widest first; else None
    """

    goal: Advice
    weight: Advice
    trust: Advice
    relationship: Advice
    explore: Advice
    learn: Advice
    guide: Advice
    differ: Advice
    ask: Advice
    least: Advice
    executive: Advice | None
    bridge: Advice | None


#: The most days until the close that are called days, and weeks.
_DAYS, _WEEKS = 14, 60


def time_left(days: float | None) -> str:
    """The days until the expected close as a word of the rules: overdue, days, weeks, months, or unknown."""
    if days is None or is_blank(days):
        return UNKNOWN
    if days < 0:
        return "overdue"
    return "days" if days <= _DAYS else "weeks" if days <= _WEEKS else "months"


def next_step(
    *,
    role: str,
    stage: object = None,
    coverage: object = None,
    support: object = None,
    decision_method: object = None,
    time: object = None,
    weakest: str | None = None,
    using: Methodology | None = None,
) -> NextStep:
    """The next step with the person who holds ``role``.

    Parameters
    ----------
    role, stage, coverage, decision_method : canonical values; all but the role may be blank, which is unknown
    support : the tier 1..4 that is reported, or a blank
    time : how long it is until the expected close, see ``time_left``, or a blank
    weakest : the item of the support rubric that is rated lowest; where nothing is, the stage decides on the trust
    using : a team's methodology from `load`; by default ours

    Raises
    ------
    SettingsError
        Values that do not exist: all at once.
    """
    given = {
        "role": role,
        "stage": stage,
        "coverage": coverage,
        "support": support,
        "decision_method": decision_method,
        "time": time,
        WEAKEST: weakest,
    }
    situation = {fact: _value(value) for fact, value in given.items()}
    return _step(situation, using) if using else _own_step(tuple(situation.items()))


@lru_cache(maxsize=4096)
def _own_step(situation: tuple[tuple[str, str], ...]) -> NextStep:
    """The step of our own methodology: a table of deals has few different situations."""
    return _step(dict(situation), load())


def _step(situation: Mapping[str, str], methodology: Methodology) -> NextStep:
    _check(situation, methodology)
    advice = {part: _advice(part, situation, methodology.plays) for part in (*FOR_ALL, *FOR_SOME)}
    return NextStep(**advice)  # type: ignore[arg-type]  # loading has checked that the first ten exist


def _advice(part: str, situation: Mapping[str, str], plays: Mapping[str, tuple[Play, ...]]) -> Advice | None:
    rule = fitting((play for play in plays[RULES] if play.part == part), situation)
    if rule is None:
        return None
    found = (find(pointer, plays) for pointer in rule.points_to)
    return Advice(why=rule, plays=tuple(play for play in found if play is not None))


def _value(value: object) -> str:
    return UNKNOWN if is_blank(value) else as_word(value)


def _check(situation: Mapping[str, str], methodology: Methodology) -> None:
    accepted = {**FACTS, WEAKEST: (*rubric(methodology.plays), UNKNOWN)}
    faults = [
        gettext("{word} {value!r} is not one of {accepted}", word=fact, value=value, accepted=", ".join(accepted[fact]))
        for fact, value in situation.items()
        if value not in accepted[fact]
    ]
    if faults:
        raise SettingsError("; ".join(faults))
