"""Head of the page: dates and model, the number, its distribution and its lines."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from winprob.i18n import gettext
from winprob.model.posterior import Provenance
from winprob.quarter import LINES, line_name, not_in_quarter
from winprob.report.glossary import banners, learned
from winprob.report.numbers import BLANK, Money, percent
from winprob.report.quarterly import charts, plots
from winprob.report.quarterly.inputs import ReviewInputs
from winprob.report.sheet import Column, Grid


def title(inputs: ReviewInputs) -> str:
    return gettext("Quarterly review {quarter}", quarter=inputs.forecast.quarter.name)


def meta(inputs: ReviewInputs) -> list[str]:
    """Day, week, currency and model in a phrase each; the appendix has the details."""
    source = inputs.posterior.provenance
    return [
        gettext("as of {day}", day=inputs.forecast.as_of),
        _phase(inputs),
        inputs.money.name(),
        gettext("trained on {deals} closed deals", deals=source.deals) if source.deals else learned(source),
    ]


def _phase(inputs: ReviewInputs) -> str:
    quarter, day = inputs.forecast.quarter, inputs.forecast.as_of
    return gettext("week {week}", week=week(inputs)) if quarter.start <= day <= quarter.end else week(inputs)


def facts(inputs: ReviewInputs) -> list[tuple[str, str]]:
    """How the page was made, for the appendix."""
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


def _line(inputs: ReviewInputs, line: str) -> pd.Series:
    lines = inputs.forecast.lines
    return lines.loc[lines["line"] == line].iloc[0]


def commit_rollup(inputs: ReviewInputs) -> float | None:
    """Closed and commit by the sellers' categories; None without a roll-up."""
    rollup = inputs.forecast.seller_rollup.set_index("line")["cumulative"].to_dict()
    return rollup.get("commit")


def sentence(inputs: ReviewInputs) -> str:
    """P50, its interval and the probability of reaching the target, in one or two sentences."""
    total, money = _line(inputs, "total"), inputs.money
    percentiles = {name: money.text(total[name]) for name in ("p10", "p50", "p90")}
    first = gettext(
        "{quarter} is forecast at {p50} (P50), with an 80% interval from {p10} to {p90}.",
        quarter=inputs.forecast.quarter.name,
        **percentiles,
    )
    if inputs.forecast.target is None:
        return first
    second = gettext(
        "The probability of reaching the target of {target} is {chance}.",
        target=money.text(inputs.forecast.target),
        chance=percent(total["prob_target"]),
    )
    return gettext("{first} {second}", first=first, second=second)


def dots(inputs: ReviewInputs) -> plots.Plot:
    """The quantile dot plot of the total, with P50, the target and the sellers' commit marked."""
    marks = [mark for mark in marks_of(inputs) if mark.line != "dashed"]
    levels = {mark.text: level for level, mark in enumerate(sorted(marks, key=lambda mark: mark.level))}
    marks = [replace(mark, level=levels[mark.text]) for mark in marks]
    return charts.draw_dots(inputs.forecast.draws["total"], marks, target=inputs.forecast.target, money=inputs.money)


def histogram(inputs: ReviewInputs) -> plots.Plot:
    """The distribution of the total, with P10, P50, P90, the target and the sellers' commit marked."""
    total, target = inputs.forecast.draws["total"], inputs.forecast.target
    return charts.draw_histogram(total, marks_of(inputs), target=target, money=inputs.money)


def marks_of(inputs: ReviewInputs) -> list[charts.Mark]:
    money, total = inputs.money, _line(inputs, "total")
    marks = [
        charts.Mark(at=float(total[name]), text=f"{name.upper()} {money.text(total[name])}", line=line, level=level)
        for name, line, level in (("p10", "dashed", 1), ("p50", "solid", 0), ("p90", "dashed", 1))
    ]
    if inputs.forecast.target is not None:
        at = inputs.forecast.target
        text = gettext("Target {amount}", amount=money.text(at))
        marks.append(charts.Mark(at=at, text=text, line="dotted", level=2))
    rollup = commit_rollup(inputs)
    if rollup is not None:
        text = gettext("Sellers' commit {amount}", amount=money.text(rollup))
        marks.append(charts.Mark(at=rollup, text=text, line="dotted", level=3))
    return marks


def lines_grid(inputs: ReviewInputs) -> Grid:
    """Every line of the forecast; the rounded means sum to the rounded total."""
    lines, money = inputs.forecast.lines.set_index("line").to_dict("index"), inputs.money
    parts = LINES[:-1]
    means = money.tie([lines[part]["mean"] for part in parts], lines["total"]["mean"])
    filed = inputs.forecast.seller_rollup.set_index("line").to_dict("index")
    numbers = [gettext("P10"), gettext("P50"), gettext("P90"), gettext("Mean")]
    numbers += [gettext("Sellers' figure"), gettext("Sellers, cumulative")]
    titles = [gettext("Line"), *numbers]
    return Grid(
        columns=[Column(title=text, number=bool(at)) for at, text in enumerate(titles)],
        rows=[
            _line_row(money, line, lines[line], mean, filed.get(line, {}))
            for line, mean in zip(LINES, [*means, sum(means)], strict=True)
        ],
        keys=[[None, *(lines[line][end] for end in _ENDS), None, None] for line in LINES],
    )


def _line_row(
    money: Money, line: str, summary: dict[Hashable, Any], mean: float, filed: dict[Hashable, Any]
) -> list[str]:
    return [
        line_name(line),
        *(money.exact(summary[end]) for end in ("p10", "p50", "p90")),
        money.exact(mean),
        *(money.exact(filed[name]) if filed else BLANK for name in ("bookings", "cumulative")),
    ]


def left_out(inputs: ReviewInputs) -> list[str]:
    """Deals that are not counted, or are counted despite a fault."""
    rows = inputs.forecast.left_out.to_dict("records")
    return [
        _left_out(row) if math.isnan(row.get("expected", math.nan)) else not_in_quarter(row, inputs.money.text)
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
