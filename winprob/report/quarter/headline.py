"""What will the quarter bring? The number, its parts, the sellers' own figure beside it, and what changed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from winprob.catalog import say
from winprob.report.charts import Chart
from winprob.report.grids import Column, Grid
from winprob.report.numbers import BLANK, compact_money, percent, tied, whole
from winprob.report.quarter.case import Case
from winprob.report.quarter.charts import Mark, draw_bridge, draw_distribution

PARTS = ("closed", "commit", "best_case", "pipeline", "uncategorised", "not_yet_created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the few numbers to remember."""

    name: str
    number: str
    note: str


def line_name(line: str) -> str:
    names = {
        "closed": say("Closed so far"),
        "commit": say("Commit"),
        "best_case": say("Best case"),
        "pipeline": say("Pipeline"),
        "uncategorised": say("No category"),
        "not_yet_created": say("Not yet created"),
        "total": say("Total"),
    }
    return names.get(line, line)


def _line(case: Case, line: str) -> pd.Series:
    lines = case.forecast.lines
    return lines.loc[lines["line"] == line].iloc[0]


def commit_rollup(case: Case) -> float | None:
    """Closed and committed, as the sellers file it; None where they file nothing."""
    rollup = case.forecast.seller_rollup.set_index("line")["bookings"]
    return float(rollup["closed"] + rollup["commit"]) if "commit" in rollup else None


def sentence(case: Case) -> str:
    """The number in one sentence."""
    total, money = _line(case, "total"), case.currency
    words = {"quarter": case.forecast.quarter.name, "p50": compact_money(total["p50"], money)}
    ends = {"p10": compact_money(total["p10"], money), "p90": compact_money(total["p90"], money)}
    first = say("{quarter} should bring about {p50}; 8 times in 10 it ends between {p10} and {p90}.", **words, **ends)
    if case.forecast.target is None:
        return first
    second = say(
        "The chance to reach the target of {target} is {chance}.",
        target=compact_money(case.forecast.target, money),
        chance=percent(total["prob_target"]),
    )
    return say("{first} {second}", first=first, second=second)


def figures(case: Case) -> list[Figure]:
    money, total = case.currency, _line(case, "total")
    found = [
        Figure(
            name=line_name("closed"),
            number=compact_money(_line(case, "closed")["mean"], money),
            note=say("{count} deals won", count=len(case.forecast.closed)),
        ),
        Figure(
            name=say("Quarter, P50"),
            number=compact_money(total["p50"], money),
            note=say("P10 {low}, P90 {high}", low=compact_money(total["p10"], money), high=compact_money(total["p90"], money)),
        ),
        _target(case, total),
    ]
    rollup = commit_rollup(case)
    if rollup is not None:
        note = say("closed and commit, as filed")
        found.append(Figure(name=say("Sellers' commit"), number=compact_money(rollup, money), note=note))
    return found


def _target(case: Case, total: pd.Series) -> Figure:
    target = case.forecast.target
    if target is None:
        return Figure(name=say("Target"), number=BLANK, note=say("none given (--target)"))
    gap = target - float(total["p50"])
    told = compact_money(abs(gap), case.currency)
    note = (
        say("target {target}, P50 is {gap} short", target=compact_money(target, case.currency), gap=told)
        if gap > 0
        else say("target {target}, P50 is {gap} above", target=compact_money(target, case.currency), gap=told)
    )
    return Figure(name=say("Chance to reach the target"), number=percent(total["prob_target"]), note=note)


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
        text = say("Target {amount}", amount=compact_money(at, money))
        marks.append(Mark(at=at, text=text, line="dotted", level=1))
    rollup = commit_rollup(case)
    if rollup is not None:
        text = say("Sellers' commit {amount}", amount=compact_money(rollup, money))
        marks.append(Mark(at=rollup, text=text, line="dotted", level=2))
    return marks


def lines_grid(case: Case) -> Grid:
    """Every line of the forecast; the means add up to the total, to the last unit shown."""
    lines = case.forecast.lines.set_index("line")
    total = float(lines.loc["total", "mean"])
    means = dict(zip(PARTS, tied([float(lines.loc[part, "mean"]) for part in PARTS], total), strict=True))
    means["total"] = sum(means.values())
    filed = case.forecast.seller_rollup.set_index("line")["bookings"]
    numbers = [say("P10"), say("P50"), say("P90"), say("Mean"), say("Chance of the target"), say("Sellers' figure")]
    titles = [say("Line, in {currency}", currency=case.currency), *numbers]
    rows = [
        [
            line_name(line),
            *(whole(lines.loc[line, end]) for end in ("p10", "p50", "p90")),
            whole(means[line]),
            BLANK if pd.isna(lines.loc[line, "prob_target"]) else percent(lines.loc[line, "prob_target"]),
            whole(filed[line]) if line in filed.index else BLANK,
        ]
        for line in (*PARTS, "total")
    ]
    keys = [[None, *(float(lines.loc[line, end]) for end in ("p10", "p50", "p90", "mean")), None, None] for line in (*PARTS, "total")]
    return Grid(columns=[Column(title=text, number=bool(at)) for at, text in enumerate(titles)], rows=rows, keys=keys)


def left_out(case: Case) -> list[str]:
    """What is not in the number, and why."""
    return [
        say("Not in the number: {deals} deals, {reason}; the first is {deal}.", deals=row.deals, reason=row.reason, deal=row.first_deal)
        for row in case.forecast.left_out.itertuples()
    ]


def step_name(step: str) -> str:
    names = {
        "closed": say("Closed since then: won or lost"),
        "slipped": say("Slipped or pulled in"),
        "new": say("New deals"),
        "facts_changed": say("Facts changed"),
        "model_changed": say("Model changed"),
        "simulation_noise": say("Simulation noise"),
    }
    return names.get(step, step)


def bridge_chart(case: Case) -> Chart | None:
    bridge = case.bridge
    if bridge is None:
        return None
    steps = [(step_name(str(row.step)), float(row.amount)) for row in bridge.steps.itertuples()]
    start, end = (say("P50 on {day}", day=day) for day in (bridge.before, bridge.now))
    return draw_bridge(steps, (start, bridge.p50_before), (end, bridge.p50_now), case.currency)


def bridge_grid(case: Case) -> Grid | None:
    """The steps as a table that adds up to the last unit, the largest deals behind each named."""
    bridge = case.bridge
    if bridge is None:
        return None
    amounts = [float(amount) for amount in bridge.steps["amount"]]
    before = round(bridge.p50_before)
    shown = tied(amounts, round(bridge.p50_now) - before)
    start, end = (say("P50 on {day}", day=day) for day in (bridge.before, bridge.now))
    rows = [[start, whole(before), ""]]
    rows += [
        [step_name(str(step)), signed_whole(amount), _behind(case, str(step))]
        for step, amount in zip(bridge.steps["step"], shown, strict=True)
    ]
    rows.append([end, whole(before + sum(shown)), ""])
    keys: list[list[float | str | None]] = [[None, value, None] for value in (bridge.p50_before, *amounts, bridge.p50_now)]
    titles = [say("Step"), say("Amount, {currency}", currency=case.currency), say("Largest deals behind it")]
    return Grid(columns=[Column(title=text, number=at == 1) for at, text in enumerate(titles)], rows=rows, keys=keys)


def signed_whole(amount: int) -> str:
    """``+1,234`` or ``−1,234``."""
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{whole(abs(amount))}"


def _behind(case: Case, step: str) -> str:
    if case.bridge is None:
        return ""
    deals = case.bridge.deals
    rows = deals[deals["step"] == step]
    rows = rows.loc[rows["amount"].abs().sort_values(ascending=False, kind="stable").index]
    told = [f"{row.deal_id} {signed_whole(round(float(row.amount)))}" for row in rows.head(3).itertuples() if round(float(row.amount))]
    return say(", ").join(told)
