"""The unknown facts of a deal, the possible answers to each, and their probabilities by the training deals."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.methodology import ROLES, SUPPORT_TIERS, channels_for, plays
from winprob.model.features import COACH_LEVELS, WORDS, Features, split_words
from winprob.model.posterior import Posterior

VALIDATED = COACH_LEVELS.index("validated")
UNVALIDATED = COACH_LEVELS.index("unvalidated")


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportFact:
    """A role's support as reported by a validated source; open unless it is reported and the coach is validated."""

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
    """A categorical fact: stage, decision method, coach, the approver's coverage.

    Attributes
    ----------
    name : its column
    code : the array of ``Features`` that holds its codes, the last one *unknown*
    share : (answer,) frequency of each level in training, smoothed by one deal each
    """

    name: str
    code: str
    share: tuple[float, ...]

    @property
    def answers(self) -> int:
        """How many there are."""
        return len(self.share)

    def open_in(self, features: Features) -> Array:
        """(deal,) whether there is something to ask: the level is unknown, or the coach is not validated yet."""
        code = getattr(features, self.code)
        unproved = (code == UNVALIDATED) if self.code == "coach" else np.zeros(len(code), dtype=bool)
        return np.asarray((code == self.answers) | unproved)

    def chance(self, features: Features) -> Array:
        """(deal, answer) probability by the training deals.

        A coach who is not validated yet either passes the test or stays so, as often as coaches did in training.
        """
        chance = np.tile(np.array(self.share), (len(features), 1))
        if self.code == "coach":
            chance[np.ix_(features.coach == UNVALIDATED, np.arange(self.answers) < UNVALIDATED)] = 0
        return np.asarray(chance / chance.sum(axis=1, keepdims=True))

    def filled(self, features: Features) -> Features:
        """Each deal once with every answer filled in, (deal x answer)."""
        rows = features.take(np.repeat(np.arange(len(features)), self.answers))
        return with_word(rows, self.code, np.tile(np.arange(self.answers), len(features)))


Fact = SupportFact | WordFact


def facts_of(posterior: Posterior) -> tuple[Fact, ...]:
    """Every fact that the model would learn from, supports first."""
    supports = [SupportFact(name=f"{role}_support", role=at) for at, role in enumerate(ROLES)]
    counts = split_words(np.array(posterior.scaling.state_share) * posterior.provenance.counted)
    words = [WordFact(name=word.column, code=word.code, share=_smoothed(counts[word.column][:-1])) for word in WORDS]
    return (*supports, *words)


def _smoothed(counts: Array) -> tuple[float, ...]:
    return tuple(((counts + 1) / (counts + 1).sum()).tolist())


def with_word(features: Features, code: str, values: Array) -> Features:
    """The same deals with other codes of one fact."""
    codes: dict[str, Any] = {code: values}
    return replace(features, **codes)


COACH = "coach"


def question_for(fact: str) -> str:
    """The method's question, in the current language."""
    return next(play.phrase.text() for play in plays("questions") if fact in play.columns)


def channel_for(fact: str, *, coach_validated: bool) -> str:
    """The channel most likely to know the fact, in the current language.

    A coach is asked only where the coach is validated, and never about the coach.
    """
    channels = channels_for(fact)
    asked = [play for play in channels if play.id != COACH or (coach_validated and fact != COACH)]
    return (asked or channels)[0].phrase.text()
