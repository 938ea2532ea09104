"""A what-if is the prediction of the changed record, and impossible changes are reported all at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winprob import draw_win_prob, predict, what_if
from winprob.actions.levers import what_if_sentences
from winprob.errors import DealTableError

COLUMNS = ["scenario", "mean", "lower", "upper", "win_prob_lift", "lift_lower", "lift_upper"]


def test_it_is_the_prediction_of_the_changed_record(posterior, table):
    """Oracle: predict, and the draws' difference, on a table edited by hand."""
    frame = table(approver_support=[2.0, 3.0], coach=["none", "validated"])
    got = what_if(posterior, frame, "D0", {"approver_support": 3, "coach": "validated"})
    chances = predict(posterior, frame)
    assert got.columns.tolist() == COLUMNS
    assert got["scenario"].tolist() == ["present", "approver_support=3", "coach=validated", "together"]
    for name in ("mean", "lower", "upper"):
        np.testing.assert_allclose(got[name].iloc[[0, -1]], chances[name], rtol=1e-4)
    draws = draw_win_prob(posterior, frame)
    lower, upper = np.quantile(draws[1] - draws[0], [0.05, 0.95])
    last = got.iloc[-1]
    assert last["win_prob_lift"] == pytest.approx((draws[1] - draws[0]).mean(), rel=1e-3)
    assert (last["lift_lower"], last["lift_upper"]) == pytest.approx((lower, upper), rel=1e-3)


def test_the_present_differs_from_itself_by_nothing(posterior, team):
    got = what_if(posterior, team.open, team.open["deal_id"].iloc[0], {"stage": "decision"})
    assert got["scenario"].tolist() == ["present", "together"]
    assert got.loc[0, ["win_prob_lift", "lift_lower", "lift_upper"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "changes",
    [
        {"approver_support": 3},
        {"approver_support": "3"},
        {"approver_support": "支持"},
        {"决策审批者支持度": "supportive"},
        {"Approver's support": 3.0},
    ],
)
def test_values_are_accepted_as_tables_have_them(posterior, table, changes):
    frame = table(approver_support=[1.0])
    got = what_if(posterior, frame, "D0", changes)
    wanted = what_if(posterior, frame, "D0", {"approver_support": 3.0})
    pd.testing.assert_frame_equal(got, wanted)


@pytest.mark.parametrize("blank", [None, "", "unknown", "未知", float("nan")])
def test_unknown_is_a_value(posterior, table, blank):
    got = what_if(posterior, table(), "D0", {"approver_support": blank, "coach": blank})
    wanted = predict(posterior, table(approver_support=[None], coach=[None]))
    assert got["mean"].iloc[-1] == pytest.approx(wanted["mean"].item(), rel=1e-4)


def test_no_coach_and_unknown_coverage_are_values_not_blanks(posterior, table):
    got = what_if(posterior, table(), "D0", {"coach": "none", "approver_coverage": "unknown"})
    assert got["scenario"].tolist()[1:3] == ["coach=none", "approver_coverage=unknown"]


def test_support_replaces_the_readings_of_people(posterior, table):
    got = what_if(posterior, table(approver_readings=["1*2 1*4"]), "D0", {"approver_support": 4})
    wanted = predict(posterior, table(approver_support=[4.0]))
    assert got["mean"].iloc[-1] == pytest.approx(wanted["mean"].item(), rel=1e-4)


def test_numbers_days_and_names_are_read(posterior, table):
    changes = {"amount": "1,200万", "as_of": "2026/06/30", "seller": "S05", "expected_close_on": None}
    got = what_if(posterior, table(), "D0", changes)
    wanted = predict(posterior, table(amount=[1.2e7], as_of=["2026-06-30"], seller=["S05"]))
    assert got["mean"].iloc[-1] == pytest.approx(wanted["mean"].item(), rel=1e-4)


def test_a_column_that_the_table_lacks_can_be_set(posterior):
    frame = pd.DataFrame({"deal_id": ["D0"]})
    got = what_if(posterior, frame, "D0", {"stage": "decision", "amount": 3e6, "as_of": "2026-06-30"})
    assert len(got) == 5


def test_changes_interact(posterior, table):
    """A validated coach makes a report of support count for more: together is not the sum."""
    got = what_if(posterior, table(approver_support=[1.0]), "D0", {"approver_support": 4, "coach": "validated"})
    assert abs(got["win_prob_lift"].iloc[-1] - got["win_prob_lift"].iloc[1:-1].sum()) > 1e-3
    words = " ".join(what_if_sentences(got, {"approver_support": 4, "coach": "validated"}, posterior))
    assert "add up to" in words
    assert "effect" not in words


def test_unused_columns_are_reported(posterior, table):
    changes = {"rep_probability": "62%", "outcome": "won"}
    got = what_if(posterior, table(), "D0", changes)
    assert (got["win_prob_lift"].abs() < 1e-12).all()
    assert "does not use outcome, rep_probability" in " ".join(what_if_sentences(got, changes, posterior))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"approver_support": 5}, r"approver_support cannot be '5'; accepted: 1, 2, 3, 4, unknown"),
        ({"coach": "great"}, r"coach cannot be 'great'; accepted: none, unvalidated, validated, unknown"),
        ({"stages": "decision"}, r"no column 'stages' to set; accepted: stage"),
        ({"deal_id": "D9"}, r"no column 'deal_id' to set"),
        ({"amount": -1}, r"amount cannot be '-1'; accepted: a number from 0 on"),
        ({"amount": "much"}, r"amount cannot be 'much'"),
        ({"rep_probability": 1.5}, r"a number from 0 to 1"),
        ({"as_of": "yesterday"}, r"as_of cannot be 'yesterday'; accepted: a day such as 2026-11-24"),
        ({"currency": "yuan"}, r"ISO 4217"),
        ({}, r"nothing is set"),
        ({"approver_support": 3, "审批者支持度": 4}, r"approver_support is set twice"),
    ],
)
def test_an_impossible_change_says_what_is_accepted(posterior, table, changes, words):
    with pytest.raises(DealTableError, match=words):
        what_if(posterior, table(), "D0", changes)


def test_all_faults_are_reported_at_once(posterior, table):
    with pytest.raises(DealTableError) as raised:
        what_if(posterior, table(), "D0", {"approver_support": 9, "couch": "x", "stage": "late"})
    assert all(word in str(raised.value) for word in ("approver_support", "couch", "stage"))


def test_a_deal_that_is_not_there_is_named(posterior, table):
    with pytest.raises(DealTableError, match="'nope' is not in the table"):
        what_if(posterior, table(), "nope", {"coach": "none"})


def test_the_input_is_not_changed(posterior, table):
    frame = table()
    before = frame.copy(deep=True)
    what_if(posterior, frame, "D0", {"approver_support": 1, "coach": None})
    pd.testing.assert_frame_equal(frame, before)
