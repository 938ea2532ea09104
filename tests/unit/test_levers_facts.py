"""Levers beside the roles: a validated coach, contact with the approver, knowing the method; each by a second route."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from winprob import draw_win_prob, rank_levers, rank_roles
from winprob.actions.levers import LEVERS, deal_sentences
from winprob.methodology import DECISION_METHODS, ROLES
from winprob.model.draws import summarise
from winprob.model.features import split_words


def of(ranked, lever):
    return ranked.set_index("role").loc[lever]


def chances(posterior, frame):
    """(row, draw) win probability of rows that are variants of one deal."""
    return draw_win_prob(posterior, frame.assign(deal_id=[f"V{at}" for at in range(len(frame))])).astype(float)


def test_roles_keep_their_lifts_and_the_others_join_the_ranking(posterior, team):
    ranked, roles = rank_levers(posterior, team.open), rank_roles(posterior, team.open)
    assert set(ranked["role"]) == set(LEVERS)
    both = roles.merge(ranked, on=["deal_id", "role"], suffixes=("", "_all"))
    for name in ("log_odds_lift", "odds_ratio", "win_prob_lift", "lower", "upper"):
        np.testing.assert_array_equal(both[name], both[f"{name}_all"])
    assert ranked.columns.tolist() == [*roles.columns, "to"]
    sums = ranked.groupby("deal_id")["prob_best"].sum()
    np.testing.assert_allclose(sums, 1)
    lifts = ranked["win_prob_lift"].fillna(-1).to_numpy().reshape(-1, len(LEVERS))
    assert (np.diff(lifts, axis=1) <= 0).all()
    assert ranked["rank"].tolist() == [*range(1, len(LEVERS) + 1)] * len(team.open)


def test_contact_with_the_approver_is_the_difference_of_its_own_effect(posterior, table):
    """Oracle: coverage changes nothing but its effect, so the lift is that of the changed record."""
    for now, then in (("identified", "contacted"), ("contacted", "engaged"), (None, "contacted")):
        frame = table(approver_coverage=[now, then])
        before, after = chances(posterior, frame)
        got = of(rank_levers(posterior, frame.head(1)), "approver_coverage")
        expected = summarise(after - before)
        np.testing.assert_allclose([got["win_prob_lift"], got["lower"], got["upper"]], expected, atol=1e-5)
        assert got["to"] == then


def test_a_coach_is_validated_without_giving_readings_another_weight(posterior, table):
    """Oracle: without any reading the record of a validated coach differs by the coach's effect alone."""
    silent = {f"{role}_support": [None, None] for role in ROLES}
    frame = table(coach=["unvalidated", "validated"], **silent)
    before, after = chances(posterior, frame)
    got = of(rank_levers(posterior, frame.head(1)), "coach")
    np.testing.assert_allclose(got["win_prob_lift"], (after - before).mean(), atol=1e-5)
    assert got["to"] == "validated"
    effect = posterior.flat["coach_effect"]
    opposed = table(coach=["unvalidated"], **{f"{role}_support": [1.0] for role in ROLES})
    sign = np.sign((effect[:, 2] - effect[:, 1]).mean())
    assert np.sign(of(rank_levers(posterior, opposed), "coach")["log_odds_lift"]) == sign


def test_knowing_the_method_is_worth_what_a_better_aimed_visit_adds(posterior, table):
    """Oracle: the lifts of ``rank_roles`` under each method, weighed by how often each occurs."""
    frame = table(decision_method=[None, *DECISION_METHODS])
    names = frame["deal_id"].tolist()
    ranked = rank_roles(posterior, frame)
    lift = ranked.set_index(["deal_id", "role"])["win_prob_lift"].unstack().loc[names]  # noqa: PD010
    leader = lift.iloc[0].idxmax()
    counts = split_words(np.array(posterior.scaling.state_share) * posterior.provenance.counted)["decision_method"][:-1]
    share = (counts + 1) / (counts + 1).sum()
    expected = share @ (lift.iloc[1:].max(axis=1) - lift.iloc[1:][leader]).to_numpy()
    got = of(rank_levers(posterior, frame.head(1)), "decision_method")
    assert got["win_prob_lift"] == pytest.approx(expected, abs=1e-5)
    assert got["win_prob_lift"] >= 0
    chance = chances(posterior, frame.head(1))[0]
    assert got["log_odds_lift"] == pytest.approx(
        logit(chance.mean() + got["win_prob_lift"]) - logit(chance.mean()), abs=0.5
    )
    assert expit(got["log_odds_lift"]) > 0.5 or got["win_prob_lift"] < 0.01


def test_what_is_done_cannot_rise(posterior, table):
    done = table(coach=["validated"], approver_coverage=["engaged"], decision_method=["scoring"])
    ranked = rank_levers(posterior, done, evidence=True)
    for lever in LEVERS[len(ROLES) :]:
        row = of(ranked, lever)
        assert np.isnan(row["win_prob_lift"])
        assert row["prob_best"] == 0
        assert pd.isna(row["to"])
    assert sum("nothing left to do" in text for text in deal_sentences(ranked)) == 3


def test_each_lever_has_a_sentence_in_points(posterior, table):
    open_ = table(coach=["none"], approver_coverage=["identified"], decision_method=[None])
    text = " ".join(deal_sentences(rank_levers(posterior, open_, evidence=True)))
    assert "Coach validation: Validated coach goes with " in text
    assert "Contact with the approver: Contacted goes with " in text
    assert "Knowing the decision method: adds " in text


def test_order_and_index_follow_the_table(posterior, team):
    deals = team.open.head(3).set_axis(["x", "y", "z"])
    ranked = rank_levers(posterior, deals)
    assert ranked.index.tolist() == ["x"] * 8 + ["y"] * 8 + ["z"] * 8
    backwards = rank_levers(posterior, deals.iloc[::-1])
    pd.testing.assert_frame_equal(backwards.loc[["x"]], ranked.loc[["x"]], check_exact=False, rtol=1e-4)
