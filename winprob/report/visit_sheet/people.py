"""People of the deal: each with support, trend, influence and introduction; the coach; who backs which competitor."""

import re
from collections.abc import Iterator

import pandas as pd

from winprob.actions import contacts
from winprob.i18n import gettext
from winprob.methodology import ROLES, column_label, label, plays
from winprob.report.numbers import BLANK, text_of
from winprob.report.sheet import Column, Grid, Point, Section
from winprob.report.visit_sheet import phrases as text
from winprob.report.visit_sheet.visit import Visit

#: Columns of the people table that the sheet shows where the table has them, else names as missing.
_NOTES = ("last_contact", "known_by", "reports_to")
#: Separators between several competitors in one cell.
_BETWEEN = re.compile(r"[;；,，、/]")
#: The most claims to have confirmed, competitors, and people named for each.
_CLAIMS, _RIVALS, _BACKERS = 2, 3, 3


def people(visit: Visit) -> Section:
    """The people by role, what is not on record about them, the coach, and the competitors."""
    return Section(
        title=gettext("People"),
        words=tuple(_not_recorded(visit)),
        points=(coach(visit), *competitors(visit)),
        grid=_grid(visit),
        wide=True,
    )


def _not_recorded(visit: Visit) -> Iterator[str]:
    if not visit.named:
        yield gettext("No people table was given: names, influence and who knows whom are unknown.")
        return
    missing = [name for name in _NOTES if name not in visit.noted]
    unknown = [column_label(name) for name in missing]
    if visit.before is None:
        unknown.append(gettext("trend (one reading only)"))
    if unknown:
        yield gettext("Not on record: {what}.", what=gettext(", ").join(unknown))


# --- the table ------------------------------------------------------------------------------------------------------


def _grid(visit: Visit) -> Grid:
    titles = [column_label("role")]
    if visit.named:
        titles += [column_label("person"), column_label("influence")]
    titles += [column_label("support"), column_label("coverage")]
    titles += [column_label(name) for name in _NOTES if name in visit.noted]
    titles.append(gettext("Introduction"))
    rows = [row for role in ROLES for row in _rows(visit, role)]
    return Grid(columns=[Column(title=title) for title in titles], rows=rows)


def _rows(visit: Visit, role: str) -> list[list[str]]:
    inside = contacts.holders(visit.contacts, role)
    if visit.named and inside:
        return [_person(visit, one) for one in inside]
    then = visit.facts if visit.before is None else visit.before.iloc[0]
    both = [_from_to(read(then, role), read(visit.facts, role)) for read in (text.support_of, text.coverage_of)]
    notes = [BLANK for name in _NOTES if name in visit.noted]
    names = [BLANK, BLANK] if visit.named else []
    met = bool(inside) and inside[0].met
    return [[text.role_name(role), *names, *both, *notes, BLANK if met else _introduction(visit, role, None)]]


def _person(visit: Visit, one: contacts.Contact) -> list[str]:
    notes = {
        "last_contact": one.last_contact.date().isoformat() if one.last_contact is not None else BLANK,
        "known_by": one.known_by or BLANK,
        "reports_to": one.reports_to or BLANK,
    }
    return [
        text.role_name(one.role),
        one.person,
        BLANK if one.influence is None else str(one.influence),
        _trend(visit, one),
        text.word("coverage", one.coverage or "unknown"),
        *(notes[name] for name in _NOTES if name in visit.noted),
        BLANK if one.met else _introduction(visit, one.role, one),
    ]


def _trend(visit: Visit, one: contacts.Contact) -> str:
    """The support, and what it was in the earlier reading where that is known and different."""
    now = label("support", one.tier)
    earlier = [was for was in visit.before_contacts if (was.person, was.role) == (one.person, one.role)]
    if earlier:
        return _from_to(label("support", earlier[0].tier), now)
    if visit.before is None or len(contacts.holders(visit.contacts, one.role)) > 1:
        return now
    return _from_to(text.support_of(visit.before.iloc[0], one.role), now)


def _from_to(old: str, new: str) -> str:
    return new if old == new else gettext("{old} → {new}", old=old, new=new)


def _introduction(visit: Visit, role: str, target: contacts.Contact | None) -> str:
    """Who can introduce us, by name."""
    able = contacts.introducer(visit.contacts, role, target)
    if able is not None:
        return able.person or text.role_name(able.role)
    nearest = contacts.door_opener(visit.contacts, role, target)
    if nearest is None:
        return gettext("no one")
    return gettext("no one close; try {who}", who=nearest.person or text.role_name(nearest.role))


# --- the coach ------------------------------------------------------------------------------------------------------


def coach(visit: Visit) -> Point:
    """The coach by name, and what to have confirmed by whom; without one, whom to develop."""
    state = visit.facts.get("coach")
    if state in ("unvalidated", "validated"):
        return text.point(column_label("coach"), text.sentence(_named_coach(visit, str(state))), *_to_confirm(visit))
    candidate = contacts.coach_candidate(visit.contacts)
    known = gettext("none") if state == "none" else gettext("not known whether there is one")
    if candidate is None:
        return text.point(
            column_label("coach"), text.sentence(known), gettext("No one we have met supports us enough to be one.")
        )
    first = next(play for play in plays("coach", "development"))
    return text.point(
        column_label("coach"),
        text.sentence(known),
        gettext("Candidate: {who}. {how}.", who=candidate.text(), how=first.phrase.text()),
    )


def _named_coach(visit: Visit, state: str) -> str:
    marked = contacts.coaches(visit.contacts)
    known = {"unvalidated": gettext("not validated yet"), "validated": gettext("validated")}[state]
    if not marked:
        return gettext("{state}, no name on record", state=known)
    names = gettext(", ").join(one.text() for one in marked)
    return gettext("{names}: {state}", names=names, state=known)


def _to_confirm(visit: Visit) -> Iterator[str]:
    """What to have confirmed, hearsay first; and who could confirm it without the coach."""
    claims = text.listed(_claims(visit))
    independent = contacts.informants(visit.contacts, "coach", None)
    if not claims:
        return
    if not independent:
        yield gettext("To have confirmed, by someone not yet found: {claims}.", claims=claims)
    elif contacts.coaches(visit.contacts):
        yield gettext(
            "To have confirmed by {who}, independently of the coach: {claims}.",
            who=independent[0].text(support=False),
            claims=claims,
        )
    else:
        yield gettext(
            "To have confirmed by someone who is not the coach, such as {who}: {claims}.",
            who=independent[0].text(support=False),
            claims=claims,
        )


def _claims(visit: Visit) -> list[str]:
    """Support of people we have not met, then how it is decided, then the stage."""
    found = [
        gettext("{who} is {support}", who=one.text(support=False), support=label("support", one.tier))
        for one in contacts.hearsay(visit.contacts)
    ]
    for fact in ("decision_method", "stage"):
        value = visit.facts.get(fact)
        if pd.notna(value):
            found.append(gettext("{what}: {value}", what=column_label(fact), value=label(fact, value)))
    return found[:_CLAIMS]


# --- competitors ----------------------------------------------------------------------------------------------------


def competitors(visit: Visit) -> list[Point]:
    """Each competitor with who backs it; those opposed to us where no one is on record."""
    recorded = visit.facts.get("competitor")
    names = [] if pd.isna(recorded) else [name.strip() for name in _BETWEEN.split(text_of(recorded)) if name.strip()]
    names += [one.competitor for one in visit.contacts if one.competitor]
    rivals = list(dict.fromkeys(names))[:_RIVALS]
    title = column_label("competitor")
    if not rivals:
        return [text.point(title, gettext("none recorded: ask who else was invited, and by whom."))]
    return [text.point(title, *(_rival(visit, rival) for rival in rivals))]


def _rival(visit: Visit, rival: str) -> str:
    backers = [one for one in visit.contacts if one.competitor == rival]
    if backers:
        return gettext("{rival}: backed by {who}.", rival=rival, who=_named(backers))
    against = [one for one in visit.contacts if one.opposes]
    if against:
        return gettext(
            "{rival}: no one on record as backing it; opposed to us: {who}.",
            rival=rival,
            who=gettext(", ").join(one.text(support=False) for one in against),
        )
    return gettext(
        "{rival}: who backs it is unknown. Ask {who}.",
        rival=rival,
        who=contacts.whom_to_ask(visit.contacts, f"{visit.role}_support", visit.facts.get("coach")),
    )


def _named(backers: list[contacts.Contact]) -> str:
    """The most influential by name with their stance, and the number of the others."""
    first = sorted(backers, key=lambda one: -one.weight)[:_BACKERS]
    names = gettext(", ").join(map(_stance, first))
    left = len(backers) - len(first)
    return gettext("{names} and {count} more", names=names, count=left) if left else names


def _stance(one: contacts.Contact) -> str:
    """A person with the rating of their stance towards competitors, in words."""
    if one.stance is None:
        return one.text()
    rating = next(play for play in plays("support") if play.id == "competitor_stance").anchors[one.stance - 1]
    return gettext("{what}: {value}", what=one.text(), value=rating.text())
