"""What answers derive: stage, coach, support, coverage, completeness, next steps; flags where the record differs."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from winprob import derive_facts, find_flags
from winprob.actions.worksheets import derived_sentences
from winprob.errors import DealTableError
from winprob.i18n import use_language
from winprob.methodology import plays

DEAL: dict[str, Any] = {
    "deal_id": "D1",
    "as_of": "2026-09-30",
    "outcome": "open",
    "stage": "decision",
    "coach": "validated",
    "decision_method": "executive",
    "approver_support": 3.0,
    "approver_coverage": "engaged",
}
DEALS = pd.DataFrame([DEAL])
STAGE = ["signs.exploration.says.must_solve", "signs.exploration.does.collects_data"]
TESTS = [f"coach.validation.{play.id.removeprefix('validation.')}" for play in plays("coach", "validation")]
RUBRIC = [play.id for play in plays("support") if play.id != "influence"]


def answers(*given: tuple[str, Any] | tuple[str, Any, str, str] | tuple[str, Any, str, str, str]) -> pd.DataFrame:
    """Rows of (question, value, role, person, day), the last three optional."""
    rows = []
    for question, value, *rest in given:
        role, person, day = (*rest, *("", "", "2026-10-01")[len(rest) :])
        concept, _, item = question.partition(".")
        rows.append(("D1", role or None, person or None, concept, item, value, pd.Timestamp(day), None))
    names = ["deal_id", "role", "person", "concept", "item", "value", "day", "note"]
    table = pd.DataFrame(rows, columns=names).astype({"value": object, "day": "datetime64[us]"})
    return table.astype(dict.fromkeys(("role", "person"), "str"))


def fact(name: str, *given: Any, deal: dict[str, Any] | None = None) -> pd.Series:
    derived = derive_facts(answers(*given), pd.DataFrame([{**DEAL, **(deal or {})}]))
    (found,) = (row for _, row in derived.iterrows() if row["fact"] == name)
    return found


def rated(tier: int, person: str = "", influence: int | None = None, role: str = "approver") -> list[Any]:
    rows: list[Any] = [(f"support.{item}", tier, role, person) for item in RUBRIC]
    return rows + ([("support.influence", influence, role, person)] if influence else [])


# --- stage and coach -------------------------------------------------------------------------------------------------


def test_signs_of_two_kinds_derive_the_stage_and_say_which_were_seen() -> None:
    found = fact("stage", *((sign, True) for sign in STAGE))
    assert (found["derived"], found["stated"], found["agrees"]) == ("exploration", "decision", False)
    assert "it reaches other departments too" in found["reason"]


def test_a_sign_that_was_not_seen_and_an_old_one_do_not_count() -> None:
    assert fact("stage", (STAGE[0], True), (STAGE[1], False))["derived"] is None
    four_weeks = (STAGE[0], True, "", "", "2026-09-03"), (STAGE[1], True)
    assert fact("stage", *four_weeks)["derived"] == "exploration"
    older = (STAGE[0], True, "", "", "2026-09-02"), (STAGE[1], True)
    assert fact("stage", *older)["derived"] is None


def test_a_later_answer_replaces_an_earlier_one() -> None:
    before = [(sign, False, "", "", "2026-09-30") for sign in STAGE]
    assert fact("stage", *before, *((sign, True) for sign in STAGE))["derived"] == "exploration"
    after = [(sign, False, "", "", "2026-10-02") for sign in STAGE]
    assert fact("stage", *((sign, True) for sign in STAGE), *after)["derived"] is None


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ([(test, True) for test in TESTS], "validated"),
        ([(test, True) for test in TESTS[:4]], "unvalidated"),
        ([*((test, True) for test in TESTS[:4]), (TESTS[4], False)], "unvalidated"),
        ([("contacts.coach_exists", True)], "unvalidated"),
        ([("contacts.coach_exists", False)], "none"),
        ([(TESTS[0], True, "", "", "2026-09-01"), ("contacts.coach_exists", False)], "none"),
    ],
)
def test_the_coach_tests_derive_the_coach(given: list[Any], state: str) -> None:
    found = fact("coach", *given)
    assert found["derived"] == state
    assert found["agrees"] == (state == "validated")


def test_selection_and_building_are_counted_and_the_next_is_named() -> None:
    found = fact("coach.selection", ("coach.selection.access", True), ("coach.selection.gains", False))
    assert found["derived"] == "1/5"
    assert "Is trusted by the decision roles" in found["reason"]
    assert fact("losses.without", ("losses.low_ranks", False))["reason"] == "none at present"
    assert "lowest ranks" in fact("losses.without", ("losses.low_ranks", True))["reason"]


# --- people ----------------------------------------------------------------------------------------------------------


def test_the_rubric_derives_tier_influence_and_the_weakest_item() -> None:
    found = fact("support", *rated(4, influence=1)[1:], ("support.support_given", 1, "approver", ""))
    assert found["derived"] == "4"
    assert "Support given" in found["reason"]
    assert fact("influence", *rated(2, influence=4))["derived"] == "4"


def test_people_of_a_role_are_weighted_by_influence() -> None:
    # (4 * 1 + 2 * 4) / 5 = 2.4; without an influence it counts as 2: (4 * 2 + 1 * 2) / 4 = 2.5, a half is rounded up.
    assert fact("approver_support", *rated(4, "Li", 1), *rated(2, "Wu", 4))["derived"] == "2"
    assert fact("approver_support", *rated(4, "Li"), *rated(1, "Wu"))["derived"] == "3"


def test_too_few_ratings_are_unknown_and_agree_with_nothing() -> None:
    found = fact("approver_support", *rated(1)[:3])
    assert found["derived"] is None
    assert found["agrees"] is None


def test_a_role_of_which_not_all_people_were_rated_is_not_compared() -> None:
    two = {"approver_readings": "3*2 3*2"}
    assert fact("approver_support", *rated(1, "Li"), deal=two)["agrees"] is None
    assert fact("approver_support", *rated(1, "Li"), *rated(1, "Wu"), deal=two)["agrees"] is False


@pytest.mark.parametrize(
    ("given", "coverage", "agrees"),
    [
        ({"identified": False}, "unknown", False),
        ({"identified": True, "talks": 0, "in_depth": False}, "identified", False),
        ({"talks": 2, "in_depth": False}, "contacted", False),
        ({"talks": 2}, "contacted", None),
        ({"in_depth": True}, "engaged", True),
    ],
)
def test_contacts_derive_the_coverage(given: dict[str, Any], coverage: str, agrees: bool | None) -> None:
    found = fact("approver_coverage", *((f"contacts.{item}", value, "approver", "") for item, value in given.items()))
    assert (found["derived"], found["agrees"]) == (coverage, agrees)


def test_the_relationship_names_its_next_step() -> None:
    found = fact("relationship.step", ("relationship.step", 4, "evaluator", ""))
    assert found["derived"] == "4"
    assert found["reason"].startswith("Understand needs. Next: Propose what meets the need")
    assert fact("relationship.step", ("relationship.step", 5, "evaluator", ""))["reason"] == "Solve problems"


def test_the_next_step_follows_the_answers() -> None:
    opposed = fact("next_step", *rated(1, "Li"))
    assert opposed["derived"].startswith("Bring them from opposed to neutral")
    assert fact("next_step", *rated(4, "Li"))["derived"].startswith("Keep them")
    by_record = fact("next_step", ("trust.career", True, "approver", "Li"))
    assert by_record["derived"].startswith("Help them to act for us"), "supportive by the record"
    signs = [(sign, True) for sign in STAGE]
    assert fact("next_step", *signs, *rated(3))["reason"] != fact("next_step", *rated(3))["reason"]


# --- intelligence ----------------------------------------------------------------------------------------------------


def test_completeness_counts_answers_and_the_record() -> None:
    wanted = plays("intelligence", "fact")
    on_record = [play for play in wanted if play.columns and set(play.columns) <= DEAL.keys()]
    found = fact("completeness", ("intelligence.project.budget", True), ("intelligence.person.duty", False))
    assert found["derived"] == f"{(len(on_record) + 1) / len(wanted):.2f}"
    chain = fact("completeness.needs", ("intelligence.needs.worries", True))
    assert chain["derived"] == "0.25"
    assert "Missing: The business result each role wants" in chain["reason"]


# --- the table -------------------------------------------------------------------------------------------------------


def test_notes_alone_and_no_answers_derive_nothing() -> None:
    assert derive_facts(answers((STAGE[0], None)), DEALS).empty
    assert derive_facts(answers(), DEALS).columns.tolist() == [
        "deal_id", "role", "person", "fact", "derived", "stated", "agrees", "day", "reason",
    ]  # fmt: skip


def test_inputs_are_not_changed_and_another_deal_is_refused() -> None:
    given, deals = answers((STAGE[0], True)), DEALS.copy()
    before = given.copy()
    derive_facts(given, deals)
    pd.testing.assert_frame_equal(given, before)
    pd.testing.assert_frame_equal(deals, DEALS)
    with pytest.raises(DealTableError, match="D1"):
        derive_facts(given, DEALS.assign(deal_id="D9"))


def test_the_verdict_counts_what_differs() -> None:
    derived = derive_facts(answers(*((sign, True) for sign in STAGE)), DEALS)
    assert "differ from the record: 1." in derived_sentences(derived)[0]
    assert len(derived_sentences(derived)) == 2
    with use_language("zh"):
        assert "不一致：1 处" in derived_sentences(derived)[0]


# --- flags -----------------------------------------------------------------------------------------------------------

AGAINST = ["stage_against_signs", "coach_against_tests", "support_against_rubric", "coverage_against_contacts"]


def raised(given: pd.DataFrame, deals: pd.DataFrame = DEALS) -> list[str]:
    return [flag for flag in find_flags(deals, answers=given)["flag"] if flag in AGAINST]


def test_each_disagreement_is_a_flag_and_agreement_is_none() -> None:
    differ = answers(
        *((sign, True) for sign in STAGE),
        (TESTS[0], False),
        *rated(1, "Li"),
        ("contacts.identified", False, "approver", "Li"),
    )
    assert raised(differ) == AGAINST
    agree = answers(
        ("signs.decision.says.terms", True),
        ("signs.decision.asks.guarantees", True),
        *((test, True) for test in TESTS),
        *rated(3, "Li"),
        ("contacts.in_depth", True, "approver", "Li"),
    )
    assert raised(agree) == []
    assert raised(agree.iloc[:0]) == []


def test_a_flag_states_both_sides_their_day_and_what_to_do() -> None:
    given = answers(*((sign, True) for sign in STAGE), *rated(1, "Li"))
    found = find_flags(DEALS, answers=given).set_index("flag")
    assert found.loc["stage_against_signs", "facts"].startswith(
        "Signs of 2026-10-01: Exploration; record: Purchase decision."
    )
    assert "enter Exploration" in found.loc["stage_against_signs", "next_step"]
    assert found.loc["support_against_rubric", "facts"].startswith(
        "Worksheet of 2026-10-01: Approver: Opposed, record: "
    )
    with use_language("zh"):
        facts = find_flags(DEALS, answers=given).set_index("flag").loc["support_against_rubric", "facts"]
    assert facts == "按 2026-10-01 的工作表，决策审批者：反对，记录：支持。"


def test_answers_older_than_the_record_by_more_than_it_may_be_are_no_flag() -> None:
    signs = [(sign, True, "", "", "2026-08-31") for sign in STAGE]
    assert raised(answers(*signs)) == ["stage_against_signs"]
    old = [(sign, True, "", "", "2026-08-30") for sign in STAGE]
    assert raised(answers(*old)) == []


def test_answers_about_other_deals_raise_no_flag_here_and_no_answers_change_nothing() -> None:
    given = answers(*((sign, True) for sign in STAGE)).assign(deal_id="D9")
    assert raised(given) == []
    pd.testing.assert_frame_equal(find_flags(DEALS, answers=given), find_flags(DEALS))


def test_the_deal_table_needs_no_day_and_no_facts() -> None:
    bare = pd.DataFrame({"deal_id": ["D1"], "stage": ["decision"]})
    assert raised(answers(*((sign, True) for sign in STAGE), *rated(1)), bare) == ["stage_against_signs"]
