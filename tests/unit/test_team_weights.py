"""Role weights of teams: about the common ones, used wherever a weight counts, and none where no team is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import winprob
from tests.conftest import make_posterior
from winprob.actions.questions.answers import NOT_HEARD, posterior_state
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.methodology import ROLES
from winprob.model.features import Features, describe, learn_scaling
from winprob.model.features.columns import level_codes, team_codes
from winprob.model.features.scaling import Field
from winprob.model.inference.fitting import fit_prior
from winprob.model.inference.native import slopes_of
from winprob.model.posterior import Posterior
from winprob.model.prediction import predict_valid
from winprob.model.win.density_data import build_density
from winprob.model.win.lifts import lifts
from winprob.model.win.terms import Coefficients, coefficients, logits, support_terms, weight_of_role
from winprob.scale.teams import pooled_fit
from winprob.settings import CovariateSettings, Settings, settings_from
from winprob.simulation import Simulation

BY_TEAM = Settings(covariates=CovariateSettings(team="unit"))


@pytest.fixture(scope="module")
def deals(team: Simulation) -> pd.DataFrame:
    units = np.array(["East", "North", "West"])[np.arange(len(team.closed)) % 3]
    return validate_deals(team.closed.assign(unit=units))


@pytest.fixture(scope="module")
def pooled(deals: pd.DataFrame) -> Posterior:
    """Made by hand: a trained scaling, draws from the prior."""
    return make_posterior(deals, learn_scaling(deals, BY_TEAM))


def described(posterior: Posterior, rows: pd.DataFrame) -> tuple[Coefficients, Features]:
    features = describe(rows, posterior.scaling)
    return coefficients(posterior.flat, features, seed=posterior.provenance.seed), features


def in_unit(deals: pd.DataFrame, unit: str | None) -> pd.DataFrame:
    return deals.head(40).assign(unit=unit)


# --- where no team is named -----------------------------------------------------------------------------------


def test_a_model_without_a_column_of_teams_has_no_such_unknowns(posterior: Posterior) -> None:
    assert posterior.draws["team_factor"].shape == (4, 250, 0, 5)
    assert posterior.draws["team_spread"].shape == (4, 250, 0)
    assert "role weights by team" not in dict(posterior.facts())


def test_factors_of_one_change_nothing(pooled: Posterior, deals: pd.DataFrame) -> None:
    """Oracle: the same draws in a model whose column of teams is an ordinary category."""
    scaling = replace(pooled.scaling, fields=tuple(replace(field, team=False) for field in pooled.scaling.fields))
    none = {"team_factor": np.zeros((1000, 0, 5)), "team_spread": np.zeros((1000, 0))}
    features = describe(deals, scaling)
    wanted = logits(coefficients({**pooled.flat, **none}, features, seed=7), features)
    ones = {**pooled.flat, "team_factor": np.ones_like(pooled.flat["team_factor"])}
    features = describe(deals, pooled.scaling)
    np.testing.assert_array_equal(logits(coefficients(ones, features, seed=7), features), wanted)


def test_a_column_of_teams_that_no_deal_has_is_named(deals: pd.DataFrame) -> None:
    for without in (deals.drop(columns="unit"), deals.assign(unit=None)):
        with pytest.raises(DealTableError, match=r"column 'unit'.*no value"):
            learn_scaling(without, BY_TEAM)


# --- what a team's weight is, and where it counts ---------------------------------------------------------------


def test_a_deal_has_its_teams_weights(pooled: Posterior, deals: pd.DataFrame) -> None:
    """Oracle: each role's support term over the common weight, and the variance it leaves, by hand."""
    coefs, features = described(pooled, in_unit(deals, "North"))
    common = replace(coefs, team_factor=np.ones_like(coefs.team_factor))
    factor = pooled.sel("team_factor", team="North")
    (terms, variance), (plain, _) = support_terms(coefs, features), support_terms(common, features)
    left = np.zeros_like(variance)
    for role in range(len(ROLES)):
        np.testing.assert_allclose(terms[role], factor[:, role] * plain[role], rtol=2e-5, atol=1e-7)
        weight = common.role_weight[role][features.method] * factor[:, role]
        np.testing.assert_allclose(weight_of_role(coefs, features, role), weight, rtol=1e-5)
        alone = np.zeros_like(coefs.role_weight)
        alone[role] = 1
        own = replace(common, role_weight=alone)
        left += weight**2 * support_terms(own, features)[1]
    np.testing.assert_allclose(variance, left, rtol=1e-4)


def test_levers_and_questions_use_the_weights_of_the_deals_team(pooled: Posterior, deals: pd.DataFrame) -> None:
    one, other = (in_unit(deals, unit) for unit in ("North", "East"))
    found = [described(pooled, rows) for rows in (one, other)]
    ratio = pooled.sel("team_factor", team="North", role="approver") / pooled.sel(
        "team_factor", team="East", role="approver"
    )
    steps = np.ones((40, len(ROLES)))
    shrinks = [1 / np.sqrt(1 + np.pi / 8 * support_terms(*each)[1]) for each in found]
    north, east = (lifts(*each, steps).log_odds_lift[0] / shrink for each, shrink in zip(found, shrinks, strict=True))
    np.testing.assert_allclose(north, ratio * east, rtol=1e-4)
    heard = np.full((40, len(ROLES)), NOT_HEARD)
    states = [posterior_state(*each, pooled.scaling, heard) for each in found]
    np.testing.assert_allclose(states[0].weight[0], ratio * states[1].weight[0], rtol=1e-4)


def test_an_explanation_adds_up_to_the_prediction(pooled: Posterior, deals: pd.DataFrame) -> None:
    rows = in_unit(deals, "West")
    told = winprob.explain(pooled, rows, rows["deal_id"].iloc[0])
    coefs, features = described(pooled, rows.head(1))
    assert told["log_odds"].sum() == pytest.approx(float(logits(coefs, features).mean()), abs=2e-3)


def test_effects_name_each_teams_weight(pooled: Posterior) -> None:
    rows = winprob.effects(pooled).set_index(["term", "level"])["mean"]
    weight = pooled.sel("role_weight", role="approver", decision_method="unknown")
    own = weight * pooled.sel("team_factor", team="West", role="approver")
    assert rows["approver_support", "weight (unit=West)"] == pytest.approx(float(own.mean()), rel=1e-4)


# --- a new team -------------------------------------------------------------------------------------------------


def test_codes_of_teams_go_on_where_the_known_ones_end() -> None:
    fields = (Field(name="a", levels=("x",)), Field(name="unit", levels=("u", "v"), team=True))
    frame = pd.DataFrame({"a": ["new", "x", "x", "x"], "unit": ["v", "w", None, "u"]})
    level, unseen = level_codes(frame, fields)
    codes, new = team_codes(level, unseen, fields)
    assert new == ("", "w")
    assert codes.tolist() == [[1], [3], [2], [0]]


def test_a_new_team_is_drawn_from_the_teams(pooled: Posterior, deals: pd.DataFrame) -> None:
    """Its factors have the learned spread: not one, and not those of another new team."""
    coefs, features = described(pooled, pd.concat([in_unit(deals, "South"), in_unit(deals, None)]))
    assert features.unseen_teams == ("", "South")
    fresh = np.log(coefs.team_factor[:, -2:].astype(float)) / pooled.flat["team_spread"][:, 0]
    assert fresh.std(axis=-1) == pytest.approx(np.ones((5, 2)), abs=0.1)
    apart = np.corrcoef(fresh.reshape(10, -1)) - np.eye(10)
    assert np.abs(apart).max() < 0.15


def test_a_new_teams_interval_is_wider_than_a_known_ones(pooled: Posterior, deals: pd.DataFrame) -> None:
    """All else known, and the factors of the known team nearly so, even where teams have one intercept."""
    sure = {name: np.broadcast_to(values[:1, :1], values.shape) for name, values in pooled.draws.items()}
    factor = np.exp(np.random.default_rng(3).normal(0, 0.02, sure["team_factor"].shape)).astype(np.float32)
    spread = np.full_like(sure["team_spread"], 0.5)
    own = {"team_factor": factor, "team_spread": spread, "offset_scale": 0 * sure["offset_scale"]}
    model = replace(pooled, draws={**sure, **own})
    known, new = (predict_valid(model, in_unit(deals, unit)) for unit in ("North", "South"))
    assert (new["upper"] - new["lower"] > 5 * (known["upper"] - known["lower"])).all()


def test_before_any_deal_every_team_is_new(deals: pd.DataFrame) -> None:
    model = fit_prior(seed=1, settings=BY_TEAM)
    assert model.draws["team_factor"].shape[2:] == (0, 5)
    assert winprob.predict(model, deals.head(5))["prior_share"].to_numpy() == pytest.approx(1)


def test_predictions_are_the_same_in_any_block(pooled: Posterior, deals: pd.DataFrame) -> None:
    rows = deals.assign(unit=np.array(["East", "North", "South", None])[np.arange(len(deals)) % 4])
    whole = predict_valid(pooled, rows)
    parts = [predict_valid(pooled, rows.iloc[at : at + 7]) for at in range(0, 210, 7)]
    pd.testing.assert_frame_equal(pd.concat(parts), whole.head(210), check_exact=True)


# --- density, file, settings ------------------------------------------------------------------------------------


def test_the_gradient_is_the_densitys_slope(deals: pd.DataFrame) -> None:
    """Oracle: central differences, in every unknown."""
    rows = deals.head(60)
    scaling = learn_scaling(rows, BY_TEAM)
    won = (rows["outcome"] == "won").to_numpy(dtype=float)
    built = build_density(describe(rows, scaling), scaling.layout, BY_TEAM.priors, won=won, weight=np.ones(60))
    place = 0.5 * np.random.default_rng(4).standard_normal(built.unknowns)
    steps = 1e-6 * np.eye(built.unknowns)
    wanted = [(slopes_of(built)(place + step)[0] - slopes_of(built)(place - step)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(slopes_of(built)(place)[1], wanted, rtol=1e-5, atol=1e-5)


def test_a_model_file_keeps_the_teams(pooled: Posterior, deals: pd.DataFrame, tmp_path: Path) -> None:
    pooled.save(tmp_path / "model.nc")
    again = Posterior.load(tmp_path / "model.nc")
    assert again.scaling.team == "unit"
    assert again.coords["team"] == ("East", "North", "West")
    np.testing.assert_array_equal(again.draws["team_factor"], pooled.draws["team_factor"])
    rows = in_unit(deals, "South")
    pd.testing.assert_frame_equal(winprob.predict(again, rows), winprob.predict(pooled, rows), check_exact=True)
    assert "3 levels of 'unit'" in dict(again.facts())["role weights by team"]


def test_the_pooled_fit_names_its_column_in_the_settings(deals: pd.DataFrame, tmp_path: Path) -> None:
    task = pooled_fit(deals, "unit", tmp_path, settings=Settings(), seed=1)
    assert settings_from(dict(task.settings)).covariates.team == "unit"
