"""Sources of answers: whom to ask each question, by name where a people table has names, and through which channel."""

import pandas as pd

from winprob.actions.contacts import Contact, coaches, contacts_of, informants, whom_to_ask
from winprob.data.schema import latest_places, validate_deals
from winprob.methodology import channels_for, plays

_COACH, _INSIDE = "coach", "inside_sources"


def name_sources(questions: pd.DataFrame, deals: pd.DataFrame, people: pd.DataFrame | None = None) -> pd.DataFrame:
    """Questions with ``ask``, whom to ask and with whom to confirm it, and with the ``channel`` that this is.

    Parameters
    ----------
    questions : as ``rank_unknowns`` or ``plan_questions`` returns them
    deals : the deals they are about, in canonical columns
    people : the people table, as ``read_people_table`` returns it; without one roles are named

    Returns
    -------
    DataFrame with ``ask`` as the last column, in the current language. A question about the support of a role in which
    no one is known becomes the question of who it is.

    Raises
    ------
    DealTableError
        The deals are not valid.
    """
    valid = validate_deals(deals)
    latest = valid.iloc[latest_places(valid)].set_index("deal_id", drop=False)
    known = {deal: contacts_of(latest.loc[deal], people) for deal in questions["deal_id"].unique()}
    coach = latest["coach"] if "coach" in latest else pd.Series(None, index=latest.index, dtype=object)
    rows = [
        (known[deal], str(fact), coach[deal], str(question))
        for deal, fact, question in zip(questions["deal_id"], questions["fact"], questions["question"], strict=True)
    ]
    return questions.assign(
        question=pd.array([_question(contacts, fact, text) for contacts, fact, _, text in rows], dtype="str"),
        channel=pd.array([_channel(*row[:3]) for row in rows], dtype="str"),
        ask=pd.array([whom_to_ask(*row[:3]) for row in rows], dtype="str"),
    )


def _question(contacts: tuple[Contact, ...], fact: str, question: str) -> str:
    """Who it is comes before how far they support us."""
    role, _, kind = fact.rpartition("_")
    if kind != "support" or any(one.role == role for one in contacts):
        return question
    return next(play.phrase.text() for play in plays("questions") if f"{role}_coverage" in play.columns)


def _channel(contacts: tuple[Contact, ...], fact: str, coach: object) -> str:
    """The method's channel that the person asked belongs to."""
    asked = informants(contacts, fact, coach)
    through_coach = coach == "validated" and fact != _COACH
    if through_coach and (not coaches(contacts) or asked[:1] == coaches(contacts)[:1]):
        wanted = _COACH
    else:
        wanted = _INSIDE if asked else ""
    channels = channels_for(fact)
    outside = [play for play in channels if play.id not in (_COACH, _INSIDE)]
    return next((play for play in channels if play.id == wanted), (outside or list(channels))[0]).phrase.text()
