"""What do visits to some roles of a deal add together? Exact over who moves and who does not, draw by draw.

Two moves in one deal do not add up in probability, so each set of roles that may be visited is worked out whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import expit

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Features
from winprob.model.win.lifts import lifts
from winprob.model.win.terms import Coefficients

RoleSet = tuple[int, ...]

#: Deals worked on at a time: bounds the memory.
BLOCK = 64


def role_sets(most: int) -> tuple[RoleSet, ...]:
    """Every set of 1 to ``most`` roles, by size; a set is roles' places in order."""
    return tuple(chosen for size in range(1, most + 1) for chosen in combinations(range(len(ROLES)), size))


def membership(sets: tuple[RoleSet, ...]) -> Array:
    """(set, role) whether the set visits the role."""
    member = np.zeros((len(sets), len(ROLES)), dtype=bool)
    for at, chosen in enumerate(sets):
        member[at, list(chosen)] = True
    return member


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """All that a gain is worked out from.

    Attributes
    ----------
    worth : (deal,) what a win is worth
    chance : (role, state, draw) that a visit moves the role
    state : (deal, role) how far each role is covered
    """

    by: Coefficients
    features: Features
    steps: Array
    worth: Array
    chance: Array
    state: Array

    def gains(self, rows: Array, sets: tuple[RoleSet, ...]) -> Array:
        """(set, deal, draw) what each set of visits adds to these deals' expected worth."""
        lift = lifts(self.by, self.features.take(rows), self.steps[rows])
        chance = np.stack([self.chance[role][self.state[rows, role]] for role in range(len(ROLES))])
        added = set_gains(lift.log_odds, lift.log_odds_lift, chance, sets)
        added *= self.worth[rows][:, None].astype(np.float32)
        return added

    def win_prob_lifts(self) -> tuple[Array, Array]:
        """(deal,) mean win probability as it is, and (deal, role) what a step of each role adds to it."""
        before, lift = np.empty(len(self.worth)), np.empty((len(self.worth), len(ROLES)))
        for rows in blocks(len(self.worth)):
            found = lifts(self.by, self.features.take(rows), self.steps[rows])
            chance = expit(found.log_odds)
            before[rows] = chance.mean(axis=1)
            lift[rows] = (expit(found.log_odds + found.log_odds_lift) - chance).mean(axis=2).T
        return before, lift


def blocks(count: int) -> Iterator[Array]:
    """All rows, some at a time."""
    return (np.arange(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def set_gains(log_odds: Array, lift: Array, chance: Array, sets: tuple[RoleSet, ...]) -> Array:
    """(set, deal, draw) expected change of win probability by visits to each set of roles.

    Over which of the visits succeed, each on its own: ``sum_S P(exactly S move) * (win_prob after S - before)``.

    Parameters
    ----------
    log_odds : (deal, draw)
    lift : (role, deal, draw) what one tier more adds to the log-odds
    chance : (role, deal, draw) that a visit moves the role
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
    """(deal, draw) that of the roles visited exactly these move."""
    probability = np.ones_like(chance[0])
    for role in visited:
        probability *= chance[role] if role in succeeded else 1 - chance[role]
    return np.asarray(probability)


def shares(gain: dict[RoleSet, Array], visited: RoleSet) -> dict[int, Array]:
    """What each visit contributes to the set's gain, draw by draw: shares that add up to it (Shapley 1953).

    A visit's share is what it adds to those already made, averaged over the orders in which they might be made.
    """
    total = len(visited)
    weight = {size: _orders(size, total) for size in range(total)}
    found: dict[int, Array] = {}
    for role in visited:
        others = [other for other in visited if other != role]
        found[role] = np.zeros_like(gain[visited])
        for first in (first for size in range(total) for first in combinations(others, size)):
            without = gain[first] if first else 0.0
            found[role] += weight[len(first)] * (gain[tuple(sorted((*first, role)))] - without)
    return found


def _orders(before: int, total: int) -> float:
    """The share of all orders in which one visit comes after just these ``before`` others."""
    factorial = np.cumprod([1, *range(1, total + 1)])
    return float(factorial[before] * factorial[total - before - 1] / factorial[total])
