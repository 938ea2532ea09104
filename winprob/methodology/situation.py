"""Where do we stand with a person, and which rule of a section fits that?"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from winprob.i18n import gettext
from winprob.methodology.records import Play
from winprob.methodology.vocabulary import COVERAGES, DECISION_METHODS, ROLES, STAGES, SUPPORT_TIERS

UNKNOWN = "unknown"
#: The subject that holds the rules, and its sections: those that have advice for everyone, those for executives only.
RULES = "next_steps"
FOR_ALL = ("goal", "weight", "trust", "relationship", "explore", "learn", "guide", "differ", "ask", "least")
FOR_SOME = ("executive", "bridge")

#: What a rule may look at, and the values of each. A blank is *unknown*; the weakest item is one of the rubric's.
FACTS: Mapping[str, tuple[str, ...]] = {
    "role": ROLES,
    "stage": (*STAGES, UNKNOWN),
    "coverage": COVERAGES,
    "support": (*map(str, SUPPORT_TIERS), UNKNOWN),
    "decision_method": (*DECISION_METHODS, UNKNOWN),
}
WEAKEST = "weakest"


def fitting(rules: Iterable[Play], situation: Mapping[str, str]) -> Play | None:
    """The first rule, in the file's order, all of whose conditions hold; a rule without any always fits."""
    return next((rule for rule in rules if all(situation[fact] in values for fact, values in rule.when)), None)


def rule_faults(plays: Mapping[str, tuple[Play, ...]]) -> Iterator[str]:
    """What makes the rules useless: a condition or a play that does not exist, a situation without advice."""
    rules = plays.get(RULES, ())
    accepted = {**FACTS, WEAKEST: (*rubric(plays), UNKNOWN)}
    wrong = [fault for rule in rules for fault in (*_strangers(rule, accepted), *_dangling(rule, plays))]
    yield from wrong or _gaps(rules, accepted)


def rubric(plays: Mapping[str, tuple[Play, ...]]) -> tuple[str, ...]:
    """The rubric's items that can be somebody's weakest: all but influence, which is no support."""
    return tuple(play.id for play in plays.get("support", ()) if play.id != "influence")


def _strangers(rule: Play, accepted: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    if rule.part not in (*FOR_ALL, *FOR_SOME):
        wanted = ", ".join((*FOR_ALL, *FOR_SOME))
        yield _at(rule, gettext("{key!r} is {got!r}, accepted: {accepted}", key="part", got=rule.part, accepted=wanted))
    for fact, values in rule.when:
        if fact not in accepted:
            yield _at(
                rule, gettext("unknown key {key!r}; accepted: {accepted}", key=fact, accepted=", ".join(accepted))
            )
        for value in values if fact in accepted else ():
            if value not in accepted[fact]:
                wanted = ", ".join(accepted[fact])
                yield _at(
                    rule, gettext("{key!r} is {got!r}, accepted: {accepted}", key=fact, got=value, accepted=wanted)
                )


def _dangling(rule: Play, plays: Mapping[str, tuple[Play, ...]]) -> Iterator[str]:
    for pointer in rule.points_to:
        if find(pointer, plays) is None:
            yield _at(rule, gettext("it points to {pointer!r}, which is no subject.item", pointer=pointer))


def find(pointer: str, plays: Mapping[str, tuple[Play, ...]]) -> Play | None:
    """The play that ``subject.item`` names."""
    subject, _, item = pointer.partition(".")
    return next((play for play in plays.get(subject, ()) if play.id == item), None)


def _gaps(rules: tuple[Play, ...], accepted: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """For each section that everyone needs the first situation that no rule of it fits."""
    for part in FOR_ALL:
        section = [rule for rule in rules if rule.part == part]
        looked_at = list(dict.fromkeys(fact for rule in section for fact, _ in rule.when))
        for values in product(*(accepted[fact] for fact in looked_at)):
            situation = dict(zip(looked_at, values, strict=True))
            if fitting(section, situation) is None:
                where = ", ".join(f"{fact} = {value}" for fact, value in situation.items()) or "-"
                yield gettext("section {part!r}: no item fits {where}", part=part, where=where)
                break


def _at(rule: Play, fault: str) -> str:
    return gettext("item {item!r}: {fault}", item=rule.id, fault=fault)
