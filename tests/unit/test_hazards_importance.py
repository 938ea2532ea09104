"""Smoothed importance weights: against ArviZ, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from winprob.model.hazards.laplace import fit_pareto, pareto_quantile, resample, smooth_weights


@pytest.mark.parametrize("shape", [0.2, 0.6, 0.9])
def test_weights_and_tail_index_are_those_of_arviz(shape):
    rng = np.random.default_rng(3)
    log_ratio = np.log(pareto_quantile(rng.random(2000), shape, 1.0) + 1)
    weights, index = smooth_weights(log_ratio)
    wanted, wanted_index = array_stats.psislw(-log_ratio)
    assert index == pytest.approx(float(wanted_index), abs=0.03)
    np.testing.assert_allclose(weights, np.exp(wanted), rtol=0.06)


@pytest.mark.parametrize("shape", [-0.3, 0.1, 0.7])
def test_the_shape_of_a_pareto_tail_is_found(shape):
    excess = np.sort(pareto_quantile(np.random.default_rng(1).random(20_000), shape, 2.0))
    estimate, scale = fit_pareto(excess)
    assert estimate == pytest.approx(shape, abs=0.04)
    assert scale == pytest.approx(2.0, rel=0.05)


def test_even_weights_stay_even():
    weights, index = smooth_weights(np.zeros(500))
    np.testing.assert_allclose(weights, 1 / 500)
    assert index == -np.inf


def test_a_wrong_scale_is_corrected():
    """Draws of a normal that is too narrow by a tenth, weighted back."""
    draws = np.random.default_rng(0).normal(0, 1.1, 20_000)
    weights, index = smooth_weights(-0.5 * draws**2 + 0.5 * (draws / 1.1) ** 2)
    assert index < 0.5
    assert weights @ draws**2 == pytest.approx(1.0, abs=0.03)
    sample = draws[resample(weights, 20_000, np.random.default_rng(1))]
    assert sample.var() == pytest.approx(1.0, abs=0.03)


def test_resampling_is_proportional_to_the_weights():
    sample = resample(np.array([0.5, 0.25, 0.25, 0.0]), 100, np.random.default_rng(0))
    assert np.bincount(sample, minlength=4).tolist() == [50, 25, 25, 0]
