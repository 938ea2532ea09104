"""Facts about the people of a deal from the answers: tier and influence, coverage of the role, and the next step."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from winprob import methodology as method
from winprob.actions.worksheets.sections import Answered, answered, row, section_facts, stated
from winprob.i18n import gettext

_INFLUENCE = 2


def role_facts(of_deal: pd.DataFrame, deal: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    """The facts of each role that was answered about, then those of its people."""
    for role in method.ROLES:
        of_role = of_deal[of_deal["role"] == role]
        people = {person: answered(mine) for person, mine in of_role.groupby("person", sort=False, dropna=False)}
        people = {person: mine for person, mine in people.items() if mine}
        if people:
            yield from ({**each, "role": role} for each in _role(role, people, deal))


def _role(role: str, people: Mapping[Any, dict[str, Answered]], deal: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    day = max(each.day for mine in people.values() for each in mine.values())
    rated = [mine["support"] for mine in people.values() if "support" in mine]
    tier = _tier(rated)
    if rated:
        yield _support(role, rated, tier, deal, day)
    contacts = [mine["contacts"] for mine in people.values() if "contacts" in mine]
    coverage = _coverage(role, contacts)
    if coverage:
        yield _covered(role, contacts, coverage, deal, day)
    for person, mine in people.items():
        named = None if pd.isna(person) else str(person)
        goal, reason = _next_step(role, mine, tier, coverage, deal)
        facts = (*_ratings(mine), *section_facts(mine, role), row("next_step", goal, None, day, reason))
        yield from ({**each, "person": named} for each in facts)


def _support(
    role: str, rated: Sequence[Answered], tier: int | None, deal: Mapping[Any, Any], day: pd.Timestamp
) -> dict[str, Any]:
    """The role's tier; where the record has more people than were rated, the two cannot be compared."""
    readings = deal.get(f"{role}_readings")
    people = len(str(readings).split()) if readings is not None and pd.notna(readings) else 1
    reason = gettext("people rated by the rubric: {count}; weighted by influence", count=len(rated))
    found = row(f"{role}_support", tier, stated(deal, f"{role}_support"), day, reason)
    if len(rated) >= people:
        return found
    reason = gettext(
        "people rated by the rubric: {count} of {people}; weighted by influence", count=len(rated), people=people
    )
    return {**found, "agrees": None, "reason": reason}


def _coverage(role: str, contacts: Sequence[Answered]) -> str | None:
    """The role's coverage; None where the answers do not settle whether we know the person at all."""
    telling = [
        method.RoleContact(
            role=role,
            identified=each.given.get("identified") is True,
            talks=int(each.given.get("talks") or 0),
            in_depth=each.given.get("in_depth") is True,
        )
        for each in contacts
        if "identified" in each.given or each.given.get("talks") or each.given.get("in_depth")
    ]
    return method.role_coverage(telling)[role] if telling else None


def _covered(
    role: str, contacts: Sequence[Answered], coverage: str, deal: Mapping[Any, Any], day: pd.Timestamp
) -> dict[str, Any]:
    """The role's coverage; one below the record's counts only where every question about the contact was answered."""
    value = deal.get(f"{role}_coverage")
    on_record = None if value is None or pd.isna(value) else str(value)
    reason = gettext("an in-depth talk: engaged; a talk: contacted; a known name: identified")
    found = row(f"{role}_coverage", coverage, on_record, day, reason)
    settled = all({"talks", "in_depth"} <= set(each.given) for each in contacts) or coverage == "unknown"
    lower = on_record is not None and method.COVERAGES.index(coverage) < method.COVERAGES.index(on_record)
    return {**found, "agrees": None} if lower and not settled else found


def _ratings(mine: Mapping[str, Answered]) -> Iterator[dict[str, Any]]:
    if "support" in mine:
        rubric = mine["support"]
        weakest = _weakest(rubric)
        names = {play.id: play.phrase.text() for play in method.plays("support")}
        reason = gettext("weakest: {item}", item=names[weakest]) if weakest else ""
        yield row("support", method.derive_support(rubric.given), None, rubric.day, reason)
        yield row("influence", method.derive_influence(rubric.given), None, rubric.day, "")


def _tier(rated: Sequence[Answered]) -> int | None:
    """The tier of a role's people, weighted by influence, a half rounded up, as a people table's is."""
    pairs = [(method.derive_support(each.given), method.derive_influence(each.given) or _INFLUENCE) for each in rated]
    known = [(tier, influence) for tier, influence in pairs if tier is not None]
    weight = sum(influence for _, influence in known)
    # floor(mean + 1/2) in whole numbers, so that no rounding error decides a tier.
    return (2 * sum(tier * influence for tier, influence in known) + weight) // (2 * weight) if known else None


def _weakest(rubric: Answered) -> str | None:
    """The rubric's item that is rated lowest, and not at the top; ties in the order of the rubric."""
    rated = {play.id: rubric.given[play.id] for play in method.plays("support") if play.id in rubric.given}
    below = {item: rating for item, rating in rated.items() if item != "influence" and rating < 4}
    return min(below, key=below.__getitem__, default=None)


def _next_step(
    role: str, mine: Mapping[str, Answered], tier: int | None, coverage: str | None, deal: Mapping[Any, Any]
) -> tuple[str, str]:
    """The goal with the person, and the trust to build and the commitment to ask for, by what was answered."""
    support = method.derive_support(mine["support"].given) if "support" in mine else None
    step = method.next_step(
        role=role,
        stage=stated(deal, "stage"),
        coverage=coverage or stated(deal, f"{role}_coverage"),
        support=support or tier or stated(deal, f"{role}_support"),
        decision_method=stated(deal, "decision_method"),
        weakest=_weakest(mine["support"]) if "support" in mine else None,
    )
    reason = gettext(
        "{role}: {weight}. Trust: {trust}. Ask for: {ask}",
        role=method.label("role", role),
        weight=step.weight.why.phrase.text(),
        trust=gettext("; ").join(play.phrase.text() for play in step.trust.plays),
        ask=step.ask.why.phrase.text(),
    )
    return step.goal.why.phrase.text(), reason
