"""A plan for one quarter, its effect on the target, visits against levers, and independence of the clock."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from dataclasses import replace
from html import escape

import numpy as np
import pandas as pd
import pytest

from winprob import plan_visits
from winprob.actions.visits import lever_sentences, plan_sentences
from winprob.data.schema import validate_deals
from winprob.errors import ForecastError, PlanError, UndatedError
from winprob.methodology import ROLES
from winprob.model.hazards import learn_hazards
from winprob.model.timing import draw_win_prob_by
from winprob.quarter import forecast_quarter, target_effect, target_effect_sentence
from winprob.report.quarterly import render_review
from winprob.settings import Settings, VisitSettings
from winprob.simulation import simulate_pipeline

FAST = {"settings": VisitSettings(scenarios=20), "time_limit": 300.0}
DAY = dt.date(2026, 8, 1)


def people(*entries):
    return {"executives": [{"slots": 1, "roles": list(ROLES), **entry} for entry in entries]}


@pytest.fixture(scope="module")
def pipeline():
    return simulate_pipeline(seed=3, quarters=8)


@pytest.fixture(scope="module")
def now(pipeline):
    return pipeline.known_on(DAY)


@pytest.fixture(scope="module")
def dated(posterior, pipeline, now):
    """The hand-made win model, with a time to close learned from a simulated pipeline."""
    ended = now.set_index("deal_id")
    read = pipeline.known_on(dt.date(2025, 10, 1))
    read = read[read["outcome"] == "open"].copy()
    for name in ("outcome", "closed_on"):
        read[name] = read["deal_id"].map(ended[name])
    return replace(posterior, hazards=learn_hazards(validate_deals(read), Settings(), draws=1000, seed=1))


# --- the quarter ---------------------------------------------------------------------------------------------------


def test_the_gain_in_a_quarter_is_the_gain_ever_times_the_share_won_in_time(dated, table):
    """Oracle: the two probabilities of the time-to-close model, divided draw by draw."""
    deal = table(amount=[1e6], expected_close_on=["2026-06-20"])
    ever = plan_visits(dated, deal, people({"name": "Li"}), **FAST)
    soon = plan_visits(dated, deal, people({"name": "Li"}), goal="quarter", quarter="2026Q2", **FAST)
    day = dt.date(2026, 6, 30)
    by, eventually = (draw_win_prob_by(dated, deal, when)[0].astype(float) for when in (day, dt.date(2400, 1, 1)))
    assert soon.visits["role"].tolist() == ever.visits["role"].tolist()
    gain = ever.win_prob_gain["D0"] * 1e6
    assert soon.gain.mean == pytest.approx((gain * by / eventually).mean(), rel=1e-3)
    assert soon.gain.mean < ever.gain.mean
    assert (soon.quarter, ever.quarter) == ("2026Q2", None)
    assert "more in 2026Q2 in expectation" in plan_sentences(soon)[0]


def test_a_deal_that_closes_later_gets_the_visit_ever_and_not_this_quarter(dated, table):
    deals = table(
        amount=[1.0e6, 1.3e6], expected_close_on=["2026-05-20", "2027-09-30"], stage=["decision", "exploration"]
    )
    ever = plan_visits(dated, deals, people({"name": "Li"}), **FAST).visits["deal_id"].tolist()
    soon = plan_visits(dated, deals, people({"name": "Li"}), goal="quarter", quarter="2026Q2", **FAST)
    assert (ever, soon.visits["deal_id"].tolist()) == (["D1"], ["D0"])


def test_the_quarter_is_by_default_that_of_the_day_after_the_newest_reading(dated, table):
    assert (
        plan_visits(dated, table(as_of=["2026-06-30"]), people({"name": "Li"}), goal="quarter", **FAST).quarter
        == "2026Q3"
    )
    with pytest.raises(PlanError, match="name the quarter"):
        plan_visits(dated, table(as_of=[None]), people({"name": "Li"}), goal="quarter", **FAST)


def test_a_model_without_time_to_close_cannot_plan_for_a_quarter(posterior, table):
    with pytest.raises(UndatedError):
        plan_visits(replace(posterior, hazards=None), table(), people({"name": "Li"}), goal="quarter", **FAST)


# --- the target ----------------------------------------------------------------------------------------------------


def test_without_gains_the_target_is_that_of_the_forecast_and_stays(dated, now):
    effect = target_effect(dated, now, "2026Q3", {}, target=5e7, seed=4)
    made = forecast_quarter(dated, now, "2026Q3", target=5e7, seed=4)
    total = made.lines.set_index("line").loc["total"]
    assert effect.prob_before == effect.prob_after == total["prob_target"]
    assert effect.p50_before == total["p50"]
    assert "stays at" in target_effect_sentence(effect)


def test_the_review_page_states_what_its_visits_do_to_the_target(dated, now):
    plan = plan_visits(dated, now, people({"name": "Li"}), **FAST)
    made = forecast_quarter(dated, now, "2026Q3", target=5e7, seed=4)
    effect = target_effect(dated, now, made.quarter, plan.win_prob_gain, target=5e7, seed=4)
    page = render_review(dated, now, made, plan=plan)
    assert f"{effect.prob_before:.0%}" != f"{effect.prob_after:.0%}"
    # Why a visit is not to the lever, and what was agreed and is worth nothing, are for the meeting too.
    for sentence in (*lever_sentences(plan), *plan.notes):
        assert escape(sentence).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert f" in 2026Q3 goes from {effect.prob_before:.0%} to {effect.prob_after:.0%}." in page
    without = render_review(dated, now, replace(made, target=None), plan=plan)
    assert "goes from" not in without


def test_a_certain_win_adds_its_amount_to_the_quarter(posterior, table):
    """Oracle: one deal due in the quarter, without a time to close: the target is reached where the deal is won."""
    deal = table(
        amount=[1e6], currency=["CNY"], expected_close_on=["2026-06-20"], as_of=["2026-05-04"], outcome=["open"]
    )
    plain = replace(posterior, hazards=None, arrivals=None, amounts=None, correction=None)
    draws = len(posterior.flat["intercept"])
    effect = target_effect(plain, deal, "2026Q2", {"D0": np.ones(draws)}, target=5e5)
    half = target_effect(plain, deal, "2026Q2", {"D0": np.full(draws, 0.1)}, target=5e5)
    assert effect.prob_after == 1
    assert half.prob_after - half.prob_before == pytest.approx(0.1, abs=0.03)
    assert (effect.p50_before, effect.p50_after) in {(0.0, 1e6), (1e6, 1e6)}
    assert "goes from" in target_effect_sentence(effect)


def test_a_plan_never_lowers_the_chance_where_its_gains_are_positive(dated, now):
    plan = plan_visits(dated, now, people({"name": "Li", "slots": 4}), goal="quarter", quarter="2026Q3", **FAST)
    gains = {deal: np.maximum(gain, 0) for deal, gain in plan.win_prob_gain.items()}
    assert set(gains) == set(plan.visits["deal_id"])
    for target in (2e7, 5e7, 9e7):
        effect = target_effect(dated, now, "2026Q3", gains, target=target)
        assert effect.prob_after >= effect.prob_before
        assert effect.p50_after >= effect.p50_before


def test_a_target_that_makes_no_sense_is_refused(dated, now):
    with pytest.raises(ForecastError, match="the target is 0"):
        target_effect(dated, now, "2026Q3", {}, target=0.0)


# --- visits and levers ---------------------------------------------------------------------------------------------


def test_a_visit_goes_to_the_lever_or_the_reason_is_given(posterior, table):
    deal = table(amount=[1e6], evaluator_support=[1.0], approver_support=[4.0], decision_method=["scoring"])
    free = plan_visits(posterior, deal, people({"name": "Li"}), **FAST)
    lever = free.visits["lever"].item()
    assert (free.visits["role"].item() == lever) == pd.isna(free.visits["reason"].item())
    others = [role for role in ROLES if role not in (lever, "approver")]
    barred = plan_visits(posterior, deal, people({"name": "Li", "roles": others}), **FAST)
    assert "is not among the roles that this executive meets" in barred.visits["reason"].item()
    fixed = [{"deal_id": "D0", "role": others[0]}]
    agreed = plan_visits(posterior, deal, people({"name": "Li", "fixed": fixed}), **FAST)
    assert agreed.visits["reason"].item().startswith("agreed beforehand; the lever is the ")
    assert any("visit to the" in text and "agreed beforehand" in text for text in plan_sentences(agreed))


def test_a_slot_agreed_for_next_to_nothing_is_reported(posterior, table):
    deals = table(amount=[1e4, 9e6])
    roster = people({"name": "Li", "fixed": [{"deal_id": "D0", "role": "approver"}]})
    note = next(text for text in plan_visits(posterior, deals, roster, **FAST).notes if "Agreed beforehand" in text)
    assert "Li to the Approver of deal D0 adds" in note
    alike = plan_visits(posterior, table(amount=[1e6, 1e6]), roster, **FAST)
    assert not any("Agreed beforehand" in text for text in alike.notes)


# --- the clock -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("risk", [None, 0.8])
def test_the_plan_does_not_depend_on_the_clock(posterior, team, monkeypatch, risk):
    """A clock that runs a thousand seconds with every look changes nothing."""
    options = {"settings": VisitSettings(scenarios=20), "time_limit": 6.0, "risk": risk, "seed": 4}
    roster = people({"name": "Li", "slots": 2}, {"name": "Wu", "roles": ["approver"]})
    calm = plan_visits(posterior, team.open, roster, **options)
    ticks = itertools.count(step=1000)
    for name in ("perf_counter", "monotonic", "time"):
        monkeypatch.setattr(time, name, lambda: float(next(ticks)))
    hurried = plan_visits(posterior, team.open, roster, **options)
    pd.testing.assert_frame_equal(calm.visits, hurried.visits)
    pd.testing.assert_frame_equal(calm.one_more_slot, hurried.one_more_slot)
    assert (calm.draws, calm.regret, calm.gap) == (hurried.draws, hurried.regret, hurried.gap)


def test_more_effort_compares_with_more_draws(posterior, team):
    roster = people({"name": "Li", "slots": 2}, {"name": "Wu", "roles": ["approver"]})
    settings = VisitSettings(scenarios=20)
    draws = [
        plan_visits(posterior, team.open, roster, settings=settings, time_limit=effort).draws for effort in (3, 30)
    ]
    assert draws == [5, 20]
