"""The sampler's coordinates: Jacobian and adjoint against differences, and how near they bring a standard normal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import winprob
from winprob.data.schema import in_order, validate_deals
from winprob.model.features import learn_scaling
from winprob.model.inference.native import slopes_of, standard_points
from winprob.model.inference.training_data import training_from
from winprob.model.inference.whitening import find_geometry
from winprob.model.win.attenuation import Strength, attenuation, shift, straight, straighten
from winprob.model.win.blocks import TERMS, UNCONSTRAINED, Term, block_slices
from winprob.model.win.density import Density
from winprob.model.win.density_data import build_density, standard_unknowns
from winprob.model.win.geometry import Geometry, identity, to_standard, to_standard_adjoint
from winprob.model.win.parameters import derive_parameters, informed, prior_data
from winprob.model.win.terms import coefficients, logits_and_attenuation
from winprob.settings import Settings

_SMALL, _UNKNOWNS = 1e-6, 11


@pytest.fixture(scope="module")
def geometry() -> Geometry:
    """Eleven unknowns: two groups of effects, an effect in fixed units, a deviation of the second group's scale; the
    half-normals of both scales and two role weights, of which one moves with the attenuation in part; a reliability.
    """
    rng = np.random.default_rng(3)
    return Geometry(
        middle=rng.normal(size=_UNKNOWNS),
        turned=np.array([0, 2, 6]),
        factor=rng.normal(size=(3, 3)),
        stretch=rng.uniform(0.5, 2, size=_UNKNOWNS),
        informed=np.array([4.0, 0.0, 30.0, 0.5, 2.0, 0.0]),
        scale=np.array([0, 0, 1, 1, 2, -1]),
        half=np.array([6, 7, -1]),
        deviation=np.array([-1, 5, -1]),
        deviation_sd=np.array([0.0, 0.7, 0.0]),
        reference=np.array([-0.3, 0.2, 0.0]),
        attenuated=np.array([0.0, 1.0, 1.0]),
        half_normal=np.array([6, 7, 8, 9]),
        shift=np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9, 0.5, 0.0, 0.0]),
        strength=Strength(
            weight=np.array([8, 9]),
            weight_log=np.array([-0.4, 0.1]),
            known=np.array([0.3, 0.9]),
            common=np.array([5, 10]),
            numbers=np.array([0.6, 0.2, 3.0]),
        ),
    )


def test_points_kept_are_those_the_density_saw(geometry: Geometry) -> None:
    points = np.random.default_rng(4).normal(size=(3, 5, _UNKNOWNS))
    kept = standard_points(points, geometry)
    for place in np.ndindex(3, 5):
        np.testing.assert_allclose(kept[place], to_standard(points[place], geometry)[0], rtol=1e-12)


def test_the_log_jacobian_is_that_of_the_map(geometry: Geometry) -> None:
    def by_differences(point: np.ndarray) -> float:
        steps = [
            (to_standard(point + _SMALL * unit, geometry)[0] - to_standard(point - _SMALL * unit, geometry)[0])
            for unit in np.eye(_UNKNOWNS)
        ]
        return float(np.linalg.slogdet(np.stack(steps) / (2 * _SMALL))[1])

    first, second = np.random.default_rng(5).normal(size=(2, _UNKNOWNS))
    # Up to a constant: differences between two points.
    got = to_standard(first, geometry)[1] - to_standard(second, geometry)[1]
    assert got == pytest.approx(by_differences(first) - by_differences(second), abs=1e-6)


def test_the_adjoint_is_the_gradient_of_the_density_and_the_jacobian(geometry: Geometry) -> None:
    weights = np.arange(1.0, _UNKNOWNS + 1)

    def value(point: np.ndarray) -> float:
        standard, jacobian = to_standard(point, geometry)
        return float(-0.5 * weights @ standard**2 + jacobian)

    point = np.random.default_rng(6).normal(size=_UNKNOWNS)
    standard, _ = to_standard(point, geometry)
    got = to_standard_adjoint(standard, -weights * standard, geometry)
    expected = [
        (value(point + _SMALL * unit) - value(point - _SMALL * unit)) / (2 * _SMALL) for unit in np.eye(_UNKNOWNS)
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_the_identity_changes_nothing() -> None:
    point = np.random.default_rng(7).normal(size=_UNKNOWNS)
    standard, jacobian = to_standard(point, identity(_UNKNOWNS, 6))
    np.testing.assert_array_equal(standard, point)
    assert jacobian == 0


def density_of(deals: pd.DataFrame, terms: tuple[Term, ...] = TERMS) -> Density:
    training = training_from(in_order(validate_deals(deals, training=True)), Settings(), seed=1, waiting_odds=None)
    layout = training.scaling.layout
    return build_density(**training.evidence(), layout=layout, priors=Settings().priors, terms=informed(terms, layout))


def test_the_sampler_sees_the_density_in_its_coordinates() -> None:
    """The entry it calls, by addresses of all arrays, against the parts one after the other."""
    density = density_of(winprob.simulate(deals=40, open_deals=10, seed=5).closed)
    found = find_geometry(density)
    for point in np.random.default_rng(6).standard_normal((3, density.unknowns)):
        standard, jacobian = to_standard(point, found)
        value, by_standard = slopes_of(density)(standard)
        seen, slope = slopes_of(density, found)(point)
        assert seen == pytest.approx(value + jacobian, rel=1e-13)
        np.testing.assert_allclose(slope, to_standard_adjoint(standard, by_standard, found), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("deals", [40, 400])
def test_whitened_effects_are_close_to_standard_normal_about_the_mode(deals: int) -> None:
    """Oracle: curvatures of the density by differences; of many deals as it is, the largest are beyond 25."""
    density = density_of(winprob.simulate(deals=deals, open_deals=10, seed=5).closed)
    found = find_geometry(density)
    origin = np.zeros(density.unknowns)

    def slopes(point: np.ndarray, geometry: Geometry) -> np.ndarray:
        standard, _ = to_standard(point, geometry)
        return np.asarray(to_standard_adjoint(standard, slopes_of(density)(standard)[1], geometry))

    def curvatures(geometry: Geometry, start: np.ndarray) -> np.ndarray:
        unknowns = np.flatnonzero(np.arange(density.unknowns) < len(density.normal_sd))
        rows = [
            (slopes(start - 1e-4 * unit, geometry) - slopes(start + 1e-4 * unit, geometry)) / 2e-4
            for unit in np.eye(density.unknowns)[unknowns]
        ]
        return np.linalg.eigvalsh(np.stack(rows)[:, unknowns])

    whitened = curvatures(found, origin)
    assert whitened.min() > 0.1
    assert whitened.max() < 3
    if deals == 400:
        plain = curvatures(identity(density.unknowns, len(density.normal_sd)), found.middle)
        assert plain.max() > 25


def test_methods_deviations_share_the_scale_of_their_spread() -> None:
    """With many deals they are known regardless of it: the sampler moves in what deals show of them."""
    deals = winprob.simulate(deals=40, open_deals=10, seed=5).closed
    density, layout = density_of(deals), learn_scaling(validate_deals(deals), Settings()).layout
    places = block_slices("normal", layout, informed(TERMS, layout))["deviation"]
    halves = block_slices("half_normal", layout, informed(TERMS, layout))["method_spread"]
    scales = set(density.scale[places].tolist())
    assert len(scales) == 1
    assert density.scale_half[scales.pop()] == len(density.normal_sd) + halves.start


def test_an_unknown_moves_with_the_attenuation_that_it_leads_to(geometry: Geometry) -> None:
    """Oracle: from where it has moved, the way back is explicit."""
    before = np.random.default_rng(8).normal(size=_UNKNOWNS)
    after = before.copy()
    moved, _ = shift(after, geometry.shift, geometry.strength)
    assert moved == pytest.approx(attenuation(after, geometry.strength)[0])
    np.testing.assert_allclose(after - geometry.shift * moved, before, atol=1e-12)


@pytest.mark.parametrize("log_odds", [-30.0, -2.0, 0.0, 1.5, 40.0])
def test_a_reliability_has_its_own_place_on_the_straightened_line(geometry: Geometry, log_odds: float) -> None:
    standard = np.zeros(_UNKNOWNS)
    own, bend = geometry.strength.common[1], geometry.strength.numbers[2]
    standard[own] = straight(log_odds, bend)
    straighten(standard, geometry.strength)
    assert standard[own] == pytest.approx(log_odds, abs=1e-9)


def test_the_attenuation_is_that_of_the_average_deal() -> None:
    """Oracle: the attenuation with which predictions are computed."""
    deals = winprob.simulate(deals=60, open_deals=10, seed=5).closed
    training = training_from(in_order(validate_deals(deals, training=True)), Settings(), seed=1, waiting_odds=None)
    layout, priors = training.scaling.layout, Settings().priors
    density = build_density(**training.evidence(), layout=layout, priors=priors)
    geometry = find_geometry(density)
    standard = standard_unknowns(standard_points(np.zeros((1, density.unknowns)), geometry), density)
    parameters = derive_parameters(np, standard, prior_data(layout, priors), layout)
    _, shrunk = logits_and_attenuation(coefficients(parameters, training.features, seed=1), training.features)
    expected = np.average(1 / shrunk[:, 0].astype(float) ** 2, weights=training.weight)
    assert 2 * geometry.strength.numbers[1] == pytest.approx(np.log(expected), rel=1e-4)


def test_weights_of_either_sign_have_no_attenuation_to_move_with() -> None:
    density = density_of(winprob.simulate(deals=40, open_deals=10, seed=5).closed, UNCONSTRAINED)
    found = find_geometry(density)
    assert len(found.strength.weight) == 0
    assert not found.shift.any()
