"""Contacts of a deal: who is met, who can introduce us, who is the coach, whom to ask."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winprob.actions.contacts import (
    Contact,
    coach_candidate,
    coaches,
    contacts_of,
    door_opener,
    hearsay,
    holders,
    informants,
    introducer,
    weakest_item,
    whom_to_ask,
)
from winprob.data.tables import read_people_table
from winprob.errors import DealTableError


def people(**columns):
    rows = len(next(iter(columns.values())))
    plain = {"deal_id": ["D0"] * rows, "as_of": [pd.NaT] * rows, "role": ["approver"] * rows}
    plain |= {"tier": [np.nan] * rows, "influence": [2.0] * rows, "coverage": [None] * rows}
    return pd.DataFrame(plain | columns)


def deal(**facts):
    return pd.Series({"deal_id": "D0", **facts})


def contact(person="", role="evaluator", tier=None, coverage="contacted", **notes):
    return Contact(person=person, role=role, tier=tier, coverage=coverage, **notes)


# --- who they are --------------------------------------------------------------------------------------------------


def test_the_most_influential_comes_first_and_of_two_alike_the_less_friendly():
    table = people(person=["a", "b", "c"], influence=[2.0, 4.0, 4.0], tier=[1.0, 3.0, 2.0])
    found = contacts_of(deal(), table)
    assert [one.person for one in holders(found, "approver")] == ["c", "b", "a"]
    assert holders(found, "evaluator") == ()


def test_only_the_people_of_this_deal_and_day_count():
    days = pd.to_datetime(["2026-01-01", "2026-02-01", None])
    table = people(person=["then", "now", "always"], as_of=days)
    assert {one.person for one in contacts_of(deal(as_of=pd.Timestamp("2026-02-01")), table)} == {"now", "always"}
    assert contacts_of(pd.Series({"deal_id": "D1"}), table) == ()


def test_without_a_people_table_each_known_role_is_a_contact_without_a_name():
    facts = {"approver_coverage": "identified", "evaluator_support": 3.0, "influencer_coverage": "unknown"}
    found = contacts_of(deal(**facts), None)
    assert [(one.role, one.person, one.tier, one.met) for one in found] == [
        ("approver", "", None, False),
        ("evaluator", "", 3, True),
    ]
    assert found[1].text() == "the Decision-support evaluator (Supportive)"


def test_the_weakest_item_is_the_lowest_rated_and_blanks_are_not_rated():
    assert weakest_item({"trust": 3.0, "needs_met": 2.0, "actions_taken": 2.0, "cooperation": np.nan}) == "needs_met"
    assert weakest_item({"trust": 4.0, "needs_met": np.nan}) is None
    assert weakest_item({}) is None


def test_the_notes_of_a_people_table_are_read_with_their_chinese_headers():
    table = read_people_table(
        pd.DataFrame(
            {
                "商机编号": ["D0", "D0"],
                "姓名": ["Li", "Wu"],
                "角色": ["决策者", "决策影响者"],
                "我方联系人": ["S01", None],
                "最近接触": ["2026-09-01", None],
                "汇报对象": [None, "Li"],
                "教练": [None, "已验证"],
                "竞争对手": ["C1", None],
            }
        )
    )
    li, wu = contacts_of(deal(), table)
    assert (li.known_by, li.last_contact, li.competitor) == ("S01", pd.Timestamp("2026-09-01"), "C1")
    assert (wu.reports_to, wu.coach, wu.known_by, wu.last_contact) == ("Li", "validated", None, None)


def test_a_note_that_cannot_be_read_is_an_error_with_its_place():
    table = pd.DataFrame({"deal_id": ["D0"], "person": ["Li"], "role": ["approver"]})
    with pytest.raises(DealTableError, match=r"'last_contact' is not a date in 1 rows.*'soon'"):
        read_people_table(table.assign(last_contact="soon"))
    with pytest.raises(DealTableError, match="'coach' is not none, unvalidated, validated in 1 rows"):
        read_people_table(table.assign(coach="maybe"))


# --- introductions -------------------------------------------------------------------------------------------------


def test_an_introducer_supports_us_is_met_and_near_the_one_to_meet():
    far = contact("far", "procurement", 4)
    near, neutral = contact("near", "decision_maker", 3), contact("neutral", "decision_maker", 2)
    unmet = contact("unmet", "decision_maker", 4, "identified")
    assert introducer([far, neutral, unmet], "approver") is None
    assert introducer([far, neutral, unmet, near], "approver") == near


def test_influence_over_the_target_and_a_relation_on_record_count_as_near():
    target = contact("target", "approver", None, "identified", influence=2, reports_to="chair")
    strong = contact("strong", "procurement", 3, influence=4)
    assert introducer([contact("weak", "procurement", 3, influence=2)], "approver", target) is None
    assert introducer([strong], "approver", target) == strong
    related = contact("related", "influencer", 3, influence=1, reports_to="target")
    assert introducer([strong, related], "approver", target) == related
    peer = contact("peer", "influencer", 3, influence=1, reports_to="chair")
    assert introducer([peer], "approver", target) == peer


def test_no_one_introduces_themselves_and_an_opponent_opens_no_door():
    both = [contact("li", "decision_maker", 4), contact("li", "approver", 4, "identified")]
    assert introducer(both, "approver", both[1]) is None
    assert door_opener([contact("no", "evaluator", 1)], "approver") is None
    assert door_opener([contact("perhaps", "procurement", 2)], "approver") == contact("perhaps", "procurement", 2)


# --- coach and whom to ask -----------------------------------------------------------------------------------------


def test_the_coach_is_the_one_marked_and_a_candidate_supports_us():
    marked = [contact("a", coach="unvalidated"), contact("b", "influencer", coach="validated"), contact("c")]
    assert [one.person for one in coaches(marked)] == ["b", "a"]
    assert coach_candidate([contact("x", "approver", 4), contact("y", "influencer", 2)]) is None
    assert coach_candidate([contact("y", "influencer", 3), contact("z", "evaluator", 4)]) == contact("z", tier=4)
    assert coach_candidate([contact("y", "influencer", 3), contact("z", "decision_maker", 4)]).person == "y"


def test_support_of_someone_not_met_is_hearsay():
    assert hearsay([contact("met", tier=3), contact("said", tier=3, coverage="identified")]) == (
        contact("said", tier=3, coverage="identified"),
    )


def test_a_fact_is_asked_of_two_people_in_different_roles_never_of_the_role_itself():
    known = [contact("e1", "evaluator", 3), contact("e2", "evaluator", 3), contact("p", "procurement", 2)]
    assert [one.person for one in informants(known, "approver_support", None)] == ["e1", "p"]
    assert [one.person for one in informants(known, "evaluator_support", None)] == ["p"]
    assert [one.person for one in informants(known, "decision_method", None)] == ["e1", "p"]


def test_a_validated_coach_is_asked_first_but_never_about_the_coach():
    known = [contact("i", "influencer", 3, coach="validated"), contact("d", "decision_maker", 3)]
    assert [one.person for one in informants(known, "approver_support", "validated")] == ["i", "d"]
    assert [one.person for one in informants(known, "approver_support", "unvalidated")] == ["d", "i"]
    assert [one.person for one in informants(known, "coach", "validated")] == ["d"]
    assert "the coach (no name on record); confirm with d" in whom_to_ask([known[1]], "approver_support", "validated")


def test_without_any_contact_the_outside_channels_are_named_by_the_fact():
    method, support = (whom_to_ask([], fact, "none") for fact in ("decision_method", "approver_support"))
    assert "People who left the customer" in method
    assert "People who left a competitor" in support
    assert "coach" not in method.lower()
