"""The loop on Maven without a fit: what an export shows on a day, and how hindsight judges a decision."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
RAW = pd.DataFrame(
    {
        "opportunity_id": ["A", "B", "C", "D"],
        "deal_stage": ["Won", "Lost", "Engaging", "Prospecting"],
        "engage_date": ["2017-02-01", "2017-03-30", "2017-05-01", None],
        "close_date": ["2017-03-31", "2017-04-02", None, None],
        "close_value": ["100", "0", None, None],
    }
)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("WINPROB_BENCH_OUT", str(tmp_path / "out"))
    yield import_module("retraining_maven")
    for name in ("retraining_maven", "maven", "_scores", "_timing"):
        sys.modules.pop(name, None)


def test_an_export_of_a_past_day_knows_nothing_later(bench):
    known = bench.as_known(RAW, dt.date(2017, 3, 31))
    assert known["opportunity_id"].tolist() == ["A", "B"]
    assert known["deal_stage"].tolist() == ["Won", "Engaging"]
    assert known["close_date"].tolist()[0] == "2017-03-31"
    assert known[["close_date", "close_value"]].iloc[1].isna().all()


@pytest.mark.parametrize(
    ("lower", "upper", "wanted"), [(-0.2, -0.1, "right"), (0.1, 0.2, "wrong"), (-0.1, 0.1, "cannot tell")]
)
def test_a_decision_is_right_or_wrong_only_where_the_interval_excludes_zero(bench, lower, upper, wanted):
    assert bench.judgement(lower, upper) == wanted


def test_a_held_recipe_that_does_better_next_quarter_was_held_wrongly(bench):
    trials = [
        {"verdict": "not_better", "difference": [0.0, -0.1, 0.1]},
        {"verdict": "promote", "difference": [-0.2, -0.3, -0.1]},
        {"verdict": "not_better", "difference": [-0.4, -0.5, -0.3]},
        {"verdict": "not_enough", "difference": [None, None, None]},
    ]
    bench.hindsight_of_trials(trials)
    assert [one["hindsight"] and one["hindsight"]["judgement"] for one in trials] == ["wrong", "right", None, None]
    assert trials[0]["hindsight"]["difference"] == [0.2, 0.1, 0.3]
    assert bench.wrong(trials) == 1


def test_without_the_data_it_prints_why_and_ends(bench, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WINPROB_REAL_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["retraining_maven.py"])
    bench.main()
    assert "skipped" in capsys.readouterr().out
