"""The numbers on the visit sheet, each by a second route."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winprob import draw_win_prob, predict, rank_roles, render_brief
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError, SettingsError
from winprob.model.draws import summarise
from winprob.report.visit_sheet.phrases import frequency, signed
from winprob.report.visit_sheet.visit import contrasts, draw_each, plan_visit, varied


def one(table, **facts):
    return validate_deals(table(**{name: [value] for name, value in facts.items()}))


def plan(posterior, deals, deal_id="D0", **given):
    return plan_visit(posterior, deals, deal_id, **{"role": None, "people": None, "before": None} | given)


# --- contrasts -----------------------------------------------------------------------------------------------------


def test_contrasts_are_those_of_prediction(posterior, table):
    deal = one(table)
    other = varied(deal, {"approver_support": 1.0})
    (got,) = contrasts(posterior, deal, [other])
    expected = predict(posterior, other).iloc[0]
    assert got.chance.mean == pytest.approx(expected["mean"], rel=1e-5)
    both = draw_win_prob(posterior, table(approver_support=[3.0, 1.0])).astype(float)
    np.testing.assert_allclose(
        [got.change.mean, got.change.lower, got.change.upper], summarise(both[1] - both[0]), atol=1e-6
    )


def test_a_varied_support_replaces_the_readings_of_several_people(posterior, table):
    deal = one(table, approver_readings="1*2 1*1")
    single = one(table, approver_support=4.0)
    np.testing.assert_array_equal(
        draw_each(posterior, [varied(deal, {"approver_support": 4.0})]), draw_each(posterior, [single])
    )


def test_varying_changes_nothing_of_the_deal(table):
    deal = one(table)
    before = deal.copy(deep=True)
    varied(deal, {"coach": "validated"})
    pd.testing.assert_frame_equal(deal, before)


# --- people --------------------------------------------------------------------------------------------------------


def people(**columns):
    rows = len(next(iter(columns.values())))
    plain = {"deal_id": ["D0"] * rows, "as_of": [pd.NaT] * rows, "role": ["approver"] * rows}
    plain |= {"tier": [np.nan] * rows, "influence": [2.0] * rows, "coverage": [None] * rows}
    return pd.DataFrame(plain | columns)


def test_the_weakest_rating_of_the_person_decides_on_the_trust(posterior, table):
    rated = people(person=["a"], trust=[4.0], needs_met=[1.0], cooperation=[2.0])
    step = plan(posterior, one(table), role="approver", people=rated).step
    assert step.trust.why.id == "trust.weakest.needs_met"
    assert plan(posterior, one(table), role="approver").step.trust.why.id == "trust.stage.evaluation"


# --- which role, which readings ------------------------------------------------------------------------------------


def test_the_role_is_the_largest_lever_or_the_one_named(posterior, table):
    deal = one(table)
    assert plan(posterior, deal).role == rank_roles(posterior, deal)["role"].iloc[0]
    assert plan(posterior, deal, role="采购").role == "procurement"
    with pytest.raises(SettingsError, match="'boss' is not one of approver, decision_maker"):
        plan(posterior, deal, role="boss")


def test_of_several_readings_the_last_two_are_compared(posterior, table):
    deals = table(as_of=["2026-05-04", "2026-01-05", "2025-09-01"], deal_id=["D0", "D0", "D0"]).set_axis([7, 7, 7])
    visit = plan(posterior, deals)
    assert visit.deal["as_of"].item() == pd.Timestamp("2026-05-04")
    assert visit.before is not None
    assert visit.before["as_of"].item() == pd.Timestamp("2026-01-05")
    assert plan(posterior, table()).before is None


def test_a_table_before_is_read_up_to_the_present_day(posterior, table):
    then = table(as_of=["2026-01-05", "2026-03-05", "2026-08-01"], deal_id=["D0"] * 3)
    visit = plan(posterior, table(), before=then)
    assert visit.before is not None
    assert visit.before["as_of"].item() == pd.Timestamp("2026-03-05")
    with pytest.raises(DealTableError, match="later than 2026-05-04: are the two tables swapped"):
        plan(posterior, table(), before=then.tail(1))
    with pytest.raises(DealTableError, match=r"earlier table \(1 rows\) does not contain deal 'D0'"):
        plan(posterior, table(), before=table(deal_id=["other"]))


def test_the_difference_is_made_draw_by_draw(posterior, table):
    """Oracle: the two readings predicted on their own; their intervals' ends do not subtract to this."""
    then, now = table(evaluator_support=[1.0]), table(evaluator_support=[4.0])
    old, new = (draw_win_prob(posterior, frame)[0].astype(float) for frame in (then, now))
    mean, lower, upper = summarise(new - old)
    page = render_brief(posterior, now, "D0", before=then)
    assert f"{signed(mean)} ({signed(lower)} to {signed(upper)}) points" in page.replace("\\", "")


def test_an_unchanged_deal_has_not_changed(posterior, table):
    page = render_brief(posterior, table(), "D0", before=table())
    assert ", 0 (0 to 0) points: consistent with no change." in page
    assert "No previously unknown fact." in page


# --- numbers in words ----------------------------------------------------------------------------------------------


def test_a_chance_is_so_many_of_ten_or_of_a_hundred():
    assert frequency(0.62) == (6, 10)
    assert frequency(0.05) == (1, 10)
    assert frequency(0.03) == (3, 100)
    assert frequency(0.001) == (1, 100)
    assert frequency(0.999) == (99, 100)


def test_a_difference_has_its_sign_and_nothing_is_plain_zero():
    assert [signed(x) for x in (0.074, -0.031, 0.001, -0.001)] == ["+7", "-3", "0", "0"]


def test_deals_and_people_are_not_changed(posterior, table):
    deals, who = table(), pd.DataFrame({"deal_id": ["D0"], "person": ["a"], "role": ["approver"], "trust": [2]})
    copies = deals.copy(deep=True), who.copy(deep=True)
    render_brief(posterior, deals, "D0", people=who, before=deals)
    pd.testing.assert_frame_equal(deals, copies[0])
    pd.testing.assert_frame_equal(who, copies[1])
