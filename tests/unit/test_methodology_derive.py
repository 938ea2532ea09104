"""What is derived from signs, ratings, tests, contacts and facts; unknown stays unknown."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winprob.errors import SettingsError
from winprob.i18n import use_language
from winprob.methodology import (
    RoleContact,
    coach_status,
    derive_influence,
    derive_stage,
    derive_support,
    intelligence_completeness,
    plays,
    role_coverage,
)
from winprob.methodology.vocabulary import ROLES, STAGES

RUBRIC = [play.id for play in plays("support")]
BEARING = [item for item in RUBRIC if item != "influence"]
TESTS = [play.id for play in plays("coach", "validation")]
RATINGS = st.dictionaries(st.sampled_from(RUBRIC), st.none() | st.integers(1, 4))


def signs(*wanted: str) -> list[str]:
    """The first sign of each ``stage.kind``."""
    return [next(play.id for play in plays("signs") if play.id.startswith(prefix + ".")) for prefix in wanted]


def test_signs_of_two_kinds_show_the_stage() -> None:
    readings = {stage: derive_stage(signs(f"{stage}.does", f"{stage}.asks")) for stage in STAGES}
    assert {stage: reading.stage for stage, reading in readings.items()} == {stage: stage for stage in STAGES}
    assert {reading.evidence[0].kinds for reading in readings.values()} == {("does", "asks")}
    with pytest.raises(FrozenInstanceError):
        readings[STAGES[0]].stage = None  # type: ignore[misc]


def test_no_sign_is_unknown() -> None:
    assert derive_stage([]).stage is None
    assert derive_stage([]).why == "no sign was observed"


def test_words_alone_are_unknown_however_many() -> None:
    said = [play.id for play in plays("signs", "says", of="decision")]
    assert derive_stage(said).stage is None
    assert "two kinds" in derive_stage(said).why


def test_as_many_kinds_for_two_stages_conflict() -> None:
    reading = derive_stage(signs("approval.says", "approval.does", "evaluation.does", "evaluation.asks"))
    assert reading.stage is None
    assert "conflict" in reading.why
    assert [entry.stage for entry in reading.evidence] == ["approval", "evaluation"]


def test_a_neighbour_may_trail_but_a_distant_stage_contradicts() -> None:
    leader = signs("decision.says", "decision.does", "decision.asks")
    assert derive_stage([*leader, *signs("evaluation.says", "evaluation.does")]).stage == "decision"
    assert derive_stage([*leader, *signs("exploration.says")]).stage == "decision"
    assert derive_stage([*leader, *signs("exploration.says", "exploration.does")]).stage is None


def test_order_and_repeats_do_not_matter() -> None:
    some = signs("approval.asks", "approval.says", "evaluation.says")
    assert derive_stage(some) == derive_stage([*reversed(some), *some])


def test_why_is_said_in_the_language_spoken() -> None:
    with use_language("zh"):
        assert derive_stage(signs("approval.says", "approval.does")).why.startswith("内部立项：")


def test_unknown_signs_are_all_named_with_near_matches() -> None:
    with pytest.raises(SettingsError) as caught:
        derive_stage(["decision.says.what_iff", "zzz"])
    assert "did you mean 'decision.says.what_if'?" in str(caught.value)
    assert "'zzz'" in str(caught.value)


def test_equal_ratings_are_the_tier() -> None:
    assert [derive_support(dict.fromkeys(BEARING, tier)) for tier in (1, 2, 3, 4)] == [1, 2, 3, 4]


def test_support_rounds_to_the_nearest_tier_and_a_half_down() -> None:
    items = BEARING[:4]
    assert derive_support(dict(zip(items, (3, 3, 4, 4), strict=True))) == 3
    assert derive_support(dict(zip(items, (3, 4, 4, 4), strict=True))) == 4
    assert derive_support(dict(zip(items, (1, 1, 2, 2), strict=True))) == 1


def test_ratings_may_come_as_a_frame_holds_them() -> None:
    three = dict(zip(BEARING, (3.0, float("nan"), None, 2, np.int64(3)), strict=False))
    assert derive_support(three) is None
    assert derive_support({**three, BEARING[5]: np.float64(4.0)}) == 3


def test_support_needs_half_of_the_items() -> None:
    assert derive_support(dict.fromkeys(BEARING[:3], 4)) is None
    assert derive_support(dict.fromkeys(BEARING[:4], 4) | dict.fromkeys(BEARING[4:])) == 4
    assert derive_support({}) is None
    assert derive_support(dict.fromkeys(BEARING[:3], 4) | {"influence": 4}) is None


@given(ratings=RATINGS, item=st.sampled_from(RUBRIC), data=st.data())
def test_raising_a_rating_never_lowers_the_tier(ratings: dict[str, int | None], item: str, data: st.DataObject) -> None:
    low = data.draw(st.integers(1, 4))
    high = data.draw(st.integers(low, 4))
    before, after = derive_support({**ratings, item: low}), derive_support({**ratings, item: high})
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert 1 <= before <= after <= 4


@given(ratings=RATINGS, influence=st.none() | st.integers(1, 4))
def test_influence_never_touches_support(ratings: dict[str, int | None], influence: int | None) -> None:
    assert derive_support({**ratings, "influence": influence}) == derive_support(ratings)
    assert derive_influence({**ratings, "influence": influence}) == influence


def test_ratings_out_of_range_are_all_named() -> None:
    with pytest.raises(SettingsError) as caught:
        derive_support({"trust": 7, "needs_met": 0, "cooperation": 2.5, "actions_taken": True, "influence": "4"})
    for item in ("trust", "needs_met", "cooperation", "actions_taken", "influence"):
        assert f"'{item}'" in str(caught.value)
    with pytest.raises(SettingsError, match="did you mean 'trust'"):
        derive_influence({"trusst": 3})


def test_a_coach_who_passed_every_test_is_validated() -> None:
    reading = coach_status(dict.fromkeys(TESTS, True))
    assert reading.state == "validated"
    assert reading.passed == tuple(TESTS)


@pytest.mark.parametrize("answer", [False, None])
def test_one_test_failed_or_open_leaves_the_coach_unvalidated(answer: bool | None) -> None:
    reading = coach_status(dict.fromkeys(TESTS, True) | {TESTS[0]: answer})
    assert reading.state == "unvalidated"
    assert (reading.failed, reading.missing) == (((TESTS[0],), ()) if answer is False else ((), (TESTS[0],)))


def test_coach_none_is_not_unknown() -> None:
    assert coach_status({}).state is None
    assert coach_status(dict.fromkeys(TESTS)).state is None
    assert coach_status({}, exists=False).state == "none"
    assert coach_status({}, exists=True).state == "unvalidated"
    assert coach_status({}).missing == tuple(TESTS)


def test_coach_answers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError, match="no coach"):
        coach_status({TESTS[0]: True}, exists=False)
    with pytest.raises(SettingsError, match="'yes'"):
        coach_status({TESTS[0]: "yes"})
    with pytest.raises(SettingsError, match=r"did you mean 'validation\.acted"):
        coach_status({"validation.actd": True})


def test_the_best_covered_person_counts_for_a_role() -> None:
    got = role_coverage(
        [
            RoleContact(role="approver", identified=True),
            RoleContact(role="evaluator", talks=2),
            RoleContact(role="evaluator", in_depth=True),
            RoleContact(role="influencer", identified=True, talks=1),
            RoleContact(role="procurement"),
        ]
    )
    assert got == {
        "approver": "identified",
        "decision_maker": "unknown",
        "evaluator": "engaged",
        "influencer": "contacted",
        "procurement": "unknown",
    }
    assert role_coverage([]) == dict.fromkeys(ROLES, "unknown")


def test_contacts_that_make_no_sense_are_all_named() -> None:
    with pytest.raises(SettingsError) as caught:
        role_coverage([RoleContact(role="boss"), RoleContact(role="approver", talks=-1)])
    assert "'boss'" in str(caught.value)
    assert "-1 talks" in str(caught.value)


def test_completeness_counts_facts_by_kind() -> None:
    nothing = intelligence_completeness()
    everything = intelligence_completeness([play.id for play in plays("intelligence", "fact")])
    assert nothing.share == 0
    assert everything.share == 1
    assert [kind.kind for kind in nothing.kinds] == [play.id for play in plays("intelligence", "kind")]
    assert all(kind.share == 1 and not kind.missing for kind in everything.kinds)


def test_a_deal_row_fills_in_what_the_table_knows() -> None:
    row = pd.Series(
        {
            "coach": "none",
            "approver_support": 3,
            "decision_maker_support": np.nan,
            "approver_coverage": "unknown",
            "evaluator_coverage": "contacted",
            "decision_method": None,
            "stage": pd.NA,
            "expected_close_on": pd.NaT,
        }
    )
    got = intelligence_completeness(["person.duty"], deal=row.to_dict())
    known = {fact for kind in got.kinds for fact in kind.known}
    assert known == {"person.duty", "support.coach", "support.support_approver", "decision_chain.who_evaluator"}
    assert got.share == pytest.approx(4 / len(plays("intelligence", "fact")))


def test_unknown_facts_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"person\.dutty"):
        intelligence_completeness(["person.dutty"])
