"""The next step is there for everyone, in both languages, and follows the file."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from winprob.errors import SettingsError
from winprob.methodology import NextStep, load, next_step, plays, time_left
from winprob.methodology.situation import FACTS, FOR_ALL, FOR_SOME, rubric
from winprob.methodology.vocabulary import COVERAGES, DECISION_METHODS, ROLES, STAGES

SUPPORTS = (None, 1, 2, 3, 4)
EXECUTIVES = ("approver", "decision_maker")
RUBRIC = rubric(load().plays)
RULES = Path(load.__code__.co_filename).with_name("subjects") / "next_steps.toml"


def said(step: NextStep, lang: str) -> list[str]:
    advice = [getattr(step, part) for part in (*FOR_ALL, *FOR_SOME)]
    found = [text for one in advice if one for text in (one.why, *one.plays)]
    return [phrase.text(lang) for play in found for phrase in (play.phrase, play.how) if phrase]


def place(subject: str, item: str) -> int:
    return [play.id for play in plays(subject, "step")].index(item)


def faults_of(step: NextStep, role: str) -> list[str]:
    """What a step lacks."""
    gaps = {play.id for play in plays("executives", "gap")}
    checks = {
        "parts": all(getattr(step, part).why.part == part for part in FOR_ALL),
        "explore": {play.part for play in step.explore.plays} == {"need", "motive"},
        "trust": {play.part for play in step.trust.plays} == {"personal", "organisational"},
        "relationship": len(step.relationship.plays) == 1,
        "plays": all(advice.plays for advice in (step.learn, step.guide, step.ask)),
        "guide.how": step.guide.why.how,
        "ask.how": step.ask.why.how,
        "executive": (step.executive is not None) == (step.bridge is not None) == (role in EXECUTIVES),
        "bridge": step.bridge is None or {play.id for play in step.bridge.plays} == gaps,
        "texts": all(all(said(step, lang)) for lang in ("en", "zh")),
    }
    return [name for name, holds in checks.items() if not holds]


def test_every_situation_has_a_complete_step_in_both_languages() -> None:
    situations = product(
        ROLES, (*STAGES, None), (*COVERAGES, None), SUPPORTS, (*DECISION_METHODS, None), (*FACTS["time"],)
    )
    faults = {
        situation: found
        for situation in situations
        if (found := faults_of(next_step(**dict(zip(FACTS, situation, strict=True))), situation[0]))
    }
    assert faults == {}


def test_a_blank_is_unknown_and_a_tier_may_be_any_number() -> None:
    assert next_step(role="approver", support=float("nan"), stage=" ") == next_step(role="approver")
    assert next_step(role="approver", support=3) == next_step(role="approver", support=3.0)
    assert next_step(role="approver", support=3) == next_step(role="approver", support="3")


def test_closer_contact_never_takes_a_step_back() -> None:
    back = []
    for role, stage, support in product(EXECUTIVES, (*STAGES, None), SUPPORTS):
        steps = [next_step(role=role, stage=stage, coverage=coverage, support=support) for coverage in COVERAGES]
        relation = [place("relationship", step.relationship.plays[0].id) for step in steps]
        executive = [place("executives", step.executive.plays[0].id) for step in steps if step.executive]
        if relation != sorted(relation) or executive != sorted(executive):
            back.append((role, stage, support, relation, executive))
    assert back == []


def test_every_step_of_the_relationship_and_with_executives_is_reached() -> None:
    found = [
        next_step(role="approver", stage=stage, coverage=coverage, support=support)
        for stage, coverage, support in product((*STAGES, None), COVERAGES, SUPPORTS)
    ]
    assert {step.relationship.plays[0].id for step in found} == {play.id for play in plays("relationship", "step")}
    assert {s.executive.plays[0].id for s in found if s.executive} == {play.id for play in plays("executives", "step")}


def test_every_kind_of_trust_and_every_motive_is_built_on_somewhere() -> None:
    steps = [next_step(role=role, stage=stage) for role, stage in product(ROLES, (*STAGES, None))]
    assert {play.id for step in steps for play in step.trust.plays} == {play.id for play in plays("trust")}
    assert {play.id for step in steps for play in step.explore.plays} == {play.id for play in plays("needs")}


def test_the_weakest_rating_decides_on_the_trust_whatever_the_stage() -> None:
    stages = (*STAGES, None)
    by_stage = {next_step(role="evaluator", stage=stage).trust.why.id for stage in stages}
    advice = {
        item: {next_step(role="evaluator", stage=stage, weakest=item).trust.why.id for stage in stages}
        for item in RUBRIC
    }
    assert {item: found for item, found in advice.items() if len(found) != 1 or found & by_stage} == {}


def test_the_decision_method_says_how_much_the_role_counts() -> None:
    weights = {
        (role, method): next_step(role=role, decision_method=method).weight.why.id
        for role, method in product(ROLES, DECISION_METHODS)
    }
    assert len(set(weights.values())) == len(weights)


def test_values_that_do_not_exist_are_refused_all_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        next_step(role="boss", stage="negotiation", coverage="met", support=7, decision_method="vote", weakest="looks")
    for got in ("'boss'", "'negotiation'", "'met'", "'7'", "'vote'", "'looks'"):
        assert got in str(caught.value)


def test_the_days_left_are_a_word_of_the_rules() -> None:
    words = [time_left(days) for days in (-1, 0, 14, 15, 60, 61, None, float("nan"))]
    assert words == ["overdue", "days", "days", "weeks", "weeks", "months", "unknown", "unknown"]


@pytest.mark.parametrize("role", EXECUTIVES)
def test_with_days_left_no_one_is_advised_to_plan_occasions_over_the_months(role: str) -> None:
    for coverage, support in product(COVERAGES, SUPPORTS):
        hurried = next_step(role=role, coverage=coverage, support=support, time="days")
        assert hurried.executive is not None
        assert hurried.executive.why.id.startswith("executive.days")
        assert "campaign" not in {play.id for play in hurried.executive.plays}
        assert not hurried.relationship.why.id.startswith("relationship.nobody")
    calm = next_step(role=role, coverage="contacted", support=3, time="months")
    assert calm.executive is not None
    assert [play.id for play in calm.executive.plays] == ["campaign"]


def test_of_someone_not_met_a_meeting_is_asked_and_of_an_opponent_never_a_service() -> None:
    for role, stage in product(ROLES, (*STAGES, None)):
        assert next_step(role=role, stage=stage, coverage="identified", support=3).ask.why.id == "ask.unmet"
        assert next_step(role=role, stage=stage, coverage="engaged", support=1).ask.why.id == "ask.opposed"


# --- a team's own file ---------------------------------------------------------------------------------------------


def edited(folder: Path, old: str, new: str) -> Path:
    text = RULES.read_text("utf-8")
    assert old in text
    (folder / RULES.name).write_text(text.replace(old, new), "utf-8")
    return folder


def test_a_team_that_edits_the_file_changes_the_advice(tmp_path: Path) -> None:
    team = load(
        edited(tmp_path, 'points_to = ["trust.professional", "trust.product_service"]', 'points_to = ["trust.career"]')
    )
    step = next_step(role="evaluator", stage="evaluation", using=team)
    assert [play.id for play in step.trust.plays] == ["career"]
    assert [play.id for play in next_step(role="evaluator", stage="evaluation").trust.plays] != ["career"]


def test_a_condition_that_can_never_hold_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'when.stage' is 'evalutaion'; did you mean 'evaluation'") as caught:
        load(
            edited(tmp_path, 'when = { stage = ["evaluation"] }', 'when = { stage = ["evalutaion"], mood = ["good"] }')
        )
    assert "'when.mood' is not known; accepted: role, stage" in str(caught.value)
    assert "[[items]] 'trust.stage.evaluation' 'when" in str(caught.value)


def test_a_pointer_to_nothing_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"next_steps.toml: \[\[items\]\] .*'points_to' has 'trust.charm', which is not an item"
    ):
        load(edited(tmp_path, '"trust.career", ', '"trust.charm", '))


def test_dropping_a_play_that_a_rule_points_to_is_a_fault(tmp_path: Path) -> None:
    item = '[[items]]\nid = "career"\npart = "personal"\norigin = "ours"\nen = "Career"\nzh = "职业"\n'
    (tmp_path / "trust.toml").write_text(item, "utf-8")
    with pytest.raises(SettingsError, match=r"'points_to' has 'trust.stance'"):
        load(tmp_path)


def test_a_situation_without_advice_is_a_fault_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"section 'goal': no item fits coverage = contacted, support = unknown"):
        load(edited(tmp_path, 'id = "goal.find_out"\n', 'id = "goal.find_out"\nwhen = { support = ["4"] }\n'))


def test_a_condition_of_another_shape_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'when\.support' is '1', wanted a list"):
        load(edited(tmp_path, 'when = { support = ["1"] }', 'when = { support = "1" }'))
