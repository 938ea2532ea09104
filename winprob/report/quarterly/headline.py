"""What will the quarter bring? The number, its parts, the sellers' own figure beside it, and what changed."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob.i18n import gettext
from winprob.methodology import label
from winprob.quarter import LINES
from winprob.report.charts import Chart
from winprob.report.grids import Column, Grid
from winprob.report.numbers import BLANK, compact_money, percent, tied, whole
from winprob.report.quarterly.charts import Mark, draw_distribution
from winprob.report.quarterly.inputs import Case

_ENDS = ("p10", "p50", "p90", "mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the few numbers to remember."""

    name: str
    number: str
    note: str


def line_name(line: str) -> str:
    names = {
        "closed": gettext("Closed so far"),
        "uncategorised": gettext("No category"),
        "not_yet_created": gettext("Not yet created"),
        "total": gettext("Total"),
    }
    return names[line] if line in names else label("rep_category", line)


def _line(case: Case, line: str) -> pd.Series:
    lines = case.forecast.lines
    return lines.loc[lines["line"] == line].iloc[0]


def commit_rollup(case: Case) -> float | None:
    """Closed and committed, as the sellers file it; None where they file nothing."""
    rollup = case.forecast.seller_rollup.set_index("line")["cumulative"].to_dict()
    return rollup.get("commit")


def sentence(case: Case) -> str:
    """The number in one sentence."""
    total, money = _line(case, "total"), case.currency
    words = {"quarter": case.forecast.quarter.name, "p50": compact_money(total["p50"], money)}
    ends = {"p10": compact_money(total["p10"], money), "p90": compact_money(total["p90"], money)}
    first = gettext(
        "{quarter} should bring about {p50}; 8 times in 10 it ends between {p10} and {p90}.", **words, **ends
    )
    if case.forecast.target is None:
        return first
    second = gettext(
        "The chance to reach the target of {target} is {chance}.",
        target=compact_money(case.forecast.target, money),
        chance=percent(total["prob_target"]),
    )
    return gettext("{first} {second}", first=first, second=second)


def figures(case: Case) -> list[Figure]:
    money, total = case.currency, _line(case, "total")
    found = [
        Figure(
            name=line_name("closed"),
            number=compact_money(_line(case, "closed")["mean"], money),
            note=gettext("{count} deals won", count=len(case.forecast.closed)),
        ),
        Figure(
            name=gettext("Quarter, P50"),
            number=compact_money(total["p50"], money),
            note=gettext(
                "P10 {low}, P90 {high}", low=compact_money(total["p10"], money), high=compact_money(total["p90"], money)
            ),
        ),
        _target(case, total),
    ]
    rollup = commit_rollup(case)
    if rollup is not None:
        note = gettext("closed and commit, as filed")
        found.append(Figure(name=gettext("Sellers' commit"), number=compact_money(rollup, money), note=note))
    return found


def _target(case: Case, total: pd.Series) -> Figure:
    target = case.forecast.target
    if target is None:
        return Figure(name=gettext("Target"), number=BLANK, note=gettext("none given (--target)"))
    gap = target - float(total["p50"])
    told = compact_money(abs(gap), case.currency)
    note = (
        gettext("target {target}, P50 is {gap} short", target=compact_money(target, case.currency), gap=told)
        if gap > 0
        else gettext("target {target}, P50 is {gap} above", target=compact_money(target, case.currency), gap=told)
    )
    return Figure(name=gettext("Chance to reach the target"), number=percent(total["prob_target"]), note=note)


def chart(case: Case) -> Chart:
    """The distribution of the total, with P10, P50, P90, the target and the sellers' commit marked."""
    return draw_distribution(
        case.forecast.draws["total"], _marks(case), target=case.forecast.target, currency=case.currency
    )


def _marks(case: Case) -> list[Mark]:
    money, total = case.currency, _line(case, "total")
    marks = [
        Mark(at=float(total[name]), text=f"{name.upper()} {compact_money(total[name], money)}", line=line, align=align)
        for name, line, align in (("p10", "dashed", "right"), ("p50", "solid", "center"), ("p90", "dashed", "left"))
    ]
    if case.forecast.target is not None:
        at = case.forecast.target
        text = gettext("Target {amount}", amount=compact_money(at, money))
        marks.append(Mark(at=at, text=text, line="dotted", level=1))
    rollup = commit_rollup(case)
    if rollup is not None:
        text = gettext("Sellers' commit {amount}", amount=compact_money(rollup, money))
        marks.append(Mark(at=rollup, text=text, line="dotted", level=2))
    return marks


def lines_grid(case: Case) -> Grid:
    """Every line of the forecast; the means add up to the total, to the last unit shown."""
    lines = case.forecast.lines.set_index("line").to_dict("index")
    parts = LINES[:-1]
    means = tied([lines[part]["mean"] for part in parts], lines["total"]["mean"])
    filed = case.forecast.seller_rollup.set_index("line").to_dict("index")
    numbers = [gettext("P10"), gettext("P50"), gettext("P90"), gettext("Mean"), gettext("Chance of the target")]
    numbers += [gettext("Sellers' figure"), gettext("Sellers, running total")]
    titles = [gettext("Line, in {currency}", currency=case.currency), *numbers]
    return Grid(
        columns=[Column(title=text, number=bool(at)) for at, text in enumerate(titles)],
        rows=[
            _line_row(line, lines[line], mean, filed.get(line, {}))
            for line, mean in zip(LINES, [*means, sum(means)], strict=True)
        ],
        keys=[[None, *(lines[line][end] for end in _ENDS), None, None, None] for line in LINES],
    )


def _line_row(line: str, told: dict[Hashable, Any], mean: int, filed: dict[Hashable, Any]) -> list[str]:
    chance = told["prob_target"]
    return [
        line_name(line),
        *(whole(told[end]) for end in ("p10", "p50", "p90")),
        whole(mean),
        percent(chance) if line == "total" and not math.isnan(chance) else BLANK,
        *(whole(filed[name]) if filed else BLANK for name in ("bookings", "cumulative")),
    ]


def left_out(case: Case) -> list[str]:
    """What is not in the number, or is in it although odd."""
    return [
        gettext(
            "{how}, {deals} deals: {reason}; the first is {deal}.",
            how=gettext("Counted although odd") if row["counted"] else gettext("Not in the number"),
            deals=row["deals"],
            reason=row["reason"],
            deal=row["first_deal"],
        )
        for row in case.forecast.left_out.to_dict("records")
    ]
