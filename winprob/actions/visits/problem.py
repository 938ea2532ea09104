"""The assignment problem of visits, and its mixed-integer program: columns (choices) and rows (rules).

A deal is given one set of roles to visit, or none. Executives of one group (alike in whom they may visit) count
together. Visits open to the same groups are not assigned to a group one by one: the number of them that each group
makes is enough, which keeps the program small. Where an account may be visited by one group only, a choice includes
the group that makes all its visits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from winprob.actions.visits.gains import RoleSet, membership
from winprob.arrays import Array

NO_VISIT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The data of the assignment problem.

    Attributes
    ----------
    sets : the sets of roles that may be visited in one deal
    gain : (deal, set) mean gain of each
    eligible : (group, deal, role) who may visit whom
    slots : (group,)
    account : (deal,) codes of accounts where at most one group may visit each, None without that rule
    fixed : (group, deal, role) visits that must be in the plan; no other group is eligible for them
    largest : (group,) the largest number of slots of one executive
    """

    sets: tuple[RoleSet, ...]
    gain: Array
    eligible: Array
    slots: Array
    account: Array | None
    fixed: Array
    largest: Array

    @property
    def possible(self) -> Array:
        """(deal, set) whether a deal may be given the set: an eligible group for each role, no fixed visit left out."""
        member = membership(self.sets)
        able = ~(member[None] & ~self.eligible.any(axis=0)[:, None]).any(axis=2)
        complete = ~(~member[None] & self.fixed.any(axis=0)[:, None]).any(axis=2)
        return np.asarray(able & complete)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A plan.

    Attributes
    ----------
    visitor : (deal, role) the group that visits, ``NO_VISIT`` where none does
    objective : its gain by the problem's mean gains, or its tail mean
    gap : upper bound on the relative optimality gap
    """

    visitor: Array
    objective: float
    gap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Choices: a set of visits for a deal and, with the rule on accounts, the group that makes them.

    Attributes
    ----------
    deal, at, group : (choice,) deal, set, and group, ``NO_VISIT`` without the rule; sorted by group, then deal
    gain, size : (choice,) gain and number of visits
    pattern : (deal, role) code of the groups that may make the visit
    eligible : (pattern, group) the groups of each pattern
    """

    deal: Array
    at: Array
    group: Array
    gain: Array
    size: Array
    pattern: Array
    eligible: Array

    def __len__(self) -> int:
        return len(self.deal)

    def take(self, rows: Array) -> Choices:
        """Some of the choices."""
        return replace(self, **{name: getattr(self, name)[rows] for name in ("deal", "at", "group", "gain", "size")})


def list_choices(problem: Problem, *, best_only: bool) -> Choices:
    """All choices that may be in a plan; with ``best_only``, without those dominated by another."""
    must = problem.fixed.any(axis=(0, 2))[:, None]
    wanted = problem.possible & ((problem.gain > 0) | must)
    able = problem.eligible & (problem.slots > 0)[:, None, None]
    able_flat = able.reshape(len(able), -1).T
    _, first, pattern = np.unique(np.packbits(able_flat, axis=1), axis=0, return_index=True, return_inverse=True)
    member = membership(problem.sets)
    size = member.sum(axis=1)
    wanted &= ~(member[None] & ~able.any(axis=0)[:, None]).any(axis=2)
    if problem.account is None:
        deal, at = np.nonzero(wanted)
        group = np.full(len(deal), NO_VISIT)
    else:
        serves = wanted[None] & ~(member[None, None] & ~able[:, :, None]).any(axis=3)
        serves &= (size <= problem.largest[:, None])[:, None]
        group, deal, at = np.nonzero(_best_of_size(problem.gain, serves, size) if best_only else serves)
    return Choices(
        deal=deal,
        at=at,
        group=group,
        gain=problem.gain[deal, at],
        size=size[at],
        pattern=pattern.reshape(able.shape[1:]),
        eligible=able_flat[first],
    )


def _best_of_size(gain: Array, serves: Array, size: Array) -> Array:
    """(group, deal, set) the best set of each size; one group makes all its visits, so it dominates the others."""
    best = np.zeros_like(serves)
    groups, deals = np.ogrid[: serves.shape[0], : serves.shape[1]]
    for count in np.unique(size):
        sets = np.flatnonzero(size == count)
        offered = np.where(serves[:, :, sets], gain[None][:, :, sets], -np.inf)
        best[groups, deals, sets[offered.argmax(axis=2)]] = True
    return best & serves


def visitors(solution: Array, problem: Problem, choices: Choices) -> Array:
    """(deal, role) the group that visits, in a solution of the program."""
    member, visitor = membership(problem.sets), np.full(problem.eligible.shape[1:], NO_VISIT)
    made = np.flatnonzero(solution[: len(choices)] > 0.5)
    visited = np.zeros(visitor.shape, dtype=bool)
    visited[choices.deal[made]] = member[choices.at[made]]
    if problem.account is not None:
        group_of_deal = np.full(len(visitor), NO_VISIT)
        group_of_deal[choices.deal[made]] = choices.group[made]
        return np.where(visited, group_of_deal[:, None], NO_VISIT)
    pattern, group = np.nonzero(choices.eligible)
    counts = np.rint(solution[len(choices) : len(choices) + len(group)]).astype(int)
    for one in np.unique(choices.pattern[visited]):
        deals, roles = np.nonzero(visited & (choices.pattern == one))
        visitor[deals, roles] = np.repeat(group[pattern == one], counts[pattern == one])
    return visitor


def write_rules(problem: Problem, choices: Choices) -> tuple[Any, Array, Array]:
    """All constraints as rows over the variables, the choices first, with their lower and upper bounds.

    The first rows are one per deal (at most one set) and one per group (its slots).
    """
    return _by_count(problem, choices) if problem.account is None else _by_account(problem, choices)


def _one_set(problem: Problem, choices: Choices) -> tuple[Any, Array, Array]:
    """Each deal has at most one set, exactly one if it has fixed visits."""
    deals, count = problem.eligible.shape[1], len(choices)
    rows = _ones(choices.deal, np.arange(count), (deals, count))
    return rows, problem.fixed.any(axis=(0, 2)).astype(float), np.ones(deals)


def _by_count(problem: Problem, choices: Choices) -> tuple[Any, Array, Array]:
    """Rules over the choices and the number of visits of each pattern that a group makes: these numbers add up to the
    visits chosen, and a group's total is at most its slots.
    """
    one_set, lower, upper = _one_set(problem, choices)
    choice, role = np.nonzero(membership(problem.sets)[choices.at])
    pattern, group = np.nonzero(choices.eligible)
    patterns, counts, groups = len(choices.eligible), np.arange(len(pattern)), len(problem.slots)
    asked = _ones(choices.pattern[choices.deal[choice], role], choice, (patterns, len(choices)))
    made = _ones(pattern, counts, (patterns, len(pattern)))
    spent = _ones(group, counts, (groups, len(pattern)))
    rows = [
        hstack([one_set, _none(one_set.shape[0], len(pattern))]),
        hstack([_none(groups, len(choices)), spent]),
        hstack([-asked, made]),
    ]
    lower = np.concatenate([lower, np.zeros(groups + patterns)])
    return vstack(rows).tocsr(), lower, np.concatenate([upper, problem.slots.astype(float), np.zeros(patterns)])


def _by_account(problem: Problem, choices: Choices) -> tuple[Any, Array, Array]:
    """Rules over the choices and the group assigned to each account that has several deals."""
    one_set, lower, upper = _one_set(problem, choices)
    count, groups = len(choices), len(problem.slots)
    spent = csr_array((choices.size.astype(float), (choices.group, np.arange(count))), shape=(groups, count))
    account = np.zeros(len(problem.gain), dtype=np.int64) if problem.account is None else problem.account
    _, code, shared = np.unique(account, return_inverse=True, return_counts=True)
    several = np.flatnonzero(shared[code[choices.deal]] > 1)
    pairs, pair = np.unique(
        np.stack([choices.group[several], code[choices.deal[several]]]), axis=1, return_inverse=True
    )
    places, place = np.unique(np.stack([choices.group[several], choices.deal[several]]), axis=1, return_inverse=True)
    pair, place, assigned = pair.ravel(), place.ravel(), pairs.shape[1]
    there = _ones(place, several, (places.shape[1], count))
    first = np.unique(place, return_index=True)[1]
    only_if = _ones(np.arange(places.shape[1]), pair[first], (places.shape[1], assigned))
    single = _ones(pairs[1], np.arange(assigned), (len(shared), assigned))
    rows = [
        hstack([one_set, _none(one_set.shape[0], assigned)]),
        hstack([spent, _none(groups, assigned)]),
        hstack([there, -only_if]),
        hstack([_none(len(shared), count), single]),
    ]
    lower = np.concatenate([lower, np.zeros(groups), np.full(places.shape[1], -np.inf), np.zeros(len(shared))])
    upper = np.concatenate([upper, problem.slots.astype(float), np.zeros(places.shape[1]), np.ones(len(shared))])
    return vstack(rows).tocsr(), lower, upper


def _ones(rows: Array, columns: Array, shape: tuple[int, int]) -> Any:
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _none(rows: int, columns: int) -> Any:
    return csr_array((rows, columns))
