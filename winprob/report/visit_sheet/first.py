"""The first step on a deal, in one sentence with person, fact and day; and the commitment to ask for, dated."""

import datetime as dt

import pandas as pd

from winprob.actions.contacts import holders, informants
from winprob.actions.levers import deciders
from winprob.i18n import gettext
from winprob.methodology import channels_for, plays, time_left
from winprob.report.sheet import Column, Grid, Point, Section
from winprob.report.visit_sheet import phrases as text
from winprob.report.visit_sheet.visit import Visit

#: Days until the commitment is due: from a reading, and from one whose close date has passed.
_SOON, _OVERDUE = 14, 7
#: A line to fill in by hand.
TO_FILL = "……"


def due(facts: pd.Series, days: int | None) -> dt.date | None:
    """The day of the next commitment: two weeks after the reading, sooner where the close is nearer; a weekday.

    With days left to the close, half of them, at least one; a week after the reading where the close has passed. None
    where the day of the reading is unknown.
    """
    read = facts.get("as_of")
    if pd.isna(read):
        return None
    wait = _OVERDUE if days is not None and days <= 0 else _SOON if days is None else max(min(_SOON, days // 2), 1)
    day: dt.date = (read + pd.Timedelta(days=wait)).date()
    before = day - dt.timedelta(days=max(day.weekday() - 4, 0))
    return before if before > read.date() else day


def by(visit: Visit) -> str:
    """``By 2026-10-14``."""
    day = due(visit.facts, visit.days_left)
    return gettext("Within two weeks") if day is None else gettext("By {day}", day=day.isoformat())


def first_step(visit: Visit) -> Point:
    """What to do first: with whom, about what, by when."""
    return text.point(
        gettext("First"), gettext("{when}: {what}.", when=by(visit), what=_with_ours(visit)), _or_move(visit)
    )


def _with_ours(visit: Visit) -> str:
    """The action, and who of ours knows the person to speak with."""
    action, asked = _action(visit), visit.person if visit.met else visit.opener
    if asked is None or asked.known_by is None:
        return action
    return gettext("{action}; on our side {ours} knows {who}", action=action, ours=asked.known_by, who=asked.person)


def _or_move(visit: Visit) -> str:
    """With days left and the person not won: the close date moves unless they are."""
    soon = time_left(visit.days_left) in ("overdue", "days")
    if not soon or (visit.met and visit.person is not None and visit.person.supports):
        return ""
    return gettext(
        "If that cannot be had in time, move the close date ({close}).",
        close=visit.facts["expected_close_on"].date().isoformat(),
    )


def _action(visit: Visit) -> str:
    person = visit.person
    if person is None or not person.met:
        return _meet(visit)
    fields = {"who": text.who(person, visit.role), "need": _need(visit), "way": _way(visit), "other": _besides(visit)}
    if person.tier is None:
        return gettext("find out from {who} what they have done for us and for the others{other}", **fields)
    if person.opposes:
        against = gettext(
            "talk alone with {who} and hear what they fear to lose (likely need: {need}){other}", **fields
        )
        return _with_rival(visit, against)
    if not person.supports:
        reason = gettext(
            "give {who} a reason of their own to choose us (likely need: {need}); approach: {way}", **fields
        )
        return _with_rival(visit, reason)
    other = _to_be_won(visit)
    if other is None:
        return gettext("ask {who} for this: {what}", who=fields["who"], what=visit.step.ask.why.phrase.text())
    return gettext("ask {who} to speak for us to {other}", who=fields["who"], other=other)


def _way(visit: Visit) -> str:
    """The method's way of guiding what the customer believes, by the stage."""
    return gettext("; ").join(play.phrase.text() for play in visit.step.guide.plays)


def _besides(visit: Visit) -> str:
    """Whom to ask first, in another role; empty where no one could know."""
    asked = informants(visit.contacts, f"{visit.role}_support", None)
    return gettext("; ask {who} first", who=asked[0].text()) if asked else ""


def _meet(visit: Visit) -> str:
    """How to get to someone whom we have not met."""
    person, opener = visit.person, visit.opener
    who = text.who(person, visit.role)
    if opener is None:
        channel = next(
            play for play in channels_for(f"{visit.role}_support") if play.id not in ("coach", "inside_sources")
        )
        if person is None:
            return gettext(
                "find out who is {who}; no contact of ours can introduce us, so start from outside: {channel}",
                who=who,
                channel=channel.phrase.text(),
            )
        return gettext(
            "get to {who}, whom we have not met; no contact of ours can introduce us, so start from outside: {channel}",
            who=who,
            channel=channel.phrase.text(),
        )
    if person is None:
        return gettext("have {opener} name {who} and introduce us", opener=opener.text(), who=who)
    return gettext("a first talk with {who}; ask {opener} for the introduction", who=who, opener=opener.text())


def _with_rival(visit: Visit, action: str) -> str:
    """The action, and the competitor that this person is on record as backing."""
    rival = visit.person.competitor if visit.person else None
    return action if rival is None else gettext("{action}; on record as backing {rival}", action=action, rival=rival)


def _need(visit: Visit) -> str:
    """What this person probably needs most: the weakest item of the rubric, else the role's first need."""
    weakest = visit.person.weakest if visit.person else None
    if weakest is not None:
        return gettext("weakest so far, {item}", item=_short(text.title_of("support", weakest)))
    return _short(next(play.phrase.text() for play in visit.step.explore.plays if play.part == "need"))


def _short(phrase: str) -> str:
    """A phrase up to its colon."""
    return phrase.split(":")[0].split("：")[0].strip()


def _to_be_won(visit: Visit) -> str | None:
    """Of those who decide, and the approver, who can stop it: the one not for us whose support would add most."""
    method = visit.facts.get("decision_method")
    decide = {"approver", *(("decision_maker",) if pd.isna(method) else deciders(str(method)))}
    for row in visit.levers.to_dict("records"):
        role = str(row["role"])
        if role not in decide or pd.isna(row["win_prob_lift"]):
            continue
        inside = [one for one in holders(visit.contacts, role) if one is not visit.person]
        against = [one for one in inside if not one.supports]
        if against:
            return against[0].text()
        if not inside and role != visit.role:
            return text.who(None, role)
    return None


# --- the commitment -------------------------------------------------------------------------------------------------


def commitment(visit: Visit) -> Section:
    """The commitment to ask for, by its four elements, and the minimum."""
    step = visit.step
    answers = {"who": _asked(visit), "what": _what(visit), "when": _when(visit), "proof": _proof(visit)}
    elements = plays("commitments", "element")
    return Section(
        title=gettext("Commitment to ask for"),
        points=(text.point(gettext("Minimum commitment"), text.sentence(step.least.why.phrase.text())),),
        grid=Grid(
            columns=[Column(title=gettext("Element")), Column(title=gettext("In this visit"))],
            rows=[[play.phrase.text(), answers.get(play.id, TO_FILL)] for play in elements],
        ),
    )


def _asked(visit: Visit) -> str:
    """Who commits: the person; whoever can introduce us while we have not met."""
    asked = visit.person if visit.met else visit.opener
    if asked is not None:
        return asked.text() if asked.person else gettext("{role}: ……", role=text.role_name(asked.role))
    return gettext("no one who could introduce us is known yet: ……")


def _what(visit: Visit) -> str:
    what = visit.step.ask.why.phrase.text()
    return what if visit.met else gettext("{what}; with {who}", what=what, who=text.who(visit.person, visit.role))


def _when(visit: Visit) -> str:
    day, close = due(visit.facts, visit.days_left), visit.facts.get("expected_close_on")
    if day is None:
        return gettext("by …… (within two weeks of the visit)")
    if pd.isna(close):
        return gettext("by {day} (no close date is on record)", day=day.isoformat())
    fields = {"day": day.isoformat(), "close": close.date().isoformat()}
    if visit.days_left is not None and visit.days_left < 0:
        return gettext("by {day} (the close date, {close}, has passed)", **fields)
    return gettext("by {day} (the close is expected on {close})", **fields)


def _proof(visit: Visit) -> str:
    how = visit.step.ask.why.how
    return how.text() if how else TO_FILL
