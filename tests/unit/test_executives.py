"""Executives are read strictly: what is wrong is told at once, with the name that was most likely meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from winprob.actions.visits.executives import DEFAULT_ROLES, Visit, read_executives, roster_from
from winprob.errors import PlanError

ROOT = Path(__file__).parents[2]


def roster(**entry):
    return roster_from({"executives": [{"name": "A", "slots": 2, **entry}]})


def test_what_is_not_named_is_no_limit():
    (one,) = roster().executives
    assert one.roles == one.meets == DEFAULT_ROLES
    assert one.regions == one.accounts == one.segments == one.fixed == ()


def test_everything_can_be_said(tmp_path):
    path = tmp_path / "e.toml"
    path.write_text(
        """
        one_executive_per_account = true
        [[executives]]
        name = "Li"
        slots = 3
        level = 2
        roles = ["决策者", "evaluator", "approver"]
        regions = ["north"]
        accounts = ["A1", "A2"]
        segments = ["finance"]
        fixed = [{ deal_id = "D1", role = "决策者" }]
        exclude = { deals = ["D2"], accounts = ["A3"] }
        [[executives]]
        name = "Wang"
        slots = 0
        """,
        encoding="utf-8",
    )
    got = read_executives(path)
    li, wang = got.executives
    assert got.one_executive_per_account
    assert li.roles == ("approver", "decision_maker", "evaluator")
    assert li.meets == ("decision_maker", "evaluator")
    assert li.fixed == (Visit(deal_id="D1", role="decision_maker"),)
    assert (li.excluded_deals, li.excluded_accounts) == (("D2",), ("A3",))
    assert wang.slots == 0


def test_the_status_gap_keeps_the_lower_levels_out():
    assert roster(level=1, roles=["approver", "influencer"]).executives[0].meets == ("influencer",)
    assert roster(level=3).executives[0].meets == DEFAULT_ROLES


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"slots": -1}, "'slots' is -1, wanted a whole number, 0 to 1000"),
        ({"slots": 2.5}, "'slots' is 2.5, wanted a whole number"),
        ({"slots": True}, "'slots' is True, wanted a whole number"),
        ({"slotz": 2}, "'slotz' is not known; did you mean 'slots'"),
        ({"roles": ["approvr"]}, "'roles.1' is 'approvr'; did you mean 'approver'"),
        ({"roles": []}, "'roles' is .*leave it out for no limit"),
        ({"regions": "north"}, "'regions' is 'north', wanted a list of texts"),
        ({"level": 4}, "'level' is 4; accepted: 1, 2, 3"),
        ({"fixed": ["D1"]}, "'fixed' is .*wanted a list of tables with deal_id and role"),
        ({"fixed": [{"deal": "D1", "role": "approver"}]}, "'fixed.1.deal' is not known; did you mean 'deal_id'"),
        ({"fixed": [{"deal_id": "D1", "role": "boss"}]}, "'fixed.1.role' is 'boss'; accepted: approver, "),
        ({"exclude": ["D1"]}, "'exclude' is .*wanted a table with deals and accounts"),
        ({"exclude": {"deal": ["D1"]}}, "'exclude.deal' is not known; did you mean 'deals'"),
        ({"name": " "}, "'name' is ' ', wanted a name or a code"),
    ],
)
def test_an_offence_is_named_with_its_place(entry, words):
    with pytest.raises(PlanError, match=words):
        roster(**entry)


def test_all_offences_are_told_at_once():
    table = {
        "one_executive_per_acount": True,
        "executives": [{"name": "A", "slots": -3}, {"name": "A", "slots": 1, "rolls": []}, {"slots": 1}],
    }
    with pytest.raises(PlanError) as told:
        roster_from(table)
    for part in (
        "5 faults to fix",
        "'one_executive_per_acount' is not known; did you mean 'one_executive_per_account'?",
        "[[executives]] 'A' 'slots' is -3",
        "[[executives]] 'A' 'rolls' is not known; did you mean 'roles'?",
        "executive 'A' is listed 2 times",
        "[[executives]] 3 'name' is missing",
    ):
        assert part in str(told.value)


@pytest.mark.parametrize("table", [{}, {"executives": []}, {"executives": {"name": "A"}}, {"executives": ["A"]}])
def test_a_file_without_executives_says_what_is_wanted(table):
    with pytest.raises(PlanError, match=r"wanted one table \[\[executives\]\] for each"):
        roster_from(table)


def test_a_file_that_is_none_is_said(tmp_path):
    with pytest.raises(PlanError, match="cannot be read"):
        read_executives(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[[executives")
    with pytest.raises(PlanError, match="is not TOML"):
        read_executives(tmp_path / "bad.toml")


def test_the_sample_is_read():
    assert len(read_executives(ROOT / "data/executives.toml").executives) == 4
