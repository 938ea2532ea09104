"""Answers to a question about a deal: their probabilities, and the posterior state of the deal after each.

*A role's support*: the tier that a validated source would report, a second reading in addition to the record. *A word*
(stage, method, coach, coverage): the record with the word filled in, words as frequent as in training. The predictor is
kept in parts, so that an answer can update its mean and variance in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from winprob.actions.questions.facts import VALIDATED, Fact, SupportFact, WordFact
from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Features, Scaling, bin_moments
from winprob.model.win.lifts import steps_up
from winprob.model.win.terms import Coefficients, attenuation, logits, support_terms, weight_of_role

NOT_HEARD = -1
#: An answer with a probability below this has no weight; its conditional moments are not computed.
_NEGLIGIBLE = np.float32(1e-5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What all questions about some deals share.

    Attributes
    ----------
    coefs : posterior draws of the coefficients, laid out for these deals
    unknown_level : (role,) posterior mean support of an unreported role
    """

    coefs: Coefficients
    scaling: Scaling
    unknown_level: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorState:
    """Deals in every draw of the posterior, given the record and the answers heard.

    Attributes
    ----------
    predictor : (deal, draw) log-odds before attenuation, without what waiting says
    waiting : (deal,) see ``Features``
    variance : (deal, draw) variance of support, weighted
    weight : (role, deal, draw) of the role's support in the predictor
    likelihood : (deal, draw) of the answers heard under each draw, 1 where none was heard
    """

    predictor: Array
    waiting: Array
    variance: Array
    weight: Array
    likelihood: Array

    @property
    def log_odds(self) -> Array:
        """(deal, draw) of winning."""
        return np.asarray(self.predictor * attenuation(self.variance) + self.waiting[:, None])

    def take(self, rows: Array) -> PosteriorState:
        """Some of the deals."""
        return PosteriorState(
            predictor=self.predictor[rows],
            waiting=self.waiting[rows],
            variance=self.variance[rows],
            weight=self.weight[:, rows],
            likelihood=self.likelihood[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Deals with the answers heard so far.

    Attributes
    ----------
    heard : (deal, role) as in ``posterior_state``
    """

    features: Features
    heard: Array
    state: PosteriorState

    def take(self, rows: Array) -> Situation:
        """Some of the deals."""
        return Situation(features=self.features.take(rows), heard=self.heard[rows], state=self.state.take(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers to one question.

    Attributes
    ----------
    chance : (deal, answer, draw) probability of the answer
    log_odds : (deal, answer, draw) of winning after it
    shrink : (deal, answer, draw) attenuation after it
    weight : (role, deal, answer, draw) of the roles after it; the answer dim has length 1 where all are alike
    steps : (deal, answer, role) change of each role's true support by one tier up, after it
    """

    chance: Array
    log_odds: Array
    shrink: Array
    weight: Array
    steps: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a validated source may report of one role's support, and how each answer updates it.

    Attributes
    ----------
    chance : (deal, tier, draw) probability of the answer
    rise : (deal, tier, draw) change of the mean of true support
    fall : (deal, tier, draw) reduction of its variance
    """

    chance: Array
    rise: Array
    fall: Array


def situation(context: Context, features: Features, heard: Array) -> Situation:
    """Deals with these answers heard."""
    state = posterior_state(context.coefs, features, context.scaling, heard)
    return Situation(features=features, heard=heard, state=state)


def present(context: Context, now: Situation) -> Answers:
    """The present state, as the only answer to a question that asks nothing."""
    state = now.state
    shrink = attenuation(state.variance)
    return Answers(
        chance=np.ones_like(state.predictor)[:, None],
        log_odds=state.log_odds[:, None],
        shrink=shrink[:, None],
        weight=state.weight[:, :, None],
        steps=_steps(context, now)[:, None],
    )


def answers_to(context: Context, now: Situation, fact: Fact) -> Answers:
    """Every answer to a question about these deals."""
    if isinstance(fact, SupportFact):
        return _of_support(context, now, fact)
    return _of_word(context, now, fact)


def _of_support(context: Context, now: Situation, fact: SupportFact) -> Answers:
    state, role = now.state, fact.role
    reading = validated_reading(context.coefs, now.features, context.scaling, role)
    weight = state.weight[role][:, None]
    shrink = attenuation(np.maximum(state.variance[:, None] - weight**2 * reading.fall, 0))
    steps = np.repeat(_steps(context, now)[:, None], fact.answers, axis=1)
    steps[:, :, role] = _tier_steps(context.scaling, role)
    return Answers(
        chance=reading.chance,
        log_odds=(state.predictor[:, None] + weight * reading.rise) * shrink + state.waiting[:, None, None],
        shrink=shrink,
        weight=state.weight[:, :, None],
        steps=steps,
    )


def _of_word(context: Context, now: Situation, fact: WordFact) -> Answers:
    count = fact.answers
    filled = situation(context, fact.filled(now.features), np.repeat(now.heard, count, axis=0))
    shape = (len(now.features), count, -1)
    shrink = attenuation(filled.state.variance)
    chance = fact.chance(now.features)[:, :, None] * filled.state.likelihood.reshape(shape)
    return Answers(
        chance=(chance / chance.sum(axis=1, keepdims=True)).astype(np.float32),
        log_odds=filled.state.log_odds.reshape(shape),
        shrink=shrink.reshape(shape),
        weight=filled.state.weight.reshape(len(ROLES), *shape),
        steps=_steps(context, filled).reshape(*shape[:2], len(ROLES)),
    )


def _steps(context: Context, now: Situation) -> Array:
    """(deal, role) change of true support by one tier up, from the tier heard where there is one."""
    steps = steps_up(now.features, context.scaling, context.unknown_level)
    for role in range(len(ROLES)):
        heard = now.heard[:, role] >= 0
        steps[heard, role] = _tier_steps(context.scaling, role)[now.heard[heard, role]]
    return steps


def _tier_steps(scaling: Scaling, role: int) -> Array:
    """(tier,) distance from the middle of each tier to that of the next, 0 for the top tier."""
    middle, _ = bin_moments(np.array(scaling.tier_counts[role]))
    return np.diff(middle, append=middle[-1])


def posterior_state(coefs: Coefficients, features: Features, scaling: Scaling, heard: Array) -> PosteriorState:
    """The state of deals given the record and the answers heard.

    Parameters
    ----------
    heard : (deal, role) position of the tier that a validated source reported in addition to the record, or
        ``NOT_HEARD``
    """
    variance = support_terms(coefs, features)[1]
    predictor = (logits(coefs, features) - features.waiting[:, None]) / attenuation(variance)
    weight = np.stack([weight_of_role(coefs, features, role) for role in range(len(ROLES))])
    likelihood = np.ones_like(predictor)
    for role in np.flatnonzero((heard != NOT_HEARD).any(axis=0)):
        rows = np.flatnonzero(heard[:, role] != NOT_HEARD)
        reading = validated_reading(coefs, features.take(rows), scaling, int(role))
        at = (np.arange(len(rows)), heard[rows, role])
        predictor[rows] += weight[role, rows] * reading.rise[at]
        variance[rows] -= weight[role, rows] ** 2 * reading.fall[at]
        likelihood[rows] *= reading.chance[at]
    return PosteriorState(
        predictor=predictor,
        waiting=features.waiting,
        variance=np.maximum(variance, 0),
        weight=weight,
        likelihood=likelihood,
    )


def validated_reading(coefs: Coefficients, features: Features, scaling: Scaling, role: int) -> Reading:
    """The reading of a role by a source as reliable as a validated coach, given the record.

    True support is approximated as normal with the mean ``m`` and variance ``v`` given the record (exact where nothing
    is reported). The source reads ``z = rho s + sqrt(1 - rho^2) e``, so ``z`` is normal with mean ``rho m`` and
    variance ``t^2 = rho^2 v + 1 - rho^2``, cut into tiers at the quantiles of the training readings; the
    regression of ``s`` on ``z`` and the moments of a truncated normal give the rest in closed form.

    References
    ----------
    Johnson, Kotz, Balakrishnan (1994), Continuous Univariate Distributions 1, section 13.10.1.
    """
    level, doubt = _true_support(coefs, features, role)
    rho = coefs.reliability[VALIDATED]
    spread = np.sqrt(rho**2 * doubt + 1 - rho**2)
    gain = rho * doubt / spread
    counts = np.array(scaling.tier_counts[role])
    cuts = ndtri(np.cumsum(counts)[:-1] / counts.sum()).astype(np.float32)
    edges = (cuts[None, :, None] - (rho * level)[:, None]) / spread[:, None]
    chance, mean, variance = _truncated(edges)
    return Reading(chance=chance, rise=gain[:, None] * mean, fall=gain[:, None] ** 2 * (1 - variance))


def _true_support(coefs: Coefficients, features: Features, role: int) -> tuple[Array, Array]:
    """Mean and variance (deal, draw) of a role's true support given the record: ``support_terms`` with a weight 1."""
    alone = np.zeros_like(coefs.role_weight)
    alone[role] = 1
    same = np.ones_like(coefs.team_factor)
    means, variance = support_terms(replace(coefs, role_weight=alone, team_factor=same), features)
    return means[role], variance


def _truncated(edges: Array) -> tuple[Array, Array, Array]:
    """Probability, mean and variance of a standard normal between adjacent edges (deal, edge, draw), ends open."""
    wide = ((0, 0), (1, 1), (0, 0))
    chance = np.diff(np.pad(ndtr(edges), wide, constant_values=((0, 0), (0, 1), (0, 0))), axis=1)
    density = np.exp(-(edges**2) / 2) / np.float32(np.sqrt(2 * np.pi))
    rare = chance < _NEGLIGIBLE
    mass = np.where(rare, 1, chance)
    mean = -np.diff(np.pad(density, wide), axis=1) / mass
    variance = 1 - np.diff(np.pad(edges * density, wide), axis=1) / mass - mean**2
    return chance, mean, np.where(rare, 1, np.clip(variance, 0, 1))
