"""Win probabilities: what must hold for any deal, and what may change nothing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winprob import draw_win_prob, predict
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.methodology.vocabulary import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES, STAGES
from winprob.model.features import describe
from winprob.model.prediction import BLOCK, prior_share
from winprob.model.win.terms import coefficients, logits

maybe = {
    "stage": st.sampled_from([*STAGES, None]),
    "coach": st.sampled_from([*COACH_STATES, None]),
    "decision_method": st.sampled_from([*DECISION_METHODS, None]),
    "approver_coverage": st.sampled_from(COVERAGES),
    "seller": st.sampled_from(["S01", "S05", "a new one", None]),
    "amount": st.sampled_from([1e4, 2e6, 9e7, None]),
    "as_of": st.sampled_from(["2024-11-01", "2026-08-01", "2027-02-01", None]),
    **{f"{role}_support": st.sampled_from([1.0, 2.0, 3.0, 4.0, None]) for role in ROLES},
}
deals = st.fixed_dictionaries(maybe)
numbers = ["mean", "lower", "upper", "prior_share"]


def frame_of(*facts: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(facts).assign(deal_id=[f"D{at}" for at in range(len(facts))])


def log_odds(posterior, frame):
    features = describe(validate_deals(frame), posterior.scaling)
    return logits(coefficients(posterior.flat, features, seed=posterior.provenance.seed), features)


# --- structure ----------------------------------------------------------------------------------------------------


@given(deal=deals, role=st.sampled_from(ROLES))
def test_more_support_never_lowers_the_chance(posterior, deal, role):
    frame = frame_of(*({**deal, f"{role}_support": tier} for tier in (1.0, 2.0, 3.0, 4.0)))
    chance = draw_win_prob(posterior, frame)
    assert (np.diff(chance, axis=0) >= -1e-6).all()
    assert (np.diff(chance.mean(axis=1)) > 0).all()


@given(deal=deals, role=st.sampled_from(ROLES), others=st.sampled_from(["1*4", "4*4", "1*2 4*1"]))
def test_more_support_from_one_of_several_people_never_lowers_the_chance(posterior, deal, role, others):
    frame = frame_of(*({**deal, f"{role}_readings": f"{tier}*2 {others}"} for tier in (1, 2, 3, 4)))
    assert (np.diff(draw_win_prob(posterior, frame), axis=0) >= -1e-6).all()


@pytest.mark.parametrize("counts", [(5000.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 5000.0), (1.0, 2000.0, 1.0, 1.0)])
def test_where_nearly_all_report_one_tier_more_support_still_does_not_lower_the_chance(posterior, table, counts):
    """There a rare tier hides far less than the common one; with a huge weight less doubt may outdo more support.

    Measured on prior draws: at most 9 in 10,000 of them, never their mean.
    """
    lopsided = replace(posterior, scaling=replace(posterior.scaling, tier_counts=(counts,) * 5))
    for stage in STAGES:
        chance = draw_win_prob(lopsided, table(approver_support=[1.0, 2.0, 3.0, 4.0], stage=[stage] * 4))
        assert (np.diff(chance.mean(axis=1)) > 0).all()
        assert (np.diff(chance, axis=0) < -1e-6).mean() < 0.002


@given(deal=deals, role=st.sampled_from(ROLES))
def test_a_validated_coach_widens_the_gap_between_tiers(posterior, deal, role):
    """On the log-odds: in probability the coach's own effect may move a deal to where all gaps are narrow."""
    name = f"{role}_support"
    frame = frame_of(*({**deal, name: tier, "coach": coach} for coach in COACH_STATES for tier in (1.0, 4.0)))
    against, champion = log_odds(posterior, frame).reshape(3, 2, -1).swapaxes(0, 1)
    gap = (champion - against).mean(axis=1)
    assert gap[0] < gap[1] < gap[2]


@given(deal=deals, role=st.sampled_from(ROLES))
def test_unknown_support_is_not_neutral_support(posterior, deal, role):
    unknown, neutral = draw_win_prob(
        posterior, frame_of({**deal, f"{role}_support": None}, {**deal, f"{role}_support": 2.0})
    )
    assert np.abs(unknown - neutral).max() > 1e-3


@given(rows=st.lists(deals, min_size=2, max_size=8), seed=st.integers(0, 99))
def test_the_order_of_the_rows_changes_nothing(posterior, rows, seed):
    frame = frame_of(*rows)
    order = np.random.default_rng(seed).permutation(len(frame))
    wanted = predict(posterior, frame).iloc[order]
    got = predict(posterior, frame.iloc[order])
    pd.testing.assert_frame_equal(got, wanted, rtol=1e-5)


@given(deal=deals, others=st.lists(deals, max_size=5))
def test_other_deals_change_nothing(posterior, deal, others):
    alone = predict(posterior, frame_of(deal))
    pd.testing.assert_frame_equal(predict(posterior, frame_of(deal, *others)).iloc[:1], alone, rtol=1e-5)


def test_unrelated_columns_and_the_order_of_columns_change_nothing(posterior, team):
    wanted = predict(posterior, team.open)
    noisy = team.open.assign(Remark="call back", Score=range(len(team.open)), rep_probability=0.9, outcome="lost")
    pd.testing.assert_frame_equal(predict(posterior, noisy[noisy.columns[::-1]]), wanted)


@given(deal=deals)
def test_the_mean_is_a_probability_inside_its_interval(posterior, deal):
    row = predict(posterior, frame_of(deal)).iloc[0]
    assert 0 < row["lower"] < row["mean"] < row["upper"] < 1
    assert 0 < row["prior_share"] <= 1


def test_a_future_quarter_widens_the_interval(posterior, table):
    row = predict(posterior, table(as_of=["2026-06-30", "2030-06-30"]))
    assert np.diff(row["upper"] - row["lower"])[0] > 0
    spread = log_odds(posterior, table(as_of=["2026-06-30", "2030-06-30"])).var(axis=1)
    assert spread[1] > spread[0]


# --- the frame ----------------------------------------------------------------------------------------------------


def test_the_columns_are_the_published_ones_and_the_index_is_kept(posterior, team):
    frame = team.open.set_index(pd.Index([f"row {i}" for i in range(len(team.open))], name="key"))
    got = predict(posterior, frame)
    assert got.columns.tolist() == ["deal_id", "mean", "lower", "upper", "unknowns", "prior_share"]
    pd.testing.assert_index_equal(got.index, frame.index)
    assert got["deal_id"].tolist() == frame["deal_id"].tolist()


def test_an_index_with_doubles_is_kept_too(posterior, team):
    frame = team.open.head(4).set_axis([7, 7, 7, 8])
    got = predict(posterior, frame)
    assert got.index.tolist() == [7, 7, 7, 8]
    np.testing.assert_allclose(got[numbers], predict(posterior, team.open.head(4))[numbers], rtol=1e-5)


def test_the_input_is_not_changed(posterior, team):
    before = team.open.copy(deep=True)
    predict(posterior, team.open)
    pd.testing.assert_frame_equal(team.open, before)


def test_no_deals_give_an_empty_frame(posterior, team):
    got = predict(posterior, team.open.head(0))
    assert got.columns.tolist() == ["deal_id", "mean", "lower", "upper", "unknowns", "prior_share"]
    assert got.empty


def test_an_id_alone_is_enough(posterior):
    got = predict(posterior, pd.DataFrame({"deal_id": ["D1"]}))
    assert got["unknowns"].tolist() == [9]
    assert got[numbers].notna().all(axis=None)


def test_invalid_deals_are_refused(posterior, table):
    with pytest.raises(DealTableError, match="approver_support"):
        predict(posterior, table(approver_support=[7]))


def test_the_summary_is_that_of_the_draws(posterior, team):
    """Oracle: numpy's quantiles of the draws that contrasts are made of."""
    got, chance = predict(posterior, team.open), draw_win_prob(posterior, team.open)
    np.testing.assert_allclose(got["mean"], chance.mean(axis=1), rtol=1e-5)
    lower, upper = np.quantile(chance, [0.05, 0.95], axis=1)
    np.testing.assert_allclose(got["lower"], lower, rtol=1e-5)
    np.testing.assert_allclose(got["upper"], upper, rtol=1e-5)


def test_more_deals_than_a_block_are_the_deals_one_by_one(posterior, team):
    many = pd.concat([team.closed] * 10, ignore_index=True).head(BLOCK + 3)
    many["deal_id"] = [f"D{at}" for at in range(len(many))]
    got = predict(posterior, many)
    single = pd.concat([predict(posterior, many.iloc[[at]]) for at in (0, BLOCK - 1, BLOCK, BLOCK + 2)])
    pd.testing.assert_frame_equal(got.loc[single.index], single, rtol=1e-5)


# --- the prior's share --------------------------------------------------------------------------------------------


def test_prior_only_has_a_prior_share_of_one(believed, team):
    assert believed.provenance.prior_only
    assert (predict(believed, team.open)["prior_share"] == 1).all()


def test_the_priors_share_is_a_ratio_of_variances():
    got = prior_share(np.array([1.0, 3.0, 0.0, 0.0]), np.array([2.0, 2.0, 0.0, 1.0]))
    assert got.tolist() == [0.5, 1.0, 1.0, 0.0]


def test_known_parameters_leave_no_prior(posterior, team):
    """Equal draws: the remaining variance is that of new levels and quarters."""
    fixed = {name: np.broadcast_to(values[:1, :1], values.shape).copy() for name, values in posterior.draws.items()}
    got = predict(replace(posterior, draws=fixed), team.closed)
    assert (got["prior_share"] < 1e-6).all()
    np.testing.assert_allclose(got["upper"], got["lower"], rtol=1e-5)


def test_the_prior_is_unmoved_by_the_record(believed, table):
    """Without training deals, all sellers are new and amounts have no effect."""
    got = predict(believed, table(amount=[1e4, 9e9]))
    assert got["mean"].iloc[0] == got["mean"].iloc[1]


def test_a_seed_decides_the_prior():
    from winprob import fit_prior

    one, again, other = fit_prior(seed=4), fit_prior(seed=4), fit_prior(seed=5)
    np.testing.assert_array_equal(one.draws["intercept"], again.draws["intercept"])
    assert (one.draws["intercept"] != other.draws["intercept"]).any()


def test_prediction_loads_no_pymc():
    code = (
        "import sys, winprob.model.prediction, winprob.model.explanation\n"
        "print(*({'pymc', 'pytensor', 'arviz', 'nutpie', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
