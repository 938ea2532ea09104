"""Scores of probabilities, against scikit-learn, model-diagnostics and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from winprob.evaluation import scores
from winprob.evaluation.scores import EDGE, decompose, log_losses, paired_difference, recalibration, score


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(1)
    log_odds = rng.normal(0, 1.2, 800)
    return (rng.random(800) < expit(0.7 * log_odds + 0.2)).astype(float), expit(log_odds)


def test_scores_are_scikit_learns(drawn):
    won, chance = drawn
    got = score(won, chance)
    assert got["log_loss"] == pytest.approx(log_loss(won, chance))
    assert got["brier"] == pytest.approx(brier_score_loss(won, chance))
    assert got["auc"] == pytest.approx(roc_auc_score(won, chance))
    assert got["n"] == 800


def test_the_decomposition_is_that_of_model_diagnostics(drawn):
    from model_diagnostics.scoring import SquaredError
    from model_diagnostics.scoring import decompose as oracle

    won, chance = drawn
    table = oracle(won, chance, scoring_function=SquaredError(), functional="mean")
    wanted = [float(table[name][0]) for name in ("miscalibration", "discrimination", "uncertainty")]
    assert decompose(won, chance) == pytest.approx(wanted, abs=1e-9)


def test_the_decomposition_adds_up_to_the_brier_score(drawn):
    got = score(*drawn)
    assert got["miscalibration"] - got["discrimination"] + got["uncertainty"] == pytest.approx(got["brier"], abs=1e-12)


def test_recalibration_is_an_unpenalised_logistic_regression(drawn):
    won, chance = drawn
    oracle = LogisticRegression(C=np.inf).fit(np.log(chance / (1 - chance))[:, None], won)
    assert recalibration(won, chance) == pytest.approx((oracle.coef_[0, 0], oracle.intercept_[0]), abs=1e-3)


def test_where_a_score_means_nothing_it_is_no_number():
    same = score(np.array([1.0, 0, 1, 0]), np.full(4, 0.4))
    assert np.isnan(same["calibration_slope"])
    assert same["auc"] == 0.5
    all_won = score(np.ones(4), np.array([0.2, 0.4, 0.6, 0.8]))
    assert np.isnan(all_won["auc"])
    assert np.isnan(all_won["calibration_slope"])


def test_a_certainty_that_fails_costs_much_and_not_infinitely_much():
    assert log_losses(np.array([0.0]), np.array([1.0]))[0] == pytest.approx(-np.log(EDGE))


def test_a_paired_difference_covers_the_true_one_nine_times_in_ten():
    """Groups of four rows that fall together: rows taken one by one would make the interval half as wide."""
    covered = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(60), 4)
        losses = rng.normal(0.1, 1, 60)[groups]
        _, lower, upper = paired_difference(losses, np.zeros(240), groups, seed=seed, draws=500)
        covered.append(lower <= 0.1 <= upper)
    assert 0.84 < np.mean(covered) < 0.95


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.01, 0.2, 0.5, 0.55, 0.9, 1.0])), min_size=2))
def test_any_decomposition_adds_up_and_no_part_is_below_zero(rows):
    won, chance = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    miscalibration, discrimination, uncertainty = decompose(won, chance)
    assert miscalibration - discrimination + uncertainty == pytest.approx(((chance - won) ** 2).mean(), abs=1e-12)
    assert min(miscalibration, discrimination, uncertainty) > -1e-12


def test_the_brier_score_is_that_of_scoringrules(drawn):
    import scoringrules

    won, chance = drawn
    assert score(won, chance)["brier"] == pytest.approx(scoringrules.brier_score(won, chance).mean())


def test_sharpness_is_a_standard_deviation():
    assert score(np.array([1, 0, 1, 0]), np.array([0.2, 0.8, 0.2, 0.8]))["sharpness"] == pytest.approx(0.3)


def test_recalibration_undoes_what_was_done_to_right_log_odds():
    """Log-odds halved and moved by 0.4: a slope of 2 and an intercept of 0.8 bring them back."""
    rng = np.random.default_rng(4)
    log_odds = rng.normal(0, 1.5, 200_000)
    won = rng.random(len(log_odds)) < expit(log_odds)
    assert recalibration(won, expit(log_odds / 2 - 0.4)) == pytest.approx((2, 0.8), abs=0.04)


def test_recalibration_solves_the_likelihood_equations_where_chances_hardly_differ():
    """Slopes in the hundreds, where Newton's method from a slope of 1 overshoots and runs away."""
    solved = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        chance = 0.5 + 0.004 * rng.normal(size=30)
        won = (rng.random(30) < 0.15).astype(float)
        slope, intercept = recalibration(won, chance)
        if np.isnan(slope):
            continue
        log_odds = np.log(chance / (1 - chance))
        left = won - expit(slope * log_odds + intercept)
        assert abs(left.sum()) < 1e-6
        assert abs(left @ (log_odds - log_odds.mean()) / log_odds.std()) < 1e-6
        solved += 1
    assert solved > 150


@pytest.mark.parametrize(
    "chance",
    [
        pytest.param([0.1, 0.2, 0.3, 0.6, 0.7, 0.9], id="parts won from lost"),
        pytest.param([0.9, 0.8, 0.6, 0.3, 0.3, 0.1], id="parts them the wrong way round"),
        pytest.param([0.1, 0.2, 0.5, 0.5, 0.7, 0.9], id="parts them but for a tie"),
        pytest.param(0.3 + 1e-16 * np.arange(6), id="alike but for rounding"),
        pytest.param([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], id="certain and right"),
    ],
)
def test_no_slope_where_none_is_likeliest(chance):
    assert np.isnan(recalibration(np.array([0, 0, 0, 1, 1, 1]), np.array(chance))).all()


def test_outcomes_may_be_truths(drawn):
    won, chance = drawn
    assert score(won.astype(bool), chance) == score(won, chance)


def test_a_paired_difference_weighs_groups_by_their_rows():
    """Oracle: all 27 ways to draw three groups of one, two and three rows, the ratio of sums of each."""
    losses, labels = np.array([1.0, 2, 4, 0, 3, 9]), np.array(list("xyyzzz"))
    sums, counts = np.array([1.0, 6, 12]), np.array([1, 2, 3])
    ways = np.array(list(itertools.product(range(3), repeat=3)))
    means = sums[ways].sum(axis=1) / counts[ways].sum(axis=1)
    mean, lower, upper = paired_difference(losses, np.zeros(6), labels, seed=1, draws=40_000)
    assert mean == losses.mean()
    assert [lower, upper] == pytest.approx(np.quantile(means, [0.05, 0.95], method="inverted_cdf"))


def test_a_paired_difference_is_the_same_whatever_fits_the_memory(drawn, monkeypatch):
    won, chance = drawn
    losses, groups = log_losses(won, chance), np.arange(800) // 3
    whole = paired_difference(losses, losses[::-1], groups, seed=3, draws=100)
    monkeypatch.setattr(scores, "_AT_ONCE", 1000)
    assert paired_difference(losses, losses[::-1], groups, seed=3, draws=100) == whole
    assert paired_difference(losses, losses[::-1], 7 * groups + 2, seed=3, draws=100) == whole
