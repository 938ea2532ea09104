"""Red flags and status of the deal, and what would change the forecast."""

from collections.abc import Iterator

import pandas as pd

from winprob.actions.flags import flag_title
from winprob.actions.levers import deciders
from winprob.i18n import gettext
from winprob.methodology import SUPPORT_TIERS, column_label, label, plays
from winprob.model.prediction import predict
from winprob.report.numbers import BLANK, FACTS, full_money, missing_facts, percent, shown, span, whole
from winprob.report.sheet import Column, Grid, Point, Section
from winprob.report.visit_sheet import phrases as text
from winprob.report.visit_sheet.visit import Visit, contrasts, varied


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
        text.point(title, flag["facts"], gettext("Next: {step}", step=flag["next_step"]))
        for title, (_, flag) in zip(titles, visit.flags.head(_FLAGS).iterrows(), strict=False)
    ]
    if titles[_FLAGS:]:
        points.append(text.point(gettext("Also"), text.sentence(text.listed(titles[_FLAGS:]))))
    return [Section(title=gettext("Red flags"), points=tuple(points))]


def deal_status(visit: Visit) -> Section:
    """The win probability and its uncertainty, unknown facts, the stage and what it asks of us, the decision method."""
    chance = predict(visit.posterior, visit.deal).iloc[0]
    return Section(
        title=gettext("Status of the deal"),
        words=(text.together(_win_probability(chance), _uncertainty(visit, chance)),),
        points=(*_stage(visit), _method(visit.facts)),
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


def _stage(visit: Visit) -> tuple[Point, ...]:
    """The stage, what the customer cares about in it, and what it asks of us; the question where it is unknown."""
    stage = visit.facts.get("stage")
    if pd.isna(stage):
        (question,) = (play for play in plays("questions") if "stage" in play.columns)
        return (
            text.point(
                column_label("stage"), gettext("Unknown. Find out first: {question}", question=question.phrase.text())
            ),
        )
    (cares,), (ours,) = (plays("stages", part, of=str(stage)) for part in ("cares", "do"))
    return (
        text.point(
            column_label("stage"),
            text.sentence(text.word("stage", stage)),
            gettext("The customer cares about: {what}.", what=cares.phrase.text()),
        ),
        text.point(gettext("What the stage asks of us"), text.play_text(ours)),
    )


def _method(facts: pd.Series) -> Point:
    method = facts.get("decision_method")
    if pd.isna(method):
        return text.point(
            column_label("decision_method"),
            gettext("Unknown: until it is settled, leave no role out."),
        )
    names = gettext(", ").join(label("role", role) for role in deciders(str(method)))
    return text.point(
        column_label("decision_method"),
        text.sentence(text.word("decision_method", method)),
        gettext("Decided by: {roles}.", roles=names),
    )


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
                "less than true support would; a validated coach also makes the tiers on record count for more."
            ),
        ),
        grid=Grid(
            columns=[
                Column(title=gettext("If")),
                Column(title=gettext("Win probability"), number=True),
                Column(title=gettext("Change, points"), number=True),
            ],
            rows=[
                [_fact_is(fact, value), text.chance_of(result.chance), text.points_of(result.change)]
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
    vocabulary = text.VOCABULARIES.get(fact, fact.rpartition("_")[2])
    return gettext("{what}: {value}", what=column_label(fact), value=label(vocabulary, value))
