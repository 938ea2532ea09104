"""Training rows were known at the origin; identical rows stay together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.evaluation.folds import KFOLD, ROLLING, identical_rows, plan_folds
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


def test_no_deal_is_scored_twice_in_a_rolling_plan(deals):
    plan = plan_folds(deals, SETTINGS, protocol="rolling", seed=1)
    scored = np.concatenate([fold.test for fold in plan.folds])
    assert len(scored) == len(set(scored))


def test_a_quarter_of_which_few_have_closed_is_not_learned_from(deals):
    """What closed early of a young quarter is not like the rest of it."""
    strict = replace(SETTINGS, evaluation=replace(SETTINGS.evaluation, mature_share=0.9))
    loose = replace(SETTINGS, evaluation=replace(SETTINGS.evaluation, mature_share=0.0))
    by_name = [
        {fold.name: fold for fold in plan_folds(deals, chosen, protocol="auto", seed=1).folds}
        for chosen in (strict, loose)
    ]
    name = next(reversed(by_name[0]))
    few, many = (folds[name] for folds in by_name)
    assert set(few.train) < set(many.train)
    for quarter, rows in deals.iloc[few.train].groupby(deals["as_of"].dt.to_period("Q")):
        cohort = deals[deals["as_of"].dt.to_period("Q") == quarter]
        assert (cohort["closed_on"] < few.origin).mean() >= 0.9
        assert len(rows)


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
