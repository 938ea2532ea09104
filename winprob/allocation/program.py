"""Which visits add most, within all rules? A mixed-integer program over sets of visits a deal, and who makes them.

A deal is given one set of roles to visit or none; executives of one kind (alike in whom they may visit)
cover the visits.
Deals that cannot be in a best plan are left out beforehand, which changes nothing: see ``worth_keeping``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, vstack

from winprob.allocation.gains import RoleSet, membership
from winprob.catalog import say
from winprob.errors import PlanError

Array = npt.NDArray[Any]

NOBODY = -1
#: Relative distance from the best plan at which the search may stop.
_GAP = 1e-6
_TIMED_OUT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is to be decided.

    Attributes
    ----------
    sets : the sets of roles that may be visited in one deal
    gain : (deal, set) what each adds
    eligible : (kind, deal, role) who may visit whom
    slots : (kind,)
    account : (deal,) codes where one kind at most may go to each account, None where that is no rule
    fixed : (kind, deal, role) visits that must be in the plan
    """

    sets: tuple[RoleSet, ...]
    gain: Array
    eligible: Array
    slots: Array
    account: Array | None
    fixed: Array

    def take(self, deals: Array) -> Problem:
        """The same for some of the deals."""
        account = None if self.account is None else self.account[deals]
        return replace(
            self,
            gain=self.gain[deals],
            eligible=self.eligible[:, deals],
            fixed=self.fixed[:, deals],
            account=account,
        )

    @property
    def possible(self) -> Array:
        """(deal, set) whether a deal may be given the set: somebody for each role, no fixed visit left out."""
        member = membership(self.sets)
        able = ~(member[None] & ~self.eligible.any(axis=0)[:, None]).any(axis=2)
        kept = ~(~member[None] & self.fixed.any(axis=0)[:, None]).any(axis=2)
        return np.asarray(able & kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A plan.

    Attributes
    ----------
    visitor : (deal, role) the kind that visits, ``NOBODY`` where none does
    objective : what it is worth by the problem's gains, or its tail mean
    gap : how far, at most, the best plan may lie above, as a share; 0 unless time ran out
    """

    visitor: Array
    objective: float
    gap: float


def solve(
    problem: Problem, *, time_limit: float, scenarios: Array | None = None, risk: float | None = None
) -> Solution:
    """The plan that adds most, or with ``risk`` the one whose worst scenarios are best.

    Parameters
    ----------
    scenarios : (scenario, deal, set) gains, for ``risk``
    risk : 0..1; of the scenarios the worst ``1 - risk`` count (CVaR, Rockafellar and Uryasev 2000,
        doi 10.21314/JOR.2000.038)

    Raises
    ------
    PlanError
        No plan was found in the time given.
    """
    kept = np.arange(len(problem.gain)) if risk is not None else worth_keeping(problem)
    small = problem.take(kept)
    columns = _Columns.of(small)
    if not len(columns.visit_deal):
        return Solution(visitor=np.full(problem.eligible.shape[1:], NOBODY), objective=0.0, gap=0.0)
    tail = None if risk is None or scenarios is None else (scenarios[:, columns.set_deal, columns.set_at], risk)
    result = _run(small, columns, tail, time_limit)
    visitor = np.full(problem.eligible.shape[1:], NOBODY)
    visitor[kept] = columns.visitors(result.x, small)
    gap = float(result.mip_gap or 0.0) if result.status == _TIMED_OUT else 0.0
    return Solution(visitor=visitor, objective=-float(result.fun) * columns.scale, gap=gap)


def worth_keeping(problem: Problem) -> Array:
    """The deals that a best plan may need.

    Deals in which the same executives may visit a set of roles stand in for each other. If all who may go to any of
    them have ``T`` slots, a plan visits at most ``T`` of them; so the best ``T`` deals of each set do: one beyond
    them in the plan could be replaced by one of them that is not in it. With a rule on accounts the one that replaces
    it must lie in an account that nobody visits: the best deals of as many accounts as there are slots at all.
    """
    kept = problem.fixed.any(axis=(0, 2))
    gain = np.where(problem.possible, problem.gain, -np.inf)
    account = np.arange(len(gain)) if problem.account is None else problem.account
    for at, chosen in enumerate(problem.sets):
        able = np.flatnonzero(gain[:, at] > 0)
        group = _groups(problem.eligible[:, able][:, :, list(chosen)])
        for same in (able[group == one] for one in range(group.max(initial=-1) + 1)):
            who = problem.eligible[:, same].any(axis=(1, 2)) | (problem.account is not None)
            order = same[np.argsort(-gain[same, at], kind="stable")]
            kept[order[: _reach(account[order], int(problem.slots[who].sum()))]] = True
    return np.flatnonzero(kept)


def _groups(eligible: Array) -> Array:
    """(deal,) the same number for deals with the same ``eligible`` (kind, deal, role)."""
    if not eligible.size:
        return np.zeros(0, dtype=np.int64)
    packed = np.packbits(eligible.transpose(1, 0, 2).reshape(eligible.shape[1], -1), axis=1)
    return np.unique(packed, axis=0, return_inverse=True)[1].ravel()


def _reach(accounts: Array, count: int) -> int:
    """How many of these, from the first on, hold ``count`` distinct accounts."""
    if not len(accounts) or not count:
        return 0
    _, first = np.unique(accounts, return_index=True)
    return int(np.sort(first)[count - 1]) + 1 if len(first) >= count else len(accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """The program's unknowns: a set for a deal, a visit by a kind, and (rule on accounts) a kind at an account."""

    set_deal: Array
    set_at: Array
    visit_kind: Array
    visit_deal: Array
    visit_role: Array
    accounts: int
    scale: float

    @staticmethod
    def of(problem: Problem) -> _Columns:
        must = problem.fixed.any(axis=(0, 2))[:, None]
        set_deal, set_at = np.nonzero(problem.possible & ((problem.gain > 0) | must))
        wanted = np.zeros(problem.eligible.shape[1:], dtype=bool)
        np.logical_or.at(wanted, set_deal, membership(problem.sets)[set_at])
        kind, deal, role = np.nonzero(problem.eligible & wanted & (problem.slots > 0)[:, None, None])
        most = float(np.abs(problem.gain[set_deal, set_at]).max(initial=0.0))
        return _Columns(
            set_deal=set_deal,
            set_at=set_at,
            visit_kind=kind,
            visit_deal=deal,
            visit_role=role,
            accounts=0 if problem.account is None else int(problem.account.max(initial=-1)) + 1,
            scale=most or 1.0,
        )

    def visitors(self, solution: Array, problem: Problem) -> Array:
        """(deal, role) the kind that visits."""
        visitor = np.full(problem.eligible.shape[1:], NOBODY)
        start = len(self.set_deal)
        made = solution[start : start + len(self.visit_kind)] > 0.5
        visitor[self.visit_deal[made], self.visit_role[made]] = self.visit_kind[made]
        return visitor


def _run(problem: Problem, columns: _Columns, tail: tuple[Array, float] | None, time_limit: float) -> Any:
    rules, lower, upper = _rules(problem, columns)
    gain = problem.gain[columns.set_deal, columns.set_at] / columns.scale
    unknowns = rules.shape[1]
    worth, floor, ceiling = np.zeros(unknowns), np.zeros(unknowns), np.ones(unknowns)
    whole = np.ones(unknowns)
    start = len(columns.set_deal)
    fixed = problem.fixed[columns.visit_kind, columns.visit_deal, columns.visit_role]
    floor[start : start + len(fixed)] = fixed
    if tail is None:
        worth[: len(gain)] = -gain
    else:
        rules, lower, upper = _with_tail(rules, lower, upper, tail[0] / columns.scale)
        more = rules.shape[1] - unknowns
        share = 1 / ((1 - tail[1]) * len(tail[0]))
        worth = np.concatenate([worth, [-1.0], np.full(more - 1, share)])
        floor = np.concatenate([floor, [-np.inf], np.zeros(more - 1)])
        ceiling = np.concatenate([ceiling, np.full(more, np.inf)])
        whole = np.concatenate([whole, np.zeros(more)])
    result = milp(
        worth,
        integrality=whole,
        bounds=Bounds(floor, ceiling),
        constraints=LinearConstraint(rules, lower, upper),
        options={"time_limit": time_limit, "mip_rel_gap": _GAP},
    )
    if result.x is None:
        raise PlanError(
            say("no plan was found within {seconds:g} seconds; allow more with --time-limit", seconds=time_limit)
        )
    return result


def _rules(problem: Problem, columns: _Columns) -> tuple[Any, Array, Array]:
    """All rules as rows over the unknowns, with their lower and upper bounds."""
    deals, roles = problem.eligible.shape[1:]
    sets, visits = len(columns.set_deal), len(columns.visit_deal)
    single = 0 if problem.account is None else len(problem.slots) * columns.accounts
    one_set = _ones(columns.set_deal, np.arange(sets), (deals, sets))
    chosen, role = np.nonzero(membership(problem.sets)[columns.set_at])
    asked = _ones(columns.set_deal[chosen] * roles + role, chosen, (deals * roles, sets))
    made = _ones(columns.visit_deal * roles + columns.visit_role, np.arange(visits), (deals * roles, visits))
    spent = _ones(columns.visit_kind, np.arange(visits), (len(problem.slots), visits))
    must = problem.fixed.any(axis=(0, 2)).astype(float)
    rows = [
        hstack([one_set, _none(deals, visits + single)]),
        hstack([-asked, made, _none(deals * roles, single)]),
        hstack([_none(len(problem.slots), sets), spent, _none(len(problem.slots), single)]),
    ]
    lower = [must, np.zeros(deals * roles), np.zeros(len(problem.slots))]
    upper = [np.ones(deals), np.zeros(deals * roles), problem.slots.astype(float)]
    if problem.account is not None:
        place = columns.visit_kind * columns.accounts + problem.account[columns.visit_deal]
        there = _ones(np.arange(visits), place, (visits, single))
        by_account = _ones(
            np.tile(np.arange(columns.accounts), len(problem.slots)), np.arange(single), (columns.accounts, single)
        )
        rows.append(
            hstack([_none(visits, sets), _ones(np.arange(visits), np.arange(visits), (visits, visits)), -there])
        )
        rows.append(hstack([_none(columns.accounts, sets + visits), by_account]))
        lower += [np.full(visits, -np.inf), np.zeros(columns.accounts)]
        upper += [np.zeros(visits), np.ones(columns.accounts)]
    return vstack(rows).tocsr(), np.concatenate(lower), np.concatenate(upper)


def _with_tail(rules: Any, lower: Array, upper: Array, gains: Array) -> tuple[Any, Array, Array]:
    """The rules with a level and each scenario's shortfall below it: ``level - gain - shortfall <= 0``."""
    count, sets = gains.shape
    before = hstack([rules, _none(rules.shape[0], 1 + count)])
    rest = _none(count, rules.shape[1] - sets)
    level = csr_array(np.ones((count, 1)))
    shortfall = _ones(np.arange(count), np.arange(count), (count, count))
    tail = hstack([csr_array(-gains.astype(float)), rest, level, -shortfall])
    return vstack([before, tail]).tocsr(), np.append(lower, np.full(count, -np.inf)), np.append(upper, np.zeros(count))


def _ones(rows: Array, columns: Array, shape: tuple[int, int]) -> Any:
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _none(rows: int, columns: int) -> Any:
    return csr_array((rows, columns))
