"""The seller's own number as a term: weight and bias of an optimistic, noisy number are learned. Real sampling."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from winprob import Settings, fit, predict
from winprob.settings import CovariateSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

WITH_SELLER = Settings(covariates=CovariateSettings(seller_forecast=True))


def drawn(count: int, seed: int) -> pd.DataFrame:
    """Deals of which nothing is recorded but a seller's number: too high by one on the log-odds scale, and noisy."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-0.4, 1.2, count)
    facts = {"as_of": pd.Timestamp("2026-01-05"), "closed_on": pd.Timestamp("2026-03-05")}
    return pd.DataFrame(
        {
            "deal_id": np.arange(count).astype(str),
            **facts,
            "outcome": np.where(rng.random(count) < expit(truth), "won", "lost"),
            "rep_probability": expit(truth + 1 + rng.normal(0, 0.7, count)).clip(0.05, 0.95),
        }
    )


def test_the_bias_and_the_weight_of_an_optimistic_number_are_learned():
    """Oracle: a logistic regression on the logit of the number."""
    deals, fresh = drawn(400, 1), drawn(4000, 2)
    won = (fresh["outcome"] == "won").to_numpy()
    design, asked = (logit(table[["rep_probability"]].to_numpy()) for table in (deals, fresh))
    oracle = LogisticRegression(C=np.inf).fit(design, deals["outcome"] == "won").predict_proba(asked)[:, 1]
    chance = predict(fit(deals, seed=1, settings=WITH_SELLER), fresh)["mean"]
    assert log_loss(won, chance) == pytest.approx(log_loss(won, oracle), abs=0.005)
    assert log_loss(won, chance) < log_loss(won, fresh["rep_probability"]) - 0.05
    assert chance.mean() == pytest.approx(won.mean(), abs=0.03)
