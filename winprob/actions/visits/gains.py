"""Expected gain of visits: what visits to a set of roles add, draw by draw.

Two moves in one deal do not add up in probability, so the gain of each set of roles that may be visited is computed
over all combinations of visits that succeed.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import expit

from winprob.actions.visits.pairs import STATES
from winprob.actions.visits.success import Success
from winprob.arrays import Array
from winprob.data.fiscal import Quarter
from winprob.data.schema import column_or_missing
from winprob.methodology import COVERAGES, ROLES
from winprob.model.features import Features
from winprob.model.posterior import Posterior
from winprob.model.timing import outlooks, same_day
from winprob.model.waiting import describe_waiting
from winprob.model.win.lifts import lifts, steps_up
from winprob.model.win.terms import Coefficients, coefficients

RoleSet = tuple[int, ...]

#: Deals in a block: bounds the memory.
BLOCK = 64


def role_sets(most: int) -> tuple[RoleSet, ...]:
    """Every set of 1 to ``most`` roles, by size; a set is the roles' positions in order."""
    return tuple(chosen for size in range(1, most + 1) for chosen in combinations(range(len(ROLES)), size))


def membership(sets: tuple[RoleSet, ...]) -> Array:
    """(set, role) whether the set visits the role."""
    member = np.zeros((len(sets), len(ROLES)), dtype=bool)
    for at, chosen in enumerate(sets):
        member[at, list(chosen)] = True
    return member


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The inputs of a gain, for some deals.

    Attributes
    ----------
    steps : (deal, role) change of true support by one tier up
    worth : (deal,) value of a win
    within : (deal, draw) share of a deal's wins that fall in the quarter planned for; None where all of them count
    chance : (role, state, draw) share of a typical tier by which a visit moves the role
    state : (deal, role) coverage of each role, a code into ``STATES``
    per_step : (deal, role) what turns it into the share of the deal's own step
    """

    coefs: Coefficients
    features: Features
    steps: Array
    worth: Array
    within: Array | None
    chance: Array
    state: Array
    per_step: Array

    def gains(self, rows: Array, sets: tuple[RoleSet, ...]) -> Array:
        """(set, deal, draw) gain of each set of visits in these deals' expected worth."""
        added = self.win_prob_gains(rows, sets)
        if self.within is not None:
            added *= self.within[rows]
        added *= self.worth[rows][:, None].astype(np.float32)
        return added

    def win_prob_gains(self, rows: Array, sets: tuple[RoleSet, ...]) -> Array:
        """(set, deal, draw) gain of each set of visits in the probability of being won eventually."""
        lift = lifts(self.coefs, self.features.take(rows), self.steps[rows])
        chance = np.stack([self.chance[role][self.state[rows, role]] for role in range(len(ROLES))])
        # A move by more than a tier counts as a tier.
        chance = np.clip(chance * self.per_step[rows].T[:, :, None].astype(np.float32), -1, 1)
        return set_gains(lift.log_odds, lift.log_odds_lift, chance, sets)

    def win_prob_lifts(self) -> tuple[Array, Array]:
        """(deal,) mean present win probability, and (deal, role) its lift by a step of each role."""
        before, lift = np.empty(len(self.worth)), np.empty((len(self.worth), len(ROLES)))
        for rows in blocks(len(self.worth)):
            contrast = lifts(self.coefs, self.features.take(rows), self.steps[rows])
            win_prob = expit(contrast.log_odds)
            before[rows] = win_prob.mean(axis=1)
            lift[rows] = (expit(contrast.log_odds + contrast.log_odds_lift) - win_prob).mean(axis=2).T
        return before, lift


def outlook_of(
    posterior: Posterior, deals: pd.DataFrame, worth: Array, success: Success, seed: int, quarter: Quarter | None = None
) -> Outlook:
    """The outlook of valid deals; ``seed`` is that of the draws of ``success``.

    Raises
    ------
    UndatedError
        A quarter is given, and the model has no time-to-close part.
    """
    features = describe_waiting(posterior, deals)
    expected = posterior.flat["unknown_support"].mean(axis=0)
    steps = steps_up(features, posterior.scaling, expected)
    return Outlook(
        coefs=coefficients(posterior.flat, features, seed=posterior.provenance.seed),
        features=features,
        steps=steps,
        worth=worth,
        within=None if quarter is None else _within(posterior, deals, quarter),
        chance=success.draw(len(posterior.flat["unknown_support"]), np.random.default_rng(seed)),
        state=_coverage_states(deals),
        per_step=success.per_step(steps),
    )


def _within(posterior: Posterior, deals: pd.DataFrame, quarter: Quarter) -> Array:
    """(deal, draw) probability that a deal which will be won is won in the quarter.

    A visit moves the odds of winning, and is taken to leave the pace of wins as it is.
    """
    known = column_or_missing(deals, "known_until" if "known_until" in deals else "as_of").max()
    day = None if pd.isna(known) else known.date()

    def by(end: dt.date) -> Array:
        table = outlooks(posterior, deals, same_day(deals, end), day)
        return table.map_blocks(lambda outlook: -np.expm1(-outlook.ahead[0]))

    eve = quarter.start - dt.timedelta(days=1)
    inside = by(quarter.end)
    return np.asarray(inside if day is None or day >= eve else np.maximum(inside - by(eve), 0))


def _coverage_states(deals: pd.DataFrame) -> Array:
    """(deal, role) coverage of each role, a code into ``STATES``; a blank is the last."""
    states = np.full((len(deals), len(ROLES)), len(STATES) - 1)
    for at, role in enumerate(ROLES):
        if f"{role}_coverage" in deals:
            code = pd.Index(COVERAGES).get_indexer(pd.Index(deals[f"{role}_coverage"]))
            states[:, at] = np.where(code < 0, len(STATES) - 1, code)
    return states


def blocks(count: int) -> Iterator[Array]:
    """All rows, a block at a time."""
    return (np.arange(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def set_gains(log_odds: Array, lift: Array, chance: Array, sets: tuple[RoleSet, ...]) -> Array:
    """(set, deal, draw) expected change of win probability by visits to each set of roles.

    Visits succeed independently: ``sum_S P(exactly S move) * (win_prob after S - before)``. A negative chance (a draw
    in which visits lower support) is the same sum, the loss of a step that the gain of one mirrors.

    Parameters
    ----------
    log_odds : (deal, draw)
    lift : (role, deal, draw) of log-odds by one tier up
    chance : (role, deal, draw) probability that a visit moves the role
    """
    before = expit(log_odds)
    moved = {chosen: expit(log_odds + sum(lift[role] for role in chosen)) - before for chosen in sets}
    gains = np.zeros((len(sets), *log_odds.shape), dtype=log_odds.dtype)
    for at, visited in enumerate(sets):
        for size in range(1, len(visited) + 1):
            for succeeded in combinations(visited, size):
                gains[at] += _probability(chance, visited, succeeded) * moved[succeeded]
    return gains


def _probability(chance: Array, visited: RoleSet, succeeded: RoleSet) -> Array:
    """(deal, draw) probability that exactly these of the roles visited move."""
    probability = np.ones_like(chance[0])
    for role in visited:
        probability *= chance[role] if role in succeeded else 1 - chance[role]
    return np.asarray(probability)


def shares(gain: dict[RoleSet, Array], visited: RoleSet) -> dict[int, Array]:
    """Shapley values of the visits of a set: shares that add up to the set's gain, draw by draw (Shapley 1953).

    A visit's share is its marginal gain over the visits before it, averaged over all orders.
    """
    total = len(visited)
    weight = {size: _orders(size, total) for size in range(total)}
    values: dict[int, Array] = {}
    for role in visited:
        others = [other for other in visited if other != role]
        values[role] = np.zeros_like(gain[visited])
        for first in (first for size in range(total) for first in combinations(others, size)):
            without = gain[first] if first else 0.0
            values[role] += weight[len(first)] * (gain[tuple(sorted((*first, role)))] - without)
    return values


def _orders(before: int, total: int) -> float:
    """Shapley weight: the share of all orders in which exactly ``before`` given others precede a visit."""
    factorial = np.cumprod([1, *range(1, total + 1)])
    return float(factorial[before] * factorial[total - before - 1] / factorial[total])
