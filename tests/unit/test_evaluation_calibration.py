"""Curves and counts of calibrated and uncalibrated probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom
from sklearn.isotonic import IsotonicRegression

from winprob.evaluation import calibration
from winprob.evaluation.calibration import count_cdf, coverage_90, group_calibration, reliability_curve


def test_the_curve_never_falls_and_ends_at_the_shares_won():
    rng = np.random.default_rng(0)
    chance = rng.choice([0.1, 0.3, 0.5, 0.9], 400)
    won = (rng.random(400) < chance).astype(float)
    curve = reliability_curve(won, chance, seed=1, draws=100)
    assert (np.diff(curve["observed"]) >= 0).all()
    assert curve["deals"].sum() == 400
    np.testing.assert_allclose(curve["observed"], [won[chance == c].mean() for c in curve["win_prob"]], atol=1e-12)


def test_the_band_holds_the_curve_of_a_calibrated_model_nine_times_in_ten():
    held = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        chance = rng.beta(2, 2, 150)
        curve = reliability_curve(rng.random(150) < chance, chance, seed=seed, draws=200)
        held.append(((curve["lower"] <= curve["observed"]) & (curve["observed"] <= curve["upper"])).mean())
    assert 0.85 < np.mean(held) < 0.95


def test_the_band_lies_around_the_diagonal_whatever_happened():
    """It assumes that the probabilities are right: outcomes move the curve, not the band."""
    chance = np.random.default_rng(11).uniform(0, 1, 400)
    one, other = (reliability_curve(won, chance, seed=5) for won in (chance > 0.5, chance < 0.2))
    pd.testing.assert_frame_equal(one[["lower", "upper"]], other[["lower", "upper"]])
    # The least and the greatest chances are left out: there isotonic curves run into 0 and 1, and the band with them.
    inner = one[one["win_prob"].between(0.05, 0.95)]
    assert ((inner["lower"] <= inner["win_prob"]) & (inner["win_prob"] <= inner["upper"])).all()


def test_the_curve_is_scikit_learns_isotonic_regression():
    rng = np.random.default_rng(12)
    chance = np.round(rng.random(300), 2)
    won = rng.random(300) < chance**2
    curve = reliability_curve(won, chance, seed=1, draws=20)
    oracle = IsotonicRegression().fit(chance, won)
    np.testing.assert_allclose(curve["observed"], oracle.predict(curve["win_prob"]), atol=1e-9)
    pd.testing.assert_frame_equal(curve, reliability_curve(won, chance, seed=1, draws=20))


def test_the_band_of_one_chance_is_binomial():
    curve = reliability_curve(np.arange(40) < 10, np.full(40, 0.3), seed=1, draws=20_000)
    assert curve["observed"].tolist() == [0.25]
    assert curve[["lower", "upper"]].to_numpy()[0] * 40 == pytest.approx(binom.ppf([0.05, 0.95], 40, 0.3), abs=1e-4)


def test_the_band_does_not_hold_an_overconfident_model():
    rng = np.random.default_rng(2)
    log_odds = rng.normal(0, 1, 2000)
    curve = reliability_curve(rng.random(2000) < expit(log_odds), expit(3 * log_odds), seed=1, draws=200)
    assert ((curve["lower"] <= curve["observed"]) & (curve["observed"] <= curve["upper"])).mean() < 0.5


def test_a_count_is_the_sum_of_all_ways_to_get_it():
    """Oracle: enumeration of all outcomes of six deals, averaged over draws."""
    draws = np.random.default_rng(3).random((6, 3))
    mass = np.zeros(7)
    for outcome in itertools.product([0, 1], repeat=6):
        each = np.prod(np.where(np.array(outcome)[:, None], draws, 1 - draws), axis=0)
        mass[sum(outcome)] += each.mean()
    np.testing.assert_allclose(count_cdf(draws), np.cumsum(mass), atol=1e-12)


@pytest.mark.parametrize("deals", [1, 15, 16, 17, 33, 150])
def test_a_count_of_many_deals_is_that_of_one_deal_after_another(deals):
    """Oracle: plain convolution, a deal at a time, on either side of every block's edge."""
    draws = np.random.default_rng(deals).beta(0.5, 1.5, (deals, 4))
    mass = np.zeros((4, deals + 1))
    for at, chances in enumerate(draws.T):
        one = np.ones(1)
        for chance in chances:
            one = np.convolve(one, [1 - chance, chance])
        mass[at] = one
    np.testing.assert_allclose(count_cdf(draws), np.cumsum(mass.mean(axis=0)), atol=1e-12)


@pytest.mark.parametrize(("deals", "chance"), [(81, 0.01), (500, 0.02), (3000, 0.4)])
def test_a_count_of_deals_alike_is_binomial(deals, chance):
    """A normal would be 0.08, 0.02 and 0.001 away."""
    wanted = binom.cdf(np.arange(deals + 1), deals, chance)
    np.testing.assert_allclose(count_cdf(np.full((deals, 1), chance)), wanted, atol=1e-12)


def test_draws_taken_a_few_at_a_time_are_all_counted(monkeypatch):
    draws = np.random.default_rng(4).random((20, 11))
    whole = count_cdf(draws)
    monkeypatch.setattr(calibration, "_AT_ONCE", 60)
    np.testing.assert_allclose(count_cdf(draws), whole, atol=1e-14)


def test_what_is_covered_is_nine_tenths_of_every_distribution():
    """In closed form: over all counts a group may have, weighed by their probability."""
    rng = np.random.default_rng(7)
    for deals in (5, 6, 40):
        draws = expit(rng.normal(0, 1.5, (deals, 1)) + rng.normal(0, 1, 30))
        table = pd.DataFrame({"stage": ["x"] * deals})
        covered = [
            group_calibration((np.arange(deals) < count).astype(float), draws, table)["covered"][0]
            for count in range(deals + 1)
        ]
        assert np.diff(count_cdf(draws), prepend=0) @ covered == pytest.approx(0.9, abs=1e-12)


def test_a_model_without_draws_is_covered_nine_times_in_ten_where_right_and_seldom_where_overconfident():
    rng = np.random.default_rng(8)
    table = pd.DataFrame({"seller": np.repeat(np.arange(800).astype(str), 25)})
    log_odds = np.repeat(rng.normal(0, 1, 800), 25) + rng.normal(0, 0.5, 20000)
    won = (rng.random(20000) < expit(log_odds)).astype(float)
    right, bold = (coverage_90(group_calibration(won, expit(by * log_odds)[:, None], table)) for by in (1, 3))
    assert right == pytest.approx(0.9, abs=0.025)
    assert bold < 0.5


def test_doubt_must_stay_shared_by_the_deals_of_a_group():
    """The same chances with each deal's draws in an order of its own: too narrow, so it covers too little."""
    rng = np.random.default_rng(9)
    table = pd.DataFrame({"segment": np.repeat(np.arange(200).astype(str), 30)})
    draws = expit(np.repeat(rng.normal(0, 1, (200, 100)), 30, axis=0))
    won = (rng.random(6000) < draws[:, 3]).astype(float)
    assert coverage_90(group_calibration(won, draws, table)) == pytest.approx(0.9, abs=0.05)
    assert coverage_90(group_calibration(won, rng.permuted(draws, axis=1), table)) < 0.6


@pytest.mark.filterwarnings("ignore:the string cache:DeprecationWarning")  # model-diagnostics's own
def test_group_bias_agrees_with_model_diagnostics():
    from model_diagnostics.calibration import compute_bias

    rng = np.random.default_rng(10)
    draws = rng.random((200, 7)).astype(np.float32)
    won, segment = (rng.random(200) < 0.6).astype(float), rng.choice(list("abc"), 200)
    groups = group_calibration(won, draws, pd.DataFrame({"segment": segment}))
    oracle = compute_bias(won, draws.mean(axis=1, dtype=float), feature=segment).sort("feature")
    assert groups["level"].tolist() == oracle["feature"].to_list()
    bias = (groups["expected"] - groups["won"]) / groups["n"]
    np.testing.assert_allclose(bias, oracle["bias_mean"].to_numpy(), atol=1e-7)
    assert (groups["lower"] <= groups["expected"]).all()
    assert (groups["expected"] <= groups["upper"]).all()


@pytest.mark.parametrize(("deals", "groups"), [(8, 300), (90, 60)])
def test_coverage_is_nine_in_ten_where_all_is_right(deals, groups):
    """Parameters doubted: each set of deals has one of its draws for a truth."""
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(10):
        table = pd.DataFrame({"segment": np.repeat(np.arange(groups).astype(str), deals)})
        shift = np.repeat(rng.normal(0, 0.5, (groups, 200)), deals, axis=0)
        draws = expit(rng.normal(0, 1, (groups * deals, 1)) + shift)
        won = (rng.random(len(draws)) < draws[:, 17]).astype(float)
        covered.append(coverage_90(group_calibration(won, draws, table, by=["segment"])))
    assert np.mean(covered) == pytest.approx(0.9, abs=0.015)


def test_coverage_falls_where_doubt_that_deals_share_is_left_out():
    rng = np.random.default_rng(6)
    table = pd.DataFrame({"segment": np.repeat(np.arange(100).astype(str), 60)})
    shift = np.repeat(rng.normal(0, 0.8, (100, 1)), 60, axis=0)
    won = (rng.random(6000) < expit(shift[:, 0])).astype(float)
    assert coverage_90(group_calibration(won, np.full((6000, 1), 0.5), table, by=["segment"])) < 0.5


def test_blanks_are_a_group_and_few_deals_are_none():
    table = pd.DataFrame({"segment": ["a"] * 6 + [None] * 7 + ["b"] * 4})
    groups = group_calibration(np.ones(17), np.full((17, 1), 0.5), table)
    assert dict(zip(groups["level"], groups["n"], strict=True)) == {"": 7, "a": 6}
    assert np.isnan(coverage_90(groups.head(0)))
