"""Red flags: each rule on a deal that has it and on one that has not, unknown facts, several people, both languages."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from winprob import find_flags, read_deals
from winprob.actions.flags import flag_sentences, flag_title, flags_of, with_flags
from winprob.actions.flags.finding import RULES
from winprob.actions.flags.record import describe_record
from winprob.actions.levers.loss_patterns import BY_APPROVER, BY_METHOD, effort, loss_patterns, tier_of
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.i18n import use_language
from winprob.methodology import ROLES, plays
from winprob.methodology.loading import load
from winprob.methodology.situation import find
from winprob.settings import FlagSettings, settings_from
from winprob.simulation import Simulation

DAY = dt.date(2026, 9, 30)
COVERAGES = {f"{role}_coverage": "engaged" for role in ROLES}
#: A deal without any flag: all roles met and supportive, a validated coach, dates that fit.
SOUND: dict[str, Any] = {
    "deal_id": "D1",
    "as_of": "2026-09-30",
    "opened_on": "2026-02-01",
    "expected_close_on": "2027-01-15",
    "closed_on": None,
    "outcome": "open",
    "rep_category": "best_case",
    "rep_probability": 0.6,
    "stage": "evaluation",
    "decision_method": "scoring",
    "coach": "validated",
    **{f"{role}_support": 3.0 for role in ROLES},
    **{f"{role}_readings": None for role in ROLES},
    **COVERAGES,
    "pushes": 0,
}
NOT_MET = {f"{role}_coverage": "identified" for role in ROLES}
UNREPORTED = dict.fromkeys(f"{role}_support" for role in ROLES)
#: Each flag, facts that have it, and facts next to them that have not.
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("open_with_closing_day", {"closed_on": "2026-09-01"}, {"closed_on": "2026-09-01", "outcome": "won"}),
    ("open_with_closing_day", {"closed_on": "2026-09-01", "outcome": None}, {"outcome": None}),
    ("closed_category_open", {"rep_category": "closed"}, {"rep_category": "commit", "rep_probability": 0.9}),
    (
        "early_stage_closes_soon",
        {"stage": "exploration", "expected_close_on": "2026-10-30"},
        {"stage": "exploration", "expected_close_on": "2026-10-31"},
    ),
    (
        "early_stage_closes_soon",
        {"stage": "difficulty", "expected_close_on": "2026-09-30"},
        {"stage": "difficulty", "expected_close_on": "2026-09-29"},
    ),
    (
        "decision_stage_closes_far",
        {"stage": "decision", "expected_close_on": "2027-10-01"},
        {"stage": "decision", "expected_close_on": "2027-09-30"},
    ),
    (
        "decision_stage_no_role",
        {"stage": "decision", **UNREPORTED, **dict.fromkeys(COVERAGES, "unknown")},
        {"stage": "decision", **UNREPORTED, **dict.fromkeys(COVERAGES, "unknown"), "approver_coverage": "identified"},
    ),
    (
        "support_of_unknown_person",
        {"approver_coverage": "unknown"},
        {"approver_coverage": "unknown", "approver_support": None},
    ),
    ("support_of_unknown_person", {"procurement_coverage": "unknown"}, {"procurement_coverage": None}),
    ("coach_validated_unchecked", UNREPORTED, {**UNREPORTED, "evaluator_support": 2.0}),
    ("coach_validated_unchecked", NOT_MET, {**NOT_MET, "coach": None}),
    (
        "category_against_probability",
        {"rep_category": "pipeline", "rep_probability": 0.8},
        {"rep_category": "pipeline", "rep_probability": 0.79},
    ),
    (
        "category_against_probability",
        {"rep_category": "commit", "rep_probability": 0.4},
        {"rep_category": "commit", "rep_probability": None},
    ),
    ("dates_out_of_order", {"opened_on": "2027-02-01"}, {"opened_on": "2026-09-30"}),
    ("dates_out_of_order", {"opened_on": "2026-10-01"}, {"opened_on": None}),
    ("stage_against_signs", {"answers.stage": "difficulty"}, {"answers.stage": SOUND["stage"]}),
    ("coach_against_tests", {"answers.coach": "none"}, {"answers.coach": SOUND["coach"]}),
    (
        "support_against_rubric",
        {"answers.approver_support": "1"},
        {"approver_support": None, "answers.approver_support": "1"},
    ),
    (
        "coverage_against_contacts",
        {"answers.evaluator_coverage": "unknown"},
        {"answers.evaluator_coverage": SOUND["evaluator_coverage"]},
    ),
    (
        "commit_without_problem",
        {"stage": "difficulty", "rep_category": "commit"},
        {"stage": "approval", "rep_category": "commit"},
    ),
    (
        "commit_without_problem",
        {"stage": "exploration", "rep_probability": 0.8},
        {"stage": "exploration", "rep_probability": 0.79},
    ),
    ("commit_without_problem", {"stage": "difficulty", "rep_category": "commit"}, {"rep_category": "commit"}),
    ("approver_opposed", {"approver_support": 1.0}, {"approver_support": 2.0}),
    ("approver_opposed", {"approver_readings": "1*1 4*4"}, {"approver_readings": "2*1 4*4"}),
    ("decider_opposed", {"evaluator_support": 1.0}, {"evaluator_support": 1.0, "decision_method": "executive"}),
    ("decider_opposed", {"decision_maker_readings": "3*2 1*2"}, {"decision_maker_readings": "3*2 2*2"}),
    ("decider_opposed", {"decision_maker_support": 1.0, "decision_method": None}, {"approver_support": 1.0}),
    (
        "loss_by_approver",
        {"rep_category": "commit", "approver_coverage": "identified"},
        {"rep_category": "commit", "approver_coverage": "contacted"},
    ),
    (
        "loss_by_approver",
        {"rep_category": "commit", "approver_coverage": None, "approver_support": None},
        {"rep_category": "commit", "approver_coverage": None},
    ),
    (
        "loss_by_method",
        {"decision_method": "executive", "approver_support": None, "approver_coverage": "identified"},
        {"decision_method": None, "approver_support": None, "approver_coverage": "identified"},
    ),
    (
        "closes_soon_unmet",
        {"expected_close_on": "2026-10-14", "evaluator_coverage": "identified"},
        {"expected_close_on": "2026-10-15", "evaluator_coverage": "identified"},
    ),
    (
        "closes_soon_unmet",
        {"expected_close_on": "2026-10-01", **NOT_MET},
        {"expected_close_on": "2026-10-01", "procurement_coverage": "identified"},
    ),
    (
        "approver_uncovered",
        {"approver_coverage": "identified"},
        {"approver_coverage": "identified", "stage": "approval"},
    ),
    ("approver_uncovered", {"approver_coverage": None, "approver_support": None}, {"approver_coverage": None}),
    ("decision_method_unknown", {"decision_method": None}, {"decision_method": None, "stage": "approval"}),
    ("coach_missing", {"coach": "none"}, {"coach": None}),
    ("coach_missing", {"coach": "none", "stage": "decision"}, {"coach": "none", "stage": None}),
    ("coach_not_validated", {"coach": "unvalidated"}, {"coach": "unvalidated", "stage": "exploration"}),
    ("overdue", {"expected_close_on": "2026-09-29"}, {"expected_close_on": "2026-09-30"}),
    ("pushed", {"pushes": 3}, {"pushes": 2}),
    ("effort_on_easy", {**NOT_MET, "approver_coverage": "engaged"}, NOT_MET),
    (
        "effort_on_easy",
        {"approver_coverage": "identified", "decision_maker_coverage": "unknown", "decision_maker_support": None},
        {"approver_coverage": "identified"},
    ),
    ("stale", {"as_of": "2026-08-30"}, {"as_of": "2026-08-31"}),
]
IDS = [f"{flag}-{at}" for at, (flag, _, _) in enumerate(CASES)]


def record(**facts: Any) -> pd.DataFrame:
    return pd.DataFrame([{**SOUND, **facts}])


def flags(deals: pd.DataFrame, **options: Any) -> list[str]:
    return find_flags(deals, **{"as_of": DAY, **options})["flag"].tolist()


# --- each flag -----------------------------------------------------------------------------------------------------


def test_a_sound_deal_has_no_flag() -> None:
    assert flags(record()) == []


@pytest.mark.parametrize(("flag", "has", "has_not"), CASES, ids=IDS)
def test_a_flag_is_on_the_deal_that_has_it_and_not_on_its_neighbour(
    flag: str, has: dict[str, Any], has_not: dict[str, Any]
) -> None:
    assert flag in flags(record(**has))
    assert flag not in flags(record(**has_not))


def test_every_flag_of_the_file_has_a_rule_and_a_case() -> None:
    ids = [play.id for play in plays("flags")]
    assert sorted(ids) == sorted(RULES) == sorted({flag for flag, _, _ in CASES})


@pytest.mark.parametrize(("flag", "has", "has_not"), CASES, ids=IDS)
def test_facts_and_next_step_are_complete_in_both_languages(
    flag: str, has: dict[str, Any], has_not: dict[str, Any]
) -> None:
    del has_not
    for lang, end in (("en", "."), ("zh", "。")):
        with use_language(lang):
            row = find_flags(record(**has), as_of=DAY).set_index("flag").loc[flag]
        for text in (row["facts"], row["next_step"]):
            assert text.endswith(end)
            assert not set("{}") & set(text)
            assert not re.search(r"\bnan\b|NaT|None", text)
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in row["facts"])
        assert chinese == (lang == "zh")


def test_every_flag_names_a_source_of_the_method_and_a_next_step() -> None:
    known = load().plays
    for play in plays("flags"):
        assert play.how is not None
        assert play.points_to
        assert all(find(pointer, known) is not None for pointer in play.points_to), play.id


# --- unknown is neither neutral nor a bad value --------------------------------------------------------------------


def test_a_deal_of_which_only_the_id_is_known_has_no_flag() -> None:
    assert flags(pd.DataFrame({"deal_id": ["D1"]})) == []


def test_a_blank_is_flagged_only_where_the_flag_is_about_not_knowing() -> None:
    about_unknown = {"closes_soon_unmet", "approver_uncovered", "decision_method_unknown", "loss_by_approver"}
    blanks = [name for name in SOUND if name not in ("deal_id", "as_of", "pushes")]
    for name in blanks:
        found = set(flags(record(**{name: None})))
        assert found <= about_unknown, (name, found)


def test_a_column_that_the_table_lacks_is_not_a_blank_on_every_deal() -> None:
    bare = record(expected_close_on="2026-10-02", rep_category="commit").drop(
        columns=[*COVERAGES, "decision_method", "coach", *(f"{role}_support" for role in ROLES)]
    )
    assert flags(bare) == []
    (note,) = flag_sentences(bare, find_flags(bare))[1:]
    assert note == "Flags that need these columns were not checked: Decision method, Coach, Approver's coverage."


def test_without_a_day_rules_about_days_do_not_apply() -> None:
    undated = record(expected_close_on="2026-01-01", opened_on=None).drop(columns="as_of")
    assert find_flags(undated)["flag"].tolist() == []
    assert flags(undated) == ["overdue"]


# --- several people of one role ------------------------------------------------------------------------------------


def test_one_decision_maker_of_two_who_is_opposed_is_not_hidden_by_their_mean() -> None:
    deal = record(decision_maker_readings="3*2 1*2", decision_maker_support=2.0)
    (row,) = find_flags(deal, as_of=DAY).itertuples()
    assert row.flag == "decider_opposed"
    assert row.facts == (
        "Opposed: Decision maker (1 of 2 people, together read as: Neutral). Decision method: Judges score."
    )
    with use_language("zh"):
        (row,) = find_flags(deal, as_of=DAY).itertuples()
    assert row.facts == "反对者：决策者（2 人中 1 人反对，合计为：中立）。决策方式：评委打分制。"


def test_an_introduction_is_asked_of_the_most_senior_supporter() -> None:
    deal = record(
        approver_coverage="identified",
        decision_maker_support=1.0,
        influencer_support=4.0,
        decision_method="executive",
    )
    steps = find_flags(deal, as_of=DAY).set_index("flag")["next_step"]
    assert "Ask the Decision-support evaluator for the introduction" in steps["approver_uncovered"]
    assert "Ask the Decision-support evaluator for the reason" in steps["decider_opposed"], "not over their head"
    alone = record(**{**NOT_MET, "coach": "none"})
    assert "an inside source" in find_flags(alone, as_of=DAY).set_index("flag")["next_step"]["approver_uncovered"]


# --- the table -----------------------------------------------------------------------------------------------------


def test_contradictions_come_first_then_serious_flags_then_warnings_in_the_order_of_the_deals() -> None:
    bad = {"closed_on": "2026-09-01", "approver_support": 1.0, "coach": "none"}
    deals = pd.concat([record(deal_id=name, **bad) for name in ("D2", "D1")], ignore_index=True)
    found = find_flags(deals, as_of=DAY)
    assert list(found) == ["deal_id", "flag", "facts", "next_step"]
    assert list(zip(found["flag"], found["deal_id"], strict=True)) == [
        (flag, name) for flag in ("open_with_closing_day", "approver_opposed", "coach_missing") for name in ("D2", "D1")
    ]


def test_the_day_is_the_newest_reading_of_the_table() -> None:
    deals = pd.concat([record(as_of="2026-08-01"), record(deal_id="D2")], ignore_index=True)
    found = find_flags(deals)
    assert found.to_dict("records")[0]["facts"] == "Last reading: 2026-08-01, 60 days before 2026-09-30."
    assert len(found) == 1


def test_of_several_readings_the_last_counts_and_closed_deals_are_left_out() -> None:
    deals = pd.concat(
        [record(as_of="2026-09-01", coach="none"), record(), record(deal_id="D2", coach="none", outcome="lost")],
        ignore_index=True,
    )
    assert flags(deals) == []
    assert flags(deals, deal_id="D2") == ["coach_missing"]
    with pytest.raises(DealTableError, match="'D9' is not in the table"):
        find_flags(deals, deal_id="D9")


def test_inputs_are_not_changed() -> None:
    deals = record(coach="none")
    before = deals.copy(deep=True)
    find_flags(deals)
    pd.testing.assert_frame_equal(deals, before)


def test_thresholds_are_settings() -> None:
    deal = record(as_of="2026-09-20", pushes=2, expected_close_on="2027-02-01", rep_probability=0.5, stage="difficulty")
    tight = settings_from({"flags": {"stale_days": 9, "pushes": 2, "near_days": 200, "commit_probability": 0.5}}).flags
    assert flags(deal) == []
    assert flags(deal, settings=tight) == ["early_stage_closes_soon", "commit_without_problem", "pushed", "stale"]


def test_the_verdict_counts_deals_and_names_the_most_frequent_flags() -> None:
    deals = pd.concat(
        [record(deal_id=f"D{at}", coach="none") for at in range(3)] + [record(deal_id="D9", closed_on="2026-09-01")],
        ignore_index=True,
    )
    (verdict,) = flag_sentences(deals, find_flags(deals))
    assert verdict == (
        "4 of 4 open deals have a red flag; most often: Late stage, no coach (3); Open, with a day of closing "
        "(1). The records of 1 deals contradict themselves: correct these first."
    )
    (none,) = flag_sentences(record(), find_flags(record()))
    assert none == "None of the 1 open deals has a red flag."


def test_flags_are_joined_for_a_table_of_predictions() -> None:
    deals = pd.concat([record(coach="none", decision_method=None), record(deal_id="D2")], ignore_index=True)
    chances = pd.DataFrame({"deal_id": ["D1", "D2"], "mean": [0.4, 0.5]}, index=[7, 8])
    joined = with_flags(chances, deals, FlagSettings())
    assert joined["flags"].to_dict() == {7: "decision_method_unknown, coach_missing", 8: ""}
    assert list(joined) == ["deal_id", "mean", "flags"]


# --- the classic losses as the post-mortem finds them --------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(team: Simulation, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder: Path = tmp_path_factory.mktemp("flags")
    pd.concat([team.closed, team.open]).to_csv(folder / "deals.csv", index=False)
    team.people.to_csv(folder / "people.csv", index=False)
    return validate_deals(read_deals(folder / "deals.csv", people=folder / "people.csv"))


def test_effort_and_tiers_are_those_of_the_post_mortem(simulated: pd.DataFrame) -> None:
    described = describe_record(simulated, DAY, FlagSettings())
    rows = [facts for _, facts in simulated.iterrows()]
    expected = np.array([[effort(facts, role) for role in ROLES] for facts in rows])
    np.testing.assert_array_equal(described.effort, expected)
    np.testing.assert_allclose(described.tier, [[tier_of(facts, role) for role in ROLES] for facts in rows])


def test_classic_losses_are_those_of_the_post_mortem(simulated: pd.DataFrame) -> None:
    found = flags_of(simulated, DAY, FlagSettings()).groupby("flag")["deal_id"].agg(set)
    patterns = {
        str(facts["deal_id"]): {pattern.id for pattern in loss_patterns(facts)} for _, facts in simulated.iterrows()
    }
    assert found["loss_by_method"] == {name for name, ids in patterns.items() if BY_METHOD in ids}
    by_approver = {name for name, ids in patterns.items() if BY_APPROVER in ids}
    commits = set(simulated["deal_id"][describe_record(simulated, DAY, FlagSettings()).commit])
    assert found["loss_by_approver"] <= by_approver & commits
    assert by_approver & commits <= found["loss_by_approver"] | found["approver_opposed"]
    assert len(found["loss_by_approver"]) > 20


def test_flags_do_not_depend_on_the_order_of_the_rows(simulated: pd.DataFrame) -> None:
    first = flags_of(simulated, DAY, FlagSettings())
    other = flags_of(simulated.iloc[::-1], DAY, FlagSettings())
    order = ["deal_id", "flag"]
    pd.testing.assert_frame_equal(
        first.sort_values(order, ignore_index=True), other.sort_values(order, ignore_index=True)
    )


def test_titles_are_in_the_language() -> None:
    with use_language("zh"):
        assert flag_title("overdue") == "成交日期已过"
    assert flag_title("overdue") == "Close date has passed"
