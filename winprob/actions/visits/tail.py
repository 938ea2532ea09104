"""Which plan is best in the worst draws? The conditional value at risk of expected bookings, over scenarios.

The mean of the worst scenarios is the least mean under any weights that none of them exceeds (Rockafellar and Uryasev
2000, doi 10.21314/JOR.2000.038). At fixed weights the best plan is easy to find and bounds the answer from above; the
weights that a linear program over some choices ends with tell which choices are missing (column generation). The
program with a shortfall for each scenario is then solved over these; where there are few choices, over all of them.
"""

import time
from dataclasses import replace

import numpy as np
from scipy.optimize import linprog

from winprob.actions.visits.choices import Choices, list_choices, visitors, write_rules
from winprob.actions.visits.duals import price
from winprob.actions.visits.problem import NOBODY, Problem, Solution
from winprob.actions.visits.program import run, with_tail
from winprob.arrays import Array

#: With no more choices than this all are in the one program.
_FEW = 400
_ROUNDS = 30
#: Where the bound falls by less than this share, and no new choice looks good, the weights are good enough.
_ENOUGH = 1e-3
#: Share of the time for finding the choices that matter.
_SEARCHING = 0.4


def solve_tail(problem: Problem, scenarios: Array, risk: float, *, time_limit: float) -> Solution:
    """The plan whose mean gain in the worst ``1 - risk`` of ``scenarios`` (scenario, deal, set) is best.

    Raises
    ------
    PlanError
        No plan was found in the time given.
    """
    start, choices = time.perf_counter(), list_choices(problem, best_only=False)
    if not len(choices):
        return Solution(visitor=np.full(problem.eligible.shape[1:], NOBODY), objective=0.0, gap=0.0)
    gains = scenarios[:, choices.deal, choices.at].astype(np.float64)
    bound, kept = np.inf, np.ones(len(choices), dtype=bool)
    if len(choices) > _FEW:
        bound, kept = _search(problem, choices, gains, risk, time_limit * _SEARCHING)
    left = max(time_limit - (time.perf_counter() - start), 0.1)
    some = choices.take(kept)
    result = run(problem, some, (gains[:, kept], risk), left)
    worth = -float(result.fun)
    bound = min(bound, worth * (1 + float(result.mip_gap or 0.0))) if kept.all() else bound
    gap = max(bound - worth, 0.0) / worth if worth > 0 else 0.0
    return Solution(visitor=visitors(result.x, problem, some), objective=worth, gap=gap if gap > 1e-6 else 0.0)


def tail_weights(totals: Array, risk: float) -> Array:
    """(scenario,) weights under which the mean of ``totals`` is that of its worst ``1 - risk``."""
    most = 1 / ((1 - risk) * len(totals))
    weights = np.zeros(len(totals))
    before = most * np.arange(len(totals))
    weights[np.argsort(totals, kind="stable")] = np.clip(1 - before, 0, most)
    return weights


def tail_mean(totals: Array, risk: float) -> float:
    """Mean of the worst ``1 - risk`` of ``totals`` (scenario,)."""
    return float(tail_weights(totals, risk) @ totals)


def _search(problem: Problem, choices: Choices, gains: Array, risk: float, seconds: float) -> tuple[float, Array]:
    """A bound on the tail mean of any plan, and the choices (choice,) that a good one may need."""
    started, weights, bound = time.perf_counter(), np.full(len(gains), 1 / len(gains)), np.inf
    few = min(len(choices), 50 + 3 * int(problem.slots.sum()))
    kept = problem.fixed.any(axis=(0, 2))[choices.deal]
    for _ in range(_ROUNDS):
        priced = price(problem, replace(choices, gain=weights @ gains))
        improved = priced.bound < bound * (1 - _ENOUGH)
        bound = min(bound, priced.bound)
        near = np.argpartition(priced.loss, few - 1)[:few]
        grown = not kept[near].all()
        kept[near] = True
        if not (improved or grown) or time.perf_counter() - started > seconds:
            break
        weights = _scenario_prices(problem, choices.take(kept), gains[:, kept], risk)
    return bound, kept


def _scenario_prices(problem: Problem, choices: Choices, gains: Array, risk: float) -> Array:
    """(scenario,) the weights with which the linear program over these choices ends."""
    count, scale = len(gains), float(np.abs(gains).max()) or 1.0
    rules, lower, upper = with_tail(*write_rules(problem, choices), gains / scale)
    before = rules.shape[1] - count - 1
    worth = np.concatenate([np.zeros(before), [-1.0], np.full(count, 1 / ((1 - risk) * count))])
    even = lower == upper
    even[: problem.eligible.shape[1] + len(problem.slots)] = False
    limits = np.column_stack([np.where(np.arange(len(worth)) == before, -np.inf, 0), np.full(len(worth), np.inf)])
    equal = (rules[even], upper[even]) if even.any() else ()
    result = linprog(worth, rules[~even], upper[~even], *equal, bounds=limits)
    weights = np.maximum(-result.ineqlin.marginals[-count:], 0)
    return np.asarray(weights / weights.sum())


def one_visit_more(problem: Problem, scenarios: Array, visitor: Array, risk: float) -> Array:
    """(kind,) what the best further visit by each adds to the tail mean of a plan (deal, role); a full search for one
    slot more could only find more.
    """
    place = {chosen: at for at, chosen in enumerate(problem.sets)}
    now = {deal: _gain_of(scenarios, place, deal, visitor[deal] != NOBODY) for deal in range(len(visitor))}
    total = np.sum(list(now.values()), axis=0)
    base, more = tail_mean(total, risk), np.zeros(len(problem.slots))
    for deal, role in np.argwhere(problem.eligible.any(axis=0) & (visitor == NOBODY)):
        wider = visitor[deal] != NOBODY
        wider[role] = True
        if tuple(np.flatnonzero(wider).tolist()) not in place:
            continue
        added = tail_mean(total - now[deal] + _gain_of(scenarios, place, deal, wider), risk) - base
        able = problem.eligible[:, deal, role] & _may_enter(problem, visitor, deal)
        more = np.where(able, np.maximum(more, added), more)
    return more


def _gain_of(scenarios: Array, place: dict[tuple[int, ...], int], deal: int, visited: Array) -> Array:
    chosen = tuple(np.flatnonzero(visited).tolist())
    return scenarios[:, deal, place[chosen]].astype(np.float64) if chosen else np.zeros(len(scenarios))


def _may_enter(problem: Problem, visitor: Array, deal: int) -> Array:
    """(kind,) who may go to the deal's account, given who goes there already."""
    there = visitor[problem.account == problem.account[deal]] if problem.account is not None else visitor[:0]
    owner = there[there != NOBODY]
    return np.arange(len(problem.slots)) == owner[0] if owner.size else np.ones(len(problem.slots), dtype=bool)
