"""Deals not yet created: the counts against closed forms, the record against a count by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom

from winprob.data.fiscal import find_quarter
from winprob.data.schema import validate_deals
from winprob.model.arrival_rate import draw_growing_counts
from winprob.model.arrivals import Arrivals, draw_arrivals, draw_counts, learn_arrivals, opened_within
from winprob.settings import CalendarSettings

CALENDAR = CalendarSettings()
PAIR = ((draw_growing_counts, (np.random.default_rng(5),)), (draw_counts, ()))


def deals(*rows: tuple[str, str, float, str]) -> pd.DataFrame:
    """Deals (opened, closed, amount, outcome), with a record from the first day of 2025 to the last day of June."""
    frame = pd.DataFrame(rows, columns=["opened_on", "closed_on", "amount", "outcome"])
    edges = pd.DataFrame({"closed_on": ["2025-01-01", "2025-06-30"], "outcome": ["lost", "lost"]})
    both = pd.concat([frame, edges], ignore_index=True)
    both.insert(0, "deal_id", [f"D{at}" for at in range(len(both))])
    return validate_deals(both.assign(currency="CNY"))


def made(counts: list[list[int]], log_amount: float = 10.0, spread: float = 0.5) -> Arrivals:
    """Quarters with these counts in their last weeks, amounts log-normal."""
    table = np.zeros((len(counts), 53), dtype=int)
    table[:, : len(counts[0])] = counts
    by_week = table.sum(axis=0)
    amounts = tuple((float(n), n * log_amount, n * (log_amount**2 + spread**2)) for n in by_week)
    return Arrivals(
        quarters=tuple(f"Q{at}" for at in range(len(counts))),
        seasons=tuple(at % 4 for at in range(len(counts))),
        counts=tuple(tuple(row) for row in table.tolist()),
        amounts={"CNY": amounts},
    )


def test_counts_without_spread_and_season_are_the_gamma_poisson_predictive() -> None:
    seen, draws = np.array([7.0, 4.0, 9.0, 5.0]), 200_000
    uniforms = np.random.default_rng(1).random((4, draws))
    got = draw_counts(seen, np.arange(4), 0, uniforms, spreads=(0.0,), season_spread=0.0)
    # Jeffreys' prior: the rate is Gamma(sum + 1/2, quarters), the predictive count negative binomial.
    exact = nbinom(seen.sum() + 0.5, len(seen) / (len(seen) + 1))
    for count in range(0, 20, 3):
        assert (got <= count).mean() == pytest.approx(exact.cdf(count), abs=0.004)


def test_a_level_without_steps_growth_spread_and_season_is_the_gamma_poisson_predictive() -> None:
    seen, draws = np.array([7.0, 4.0, 9.0, 5.0]), 200_000
    rng = np.random.default_rng(1)
    still = {"spreads": (0.0,), "steps": (0.0,), "growth": 0.0, "season_spread": 0.0}
    got = draw_growing_counts(seen, np.arange(4), 0, rng.random((4, draws)), rng, **still)
    exact = nbinom(seen.sum() + 0.5, len(seen) / (len(seen) + 1))
    for count in range(0, 20, 3):
        assert (got <= count).mean() == pytest.approx(exact.cdf(count), abs=0.004)


def test_a_random_walk_with_drift_has_the_predictive_of_its_kalman_filter() -> None:
    """Counts so large that their logs are normal: the filter is exact, with the same priors."""
    step, growth, seen = 0.1, 0.05, 4000.0 * np.exp([0.0, 0.12, 0.05, 0.2, 0.31, 0.28])
    noise = 1 / seen
    mean, cov = np.zeros(2), np.diag([100.0, growth**2])
    move = np.array([[1.0, 1.0], [0.0, 1.0]])
    for at, value in enumerate(np.log(seen)):
        if at:
            mean, cov = move @ mean, move @ cov @ move.T + np.diag([step**2, 0.0])
        gain = cov[:, 0] / (cov[0, 0] + noise[at])
        mean, cov = mean + gain * (value - mean[0]), cov - np.outer(gain, cov[0])
    mean, cov = move @ move @ mean, move @ move @ cov @ (move @ move).T + np.diag([2 * step**2, 0.0])
    rng = np.random.default_rng(2)
    walk = {"spreads": (0.0,), "steps": (step,), "growth": growth, "season_spread": 0.0, "ahead": 2}
    got = np.log(draw_growing_counts(seen, np.zeros(6), 0, rng.random((4, 40_000)), rng, **walk))
    assert got.mean() == pytest.approx(mean[0], abs=0.01)
    assert got.std() == pytest.approx(np.sqrt(cov[0, 0] + np.exp(-mean[0])), rel=0.03)


def test_growth_is_followed_and_its_absence_costs_little() -> None:
    rng = np.random.default_rng(3)
    grown, even = 20 * np.exp(0.08 * np.arange(12)), np.full(12, 30.0)
    uniforms = rng.random((4, 20_000))
    season = np.arange(12) % 4
    follow, lag = (draw(grown, season, 0, uniforms, *more) for draw, more in PAIR)
    assert lag.mean() < follow.mean() == pytest.approx(20 * np.exp(0.08 * 12), rel=0.08)
    calm, still = (draw(even, season, 0, uniforms, *more) for draw, more in PAIR)
    assert calm.mean() == pytest.approx(30, rel=0.05)
    assert still.std() < calm.std() < 1.5 * still.std()


def test_a_quarter_further_ahead_is_less_certain() -> None:
    seen, seasons, uniforms = np.full(12, 30.0), np.arange(12) % 4, np.random.default_rng(3).random((4, 20_000))
    near, far = (
        draw_growing_counts(seen, seasons, 0, uniforms, np.random.default_rng(4), ahead=ahead) for ahead in (1, 5)
    )
    assert far.std() > 1.15 * near.std()


def test_a_model_fitted_before_growth_was_learned_draws_as_it_did() -> None:
    arrivals = made([[4, 2], [6, 3], [5, 4], [7, 5]])
    stored = json.loads(json.dumps(arrivals.to_dict()))
    del stored["last_day"]
    old = Arrivals.from_dict(stored)
    assert old == arrivals
    drawn, again = (
        draw_arrivals(old, days_left=14, season=1, rates={"CNY": 1.0}, draws=500, seed=1, ahead=ahead)
        for ahead in (1, 4)
    )
    np.testing.assert_array_equal(drawn, again)


def test_quarters_that_vary_more_than_chance_widen_the_count() -> None:
    uniforms = np.random.default_rng(2).random((4, 20_000))
    even = draw_counts(np.full(12, 40.0), np.zeros(12), 0, uniforms)
    uneven = draw_counts(np.tile([15.0, 65.0, 20.0, 60.0, 25.0, 55.0], 2), np.zeros(12), 0, uniforms)
    assert uneven.std() > 2 * even.std()
    assert even.mean() == pytest.approx(40, rel=0.05)


def test_a_season_moves_the_count_its_way_but_not_all_the_way() -> None:
    seen, seasons = np.tile([30.0, 30.0, 30.0, 60.0], 4), np.tile(np.arange(4), 4)
    uniforms = np.random.default_rng(3).random((4, 20_000))
    plain, strong = (draw_counts(seen, seasons, season, uniforms).mean() for season in (0, 3))
    assert 30 < plain < 36
    assert 50 < strong < 60


def test_a_quarter_is_counted_by_when_its_won_deals_were_opened() -> None:
    table = deals(
        ("2025-03-28", "2025-03-30", 100.0, "won"),  # 3 days before the end of the quarter
        ("2025-03-10", "2025-03-20", 100.0, "won"),  # 21 days before
        ("2025-03-10", "2025-04-02", 100.0, "won"),  # 112 days before the end of the next one
        ("2025-03-29", "2025-03-30", 100.0, "lost"),
        ("2025-06-01", "2025-06-02", 0.0, "won"),
    )
    learned = learn_arrivals(table, CALENDAR)
    assert learned is not None
    assert learned.quarters == ("2025Q1", "2025Q2")
    assert learned.last_day == "2025-06-30"
    ahead = [learned.quarters_ahead(find_quarter(name, CALENDAR)) for name in ("2025Q3", "2025Q4", "2026Q3")]
    assert ahead == [1, 2, 5]
    counts = np.array(learned.counts, dtype=float)
    assert opened_within(counts, 7).tolist() == [1, 0]
    assert opened_within(counts, 28).tolist() == [2, 0]
    assert opened_within(counts, 119).tolist() == [2, 1]


def test_no_weekly_sum_rests_on_fewer_than_five_deals() -> None:
    rng = np.random.default_rng(4)
    opened = pd.Timestamp(2025, 6, 30) - pd.to_timedelta(rng.integers(1, 200, 43), unit="D")
    amounts = np.exp(rng.normal(12, 1, 43))
    rows = [(f"{day:%Y-%m-%d}", "2025-06-29", amount, "won") for day, amount in zip(opened, amounts, strict=True)]
    learned = learn_arrivals(deals(*rows), CALENDAR)
    assert learned is not None
    n, s, q = np.array(learned.amounts["CNY"]).T
    assert (n.sum(), s.sum(), q.sum()) == pytest.approx((43, np.log(amounts).sum(), (np.log(amounts) ** 2).sum()))
    assert n[n > 0].min() >= 5
    assert (n > 0).sum() >= 5
    few = learn_arrivals(deals(*rows[:4]), CALENDAR)
    assert few is not None
    assert few.amounts == {}


def test_a_quarter_that_the_record_covers_in_part_does_not_count() -> None:
    table = deals(("2025-01-10", "2025-07-20", 5.0, "won"))
    learned = learn_arrivals(table, CALENDAR)
    assert learned is not None
    assert learned.quarters == ("2025Q1", "2025Q2")
    assert learn_arrivals(table.drop(columns="opened_on"), CALENDAR) is None


def test_the_readings_of_a_deal_count_once() -> None:
    table = deals(("2025-03-28", "2025-03-30", 100.0, "won"))
    twice = pd.concat([table.assign(as_of="2025-03-29"), table.assign(as_of="2025-03-30")], ignore_index=True)
    assert learn_arrivals(validate_deals(twice), CALENDAR) == learn_arrivals(table, CALENDAR)


def test_bookings_are_as_many_amounts_as_there_are_deals() -> None:
    arrivals = made([[20]] * 40)
    drawn = draw_arrivals(arrivals, days_left=7, season=0, rates={"CNY": 1.0}, draws=20_000, seed=1)
    assert drawn.mean() == pytest.approx(20 * np.exp(10 + 0.5**2 / 2), rel=0.03)
    doubled = draw_arrivals(arrivals, days_left=7, season=0, rates={"CNY": 2.0}, draws=20_000, seed=1)
    np.testing.assert_allclose(doubled, 2 * drawn)


def test_less_time_brings_fewer_deals_draw_by_draw() -> None:
    arrivals = made([[3, 3, 3, 3]] * 12)
    early, late, gone = (
        draw_arrivals(arrivals, days_left=days, season=0, rates={"CNY": 1.0}, draws=500, seed=1) for days in (28, 14, 0)
    )
    assert (late <= early * 1.2).mean() > 0.95
    assert late.mean() == pytest.approx(early.mean() / 2, rel=0.15)
    assert not gone.any()


def test_amounts_keep_a_mean_however_little_is_known_of_them() -> None:
    arrivals = made([[1], [0]], log_amount=np.log(1e6), spread=0.0)
    drawn = draw_arrivals(arrivals, days_left=7, season=0, rates={"CNY": 1.0}, draws=20_000, seed=1)
    assert drawn.max() < 1e6 * np.exp(4 * 1.0) * 40
    assert np.isfinite(drawn).all()


def test_what_was_learned_survives_json() -> None:
    learned = made([[2, 3], [1, 4]])
    assert Arrivals.from_dict(json.loads(json.dumps(learned.to_dict()))) == learned
