"""How good have we been? Past forecasts against what came, and the backtest of the chances, beside plain baselines."""

from __future__ import annotations

import pandas as pd

from winprob.catalog import say
from winprob.portfolio import tell_record
from winprob.report.backtest import calibration_section, difference_section
from winprob.report.quarter.case import Case
from winprob.report.sheet import Section, grid_of


def sections(case: Case) -> list[Section]:
    """What is on record; where nothing is, how to begin a record."""
    found = [*_forecasts(case), *_backtest(case)]
    return found or [
        Section(
            title="",
            words=(
                say(
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
            title=say("Past forecasts of the quarter"), words=tuple(tell_record(case.scores)), grid=grid_of(case.scores)
        )
    ]


def _backtest(case: Case) -> list[Section]:
    if case.record is None:
        return []
    protocol = case.record["protocol"]
    words = say(
        "Backtest of {day}: {scored} deals scored that the scoring fits had not seen. Lower log_loss and brier are "
        "better; coverage_90 should be 0.90.",
        day=case.record["made_on"],
        scored=protocol["scored"],
    )
    table = grid_of(pd.DataFrame(case.record["table"]))
    return [
        Section(title=say("Win probabilities, beside baselines"), words=(words,), grid=table),
        difference_section(case.record),
        calibration_section(case.record),
    ]
