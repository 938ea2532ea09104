"""Readings under a former definition: an effect of their own beats pooling in silence. Real sampling."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from winprob import fit, predict, simulate
from winprob.retrain.candidate.definitions import Definition, Definitions, with_own_effects, without_old_readings
from winprob.settings import settings_from
from winprob.simulation import Truth

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SETTINGS = settings_from(
    {"covariates": {"companion": False, "pair_components": 0, "varying": [], "days_elapsed": False}}
).for_refits()
#: Stages that matter twice as much as in the team of other tests.
TRUTH = Truth(stage_effect=(-1.8, -0.9, 0.0, 0.8, 1.7))
SEEDS = (21, 22)
#: What each of today's words was called before.
STAGES = ("exploration", "approval", "difficulty", "evaluation", "decision")
FORMERLY = dict(zip(STAGES, reversed(STAGES), strict=True))


@cache
def losses(renamed: bool) -> pd.DataFrame:
    """Log loss on about 2,000 deals read by today's words, by team and by what becomes of 400 old readings."""
    return pd.DataFrame([of_team(seed, renamed) for seed in SEEDS])


def of_team(seed: int, renamed: bool) -> dict[str, float]:
    team = simulate(480, 1, seed=seed, truth=TRUTH)
    # Without closing days there is no time to close to fit.
    deals = team.closed.sort_values("as_of").drop(columns="closed_on").reset_index(drop=True)
    since = deals["as_of"].iloc[400]
    old = (deals["as_of"] < since).to_numpy()
    if renamed:
        deals["stage"] = deals["stage"].mask(old, deals["stage"].map(FORMERLY))
    known = Definitions(by_concept={"stage": Definition(digest="today", since=since.date())})
    tables = {
        "pooled": deals,
        "lose_fact": without_old_readings(deals, known)[0],
        "own_effect": with_own_effects(deals, known)[0],
    }
    fresh = simulate(16_000, 1, seed=seed + 1000, truth=team.truth).closed
    fresh = fresh[fresh["as_of"] >= since]
    won = (fresh["outcome"] == "won").to_numpy()
    fits = {name: fit(table, seed=1, settings=SETTINGS) for name, table in tables.items()}
    return {name: log_loss(won, predict(one, fresh)["mean"]) for name, one in fits.items()}


def test_where_the_words_meant_something_else_an_own_effect_beats_pooling_in_silence():
    means = losses(True).mean()
    assert means["own_effect"] < means["pooled"] - 0.02
    assert means["own_effect"] < means["lose_fact"] + 0.01


def test_where_the_meaning_was_the_same_an_own_effect_is_no_worse_than_losing_the_fact():
    means = losses(False).mean()
    assert means["own_effect"] < means["lose_fact"] + 0.001
    assert np.abs(means["own_effect"] - means["pooled"]) < 0.005
