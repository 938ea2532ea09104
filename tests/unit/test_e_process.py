"""The e-process of calibration: closed forms, exact expectation 1, Ville's bound, and power."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from winprob.errors import SettingsError
from winprob.retrain.monitoring.e_process import Recalibrations, e_process, log_likelihoods, log_odds_of, recalibrations
from winprob.settings import MonitorSettings, settings_from

GRID = recalibrations(MonitorSettings())
_WEIGHT = GRID.log_weight[::6, ::4]
#: A prior of fewer points, as valid, for many runs.
COARSE = Recalibrations(
    intercept=GRID.intercept[::4], slope=GRID.slope[::6], log_weight=_WEIGHT - np.log(np.exp(_WEIGHT).sum())
)


def one_point(intercept: float, slope: float) -> Recalibrations:
    return Recalibrations(intercept=np.array([intercept]), slope=np.array([slope]), log_weight=np.zeros((1, 1)))


def bernoulli(chance: np.ndarray, happened: np.ndarray) -> np.ndarray:
    """(...) likelihood over the first axis, the plain way."""
    return np.prod(np.where(happened.reshape(-1, *[1] * (chance.ndim - 1)), chance, 1 - chance), axis=0)


def some_cohorts(rng: np.random.Generator, sizes: tuple[int, ...], draws: int) -> list[tuple[np.ndarray, np.ndarray]]:
    shared = rng.normal(-1, 0.5, draws)
    chances = [expit(shared + rng.normal(0, 1, (size, 1)) + 0.2 * rng.normal(size=(size, draws))) for size in sizes]
    return [(chance, rng.random(len(chance)) < chance[:, 0]) for chance in chances]


# --- closed forms -------------------------------------------------------------------------------------------------


def test_one_draw_and_one_recalibration_are_a_likelihood_ratio() -> None:
    chance, happened = np.array([0.2, 0.5, 0.7]), np.array([True, False, True])
    other = expit(-0.4 + 1.3 * logit(chance))
    wanted = bernoulli(other, happened) / bernoulli(chance, happened)
    got = e_process([(chance[:, None], happened)], one_point(-0.4, 1.3)).e_value
    assert got == pytest.approx([wanted])


def test_the_model_itself_as_the_alternative_is_no_evidence() -> None:
    cohorts = some_cohorts(np.random.default_rng(1), (9, 20), 30)
    assert e_process(cohorts, one_point(0, 1)).e_value == pytest.approx([1, 1])


def test_the_average_of_the_draws_is_taken_over_all_cohorts_at_once() -> None:
    """Not cohort by cohort: what a draw predicted before counts for its weight later."""
    cohorts = some_cohorts(np.random.default_rng(2), (5, 7, 4), 11)
    e_value = e_process(cohorts, GRID).e_value
    for upto in (1, 2, 3):
        chance = np.concatenate([chance for chance, _ in cohorts[:upto]])
        happened = np.concatenate([won for _, won in cohorts[:upto]])
        model = bernoulli(chance, happened).mean()
        grid = [(a, b) for b in GRID.slope for a in GRID.intercept]
        others = np.array([bernoulli(expit(a + b * logit(chance)), happened).mean() for a, b in grid])
        assert e_value[upto - 1] == pytest.approx(np.exp(GRID.log_weight).ravel() @ others / model, rel=1e-9)


def test_blocks_of_deals_change_nothing_however_many() -> None:
    rng = np.random.default_rng(3)
    for size in (1, 7, 8, 9, 64, 200):
        chance, happened = rng.uniform(1e-6, 1 - 1e-6, (size, 3)), rng.random(size) < 0.5
        got = log_likelihoods(chance, happened, one_point(0.7, 1.2))[0, 0]
        odds = 0.7 + 1.2 * log_odds_of(chance)
        wanted = np.where(happened[:, None], -np.logaddexp(0, -odds), -np.logaddexp(0, odds)).sum(axis=0)
        assert got == pytest.approx(wanted, rel=1e-9)


def test_certain_chances_do_not_overflow_at_the_widest_prior() -> None:
    grid = recalibrations(MonitorSettings(intercept_sd=2, slope_sd=0.5))
    chance, happened = np.tile([[0.0], [1.0]], (40, 5)), np.tile([True, False], 40)
    e_value = e_process([(chance, happened)], grid).e_value
    assert np.isfinite(e_value).all()
    assert e_value[0] > 1e6


def test_the_grid_is_the_integral_over_the_prior() -> None:
    """Against numerical integration with a hundred times as many points."""
    chance, happened = np.array([[0.1, 0.2], [0.3, 0.25], [0.6, 0.8], [0.4, 0.4]]), np.array([True, True, False, True])
    a, s = np.meshgrid(np.linspace(-4, 4, 241), np.linspace(-4, 4, 241), indexing="ij")
    weight = (norm.pdf(a, 0.94, 0.34) + norm.pdf(a, -0.94, 0.34)) * norm.pdf(s)
    odds = 0.8 * a[..., None, None] + np.exp(0.3 * s)[..., None, None] * logit(chance)
    other = np.prod(np.where(happened[:, None], expit(odds), 1 - expit(odds)), axis=2).mean(axis=2)
    wanted = (weight * other).sum() / weight.sum() / bernoulli(chance, happened).mean()
    got = e_process([(chance, happened)], GRID).e_value[0]
    assert got == pytest.approx(wanted, rel=0.01)


def test_the_e_value_is_the_ratio_of_simulated_probabilities() -> None:
    """Monte Carlo: the probability of an outcome under each of the two, from simulated teams."""
    rng = np.random.default_rng(4)
    chance, happened = rng.uniform(0.2, 0.8, (3, 4)), np.array([True, False, False])
    runs = 400_000
    draw = rng.integers(4, size=runs)
    point = rng.choice(GRID.log_weight.size, size=runs, p=np.exp(GRID.log_weight).ravel())
    slope, intercept = GRID.slope[point // len(GRID.intercept)], GRID.intercept[point % len(GRID.intercept)]
    luck = rng.random((runs, 3))
    of_model = (luck < chance.T[draw]) == happened
    of_other = (luck < expit(intercept[:, None] + slope[:, None] * logit(chance).T[draw])) == happened
    wanted = of_other.all(axis=1).mean() / of_model.all(axis=1).mean()
    assert e_process([(chance, happened)], GRID).e_value[0] == pytest.approx(wanted, rel=0.02)


# --- guarantees ---------------------------------------------------------------------------------------------------


def test_the_expectation_under_the_model_is_one_after_every_cohort() -> None:
    """Exact: all outcomes of two small cohorts, each with its probability under the model."""
    rng = np.random.default_rng(5)
    chances = [rng.uniform(0.05, 0.9, (4, 6)), rng.uniform(0.05, 0.9, (3, 6))]
    total = np.zeros(2)
    for outcome in product([False, True], repeat=7):
        happened = np.array(outcome)
        probability = bernoulli(np.concatenate(chances), happened).mean()
        total += probability * e_process([(chances[0], happened[:4]), (chances[1], happened[4:])], GRID).e_value
    assert total == pytest.approx([1, 1], rel=1e-12)


def crossings(shift: float, *, truth_is_a_draw: bool, runs: int, quarters: int, seed: int) -> float:
    """Share of simulated teams with an alarm: 40 deals a quarter, chances about .2, doubt .3 on the common level."""
    rng, draws, size, crossed = np.random.default_rng(seed), 20, 40, 0
    for _ in range(runs):
        level = rng.normal(-1.4, 0.3, draws + 1)
        own = rng.normal(0, 1, (quarters, size, 1))
        truth = 0 if truth_is_a_draw else draws
        cohorts = [
            (expit(level[:draws] + deals), rng.random(size) < expit(level[truth] + shift + deals[:, 0]))
            for deals in own
        ]
        crossed += bool((e_process(cohorts, COARSE).e_value >= 20).any())
    return crossed / runs


@pytest.mark.parametrize("truth_is_a_draw", [True, False])
def test_a_calibrated_model_is_reported_in_at_most_one_of_twenty_cases(truth_is_a_draw: bool) -> None:
    assert crossings(0.0, truth_is_a_draw=truth_is_a_draw, runs=400, quarters=8, seed=6) <= 0.05


def test_a_shift_of_the_odds_is_reported() -> None:
    """The figure on fitted models is that of ``benchmarks/monitoring.py``; here doubt is large and wins are rare."""
    assert crossings(-1.2, truth_is_a_draw=True, runs=100, quarters=8, seed=7) >= 0.75


def test_doubt_that_the_model_admits_is_not_an_alarm_but_an_early_sign() -> None:
    """All chances too high together, as one of the draws has it: evidence against the mean chance alone."""
    rng = np.random.default_rng(8)
    chance = expit(np.linspace(-3, 1, 41)) * np.ones((60, 1))
    happened = rng.random(60) < chance[:, 4]
    mean = chance.mean(axis=1, keepdims=True)
    assert e_process([(chance, happened)], GRID).e_value[0] < 2
    assert e_process([(mean, happened)], GRID).e_value[0] > 20


def test_the_test_can_be_looked_at_after_every_cohort_where_the_plain_one_cannot() -> None:
    """The z-test looked at every ten deals, on teams that are calibrated deal by deal."""
    rng, alarms, e_alarms = np.random.default_rng(9), 0, 0
    looks = np.arange(10, 321, 10) - 1
    for _ in range(200):
        chance = expit(rng.normal(-1.4, 1, 320))
        happened = rng.random(320) < chance
        score = np.cumsum(happened - chance) / np.sqrt(np.cumsum(chance * (1 - chance)))
        alarms += bool((np.abs(score[looks]) > 1.96).any())
        cohorts = [(chance[at : at + 40, None], happened[at : at + 40]) for at in range(0, 320, 40)]
        e_alarms += bool((e_process(cohorts, COARSE).e_value >= 20).any())
    assert alarms / 200 > 0.25
    assert e_alarms / 200 <= 0.05


# --- the prior ----------------------------------------------------------------------------------------------------


def test_the_prior_is_about_the_model_with_the_spread_of_the_settings() -> None:
    weight = np.exp(GRID.log_weight)
    assert weight.sum() == pytest.approx(1)
    of_intercept, of_slope = weight.sum(axis=0), weight.sum(axis=1)
    assert of_intercept @ GRID.intercept == pytest.approx(0, abs=1e-12)
    assert np.sqrt(of_intercept @ GRID.intercept**2) == pytest.approx(0.8, rel=0.02)
    assert np.sqrt(of_slope @ np.log(GRID.slope) ** 2) == pytest.approx(0.3, rel=0.02)


def test_a_cohort_without_deals_changes_nothing() -> None:
    cohorts = some_cohorts(np.random.default_rng(10), (12,), 8)
    empty = (np.empty((0, 8)), np.empty(0, dtype=bool))
    first, second = e_process([*cohorts, empty], GRID).e_value
    assert first == pytest.approx(second)


def test_no_cohort_is_no_evidence() -> None:
    assert e_process([], GRID).e_value.shape == (0,)


@pytest.mark.parametrize("wrong", [{"intercept_sd": 3.0}, {"slope_sd": 0.0}, {"false_alarm": 1.0}, {"draws": 10}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        settings_from({"monitor": wrong})


def test_the_largest_e_value_is_a_billion() -> None:
    """More digits fill the screen and add nothing."""
    cohorts = [(np.full((500, 2), 0.9), np.zeros(500, dtype=bool))] * 2
    assert e_process(cohorts, GRID).e_value == pytest.approx([1e9, 1e9])
