"""What must be true, and what would break it? The few deals that carry the doubt, and the doubt they share."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd

from winprob.catalog import say
from winprob.report.charts import Chart
from winprob.report.grids import Column, Grid
from winprob.report.numbers import BLANK, compact_money, percent
from winprob.report.quarter.case import Case
from winprob.report.quarter.charts import draw_swings
from winprob.report.review import name_of

#: How far off the number is called broken.
BROKEN = 0.2


def _swinging(case: Case) -> pd.DataFrame:
    """The deals that move the P50 most, largest share of the variance first."""
    moved = case.deals.dropna(subset=["p50_if_won", "p50_if_lost"])
    return moved.nlargest(case.settings.risky_deals, "variance_share")


def sentences(case: Case) -> list[str]:
    """How much rests on how few, and what is shared by all."""
    deals, p50 = _swinging(case), case.forecast.p50
    if deals.empty:
        return [say("No open deal is large enough to move the number by itself.")]
    first = deals.iloc[0]
    told = [
        say(
            "{count} deals carry {share} of the doubt about the total. The first is {name}: P50 {won} if it is won in "
            "the quarter, {lost} if it is not.",
            count=len(deals),
            share=percent(float(deals["variance_share"].sum())),
            name=name_of(first),
            won=compact_money(first["p50_if_won"], case.currency),
            lost=compact_money(first["p50_if_lost"], case.currency),
        )
    ]
    breaking = deals[(deals["p50_if_lost"] < (1 - BROKEN) * p50) | (deals["p50_if_won"] > (1 + BROKEN) * p50)]
    if breaking.empty:
        told.append(say("No single deal moves the P50 by {share}: it takes several at once.", share=percent(BROKEN)))
    else:
        names = say(", ").join(str(deal) for deal in breaking["deal_id"])
        told.append(
            say("Each of these alone moves the P50 by {share} or more: {deals}.", share=percent(BROKEN), deals=names)
        )
    return [*told, *_breaks(case)]


def chart(case: Case) -> Chart | None:
    deals = _swinging(case)
    if deals.empty:
        return None
    rows = [(name_of(deal), float(deal["p50_if_won"]), float(deal["p50_if_lost"])) for _, deal in deals.iterrows()]
    return draw_swings(rows, case.forecast.p50, share=BROKEN, currency=case.currency)


def swings_grid(case: Case) -> Grid:
    titles = [say("Deal"), say("Owner")]
    numbers = [
        say("Amount"),
        say("Won by quarter end"),
        say("Share of the doubt"),
        say("P50 if won"),
        say("P50 if not"),
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
    names = {
        "deals": say("Luck of the open deals, each by itself"),
        "shared": say("Doubt shared by all deals: how good the chances are"),
        "not_yet_created": say("Deals not yet created"),
        "revisions": say("Amounts that change before they close"),
    }
    return names.get(source, source)


def shares_grid(case: Case) -> Grid:
    """Where the doubt about the total comes from."""
    rows = [[source_name(row["source"]), percent(row["share"])] for row in case.forecast.shares.to_dict("records")]
    return Grid(
        columns=[Column(title=say("Where the doubt comes from")), Column(title=say("Share"), number=True)], rows=rows
    )


def _breaks(case: Case) -> Iterator[str]:
    """What is seen more often than usual where the total ends far from P50."""
    for (side, prob), rows in case.forecast.breaks.groupby(["side", "prob"], sort=False):
        causes = say("; ").join(_cause(row) for row in rows.to_dict("records"))
        share = 1 - BROKEN if side == "below" else 1 + BROKEN
        words = {"amount": compact_money(case.forecast.p50 * share, case.currency), "chance": percent(float(str(prob)))}
        if side == "below":
            yield say(
                "It ends below {amount} with a chance of {chance}; what is different then: {causes}.",
                causes=causes,
                **words,
            )
        else:
            yield say(
                "It ends above {amount} with a chance of {chance}; what is different then: {causes}.",
                causes=causes,
                **words,
            )


def _cause(row: dict[Hashable, Any]) -> str:
    name = row["deal_id"] if pd.notna(row["deal_id"]) and row["deal_id"] else source_name(str(row["source"]))
    return say(
        "{name} won in {there} of these quarters, {usual} of all",
        name=name,
        there=percent(row["there"]),
        usual=percent(row["usual"]),
    )
