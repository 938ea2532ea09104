"""Where does the deal stand, and what has changed since the last reading?"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from winprob.data.schema import COVERAGE_COLUMNS
from winprob.i18n import gettext
from winprob.methodology import ROLES, column_label, plays
from winprob.model.prediction import predict
from winprob.report.grids import Column, Grid
from winprob.report.numbers import BLANK, full_money, percent, span, whole
from winprob.report.review import FACTS, missing_facts
from winprob.report.sheet import Point, Section
from winprob.report.visit_sheet.contrasts import Estimate, draw_each, estimate
from winprob.report.visit_sheet.phrases import (
    chance_of,
    coverage_of,
    frequency,
    listed,
    named,
    phrases,
    point,
    points_of,
    role_name,
    sentence,
    support_of,
    together,
    word,
)
from winprob.report.visit_sheet.visit import Visit

#: Facts told in words, and the word each is told by.
_WORDS = {"stage": "stage", "decision_method": "decision_method", "coach": "coach"}
_TRACKED = (*FACTS, *(name for name in COVERAGE_COLUMNS if name not in FACTS))


def lead(facts: pd.Series) -> str:
    """Whose deal, how large, read when, due when; only what is known."""
    return gettext(" · ").join(_known(facts))


def _known(facts: pd.Series) -> Iterator[str]:
    for column in ("account", "product", "seller"):
        if pd.notna(facts.get(column)):
            yield gettext("{what}: {value}", what=column_label(column), value=facts[column])
    if pd.notna(facts.get("amount")):
        coin = facts.get("currency")
        amount = whole(facts["amount"]) if pd.isna(coin) else full_money(facts["amount"], str(coin))
        yield gettext("{what}: {value}", what=column_label("amount"), value=amount)
    for column in ("as_of", "expected_close_on"):
        if pd.notna(facts.get(column)):
            yield gettext("{what}: {value}", what=column_label(column), value=facts[column].date().isoformat())


def where_it_stands(visit: Visit) -> Section:
    """The win probability and how sure it is, what is unknown, the stage, and the five roles."""
    chance = predict(visit.posterior, visit.deal).iloc[0]
    return Section(
        title=gettext("Where the deal stands"),
        words=(together(_verdict(chance), _doubt(visit, chance)),),
        points=_method(visit.facts),
        grid=_roles(visit),
    )


def _verdict(chance: pd.Series) -> str:
    count, of = frequency(chance["mean"])
    return gettext(
        "Win probability {chance}, 90% interval {interval}: about {count} in {of} such deals are won.",
        chance=percent(chance["mean"]),
        interval=span(chance["lower"], chance["upper"]),
        count=count,
        of=of,
    )


def _doubt(visit: Visit, chance: pd.Series) -> str:
    absent = missing_facts(visit.deal).iloc[0]
    missing = [fact for fact in FACTS if absent[fact]]
    facts = gettext("{count} of nine", count=len(missing)) if missing else gettext("none of nine")
    names = (
        gettext("{facts}: {names}", facts=facts, names=gettext(", ").join(map(column_label, missing)))
        if missing
        else facts
    )
    return gettext(
        "Of the doubt before any deal was seen {share} is left. Facts not known: {facts}.",
        share=percent(chance["prior_share"]),
        facts=names,
    )


def _method(facts: pd.Series) -> tuple[Point, ...]:
    stage = facts.get("stage")
    cares = phrases(plays("stages", "cares", of=str(stage))) if pd.notna(stage) else []
    return (
        point(
            column_label("stage"),
            sentence(word("stage", stage)),
            *(gettext("The customer cares about: {what}.", what=what) for what in cares),
        ),
        point(
            column_label("decision_method"),
            sentence(word("decision_method", facts.get("decision_method"))),
            _coach(facts.get("coach")),
        ),
    )


def _coach(state: object) -> str:
    sentences = {
        "none": gettext("There is no coach."),
        "unvalidated": gettext("There is a coach, not validated yet."),
        "validated": gettext("There is a validated coach."),
    }
    return sentences.get(str(state), gettext("Whether there is a coach is not known."))


def _roles(visit: Visit) -> Grid:
    columns = [column_label("role"), *([column_label("person")] if visit.people else [])]
    columns += [column_label("support"), column_label("coverage")]
    return Grid(columns=[Column(title=title) for title in columns], rows=[_role(visit, role) for role in ROLES])


def _role(visit: Visit, role: str) -> list[str]:
    who = [named(visit.people.get(role, ())) or BLANK] if visit.people else []
    then = visit.before.iloc[0] if visit.before is not None else visit.facts
    both = ((read(then, role), read(visit.facts, role)) for read in (support_of, coverage_of))
    return [role_name(role), *who, *(_from_to(old, new) for old, new in both)]


def _from_to(old: str, new: str) -> str:
    return new if old == new else gettext("{old} → {new}", old=old, new=new)


def what_changed(visit: Visit) -> list[Section]:
    """Then and now; nothing where there is no earlier reading."""
    if visit.before is None:
        return []
    then = visit.before.iloc[0]
    old, new = draw_each(visit.posterior, [visit.before, visit.deal])
    day = then.get("as_of")
    title = (
        gettext("What has changed since {day}", day=day.date().isoformat())
        if pd.notna(day)
        else gettext("What has changed")
    )
    learned, lost = _learned(then, visit.facts), _learned(visit.facts, then)
    found = [gettext("{what}: {value}", what=column_label(fact), value=_told(visit.facts, fact)) for fact in learned]
    return [
        Section(
            title=title,
            points=(
                point(gettext("Win probability"), _moved(estimate(old), estimate(new), estimate(new - old))),
                *_words_changed(then, visit.facts),
                point(gettext("Learned"), sentence(listed(found)) if learned else gettext("No fact that was unknown.")),
                *([point(gettext("No longer recorded"), sentence(listed(map(column_label, lost))))] if lost else []),
            ),
        )
    ]


def _moved(old: Estimate, new: Estimate, change: Estimate) -> str:
    values = {"old": chance_of(old), "new": chance_of(new), "change": points_of(change)}
    if change.lower > 0:
        return gettext("{old} → {new}, up: {change} points.", **values)
    if change.upper < 0:
        return gettext("{old} → {new}, down: {change} points.", **values)
    return gettext("{old} → {new}, {change} points: it may be no change at all.", **values)


def _words_changed(then: pd.Series, now: pd.Series) -> Iterator[Point]:
    """Stage, decision method and coach where they changed; supports and coverage stand in the table."""
    for fact, name in _WORDS.items():
        old, new = word(name, then.get(fact)), word(name, now.get(fact))
        if old != new:
            yield point(column_label(fact), gettext("{old} → {new}", old=old, new=new))


def _learned(then: pd.Series, now: pd.Series) -> list[str]:
    """Facts that were unknown then and are known now."""
    return [fact for fact in _TRACKED if _unknown(then.get(fact)) and not _unknown(now.get(fact))]


def _told(facts: pd.Series, fact: str) -> str:
    """What stands in a fact, in words."""
    return word(_WORDS.get(fact, fact.rpartition("_")[2]), facts.get(fact))


def _unknown(value: Any) -> bool:
    return bool(pd.isna(value)) or value == "unknown"
