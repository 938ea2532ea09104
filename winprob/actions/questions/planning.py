"""A plan of questions over all open deals: greedy choice by expected information gain.

Within a deal the next question is the one with the largest conditional mutual information with the outcome, *given* the
answers to the earlier ones, averaged over all these answers (the branches). Redundant facts are not asked twice; facts
that are informative only together may both be. An answer about one deal is treated as uninformative about another, so
over the portfolio the next question is the best next one of any deal.
"""

import heapq
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from winprob.actions.questions.answers import NOT_HEARD, Context, Situation, answers_to, situation
from winprob.actions.questions.facts import Fact, SupportFact
from winprob.actions.questions.mutual_information import Information, joint_of, mutual_information, standard_error
from winprob.actions.questions.ranking import BLOCK, OpenQuestions, open_questions, question_table
from winprob.arrays import Array
from winprob.data.schema import is_open, validate_deals
from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology import ROLES
from winprob.model.features import Features
from winprob.model.posterior import Posterior

#: Branches (answers to earlier questions) that are enumerated; beyond this number a sample of this size is drawn.
MOST_BRANCHES = 64


def plan_questions(posterior: Posterior, deals: pd.DataFrame, k: int, *, seed: int | None = None) -> pd.DataFrame:
    """The ``k`` questions of largest expected information gain over all open deals, in the order in which to ask them.

    Parameters
    ----------
    deals : frame in canonical columns; rows whose ``outcome`` is neither open nor blank are left out
    seed : as in ``rank_unknowns``; where a deal has more branches than can be enumerated, also of the branches drawn

    Returns
    -------
    DataFrame in the columns of ``rank_unknowns``, best first, at most ``k`` rows. ``rank`` numbers the plan;
    ``bits`` and ``expected_shift`` are conditional on the questions above it of the same deal; ``changes_lever`` is for
    the question alone; the last column, ``bits_alone``, is its mutual information with nothing else asked.

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    SettingsError
        ``k`` is below 1.
    """
    if k < 1:
        raise SettingsError(gettext("questions asked for: {got!r}; accepted: a whole number of at least 1", got=k))
    valid = validate_deals(deals)
    asked = open_questions(posterior, valid[is_open(valid)], seed=seed)
    chosen = list(_best(asked, k, seed=posterior.provenance.seed if seed is None else seed))
    deal, place = (np.array([getattr(step, name) for step in chosen], dtype=int) for name in ("deal", "place"))
    bits, error, shift = asked.bits.copy(), asked.error.copy(), asked.shift.copy()
    for step in chosen:
        at = (step.deal, step.place)
        bits[at], error[at], shift[at] = step.gain, step.error, step.shift
    table = question_table(asked, deal, place, rank=np.arange(1, len(chosen) + 1), bits=bits, error=error)
    return table.assign(expected_shift=shift[deal, place], bits_alone=asked.bits[deal, place])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One question of a plan with its conditional information gain."""

    deal: int
    place: int
    gain: float
    error: float
    shift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branches:
    """All combinations of answers to the earlier questions about one deal.

    Attributes
    ----------
    shift, weight : (branch, draw) as in ``joint_of``
    chance : (branch,) probability of these answers
    drawn : whether the branches are a sample
    """

    now: Situation
    shift: Array
    weight: Array
    chance: Array
    drawn: bool


def _best(asked: OpenQuestions, k: int, *, seed: int) -> Iterator[_Step]:
    """The best next question of any deal, ``k`` times."""
    sequences = {deal: _sequence(asked, deal, seed) for deal in np.flatnonzero(asked.is_open.any(axis=1)).tolist()}
    waiting = [(-step.gain, deal, step) for deal, sequence in sequences.items() if (step := next(sequence, None))]
    heapq.heapify(waiting)
    for left in reversed(range(k)):
        if not waiting:
            return
        _, deal, step = heapq.heappop(waiting)
        yield step
        if left and (following := next(sequences[deal], None)):
            heapq.heappush(waiting, (-following.gain, deal, following))


def _sequence(asked: OpenQuestions, deal: int, seed: int) -> Iterator[_Step]:
    """The questions about one deal, each the one of largest information gain given those before."""
    left = np.flatnonzero(asked.is_open[deal]).tolist()
    place = max(left, key=lambda at: asked.bits[deal, at])
    first = {"gain": asked.bits[deal, place], "error": asked.error[deal, place], "shift": asked.shift[deal, place]}
    yield _Step(deal=deal, place=place, **first)
    rng = np.random.default_rng([seed, zlib.crc32(str(asked.deals["deal_id"].iloc[deal]).encode())])
    branches = _root(asked.context, asked.features.take(np.array([deal])))
    while len(left) > 1:
        left.remove(place)
        branches = _follow(asked.context, branches, asked.facts[place], rng)
        steps = [_added(asked, branches, deal, at) for at in left]
        step = max(steps, key=lambda one: one.gain)
        place = step.place
        yield step


def _root(context: Context, features: Features) -> _Branches:
    now = situation(context, features, np.full((1, len(ROLES)), NOT_HEARD))
    plain = now.state.predictor
    return _Branches(now=now, shift=np.zeros_like(plain), weight=np.ones_like(plain), chance=np.ones(1), drawn=False)


def _added(asked: OpenQuestions, branches: _Branches, deal: int, place: int) -> _Step:
    """The gain of one more question, averaged over the branches."""
    information = _branch_information(asked.context, branches, asked.facts[place])
    error = standard_error(branches.chance @ information.scatter)
    if branches.drawn:
        error = np.hypot(error, information.bits.std(ddof=1) / np.sqrt(len(information.bits)))
    return _Step(
        deal=deal,
        place=place,
        gain=float(branches.chance @ information.bits),
        error=float(error),
        shift=float(branches.chance @ information.shift),
    )


def _branch_information(context: Context, branches: _Branches, fact: Fact) -> Information:
    """The information of a question in each branch, a block of branches at a time."""
    parts = []
    for start in range(0, len(branches.chance), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(branches.chance)))
        now, shift = branches.now.take(rows), branches.shift[rows]
        answers = answers_to(context, now, fact)
        joint = joint_of(answers, now.state.log_odds + shift, shift, branches.weight[rows])
        parts.append(mutual_information(answers, joint))
    names = [field.name for field in fields(Information)]
    return Information(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _follow(context: Context, branches: _Branches, fact: Fact, rng: np.random.Generator) -> _Branches:
    """The branches, split by every answer to one more question."""
    answers = answers_to(context, branches.now, fact)
    joint = joint_of(answers, branches.now.state.log_odds + branches.shift, branches.shift, branches.weight)
    answer_weight = joint.won + joint.lost
    answer_chance = answer_weight.mean(axis=2, dtype=np.float64)
    places, chance, drawn = _followed((branches.chance[:, None] * answer_chance).ravel(), rng)
    branch, answer = np.divmod(places, fact.answers)
    features, heard = branches.now.features.take(branch), branches.now.heard[branch]
    if isinstance(fact, SupportFact):
        heard[:, fact.role] = answer
    else:
        features = fact.filled(branches.now.features).take(places)
    weight = answer_weight[branch, answer] / answer_chance[branch, answer, None].astype(np.float32)
    return _Branches(
        now=situation(context, features, heard),
        shift=joint.shift[branch],
        weight=weight,
        chance=chance,
        drawn=drawn or branches.drawn,
    )


def _followed(chance: Array, rng: np.random.Generator) -> tuple[Array, Array, bool]:
    """Positions of the branches to follow, their probabilities, and whether they are a (systematic) sample."""
    possible = np.flatnonzero(chance > 0)
    if len(possible) <= MOST_BRANCHES:
        return possible, chance[possible] / chance[possible].sum(), False
    ladder = np.cumsum(chance) / chance.sum()
    drawn = np.searchsorted(ladder, (np.arange(MOST_BRANCHES) + rng.random()) / MOST_BRANCHES, side="right")
    return np.minimum(drawn, possible[-1]), np.full(MOST_BRANCHES, 1 / MOST_BRANCHES), True
