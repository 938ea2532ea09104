"""Smooth effects of numbers: bins, heaped values, blanks, and the basis of a line and a random walk."""

from __future__ import annotations

import numpy as np
import pytest

from winprob.model.features.curves import TRANSFORMS, end_to_end, learn_bins

RNG = np.random.default_rng(4)
ONES = np.ones(600)


def test_edges_are_no_deal_s_own_number() -> None:
    values = np.round(RNG.lognormal(10, 1, 600), 2)
    bins = learn_bins(values, ONES, "identity")
    assert not set(bins.edges) & set(values)
    assert all(float(f"{edge:.5g}") == edge for edge in bins.edges)


@pytest.mark.parametrize("transform", ["identity", "log1p"])
def test_bins_hold_equal_shares_and_every_value_has_one(transform: str) -> None:
    values = TRANSFORMS[transform][0](RNG.lognormal(8, 1, 600))
    bins = learn_bins(values, ONES, transform)
    share = np.bincount(bins.codes(values), minlength=len(bins.share)) / 600
    np.testing.assert_allclose(share, bins.share)
    assert len(bins.edges) == 19
    assert max(share[:-1]) < 0.08
    assert share[-1] == 0


def test_a_value_that_many_deals_share_and_a_blank_have_levels_of_their_own() -> None:
    values = RNG.normal(50, 10, 600)
    values[:100], values[100:150] = 0.0, np.nan
    bins = learn_bins(values, ONES, "identity")
    assert bins.heaps == (0.0,)
    codes = bins.codes(np.array([0.0, np.nan, 1e-6, -1e9, 1e9]))
    assert codes.tolist() == [len(bins.edges) + 1, len(bins.share) - 1, 0, 0, len(bins.edges)]


def test_few_deals_have_few_bins() -> None:
    assert len(learn_bins(RNG.normal(size=40), np.ones(40), "identity").edges) == 1


def test_the_basis_is_centred_over_the_training_deals() -> None:
    values = RNG.normal(size=600)
    values[:60] = np.nan
    bins = learn_bins(values, ONES, "identity")
    np.testing.assert_allclose(np.array(bins.share) @ bins.basis, 0, atol=1e-12)


def test_neighbouring_bins_are_alike_under_the_prior() -> None:
    """Of a random walk plus a line: the correlation of two bins falls with their distance."""
    bins = learn_bins(RNG.normal(size=600), ONES, "identity")
    draws = RNG.normal(size=(20_000, len(bins.share))) @ bins.basis.T
    near, far = np.corrcoef(draws[:, 15], draws[:, 16])[0, 1], np.corrcoef(draws[:, 1], draws[:, 18])[0, 1]
    assert near > 0.8 > 0 > far


@pytest.mark.parametrize("direction", [1, -1])
def test_a_monotone_column_never_turns(direction: int) -> None:
    values = RNG.normal(size=600)
    bins = learn_bins(values, ONES, "identity", direction=direction)
    signed = np.where(bins.sign == 0, 1.0, bins.sign * np.log1p(np.exp(RNG.normal(size=len(bins.sign)))))
    effect = (bins.basis @ signed)[:-1]
    assert (np.diff(effect) * direction > 0).all()


def test_columns_end_to_end_do_not_touch_each_other() -> None:
    columns = [learn_bins(RNG.normal(size=600), ONES, "identity") for _ in range(2)]
    curves = end_to_end(columns)
    size = len(columns[0].share)
    np.testing.assert_array_equal(curves.basis[:size, size:], 0)
    np.testing.assert_array_equal(curves.basis[size:, size:], columns[1].basis)
    assert curves.columns == 2
