"""The plan of largest conditional value at risk (CVaR): mean gain in the worst draws, over scenarios.

The mean of the worst scenarios is the minimum of the weighted mean over bounded weights (Rockafellar and Uryasev 2000,
doi 10.21314/JOR.2000.038). At fixed weights the best plan is easy to find and is an upper bound; the duals of a linear
program over some choices give the weights at which missing choices are found (column generation). The program with a
shortfall for each scenario is then solved over these choices, or over all where there are few.
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import linprog

from winprob.actions.visits.duals import dual_bound
from winprob.actions.visits.problem import NO_VISIT, Choices, Problem, Solution, list_choices, visitors, write_rules
from winprob.actions.visits.program import run, with_tail
from winprob.arrays import Array

#: With at most this number of choices all are in the program.
_FEW = 400
_ROUNDS = 30
#: The search ends where the bound falls by less than this share and no choice is added.
_ENOUGH = 1e-3


def solve_tail(problem: Problem, scenarios: Array, risk: float, *, time_limit: float) -> Solution:
    """The plan of largest mean gain in the worst ``1 - risk`` of ``scenarios`` (scenario, deal, set).

    Raises
    ------
    PlanError
        No plan was found with the effort given.
    """
    choices = list_choices(problem, best_only=False)
    if not len(choices):
        return Solution(visitor=np.full(problem.eligible.shape[1:], NO_VISIT), objective=0.0, gap=0.0)
    gains = scenarios[:, choices.deal, choices.at].astype(np.float64)
    bound, considered = np.inf, np.ones(len(choices), dtype=bool)
    if len(choices) > _FEW:
        bound, considered = _search(problem, choices, gains, risk)
    some = choices.take(considered)
    result = run(problem, some, (gains[:, considered], risk), time_limit)
    worth = -float(result.fun)
    bound = min(bound, worth * (1 + float(result.mip_gap or 0.0))) if considered.all() else bound
    gap = max(bound - worth, 0.0) / worth if worth > 0 else 0.0
    return Solution(visitor=visitors(result.x, problem, some), objective=worth, gap=gap if gap > 1e-6 else 0.0)


def tail_weights(totals: Array, risk: float) -> Array:
    """(scenario,) weights whose weighted sum of ``totals`` is the mean of its worst ``1 - risk``."""
    most = 1 / ((1 - risk) * len(totals))
    weights = np.zeros(len(totals))
    before = most * np.arange(len(totals))
    weights[np.argsort(totals, kind="stable")] = np.clip(1 - before, 0, most)
    return weights


def tail_mean(totals: Array, risk: float) -> float:
    """Mean of the worst ``1 - risk`` of ``totals`` (scenario,)."""
    return float(tail_weights(totals, risk) @ totals)


def _search(problem: Problem, choices: Choices, gains: Array, risk: float) -> tuple[float, Array]:
    """An upper bound on the tail mean of any plan, and which choices (choice,) to consider."""
    weights, bound = np.full(len(gains), 1 / len(gains)), np.inf
    few = min(len(choices), 50 + 3 * int(problem.slots.sum()))
    considered = problem.fixed.any(axis=(0, 2))[choices.deal]
    for _ in range(_ROUNDS):
        bounds = dual_bound(problem, replace(choices, gain=weights @ gains))
        improved = bounds.bound < bound * (1 - _ENOUGH)
        bound = min(bound, bounds.bound)
        near = np.argpartition(bounds.loss, few - 1)[:few]
        grown = not considered[near].all()
        considered[near] = True
        if not (improved or grown):
            break
        weights = _scenario_duals(problem, choices.take(considered), gains[:, considered], risk)
    return bound, considered


def _scenario_duals(problem: Problem, choices: Choices, gains: Array, risk: float) -> Array:
    """(scenario,) duals of the scenarios in the linear program over these choices, normalised to weights."""
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
    """(group,) gain in the tail mean of a plan (deal, role) by the best further visit of each group: a lower bound on
    the gain of one slot more, because the other visits stay as they are.
    """
    place = {chosen: at for at, chosen in enumerate(problem.sets)}
    now = {deal: _gain_of(scenarios, place, deal, visitor[deal] != NO_VISIT) for deal in range(len(visitor))}
    total = np.sum(list(now.values()), axis=0)
    base, more = tail_mean(total, risk), np.zeros(len(problem.slots))
    for deal, role in np.argwhere(problem.eligible.any(axis=0) & (visitor == NO_VISIT)):
        wider = visitor[deal] != NO_VISIT
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
    """(group,) which groups may visit the deal's account, given the visits there."""
    there = visitor[problem.account == problem.account[deal]] if problem.account is not None else visitor[:0]
    owner = there[there != NO_VISIT]
    return np.arange(len(problem.slots)) == owner[0] if owner.size else np.ones(len(problem.slots), dtype=bool)
