"""Whom to ask: by name, with a second source, through a channel, and not one answer for all deals."""

from __future__ import annotations

import pandas as pd

from winprob import rank_unknowns
from winprob.actions.questions import name_sources, plan_questions, ranking_sentences
from winprob.data.tables import read_people_table


def named(posterior, deals, people=None):
    table = None if people is None else read_people_table(people)
    return name_sources(rank_unknowns(posterior, deals), deals, table)


def of(questions, deal, fact):
    return questions.set_index(["deal_id", "fact"]).loc[(deal, fact)]


def test_a_person_of_this_deal_is_asked_and_another_confirms(posterior, table):
    deals = table(evaluator_support=[None, None], coach=["none", "none"])
    people = pd.DataFrame(
        {
            "deal_id": ["D0", "D0", "D1"],
            "person": ["Li", "Wu", "He"],
            "role": ["influencer", "decision_maker", "decision_maker"],
            "support": [4, 2, 3],
            "coverage": ["engaged", "contacted", "engaged"],
        }
    )
    asked = named(posterior, deals, people)
    first, second = (of(asked, deal, "evaluator_support")["ask"] for deal in ("D0", "D1"))
    assert first == "Li (Influencer, Champion); confirm with Wu (Decision maker, Neutral)"
    assert second == "He (Decision maker, Supportive); no second source to confirm it yet"
    assert of(asked, "D0", "evaluator_support")["channel"] == "Other inside sources"


def test_of_a_role_no_one_knows_the_question_is_who_it_is(posterior, table):
    unknown = table(approver_support=[None], approver_coverage=["unknown"])
    assert of(named(posterior, unknown), "D0", "approver_support")["question"].startswith("Who signs last")
    known = table(approver_support=[None], approver_coverage=["identified"])
    assert of(named(posterior, known), "D0", "approver_support")["question"].startswith("If it were settled today")


def test_without_contacts_the_channel_is_outside_and_fits_the_fact(posterior, table):
    roles = ("approver", "decision_maker", "evaluator", "influencer", "procurement")
    no_one = {f"{role}_support": [None] for role in roles} | {f"{role}_coverage": ["unknown"] for role in roles}
    asked = named(posterior, table(coach=["none"], decision_method=[None], **no_one))
    assert of(asked, "D0", "decision_method")["channel"] == "People who left the customer"
    assert of(asked, "D0", "approver_support")["channel"] == "People who left a competitor"
    assert asked["ask"].str.startswith("no one met yet").all()


def test_the_answer_differs_by_deal(posterior, team):
    people = read_people_table(team.people)
    first = name_sources(rank_unknowns(posterior, team.open), team.open, people).query("rank == 1")
    assert first["ask"].nunique() > len(first) / 2
    without = name_sources(rank_unknowns(posterior, team.open), team.open).query("rank == 1")
    assert without["ask"].nunique() > 5


def test_a_plan_names_sources_too_and_the_sentences_repeat_them(posterior, team):
    plan = name_sources(plan_questions(posterior, team.open, 3), team.open, read_people_table(team.people))
    assert plan.columns[-1] == "ask"
    told = " ".join(ranking_sentences(plan))
    assert f"(Ask {plan.sort_values('bits', ascending=False)['ask'].iloc[0]}.)" in told
