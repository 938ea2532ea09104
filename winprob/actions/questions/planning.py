"""Which questions are worth most over all open deals, one after the other?

Within a deal the next question is the one that adds most to what the earlier ones will have told: its mutual
information with the outcome *given* their answers, averaged over all these answers (the branches). Two facts that tell
the same are not both worth asking; two that only together mean something may be. What is asked of one deal tells
nothing of another, so over the portfolio the next question is simply the best next one of any deal.
"""

import heapq
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from winprob.actions.questions.answers import Ground, Situation, answers_to, situation
from winprob.actions.questions.facts import Fact, SupportFact
from winprob.actions.questions.mutual_information import Told, standard_error, tell, weigh
from winprob.actions.questions.ranking import BLOCK, OpenQuestions, open_questions, question_table
from winprob.actions.questions.standing import NOT_HEARD
from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.methodology import ROLES
from winprob.model.features import Features
from winprob.model.posterior import Posterior

#: Answers to earlier questions followed one by one; beyond, so many of them are drawn.
MOST_BRANCHES = 64


def plan_questions(posterior: Posterior, deals: pd.DataFrame, k: int, *, seed: int | None = None) -> pd.DataFrame:
    """The ``k`` questions worth most over all open deals, in the order in which to ask them.

    Parameters
    ----------
    deals : frame in canonical columns; rows whose ``outcome`` is neither open nor blank are left out
    seed : as in ``rank_unknowns``; where a deal has been asked so much that not all answers can be followed, also of
        the answers drawn

    Returns
    -------
    DataFrame in the columns of ``rank_unknowns``, best first, at most ``k`` rows. ``rank`` counts through the plan;
    ``bits`` and ``expected_shift`` are what the question adds to those above it of the same deal; ``changes_lever`` is
    the question's alone; last comes ``bits_alone``, what it would tell if nothing else were asked.

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    SettingsError
        ``k`` is below 1.
    """
    if k < 1:
        raise SettingsError(gettext("questions asked for: {got!r}, wanted a whole number of at least 1", got=k))
    asked = open_questions(posterior, still_open(validate_deals(deals)), seed=seed)
    chosen = list(_best(asked, k, seed=posterior.provenance.seed if seed is None else seed))
    deal, place = (np.array([getattr(step, name) for step in chosen], dtype=int) for name in ("deal", "place"))
    bits, error, shift = asked.bits.copy(), asked.error.copy(), asked.shift.copy()
    for step in chosen:
        at = (step.deal, step.place)
        bits[at], error[at], shift[at] = step.gain, step.error, step.shift
    table = question_table(asked, deal, place, rank=np.arange(1, len(chosen) + 1), bits=bits, error=error)
    return table.assign(expected_shift=shift[deal, place], bits_alone=asked.bits[deal, place])


def still_open(deals: pd.DataFrame) -> pd.DataFrame:
    """The deals that are open, as far as the table says how they ended."""
    if "outcome" not in deals:
        return deals
    return deals[deals["outcome"].isna() | deals["outcome"].isin(["open"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One question of a plan and what it adds."""

    deal: int
    place: int
    gain: float
    error: float
    shift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branches:
    """All that earlier questions about one deal may have been answered.

    Attributes
    ----------
    shift, weight : (branch, draw) as in ``weigh``
    chance : (branch,) of these answers
    drawn : whether they are a sample of all
    """

    now: Situation
    shift: Array
    weight: Array
    chance: Array
    drawn: bool


def _best(asked: OpenQuestions, k: int, *, seed: int) -> Iterator[_Step]:
    """The best next question of any deal, ``k`` times."""
    courses = {deal: _course(asked, deal, seed) for deal in np.flatnonzero(asked.is_open.any(axis=1)).tolist()}
    waiting = [(-step.gain, deal, step) for deal, course in courses.items() if (step := next(course, None))]
    heapq.heapify(waiting)
    for left in reversed(range(k)):
        if not waiting:
            return
        _, deal, step = heapq.heappop(waiting)
        yield step
        if left and (following := next(courses[deal], None)):
            heapq.heappush(waiting, (-following.gain, deal, following))


def _course(asked: OpenQuestions, deal: int, seed: int) -> Iterator[_Step]:
    """The questions about one deal, each the one that adds most to those before."""
    left = np.flatnonzero(asked.is_open[deal]).tolist()
    place = max(left, key=lambda at: asked.bits[deal, at])
    first = {"gain": asked.bits[deal, place], "error": asked.error[deal, place], "shift": asked.shift[deal, place]}
    yield _Step(deal=deal, place=place, **first)
    rng = np.random.default_rng([seed, zlib.crc32(str(asked.deals["deal_id"].iloc[deal]).encode())])
    branches = _root(asked.ground, asked.features.take(np.array([deal])))
    while len(left) > 1:
        left.remove(place)
        branches = _follow(asked.ground, branches, asked.facts[place], rng)
        steps = [_added(asked, branches, deal, at) for at in left]
        step = max(steps, key=lambda one: one.gain)
        place = step.place
        yield step


def _root(ground: Ground, features: Features) -> _Branches:
    now = situation(ground, features, np.full((1, len(ROLES)), NOT_HEARD))
    plain = now.standing.predictor
    return _Branches(now=now, shift=np.zeros_like(plain), weight=np.ones_like(plain), chance=np.ones(1), drawn=False)


def _added(asked: OpenQuestions, branches: _Branches, deal: int, place: int) -> _Step:
    """What one more question would add, averaged over the branches."""
    told = _told(asked.ground, branches, asked.facts[place])
    error = standard_error(branches.chance @ told.scatter)
    if branches.drawn:
        error = np.hypot(error, told.bits.std(ddof=1) / np.sqrt(len(told.bits)))
    return _Step(
        deal=deal,
        place=place,
        gain=float(branches.chance @ told.bits),
        error=float(error),
        shift=float(branches.chance @ told.shift),
    )


def _told(ground: Ground, branches: _Branches, fact: Fact) -> Told:
    """What a question tells in each branch, a few branches at a time."""
    parts = []
    for start in range(0, len(branches.chance), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(branches.chance)))
        now, shift = branches.now.take(rows), branches.shift[rows]
        answers = answers_to(ground, now, fact)
        parts.append(tell(answers, weigh(answers, now.standing.log_odds + shift, shift, branches.weight[rows])))
    return Told(**{item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Told)})


def _follow(ground: Ground, branches: _Branches, fact: Fact, rng: np.random.Generator) -> _Branches:
    """The branches once more for every answer to one more question."""
    answers = answers_to(ground, branches.now, fact)
    weighed = weigh(answers, branches.now.standing.log_odds + branches.shift, branches.shift, branches.weight)
    joint = weighed.won + weighed.lost
    inside = joint.mean(axis=2, dtype=np.float64)
    chance = (branches.chance[:, None] * inside).ravel()
    kept, chance, drawn = _kept(chance, rng)
    branch, answer = np.divmod(kept, fact.answers)
    features, heard = branches.now.features.take(branch), branches.now.heard[branch]
    if isinstance(fact, SupportFact):
        heard[:, fact.role] = answer
    else:
        features = fact.filled(branches.now.features).take(kept)
    weight = joint[branch, answer] / inside[branch, answer, None].astype(np.float32)
    return _Branches(
        now=situation(ground, features, heard),
        shift=weighed.shift[branch],
        weight=weight,
        chance=chance,
        drawn=drawn or branches.drawn,
    )


def _kept(chance: Array, rng: np.random.Generator) -> tuple[Array, Array, bool]:
    """Which branches are followed, with what chance, and whether they are a sample (systematic, by chance)."""
    possible = np.flatnonzero(chance > 0)
    if len(possible) <= MOST_BRANCHES:
        return possible, chance[possible] / chance[possible].sum(), False
    ladder = np.cumsum(chance) / chance.sum()
    drawn = np.searchsorted(ladder, (np.arange(MOST_BRANCHES) + rng.random()) / MOST_BRANCHES, side="right")
    return np.minimum(drawn, possible[-1]), np.full(MOST_BRANCHES, 1 / MOST_BRANCHES), True
