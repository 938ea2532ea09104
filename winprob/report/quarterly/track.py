"""How good have we been? Past forecasts against what came, and the backtest of the chances, beside plain baselines."""

import math

import pandas as pd

from winprob.i18n import gettext
from winprob.quarter import tell_record
from winprob.report.backtest import calibration_section, difference_section
from winprob.report.grids import Column, Grid
from winprob.report.numbers import BLANK, compact_money, signed_money
from winprob.report.quarterly.inputs import Case
from winprob.report.sheet import Section, grid_of


def sections(case: Case) -> list[Section]:
    """What is on record; where nothing is, how to begin a record."""
    found = [*_forecasts(case), *_backtest(case)]
    return found or [
        Section(
            title="",
            words=(
                gettext(
                    "NOTHING ON RECORD. No past forecast and no backtest were given, so nobody can tell from this page "
                    "how good its numbers have been. Keep every forecast with --log, and add a backtest with --record."
                ),
            ),
        )
    ]


def _forecasts(case: Case) -> list[Section]:
    if case.scores is None or case.scores.empty:
        return []
    return [
        Section(
            title=gettext("Past forecasts of the quarter"),
            words=tuple(tell_record(case.scores)),
            grid=_scored(case.scores),
        )
    ]


def _scored(scores: pd.DataFrame) -> Grid:
    """A row a forecast: the range, what came, and how far off each was (forecast less actual)."""
    titles = {
        "p10": gettext("P10"),
        "p50": gettext("P50"),
        "p90": gettext("P90"),
        "actual": gettext("Actual"),
        "model_error": gettext("P50, off by"),
        "commit_error": gettext("Sellers' commit, off by"),
        "stage_weighted_error": gettext("Weighted by stage, off by"),
    }
    words = (gettext("Quarter"), gettext("As of"), gettext("Week"), gettext("Inside P10 to P90"))
    return Grid(
        columns=[*(Column(title=word) for word in words), *(Column(title=t, number=True) for t in titles.values())],
        rows=[
            [
                str(row["quarter"]),
                f"{row['as_of']:%Y-%m-%d}",
                str(row["week"]),
                gettext("yes") if row["inside_80"] else gettext("no"),
                *(_money(row[name], str(row["currency"]), signed=name.endswith("_error")) for name in titles),
            ]
            for row in scores.to_dict("records")
        ],
    )


def _money(amount: float, currency: str, *, signed: bool) -> str:
    if math.isnan(amount):
        return BLANK
    return signed_money(amount, currency) if signed else compact_money(amount, currency)


def _backtest(case: Case) -> list[Section]:
    if case.record is None:
        return []
    protocol = case.record["protocol"]
    words = gettext(
        "Backtest of {day}: {scored} deals scored that the scoring fits had not seen. Lower log_loss and brier are "
        "better; coverage_90 should be 0.90.",
        day=case.record["made_on"],
        scored=protocol["scored"],
    )
    table = grid_of(pd.DataFrame(case.record["table"]))
    return [
        Section(title=gettext("Win probabilities, beside baselines"), words=(words,), grid=table),
        difference_section(case.record),
        calibration_section(case.record),
    ]
