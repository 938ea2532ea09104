"""Trajectories about a mode: densities whose moments are known, and chains that have not met."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import digamma, gammaincinv, polygamma

from winprob.model.hazards.laplace import Mode
from winprob.model.hazards.trajectories import effective_size, sample_about

UNKNOWNS = 20


def normal(precision: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    return lambda points: (-0.5 * (points * (precision @ points)).sum(axis=0), -precision @ points)


def log_gamma(shape: float) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Independent logs of gamma variates: mode log(shape), curvature shape there, a long tail to the left."""
    return lambda points: ((shape * points - np.exp(points)).sum(axis=0), shape - np.exp(points))


def mode_at(point: np.ndarray, precision: np.ndarray) -> Mode:
    return Mode(point=point, value=0.0, factor=np.linalg.cholesky(precision))


def test_draws_of_a_normal_are_those_of_the_normal():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(UNKNOWNS, UNKNOWNS))
    precision = root @ root.T + np.eye(UNKNOWNS)
    draws, effective = sample_about([mode_at(np.zeros(UNKNOWNS), precision)], normal(precision), 20_000, rng)
    white = draws @ np.linalg.cholesky(precision)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(white.T), np.eye(UNKNOWNS), atol=0.04)
    assert effective > 8_000


@pytest.mark.parametrize(("shape", "scale"), [(1.0, 1.0), (8.0, 0.7), (0.5, 1.5)])
def test_a_skewed_density_is_drawn_from_even_about_a_wrong_normal(shape, scale):
    mode = mode_at(np.full(UNKNOWNS, np.log(shape)), np.eye(UNKNOWNS) * shape * scale)
    draws, _ = sample_about([mode], log_gamma(shape), 20_000, np.random.default_rng(2))
    sd = np.sqrt(polygamma(1, shape))
    off = (draws.mean(axis=0) - digamma(shape)) / sd
    assert np.abs(off).max() < 0.05
    assert np.abs(off.mean()) < 0.015
    assert np.sqrt(((draws - digamma(shape)) ** 2).mean()) == pytest.approx(sd, rel=0.02)
    wanted = np.log(gammaincinv(shape, (0.05, 0.5, 0.95)))
    np.testing.assert_allclose(np.quantile(draws, (0.05, 0.5, 0.95)), wanted, atol=0.03 * sd)


def test_no_chain_stays_in_a_steep_tail():
    """The normal is far too wide upwards, where the density falls as the exponential of an exponential."""
    log_density = log_gamma(1.0)
    mode = mode_at(np.zeros(UNKNOWNS), np.eye(UNKNOWNS) / 9)
    draws, effective = sample_about([mode], log_density, 1000, np.random.default_rng(7))
    assert effective > 200
    for chain in range(25):
        assert len(np.unique(draws[chain::25, 0])) > 10


@pytest.mark.parametrize("draws", [1, 9, 50, 333])
def test_as_many_draws_as_asked_for(draws):
    points, effective = sample_about(
        [mode_at(np.zeros(2), np.eye(2))], normal(np.eye(2)), draws, np.random.default_rng(1)
    )
    assert points.shape == (draws, 2)
    assert effective <= draws


def test_independent_draws_count_fully():
    draws = np.random.default_rng(4).normal(size=(400, 25, 1))
    assert effective_size(draws) == pytest.approx(10_000, rel=0.5)


def test_chains_that_stay_where_they_are_count_once():
    start = np.random.default_rng(5).normal(size=(1, 25, 3))
    assert effective_size(np.repeat(start, 40, axis=0)) < 60


def test_one_unknown_that_does_not_mix_is_enough():
    draws = np.random.default_rng(6).normal(size=(40, 25, 3))
    draws[:, :, 1] = np.cumsum(draws[:, :, 1], axis=0)
    assert effective_size(draws) < 100
