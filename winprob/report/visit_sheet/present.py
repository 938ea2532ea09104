"""Red flags and status of the deal, changes since the last reading, and what would change the forecast."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from winprob.actions.flags import flag_title
from winprob.data.schema import COVERAGE_COLUMNS
from winprob.i18n import gettext
from winprob.methodology import ROLES, SUPPORT_TIERS, column_label, label, plays
from winprob.model.prediction import predict
from winprob.quarter import PRECISION
from winprob.report.numbers import BLANK, FACTS, full_money, missing_facts, percent, shown, span, whole
from winprob.report.sheet import Column, Grid, Point, Section
from winprob.report.visit_sheet import phrases as text
from winprob.report.visit_sheet.phrases import coverage_of, point, points_of, sentence, support_of, word
from winprob.report.visit_sheet.visit import Estimate, Visit, contrasts, draw_each, estimate, varied

#: Facts with a vocabulary, and its name.
_VOCABULARIES = {"stage": "stage", "decision_method": "decision_method", "coach": "coach"}
_TRACKED = (*FACTS, *(name for name in COVERAGE_COLUMNS if name not in FACTS))


def lead(facts: pd.Series) -> str:
    """Account, product, seller, amount and dates, as far as known."""
    return gettext(" · ").join(_known(facts))


def _known(facts: pd.Series) -> Iterator[str]:
    for column in ("account", "product", "seller"):
        value = facts.get(column) if column == "product" else shown(facts, column)
        if pd.notna(value) and value != BLANK:
            yield gettext("{what}: {value}", what=column_label(column), value=value)
    if pd.notna(facts.get("amount")):
        currency = facts.get("currency")
        amount = whole(facts["amount"]) if pd.isna(currency) else full_money(facts["amount"], str(currency))
        yield gettext("{what}: {value}", what=column_label("amount"), value=amount)
    for column in ("as_of", "expected_close_on"):
        if pd.notna(facts.get(column)):
            yield gettext("{what}: {value}", what=column_label(column), value=facts[column].date().isoformat())


#: Red flags in full on a sheet; the others by their titles.
_FLAGS = 2


def red_flags(visit: Visit) -> list[Section]:
    """What contradicts itself in the record, then what endangers the deal; empty without a flag."""
    if visit.flags.empty:
        return []
    titles = [flag_title(str(flag)) for flag in visit.flags["flag"]]
    points = [
        point(title, flag["facts"], gettext("Next: {step}", step=flag["next_step"]))
        for title, (_, flag) in zip(titles, visit.flags.head(_FLAGS).iterrows(), strict=False)
    ]
    if titles[_FLAGS:]:
        points.append(point(gettext("Also"), sentence(text.listed(titles[_FLAGS:]))))
    return [Section(title=gettext("Red flags"), points=tuple(points))]


def deal_status(visit: Visit) -> Section:
    """The win probability and its uncertainty, unknown facts, the stage, and the five roles."""
    chance = predict(visit.posterior, visit.deal).iloc[0]
    return Section(
        title=gettext("Status of the deal"),
        words=(text.together(_win_probability(chance), _uncertainty(visit, chance)),),
        points=_method(visit.facts),
        grid=_roles(visit),
    )


def _win_probability(chance: pd.Series) -> str:
    count, of = text.frequency(chance["mean"])
    return gettext(
        "Win probability {chance}, 90% interval {interval}: about {count} in {of} such deals are won.",
        chance=percent(chance["mean"]),
        interval=span(chance["lower"], chance["upper"]),
        count=count,
        of=of,
    )


def _uncertainty(visit: Visit, chance: pd.Series) -> str:
    absent = missing_facts(visit.deal).iloc[0]
    missing = [fact for fact in FACTS if absent[fact]]
    facts = gettext("{count} of nine", count=len(missing)) if missing else gettext("none of nine")
    names = (
        gettext("{facts}: {names}", facts=facts, names=gettext(", ").join(map(column_label, missing)))
        if missing
        else facts
    )
    return gettext(
        "{share} of the prior uncertainty remains. Unknown facts: {facts}.",
        share=percent(chance["prior_share"]),
        facts=names,
    )


def _method(facts: pd.Series) -> tuple[Point, ...]:
    stage = facts.get("stage")
    cares = text.phrases(plays("stages", "cares", of=str(stage))) if pd.notna(stage) else []
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
    return sentences.get(str(state), gettext("It is unknown whether there is a coach."))


def _roles(visit: Visit) -> Grid:
    columns = [column_label("role"), *([column_label("person")] if visit.people else [])]
    columns += [column_label("support"), column_label("coverage")]
    return Grid(columns=[Column(title=title) for title in columns], rows=[_role(visit, role) for role in ROLES])


def _role(visit: Visit, role: str) -> list[str]:
    who = [text.named(visit.people.get(role, ())) or BLANK] if visit.people else []
    then = visit.before.iloc[0] if visit.before is not None else visit.facts
    both = ((read(then, role), read(visit.facts, role)) for read in (support_of, coverage_of))
    return [text.role_name(role), *who, *(_from_to(old, new) for old, new in both)]


def _from_to(old: str, new: str) -> str:
    return new if old == new else gettext("{old} → {new}", old=old, new=new)


def what_changed(visit: Visit) -> list[Section]:
    """Changes since the earlier reading; empty without one."""
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
    facts = [gettext("{what}: {value}", what=column_label(fact), value=_value(visit.facts, fact)) for fact in learned]
    return [
        Section(
            title=title,
            points=(
                point(gettext("Win probability"), _moved(estimate(old), estimate(new), estimate(new - old))),
                *_changed_facts(then, visit.facts),
                point(
                    gettext("Learned"),
                    sentence(text.listed(facts)) if learned else gettext("No previously unknown fact."),
                ),
                *(
                    [point(gettext("No longer recorded"), sentence(text.listed(map(column_label, lost))))]
                    if lost
                    else []
                ),
            ),
        )
    ]


def _moved(old: Estimate, new: Estimate, change: Estimate) -> str:
    values = {"old": text.chance_of(old), "new": text.chance_of(new), "change": points_of(change)}
    if change.lower > PRECISION:
        return gettext("{old} → {new}, up: {change} points.", **values)
    if change.upper < -PRECISION:
        return gettext("{old} → {new}, down: {change} points.", **values)
    return gettext("{old} → {new}, {change} points: consistent with no change.", **values)


def _changed_facts(then: pd.Series, now: pd.Series) -> Iterator[Point]:
    """Changes of stage, decision method and coach; support and coverage are in the table."""
    for fact, name in _VOCABULARIES.items():
        old, new = word(name, then.get(fact)), word(name, now.get(fact))
        if old != new:
            yield point(column_label(fact), gettext("{old} → {new}", old=old, new=new))


def _learned(then: pd.Series, now: pd.Series) -> list[str]:
    """Facts that were unknown then and are known now."""
    return [fact for fact in _TRACKED if _unknown(then.get(fact)) and not _unknown(now.get(fact))]


def _value(facts: pd.Series, fact: str) -> str:
    """The label of a fact's value."""
    return word(_VOCABULARIES.get(fact, fact.rpartition("_")[2]), facts.get(fact))


def _unknown(value: Any) -> bool:
    return bool(pd.isna(value)) or value == "unknown"


_OPPOSED, _SUPPORTIVE, _CHAMPION = SUPPORT_TIERS[0], SUPPORT_TIERS[2], SUPPORT_TIERS[3]


def what_would_change(visit: Visit) -> Section:
    """The win probability under a different next reading, for the most relevant facts."""
    variants = _variants(visit)
    results = contrasts(visit.posterior, visit.deal, [varied(visit.deal, {fact: value}) for fact, value in variants])
    return Section(
        title=gettext("What would change the forecast"),
        words=(
            gettext(
                "If the next reading is as follows, all else equal. A reported tier is noisy, so it moves the forecast "
                "less than true support would."
            ),
        ),
        grid=Grid(
            columns=[
                Column(title=gettext("If")),
                Column(title=gettext("Win probability"), number=True),
                Column(title=gettext("Change, points"), number=True),
            ],
            rows=[
                [_fact_is(fact, value), text.chance_of(result.chance), points_of(result.change)]
                for (fact, value), result in zip(variants, results, strict=True)
            ],
        ),
    )


def _variants(visit: Visit) -> list[tuple[str, object]]:
    """The role one tier up, the role opposed, the coach validated, the approver engaged; without the present values."""
    facts, support = visit.facts, f"{visit.role}_support"
    wanted: list[tuple[str, object]] = [(support, _one_up(facts.get(support))), (support, float(_OPPOSED))]
    wanted += [("coach", "validated"), ("approver_coverage", "engaged")]
    return [(fact, value) for fact, value in wanted if value is not None and facts.get(fact) != value]


def _one_up(tier: object) -> float | None:
    """The next tier; supportive after unknown, None after champion."""
    if not isinstance(tier, float) or pd.isna(tier):
        return float(_SUPPORTIVE)
    return tier + 1 if tier < _CHAMPION else None


def _fact_is(fact: str, value: object) -> str:
    vocabulary = _VOCABULARIES.get(fact, fact.rpartition("_")[2])
    return gettext("{what}: {value}", what=column_label(fact), value=label(vocabulary, value))
