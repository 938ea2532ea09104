"""Track record and appendix: past forecasts, the backtest, every open deal, exchange rates, and definitions."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from winprob.data.exchange_rates import rate_day
from winprob.i18n import gettext
from winprob.quarter import line_name, track_record_sentences
from winprob.report import numbers
from winprob.report.backtest import calibration_section, difference_section
from winprob.report.glossary import chance_definitions, factor_definitions
from winprob.report.monitoring import track_record_line
from winprob.report.quarterly.deals import sort_keys
from winprob.report.quarterly.inputs import ReviewInputs
from winprob.report.sheet import Column, Grid, Section, grid_of


def track_record(inputs: ReviewInputs) -> list[Section]:
    """Past forecasts, calibration since training and the backtest; without any, how to start a record."""
    return [*_forecasts(inputs), *track_record_line(inputs.monitoring), *_backtest(inputs)] or [
        Section(
            title="",
            words=(
                gettext(
                    "NOTHING ON RECORD. Neither past forecasts nor a backtest were given, so this page cannot show how "
                    "accurate its numbers have been. Log every forecast with --log, and add a backtest with --record."
                ),
            ),
        )
    ]


def _forecasts(inputs: ReviewInputs) -> list[Section]:
    if inputs.scores is None:
        return []
    if inputs.scores.empty:
        return [Section(title=gettext("Past quarterly forecasts"), words=(_not_over(inputs),))]
    return [
        Section(
            title=gettext("Past quarterly forecasts"),
            words=tuple(track_record_sentences(inputs.scores, inputs.money.text)),
            grid=_scored(inputs.scores, inputs.money),
        )
    ]


def _not_over(inputs: ReviewInputs) -> str:
    """No quarter of the log is over: what is in it, and when it will be scored."""
    logged = int(inputs.trend["p50"].notna().sum())
    return gettext(
        "Nothing to score yet: no quarter of the forecast log is over. Forecasts of {quarter} on {count} days, today's "
        "among them, are scored after {end}.",
        quarter=inputs.forecast.quarter.name,
        count=logged,
        end=inputs.forecast.quarter.end,
    )


def _scored(scores: pd.DataFrame, money: numbers.Money) -> Grid:
    """One row for each forecast: interval, realised bookings, and errors (forecast less actual)."""
    titles = {
        "p10": gettext("P10"),
        "p50": gettext("P50"),
        "p90": gettext("P90"),
        "actual": gettext("Actual"),
        "model_error": gettext("P50 error"),
        "commit_error": gettext("Commit error"),
        "stage_weighted_error": gettext("Stage-weighted error"),
    }
    heads = (gettext("Quarter"), gettext("As of"), gettext("Week"), gettext("In P10–P90"))
    return Grid(
        columns=[*(Column(title=word) for word in heads), *(Column(title=t, number=True) for t in titles.values())],
        rows=[
            [
                str(row["quarter"]),
                f"{row['as_of']:%Y-%m-%d}",
                str(row["week"]),
                gettext("yes") if row["inside_80"] else gettext("no"),
                *_figures(row, replace(money, currency=str(row["currency"])), list(titles)),
            ]
            for row in scores.to_dict("records")
        ],
    )


def _figures(row: Mapping[Hashable, Any], money: numbers.Money, names: list[str]) -> list[str]:
    return [money.signed(row[name]) if name.endswith("_error") else money.text(row[name]) for name in names]


def _backtest(inputs: ReviewInputs) -> list[Section]:
    if inputs.record is None:
        return []
    protocol = inputs.record["protocol"]
    words = gettext(
        "Backtest of {day}: {scored} deals scored out of sample. Lower log_loss and brier are better; coverage_90 "
        "should be 0.90.",
        day=inputs.record["made_on"],
        scored=protocol["scored"],
    )
    table = grid_of(pd.DataFrame(inputs.record["table"]))
    return [
        Section(title=gettext("Win probabilities compared with baselines"), words=(words,), grid=table),
        difference_section(inputs.record),
        calibration_section(inputs.record),
    ]


_KEYED = ("amount", "closes", "win_prob", "by_end", "expected_bookings")


def all_deals(inputs: ReviewInputs) -> Grid:
    """Every open deal, sorted by expected bookings."""
    titles = [gettext("Deal"), gettext("Account"), gettext("Owner"), gettext("Stage"), gettext("Line")]
    figures = [
        gettext("Amount"),
        gettext("Closes"),
        gettext("Win probability"),
        gettext("90% interval"),
        gettext("Won by quarter end"),
        gettext("Expected bookings"),
    ]
    keys: list[list[float | str | None]] = []
    for _, deal in inputs.deals.iterrows():
        number = sort_keys(deal)
        amount, closes, chance, by_end, expected = (number[name] for name in _KEYED)
        keys.append([None, None, None, None, None, amount, closes, chance, None, by_end, expected])
    return Grid(
        columns=[*(Column(title=text) for text in titles), *(Column(title=text, number=True) for text in figures)],
        rows=[_row(deal, inputs.money) for _, deal in inputs.deals.iterrows()],
        keys=keys,
    )


def _row(deal: pd.Series, money: numbers.Money) -> list[str]:
    closes = deal["expected_close_on"]
    return [
        numbers.named_with_id(deal),
        numbers.shown(deal, "account"),
        numbers.shown(deal, "seller"),
        numbers.word_of("stage", deal["stage"]),
        line_name(str(deal["line"])),
        money.text(float(deal["amount"])),
        numbers.BLANK if pd.isna(closes) else pd.Timestamp(closes).date().isoformat(),
        numbers.percent(deal["win_prob"]),
        numbers.span(deal["win_lower"], deal["win_upper"]),
        numbers.percent(deal["by_end"]),
        money.text(float(deal["expected_bookings"])),
    ]


def reconciliation(inputs: ReviewInputs) -> Grid | None:
    """Converted amounts with rate and day; None with one currency only."""
    if not inputs.forecast.rates:
        return None
    rows = []
    for row in inputs.forecast.reconciliation.to_dict("records"):
        rows.append(
            [
                numbers.text_of(row["currency"]),
                numbers.whole(row["deals"]),
                numbers.BLANK if pd.isna(row["amount"]) else numbers.whole(row["amount"]),
                numbers.BLANK if pd.isna(row["rate"]) else f"{row['rate']:.6g}",
                numbers.BLANK if pd.isna(row["rate"]) else rate_day(None if pd.isna(row["day"]) else row["day"]),
                inputs.money.text(row["converted"]),
            ]
        )
    figures = [
        gettext("Deals"),
        gettext("Amount"),
        gettext("Rate"),
        gettext("Date of the rate"),
        gettext("In {currency}", currency=inputs.currency),
    ]
    return Grid(
        columns=[Column(title=gettext("Currency")), *(Column(title=text, number=True) for text in figures)], rows=rows
    )


def definitions(inputs: ReviewInputs) -> list[tuple[str, str]]:
    """Definitions of the numbers on the page."""
    return [*_about_the_quarter(inputs), *chance_definitions(), *factor_definitions(), *_about_decisions()]


def _about_the_quarter(inputs: ReviewInputs) -> list[tuple[str, str]]:
    return [
        (
            gettext("P10, P50, P90"),
            gettext(
                "Of 100 simulated quarters 10 end below P10, 50 below P50, 90 below P90. Percentiles of the lines do "
                "not add up to those of the total; means do."
            ),
        ),
        *(_about_the_correction() if inputs.forecast.corrected else []),
        (
            gettext("Bookings"),
            gettext(
                "Deals won in the quarter so far, open deals won by its end, and deals not yet created that close in "
                "it, simulated jointly: the deals share the uncertainty about win rates, so their errors are "
                "correlated."
            ),
        ),
        (
            gettext("Sellers' figure"),
            gettext(
                "The sellers' own roll-up: the full amount of every deal they expect to close in the quarter, by their "
                "category. The model does not change it."
            ),
        ),
        (
            gettext("Won by quarter end"),
            gettext(
                "The probability that the deal is won within this quarter. It never exceeds the win probability, "
                "because a deal may be won later. The seller's close date is evidence of the timing, not a fact."
            ),
        ),
        (
            gettext("Expected bookings"),
            gettext("The mean of the deal's bookings in this quarter over all simulated quarters."),
        ),
        (
            gettext("Steps since the last review"),
            gettext(
                "The same simulation with one change at a time: closed deals; time passed and dates moved out; new "
                "deals; other facts, including dates pulled in; the retrained model. The rest is simulation noise."
            ),
        ),
    ]


def _about_the_correction() -> list[tuple[str, str]]:
    return [
        (
            gettext("Corrected P50"),
            gettext(
                "The same forecast after a correction of its location and spread, learned from what it would have "
                "said in the team's own past quarters and what came. The lines stay as simulated."
            ),
        )
    ]


def _about_decisions() -> list[tuple[str, str]]:
    return [
        (
            gettext("Reasons"),
            gettext(
                "Differences from the average closed deal, with the factor on the odds: ×2 doubles the odds, ×0.5 "
                "halves them. An association in past deals, not a cause."
            ),
        ),
        (
            gettext("Not in contact"),
            gettext("Roles of the decision chain without a recorded contact."),
        ),
        (
            gettext("Lever"),
            gettext(
                "The role for which one more tier of support is associated with the largest gain in win probability, "
                "all else equal, with its 90% interval. Only a controlled test can show whether a visit achieves it."
            ),
        ),
    ]
