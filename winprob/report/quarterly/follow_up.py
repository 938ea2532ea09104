"""Follow-up section: visits planned for executives, and deals that break a rule of the review."""

import math
from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd

from winprob.actions.visits import Plan, amount, lever_sentences
from winprob.data.schema import column_or_missing
from winprob.i18n import gettext
from winprob.methodology import label
from winprob.model.posterior import Posterior
from winprob.quarter import Forecast, TargetEffect, target_effect, target_effect_sentence
from winprob.report.numbers import Money, name_of, percent, shown
from winprob.report.quarterly.inputs import ReviewInputs, covered_roles
from winprob.report.sheet import Column, Grid, findings_grid

#: Thresholds of the confidence labels: share of draws whose best plan contains the visit.
_GRADES = (0.8, 0.5, 0.25)


def visit_sentences(inputs: ReviewInputs) -> list[str]:
    if inputs.plan is None:
        return [gettext("No executives were given, so no visits are planned.")]
    if inputs.plan.visits.empty:
        return [gettext("No executive visit would increase expected bookings."), *inputs.plan.notes]
    effect = inputs.plan_effect
    reached = [] if effect is None else [target_effect_sentence(effect, inputs.money.text)]
    return [
        *_plan_sentences(inputs.plan, inputs.money),
        *reached,
        *lever_sentences(inputs.plan),
        *inputs.plan.notes,
    ]


def effect_on_target(
    posterior: Posterior, deals: pd.DataFrame, forecast: Forecast, plan: Plan | None, rates: pd.DataFrame | None
) -> TargetEffect | None:
    """What a plan does to the target of the forecast; None without a target, a visit, or the rates that it needs."""
    if plan is None or plan.visits.empty or not forecast.target or (forecast.rates and rates is None):
        return None
    return target_effect(
        posterior,
        deals,
        forecast.quarter,
        plan.win_prob_gain,
        target=forecast.target,
        as_of=forecast.as_of,
        currency=forecast.currency or None,
        rates=rates,
        seed=forecast.seed,
    )


def _plan_sentences(plan: Plan, money: Money) -> Iterator[str]:
    """The gain of the plan."""
    ends = {name: _gain(plan, getattr(plan.gain, name), money) for name in ("mean", "lower", "upper")}
    yield gettext(
        "{visits} visits by {executives} executives to {deals} deals: {gain} more in expectation ({lower} to {upper}).",
        visits=len(plan.visits),
        executives=plan.visits["executive"].nunique(),
        deals=plan.visits["deal_id"].nunique(),
        gain=ends["mean"],
        lower=ends["lower"],
        upper=ends["upper"],
    )


def visits_grid(inputs: ReviewInputs) -> Grid | None:
    """The visits, largest gain first."""
    plan = inputs.plan
    if plan is None or plan.visits.empty:
        return None
    visits = plan.visits.sort_values("expected_gain", ascending=False, kind="stable")
    deals = inputs.deals.set_index("deal_id", drop=False).to_dict("index")
    titles = [gettext("Rank"), gettext("Who"), gettext("Visits"), gettext("Deal"), gettext("Owner")]
    numbers = [gettext("Expected gain"), gettext("90% interval")]
    columns = [
        *(Column(title=text) for text in titles),
        *(Column(title=text, number=True) for text in numbers),
        Column(title=gettext("Confidence in the choice")),
    ]
    rows = [
        _row(plan, inputs.money, rank, visit, deals.get(visit["deal_id"], {}))
        for rank, visit in enumerate(visits.to_dict("records"), start=1)
    ]
    return Grid(columns=columns, rows=rows)


def _row(plan: Plan, money: Money, rank: int, visit: dict[Hashable, Any], deal: dict[Hashable, Any]) -> list[str]:
    name = visit["deal_id"]
    return [
        str(rank),
        visit["executive"],
        label("role", visit["role"]),
        name_of({"deal_id": name, **deal}),
        shown(deal, "seller"),
        _gain(plan, visit["expected_gain"], money),
        gettext(
            "{lower} to {upper}", lower=_gain(plan, visit["lower"], money), upper=_gain(plan, visit["upper"], money)
        ),
        confidence(visit["prob_in_best"]),
    ]


def _gain(plan: Plan, value: float, money: Money) -> str:
    return money.text(value) if plan.unit else amount(plan, value)


def confidence(share: float) -> str:
    """Label of the share of draws whose best plan contains this visit."""
    if math.isnan(share):
        return gettext("not computed")
    firm, likely, open_ = _GRADES
    chance = percent(share)
    if share >= firm:
        return gettext("firm: in {chance} of the best plans", chance=chance)
    if share >= likely:
        return gettext("likely: in {chance} of the best plans", chance=chance)
    if share >= open_:
        return gettext("one of several: in {chance} of the best plans", chance=chance)
    return gettext("weak: in {chance} of the best plans", chance=chance)


#: Deals of a kind that are named; the others are counted.
_NAMED = 8


def exceptions_grid(inputs: ReviewInputs) -> Grid:
    """One row for each rule that some deal breaks."""
    rows = []
    for kind, deals, details in _kinds(inputs):
        if len(deals):
            money = inputs.money.text(float(deals["amount"].sum()))
            rows.append([kind, str(len(deals)), money, _named(deals, details)])
    columns = [
        Column(title=gettext("What")),
        Column(title=gettext("Deals"), number=True),
        Column(title=gettext("Amount"), number=True),
    ]
    return Grid(columns=[*columns, Column(title=gettext("Which"))], rows=rows)


def not_checked(inputs: ReviewInputs) -> list[str]:
    """Rules that could not be checked because a column is missing."""
    wanted = {
        "pushes": gettext("how often close dates were pushed (no column pushes)"),
        "approver_coverage": gettext("whom we are in contact with (no coverage columns)"),
        "rep_probability": gettext("the sellers' own probabilities (no column rep_probability)"),
        "as_of": gettext("how old the readings are (no column as_of)"),
    }
    missing = [text for name, text in wanted.items() if column_or_missing(inputs.deals, name).isna().all()]
    return [gettext("Not checked: {what}.", what=gettext("; ").join(missing))] if missing else []


def faults_grid(inputs: ReviewInputs) -> Grid | None:
    """Errors and warnings of the data check; None without any."""
    if inputs.findings is None:
        return None
    faults = inputs.findings[inputs.findings["severity"] != "note"]
    return None if faults.empty else findings_grid(faults)


def check_sentence(inputs: ReviewInputs) -> str:
    """What the data check found, in short."""
    if inputs.findings is None:
        return gettext("No data check was run.")
    faults = int((inputs.findings["severity"] != "note").sum())
    if not faults:
        return gettext("The data check found no fault.")
    return gettext("The data check has {faults} findings; winprob check lists its notes too.", faults=faults)


def _named(deals: pd.DataFrame, details: list[str]) -> str:
    names = [
        f"{shown(deal, 'deal_id')} ({detail})" if detail else shown(deal, "deal_id")
        for deal, detail in zip(deals.to_dict("records"), details, strict=True)
    ]
    first = gettext(", ").join(names[:_NAMED])
    if len(names) <= _NAMED:
        return first
    return gettext("{deals} and {count} more", deals=first, count=len(names) - _NAMED)


def _kinds(inputs: ReviewInputs) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    yield from _by_time(inputs)
    yield from _by_people(inputs)
    yield _disagreeing(inputs)


def _by_time(inputs: ReviewInputs) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    deals, today, wanted = inputs.deals, pd.Timestamp(inputs.forecast.as_of), inputs.settings
    overdue = deals[pd.to_datetime(deals["expected_close_on"]) < today]
    yield (
        gettext("Close date has passed"),
        overdue,
        [str(pd.Timestamp(day).date()) for day in overdue["expected_close_on"]],
    )
    age = (today - pd.to_datetime(column_or_missing(deals, "as_of"))).dt.days
    stale = deals[age > wanted.stale_days]
    name = gettext("Stale: no reading for more than {days} days", days=wanted.stale_days)
    yield name, stale, [gettext("{days} days", days=int(days)) for days in age[stale.index]]
    pushes = pd.to_numeric(column_or_missing(deals, "pushes"), errors="coerce")
    pushed = deals[pushes >= wanted.pushes]
    name = gettext("Close date pushed {count} times or more", count=wanted.pushes)
    slipped = pd.to_numeric(column_or_missing(pushed, "days_slipped"), errors="coerce")
    yield name, pushed, list(map(_pushed_by, pushes[pushed.index], slipped))


def _pushed_by(moves: float, slipped: float) -> str:
    if math.isnan(slipped):
        return f"{int(moves)}×"
    return gettext("{moves}×, {days} days in all", moves=int(moves), days=int(slipped))


def _by_people(inputs: ReviewInputs) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    deals = inputs.deals
    if "approver_coverage" not in deals:
        return
    covered = covered_roles(deals)
    single = deals[covered.sum(axis=1) == 1]
    yield gettext("Single-threaded: only one role is in contact"), single, [""] * len(single)
    without = deals[covered.sum(axis=1) == 0]
    yield gettext("No role is known to be in contact"), without, [""] * len(without)
    blind = deals[(deals["rep_category"] == "commit") & ~covered["approver"]]
    yield gettext("Commit, and the approver is not in contact"), blind, [""] * len(blind)


def _disagreeing(inputs: ReviewInputs) -> tuple[str, pd.DataFrame, list[str]]:
    deals = inputs.deals
    name = gettext(
        "Model and seller disagree by more than {points} points", points=round(100 * inputs.settings.disagreement)
    )
    filed = column_or_missing(deals, "rep_probability")
    apart = deals[(deals["win_prob"] - filed).abs() > inputs.settings.disagreement]
    details = [
        gettext("model {ours}, seller {theirs}", ours=percent(row["win_prob"]), theirs=percent(row["rep_probability"]))
        for row in apart.to_dict("records")
    ]
    return name, apart, details
