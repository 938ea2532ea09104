"""The density of hazards: by hand, by brute force, and its derivatives by differences."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from winprob.data.schema import validate_deals
from winprob.model.hazards.batch import batch_density
from winprob.model.hazards.clock import CELL_SHAPE
from winprob.model.hazards.density import TimingDensity, prior_normal
from winprob.model.hazards.design import build_design, incidence_values, stage_codes
from winprob.model.hazards.laplace import find_mode
from winprob.model.hazards.learning import reading_weight, sample_posterior, starting_points
from winprob.model.hazards.pace import pace_prior
from winprob.settings import CalendarSettings, Settings

KNOWN_ON = dt.date(2026, 6, 30)
DAY = (KNOWN_ON - dt.date(1970, 1, 1)).days


def dated(rows: int, seed: int) -> pd.DataFrame:
    """Deals of every kind: closed one way or the other, open, with facts and without."""
    rng = np.random.default_rng(seed)
    read = pd.Timestamp(2026, 1, 5) + pd.to_timedelta(rng.integers(0, 120, rows), unit="D")
    outcome = rng.choice(["won", "lost", "no_decision", "open"], rows)
    closed = (read + pd.to_timedelta(rng.integers(0, 200, rows), unit="D")).to_series(index=range(rows))
    frame = pd.DataFrame(
        {
            "deal_id": [f"D{at}" for at in range(rows)],
            "as_of": read,
            "opened_on": read - pd.to_timedelta(rng.integers(1, 300, rows), unit="D"),
            "expected_close_on": read + pd.to_timedelta(rng.integers(-20, 150, rows), unit="D"),
            "closed_on": closed.where(outcome != "open"),
            "outcome": outcome,
            "amount": np.exp(rng.normal(13, 1, rows)),
            "segment": rng.choice(["finance", "energy"], rows),
            "stage": rng.choice(["exploration", "decision"], rows),
            "pushes": rng.integers(0, 4, rows).astype(float),
        }
    )
    for at, name in enumerate(["opened_on", "expected_close_on", "amount", "segment", "stage", "pushes"]):
        frame.loc[at, name] = None
    late = (frame["closed_on"] > pd.Timestamp(KNOWN_ON)).to_numpy()
    frame.loc[late, "outcome"], frame.loc[late, "closed_on"] = "open", pd.NaT
    return validate_deals(frame)


def density_of(deals: pd.DataFrame) -> TimingDensity:
    design, scaling = build_design(deals, DAY, CalendarSettings())
    pace = pace_prior(design.spans, Settings().timing)
    return TimingDensity(design, *prior_normal(scaling, Settings().timing, pace), pace)


def some_point(density: TimingDensity, seed: int = 0) -> np.ndarray:
    return density.mean + np.random.default_rng(seed).normal(0, 0.3, len(density.mean))


def brute_force(density: TimingDensity, point: np.ndarray) -> float:
    """Row by row, by the formulas."""
    design, cells = density.design, density.design.cells
    own, other, incidence = density.parts(point)
    total = -0.5 * (point - density.mean) @ density.precision @ (point - density.mean)
    facts = design.facts.shape[1]
    for at in range(len(design.weight)):
        hazards = []
        for unknown in (own, other):
            weekly = np.exp(design.facts[at] @ unknown[:facts] + cells @ unknown[facts:])
            hazards.append((design.before[[at]].toarray()[0] @ weekly, design.within[[at]].toarray()[0] @ weekly))
        p = expit(design.incidence[at] @ incidence)
        if not design.closed[at]:
            contribution = np.log(p * np.exp(-hazards[0][0]) + (1 - p) * np.exp(-hazards[1][0]))
        else:
            (before, within), chance = (hazards[0], p) if design.won[at] else (hazards[1], 1 - p)
            contribution = np.log(chance * np.exp(-before) * (1 - np.exp(-within)))
        total += design.weight[at] * contribution
    return float(total)


@pytest.fixture(scope="module")
def density() -> TimingDensity:
    return density_of(dated(80, seed=1))


def test_the_density_is_that_of_the_formulas(density):
    point = some_point(density)
    assert density.slopes(point).value == pytest.approx(brute_force(density, point), rel=1e-12)


@pytest.mark.parametrize("rows", [7, 32, 1024])
def test_many_points_at_once_agree_with_one_at_a_time(density, monkeypatch, rows):
    monkeypatch.setattr("winprob.model.hazards.batch._ROWS", rows)
    points = np.stack([some_point(density, seed) for seed in range(5)])
    value, gradient = batch_density(density)(points.T)
    slopes = [density.slopes(point) for point in points]
    np.testing.assert_allclose(value, [one.value for one in slopes], rtol=1e-12)
    np.testing.assert_allclose(gradient.T, [one.gradient for one in slopes], rtol=1e-9, atol=1e-10)


def test_gradient_and_hessian_are_those_of_the_density(density):
    """Along thirty directions."""
    point, step = some_point(density), 1e-5
    slopes = density.slopes(point)
    turns = np.random.default_rng(2).normal(size=(30, len(point)))
    shifts = step * turns
    above, below = [[density.slopes(point + sign * shift) for shift in shifts] for sign in (1, -1)]
    slope = [(a.value - b.value) / (2 * step) for a, b in zip(above, below, strict=True)]
    np.testing.assert_allclose(turns @ slopes.gradient, slope, atol=1e-5)
    bend = [(a.gradient - b.gradient) / (2 * step) for a, b in zip(above, below, strict=True)]
    np.testing.assert_allclose(turns @ slopes.hessian, bend, atol=1e-5)


def test_scores_of_rows_add_up_to_the_slope(density):
    point = some_point(density)
    scores = density.row_scores(point)
    wanted = density.slopes(point).gradient + density.precision @ (point - density.mean)
    np.testing.assert_allclose(density.design.weight @ scores, wanted, atol=1e-9)


def test_copies_of_a_reading_count_once():
    """Each deal read twice alike: the two readings count as one, so each counts a half."""
    once = dated(300, seed=5)
    twice = pd.concat([once, once], ignore_index=True)
    density = density_of(twice)
    mode = find_mode(density.slopes, density.mean)
    deal = np.tile(np.arange(300), 2)
    assert reading_weight(density, mode, deal) == pytest.approx(0.5, abs=0.001)
    assert reading_weight(density, mode, np.arange(600)) == 1


def test_readings_of_other_deals_count_in_full():
    """Rows that are of different deals in truth, and only share a number: their scores cancel as often as they add."""
    density = density_of(dated(600, seed=6))
    mode = find_mode(density.slopes, density.mean)
    assert reading_weight(density, mode, np.repeat(np.arange(300), 2)) > 0.85


def test_the_mode_is_where_the_slope_ends(density):
    mode = find_mode(density.slopes, density.mean)
    slopes = density.slopes(mode.point)
    assert np.abs(slopes.gradient).max() < 1e-4
    np.testing.assert_allclose(mode.factor @ mode.factor.T, -slopes.hessian, atol=1e-10)
    assert slopes.value > density.slopes(density.mean).value


def test_no_deal_leaves_the_prior():
    one = density_of(dated(80, seed=1).iloc[:1].assign(as_of=pd.Timestamp(KNOWN_ON), outcome="open", closed_on=pd.NaT))
    mode = find_mode(one.slopes, some_point(one))
    np.testing.assert_allclose(mode.point, one.mean, atol=1e-8)


def test_a_deal_open_since_the_last_day_adds_nothing():
    one = density_of(dated(9, seed=1).iloc[[8]].assign(as_of=pd.Timestamp(KNOWN_ON), outcome="open", closed_on=pd.NaT))
    for seed in range(3):
        point = some_point(one, seed)
        prior = -0.5 * (point - one.mean) @ one.precision @ (point - one.mean)
        assert one.slopes(point).value == pytest.approx(prior, abs=1e-10)


def test_two_weeks_by_hand():
    """A constant hazard of a tenth a week; won in the second week after the reading."""
    deals = validate_deals(
        pd.DataFrame(
            {"deal_id": ["A"], "as_of": ["2026-02-03"], "closed_on": ["2026-02-13"], "outcome": ["won"]},
        )
    )
    one = density_of(deals)
    point = np.zeros(len(one.mean))
    since = slice(one.design.facts.shape[1], one.design.facts.shape[1] + CELL_SHAPE[1])
    point[since] = np.log(0.1)
    prior = -0.5 * (point - one.mean) @ one.precision @ (point - one.mean)
    wanted = np.log(0.5) - 0.1 + np.log(1 - np.exp(-0.1))
    assert one.slopes(point).value - prior == pytest.approx(wanted, rel=1e-10)


def test_the_week_of_the_close_ends_with_what_is_known():
    deals = validate_deals(
        pd.DataFrame({"deal_id": ["A"], "as_of": ["2026-06-25"], "closed_on": ["2026-06-26"], "outcome": ["won"]})
    )
    design, _ = build_design(deals, DAY, CalendarSettings())
    assert design.within.sum() == pytest.approx(5 / 7)


def test_closed_on_the_day_of_the_reading_is_closed_in_its_first_week():
    deals = validate_deals(
        pd.DataFrame({"deal_id": ["A"], "as_of": ["2026-02-03"], "closed_on": ["2026-02-03"], "outcome": ["lost"]})
    )
    design, _ = build_design(deals, DAY, CalendarSettings())
    assert (design.before.sum(), design.within.sum()) == (0, pytest.approx(1))


def test_the_order_of_rows_does_not_matter():
    deals = dated(60, seed=2)
    mixed = deals.sample(frac=1, random_state=3)
    modes = [find_mode(one.slopes, one.mean).point for one in map(density_of, (deals, mixed))]
    np.testing.assert_allclose(modes[0], modes[1], atol=1e-7)


def test_every_reading_counts_alike_and_all_together_as_many_as_there_are_deals():
    deals = dated(40, seed=4)
    again = deals.iloc[:10].assign(as_of=deals["as_of"].iloc[:10] - pd.Timedelta(days=21))
    design, _ = build_design(pd.concat([deals, again]), DAY, CalendarSettings())
    np.testing.assert_allclose(design.weight, 40 / 50)


def test_incidence_is_one_for_all_and_one_for_the_stage():
    deals = validate_deals(pd.DataFrame({"deal_id": ["A", "B"], "stage": ["decision", None]}))
    np.testing.assert_array_equal(incidence_values(stage_codes(deals)), [[1, 0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 1]])


def test_of_two_modes_the_one_with_more_of_the_density_is_taken():
    """Deals closed within weeks or never: the slow ones may be wins or losses, and few losses were seen."""
    rows = 60
    read = pd.Timestamp(2025, 6, 2) + pd.to_timedelta(np.arange(rows), unit="D")
    outcome = np.array(["won"] * 40 + ["lost"] * 5 + ["open"] * 15)
    deals = pd.DataFrame({"deal_id": [f"D{at}" for at in range(rows)], "as_of": read, "outcome": outcome})
    closed = (read + pd.Timedelta(days=12)).to_series(index=range(rows)).where(outcome != "open")
    one = density_of(validate_deals(deals.assign(closed_on=closed)))
    modes = [find_mode(one.slopes, start) for start in starting_points(one)]
    assert abs(modes[0].value - modes[1].value) > 0.5
    points, *_ = sample_posterior(one, 200, np.random.default_rng(0))
    best = max(modes, key=lambda mode: mode.evidence)
    other = min(modes, key=lambda mode: mode.evidence)
    mean = points.mean(axis=0)
    assert np.linalg.norm(mean - best.point) < np.linalg.norm(mean - other.point)
