"""The situation of a contact: facts with their values, and the first rule of a section that fits them."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from winprob.i18n import gettext
from winprob.methodology.records import Play
from winprob.methodology.vocabulary import COVERAGES, DECISION_METHODS, ROLES, STAGES, SUPPORT_TIERS
from winprob.toml import suggestion, unknown_key

UNKNOWN = "unknown"
#: The subject that holds the rules, and its sections: those with advice for all roles, and those for executives only.
RULES = "next_steps"
FOR_ALL = ("goal", "weight", "trust", "relationship", "explore", "learn", "guide", "differ", "ask", "least")
FOR_SOME = ("executive", "bridge")

#: The facts a rule may depend on, and the values of each. A blank is *unknown*; weakest is an item of the rubric.
FACTS: Mapping[str, tuple[str, ...]] = {
    "role": ROLES,
    "stage": (*STAGES, UNKNOWN),
    "coverage": COVERAGES,
    "support": (*map(str, SUPPORT_TIERS), UNKNOWN),
    "decision_method": (*DECISION_METHODS, UNKNOWN),
    "time": ("overdue", "days", "weeks", "months", UNKNOWN),
}
WEAKEST = "weakest"


def fitting(rules: Iterable[Play], situation: Mapping[str, str]) -> Play | None:
    """The first rule in the file's order whose conditions all hold; a rule without conditions always fits."""
    return next((rule for rule in rules if all(situation[fact] in values for fact, values in rule.when.items())), None)


def rule_faults(plays: Mapping[str, tuple[Play, ...]]) -> Iterator[str]:
    """Faults of the rules: a condition or a play that does not exist, a situation without advice."""
    rules = plays.get(RULES, ())
    accepted = {**FACTS, WEAKEST: (*rubric(plays), UNKNOWN)}
    wrong = [fault for rule in rules for fault in (*_unknown_facts(rule, accepted), *_dangling(rule, plays))]
    yield from wrong or _gaps(rules, accepted)


def rubric(plays: Mapping[str, tuple[Play, ...]]) -> tuple[str, ...]:
    """The rubric's items that can be rated weakest: all but influence, which is not a kind of support."""
    return tuple(play.id for play in plays.get("support", ()) if play.id != "influence")


def _unknown_facts(rule: Play, accepted: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    if rule.part not in (*FOR_ALL, *FOR_SOME):
        yield _is_not_one_of(rule, "part", rule.part, (*FOR_ALL, *FOR_SOME))
    for fact, values in rule.when.items():
        if fact not in accepted:
            yield unknown_key(_path(rule, f"when.{fact}"), fact, accepted)
        for value in values if fact in accepted else ():
            if value not in accepted[fact]:
                yield _is_not_one_of(rule, f"when.{fact}", value, accepted[fact])


def _is_not_one_of(rule: Play, key: str, got: str, accepted: tuple[str, ...]) -> str:
    return gettext("{path} is {got}; {hint}", path=_path(rule, key), got=repr(got), hint=suggestion(got, accepted))


def _path(rule: Play, key: str) -> str:
    return f"[[items]] {rule.id!r} {key!r}"


def _dangling(rule: Play, plays: Mapping[str, tuple[Play, ...]]) -> Iterator[str]:
    for pointer in rule.points_to:
        if find(pointer, plays) is None:
            path = _path(rule, "points_to")
            yield gettext("{path} has {pointer!r}, which is not an item of a subject", path=path, pointer=pointer)


def find(pointer: str, plays: Mapping[str, tuple[Play, ...]]) -> Play | None:
    """The play that ``subject.item`` names."""
    subject, _, item = pointer.partition(".")
    return next((play for play in plays.get(subject, ()) if play.id == item), None)


def _gaps(rules: tuple[Play, ...], accepted: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """For each section that applies to all roles, the first situation that no rule of it fits."""
    for part in FOR_ALL:
        section = [rule for rule in rules if rule.part == part]
        conditions = list(dict.fromkeys(fact for rule in section for fact in rule.when))
        for values in product(*(accepted[fact] for fact in conditions)):
            situation = dict(zip(conditions, values, strict=True))
            if fitting(section, situation) is None:
                where = ", ".join(f"{fact} = {value}" for fact, value in situation.items()) or "-"
                yield gettext("section {part!r}: no item fits {where}", part=part, where=where)
                break
