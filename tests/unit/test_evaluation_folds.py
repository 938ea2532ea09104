"""Training rows were known at the origin; identical rows stay together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from winprob.data.schema import validate_deals
from winprob.data.tables import closed_only
from winprob.errors import DealTableError
from winprob.evaluation.folds import KFOLD, ROLLING, identical_rows, known_at_origin, plan_folds
from winprob.model.inference.training_data import learn_time, odds_of_waiting
from winprob.settings import CalendarSettings, EvaluationSettings, Settings

SETTINGS = Settings(evaluation=EvaluationSettings(folds=4, repeats=2))


@pytest.fixture(scope="module")
def deals(team) -> pd.DataFrame:
    return validate_deals(pd.concat([team.closed, team.open], ignore_index=True))


def test_a_rolling_fold_learns_only_from_what_had_closed(deals):
    plan = plan_folds(deals, SETTINGS, protocol="auto", seed=1)
    assert plan.protocol == ROLLING
    assert len(plan.folds) >= 3
    for fold in plan.folds:
        assert (deals["closed_on"].iloc[fold.train] < fold.origin).all()
        assert (deals["as_of"].iloc[fold.test] >= fold.origin).all()
        assert (deals["as_of"].iloc[fold.test] < fold.origin + pd.DateOffset(months=3)).all()
        assert (deals["outcome"].iloc[np.r_[fold.train, fold.test]] != "open").all()
        assert (deals["as_of"].iloc[fold.waiting] < fold.origin).all()
        assert not (deals["closed_on"].iloc[fold.waiting] < fold.origin).any()


def test_no_deal_is_scored_twice_in_a_rolling_plan(deals):
    plan = plan_folds(deals, SETTINGS, protocol="rolling", seed=1)
    scored = np.concatenate([fold.test for fold in plan.folds])
    assert len(scored) == len(set(scored))


def test_a_deal_that_closed_after_the_origin_is_open_in_training(deals):
    fold = plan_folds(deals, SETTINGS, protocol="rolling", seed=1).folds[-1]
    known = known_at_origin(deals, fold)
    assert len(known) == len(fold.train) + len(fold.waiting)
    later = known["closed_on"].isna()
    assert later.sum() == len(fold.waiting) > 0
    assert (known["outcome"][later] == "open").all()
    assert (known["closed_on"][~later] < fold.origin).all()
    assert known.attrs == deals.attrs


def test_nothing_from_after_the_origin_reaches_a_fit(deals):
    """Whatever the ends of the deals had been, had they ended after the origin, a fold learns the same."""
    history = deals.assign(closed_amount=deals["amount"] + 1, known_until=deals["closed_on"] + pd.Timedelta(days=9))
    fold = plan_folds(history, SETTINGS, protocol="rolling", seed=1).folds[-1]
    late = ~(history["closed_on"] < fold.origin)
    other = history.assign(
        outcome=history["outcome"].mask(late, "lost"),
        closed_on=history["closed_on"].mask(late, fold.origin + pd.Timedelta(days=70)),
        closed_amount=history["closed_amount"].mask(late, 5.0),
        known_until=history["known_until"].mask(late, fold.origin + pd.Timedelta(days=80)),
    )
    again = next(f for f in plan_folds(other, SETTINGS, protocol="rolling", seed=1).folds if f.name == fold.name)
    pd.testing.assert_frame_equal(known_at_origin(history, fold), known_at_origin(other, again))
    assert (known_at_origin(history, fold)["known_until"] < fold.origin).all()


def test_a_vanished_deal_waits_no_longer_than_it_was_seen(deals):
    gone = deals["as_of"] + pd.Timedelta(days=3)
    fold = plan_folds(deals.assign(known_until=gone), SETTINGS, protocol="rolling", seed=1).folds[-1]
    known = known_at_origin(deals.assign(known_until=gone), fold)
    seen = gone[known.index].clip(upper=fold.origin - pd.Timedelta(days=1))
    assert (known["known_until"] == seen).all()


def test_an_origin_needs_a_quarter_of_closings_before_it(deals):
    """A record that begins in the last weeks of a quarter has seen only what closes in such weeks."""
    first = plan_folds(deals, SETTINGS, protocol="rolling", seed=1).folds[0].origin
    cut = deals[~(deals["closed_on"] < first - pd.Timedelta(days=30))].reset_index(drop=True)
    few = replace(SETTINGS, evaluation=replace(SETTINGS.evaluation, least_training=2))
    origins = [fold.origin for fold in plan_folds(cut, few, protocol="rolling", seed=1).folds]
    assert origins
    assert min(origins) > first


def test_closed_deals_alone_are_warned_of_with_their_times():
    closed = pd.DataFrame(
        {
            "deal_id": [f"D{at}" for at in range(60)],
            "as_of": pd.Timestamp(2025, 1, 1),
            "closed_on": pd.Timestamp(2025, 1, 1) + pd.to_timedelta([10] * 20 + [90] * 40, unit="D"),
            "outcome": ["won"] * 20 + ["lost"] * 40,
        }
    )
    (found,) = closed_only(closed)
    assert "won deals took 10 days at the median and lost ones 90" in found.message
    assert "100% were won, of all 33%" in found.message
    waiting = pd.concat([closed, closed.head(1).assign(deal_id="O", outcome="open", closed_on=pd.NaT)])
    assert not list(closed_only(waiting))
    assert not list(closed_only(closed.drop(columns="as_of")))


def test_with_the_open_deals_quick_wins_do_not_raise_the_win_rate():
    """Half of all deals are won, within days; the lost ones take months."""
    rng = np.random.default_rng(1)
    read = pd.Timestamp(2024, 1, 1) + pd.to_timedelta(rng.integers(0, 540, 1500), unit="D")
    won = rng.random(1500) < 0.5
    wait = np.where(won, rng.exponential(20, 1500), rng.exponential(150, 1500)).astype(int) + 1
    deals = validate_deals(
        pd.DataFrame(
            {
                "deal_id": [f"D{at}" for at in range(1500)],
                "as_of": read,
                "closed_on": read + pd.to_timedelta(wait, unit="D"),
                "outcome": np.where(won, "won", "lost"),
            }
        )
    )
    fold = plan_folds(deals, SETTINGS, protocol="rolling", seed=1).folds[2]
    known = known_at_origin(deals, fold)
    odds = odds_of_waiting(learn_time(known, SETTINGS.for_refits(), 1), known)
    is_open = (known["outcome"] == "open").to_numpy()
    share, ended = 0.5, (known["outcome"] == "won").to_numpy(dtype=float)
    for _ in range(500):
        share = np.where(is_open, share * odds / (share * odds + 1 - share), ended).mean()
    truth = won[np.r_[fold.train, fold.waiting]].mean()
    assert ended[~is_open].mean() > truth + 0.1
    assert abs(share - truth) < 0.05


def test_origins_follow_the_fiscal_year(deals):
    april = replace(SETTINGS, calendar=CalendarSettings(fiscal_year_start_month=2))
    plan = plan_folds(deals, april, protocol="rolling", seed=1)
    assert {fold.origin.month for fold in plan.folds} <= {2, 5, 8, 11}


def test_open_deals_of_a_scored_quarter_are_counted_as_not_scored(deals):
    late = deals.copy()
    late.loc[late["outcome"] == "open", "as_of"] = late["as_of"][late["outcome"] != "open"].max()
    assert plan_folds(late, SETTINGS, protocol="rolling", seed=1).not_scored == (late["outcome"] == "open").sum()


def test_without_dates_it_is_k_fold_with_a_reason(deals):
    plan = plan_folds(deals.drop(columns="closed_on"), SETTINGS, protocol="auto", seed=1)
    assert plan.protocol == KFOLD
    assert "closed_on" in plan.reason
    assert len(plan.folds) == 8
    with pytest.raises(DealTableError, match="closed_on"):
        plan_folds(deals.drop(columns="closed_on"), SETTINGS, protocol="rolling", seed=1)


def test_rows_alike_and_readings_of_a_deal_stay_in_one_fold(deals):
    closed = deals[deals["outcome"] != "open"].head(80)
    copies = closed.head(20).assign(deal_id=[f"C{at}" for at in range(20)])
    later = closed.iloc[20:40].assign(as_of=lambda frame: frame["as_of"] + pd.Timedelta(days=40))
    table = pd.concat([closed, copies, later], ignore_index=True)
    groups = identical_rows(table)
    for at in range(20):
        assert groups[at] == groups[80 + at]
        assert groups[20 + at] == groups[100 + at]
    assert len(set(groups)) == 80
    for fold in plan_folds(table, SETTINGS, protocol="k-fold", seed=1).folds:
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert len(fold.train) + len(fold.test) == len(table)


def test_too_few_of_one_outcome_is_refused(deals):
    few = pd.concat([deals[deals["outcome"] == "won"].head(2), deals[deals["outcome"] == "lost"].head(20)])
    with pytest.raises(DealTableError, match="2 won"):
        plan_folds(few, SETTINGS, protocol="k-fold", seed=1)
