"""E-values against published ones; grades, verdicts, and the words about levers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from winprob import rank_roles
from winprob.actions.levers import deal_sentences, e_values, risk_ratios, table_sentences
from winprob.actions.levers.eligibility import lever_eligibility
from winprob.actions.levers.evidence import evidence_grades, is_rare, verdicts
from winprob.data.schema import validate_deals
from winprob.i18n import use_language
from winprob.methodology.vocabulary import ROLES
from winprob.model.draws import to_win_prob
from winprob.model.win.lifts import lifts
from winprob.settings import LeverSettings, Settings


def lift_draws(posterior, frame):
    """(deal, role, draw) lift of win probability."""
    standing = lever_eligibility(posterior, validate_deals(frame))
    found = lifts(standing.coefs, standing.features, standing.steps)
    moved = to_win_prob(found.log_odds + found.log_odds_lift) - to_win_prob(found.log_odds.copy())
    return np.moveaxis(moved, 0, 1)


@pytest.mark.parametrize(
    ("risk_ratio", "published"),
    # VanderWeele and Ding 2017: breastfeeding and deaths by respiratory infection, 3.9 (1.8, 8.7), by leukaemia 0.80.
    [(3.9, 7.26), (1.8, 3.00), (0.80, 1.81), (1.0, 1.0)],
)
def test_e_values_are_the_published_ones(risk_ratio, published):
    assert e_values(np.array([risk_ratio]))[0] == pytest.approx(published, abs=0.005)


def test_odds_of_a_common_outcome_are_taken_by_their_square_root():
    odds = np.array([4.0, 1.0, 0.25])
    assert risk_ratios(odds, rare=False).tolist() == [2.0, 1.0, 0.5]
    assert risk_ratios(odds, rare=True).tolist() == odds.tolist()


def test_a_confounder_of_the_e_values_strength_and_no_weaker_explains_it_away():
    """Oracle: the bounding factor of Ding and VanderWeele (2016), a*b / (a + b - 1) at a = b = E, is the risk ratio."""
    risk_ratio = np.array([1.1, 1.5, 2.0, 5.0])
    e = e_values(risk_ratio)
    np.testing.assert_allclose(e * e / (2 * e - 1), risk_ratio, rtol=1e-12)


def test_e_values_stand_beside_their_levers(posterior, team):
    got = rank_roles(posterior, team.open.head(4), evidence=True).dropna(subset="win_prob_lift")
    assert not is_rare(posterior)
    wanted = e_values(np.sqrt(got["odds_ratio"].to_numpy()))
    np.testing.assert_allclose(got["e_value"], wanted)
    assert (got["e_value_lower"] <= got["e_value"]).all()
    assert (got["e_value_lower"] >= 1).all()


def test_rare_wins_are_seen_by_the_base_rate(posterior):
    rare = {**posterior.draws, "base_rate_logit": np.full_like(posterior.draws["base_rate_logit"], -2.5)}
    assert is_rare(replace(posterior, draws=rare))


# --- grades and verdicts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "learned"), [(0.65, 1), (0.76, 0)])
def test_what_was_learned_is_where_half_of_the_prior_is_gone(posterior, width, learned):
    """Half of the prior's doubt is a width of .71: the evaluator's log weight under scoring is narrowed around it."""
    believed = posterior.flat
    logs = np.log(believed["role_weight"].T), np.log(believed["role_weight"].T / believed["effect_scale"])
    wide, given = (np.diff(np.quantile(one.T, (0.05, 0.95), axis=0)[:, :, 0], axis=0)[0] for one in logs)
    narrow = posterior.draws["role_weight"].copy()
    narrow[..., 2, 0] **= width * given.mean() / wide[2]
    model = replace(posterior, draws={**posterior.draws, "role_weight": narrow}, prior=believed)
    grades = evidence_grades(model)
    assert (grades[2, 0] == "learned") == bool(learned)
    assert (grades == "learned").sum() == learned


def test_without_deals_all_is_prior(believed, team):
    got = rank_roles(believed, team.open, evidence=True)["evidence"].dropna()
    assert (got == "mostly_prior").all()


def test_only_a_visit_log_makes_a_lever_tested(posterior, table):
    assert "tested" not in set(rank_roles(posterior, table(), evidence=True)["evidence"].dropna())
    got = rank_roles(posterior, table(), evidence=True, tested=["approver"]).set_index("role")["evidence"]
    assert got["approver"] == "tested"
    assert got["evaluator"] != "tested"


def test_verdicts_are_the_interval_against_the_smallest_useful_lift():
    lower = np.array([0.03, 0.00, 0.01, np.nan])
    upper = np.array([0.09, 0.01, 0.05, np.nan])
    assert verdicts(lower, upper, 0.02).tolist() == ["worth_it", "not_worth_it", "cannot_tell", None]


def test_a_verdict_is_a_posterior_probability_of_95_percent(posterior, team):
    """Oracle: the share of draws above the smallest useful lift."""
    frame = team.open.head(10)
    got = rank_roles(posterior, frame, evidence=True, rope=0.03)
    share = (lift_draws(posterior, frame) > 0.03).mean(axis=2)
    for row in got.dropna(subset="win_prob_lift").itertuples():
        chance = share[frame["deal_id"].tolist().index(row.deal_id), list(ROLES).index(row.role)]
        wanted = "worth_it" if chance > 0.951 else "not_worth_it" if chance < 0.049 else "cannot_tell"
        if not (0.949 < chance < 0.951 or 0.049 < chance < 0.051):
            assert row.verdict == wanted


def test_the_smallest_useful_lift_is_a_setting(posterior, table):
    strict = replace(posterior, settings=replace(Settings(), levers=LeverSettings(smallest_lift=0.9)))
    assert (rank_roles(strict, table(), evidence=True)["verdict"].dropna() == "not_worth_it").all()
    assert (rank_roles(strict, table(), evidence=True, rope=0.0)["verdict"].dropna() == "worth_it").all()


# --- words --------------------------------------------------------------------------------------------------------


def said(posterior, frame) -> list[str]:
    table = rank_roles(posterior, frame, evidence=True)
    return [*deal_sentences(table), *table_sentences(table)]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_lift_is_never_called_an_effect(posterior, table, lang):
    with use_language(lang):
        words = " ".join(said(posterior, table(stage=["difficulty"], procurement_support=[None]))).lower()
    assert "effect" not in words
    assert "效应" not in words
    assert "效果" not in words


def test_each_role_has_its_sentence(posterior, table):
    lines = said(posterior, table(stage=["difficulty"], procurement_support=[None]))
    assert any("already at the top tier" in line and line.startswith("Influencer") for line in lines)
    assert any("cannot be raised yet" in line and line.startswith("Procurement") for line in lines)
    assert sum("hidden common cause" in line for line in lines) == 3


def test_ties_are_called_ties_and_leaders_leaders():
    rows = {
        "deal_id": ["D0"] * 2,
        "role": ["approver", "evaluator"],
        "rank": [1, 2],
        "log_odds_lift": [0.5, 0.4],
        "odds_ratio": [1.6, 1.5],
        "win_prob_lift": [0.1, 0.09],
        "lower": [0.03, 0.02],
        "upper": [0.2, 0.2],
        "prob_best": [0.5, 0.5],
        "standing": ["can_rise"] * 2,
        "verdict": ["worth_it"] * 2,
        "evidence": ["learned"] * 2,
        "e_value": [1.8, 1.7],
        "e_value_lower": [1.2, 1.1],
    }
    tied = pd.DataFrame(rows)
    assert "tie" in deal_sentences(tied)[0]
    clear = tied.assign(prob_best=[0.51, 0.49])
    assert "Approver is the best lever with 51%" in deal_sentences(clear)[0]


def test_nothing_to_raise_is_said(posterior, table):
    frame = table(**{f"{role}_support": [4.0] for role in ROLES})
    assert "nothing can be raised" in said(posterior, frame)[0]
