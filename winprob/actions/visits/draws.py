"""What would the best plan be in each draw of the posterior? For how sure a choice is, and for regret.

Where all executives are of one kind and nothing is fixed, a dynamic program over deals finds it for all draws at once.
Otherwise each draw is a mixed-integer program of its own, for as many draws as time allows.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from winprob.actions.visits.gains import membership
from winprob.actions.visits.problem import Problem, Solution
from winprob.actions.visits.program import solve
from winprob.arrays import Array
from winprob.errors import PlanError


@dataclass(frozen=True, slots=True, kw_only=True)
class BestByDraw:
    """The best plan of each draw.

    Attributes
    ----------
    visited : (draw, deal, role)
    worth : (draw,) what it adds in its draw
    """

    visited: Array
    worth: Array

    @property
    def share(self) -> Array:
        """(deal, role) the share of draws whose best plan makes the visit."""
        return np.asarray(self.visited.mean(axis=0)) if len(self.worth) else np.full(self.visited.shape[1:], np.nan)


def best_by_draw(problem: Problem, gains: Array, *, seconds: float, follow: Callable[[float], None]) -> BestByDraw:
    """The best plan of each draw of ``gains`` (draw, deal, set); of the first few if time runs out."""
    if len(problem.slots) == 1 and problem.account is None and not problem.fixed.any():
        return _by_recursion(problem, gains)
    start = time.perf_counter()
    visited = np.zeros((len(gains), *problem.eligible.shape[1:]), dtype=bool)
    worth: list[float] = []
    for at, gain in enumerate(gains):
        left = seconds - (time.perf_counter() - start)
        solution = _solved(replace(problem, gain=gain.astype(np.float64)), left)
        if solution is None:
            break
        visited[at] = solution.visitor >= 0
        worth.append(solution.objective)
        follow((at + 1) / len(gains))
    return BestByDraw(visited=visited[: len(worth)], worth=np.array(worth))


def _solved(problem: Problem, seconds: float) -> Solution | None:
    """The best plan, None if it is not found in time."""
    if seconds <= 0:
        return None
    try:
        solution = solve(problem, time_limit=seconds)
    except PlanError:
        return None
    return solution if solution.gap == 0 else None


def _by_recursion(problem: Problem, gains: Array) -> BestByDraw:
    """Deal after deal, the most that each number of slots can add: exact, every draw side by side."""
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
    """(draw, deal, role) the visits that led to the most."""
    deals, draws, slots = spent.shape
    left, everyone = np.full(draws, slots - 1), np.arange(draws)
    visited = np.zeros((draws, deals, member.shape[1]), dtype=bool)
    for deal in reversed(range(deals)):
        used = spent[deal, everyone, left]
        some = np.flatnonzero(used)
        visited[some, deal] = member[which[used[some] - 1, some, deal]]
        left = left - used
    return visited
