"""What a tier says of a standard normal, against scipy and against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, truncnorm

from winprob.model.features.readings import bin_moments

COUNTS = [(1, 1, 1, 1), (13, 41, 34, 12), (900, 50, 30, 20), (1, 1, 1, 400)]


@pytest.mark.parametrize("counts", COUNTS)
def test_moments_are_those_of_a_truncated_normal(counts):
    cut = norm.ppf(np.cumsum([0, *counts]) / sum(counts))
    mean, variance = bin_moments(np.array(counts, dtype=float))
    np.testing.assert_allclose(mean, truncnorm.mean(cut[:-1], cut[1:]), atol=1e-9)
    # scipy takes the variance of a narrow bin as a difference of two large numbers, hence its own 1e-6
    np.testing.assert_allclose(variance, truncnorm.var(cut[:-1], cut[1:]), atol=1e-6)


@pytest.mark.parametrize("reliability", [0.3, 0.62, 0.95])
def test_support_given_its_tier_is_what_brute_force_finds(reliability):
    counts, rng = np.array([13.0, 41.0, 34.0, 12.0]), np.random.default_rng(5)
    support = rng.standard_normal(2_000_000)
    reading = reliability * support + np.sqrt(1 - reliability**2) * rng.standard_normal(len(support))
    tier = np.searchsorted(norm.ppf(np.cumsum(counts)[:-1] / 100), reading)
    mean, hidden = bin_moments(counts)
    for at in range(4):
        true = support[tier == at]
        assert true.mean() == pytest.approx(reliability * mean[at], abs=4 * true.std() / np.sqrt(len(true)))
        assert true.var() == pytest.approx(1 - reliability**2 + reliability**2 * hidden[at], rel=0.012)


@given(st.lists(st.floats(1, 1e4), min_size=2, max_size=8))
def test_means_climb_and_the_parts_make_up_the_whole(counts):
    share = np.array(counts) / sum(counts)
    mean, variance = bin_moments(np.array(counts))
    assert (np.diff(mean) > 0).all()
    assert ((variance > 0) & (variance < 1)).all()
    assert share @ mean == pytest.approx(0, abs=1e-9)
    assert share @ (mean**2 + variance) == pytest.approx(1)


def test_only_the_shares_count():
    one, other = bin_moments(np.array([1.0, 2, 3, 4])), bin_moments(np.array([10.0, 20, 30, 40]))
    np.testing.assert_allclose(one, other, atol=1e-12)
