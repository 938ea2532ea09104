"""How is a fact asked for, and who is most likely to know it?"""

from winprob.methodology import channels_for, plays

COACH = "coach"


def question_for(fact: str) -> str:
    """The method's question, in the language now spoken."""
    return next(play.phrase.text() for play in plays("questions") if fact in play.columns)


def channel_for(fact: str, *, coach_validated: bool) -> str:
    """The channel most likely to know, in the language now spoken.

    A coach is asked only where the coach is validated, and never about the coach.
    """
    channels = channels_for(fact)
    asked = [play for play in channels if play.id != COACH or (coach_validated and fact != COACH)]
    return (asked or channels)[0].phrase.text()
