"""Which facts of a deal are open, which answers may each have, and how likely is each by the training deals?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.methodology import ROLES, SUPPORT_TIERS, channels_for, plays
from winprob.model.features import COACH_LEVELS, COVERAGE_LEVELS, METHOD_LEVELS, STAGE_STATES, Features
from winprob.model.posterior import Posterior

VALIDATED = COACH_LEVELS.index("validated")
UNVALIDATED = COACH_LEVELS.index("unvalidated")


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportFact:
    """A role's support as a validated source would tell it; open unless it is reported and the coach is validated."""

    name: str
    role: int

    @property
    def answers(self) -> int:
        """How many there are."""
        return len(SUPPORT_TIERS)

    def open_in(self, features: Features) -> Array:
        """(deal,) whether there is something to ask."""
        return np.asarray((features.readers[:, self.role] == 0) | (features.coach != VALIDATED))


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFact:
    """A fact that is one of a few words: stage, decision method, coach, the approver's coverage.

    Attributes
    ----------
    name : its column
    code : what holds it in ``Features``, the last code *unknown*
    share : (answer,) how frequent each word is in training, smoothed by one deal each
    """

    name: str
    code: str
    share: tuple[float, ...]

    @property
    def answers(self) -> int:
        """How many there are."""
        return len(self.share)

    def open_in(self, features: Features) -> Array:
        """(deal,) whether there is something to ask: the word is unknown, or the coach's is not validated yet."""
        code = getattr(features, self.code)
        unproved = (code == UNVALIDATED) if self.code == "coach" else np.zeros(len(code), dtype=bool)
        return np.asarray((code == self.answers) | unproved)

    def chance(self, features: Features) -> Array:
        """(deal, answer) by the training deals.

        A coach who is there and not validated either passes the test or stays so, as often as coaches did in training.
        """
        chance = np.tile(np.array(self.share), (len(features), 1))
        if self.code == "coach":
            chance[np.ix_(features.coach == UNVALIDATED, np.arange(self.answers) < UNVALIDATED)] = 0
        return np.asarray(chance / chance.sum(axis=1, keepdims=True))

    def filled(self, features: Features) -> Features:
        """Each deal once for every answer, filled in, (deal x answer)."""
        rows = features.take(np.repeat(np.arange(len(features)), self.answers))
        return with_word(rows, self.code, np.tile(np.arange(self.answers), len(features)))


Fact = SupportFact | WordFact

#: Column, place in ``Features`` and states of each word; in the order in which ``Scaling.state_share`` has them.
_WORDS: tuple[tuple[str, str, Sequence[str]], ...] = (
    ("stage", "stage", STAGE_STATES),
    ("approver_coverage", "coverage", COVERAGE_LEVELS),
    ("coach", "coach", COACH_LEVELS),
    ("decision_method", "method", METHOD_LEVELS),
)


def facts_of(posterior: Posterior) -> tuple[Fact, ...]:
    """Every fact that the model would learn from, supports first."""
    supports = [SupportFact(name=f"{role}_support", role=at) for at, role in enumerate(ROLES)]
    ends = np.cumsum([len(states) for _, _, states in _WORDS])[:-1]
    shares = np.split(np.array(posterior.scaling.state_share) * posterior.provenance.counted, ends)
    words = [
        WordFact(name=name, code=code, share=_smoothed(share[:-1]))
        for (name, code, _), share in zip(_WORDS, shares, strict=True)
    ]
    return (*supports, *words)


def _smoothed(counts: Array) -> tuple[float, ...]:
    return tuple(((counts + 1) / (counts + 1).sum()).tolist())


def with_word(features: Features, code: str, values: Array) -> Features:
    """The same deals with other codes of one word."""
    codes: dict[str, Any] = {code: values}
    return replace(features, **codes)


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
