"""The lever benchmark judges by enumeration what it can: choices, regret, and the truth its oracle averages."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import winprob
from winprob.data.schema import validate_deals
from winprob.errors import NotConvergedError
from winprob.methodology.vocabulary import DECISION_METHODS, ROLES
from winprob.model.features import describe, learn_scaling
from winprob.model.inference import read_training
from winprob.model.win.terms import coefficients, logits
from winprob.settings import Settings
from winprob.simulation import Truth, simulate

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MODULES = ("_timing", "_truths", "misspecification", "lever_regret")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("WINPROB_BENCH_OUT", str(tmp_path))
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


# --- truths that are drawn ------------------------------------------------------------------------------------------


def test_the_model_at_a_draw_from_its_prior_predicts_what_the_truth_from_that_draw_does(bench: ModuleType) -> None:
    """Oracle: the simulator's win probability given the record, where no word is blank, by Monte Carlo."""
    team = simulate(600, 400, seed=5)
    for seed in (1, 2, 3):
        truth, _ = bench.truths.draw_from_prior(team, np.random.default_rng(seed))
        named, _, _ = bench.truths._prior_draw(team, np.random.default_rng(seed))
        fresh = simulate(10, 400, seed=6, truth=truth)
        deals = fresh.open[fresh.open[["stage", "coach", "decision_method"]].notna().all(axis=1)]
        # The current quarter has another step of the walk than the model draws, and an amount acts along a line there.
        truth = replace(fresh.truth, drift=[0.0] * len(truth.drift), amount_effect=0.0)
        # Nor has the truth a pattern of trees.
        named |= {name: 0 * named[name] for name in ("drift", "curve", "companion_weight")}
        named["drift_scale"] = 0 * named["drift_scale"]
        features = describe(validate_deals(deals), read_training(team.closed, Settings()).scaling)
        draws = {name: np.asarray(values)[None] for name, values in named.items()}
        model = expit(logits(coefficients(draws, features, seed=0), features)[:, 0])
        oracle = import_module("misspecification").oracle(deals, truth, seed=1)
        assert np.abs(model - oracle).mean() < 0.02
        assert np.corrcoef(model, oracle)[0, 1] > 0.995


def test_every_parameter_that_the_model_has_is_drawn(bench: ModuleType) -> None:
    team = simulate(150, 1, seed=1)
    assert bench.truths.kept_parameters(team) == []
    one, other = (bench.truths.team_with("prior", 150, seed, {}).truth for seed in (1, 2))
    for name in (*bench.truths.NAMES, "seller_offset", "competitor_offset"):
        assert not np.allclose(one.array(name), other.array(name)), name


def test_a_parameter_that_the_model_lacks_stays_as_the_simulator_has_it(bench: ModuleType) -> None:
    named, labels = {"effect": np.array([1.0, 2.0])}, {"letter": ("a", "b")}
    dims = {"effect": ("letter",)}
    assert bench.truths._picked(named, labels, dims, "effect", (("b", "a"),)).tolist() == [2, 1]
    assert bench.truths._picked(named, labels, dims, "effect", (("a", "c"),)) is None
    assert bench.truths._picked(named, labels, dims, "effect", ()) is None
    assert bench.truths._picked(named, labels, dims, "other", ()) is None


def test_wider_truths_have_another_scale_and_lean_at_the_same_mean(bench: ModuleType) -> None:
    team, truths = simulate(300, 1, seed=2), bench.truths
    truth, lean = truths.draw_from_prior(team, np.random.default_rng(4))
    wider = truths.widen(truth, lean, team, 2, np.random.default_rng(7))
    normal = np.random.default_rng(7).standard_normal(2)
    factor = np.exp(truths.WIDER_SCALE * normal[0])
    for name in ("stage_effect", "coach_effect", "amount_effect", "seller_offset"):
        np.testing.assert_allclose(wider.array(name), factor * truth.array(name))
    leaned = np.log(wider.array("role_weight") / truth.array("role_weight") / factor / 1.5)
    np.testing.assert_allclose(leaned, (0.7 * normal[1] - lean) * truths.who_decides(), atol=1e-9)
    means = [simulate(300, 1, seed=2, truth=each).latent_closed.logit_win_prob.mean() for each in (truth, wider)]
    assert means[0] == pytest.approx(means[1])
    decides = truths.who_decides()
    assert decides[ROLES.index("approver")].tolist() == [-1, 1, 1]
    assert decides[ROLES.index("evaluator"), DECISION_METHODS.index("scoring")] == 1


def test_a_team_without_enough_of_either_outcome_is_drawn_again(bench: ModuleType) -> None:
    for seed in range(6):
        won = bench.truths.team_with("wide", 60, seed, {}).latent_closed.won.sum()
        assert 10 <= won <= 50


def test_what_a_world_sets_is_set_in_drawn_truths_too(bench: ModuleType) -> None:
    assert bench.truths.team_with("prior", 150, 1, {"veto": 1.5}).truth.veto == 1.5
    asked = Namespace(worlds=["plain", "method contrary"], truths=[], sizes=[150])
    assert bench.cases(asked) == [
        *(("plain", kind, 150) for kind in ("fixed", "prior", "wide")),
        ("method contrary", "fixed", 150),
    ]


def test_prob_best_is_compared_with_how_often_the_first_lever_is_right(bench: ModuleType) -> None:
    score = np.array([[3.0, 1, 0, 0, 0], [1.0, 2, 0, 0, 0], [9.0, 1, 0, 0, 0]])
    prob_best = np.array([[0.95, 0.05, 0, 0, 0], [0.45, 0.55, 0, 0, 0], [1.0, 0, 0, 0, 0]])
    lift = np.array([[0.3, 0.1, 0, 0, 0], [0.3, 0.1, 0, 0, 0], [0.5, 0.6, 0, 0, 0]])
    able = np.array([[True, True, True, True, True], [False, True, True, True, True], [True] * 5])
    got = bench.reliability(score, prob_best, able, lift)
    assert got["bin_deals"].tolist() == [0, 0, 1, 0, 0, 0, 2]
    assert got["bin_said"].tolist() == pytest.approx([0, 0, 0.55, 0, 0, 0, 1.95])
    assert got["bin_right"].tolist() == [0, 0, 1, 0, 0, 0, 1]


def test_differences_and_ratios_are_paired_over_teams(bench: ModuleType) -> None:
    cells = [{"a": np.array(value), "b": np.array(2 * value + 1)} for value in (0.1, 5.0, 40.0, 2.0)]
    mean, lower, upper = bench.minus(cells, "a", "b")
    assert mean == pytest.approx(-12.775)
    assert lower < mean < upper < -1
    half, low, high = bench.ratio(cells, "a", "b")
    assert half == pytest.approx(47.1 / 98.2)
    # Unpaired teams would spread it from near nothing to far above one.
    assert 0.2 < low < half < high < 0.5


def test_a_team_that_does_not_converge_is_kept_as_refused(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotConvergedError("no")

    monkeypatch.setattr(winprob, "fit", refuse)
    assert bench.run_team("plain", "prior", 60, 1).keys() == {"refused"}


def test_the_quick_form_shows_each_truth_and_resumes(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "FRESH", 60)
    monkeypatch.setattr(bench, "logistic_coefficients", lambda *_: np.arange(5.0))
    monkeypatch.setattr("sys.argv", ["lever_regret.py", "--quick", "--truths", "prior"])
    bench.main()
    first = capsys.readouterr().out
    assert first.count("| plain | prior | 150 |") == 6
    for words in ("winprob / logistic (90 %)", "minus highest title", "covers the expected lift", "prob_best minus"):
        assert words in first
    monkeypatch.setattr(bench, "run_team", lambda *_: pytest.fail("ran again"))
    bench.main()
    assert capsys.readouterr().out == first
