"""Key deals: win probability, reasons, missing facts and the next step, one row for each deal."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob.actions.flags import flag_title
from winprob.actions.levers import rank_roles
from winprob.actions.visits import Plan
from winprob.i18n import gettext
from winprob.methodology import ROLES, column_label, label, next_step, time_left
from winprob.model.explanation import BASE_RATE, DOUBT, explain, fact
from winprob.model.win.terms import ROLE_TERMS
from winprob.report.numbers import BLANK, Money, days_left, percent, points, shown, span, word_of
from winprob.report.quarterly.inputs import ReviewInputs, covered_roles

#: Reasons shown in each direction.
_REASONS = 2
#: Smaller terms, in log-odds, are not shown.
_SMALL = 0.05
#: Terms that are no facts of the deal to act on: the breakdown has them.
_NOT_REASONS = (BASE_RATE, DOUBT, "quarter", "seller")
#: Unknown facts that are named; the others are counted.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A difference from the average closed deal, and its factor on the odds."""

    up: bool
    text: str
    times: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DealRow:
    """A deal as shown; ``keys`` are sort keys, ``mean, lower, upper`` positions of the bar in percent of the axis."""

    deal: str
    #: The id, where ``deal`` is a name.
    number: str
    account: str
    owner: str
    amount: str
    closes: str
    overdue: bool
    stage: str
    category: str
    chance: str
    interval: str
    mean: float
    lower: float
    upper: float
    by_end: str
    by_end_interval: str
    expected: str
    trend: str
    keys: dict[str, float | None]
    reasons: list[Reason]
    uncovered: str
    coach: str
    unknown: str
    flags: list[str]
    lever: str
    lift: str
    lift_interval: str
    act: str


def deal_rows(inputs: ReviewInputs) -> list[DealRow]:
    """The deals shown in full, sorted by expected bookings."""
    shown = inputs.shown
    if shown.empty:
        return []
    levers = rank_roles(inputs.posterior, shown).query("rank == 1").reset_index(drop=True)
    covered = covered_roles(shown)
    return [_row(inputs, shown.iloc[[at]], levers.iloc[at], covered.iloc[at]) for at in range(len(shown))]


def _row(inputs: ReviewInputs, row: pd.DataFrame, lever: pd.Series, covered: pd.Series) -> DealRow:
    deal = row.iloc[0]
    chance = {name: float(deal[f"win_{name}"]) for name in ("prob", "lower", "upper")}
    by_end = [float(deal[name]) for name in ("by_end", "by_end_lower", "by_end_upper")]
    closes = deal["expected_close_on"]
    return DealRow(
        deal=shown(deal, "deal_id"),
        number="" if shown(deal, "deal_id") == str(deal["deal_id"]) else str(deal["deal_id"]),
        account=shown(deal, "account"),
        owner=shown(deal, "seller"),
        amount=BLANK if pd.isna(deal["amount"]) else inputs.money.text(float(deal["amount"])),
        closes=BLANK if pd.isna(closes) else pd.Timestamp(closes).date().isoformat(),
        overdue=bool(pd.notna(closes) and pd.Timestamp(closes).date() < inputs.forecast.as_of),
        stage=word_of("stage", deal["stage"]),
        category=word_of("rep_category", deal["rep_category"]),
        chance=percent(chance["prob"]),
        interval=span(chance["lower"], chance["upper"]),
        mean=round(100 * chance["prob"], 1),
        lower=round(100 * chance["lower"], 1),
        upper=round(100 * chance["upper"], 1),
        by_end=percent(by_end[0]),
        by_end_interval=span(*by_end[1:]),
        expected=inputs.money.text(float(deal["expected_bookings"])),
        trend=_trend(deal["trend"], known=inputs.compared),
        keys=sort_keys(deal),
        reasons=list(_reasons(inputs, row)),
        uncovered=_uncovered(covered),
        coach=word_of("coach", deal.get("coach")),
        unknown=_unknown(deal["missing"]),
        flags=[flag_title(str(flag)) for flag in inputs.flags["flag"][inputs.flags["deal_id"] == deal["deal_id"]]],
        **_next(inputs, deal, lever),
    )


def sort_keys(deal: pd.Series) -> dict[str, float | None]:
    """Sort keys of a deal; None where a value is missing."""
    closes = deal["expected_close_on"]
    numbers = {name: deal[name] for name in ("amount", "win_prob", "by_end", "expected_bookings", "trend")}
    keys = {name: None if pd.isna(value) else float(value) for name, value in numbers.items()}
    return {**keys, "closes": None if pd.isna(closes) else float(pd.Timestamp(closes).toordinal())}


def _trend(change: float, *, known: bool) -> str:
    if math.isnan(change):
        return gettext("new") if known else BLANK
    return points(change)


def _reasons(inputs: ReviewInputs, row: pd.DataFrame) -> Iterator[Reason]:
    """The terms that raise the win probability most, then those that lower it most."""
    deal = row.iloc[0]
    terms = explain(inputs.posterior, row, str(deal["deal_id"]))
    terms = terms[~terms["term"].isin(_NOT_REASONS) & (terms["log_odds"].abs() >= _SMALL)]
    ups, downs = terms[terms["log_odds"] > 0].head(_REASONS), terms[terms["log_odds"] < 0].head(_REASONS)
    for term in pd.concat([ups, downs]).to_dict("records"):
        size = float(term["log_odds"])
        yield Reason(up=size > 0, text=_short(term["term"], deal, inputs.money), times=f"×{math.exp(size):.1f}")


def _short(term: str, deal: pd.Series, money: Money) -> str:
    """A term as a phrase; for roles without the coach, who has a separate line."""
    if term == "amount" and pd.notna(deal.get(term)):
        return gettext("{what}: {value}", what=column_label(term), value=money.text(float(deal[term])))
    if term not in ROLE_TERMS:
        return fact(term, deal)
    role = ROLES[ROLE_TERMS.index(term)]
    support = deal.get(term)
    reported = gettext("not reported") if pd.isna(support) else label("support", support)
    return gettext("{what}: {value}", what=label("role", role), value=reported)


def _uncovered(covered: pd.Series) -> str:
    missing = [label("role", role) for role in ROLES if not covered[role]]
    return gettext(", ").join(missing) if missing else gettext("none; all roles are in contact")


def _unknown(missing: list[str]) -> str:
    if not missing:
        return gettext("none; all nine facts are known")
    named = gettext(", ").join(column_label(name) for name in missing[:_NAMED])
    if len(missing) <= _NAMED:
        return named
    return gettext("{facts} and {count} more", facts=named, count=len(missing) - _NAMED)


def _next(inputs: ReviewInputs, deal: pd.Series, lever: pd.Series) -> dict[str, str]:
    """The first lever, its lift, and who does what."""
    act = who_does_what(inputs.plan, deal, lever)
    if pd.isna(lever["win_prob_lift"]):
        return {"lever": gettext("no role's support can rise further"), "lift": "", "lift_interval": "", "act": act}
    role = str(lever["role"])
    return {
        "lever": gettext("{role}, one tier up:", role=label("role", role)),
        "lift": gettext("{points} points", points=points(lever["win_prob_lift"])),
        "lift_interval": gettext("({lower} to {upper})", lower=points(lever["lower"]), upper=points(lever["upper"])),
        "act": act,
    }


def lever_text(plan: Plan | None, deal: Mapping[Any, Any], lever: Mapping[Any, Any]) -> str:
    """The next step of a deal in a phrase: the planned visits, else its first lever and what to do about it."""
    if pd.isna(lever["win_prob_lift"]):
        return gettext("no role's support can rise further")
    role = str(lever["role"])
    visits = _visits_text(plan, deal["deal_id"])
    return visits or gettext("{role}, one tier up: {goal}", role=label("role", role), goal=_goal_text(deal, role))


def who_does_what(plan: Plan | None, deal: Mapping[Any, Any] | pd.Series, lever: Mapping[Any, Any] | pd.Series) -> str:
    """The planned visits of a deal, else what its owner does about the first lever; the owner where there is none."""
    owner = shown(deal, "seller")
    if pd.isna(lever["win_prob_lift"]):
        return owner
    visits = _visits_text(plan, deal["deal_id"])
    return visits or gettext("{owner}: {goal}", owner=owner, goal=_goal_text(deal, str(lever["role"])))


def _visits_text(plan: Plan | None, deal_id: object) -> str:
    """Who visits whom in this deal; empty without a planned visit."""
    visits = [] if plan is None else plan.visits[plan.visits["deal_id"] == deal_id].to_dict("records")
    return gettext("; ").join(
        gettext("{executive} visits the {role}", executive=visit["executive"], role=label("role", visit["role"]))
        for visit in visits
    )


def _goal_text(deal: Mapping[Any, Any] | pd.Series, role: str) -> str:
    """What a visit to the role is to change."""
    goal = next_step(
        role=role,
        stage=deal.get("stage"),
        coverage=deal.get(f"{role}_coverage"),
        support=deal.get(f"{role}_support"),
        decision_method=deal.get("decision_method"),
        time=time_left(days_left(deal)),
    ).goal
    return gettext("; ").join(play.phrase.text() for play in goal.plays) or goal.why.phrase.text()
