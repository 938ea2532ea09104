"""Head of the page: dates and model, the number and its lines, and the bridge from the last review."""

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob.i18n import gettext
from winprob.methodology import label
from winprob.model.posterior import Provenance
from winprob.quarter import LINES, PRECISION, Bridge, not_in_quarter
from winprob.report.charts import Chart
from winprob.report.glossary import banners, learned
from winprob.report.numbers import BLANK, compact_money, percent, tied, whole
from winprob.report.quarterly.charts import Mark, draw_bridge, draw_distribution
from winprob.report.quarterly.inputs import ReviewInputs
from winprob.report.sheet import Column, Grid


def title(inputs: ReviewInputs) -> str:
    return gettext("Quarterly review {quarter}", quarter=inputs.forecast.quarter.name)


def facts(inputs: ReviewInputs) -> list[tuple[str, str]]:
    """Name and value of the facts at the head of the page."""
    forecast = inputs.forecast
    return [
        (gettext("As of"), forecast.as_of.isoformat()),
        (gettext("Quarter"), quarter_days(inputs)),
        (gettext("Week"), week(inputs)),
        (gettext("Currency"), _money(inputs)),
        (gettext("Model"), learned(inputs.posterior.provenance)),
        (gettext("Made with"), _versions(inputs.posterior.provenance)),
    ]


def quarter_days(inputs: ReviewInputs) -> str:
    quarter = inputs.forecast.quarter
    return gettext("{quarter}, {start} to {end}", quarter=quarter.name, start=quarter.start, end=quarter.end)


def week(inputs: ReviewInputs) -> str:
    quarter, day = inputs.forecast.quarter, inputs.forecast.as_of
    if day < quarter.start:
        return gettext("not begun: {count} days to go", count=(quarter.start - day).days)
    if day > quarter.end:
        return gettext("over since {day}", day=quarter.end)
    return gettext("{week} of {weeks}", week=quarter.week_of(day), weeks=quarter.weeks)


def _money(inputs: ReviewInputs) -> str:
    if not inputs.forecast.rates:
        return gettext("{currency}, no other currency among the deals", currency=inputs.currency)
    rates = gettext("; ").join(
        gettext(
            "1 {currency} = {rate} {own} ({day})",
            currency=rate.currency,
            rate=f"{rate.rate:.6g}",
            own=inputs.currency,
            day=rate.since,
        )
        for rate in inputs.forecast.rates
    )
    return gettext("{currency}; rates: {rates}", currency=inputs.currency, rates=rates)


def _versions(source: Provenance) -> str:
    versions = f"winprob {source.versions.get('winprob', '?')}"
    if not source.data_hash:
        return gettext("{versions}, seed {seed}", versions=versions, seed=source.seed)
    return gettext(
        "{versions}, seed {seed}, training data {hash}", versions=versions, seed=source.seed, hash=source.data_hash[:12]
    )


def warnings(inputs: ReviewInputs) -> list[str]:
    """Warnings to read before any number."""
    notes = banners(inputs.posterior.provenance, simulated=inputs.simulated)
    if not inputs.forecast.dated and inputs.forecast.deals["expected_close_on"].isna().all():
        notes.append(
            gettext(
                "No time to close: the model was trained without dates, and no open deal has the seller's close date. "
                "Each counts with its probability of an eventual win. Read “won by quarter end” as “won eventually”."
            )
        )
    elif not inputs.forecast.dated:
        notes.append(
            gettext(
                "No time to close: the model was trained without dates. A deal counts with its probability of an "
                "eventual win if the seller's close date is in the quarter, and not at all otherwise. Read “won by "
                "quarter end” as “won eventually”."
            )
        )
    return notes


_ENDS = ("p10", "p50", "p90", "mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A headline number with its note."""

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


def _line(inputs: ReviewInputs, line: str) -> pd.Series:
    lines = inputs.forecast.lines
    return lines.loc[lines["line"] == line].iloc[0]


def commit_rollup(inputs: ReviewInputs) -> float | None:
    """Closed and commit by the sellers' categories; None without a roll-up."""
    rollup = inputs.forecast.seller_rollup.set_index("line")["cumulative"].to_dict()
    return rollup.get("commit")


def sentence(inputs: ReviewInputs) -> str:
    """P50, its interval and the probability of reaching the target, in one or two sentences."""
    total, money = _line(inputs, "total"), inputs.currency
    percentiles = {name: compact_money(total[name], money) for name in ("p10", "p50", "p90")}
    first = gettext(
        "{quarter} is forecast at {p50} (P50), with an 80% interval from {p10} to {p90}.",
        quarter=inputs.forecast.quarter.name,
        **percentiles,
    )
    if inputs.forecast.target is None:
        return first
    second = gettext(
        "The probability of reaching the target of {target} is {chance}.",
        target=compact_money(inputs.forecast.target, money),
        chance=percent(total["prob_target"]),
    )
    return gettext("{first} {second}", first=first, second=second)


def figures(inputs: ReviewInputs) -> list[Figure]:
    money, total = inputs.currency, _line(inputs, "total")
    shown = [
        Figure(
            name=line_name("closed"),
            number=compact_money(_line(inputs, "closed")["mean"], money),
            note=gettext("{count} deals won", count=len(inputs.forecast.closed)),
        ),
        Figure(
            name=gettext("Quarter, P50"),
            number=compact_money(total["p50"], money),
            note=gettext(
                "P10 {low}, P90 {high}", low=compact_money(total["p10"], money), high=compact_money(total["p90"], money)
            ),
        ),
        *_corrected(inputs),
        _target(inputs, total),
    ]
    rollup = commit_rollup(inputs)
    if rollup is not None:
        note = gettext("closed and commit, as filed")
        shown.append(Figure(name=gettext("Sellers' commit"), number=compact_money(rollup, money), note=note))
    return shown


def _corrected(inputs: ReviewInputs) -> Iterator[Figure]:
    corrected, money = inputs.forecast.corrected, inputs.currency
    if corrected is None:
        return
    note = gettext(
        "P10 {low}, P90 {high}; corrected by {count} past quarters",
        low=compact_money(corrected.p10, money),
        high=compact_money(corrected.p90, money),
        count=corrected.quarters,
    )
    if corrected.prob_target is not None:
        chance = percent(corrected.prob_target)
        note = gettext("{note}; probability of the target {chance}", note=note, chance=chance)
    yield Figure(name=gettext("Corrected P50"), number=compact_money(corrected.p50, money), note=note)


def _target(inputs: ReviewInputs, total: pd.Series) -> Figure:
    target = inputs.forecast.target
    if target is None:
        return Figure(name=gettext("Target"), number=BLANK, note=gettext("none given (--target)"))
    gap = target - float(total["p50"])
    apart = compact_money(abs(gap), inputs.currency)
    note = (
        gettext("target {target}; P50 is {gap} below it", target=compact_money(target, inputs.currency), gap=apart)
        if gap > PRECISION * target
        else gettext("target {target}; P50 is {gap} above it", target=compact_money(target, inputs.currency), gap=apart)
    )
    return Figure(name=gettext("Probability of reaching the target"), number=percent(total["prob_target"]), note=note)


def chart(inputs: ReviewInputs) -> Chart:
    """The distribution of the total, with P10, P50, P90, the target and the sellers' commit marked."""
    return draw_distribution(
        inputs.forecast.draws["total"], _marks(inputs), target=inputs.forecast.target, currency=inputs.currency
    )


def _marks(inputs: ReviewInputs) -> list[Mark]:
    money, total = inputs.currency, _line(inputs, "total")
    marks = [
        Mark(at=float(total[name]), text=f"{name.upper()} {compact_money(total[name], money)}", line=line, align=align)
        for name, line, align in (("p10", "dashed", "right"), ("p50", "solid", "center"), ("p90", "dashed", "left"))
    ]
    if inputs.forecast.target is not None:
        at = inputs.forecast.target
        text = gettext("Target {amount}", amount=compact_money(at, money))
        marks.append(Mark(at=at, text=text, line="dotted", level=1))
    rollup = commit_rollup(inputs)
    if rollup is not None:
        text = gettext("Sellers' commit {amount}", amount=compact_money(rollup, money))
        marks.append(Mark(at=rollup, text=text, line="dotted", level=2))
    return marks


def lines_grid(inputs: ReviewInputs) -> Grid:
    """Every line of the forecast; the rounded means sum to the rounded total."""
    lines = inputs.forecast.lines.set_index("line").to_dict("index")
    parts = LINES[:-1]
    means = tied([lines[part]["mean"] for part in parts], lines["total"]["mean"])
    filed = inputs.forecast.seller_rollup.set_index("line").to_dict("index")
    numbers = [gettext("P10"), gettext("P50"), gettext("P90"), gettext("Mean"), gettext("Probability of the target")]
    numbers += [gettext("Sellers' figure"), gettext("Sellers, cumulative")]
    titles = [gettext("Line, in {currency}", currency=inputs.currency), *numbers]
    return Grid(
        columns=[Column(title=text, number=bool(at)) for at, text in enumerate(titles)],
        rows=[
            _line_row(line, lines[line], mean, filed.get(line, {}))
            for line, mean in zip(LINES, [*means, sum(means)], strict=True)
        ],
        keys=[[None, *(lines[line][end] for end in _ENDS), None, None, None] for line in LINES],
    )


def _line_row(line: str, summary: dict[Hashable, Any], mean: int, filed: dict[Hashable, Any]) -> list[str]:
    chance = summary["prob_target"]
    return [
        line_name(line),
        *(whole(summary[end]) for end in ("p10", "p50", "p90")),
        whole(mean),
        percent(chance) if line == "total" and not math.isnan(chance) else BLANK,
        *(whole(filed[name]) if filed else BLANK for name in ("bookings", "cumulative")),
    ]


def left_out(inputs: ReviewInputs) -> list[str]:
    """Deals that are not counted, or are counted despite a fault."""
    rows = inputs.forecast.left_out.to_dict("records")
    return [
        _left_out(row) if math.isnan(row.get("expected", math.nan)) else not_in_quarter(row, inputs.currency)
        for row in rows
    ]


def _left_out(row: dict[Hashable, Any]) -> str:
    return gettext(
        "{how}, {deals} deals: {reason}; the first is {deal}.",
        how=gettext("Included despite a fault") if row["counted"] else gettext("Excluded"),
        deals=row["deals"],
        reason=row["reason"],
        deal=row["first_deal"],
    )


#: Deals named for each step.
_NAMED = 3


def step_name(step: str) -> str:
    """The title of a step."""
    names = {
        "closed": gettext("Closed since then, won or lost"),
        "slipped": gettext("Slipped: time passed, dates moved out"),
        "new": gettext("New deals"),
        "facts_changed": gettext("Facts changed, dates pulled in"),
        "model_changed": gettext("Model changed"),
        "simulation_noise": gettext("Simulation noise"),
    }
    return names.get(step, step)


def bridge_chart(bridge: Bridge) -> Chart:
    """The bridge as a waterfall chart."""
    steps = [(step_name(row["step"]), float(row["amount"])) for row in bridge.steps.to_dict("records")]
    start, end = _ends(bridge)
    return draw_bridge(steps, (start, bridge.p50_before), (end, bridge.p50_now), bridge.currency)


def bridge_grid(bridge: Bridge, names: Mapping[str, str]) -> Grid:
    """The steps as a table that sums to the last unit, each with its largest changes by deal, by name."""
    amounts = [float(amount) for amount in bridge.steps["amount"]]
    before = round(bridge.p50_before)
    shown = tied(amounts, round(bridge.p50_now) - before)
    start, end = _ends(bridge)
    steps = [
        [step_name(step), signed_whole(amount), _largest(bridge, step, names)]
        for step, amount in zip(bridge.steps["step"], shown, strict=True)
    ]
    titles = [
        gettext("Step"),
        gettext("Amount, {currency}", currency=bridge.currency),
        gettext("Largest changes by deal"),
    ]
    return Grid(
        columns=[Column(title=text, number=at == 1) for at, text in enumerate(titles)],
        rows=[[start, whole(before), ""], *steps, [end, whole(before + sum(shown)), ""]],
        keys=[[None, value, None] for value in (bridge.p50_before, *amounts, bridge.p50_now)],
    )


def _ends(bridge: Bridge) -> tuple[str, str]:
    return gettext("P50 on {day}", day=bridge.before), gettext("P50 on {day}", day=bridge.now)


def signed_whole(amount: int) -> str:
    """``+1,234`` or ``−1,234``."""
    return f"{'+' if amount > 0 else '−' if amount < 0 else ''}{whole(abs(amount))}"


def _largest(bridge: Bridge, step: str, names: Mapping[str, str]) -> str:
    rows = bridge.deals[bridge.deals["step"] == step]
    order = rows["amount"].abs().sort_values(ascending=False, kind="stable").index
    changes = [
        (names.get(row["deal_id"], row["deal_id"]), round(row["amount"]))
        for row in rows.loc[order].head(_NAMED).to_dict("records")
    ]
    return gettext(", ").join(f"{name} {signed_whole(change)}" for name, change in changes if change)
