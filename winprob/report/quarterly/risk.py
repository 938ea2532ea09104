"""What must be true, and what would break it? The few deals that carry the doubt, and the doubt they share."""

from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd

from winprob.i18n import gettext
from winprob.model.explanation import explain
from winprob.report.breakdown import Breakdown, break_down
from winprob.report.charts import Chart
from winprob.report.grids import Column, Grid
from winprob.report.numbers import BLANK, compact_money, percent, signed_money
from winprob.report.quarterly.charts import draw_swings
from winprob.report.quarterly.inputs import Case
from winprob.report.review import name_of

#: So many causes are told on each side.
_CAUSES = 4
#: So many deals' chances are taken apart term by term.
_BROKEN_DOWN = 3


def _swinging(case: Case) -> pd.DataFrame:
    """The deals that move the P50 most, largest share of the variance first."""
    moved = case.deals.dropna(subset=["p50_if_won", "p50_if_lost"])
    return moved.nlargest(case.settings.risky_deals, "variance_share")


def sentences(case: Case) -> list[str]:
    """How much rests on how few, and what goes with a quarter that ends far off."""
    deals = _swinging(case)
    if deals.empty:
        return [gettext("No open deal is large enough to move the number by itself."), *_breaks(case)]
    first = deals.iloc[0]
    carried = gettext(
        "{count} deals carry {share} of the doubt about the total. The first is {name}: P50 {won} if it is won in the "
        "quarter, {lost} if it is not.",
        count=len(deals),
        share=percent(float(deals["variance_share"].sum())),
        name=name_of(first),
        won=compact_money(first["p50_if_won"], case.currency),
        lost=compact_money(first["p50_if_lost"], case.currency),
    )
    return [carried, _alone(case, deals), *_breaks(case)]


def _alone(case: Case, deals: pd.DataFrame) -> str:
    """Which deals break the number each by itself."""
    below, above = ((1 + sign * case.wrong_by) * case.forecast.p50 for sign in (-1, 1))
    breaking = deals[(deals["p50_if_lost"] < below) | (deals["p50_if_won"] > above)]
    share = percent(case.wrong_by)
    if breaking.empty:
        return gettext("No single deal moves the P50 by {share}: it takes several at once.", share=share)
    names = gettext(", ").join(breaking["deal_id"])
    return gettext("Each of these alone moves the P50 by {share} or more: {deals}.", share=share, deals=names)


def breakdowns(case: Case) -> list[Breakdown]:
    """How the chances of the first of them come about."""
    chance = {"win_prob": "mean", "win_lower": "lower", "win_upper": "upper"}
    deals = _swinging(case).head(_BROKEN_DOWN).rename(columns=chance)
    rows = [deals.iloc[[at]] for at in range(len(deals))]
    return break_down(
        deals, {str(row["deal_id"].iloc[0]): explain(case.posterior, row, row["deal_id"].iloc[0]) for row in rows}
    )


def chart(case: Case) -> Chart | None:
    deals = _swinging(case)
    if deals.empty:
        return None
    rows = [(name_of(deal), float(deal["p50_if_won"]), float(deal["p50_if_lost"])) for _, deal in deals.iterrows()]
    return draw_swings(rows, case.forecast.p50, share=case.wrong_by, currency=case.currency)


def swings_grid(case: Case) -> Grid:
    titles = [gettext("Deal"), gettext("Owner")]
    numbers = [
        gettext("Amount"),
        gettext("Won by quarter end"),
        gettext("Share of the doubt"),
        gettext("P50 if won"),
        gettext("P50 if not"),
    ]
    columns = [*(Column(title=name) for name in titles), *(Column(title=name, number=True) for name in numbers)]
    return Grid(columns=columns, rows=[_row(case, deal) for _, deal in _swinging(case).iterrows()])


def _row(case: Case, deal: pd.Series) -> list[str]:
    return [
        name_of(deal),
        BLANK if pd.isna(deal["seller"]) else str(deal["seller"]),
        compact_money(deal["amount"], case.currency),
        percent(deal["by_end"]),
        percent(deal["variance_share"]),
        compact_money(deal["p50_if_won"], case.currency),
        compact_money(deal["p50_if_lost"], case.currency),
    ]


def source_name(source: str) -> str:
    """Where doubt comes from, in words."""
    names = {
        "winning": gettext("Luck of the open deals, each by itself"),
        "amount_at_closing": gettext("Amounts that change before they close"),
        "shared_doubt": gettext("Doubt shared by all deals: how good their chances are"),
        "not_yet_created": gettext("Deals not yet created"),
    }
    return names.get(source, source)


def shares_grid(case: Case) -> Grid:
    """Where the doubt about the total comes from."""
    rows = [[source_name(row["source"]), percent(row["share"])] for row in case.forecast.shares.to_dict("records")]
    return Grid(
        columns=[Column(title=gettext("Where the doubt comes from")), Column(title=gettext("Share"), number=True)],
        rows=rows,
    )


def _breaks(case: Case) -> Iterator[str]:
    """What is seen more often than usual where the total ends far from P50."""
    for side, rows in case.forecast.breaks.groupby("side", sort=False):
        causes = gettext("; ").join(_cause(case, row) for row in rows.head(_CAUSES).to_dict("records"))
        share = 1 - case.wrong_by if side == "below" else 1 + case.wrong_by
        words = {
            "amount": compact_money(case.forecast.p50 * share, case.currency),
            "chance": percent(rows["prob"].iloc[0]),
            "causes": causes,
        }
        if side == "below":
            yield gettext("Below {amount} it ends with a chance of {chance}. What differs then: {causes}.", **words)
        else:
            yield gettext("Above {amount} it ends with a chance of {chance}. What differs then: {causes}.", **words)


def _cause(case: Case, row: dict[Hashable, Any]) -> str:
    if row["source"] == "deal":
        there, usual = percent(row["there"]), percent(row["usual"])
        return gettext(
            "{deal} is won in {there} of these cases, against {usual} of all",
            deal=row["deal_id"],
            there=there,
            usual=usual,
        )
    money = signed_money(row["amount"], case.currency)
    if row["source"] == "not_yet_created":
        return gettext("deals not yet created bring {money}", money=money)
    return gettext("chances turn out otherwise for all deals at once, {money} in expectation", money=money)
