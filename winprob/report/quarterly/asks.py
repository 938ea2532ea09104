"""What is asked of the executives? The visits planned within their slots, what each adds, and how sure that is."""

import math
from collections.abc import Hashable
from typing import Any

import pandas as pd

from winprob.actions.visits import Plan, amount, plan_sentences
from winprob.i18n import gettext
from winprob.methodology import label
from winprob.report.grids import Column, Grid
from winprob.report.numbers import compact_money, percent, text_of
from winprob.report.quarterly.inputs import Case
from winprob.report.review import name_of

#: From which share of draws on a visit is called how.
_GRADES = (0.8, 0.5, 0.25)
#: Sentences that fit beside the table.
_SAID = 3


def sentences(case: Case) -> list[str]:
    if case.plan is None:
        return [gettext("No executives were named, so nothing is asked of them. Name them with --executives.")]
    if case.plan.visits.empty:
        return [gettext("No visit of an executive would add anything here."), *case.plan.notes]
    return plan_sentences(case.plan)[:_SAID]


def asks_grid(case: Case) -> Grid | None:
    """The visits, the largest gain first."""
    plan = case.plan
    if plan is None or plan.visits.empty:
        return None
    visits = plan.visits.sort_values("expected_gain", ascending=False, kind="stable")
    deals = case.deals.set_index("deal_id")[["account", "seller"]].to_dict("index")
    titles = [gettext("Rank"), gettext("Who"), gettext("Visits"), gettext("Deal"), gettext("Owner")]
    numbers = [gettext("Adds, expected"), gettext("90% interval")]
    columns = [
        *(Column(title=text) for text in titles),
        *(Column(title=text, number=True) for text in numbers),
        Column(title=gettext("How sure is the choice")),
    ]
    rows = [
        _row(plan, rank, visit, deals.get(visit["deal_id"], {}))
        for rank, visit in enumerate(visits.to_dict("records"), start=1)
    ]
    return Grid(columns=columns, rows=rows)


def _row(plan: Plan, rank: int, visit: dict[Hashable, Any], deal: dict[Hashable, Any]) -> list[str]:
    name = visit["deal_id"]
    return [
        str(rank),
        visit["executive"],
        label("role", visit["role"]),
        name_of(pd.Series({"deal_id": name, "account": deal.get("account")})),
        text_of(deal.get("seller")),
        _gain(plan, visit["expected_gain"]),
        gettext("{lower} to {upper}", lower=_gain(plan, visit["lower"]), upper=_gain(plan, visit["upper"])),
        confidence(visit["prob_in_best"]),
    ]


def _gain(plan: Plan, value: float) -> str:
    return compact_money(value, plan.unit) if plan.unit else amount(plan, value)


def confidence(share: float) -> str:
    """How often the best plan of a draw holds this visit, in words."""
    if math.isnan(share):
        return gettext("not worked out")
    firm, likely, open_ = _GRADES
    chance = percent(share)
    if share >= firm:
        return gettext("firm: in {chance} of the best plans", chance=chance)
    if share >= likely:
        return gettext("likely: in {chance} of the best plans", chance=chance)
    if share >= open_:
        return gettext("one of several: in {chance} of the best plans", chance=chance)
    return gettext("weak: in {chance} of the best plans", chance=chance)
