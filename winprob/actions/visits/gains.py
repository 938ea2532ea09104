"""Expected gain of visits: beta-binomial success of a visit, and what visits to a set of roles add, draw by draw.

Two moves in one deal do not add up in probability, so the gain of each set of roles that may be visited is computed
over all combinations of visits that succeed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import expit

from winprob.arrays import Array
from winprob.methodology import COVERAGES, ROLES, SUPPORT_TIERS
from winprob.model.features import Features, describe
from winprob.model.posterior import Posterior
from winprob.model.win.lifts import lifts, steps_up
from winprob.model.win.terms import Coefficients, coefficients
from winprob.settings import VisitSettings

RoleSet = tuple[int, ...]

#: Deals in a block: bounds the memory.
BLOCK = 64
#: States of coverage; the last is a blank.
STATES = (*COVERAGES, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """Beta posterior of the probability that a visit moves a role one tier up.

    Attributes
    ----------
    wins, losses : (role, state) the two parameters of each beta
    counted : number of visits it was updated with
    unjudged : number of visits left out because the tier before or after is blank
    at_top : number of visits left out because the role was at the top tier and could not rise
    """

    wins: Array
    losses: Array
    counted: int
    unjudged: int
    at_top: int

    @property
    def mean(self) -> Array:
        """(role, state) posterior mean."""
        return np.asarray(self.wins / (self.wins + self.losses))

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """(role, state, draw) probabilities, independent between cells, float32."""
        shape = (*self.wins.shape, count)
        return rng.beta(self.wins[:, :, None], self.losses[:, :, None], shape).astype(np.float32)


def learn_success(visits: pd.DataFrame | None, settings: VisitSettings) -> Success:
    """The beta posterior of each role and coverage given these visits (valid), in closed form.

    A success is a tier after above the tier before. A visit counts for the role at the coverage it was made at; where
    the log does not record it, for the role at every coverage, which then differ by their priors only.
    """
    prior = np.array([getattr(settings, role) for role in ROLES])
    wins, losses = settings.prior_sample_size * prior, settings.prior_sample_size * (1 - prior)
    if visits is None or visits.empty:
        return Success(wins=wins, losses=losses, counted=0, unjudged=0, at_top=0)
    blank = visits["tier_before"].isna() | visits["tier_after"].isna()
    top = ~blank & (visits["tier_before"] == SUPPORT_TIERS[-1])
    counted = visits[~blank & ~top]
    won = (counted["tier_after"] > counted["tier_before"]).to_numpy()
    return Success(
        wins=wins + _counts(counted[won]),
        losses=losses + _counts(counted[~won]),
        counted=len(counted),
        unjudged=int(blank.sum()),
        at_top=int(top.sum()),
    )


def _counts(visits: pd.DataFrame) -> Array:
    """(role, state) number of visits."""
    counts = np.zeros((len(ROLES), len(STATES)))
    role = pd.Index(ROLES).get_indexer(pd.Index(visits["role"]))
    state = pd.Index(STATES[:-1]).get_indexer(pd.Index(visits["coverage"]))
    known = state >= 0
    np.add.at(counts, (role[known], state[known]), 1)
    np.add.at(counts, role[~known], 1)
    return counts


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
    chance : (role, state, draw) probability that a visit moves the role
    state : (deal, role) coverage of each role, a code into ``STATES``
    """

    coefs: Coefficients
    features: Features
    steps: Array
    worth: Array
    chance: Array
    state: Array

    def gains(self, rows: Array, sets: tuple[RoleSet, ...]) -> Array:
        """(set, deal, draw) gain of each set of visits in these deals' expected worth."""
        lift = lifts(self.coefs, self.features.take(rows), self.steps[rows])
        chance = np.stack([self.chance[role][self.state[rows, role]] for role in range(len(ROLES))])
        added = set_gains(lift.log_odds, lift.log_odds_lift, chance, sets)
        added *= self.worth[rows][:, None].astype(np.float32)
        return added

    def win_prob_lifts(self) -> tuple[Array, Array]:
        """(deal,) mean present win probability, and (deal, role) its lift by a step of each role."""
        before, lift = np.empty(len(self.worth)), np.empty((len(self.worth), len(ROLES)))
        for rows in blocks(len(self.worth)):
            contrast = lifts(self.coefs, self.features.take(rows), self.steps[rows])
            win_prob = expit(contrast.log_odds)
            before[rows] = win_prob.mean(axis=1)
            lift[rows] = (expit(contrast.log_odds + contrast.log_odds_lift) - win_prob).mean(axis=2).T
        return before, lift


def outlook_of(posterior: Posterior, deals: pd.DataFrame, worth: Array, success: Success, seed: int) -> Outlook:
    """The outlook of valid deals; ``seed`` is that of the draws of ``success``."""
    features = describe(deals, posterior.scaling)
    expected = posterior.flat["unknown_support"].mean(axis=0)
    return Outlook(
        coefs=coefficients(posterior.flat, features, seed=posterior.provenance.seed),
        features=features,
        steps=steps_up(features, posterior.scaling, expected),
        worth=worth,
        chance=success.draw(len(posterior.flat["unknown_support"]), np.random.default_rng(seed)),
        state=_coverage_states(deals),
    )


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

    Visits succeed independently: ``sum_S P(exactly S move) * (win_prob after S - before)``.

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
