"""The benchmarks run without sampling a thing: folds, tables, clocks, and what they say when the data are absent."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = (
    "_timing",
    "_scores",
    "salvirt",
    "maven",
    "sbc",
    "teams",
    "speed",
    "prediction",
    "levers",
    "what_if",
    "startup",
    "run",
    "allocation",
    "visits",
)
FIELDS = (
    "Product Seller Authority Comp_size Competitors Purch_dept Partnership Budgt_alloc Forml_tend RFI RFP Growth "
    "Posit_statm Source Client Scope Strat_deal Cross_sale Up_sale Deal_type Needs_def Att_t_client"
).split()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, ModuleType]]:
    """The programs as modules, writing elsewhere."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("WINPROB_BENCH_OUT", str(tmp_path / "out"))
    yield {name: import_module(name) for name in MODULES}
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Sixty made-up deals in Salvirt's columns, and each third of them a second time."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.choice(["Yes", "No", "Unknown"], (60, len(FIELDS))), columns=FIELDS)
    rows["Forml_tend"] = rng.choice(["Yes", "No"], 60)
    rows["Status"] = rng.choice(["Won", "Lost"], 60)
    path = tmp_path / "salvirt.csv"
    pd.concat([rows, rows.iloc[::3]]).to_csv(path, index=False)
    return path


def asked(bench: dict[str, ModuleType], *models: str) -> argparse.Namespace:
    return argparse.Namespace(repeats=2, seed=1, settings=None, models=list(models))


def test_identical_rows_stay_in_one_fold(bench: dict[str, ModuleType], source: Path) -> None:
    table = bench["salvirt"].read_table(source, "A")
    assert len(table.won) == 80
    for repeat in range(3):
        for train, test in bench["salvirt"].folds(table, "A", repeat):
            assert not set(table.groups[train]) & set(table.groups[test])
            assert len(train) + len(test) == 80


def test_protocol_b_has_each_row_once(bench: dict[str, ModuleType], source: Path) -> None:
    table = bench["salvirt"].read_table(source, "B")
    assert len(table.won) == len(table.deals) == 60
    assert table.deals.attrs["covariates"]["varying"]
    tested = np.concatenate([test for _, test in bench["salvirt"].folds(table, "B", 0)])
    assert sorted(tested) == list(range(60))


def test_deals_and_facts_are_the_same_rows(bench: dict[str, ModuleType], source: Path) -> None:
    for protocol in "AB":
        table = bench["salvirt"].read_table(source, protocol)
        assert ((table.deals["outcome"] == "won").to_numpy() == table.won).all()
        assert table.deals["Product"].tolist() == table.facts["Product"].tolist()


def test_results_table_has_its_columns(bench: dict[str, ModuleType], source: Path) -> None:
    salvirt = bench["salvirt"]
    table = salvirt.read_table(source, "A")
    rng = np.random.default_rng(1)
    predictions = {name: rng.uniform(0.1, 0.9, (2, len(table.won))) for name in ("winprob", "logistic C=1")}
    result = salvirt.compare(table, predictions, seed=1)
    assert tuple(result.columns) == salvirt.COLUMNS
    theirs = result.set_index("model").loc["logistic C=1"]
    assert theirs["lower"] < theirs["difference"] < theirs["upper"]
    gap = result["log_loss"][0] - result["log_loss"][1]
    assert theirs["difference"] == pytest.approx(gap)
    assert salvirt.results_table(result).count("\n| ") == 3


def test_finished_folds_are_not_done_again(
    bench: dict[str, ModuleType], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    salvirt = bench["salvirt"]
    table = salvirt.read_table(source, "B")
    first = salvirt.cross_validate(table, "B", asked(bench, "logistic C=1"))
    assert np.isfinite(first["logistic C=1"]).all()
    monkeypatch.setattr(salvirt, "baselines", lambda: {"logistic C=1": lambda *_: pytest.fail("fitted again")})
    again = salvirt.cross_validate(table, "B", asked(bench, "logistic C=1"))
    np.testing.assert_array_equal(first["logistic C=1"], again["logistic C=1"])


def test_kept_folds_belong_to_settings(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    plain = asked(bench, "winprob")
    tuned = argparse.Namespace(**{**vars(plain), "settings": tmp_path / "settings.toml"})
    tuned.settings.write_text("[priors]\nrole_weight = 0.5\n")
    marks = {bench["salvirt"]._mark("winprob", case) for case in (plain, tuned)}
    assert len(marks) == 2


def test_scores_agree_with_scikit_learn(bench: dict[str, ModuleType]) -> None:
    metrics = import_module("sklearn.metrics")
    rng = np.random.default_rng(2)
    win_prob = rng.uniform(0.05, 0.95, 4000)
    won = rng.random(4000) < win_prob
    got = bench["_scores"].scores(won, win_prob)
    assert got["log_loss"] == pytest.approx(metrics.log_loss(won, win_prob))
    assert got["brier"] == pytest.approx(metrics.brier_score_loss(won, win_prob))
    # The predictions are the truth: nothing to recalibrate.
    assert got["slope"] == pytest.approx(1, abs=0.15)
    assert got["intercept"] == pytest.approx(0, abs=0.15)


def test_a_constant_prediction_has_scores(bench: dict[str, ModuleType]) -> None:
    won = np.array([True, False, True, True])
    got = bench["_scores"].scores(won, np.full(4, 0.63))
    assert np.isfinite([got[name] for name in ("auc", "log_loss", "brier", "accuracy")]).all()
    assert np.isnan([got["slope"], got["intercept"]]).all()


def test_verdicts_and_tables(bench: dict[str, ModuleType]) -> None:
    figure = bench["_timing"].Figure
    shown = bench["_timing"].figures_table(
        [figure(quantity="a", got=2.0, aim=3.0), figure(quantity="b", got=4.0, aim=3.0), figure(quantity="c", got=1e5)]
    )
    assert [line.split(" | ")[-1].strip(" |") for line in shown.splitlines()[2:]] == ["met", "missed", "-"]
    assert "100,000" in shown


def test_a_short_run_is_scaled(bench: dict[str, ModuleType]) -> None:
    speed = bench["speed"]
    spent = {"compile": 10.0, "warm_up": 5.0, "drawing": 20.0}
    assert speed._seconds_to_ess(speed.FULL, **spent, ess=800.0) == 35.0
    longer = speed._seconds_to_ess(speed.SHORT, **spent, ess=100.0)
    assert longer == pytest.approx(10 + 5 * 4 + 80)


def test_pymc_clock_tells_phases_apart(bench: dict[str, ModuleType]) -> None:
    clock = bench["speed"].Clock(tune=2)
    for _ in range(2):
        for at in range(4):
            clock(None, argparse.Namespace(draw_idx=at))
    assert min(clock.compile, clock.warm_up, clock.drawing) > 0


@pytest.mark.parametrize("name", ["salvirt", "maven", "real"])
def test_absent_data_are_said_and_no_error(name: str, tmp_path: Path) -> None:
    env = {**os.environ, "WINPROB_REAL_DATA": str(tmp_path), "WINPROB_BENCH_OUT": str(tmp_path / "out")}
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py")], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "skipped" in done.stdout
    assert "WINPROB_REAL_DATA" in done.stdout


def test_summary_tells_each_figure_and_what_was_skipped(bench: dict[str, ModuleType], tmp_path: Path) -> None:
    timing, run = bench["_timing"], bench["run"]
    timing.save("startup", [timing.Figure(quantity="--help", got=0.1, aim=0.2, unit="s")])
    kept = json.loads((tmp_path / "out" / "startup.json").read_text())
    results = [
        {"name": "startup", "state": "done", "figures": kept["figures"]},
        {"name": "maven", "state": "skipped", "figures": []},
    ]
    shown = run.summary(results)
    assert "| startup | --help | 0.1 s | <= 0.2 | met |" in shown
    assert "| maven | - | - | - | skipped |" in shown
    assert kept["machine"]["numpy"]


def test_what_visits_add_in_truth_is_exact(bench: dict[str, ModuleType]) -> None:
    """Two visits to one deal, by hand."""
    expit = import_module("scipy.special").expit
    world = bench["allocation"].world_of(60, 1)
    deal = int(np.flatnonzero(~np.isnan(world.moves[:, :2]).any(axis=1))[0])
    visited = np.zeros(world.moves.shape, dtype=bool)
    visited[deal, :2] = True
    (p, q), (one, two), logit = world.chance[deal, :2], world.moves[deal, :2], world.logit[deal]
    wanted = p * q * expit(logit + one + two) + p * (1 - q) * expit(logit + one) + (1 - p) * q * expit(logit + two)
    wanted += ((1 - p) * (1 - q) - 1) * expit(logit)
    added = world.added(visited)
    assert added[deal] == pytest.approx(wanted)
    assert np.count_nonzero(added) == 1


def test_simulated_visits_go_to_low_tiers_and_move_support(bench: dict[str, ModuleType]) -> None:
    """A log without an effect rises less often than one with an effect, and neither names a role twice a month."""
    visits = bench["visits"]
    rose = []
    for effect in (0.0, 1.0):
        log, table = visits.simulate_log(visits.WORLDS[1], effect, np.random.default_rng(3))
        assert len(log) == visits.VISITS
        assert not log.duplicated(["deal_id", "role", "date"]).any()
        assert log["tier_before"].mean() < table["approver_support"].mean()
        rose.append((log["tier_after"] > log["tier_before"]).mean())
    assert rose[1] > rose[0] + 0.1
