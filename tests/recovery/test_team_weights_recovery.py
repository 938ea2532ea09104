"""Role weights of simulated teams: the learned spread is the true one, and factors follow theirs. Real sampling."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from winprob import Posterior, fit, predict, simulate
from winprob.evaluation.scores import log_losses
from winprob.methodology import DECISION_METHODS, ROLES
from winprob.settings import Settings, settings_from
from winprob.simulation import Truth

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TEAMS, TRAINING = 12, 150
PLAIN = {"companion": False, "pair_components": 0, "days_elapsed": False, "report_bias": False}
#: The same model but for role weights by team.
COMMON, BY_TEAM = (
    settings_from({"covariates": {**PLAIN, "varying": ["team"], "team": team}}).for_refits() for team in ("", "team")
)
_NONE = dict.fromkeys(("segment_sd", "region_sd", "product_sd", "competitor_sd", "drift_sd"), 0.0)


@cache
def teams(sd: float) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """(team, role) true factors of the role weights, deals to learn from, and deals to predict."""
    factor = np.exp(sd * np.random.default_rng(1).standard_normal((TEAMS, len(ROLES))))
    learned, later = [], []
    for at, own in enumerate(factor):
        weight = 1.5 * np.array(Truth().role_weight) * own[:, None]
        closed = simulate(2 * TRAINING, 1, seed=at, truth=Truth(role_weight=tuple(map(tuple, weight)), **_NONE)).closed
        closed = closed.assign(team=f"T{at:02d}", deal_id=f"T{at:02d}-" + closed["deal_id"])
        learned.append(closed.iloc[::2])
        later.append(closed.iloc[1::2])
    return factor, pd.concat(learned, ignore_index=True), pd.concat(later, ignore_index=True)


@cache
def learned(sd: float, settings: Settings) -> Posterior:
    return fit(teams(sd)[1], seed=1, settings=settings)


def loss(sd: float, settings: Settings) -> float:
    later = teams(sd)[2]
    won = (later["outcome"] == "won").to_numpy(dtype=float)
    return float(log_losses(won, predict(learned(sd, settings), later)["mean"].to_numpy(dtype=float)).mean())


def test_the_spread_of_role_weights_is_learned() -> None:
    for sd in (0.0, 0.7):
        lower, upper = np.quantile(learned(sd, BY_TEAM).flat["team_spread"][:, 0], [0.01, 0.99])
        assert lower - 0.05 < sd < upper, sd
    alike, apart = (np.median(learned(sd, BY_TEAM).flat["team_spread"]) for sd in (0.0, 0.7))
    assert alike < 0.25
    assert apart > alike + 0.15


def test_factors_of_teams_follow_the_true_ones() -> None:
    """Weighed by how much a role counts: of a role that hardly counts, no deal tells the factor."""
    logs = np.log(learned(0.7, BY_TEAM).flat["team_factor"].astype(float))
    true = np.log(teams(0.7)[0])
    heavy = np.array(Truth().role_weight) @ np.array(Truth().method_share[: len(DECISION_METHODS)]) > 0.4
    assert heavy.sum() >= 2
    assert np.corrcoef(logs.mean(axis=0)[:, heavy].ravel(), true[:, heavy].ravel())[0, 1] > 0.4
    lower, upper = np.quantile(logs, [0.05, 0.95], axis=0)
    # Factors are known up to what the common weights take of them.
    assert ((lower < true) & (true < upper)).mean() > 0.7


def test_teams_that_differ_are_predicted_better_and_alike_ones_no_worse() -> None:
    assert loss(0.7, BY_TEAM) < loss(0.7, COMMON) - 0.0005
    assert loss(0.0, BY_TEAM) < loss(0.0, COMMON) + 0.0015


def test_of_a_new_team_less_is_known() -> None:
    later = teams(0.7)[2].iloc[::5]
    known, new = (predict(learned(0.7, BY_TEAM), rows) for rows in (later, later.assign(team="new")))
    assert (new["upper"] - new["lower"]).mean() > 1.05 * (known["upper"] - known["lower"]).mean()
