"""The lever benchmark judges by enumeration what it can: choices, regret, and the truth its oracle averages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from winprob.data.schema import validate_deals
from winprob.methodology.vocabulary import ROLES
from winprob.model.features import learn_scaling
from winprob.settings import Settings
from winprob.simulation import Truth, simulate

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = ("_timing", "misspecification", "lever_regret")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield import_module("lever_regret")
    for name in MODULES:
        sys.modules.pop(name, None)


def test_ties_are_broken_by_lot_among_roles_that_can_rise(bench: ModuleType) -> None:
    score = np.array([[3.0, 3.0, 1.0, 0.0, 0.0]])
    able = np.array([[True, True, True, False, False]])
    assert bench.choices(score, able).tolist() == [[0.5, 0.5, 0, 0, 0]]
    able[0, :2] = False
    assert bench.choices(score, able).tolist() == [[0, 0, 1, 0, 0]]


def test_regret_is_the_best_lift_minus_the_chosen_one(bench: ModuleType) -> None:
    able = np.array([[True, True, False, False, False], [True, True, True, False, False]])
    lift = np.array([[0.10, 0.04, 0.9, 0.9, 0.9], [0.02, 0.05, 0.01, 0.9, 0.9]])
    ranked = {"right": lift, "first": np.tile([5.0, 4, 3, 2, 1], (2, 1)), "any": np.zeros((2, 5))}
    got = bench.judge(ranked, able, lift, lift)
    assert got["regret_expected_right"] == 0
    assert got["hit_expected_right"] == 1
    assert got["regret_expected_first"] == pytest.approx((0 + 0.03) / 2)
    assert got["hit_expected_first"] == 0.5
    assert got["regret_expected_any"] == pytest.approx((0.03 + 0.07 / 3) / 2)
    assert got["best_expected"] == pytest.approx(0.075)


def test_the_rivals_do_as_they_are_called(bench: ModuleType) -> None:
    team = simulate(200, 30, seed=4)
    got = bench.scores(team.open, team.closed, seed=1)
    able = np.ones((30, 5), dtype=bool)
    tiers = team.open[[f"{role}_support" for role in ROLES]].to_numpy(dtype=float)
    assert (bench.choices(got["highest title"], able)[:, 0] == 1).all()
    lowest = np.nanmin(tiers, axis=1)
    assert ((bench.choices(got["lowest role"], able) > 0) == (tiers == lowest[:, None])).all()
    assert got["logistic"].shape == (30, 5)


def test_the_expected_lift_is_the_realised_one_on_average(bench: ModuleType) -> None:
    """Oracle: over many deals what the record lets one expect is what true supports give, by iterated expectation."""
    truth = simulate(10, 1, seed=3, truth=Truth()).truth
    team = simulate(10, 4000, seed=9, truth=truth)
    scaling = learn_scaling(validate_deals(team.open.assign(outcome="won")), Settings())
    steps = bench.true_steps(team.open, truth, scaling)
    expected = bench.expected_lifts(team.open, truth, steps, seed=1)
    realised = import_module("misspecification").true_lifts(truth, team.latent_open, steps)
    gap = realised - expected
    error = gap.std(axis=0) / np.sqrt(len(gap))
    assert (np.abs(gap.mean(axis=0)) < 4 * error + 5e-4).all()
    assert gap.std() > 0.005


def test_steps_follow_the_true_tiers(bench: ModuleType, table) -> None:
    truth = Truth()
    scaling = learn_scaling(validate_deals(table(outcome=["won"])), Settings())
    steps = bench.true_steps(table(), truth, scaling)[0]
    assert steps[ROLES.index("influencer")] == 0
    assert (np.delete(steps, ROLES.index("influencer")) > 0).all()


def test_a_table_of_levers_becomes_one_row_a_deal(bench: ModuleType) -> None:
    levers = pd.DataFrame(
        {"deal_id": ["b"] * 5 + ["a"] * 5, "role": [*reversed(ROLES), *ROLES], "lower": [*range(5), *range(5)]}
    )
    assert bench.by_role(levers, "lower").tolist() == [[4, 3, 2, 1, 0], [0, 1, 2, 3, 4]]
