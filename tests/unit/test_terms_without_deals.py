"""Terms on which no deal of training bears: their posterior is the prior, and predictions are as without them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

import winprob
from winprob.model.effects import effect_sentences
from winprob.model.win import blocks
from winprob.model.win.parameters import informed
from winprob.settings import settings_from


def plain(rows: int, seed: int) -> pd.DataFrame:
    """Deals with two covariates and nothing of the method."""
    rng = np.random.default_rng(seed)
    kind, size = rng.integers(0, 3, rows), rng.normal(size=rows)
    chance = 1 / (1 + np.exp(-(kind - 1.5 + size)))
    outcome = np.where(rng.random(rows) < chance, "won", "lost")
    deals = pd.DataFrame({"deal_id": [f"D{at}" for at in range(rows)], "outcome": outcome, "kind": kind.astype(str)})
    deals["size"] = size
    deals.attrs["covariates"] = {"varying": ["kind"], "numeric": [{"column": "size", "transform": None}]}
    return deals


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    return plain(150, 1)


@pytest.fixture(scope="module")
def posterior(deals: pd.DataFrame) -> winprob.Posterior:
    return winprob.fit(deals, seed=1)


def test_only_terms_with_deals_are_sampled(posterior: winprob.Posterior) -> None:
    sampled = {term.name for term in informed(blocks.TERMS, posterior.scaling.layout)}
    assert {"stage", "approver_coverage", "coach", "decision_method", "support"}.isdisjoint(sampled)
    assert {"offset"} <= {term.coefficient for term in blocks.TERMS if term.name in sampled}


@pytest.mark.parametrize("name", ["role_weight", "stage_effect", "coach_effect", "method_effect", "unknown_support"])
def test_draws_of_the_others_are_the_priors(posterior: winprob.Posterior, name: str) -> None:
    prior = posterior.prior[name]
    draws = posterior.draws[name].reshape(-1, *prior.shape[1:])
    for place in np.ndindex(draws.shape[1:]):
        assert ks_2samp(draws[:, *place], prior[:, *place]).pvalue > 1e-4


def test_without_a_report_teams_weigh_alike(posterior: winprob.Posterior, deals: pd.DataFrame) -> None:
    """Whatever a team's weights are, nothing has told them: its deals keep the chances of common weights."""
    model = winprob.fit(deals, seed=1, settings=settings_from({"covariates": {"team": "kind"}}).for_refits())
    assert model.draws["team_factor"].shape[2:] == (3, 5)
    assert (model.draws["team_factor"] == 1).all()
    chance, common = (winprob.predict(one, deals)["mean"].to_numpy() for one in (model, posterior))
    assert chance == pytest.approx(common, abs=0.03)


def test_predictions_are_those_of_a_logistic_regression_with_the_same_columns(
    posterior: winprob.Posterior, deals: pd.DataFrame
) -> None:
    """The doubt about roles that nobody reports does not shrink what was learned of the covariates."""
    chance = winprob.predict(posterior, deals)["mean"].to_numpy()
    won = (deals["outcome"] == "won").to_numpy()
    assert chance.mean() == pytest.approx(won.mean(), abs=0.02)
    fresh = plain(4000, 2)
    kind, size = fresh["kind"].astype(int).to_numpy(), fresh["size"].to_numpy()
    log_odds = np.log(1 / winprob.predict(posterior, fresh)["mean"].to_numpy() - 1) * -1
    slope = np.polyfit(kind - 1.5 + size, log_odds, 1)[0]
    assert 0.7 < slope < 1.2


def test_a_report_on_a_role_still_moves_a_deal(posterior: winprob.Posterior, deals: pd.DataFrame) -> None:
    """By the prior alone, in the direction the method teaches."""
    one = deals.head(1).assign(approver_support=4, coach="validated")
    other = deals.head(1).assign(approver_support=1, coach="validated")
    up, down = (winprob.predict(posterior, deal)["mean"].iloc[0] for deal in (one, other))
    assert up > down + 0.05


def test_their_effects_are_called_the_priors(posterior: winprob.Posterior) -> None:
    (sentence,) = (text for text in effect_sentences(posterior) if "are the prior's" in text)
    assert "Buying stage, Approver's coverage, Coach, Decision method, Approver's support, " in sentence
    assert sentence.endswith("Procurement's support.")
