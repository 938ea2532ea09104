"""The prediction of a deal is the same to the last bit whatever deals are in the table with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.conftest import make_posterior
from winprob.arrays import add_rows
from winprob.data.schema import validate_deals
from winprob.model.features import learn_scaling
from winprob.model.features.interactions import InteractionBasis, interaction_features, learn_interactions
from winprob.model.hazards import learn_hazards
from winprob.model.posterior import Posterior
from winprob.model.prediction import predict_valid
from winprob.model.waiting import known_open_until
from winprob.settings import Settings
from winprob.simulation import Simulation

SIZES = (1, 50, 65, 1025)


@pytest.fixture(scope="module")
def combining(team: Simulation) -> Posterior:
    """A model with combinations of two levels and a time-to-close part: every product of the prediction is in it."""
    scaling = learn_scaling(validate_deals(team.closed), Settings())
    level = np.random.default_rng(1).integers(0, 2, (600, len(scaling.fields)))
    starts = np.cumsum([0, *(len(field.levels) for field in scaling.fields)])
    codes = starts[:-1] + level % np.diff(starts)
    field_of_level = np.repeat(np.arange(len(scaling.fields)), np.diff(starts))
    pairs = learn_interactions(codes, field_of_level, range(len(scaling.fields)), 16)
    made = make_posterior(team.closed, replace(scaling, pairs=pairs))
    return replace(made, hazards=learn_hazards(team.closed, made.settings, draws=64, seed=1))


@pytest.fixture(scope="module")
def waiting_deals(team: Simulation) -> pd.DataFrame:
    """2,200 open deals read on many days."""
    rng = np.random.default_rng(0)
    many = team.open.iloc[np.arange(2200) % len(team.open)].reset_index(drop=True)
    days = pd.Timestamp("2026-09-30") - pd.to_timedelta(rng.integers(0, 700, len(many)), "D")
    many = many.assign(
        deal_id=[f"W{at}" for at in range(len(many))],
        as_of=days,
        seller=[f"S{at % 40:02d}" for at in range(len(many))],
        amount=rng.lognormal(12, 1, len(many)),
    )
    return known_open_until(validate_deals(many))


@pytest.mark.parametrize("size", SIZES)
def test_a_prediction_does_not_depend_on_the_block(
    combining: Posterior, waiting_deals: pd.DataFrame, whole: pd.DataFrame, size: int
) -> None:
    some = waiting_deals.iloc[: 60 * size]
    blocks = [predict_valid(combining, some.iloc[at : at + size]) for at in range(0, len(some), size)]
    pd.testing.assert_frame_equal(pd.concat(blocks), whole.iloc[: len(some)], check_exact=True)


def test_a_prediction_does_not_depend_on_the_order(
    combining: Posterior, waiting_deals: pd.DataFrame, whole: pd.DataFrame
) -> None:
    shuffled = waiting_deals.sample(frac=0.7, random_state=3)
    again = predict_valid(combining, shuffled)
    pd.testing.assert_frame_equal(again, whole.loc[again.index], check_exact=True)


@pytest.fixture(scope="module")
def whole(combining: Posterior, waiting_deals: pd.DataFrame) -> pd.DataFrame:
    result = predict_valid(combining, waiting_deals)
    assert (result["mean"].nunique()) > 1500
    return result


def test_sums_of_rows_are_those_of_a_matrix_product() -> None:
    rng = np.random.default_rng(0)
    table, amounts = rng.standard_normal((9, 5)), rng.standard_normal((40, 9))
    np.testing.assert_allclose(add_rows(table, amounts), amounts @ table)
    np.testing.assert_allclose(add_rows(table, amounts[:, :2], np.full((40, 2), 3)), amounts[:, :2] @ table[[3, 3]])
    assert add_rows(table, amounts[:0]).shape == (0, 5)


def test_interactions_are_the_kernel_of_centred_indicators() -> None:
    """Against the definition: half the quadratic form of a deal's centred indicators, in each component."""
    rng = np.random.default_rng(2)
    field = np.array([0, 0, 2, 2, 2, 3])
    loading = rng.standard_normal((6, 6, 4))
    loading = loading + loading.transpose(1, 0, 2)
    loading[field[:, None] == field] = 0
    basis = InteractionBasis(level=np.array([0, 1, 5, 6, 8, 9]), field=field, mean=rng.random(6), loading=loading)
    level = np.stack([rng.choice(own, 50) for own in ([0, 1, 2], [3, 4], [5, 6, 7, 8], [9, 10])], axis=1)
    seen = rng.random(level.shape) < 0.8
    centred = ((level[:, field] == basis.level) - basis.mean) * seen[:, field]
    wanted = np.einsum("dc,dck->dk", centred, np.einsum("dc,cek->dek", centred, loading)) / 2
    np.testing.assert_allclose(interaction_features(basis, level, seen), wanted, atol=1e-5)
