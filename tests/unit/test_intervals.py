"""One interval for the whole project: 90 %, equal-tailed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from winprob.model.draws import MASS, TAILS, summarise


def test_the_mass_is_nine_tenths_in_the_middle():
    assert MASS == 0.9
    assert pytest.approx((0.05, 0.95)) == TAILS


def test_of_normal_draws_it_is_the_normal_interval():
    mean, lower, upper = summarise(np.random.default_rng(1).normal(2, 3, 400_000))
    assert (mean, lower, upper) == pytest.approx((2, *norm(2, 3).interval(0.9)), abs=0.03)


def test_ends_are_interpolated_order_statistics():
    """By hand: of 0..20 the 5 % point is the second, of 0..10 it is half way to it."""
    assert summarise(np.arange(21.0))[1:] == pytest.approx((1, 19))
    assert summarise(np.arange(11.0))[1:] == pytest.approx((0.5, 9.5))


def test_it_runs_along_the_axis_of_the_draws():
    draws = np.random.default_rng(2).random((500, 4))
    for one, other in zip(summarise(draws), summarise(draws.T, axis=1), strict=True):
        assert one.shape == (4,)
        np.testing.assert_allclose(one, other)


def test_small_floats_do_not_lose_the_mean():
    assert summarise(np.full(2_000_000, 0.1, dtype=np.float32))[0] == pytest.approx(np.float32(0.1), rel=1e-12)


def test_draws_are_left_as_they_are():
    draws = np.array([3.0, 1.0, 2.0])
    summarise(draws)
    assert draws.tolist() == [3, 1, 2]
