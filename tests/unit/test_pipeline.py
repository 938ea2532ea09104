import datetime as dt
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from winprob.data.schema import COLUMNS, validate_deals
from winprob.errors import SettingsError
from winprob.methodology.vocabulary import ROLES, STAGES
from winprob.simulation import Pace, simulate_pipeline

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=37 * step) for step in range(27)]


@pytest.fixture(scope="module")
def pipeline():
    return simulate_pipeline(seed=3)


@pytest.fixture(scope="module")
def exports(pipeline):
    return {day: pipeline.known_on(day).set_index("deal_id", drop=False) for day in DAYS}


def test_an_export_is_a_valid_deal_table(exports):
    for export in exports.values():
        assert list(export.columns) == list(COLUMNS)
        validate_deals(export)


def test_nothing_is_known_before_its_day(pipeline, exports):
    deals = pipeline.deals.set_index("deal_id")
    for day, export in exports.items():
        today = pd.Timestamp(day)
        assert set(export.index) == set(deals.index[deals["created_on"] <= today])
        closed = deals["closed_on"].loc[export.index] <= today
        assert (export["outcome"].eq("open") == ~closed).all()
        assert (export["closed_on"].notna() == closed).all()


def test_closed_deals_have_their_true_outcome(pipeline, exports):
    deals = pipeline.deals.set_index("deal_id")
    last = exports[DAYS[-1]]
    closed = last[last["outcome"] != "open"]
    truth = deals.loc[closed.index]
    assert closed["outcome"].eq(truth["outcome"]).all()
    assert closed["closed_on"].eq(truth["closed_on"]).all()
    assert closed["amount"].eq(truth["amount"]).all()


def test_stages_only_advance_and_readings_once_given_stay(exports):
    for before, after in pairwise(DAYS):
        then, now = exports[before], exports[after].loc[exports[before].index]
        stage = [export["stage"].map({name: at for at, name in enumerate(STAGES)}) for export in (then, now)]
        assert not (stage[1] < stage[0]).any()
        for role in ROLES:
            given = then[f"{role}_support"].notna()
            assert then.loc[given, f"{role}_support"].eq(now.loc[given, f"{role}_support"]).all()


def test_a_closed_deal_changes_no_more(exports):
    then = exports[DAYS[10]]
    closed = then.index[then["outcome"] != "open"]
    now = exports[DAYS[-1]].loc[closed]
    pd.testing.assert_frame_equal(then.loc[closed].drop(columns="as_of"), now.drop(columns="as_of"))


def test_an_open_deal_is_expected_after_today_and_pushes_only_grow(pipeline, exports):
    for day, export in exports.items():
        still = export[export["outcome"] == "open"]
        assert (still["expected_close_on"] > pd.Timestamp(day)).mean() > 0.97
    early, late = (pipeline.pushes_on(day) for day in (DAYS[5], DAYS[15]))
    assert (late.loc[early.index] >= early).all()
    assert late.max() >= 3


def test_lost_deals_stall_so_that_a_late_stage_predicts_winning(exports):
    pooled = pd.concat([export[export["outcome"] == "open"] for export in exports.values()])
    won = simulate_pipeline(seed=3).deals.set_index("deal_id")["won"]
    rate = won.loc[pooled["deal_id"]].groupby(pooled["stage"].to_numpy()).mean()
    assert rate["decision"] > rate["difficulty"] + 0.2


def test_the_stated_chance_is_the_chance():
    deals = pd.concat([simulate_pipeline(seed=seed).deals for seed in range(20)])
    error = deals["won"] - deals["win_prob"]
    assert abs(error.mean()) < 3 * error.std() / np.sqrt(len(error))


def test_season_and_number_are_those_asked_for():
    pace = Pace(per_quarter=400, season=(0.4, 1.0, 1.0, 1.6))
    created = simulate_pipeline(seed=1, pace=pace).deals["created_on"]
    counts = created.dt.quarter.value_counts().sort_index() / 4
    assert counts.to_numpy() == pytest.approx(400 * np.array(pace.season), rel=0.15)


def test_the_same_seed_gives_the_same_team():
    one, other = simulate_pipeline(seed=5), simulate_pipeline(seed=5)
    pd.testing.assert_frame_equal(one.known_on(DAYS[3]), other.known_on(DAYS[3]))


@pytest.mark.parametrize("wrong", [{"days": 0.0}, {"pulled": 1.5}, {"stall": (1.0,)}, {"per_quarter": float("nan")}])
def test_a_pace_that_cannot_be_is_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Pace(**wrong)


def test_a_history_that_ends_within_a_quarter_is_refused():
    with pytest.raises(SettingsError, match="last day of a calendar quarter"):
        simulate_pipeline(seed=1, last_day=dt.date(2026, 9, 29))
