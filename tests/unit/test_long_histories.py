"""Of a history longer than the setting allows, some deals are drawn at random, and the model says so."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from winprob.model.inference import read_training
from winprob.model.summary import posterior_sentences
from winprob.settings import SamplerSettings, Settings
from winprob.simulation import simulate

SETTINGS = Settings(sampler=SamplerSettings(most_deals=1000))


@pytest.fixture(scope="module")
def closed() -> pd.DataFrame:
    """1,200 deals, each of the first 200 read twice."""
    deals = simulate(1200, 1, seed=3).closed
    again = deals.head(200).assign(as_of=deals["as_of"].head(200) - pd.Timedelta(days=1))
    return pd.concat([deals, again], ignore_index=True)


def test_all_readings_of_as_many_deals_as_allowed_are_kept(closed):
    training = read_training(closed, SETTINGS, seed=4)
    kept = training.closed
    assert training.available == 1200
    assert kept["deal_id"].nunique() == 1000
    assert (
        kept["deal_id"].value_counts().equals(closed[closed["deal_id"].isin(kept["deal_id"])]["deal_id"].value_counts())
    )
    assert training.weight.sum() == pytest.approx(1000)


def test_the_seed_chooses_them(closed):
    drawn = [set(read_training(closed, SETTINGS, seed=seed).closed["deal_id"]) for seed in (4, 4, 5)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_shorter_history_is_kept_whole(closed):
    assert len(read_training(closed, Settings()).closed) == len(closed)


def test_the_verdict_says_how_many_there_were(posterior):
    gates = {"r_hat": 1.0, "bulk_ess": 900.0, "tail_ess": 900.0, "divergent_share": 0.0}
    whole = replace(posterior, provenance=replace(posterior.provenance, gates=gates))
    thinned = replace(whole, provenance=replace(whole.provenance, available=1_000_000))
    assert "The table has 1,000,000 closed deals; 600 of them" in " ".join(posterior_sentences(thinned))
    assert "drawn at random" not in " ".join(posterior_sentences(whole))
