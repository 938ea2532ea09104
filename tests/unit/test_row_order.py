"""The same deals in another order of rows are the same training data, and give the same model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import winprob
from winprob.model.inference import read_training
from winprob.model.posterior import Posterior
from winprob.settings import GateSettings, SamplerSettings, Settings
from winprob.simulation import simulate

LOOSE = GateSettings(r_hat=9.0, bulk_ess=0.0, tail_ess=0.0, divergent_share=0.9, bfmi=0.0)
FEW = Settings(
    sampler=SamplerSettings(chains=2, tune=100, draws=50, thin=1, prior_draws=100, retry_draws=50), gates=LOOSE
)


def shuffled(deals: pd.DataFrame, seed: int = 3) -> pd.DataFrame:
    """The same rows in another order, with other index labels, and the same attributes."""
    mixed = deals.sample(frac=1, random_state=seed)
    mixed.index = pd.Index([f"row {at}" for at in range(len(mixed))])
    assert mixed["deal_id"].tolist() != deals["deal_id"].tolist()
    return mixed


@pytest.fixture(scope="module")
def dated() -> pd.DataFrame:
    """Closed and open deals, some read twice, with a mapping's covariates."""
    team = simulate(80, 20, seed=6)
    deals = pd.concat([team.closed, team.open])
    again = deals.head(30).assign(as_of=deals["as_of"].head(30) - pd.Timedelta(days=20), stage="exploration")
    deals = pd.concat([deals, again], ignore_index=True)
    deals["closed_amount"] = deals["amount"] * np.where(np.arange(len(deals)) % 3, 1.0, 0.8)
    deals["rivals"] = np.arange(len(deals)) % 7
    deals.attrs["covariates"] = {
        "varying": ["segment", "region", "product"],
        "numeric": [{"column": "rivals", "transform": None}],
    }
    return deals


def assert_same(one: Posterior, other: Posterior) -> None:
    assert one.provenance.data_hash == other.provenance.data_hash
    assert one.scaling.to_dict() == other.scaling.to_dict()
    for draws in ("draws", "prior"):
        ours, theirs = getattr(one, draws), getattr(other, draws)
        assert list(ours) == list(theirs)
        for name, values in ours.items():
            np.testing.assert_allclose(values, theirs[name], rtol=1e-6, atol=1e-7, err_msg=name)


def test_a_fit_does_not_depend_on_the_order_of_rows(dated: pd.DataFrame) -> None:
    one, other = (winprob.fit(deals, seed=4, settings=FEW) for deals in (dated, shuffled(dated)))
    assert one.scaling.pairs is not None
    assert one.hazards is not None
    assert_same(one, other)
    for name, values in one.hazards.draws.items():
        np.testing.assert_allclose(values, other.hazards.draws[name], rtol=1e-6, atol=1e-7, err_msg=name)
    assert one.amounts == other.amounts
    assert one.arrivals == other.arrivals


def test_a_fit_without_dates_does_not_either(dated: pd.DataFrame) -> None:
    once = dated.drop_duplicates("deal_id")
    undated = once[[name for name in once if once[name].dtype.kind != "M"]]
    one, other = (winprob.fit(deals, seed=4, settings=FEW) for deals in (undated, shuffled(undated)))
    assert one.hazards is None
    assert_same(one, other)


def test_the_deals_drawn_from_a_long_history_do_not_depend_on_it() -> None:
    closed = simulate(1200, 1, seed=3).closed
    few = Settings(sampler=SamplerSettings(most_deals=1000))
    one, other = (read_training(deals, few, seed=4).closed for deals in (closed, shuffled(closed)))
    assert len(one) == 1000
    pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))


def test_the_odds_of_waiting_go_with_their_rows(dated: pd.DataFrame) -> None:
    odds = np.where(dated["outcome"] == "open", 0.3 + 0.001 * np.arange(len(dated)), 1.0)
    mixed = shuffled(dated)
    place = {row: at for at, row in enumerate(zip(dated["deal_id"], dated["as_of"], strict=True))}
    moved = odds[[place[row] for row in zip(mixed["deal_id"], mixed["as_of"], strict=True)]]
    one = read_training(dated, FEW, waiting_odds=odds)
    other = read_training(mixed, FEW, waiting_odds=moved)
    assert one.waiting is not None
    assert other.waiting is not None
    np.testing.assert_array_equal(one.waiting.odds, other.waiting.odds)
    assert one.hash() == other.hash()


def test_training_rows_keep_their_labels_and_the_covariates_of_the_mapping(dated: pd.DataFrame) -> None:
    mixed = shuffled(dated)
    training = read_training(mixed, FEW)
    assert training.closed.attrs == dated.attrs
    assert training.closed["deal_id"].equals(mixed["deal_id"].loc[training.closed.index])
    assert {field.name for field in training.scaling.fields} >= {"segment", "region", "product"}
    assert "rivals" in [column.name for column in training.scaling.numeric]
