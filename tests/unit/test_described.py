"""What results print of themselves: facts in words, in both languages, escaped, short; no arrays."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from winprob import Posterior, plan_visits, predict
from winprob.actions.visits import Plan
from winprob.evaluation.backtesting import Backtest
from winprob.evaluation.folds import Fold
from winprob.evaluation.folds import Plan as Folds
from winprob.i18n import Described, use_language
from winprob.retrain.monitoring import Monitoring
from winprob.retrain.replay import Replay
from winprob.settings import MonitorSettings
from winprob.simulation import Simulation


@pytest.fixture(scope="module")
def plan(posterior: Posterior, team: Simulation) -> Plan:
    return plan_visits(posterior, team.open.head(8), {"executives": [{"name": "Li", "slots": 2}]}, seed=1)


@pytest.fixture(scope="module")
def results(posterior: Posterior, believed: Posterior, team: Simulation, plan: Plan, make_forecast: Any) -> list[Any]:
    forecast, bridge = make_forecast(team.open, predict(posterior, team.open))
    return [posterior, believed, forecast, bridge, plan, team, backtest(), replayed(), monitored()]


def backtest() -> Backtest:
    deals = pd.DataFrame({"deal_id": ["a", "b", "c"], "fold": 0, "repeat": 0})
    chances = {"winprob": np.array([0.8, 0.4, 0.3]), "stage table": np.array([0.5, 0.5, np.nan])}
    fold = Fold(name="1", train=np.arange(3), test=np.arange(3), repeat=0)
    plan = Folds(protocol="k-fold", reason="no dates", folds=(fold,), not_scored=2)
    return Backtest(
        plan=plan, deals=deals, groups=np.arange(3), won=np.array([1, 0, 0]), win_prob=chances, draws={}, seed=1
    )


def replayed() -> Replay:
    row = {"quarter": "2026Q1", "week": 4, "inside_80": True, "model_error": 1e5, "actual": 1e6}
    return Replay(table=pd.DataFrame([row]), correction=None, left_out=(("2025Q4", "too few deals"),), currency="CNY")


def monitored() -> Monitoring:
    rows = pd.DataFrame([{"period": "2026Q1", "n": 20, "e_value": 0.7, "expected": 9.2, "won": 8}])
    return Monitoring(
        table=rows, segments=pd.DataFrame(), direction=None, trained_until=None, settings=MonitorSettings()
    )


def test_each_is_a_few_lines_of_words(results: list[Any]) -> None:
    for result in results:
        text = repr(result)
        assert 3 <= text.count("\n") <= 21, text
        assert max(map(len, text.splitlines())) <= 160, text
        assert not re.search(r"array\(|dtype|DataFrame|object at 0x|nan", text), text


def test_each_is_a_table_in_a_notebook(results: list[Any]) -> None:
    for result in results:
        table = ElementTree.fromstring(result._repr_html_())
        assert table.tag == "table"
        cells = ["".join(cell.itertext()) for cell in table.iter("td")]
        assert len(cells) == repr(result).count("\n")
        assert all(cell in repr(result) for cell in cells)


def test_each_speaks_chinese(results: list[Any]) -> None:
    with use_language("zh"):
        for result in results:
            names = ["".join(cell.itertext()) for cell in ElementTree.fromstring(result._repr_html_()).iter("caption")]
            assert re.search(r"[\u4e00-\u9fff]", names[0]), names


def test_a_model_reports_what_it_rests_on(posterior: Posterior, believed: Posterior) -> None:
    text = repr(posterior)
    assert text.startswith("Win model, learned from 600 closed deals\n")
    assert re.search(r"read +2024-07-01 to 2026-06-30", text)
    assert re.search(r"base rate +\d\d% \(90%: \d+% to \d+%\)", text)
    assert re.search(r"draws +4 chains of 250", text)
    assert re.search(r"time to close +not learned", text)
    assert repr(believed).startswith("Win model, prior only: it has not seen a deal\n")
    assert re.search(r"role weights mostly prior +Approver", repr(believed))
    gates = {"r_hat": 1.0034, "bulk_ess": 812.0, "tail_ess": 900.0, "divergent_share": 0.0}
    passed = replace(posterior, provenance=replace(posterior.provenance, gates=gates))
    assert "gates passed: R-hat 1.003, effective draws at least 812, 0.0% divergent" in repr(passed)


def test_a_backtest_reports_each_models_log_loss_on_the_deals_it_knows() -> None:
    text = repr(backtest())
    assert text.startswith("Backtest on 3 deals, winprob and 1 others")
    wanted = -np.log([0.8, 0.6, 0.7]).mean()
    assert re.search(rf"log loss of winprob +{wanted:.3f}", text)
    assert re.search(r"log loss of stage table +0\.693", text)
    assert re.search(r"won +33%, expected 50%", text)


def test_a_name_runs_no_script_and_moves_no_cursor(plan: Plan) -> None:
    named = plan.visits.assign(
        deal_id="<script>alert(1)</script>\x1b[2J\u202e", executive='"><img src=x onerror=alert(1)>'
    )
    wild = replace(plan, visits=named)
    html = wild._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
    assert not {"\x1b", "\u202e"} & {*html, *repr(wild)}


def test_a_long_list_is_cut() -> None:
    class Long(Described):
        def described_as(self) -> str:
            return "long"

        def facts(self) -> Any:
            return ((str(at), "x") for at in range(50))

    assert repr(Long()).endswith("+30")
    assert repr(Long()).count("\n") == 21
