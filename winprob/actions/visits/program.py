"""The mixed-integer program of visits, for mean gains and for each posterior draw, solved by HiGHS.

It is solved over the choices of smallest loss at good duals. The gain of that plan bounds the loss of any other choice
in a better plan; if there are such choices, they are added and it is solved again. So the plan is optimal over all
choices.

The best plan of each draw gives regret and the share of draws that agree with a visit. With one group of executives and
no fixed visit, dynamic programming over deals finds it for all draws at once; otherwise each draw is a program of its
own, for as many draws as the effort allows.

Effort is counted in steps of the search (nodes of the tree, programs solved), never by the clock: the same data, seed
and effort give the same plan on any machine. It is given in seconds of a usual one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, vstack

from winprob.actions.visits.duals import dual_bound
from winprob.actions.visits.gains import membership
from winprob.actions.visits.problem import NO_VISIT, Choices, Problem, Solution, list_choices, visitors, write_rules
from winprob.arrays import Array
from winprob.errors import PlanError
from winprob.i18n import gettext

#: Relative optimality gap at which the search may stop.
_GAP = 1e-6
_OPTIMAL = 0
#: Steps per second of effort: nodes of the program by mean gains, of that of the worst draws, and programs solved.
_NODES, _TAIL_NODES, PROGRAMS = 100, 1, 10


def solve(problem: Problem, *, time_limit: float) -> Solution:
    """The plan of largest mean gain.

    Raises
    ------
    PlanError
        No plan was found with the effort given.
    """
    choices = list_choices(problem, best_only=True)
    if not len(choices):
        return Solution(visitor=np.full(problem.eligible.shape[1:], NO_VISIT), objective=0.0, gap=0.0)
    left, bounds = time_limit, dual_bound(problem, choices)
    must = problem.fixed.any(axis=(0, 2))[choices.deal]
    few = min(len(choices), 50 + 5 * int(problem.slots.sum()))
    reach = float(np.partition(bounds.loss, few - 1)[few - 1])
    while True:
        considered = choices.take((bounds.loss <= reach) | must)
        result = run(problem, considered, None, left)
        left = max(left - float(result.mip_node_count or 0) / _NODES, 1 / _NODES)
        worth = -float(result.fun)
        needed = (bounds.bound - worth) * (1 + 1e-9) + 1e-12
        if result.status != _OPTIMAL:
            gap = max(needed / max(worth, 1e-300), 0.0)
            break
        if needed <= reach or len(considered) == len(choices):
            gap = 0.0
            break
        reach = needed
    return Solution(visitor=visitors(result.x, problem, considered), objective=worth, gap=gap)


def run(problem: Problem, choices: Choices, tail: tuple[Array, float] | None, time_limit: float) -> Any:
    """The program's solution by HiGHS; gains are scaled, so that its tolerances do not depend on the currency.

    Parameters
    ----------
    tail : gains (scenario, choice) and risk, to maximise the mean of the worst scenarios instead of that of all

    Raises
    ------
    PlanError
        No plan was found with the effort given.
    """
    scale = float(np.abs(choices.gain).max()) or 1.0
    rules, lower, upper = write_rules(problem, choices)
    variables = rules.shape[1]
    worth, floor, ceiling, whole = (
        np.zeros(variables),
        np.zeros(variables),
        np.full(variables, np.inf),
        np.ones(variables),
    )
    ceiling[: len(choices)] = 1
    if tail is None:
        worth[: len(choices)] = -choices.gain / scale
    else:
        rules, lower, upper = with_tail(rules, lower, upper, tail[0] / scale)
        count = len(tail[0])
        worth = np.concatenate([worth, [-1.0], np.full(count, 1 / ((1 - tail[1]) * count))])
        floor = np.concatenate([floor, [-np.inf], np.zeros(count)])
        ceiling = np.concatenate([ceiling, np.full(count + 1, np.inf)])
        whole = np.concatenate([whole, np.zeros(count + 1)])
    result = milp(
        worth,
        integrality=whole,
        bounds=Bounds(floor, ceiling),
        constraints=LinearConstraint(rules, lower, upper),
        options={"node_limit": math.ceil(time_limit * (_NODES if tail is None else _TAIL_NODES)), "mip_rel_gap": _GAP},
    )
    if result.x is None:
        raise PlanError(
            gettext(
                "no plan was found with the effort of {seconds:g} seconds; allow more with --time-limit",
                seconds=time_limit,
            )
        )
    result.fun *= scale
    return result


def with_tail(rules: Any, lower: Array, upper: Array, gains: Array) -> tuple[Any, Array, Array]:
    """The rules extended by a level and each scenario's shortfall below it: ``level - gain - shortfall <= 0``."""
    count, sets = gains.shape
    before = hstack([rules, _none(rules.shape[0], 1 + count)])
    rest = _none(count, rules.shape[1] - sets)
    level = csr_array(np.ones((count, 1)))
    shortfall = csr_array(np.eye(count))
    tail = hstack([csr_array(-gains.astype(float)), rest, level, -shortfall])
    return vstack([before, tail]).tocsr(), np.append(lower, np.full(count, -np.inf)), np.append(upper, np.zeros(count))


def _none(rows: int, columns: int) -> Any:
    return csr_array((rows, columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class BestByDraw:
    """The best plan of each draw.

    Attributes
    ----------
    visited : (draw, deal, role)
    worth : (draw,) its gain in its draw
    """

    visited: Array
    worth: Array

    @property
    def share(self) -> Array:
        """(deal, role) share of draws whose best plan makes the visit."""
        return np.asarray(self.visited.mean(axis=0)) if len(self.worth) else np.full(self.visited.shape[1:], np.nan)


def best_by_draw(problem: Problem, gains: Array, *, seconds: float, follow: Callable[[float], None]) -> BestByDraw:
    """The best plan of each draw of ``gains`` (draw, deal, set); of the first of them that effort allows."""
    if len(problem.slots) == 1 and problem.account is None and not problem.fixed.any():
        return _by_recursion(problem, gains)
    gains = gains[: int(seconds * PROGRAMS)]
    visited = np.zeros((len(gains), *problem.eligible.shape[1:]), dtype=bool)
    worth: list[float] = []
    for at, gain in enumerate(gains):
        solution = _solved(replace(problem, gain=gain.astype(np.float64)), seconds)
        if solution is None:
            break
        visited[at] = solution.visitor >= 0
        worth.append(solution.objective)
        follow((at + 1) / len(gains))
    return BestByDraw(visited=visited[: len(worth)], worth=np.array(worth))


def _solved(problem: Problem, seconds: float) -> Solution | None:
    """The best plan, None if it is not proven with the effort."""
    try:
        solution = solve(problem, time_limit=seconds)
    except PlanError:
        return None
    return solution if solution.gap == 0 else None


def _by_recursion(problem: Problem, gains: Array) -> BestByDraw:
    """Dynamic programming over deals and the number of slots spent: exact, for all draws at once."""
    member, slots = membership(problem.sets), int(problem.slots[0])
    size, draws = member.sum(axis=1), len(gains)
    offered = np.where(problem.possible, gains, 0)
    most = int(size.max())
    best = np.stack([offered[:, :, size == n].max(axis=2, initial=0) for n in range(1, most + 1)])
    which = np.stack([np.flatnonzero(size == n)[offered[:, :, size == n].argmax(axis=2)] for n in range(1, most + 1)])
    worth = np.zeros((draws, slots + 1))
    spent = np.zeros((gains.shape[1], draws, slots + 1), dtype=np.int8)
    for deal in range(gains.shape[1]):
        before = worth.copy()
        for n in range(1, min(most, slots) + 1):
            tried = before[:, : slots + 1 - n] + best[n - 1, :, deal, None]
            better = tried > worth[:, n:]
            worth[:, n:][better] = tried[better]
            spent[deal, :, n:][better] = n
    return BestByDraw(visited=_walk_back(spent, which, member), worth=worth[:, -1])


def _walk_back(spent: Array, which: Array, member: Array) -> Array:
    """(draw, deal, role) the visits of the best plan, by backtracking."""
    deals, draws, slots = spent.shape
    left, every_draw = np.full(draws, slots - 1), np.arange(draws)
    visited = np.zeros((draws, deals, member.shape[1]), dtype=bool)
    for deal in reversed(range(deals)):
        used = spent[deal, every_draw, left]
        some = np.flatnonzero(used)
        visited[some, deal] = member[which[used[some] - 1, some, deal]]
        left = left - used
    return visited
