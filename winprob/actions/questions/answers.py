"""What may be answered, how likely is each answer, and where does it leave the deal?

*A role's support*: the tier a validated source would tell, a second reading beside whatever is recorded. *A word*
(stage, method, coach, coverage): the record with the word filled in, words as frequent as in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from winprob.actions.questions.facts import Fact, SupportFact, WordFact
from winprob.actions.questions.standing import Standing, stand, validated_reading
from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Features, Scaling, bin_moments
from winprob.model.win.lifts import steps_up
from winprob.model.win.terms import Coefficients, attenuation


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all questions share.

    Attributes
    ----------
    by : the parameters, laid out for these deals
    unknown_level : (role,) where a role nobody reports is expected to stand
    """

    by: Coefficients
    scaling: Scaling
    unknown_level: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Deals with answers already heard.

    Attributes
    ----------
    heard : (deal, role) as in ``stand``
    """

    features: Features
    heard: Array
    standing: Standing

    def take(self, rows: Array) -> Situation:
        """Some of the deals."""
        return Situation(features=self.features.take(rows), heard=self.heard[rows], standing=self.standing.take(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers to one question.

    Attributes
    ----------
    chance : (deal, answer, draw)
    log_odds : (deal, answer, draw) of winning after it
    shrink : (deal, answer, draw) what doubt leaves of a change of the predictor
    weight : (role, deal, answer, draw) of the roles after it, of one answer where all are alike
    steps : (deal, answer, role) how far a step up would move each role's true support after it
    """

    chance: Array
    log_odds: Array
    shrink: Array
    weight: Array
    steps: Array


def situation(ground: Ground, features: Features, heard: Array) -> Situation:
    """Deals as they stand with these answers heard."""
    return Situation(features=features, heard=heard, standing=stand(ground.by, features, ground.scaling, heard))


def present(ground: Ground, now: Situation) -> Answers:
    """The deal as it stands, told as the only answer to a question that asks nothing."""
    standing = now.standing
    shrink = attenuation(standing.variance)
    return Answers(
        chance=np.ones_like(standing.predictor)[:, None],
        log_odds=(standing.predictor * shrink)[:, None],
        shrink=shrink[:, None],
        weight=standing.weight[:, :, None],
        steps=_steps(ground, now)[:, None],
    )


def answers_to(ground: Ground, now: Situation, fact: Fact) -> Answers:
    """Every answer to a question about deals that stand so."""
    if isinstance(fact, SupportFact):
        return _of_support(ground, now, fact)
    return _of_word(ground, now, fact)


def _of_support(ground: Ground, now: Situation, fact: SupportFact) -> Answers:
    standing, role = now.standing, fact.role
    reading = validated_reading(ground.by, now.features, ground.scaling, role)
    weight = standing.weight[role][:, None]
    shrink = attenuation(np.maximum(standing.variance[:, None] - weight**2 * reading.fall, 0))
    steps = np.repeat(_steps(ground, now)[:, None], fact.answers, axis=1)
    steps[:, :, role] = _tier_steps(ground.scaling, role)
    return Answers(
        chance=reading.chance,
        log_odds=(standing.predictor[:, None] + weight * reading.rise) * shrink,
        shrink=shrink,
        weight=standing.weight[:, :, None],
        steps=steps,
    )


def _of_word(ground: Ground, now: Situation, fact: WordFact) -> Answers:
    count = fact.answers
    filled = situation(ground, fact.filled(now.features), np.repeat(now.heard, count, axis=0))
    shape = (len(now.features), count, -1)
    shrink = attenuation(filled.standing.variance)
    chance = fact.chance(now.features)[:, :, None] * filled.standing.told.reshape(shape)
    return Answers(
        chance=(chance / chance.sum(axis=1, keepdims=True)).astype(np.float32),
        log_odds=(filled.standing.predictor * shrink).reshape(shape),
        shrink=shrink.reshape(shape),
        weight=filled.standing.weight.reshape(len(ROLES), *shape),
        steps=_steps(ground, filled).reshape(*shape[:2], len(ROLES)),
    )


def _steps(ground: Ground, now: Situation) -> Array:
    """(deal, role) how far one tier up moves each role; from the tier heard where one was."""
    steps = steps_up(now.features, ground.scaling, ground.unknown_level)
    for role in range(len(ROLES)):
        heard = now.heard[:, role] >= 0
        steps[heard, role] = _tier_steps(ground.scaling, role)[now.heard[heard, role]]
    return steps


def _tier_steps(scaling: Scaling, role: int) -> Array:
    """(tier,) from the middle of each tier to that of the next, 0 from the top one."""
    middle, _ = bin_moments(np.array(scaling.tier_counts[role]))
    return np.diff(middle, append=middle[-1])
