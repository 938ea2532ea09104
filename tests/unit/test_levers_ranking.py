"""Levers of single deals: closed forms on one draw, brute force, enumeration, and who cannot rise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from winprob import rank_roles
from winprob.actions.levers.ranking import BLOCK, prob_best
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.methodology.vocabulary import ROLES
from winprob.model.features import describe
from winprob.model.features.readings import bin_moments
from winprob.model.win.lifts import lifts, steps_up
from winprob.model.win.terms import coefficients, logits

COLUMNS = ["deal_id", "role", "rank", "log_odds_lift", "odds_ratio", "win_prob_lift", "lower", "upper", "prob_best"]
NUMBERS = COLUMNS[3:]


def one_draw(posterior, at: int = 0):
    """The same model as if its parameters were known."""
    return replace(posterior, draws={name: values[:1, at : at + 1] for name, values in posterior.draws.items()})


def prepared(posterior, frame):
    features = describe(validate_deals(frame), posterior.scaling)
    return coefficients(posterior.flat, features, seed=posterior.provenance.seed), features


def by_role(levers, name: str, deal: str = "D0"):
    return levers[levers["deal_id"] == deal].set_index("role")[name].reindex(list(ROLES)).to_numpy()


# --- the numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 100, 249])
def test_one_draw_is_the_closed_form(posterior, table, at):
    """Oracle: weight times the distance of two tiers' means, shrunk by the doubt about all five supports."""
    known, frame = one_draw(posterior, at), table()
    weight = known.draws["role_weight"][0, 0, :, 2].astype(float)
    rho = float(known.draws["reliability"][0, 0, 1])
    tiers = [int(frame[f"{role}_support"].iloc[0]) for role in ROLES]
    moments = [bin_moments(np.array(counts)) for counts in posterior.scaling.tier_counts]
    hidden = np.array([variance[tier - 1] for tier, (_, variance) in zip(tiers, moments, strict=True)])
    shrink = 1 / np.sqrt(1 + np.pi / 8 * (weight**2 * (1 - rho**2 + rho**2 * hidden)).sum())
    step = np.array([mean[min(t, 3)] - mean[t - 1] for t, (mean, _) in zip(tiers, moments, strict=True)])
    added = np.where(np.array(tiers) == 4, np.nan, weight * step * shrink)
    now = float(logits(*prepared(known, frame))[0, 0])
    got = rank_roles(known, frame)
    np.testing.assert_allclose(by_role(got, "log_odds_lift"), added, rtol=1e-4)
    np.testing.assert_allclose(by_role(got, "odds_ratio"), np.exp(added), rtol=1e-4)
    for name in ("win_prob_lift", "lower", "upper"):
        # A probability near 0 or 1 is known to single precision.
        np.testing.assert_allclose(by_role(got, name), expit(now + added) - expit(now), rtol=1e-3, atol=1e-7)
    assert by_role(got, "prob_best").tolist() == (added == np.nanmax(added)).astype(float).tolist()


def test_a_step_is_a_prediction_with_the_reading_moved_where_reports_are_exact(posterior, team):
    """Brute force: with reliability (next to) 1 a reading is the support, so moving it predicts what a visit brings."""
    exact = {**posterior.draws, "reliability": np.full_like(posterior.draws["reliability"], 0.9999)}
    sure, frame = replace(posterior, draws=exact), team.open.head(12)
    by, features = prepared(sure, frame)
    steps = steps_up(features, sure.scaling, sure.flat["unknown_support"].mean(axis=0))
    now, got = expit(logits(by, features)), rank_roles(sure, frame)
    for at, role in enumerate(ROLES):
        moved = replace(features, reading=features.reading + np.eye(5)[at] * steps)
        lift = (expit(logits(by, moved)) - now).mean(axis=1)
        mine = got[got["role"] == role].set_index("deal_id")["win_prob_lift"].reindex(frame["deal_id"]).to_numpy()
        able = (features.readers[:, at] > 0) & (steps[:, at] > 0)
        np.testing.assert_allclose(mine[able], lift[able], rtol=2e-3, atol=1e-5)


def test_an_unreported_role_rises_from_its_expected_level(posterior, table):
    """The step is that between the tiers around the posterior mean of unreported support."""
    frame = table(approver_support=[None])
    expected = float(posterior.flat["unknown_support"][:, 0].mean())
    mean, _ = bin_moments(np.array(posterior.scaling.tier_counts[0]))
    step = np.interp(expected, mean, np.append(mean[1:], mean[-1])) - expected
    by, features = prepared(posterior, frame)
    only = np.zeros((1, 5))
    only[0, 0] = step
    wanted = lifts(by, features, only).log_odds_lift[0, 0].mean()
    assert by_role(rank_roles(posterior, frame), "log_odds_lift")[0] == pytest.approx(wanted, rel=1e-4)


def test_intervals_are_quantiles_of_the_draws(posterior, team):
    frame = team.open.head(5)
    by, features = prepared(posterior, frame)
    steps = steps_up(features, posterior.scaling, posterior.flat["unknown_support"].mean(axis=0))
    found = lifts(by, features, steps)
    got = rank_roles(posterior, frame)
    for at, role in enumerate(ROLES):
        chance = expit(found.log_odds + found.log_odds_lift[at]) - expit(found.log_odds)
        mine = got[got["role"] == role].set_index("deal_id").reindex(frame["deal_id"])
        able = mine["win_prob_lift"].notna().to_numpy()
        lower, upper = np.quantile(chance, [0.05, 0.95], axis=1)
        np.testing.assert_allclose(mine["lower"][able], lower[able], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(mine["upper"][able], upper[able], rtol=1e-3, atol=1e-6)


def test_prob_best_by_enumeration():
    """Draw by draw, by hand: three roles, one of which cannot rise, over four draws."""
    lift = np.array([[[0.1, 0.4, 0.2, 0.3]], [[0.2, 0.3, 0.2, 0.1]], [[0.0, 0.0, 0.0, 0.0]]])
    got = prob_best(lift, np.array([[True, True, False]]))
    # Leaders: second, first, both (half each of 5 leads), first.
    assert got.tolist() == [[3 / 5, 2 / 5, 0.0]]


def test_prob_best_is_the_share_of_draws_in_which_the_role_leads(posterior, team):
    frame = team.open.head(20)
    by, features = prepared(posterior, frame)
    got = rank_roles(posterior, frame)
    able = np.stack([by_role(got, "win_prob_lift", deal) for deal in frame["deal_id"]])
    steps = steps_up(features, posterior.scaling, posterior.flat["unknown_support"].mean(axis=0))
    found = lifts(by, features, np.where(np.isnan(able), 0, steps))
    for at, deal in enumerate(frame["deal_id"]):
        leads = np.bincount(found.log_odds_lift[:, at].argmax(axis=0), minlength=5) / posterior.flat["intercept"].size
        np.testing.assert_allclose(by_role(got, "prob_best", deal), leads, atol=1e-9)


# --- structure ----------------------------------------------------------------------------------------------------


def test_columns_order_and_index_are_the_published_ones(posterior, team):
    frame = team.open.set_index(pd.Index([f"row {at}" for at in range(len(team.open))], name="key"))
    got = rank_roles(posterior, frame)
    assert got.columns.tolist() == COLUMNS
    assert got["deal_id"].tolist() == np.repeat(frame["deal_id"], 5).tolist()
    assert got.index.tolist() == np.repeat(frame.index, 5).tolist()
    assert got["rank"].tolist() == [1, 2, 3, 4, 5] * len(frame)
    assert all(set(roles) == set(ROLES) for _, roles in got.groupby("deal_id")["role"])


def test_ranks_follow_the_lift_and_chances_add_up(posterior, team):
    got = rank_roles(posterior, team.open)
    for _, rows in got.groupby("deal_id"):
        able = rows["win_prob_lift"].dropna()
        assert able.is_monotonic_decreasing
        assert rows["prob_best"].sum() == pytest.approx(1)
        assert (rows["lower"].dropna() <= able).all()
        assert (rows["upper"].dropna() >= able).all()


def test_the_order_of_rows_and_other_deals_change_nothing(posterior, team):
    whole = rank_roles(posterior, team.open).set_index(["deal_id", "role"])
    back = rank_roles(posterior, team.open.iloc[::-1]).set_index(["deal_id", "role"])
    pd.testing.assert_frame_equal(whole, back.loc[whole.index], rtol=1e-4, atol=1e-6)


def test_more_deals_than_a_block_are_the_deals_one_by_one(posterior, team):
    many = pd.concat([team.closed] * 2, ignore_index=True).head(BLOCK + 3)
    many["deal_id"] = [f"D{at}" for at in range(len(many))]
    got = rank_roles(posterior, many)
    for at in (0, BLOCK - 1, BLOCK, BLOCK + 2):
        pd.testing.assert_frame_equal(
            got[got["deal_id"] == f"D{at}"], rank_roles(posterior, many.iloc[[at]]), rtol=1e-4, atol=1e-6
        )


def test_the_input_is_not_changed_and_no_deals_give_no_rows(posterior, team):
    before = team.open.copy(deep=True)
    rank_roles(posterior, team.open, evidence=True)
    pd.testing.assert_frame_equal(team.open, before)
    assert rank_roles(posterior, team.open.head(0)).columns.tolist() == COLUMNS


def test_an_id_alone_is_enough(posterior):
    got = rank_roles(posterior, pd.DataFrame({"deal_id": ["D1"]}))
    assert got[NUMBERS].notna().all(axis=None)


def test_invalid_deals_are_refused(posterior, table):
    with pytest.raises(DealTableError, match="approver_support"):
        rank_roles(posterior, table(approver_support=[7]))


# --- who cannot rise ----------------------------------------------------------------------------------------------


def test_a_role_at_the_top_tier_comes_last_without_numbers(posterior, table):
    got = rank_roles(posterior, table(), evidence=True).set_index("role")
    assert got.loc["influencer", "rank"] == 5
    assert got.loc["influencer", NUMBERS[:-1]].isna().all()
    assert got.loc["influencer", "prob_best"] == 0
    assert got.loc["influencer", "standing"] == "top_tier"
    assert pd.isna(got.loc["influencer", "verdict"])


def test_a_deal_with_all_roles_at_the_top_has_no_lever(posterior, table):
    got = rank_roles(posterior, table(**{f"{role}_support": [4.0] for role in ROLES}), evidence=True)
    assert got["win_prob_lift"].isna().all()
    assert (got["prob_best"] == 0).all()
    assert (got["standing"] == "top_tier").all()


@pytest.mark.parametrize(
    ("stage", "tier", "standing"),
    [
        ("difficulty", None, "not_yet"),
        ("exploration", None, "not_yet"),
        ("approval", None, "can_rise"),
        (None, None, "can_rise"),
        ("difficulty", 2.0, "can_rise"),
    ],
)
def test_procurement_comes_in_with_the_project_unless_it_is_reported(posterior, table, stage, tier, standing):
    got = rank_roles(posterior, table(stage=[stage], procurement_support=[tier]), evidence=True).set_index("role")
    assert got.loc["procurement", "standing"] == standing
    assert pd.isna(got.loc["procurement", "win_prob_lift"]) == (standing == "not_yet")


def test_ranking_loads_no_sampler():
    import subprocess
    import sys

    code = (
        "import sys, winprob.actions.levers; print(*({'pymc','pytensor','arviz','nutpie','numba'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
