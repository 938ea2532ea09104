"""Which choices make a plan, and which rules do they obey? The columns and rows of the mixed-integer program.

A deal is given one set of roles to visit, or none. Executives of one kind (alike in whom they may visit) count
together.
Visits that the same kinds may make need no name of their own: how many of them each kind makes is enough, so that the
program stays small. Where an account may see one kind only, a set comes with the kind that makes all its visits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from winprob.actions.visits.gains import membership
from winprob.actions.visits.problem import NOBODY, Problem
from winprob.arrays import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A set of visits for a deal, and (rule on accounts) the kind that makes them.

    Attributes
    ----------
    deal, at, kind : (choice,) deal, set, and kind; ``NOBODY`` where kinds are settled by how many visits each makes;
        sorted by kind, then deal
    gain, size : (choice,) what it adds, how many visits it is
    pattern : (deal, role) visits that the same kinds may make have the same number
    servants : (pattern, kind) who they are
    """

    deal: Array
    at: Array
    kind: Array
    gain: Array
    size: Array
    pattern: Array
    servants: Array

    def __len__(self) -> int:
        return len(self.deal)

    def take(self, kept: Array) -> Choices:
        """Some of the choices."""
        return replace(self, **{name: getattr(self, name)[kept] for name in ("deal", "at", "kind", "gain", "size")})


def list_choices(problem: Problem, *, best_only: bool) -> Choices:
    """All choices that may be in a plan; with ``best_only``, those that are never better than another are left out."""
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
        kind = np.full(len(deal), NOBODY)
    else:
        serves = wanted[None] & ~(member[None, None] & ~able[:, :, None]).any(axis=3)
        serves &= (size <= problem.largest[:, None])[:, None]
        kind, deal, at = np.nonzero(_best_of_size(problem.gain, serves, size) if best_only else serves)
    return Choices(
        deal=deal,
        at=at,
        kind=kind,
        gain=problem.gain[deal, at],
        size=size[at],
        pattern=pattern.reshape(able.shape[1:]),
        servants=able_flat[first],
    )


def _best_of_size(gain: Array, serves: Array, size: Array) -> Array:
    """(kind, deal, set) the best set of each size: all its visits are one kind's, so no other needs a look."""
    best = np.zeros_like(serves)
    kinds, deals = np.ogrid[: serves.shape[0], : serves.shape[1]]
    for count in np.unique(size):
        sets = np.flatnonzero(size == count)
        offered = np.where(serves[:, :, sets], gain[None][:, :, sets], -np.inf)
        best[kinds, deals, sets[offered.argmax(axis=2)]] = True
    return best & serves


def visitors(solution: Array, problem: Problem, choices: Choices) -> Array:
    """(deal, role) the kind that visits, in a solution of the program."""
    member, visitor = membership(problem.sets), np.full(problem.eligible.shape[1:], NOBODY)
    made = np.flatnonzero(solution[: len(choices)] > 0.5)
    visited = np.zeros(visitor.shape, dtype=bool)
    visited[choices.deal[made]] = member[choices.at[made]]
    if problem.account is not None:
        kind_of_deal = np.full(len(visitor), NOBODY)
        kind_of_deal[choices.deal[made]] = choices.kind[made]
        return np.where(visited, kind_of_deal[:, None], NOBODY)
    pattern, kind = np.nonzero(choices.servants)
    counts = np.rint(solution[len(choices) : len(choices) + len(kind)]).astype(int)
    for one in np.unique(choices.pattern[visited]):
        deals, roles = np.nonzero(visited & (choices.pattern == one))
        visitor[deals, roles] = np.repeat(kind[pattern == one], counts[pattern == one])
    return visitor


def write_rules(problem: Problem, choices: Choices) -> tuple[Any, Array, Array]:
    """All rules as rows over the unknowns, the choices first, with their lower and upper bounds.

    The rows begin with one a deal (one set at most) and one a kind (its slots).
    """
    return _by_count(problem, choices) if problem.account is None else _by_account(problem, choices)


def _one_set(problem: Problem, choices: Choices) -> tuple[Any, Array, Array]:
    """A deal has one set at most, one with agreed visits has one."""
    deals, count = problem.eligible.shape[1], len(choices)
    rows = _ones(choices.deal, np.arange(count), (deals, count))
    return rows, problem.fixed.any(axis=(0, 2)).astype(float), np.ones(deals)


def _by_count(problem: Problem, choices: Choices) -> tuple[Any, Array, Array]:
    """Rules over the choices, then over how many visits of each pattern a kind makes: as many as are chosen, and no
    more in all than it has slots.
    """
    one_set, lower, upper = _one_set(problem, choices)
    choice, role = np.nonzero(membership(problem.sets)[choices.at])
    pattern, kind = np.nonzero(choices.servants)
    patterns, counts, kinds = len(choices.servants), np.arange(len(pattern)), len(problem.slots)
    asked = _ones(choices.pattern[choices.deal[choice], role], choice, (patterns, len(choices)))
    made = _ones(pattern, counts, (patterns, len(pattern)))
    spent = _ones(kind, counts, (kinds, len(pattern)))
    rows = [
        hstack([one_set, _none(one_set.shape[0], len(pattern))]),
        hstack([_none(kinds, len(choices)), spent]),
        hstack([-asked, made]),
    ]
    lower = np.concatenate([lower, np.zeros(kinds + patterns)])
    return vstack(rows).tocsr(), lower, np.concatenate([upper, problem.slots.astype(float), np.zeros(patterns)])


def _by_account(problem: Problem, choices: Choices) -> tuple[Any, Array, Array]:
    """Rules over the choices, then over which kind goes to each account that has several deals."""
    one_set, lower, upper = _one_set(problem, choices)
    count, kinds = len(choices), len(problem.slots)
    spent = csr_array((choices.size.astype(float), (choices.kind, np.arange(count))), shape=(kinds, count))
    account = np.zeros(len(problem.gain), dtype=np.int64) if problem.account is None else problem.account
    _, code, shared = np.unique(account, return_inverse=True, return_counts=True)
    several = np.flatnonzero(shared[code[choices.deal]] > 1)
    pairs, pair = np.unique(np.stack([choices.kind[several], code[choices.deal[several]]]), axis=1, return_inverse=True)
    places, place = np.unique(np.stack([choices.kind[several], choices.deal[several]]), axis=1, return_inverse=True)
    pair, place, goes = pair.ravel(), place.ravel(), pairs.shape[1]
    there = _ones(place, several, (places.shape[1], count))
    first = np.unique(place, return_index=True)[1]
    only_if = _ones(np.arange(places.shape[1]), pair[first], (places.shape[1], goes))
    single = _ones(pairs[1], np.arange(goes), (len(shared), goes))
    rows = [
        hstack([one_set, _none(one_set.shape[0], goes)]),
        hstack([spent, _none(kinds, goes)]),
        hstack([there, -only_if]),
        hstack([_none(len(shared), count), single]),
    ]
    lower = np.concatenate([lower, np.zeros(kinds), np.full(places.shape[1], -np.inf), np.zeros(len(shared))])
    upper = np.concatenate([upper, problem.slots.astype(float), np.zeros(places.shape[1]), np.ones(len(shared))])
    return vstack(rows).tocsr(), lower, upper


def _ones(rows: Array, columns: Array, shape: tuple[int, int]) -> Any:
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _none(rows: int, columns: int) -> Any:
    return csr_array((rows, columns))
