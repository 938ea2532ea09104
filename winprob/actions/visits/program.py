"""Which visits add most, within all rules? A mixed-integer program, solved over the choices that can be in a best plan.

First with few choices, the best at good prices. What that adds shows which others could still be in a better plan; if
there are any, they are added and it is solved again. So the plan is as good as over all choices.
"""

import time
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, vstack

from winprob.actions.visits.choices import Choices, list_choices, visitors, write_rules
from winprob.actions.visits.duals import price
from winprob.actions.visits.problem import NOBODY, Problem, Solution
from winprob.arrays import Array
from winprob.errors import PlanError
from winprob.i18n import gettext

#: Relative distance from the best plan at which the search may stop.
_GAP = 1e-6
_TIMED_OUT = 1


def solve(problem: Problem, *, time_limit: float) -> Solution:
    """The plan that adds most in the mean.

    Raises
    ------
    PlanError
        No plan was found in the time given.
    """
    choices = list_choices(problem, best_only=True)
    if not len(choices):
        return Solution(visitor=np.full(problem.eligible.shape[1:], NOBODY), objective=0.0, gap=0.0)
    start, priced = time.perf_counter(), price(problem, choices)
    must = problem.fixed.any(axis=(0, 2))[choices.deal]
    few = min(len(choices), 50 + 5 * int(problem.slots.sum()))
    reach = float(np.partition(priced.loss, few - 1)[few - 1])
    while True:
        kept = choices.take((priced.loss <= reach) | must)
        result = run(problem, kept, None, max(time_limit - (time.perf_counter() - start), 0.1))
        worth = -float(result.fun)
        needed = (priced.bound - worth) * (1 + 1e-9) + 1e-12
        if result.status == _TIMED_OUT:
            gap = max(needed / max(worth, 1e-300), 0.0)
            break
        if needed <= reach or len(kept) == len(choices):
            gap = 0.0
            break
        reach = needed
    return Solution(visitor=visitors(result.x, problem, kept), objective=worth, gap=gap)


def run(problem: Problem, choices: Choices, tail: tuple[Array, float] | None, time_limit: float) -> Any:
    """The program's solution by HiGHS; gains are scaled, so that its tolerances mean the same in any currency.

    Parameters
    ----------
    tail : gains (scenario, choice) and risk, where the mean of the worst scenarios is to be large, not that of all

    Raises
    ------
    PlanError
        No plan was found in the time given.
    """
    scale = float(np.abs(choices.gain).max()) or 1.0
    rules, lower, upper = write_rules(problem, choices)
    unknowns = rules.shape[1]
    worth, floor, ceiling, whole = np.zeros(unknowns), np.zeros(unknowns), np.full(unknowns, np.inf), np.ones(unknowns)
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
        options={"time_limit": time_limit, "mip_rel_gap": _GAP},
    )
    if result.x is None:
        raise PlanError(
            gettext("no plan was found within {seconds:g} seconds; allow more with --time-limit", seconds=time_limit)
        )
    result.fun *= scale
    return result


def with_tail(rules: Any, lower: Array, upper: Array, gains: Array) -> tuple[Any, Array, Array]:
    """The rules with a level and each scenario's shortfall below it: ``level - gain - shortfall <= 0``."""
    count, sets = gains.shape
    before = hstack([rules, _none(rules.shape[0], 1 + count)])
    rest = _none(count, rules.shape[1] - sets)
    level = csr_array(np.ones((count, 1)))
    shortfall = csr_array(np.eye(count))
    tail = hstack([csr_array(-gains.astype(float)), rest, level, -shortfall])
    return vstack([before, tail]).tocsr(), np.append(lower, np.full(count, -np.inf)), np.append(upper, np.zeros(count))


def _none(rows: int, columns: int) -> Any:
    return csr_array((rows, columns))
