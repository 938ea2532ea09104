"""Levers of groups: averages and sums made draw by draw, currencies apart, closed deals left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winprob import rank_roles
from winprob.actions.levers import GROUPINGS, group_sentences
from winprob.actions.levers.eligibility import lever_eligibility
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.i18n import use_language
from winprob.methodology.vocabulary import ROLES
from winprob.model.draws import to_win_prob
from winprob.model.win.lifts import lifts


def lift_draws(posterior, frame):
    """(deal, role, draw) lift of win probability, and whether each role can rise."""
    standing = lever_eligibility(posterior, validate_deals(frame))
    found = lifts(standing.coefs, standing.features, standing.steps)
    moved = to_win_prob(found.log_odds + found.log_odds_lift) - to_win_prob(found.log_odds.copy())
    return np.moveaxis(moved, 0, 1).astype(float), standing.steps > 0, np.moveaxis(found.log_odds_lift, 0, 1)


@pytest.mark.parametrize("by", GROUPINGS)
def test_averages_are_over_the_groups_deals_draw_by_draw(posterior, team, by):
    """Oracle: the draws of every deal, averaged in a plain loop."""
    frame = team.open.assign(outcome="open")
    draws, able, log_odds = lift_draws(posterior, frame)
    got = rank_roles(posterior, frame, by=by)
    key = frame[by].fillna("?").to_numpy()
    for group, rows in got.groupby(got[by].fillna("?"), sort=False):
        average = np.full((len(ROLES), draws.shape[2]), -np.inf)
        for at, role in enumerate(ROLES):
            mine = (key == group) & able[:, at]
            row = rows[rows["role"] == role].iloc[0]
            assert row["deals"] == mine.sum()
            if not mine.any():
                assert pd.isna(row["win_prob_lift"])
                continue
            average[at] = draws[mine, at].mean(axis=0)
            assert row["win_prob_lift"] == pytest.approx(average[at].mean(), rel=1e-3)
            lower, upper = np.quantile(average[at], [0.05, 0.95])
            assert (row["lower"], row["upper"]) == pytest.approx((lower, upper), rel=1e-3)
            assert row["log_odds_lift"] == pytest.approx(log_odds[mine, at].mean(), rel=1e-3)
            assert row["odds_ratio"] == pytest.approx(np.exp(row["log_odds_lift"]))
            money = frame["amount"].to_numpy()[mine] @ draws[mine, at]
            assert row["bookings_lift"] == pytest.approx(money.mean(), rel=1e-3)
            assert row["bookings_upper"] == pytest.approx(np.quantile(money, 0.95), rel=1e-3)
        leads = np.bincount(average.argmax(axis=0), minlength=5) / draws.shape[2]
        best = rows.set_index("role")["prob_best"].reindex(list(ROLES)).to_numpy()
        np.testing.assert_allclose(best, leads, atol=0.003)
        assert best.sum() == pytest.approx(1)


def test_more_deals_than_a_block_add_up(posterior, team):
    """Oracle: the same deals in parts; sums of bookings add up."""
    many = team.closed.assign(outcome="open", segment="all")
    whole = rank_roles(posterior, many, by="segment").set_index("role")["bookings_lift"]
    parts = [rank_roles(posterior, part, by="segment") for part in (many.iloc[:200], many.iloc[200:])]
    added = sum(part.set_index("role")["bookings_lift"] for part in parts)
    np.testing.assert_allclose(added.loc[whole.index], whole, rtol=1e-3)


def test_currencies_are_not_added_up_and_unknown_amounts_add_nothing(posterior, table):
    frame = table(
        currency=["CNY", "EUR", "CNY", None],
        amount=[1e6, 2e6, None, 3e6],
        influencer_support=[2.0] * 4,
    )
    got = rank_roles(posterior, frame, by="segment")
    mine = got[got["role"] == "approver"].assign(currency=lambda rows: rows["currency"].fillna("?"))
    mine = mine.set_index("currency")
    draws, _, _ = lift_draws(posterior, frame)
    lift = draws[:, 0].mean(axis=1)
    assert sorted(mine.index) == ["?", "CNY", "EUR"]
    assert mine["bookings_lift"]["CNY"] == pytest.approx(1e6 * lift[0], rel=1e-3)
    assert mine["bookings_lift"]["EUR"] == pytest.approx(2e6 * lift[1], rel=1e-3)
    assert mine["bookings_lift"]["?"] == pytest.approx(3e6 * lift[3], rel=1e-3)
    assert mine["no_amount"].to_dict() == {"CNY": 1, "EUR": 0, "?": 0}
    # The lift itself is the group's, whatever the currency.
    assert (mine["win_prob_lift"] == mine["win_prob_lift"].iloc[0]).all()
    assert (mine["deals"] == 4).all()
    words = " ".join(group_sentences(got, "segment"))
    assert "not added across currencies" in words
    assert "without an amount" in words


def test_without_any_amount_bookings_are_missing(posterior, table):
    got = rank_roles(posterior, table(amount=[None, None], currency=["CNY", None]), by="stage")
    assert got["bookings_lift"].isna().all()
    assert (got.groupby("role").size() == 1).all()
    assert (got["no_amount"] == got["deals"]).all()


def test_closed_deals_are_left_out_and_of_several_readings_the_last_counts(posterior, table):
    frame = table(
        as_of=["2026-03-01", "2026-05-01", "2026-03-01"], outcome=["open", "open", "lost"], stage=["approval"] * 3
    ).assign(deal_id=["D0", "D0", "D1"])
    got = rank_roles(posterior, frame, by="stage")
    last = rank_roles(posterior, frame.iloc[[1]], by="stage")
    pd.testing.assert_frame_equal(got, last, rtol=1e-4)
    assert got["deals"].max() == 1


def test_groups_come_in_the_methods_order_and_unknown_last(posterior, table):
    got = rank_roles(posterior, table(stage=[None, "decision", "approval"]), by="stage")
    assert got["stage"].drop_duplicates().fillna("?").tolist() == ["approval", "decision", "?"]


@pytest.mark.parametrize(
    ("columns", "by", "words"),
    [
        ({}, "color", "by 'color'; accepted: decision_method, stage, segment, region, seller"),
        ({}, "region", "column 'region' is missing"),
        ({"outcome": ["won"]}, "stage", "no deal of the 1 rows is open"),
    ],
)
def test_impossible_groupings_are_refused(posterior, table, columns, by, words):
    with pytest.raises(DealTableError, match=words):
        rank_roles(posterior, table(**columns), by=by)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_ties_are_called_ties(posterior, team, lang):
    got = rank_roles(posterior, team.open, by="stage")
    best = got.groupby("stage", dropna=False, sort=False)["prob_best"].max()
    with use_language(lang):
        lines = group_sentences(got, "stage")
    tie = {"en": "a tie", "zh": "不分先后"}[lang]
    assert [tie in line for line in lines[: len(best)]] == (best <= 0.5).tolist()
