"""A forecast's correction by past quarters: recovered from simulated forecasters, shrunk to none, kept in a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from winprob.errors import PosteriorError
from winprob.model.correction import FEWEST_QUARTERS, Correction, learn_correction
from winprob.model.posterior import Posterior

WEEKS = (1, 5, 10)
WIDTH = np.array([10.0, 7.0, 4.0])
TRUTHS = {"calibrated": (0.0, 1.0), "low": (0.6, 1.0), "narrow": (0.0, 1.6), "low and narrow": (0.5, 1.5)}


def past(quarters: int, location: float, spread: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """PIT and width of a forecaster whose errors shrink over the weeks as information comes in, one step at a time."""
    steps = np.sqrt(np.diff([0.0, *(WIDTH[::-1] ** 2)]))[::-1]
    later = np.cumsum((steps * rng.standard_normal((quarters, 3)))[:, ::-1], axis=1)[:, ::-1]
    return ndtr(location + spread * later / WIDTH), np.tile(WIDTH, (quarters, 1))


def exactly(quarters: int, location: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """The same with location, spread and correlation of the weeks exactly as they are expected."""
    z = ndtri(past(quarters, 0.0, 1.0, np.random.default_rng(1))[0])
    wanted = np.minimum.outer(WIDTH, WIDTH) / np.maximum.outer(WIDTH, WIDTH)
    white = np.linalg.solve(np.linalg.cholesky(np.cov(z.T, bias=True)), (z - z.mean(axis=0)).T)
    return ndtr(location + spread * (np.linalg.cholesky(wanted) @ white).T), np.tile(WIDTH, (quarters, 1))


def learned(pit: np.ndarray, width: np.ndarray) -> Correction:
    correction = learn_correction([f"Q{at}" for at in range(len(pit))], WEEKS, pit, width)
    assert correction is not None
    return correction


@pytest.mark.parametrize(("location", "spread"), TRUTHS.values(), ids=TRUTHS)
def test_location_and_spread_are_recovered_from_many_quarters(location: float, spread: float) -> None:
    correction = learned(*exactly(150, location, spread))
    np.testing.assert_allclose(correction.location, location, atol=0.15)
    np.testing.assert_allclose(correction.spread, spread, rtol=0.1)


def test_few_quarters_are_shrunk_and_fewer_than_four_correct_nothing() -> None:
    few, many = (np.mean(learned(*exactly(size, 0.6, 1.0)).location) for size in (FEWEST_QUARTERS, 60))
    assert 0 < few < 0.5 * many < 0.3
    pit, width = exactly(4, 0.6, 1.0)
    assert learn_correction(["a", "b", "c"], WEEKS, pit[:3], width[:3]) is None


def test_perfect_forecasts_are_left_nearly_as_they_are() -> None:
    correction = learned(*exactly(8, 0.0, 1.0))
    np.testing.assert_allclose(correction.location, 0, atol=0.02)
    np.testing.assert_allclose(correction.spread, 1, atol=0.12)


def test_three_weeks_of_a_quarter_are_not_three_quarters() -> None:
    one = np.full((6, 3), ndtr(0.8))
    same_error = learned(one, np.tile([4.0, 4.0, 4.0], (6, 1)))
    new_errors = learned(one, np.tile([1000.0, 10.0, 0.1], (6, 1)))
    assert max(same_error.location) < min(new_errors.location) - 0.03


@pytest.mark.parametrize(("location", "spread"), TRUTHS.values(), ids=TRUTHS)
def test_a_held_out_quarter_is_covered_better_and_a_calibrated_one_no_worse(location: float, spread: float) -> None:
    rng, level = np.random.default_rng(3), ndtri(0.9)
    raw, corrected = [], []
    for _ in range(25):
        correction = learned(*past(8, location, spread, rng))
        for a, b in zip((0.0, *correction.location), (1.0, *correction.spread), strict=True):
            ends = (a + level * b - location) / spread, (a - level * b - location) / spread
            (corrected if (a, b) != (0, 1) else raw).append(ndtr(ends[0]) - ndtr(ends[1]))
    gap, before = abs(np.mean(corrected) - 0.8), abs(np.mean(raw) - 0.8)
    assert gap < (0.02 if before < 0.01 else before / 1.5)


def test_quantiles_are_mapped_in_the_direction_of_the_error() -> None:
    rng = np.random.default_rng(4)
    # What comes is N(3, 2): the forecast N(2, 1) is too low and too narrow; a and b are by its definition.
    said, came = rng.normal(2, 1, 200_000), rng.normal(3, 2, 200_000)
    correction = Correction(quarters=("a",) * 4, weeks=(1,), location=(1.0,), spread=(2.0,))
    levels = (0.1, 0.5, 0.9)
    np.testing.assert_allclose(correction.quantiles(said, levels, 1), np.quantile(came, levels), atol=0.05)
    assert correction.below(float((said < 3.5).mean()), 1) == pytest.approx((came < 3.5).mean(), abs=0.01)
    assert [correction.below(prob, 1) for prob in (0.0, 1.0)] == [0, 1]


def test_weeks_between_are_interpolated_and_weeks_outside_are_those_at_the_end() -> None:
    correction = Correction(quarters=("a",) * 4, weeks=WEEKS, location=(0.4, 0.0, -0.5), spread=(1.0, 1.2, 0.7))
    assert correction.at(3) == pytest.approx((0.2, 1.1))
    assert correction.at(13) == correction.at(10) == pytest.approx((-0.5, 0.7))
    assert correction.at(0) == correction.at(1)


def test_one_week_is_as_integrated_on_a_grid() -> None:
    z = np.array([-0.3, 0.4, 1.1, 0.9, 1.6])
    a, log_b = np.meshgrid(np.linspace(-1.5, 1.5, 301), np.linspace(-1.5, 1.5, 301), indexing="ij")
    misfit = (((z[:, None, None] - a) * np.exp(-log_b)) ** 2).sum(axis=0)
    weight = np.exp(-0.5 * (a**2 + log_b**2) / 0.3**2 - len(z) * log_b - 0.5 * misfit)
    weight /= weight.sum()
    mean = (weight * a).sum()
    spread = np.sqrt((weight * ((a - mean) ** 2 + np.exp(2 * log_b))).sum())
    correction = learn_correction(list("abcde"), (5,), ndtr(z)[:, None], np.ones((5, 1)))
    assert correction is not None
    assert correction.at(5) == pytest.approx((mean, spread), abs=0.01)


def test_a_week_without_a_forecast_and_a_quarter_outside_all_draws_are_used_for_what_they_show() -> None:
    pit, width = past(8, 0.0, 1.0, np.random.default_rng(5))
    pit[0], pit[1, 1] = 1.0, np.nan
    width[1, 1] = np.nan
    correction = learned(pit, width)
    assert np.isfinite([*correction.location, *correction.spread]).all()
    assert len(correction.quarters) == 8


def test_a_model_file_keeps_the_correction_and_one_without_it_loads(tmp_path: Path, posterior: Posterior) -> None:
    correction = learned(*past(6, 0.3, 1.2, np.random.default_rng(6)))
    posterior.save(tmp_path / "plain.nc")
    replace(posterior, correction=correction).save(tmp_path / "corrected.nc")
    assert Posterior.load(tmp_path / "plain.nc").correction is None
    assert Posterior.load(tmp_path / "corrected.nc").correction == correction


@pytest.mark.parametrize(
    "fault", [{"spread": (0.0, 1.0, 1.0)}, {"weeks": (5, 1, 10)}, {"location": (0.0, float("nan"), 0.0)}]
)
def test_a_damaged_correction_is_refused(
    tmp_path: Path, posterior: Posterior, fault: dict[str, tuple[float, ...]]
) -> None:
    correction = learned(*past(6, 0.3, 1.2, np.random.default_rng(6)))
    replace(posterior, correction=replace(correction, **fault)).save(tmp_path / "odd.nc")
    with pytest.raises(PosteriorError, match="damaged"):
        Posterior.load(tmp_path / "odd.nc")
