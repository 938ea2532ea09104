"""The likelihood of the deals: its series against the C library, its blocks against NumPy and against differences."""

from __future__ import annotations

import numpy as np
import pytest

import winprob
from winprob.data.schema import in_order, validate_deals
from winprob.model.inference.training_data import training_from
from winprob.model.win.attenuation import SHRINK
from winprob.model.win.density import Density
from winprob.model.win.density_data import build_density
from winprob.model.win.likelihood import exp_minus, log_likelihood, log_one_plus
from winprob.settings import Settings


def test_the_exponential_is_the_librarys_to_a_part_in_ten_to_the_thirteen() -> None:
    distance = np.concatenate([np.linspace(0, 44, 5_001), [1e-300, 1e-12]])
    got = np.array([exp_minus(x) for x in distance])
    np.testing.assert_allclose(got, np.exp(-distance), rtol=1e-13)


@pytest.mark.parametrize("distance", [44.0, 45.0, 1e3, np.inf])
def test_an_exponential_of_no_consequence_is_small_and_finite(distance: float) -> None:
    assert 0 <= exp_minus(distance) < 1e-19


def test_no_number_stays_no_number() -> None:
    assert np.isnan(exp_minus(float("nan")))
    assert np.isnan(log_one_plus(float("nan")))


def test_the_logarithm_is_the_librarys() -> None:
    small = np.concatenate([np.linspace(0, 1, 5_001), np.logspace(-300, 0, 301)])
    got = np.array([log_one_plus(x) for x in small])
    np.testing.assert_allclose(got, np.log1p(small), rtol=1e-15)


@pytest.fixture(scope="module")
def density() -> Density:
    """Two whole blocks of distinct deals and part of a third; every third deal is open, and has waited."""
    deals = winprob.simulate(deals=700, open_deals=10, seed=5).closed
    training = training_from(in_order(validate_deals(deals, training=True)), Settings(), seed=1, waiting_odds=None)
    won, open_deals = training.won.astype(float), np.arange(len(training.won)) % 3 == 0
    odds = np.where(open_deals, np.linspace(0.1, 4, len(won)), 1.0)
    evidence = {**training.evidence(), "won": np.where(open_deals, np.nan, won), "waiting_odds": odds}
    density = build_density(**evidence, layout=training.scaling.layout, priors=Settings().priors)
    assert 512 < len(density.weight) < 768
    return density


def parts_of(density: Density, seed: int) -> tuple[np.ndarray, ...]:
    """Effects, support, its variance, and weights of columns: large ones, so that some chances are near 0 and 1."""
    rng, coefs = np.random.default_rng(seed), density.parts
    effects, columns = rng.normal(size=coefs[0]), rng.normal(size=coefs[1] - coefs[0])
    reports = len(density.reading)
    return effects, 3 * rng.normal(size=reports), rng.uniform(0, 2, size=reports), columns


def value_and_slopes(density: Density, parts: tuple[np.ndarray, ...]) -> tuple[float, tuple[np.ndarray, ...]]:
    effects, support, variance, columns = parts
    g_effects, g_columns = np.zeros_like(effects), np.zeros_like(columns)
    value, g_intercept, g_support, g_variance = log_likelihood(
        0.3, effects, support, variance, columns, g_effects, g_columns, density
    )
    return value, (np.array([g_intercept]), g_effects, g_support, g_variance, g_columns)


def by_numpy(density: Density, parts: tuple[np.ndarray, ...], intercept: float = 0.3) -> float:
    effects, support, variance, columns = parts
    roles = len(density.unreported_share)
    slots, reports = density.places[:, :-roles], density.places[:, -roles:]
    predictor = intercept + effects[slots].sum(axis=1) + support[reports].sum(axis=1) + density.columns @ columns
    logit = predictor / np.sqrt(1 + SHRINK * variance[reports].sum(axis=1))
    closed = density.won * logit - density.weight * np.logaddexp(0, logit)
    chance = 1 / (1 + np.exp(-logit))
    return float((closed + density.waiting * np.log1p((density.waiting_odds - 1) * chance)).sum())


@pytest.mark.parametrize("seed", range(3))
def test_blocks_add_up_to_the_likelihood_of_all_deals(density: Density, seed: int) -> None:
    parts = parts_of(density, seed)
    assert value_and_slopes(density, parts)[0] == pytest.approx(by_numpy(density, parts), rel=1e-12)


def test_the_gradient_is_the_slope_in_every_block(density: Density) -> None:
    parts = parts_of(density, seed=7)
    _, slopes = value_and_slopes(density, parts)
    rng, step = np.random.default_rng(8), 1e-6
    for which, slope in enumerate(slopes[1:]):
        for at in rng.permutation(len(slope))[:40]:
            sides = []
            for sign in (1, -1):
                moved = [np.array(one) for one in parts]
                moved[which][at] += sign * step
                sides.append(by_numpy(density, tuple(moved)))
            assert slope[at] == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-5, abs=1e-5)
    ahead, behind = by_numpy(density, parts, 0.3 + step), by_numpy(density, parts, 0.3 - step)
    assert slopes[0][0] == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)
