"""Questions in sentences: which fact to ask about first, whom to ask, and how much is redundant."""

import pandas as pd

from winprob.i18n import gettext
from winprob.methodology import column_label

#: The probability of another best lever from which it is reported.
_OFTEN = 0.2
#: A question is partly redundant if it adds less than this share of its information alone.
_REDUNDANT = 0.8


def ranking_sentences(ranked: pd.DataFrame) -> tuple[str, ...]:
    """The result of ``rank_unknowns`` in sentences."""
    if ranked.empty:
        return (_nothing(),)
    ordered = ranked.sort_values("bits", ascending=False, kind="stable")
    counted = gettext(
        "{facts} open facts in {deals} deals. Bits: mutual information of answer and outcome, at most 1.",
        facts=len(ranked),
        deals=ranked["deal_id"].nunique(),
    )
    return (counted, *_first(ordered.iloc[0]), *(() if _several(ranked) else _whom(ranked)))


def plan_sentences(plan: pd.DataFrame) -> tuple[str, ...]:
    """The result of ``plan_questions`` in sentences."""
    if plan.empty:
        return (_nothing(),)
    counted = gettext(
        "{questions} questions about {deals} deals, {bits:.2f} bits in all; each counts what it adds to those above.",
        questions=len(plan),
        deals=plan["deal_id"].nunique(),
        bits=plan["bits"].sum(),
    )
    return (counted, *_redundant(plan), *_first(plan.iloc[0]), *_whom(plan))


def _several(questions: pd.DataFrame) -> bool:
    return len(set(questions["deal_id"])) > 1


def _nothing() -> str:
    return gettext("Nothing to ask: no fact of these deals is open.")


def _redundant(plan: pd.DataFrame) -> tuple[str, ...]:
    count = int((plan["bits"] < _REDUNDANT * plan["bits_alone"]).sum())
    if not count:
        return ()
    return (
        gettext(
            "{count} of them are partly redundant: asked alone, they would be more informative.",
            count=count,
        ),
    )


def _first(question: pd.Series) -> tuple[str, ...]:
    worth = gettext(
        "Ask first, of deal {deal}: {fact}. The answer moves its win probability by {points:.0f} points on average.",
        deal=question["deal_id"],
        fact=column_label(question["fact"]),
        points=100 * question["expected_shift"],
    )
    how = gettext("{question} (Ask {who}.)", question=question["question"], who=_source(question))
    if question["changes_lever"] < _OFTEN:
        return worth, how
    lever = gettext(
        "With a chance of {chance:.0%} the answer makes another role the one to win over.",
        chance=question["changes_lever"],
    )
    return worth, how, lever


def _source(question: pd.Series) -> str:
    """Whom to ask; the channel where no one was named."""
    return str(question.get("ask", question["channel"]))


def _whom(questions: pd.DataFrame) -> tuple[str, ...]:
    """For each source the facts to ask about, with their deals where there are several."""
    names = questions["fact"].map(column_label)
    if _several(questions):
        names = questions["deal_id"].astype("str") + " " + names
    asked = names.groupby(questions.get("ask", questions["channel"]).to_numpy(), sort=False)
    return tuple(gettext("Ask {who}: {facts}.", who=who, facts=gettext(", ").join(group)) for who, group in asked)
