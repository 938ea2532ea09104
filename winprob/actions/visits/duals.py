"""Dual values (shadow duals) of the slots, an upper bound on any plan, and which choices can be in a best plan.

For any non-negative duals, the gains of all deals net of the duals of their visits, plus the duals of all slots, bound
the gain of every plan from above (Lagrangian relaxation, Geoffrion 1974). A choice that is ``loss`` below its deal's
best is in no plan better than the bound minus ``loss``. Duals come from linear programs over few choices, extended by
those that look good at the current duals (column generation).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from winprob.actions.visits.gains import membership
from winprob.actions.visits.problem import Choices, Problem, write_rules
from winprob.arrays import Array

_ROUNDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DualBound:
    """An upper bound on the gain of any plan, and of plans with each choice.

    Attributes
    ----------
    bound : upper bound on the gain of any plan
    loss : (choice,) a plan with this choice gains at most ``bound - loss``
    """

    bound: float
    loss: Array


def dual_bound(problem: Problem, choices: Choices) -> DualBound:
    """The smallest bound over a few rounds of duals, with the losses of the choices."""
    bound_at = _by_count if problem.account is None else _by_account
    ranked = np.sort(choices.gain / choices.size)[::-1]
    duals = np.full(len(problem.slots), ranked[min(int(problem.slots.sum()), len(ranked) - 1)])
    few = min(len(choices), 50 + 5 * int(problem.slots.sum()))
    chosen, best = np.zeros(len(choices), dtype=bool), None
    for _ in range(_ROUNDS):
        current = bound_at(problem, choices, duals)
        best = current if best is None or current.bound < best.bound else best
        near = np.argpartition(current.loss, few - 1)[:few]
        if chosen[near].all():
            break
        chosen[near] = True
        duals = _slot_duals(problem, choices.take(chosen))
    return best or current


def _slot_duals(problem: Problem, choices: Choices) -> Array:
    """(group,) duals of the slots in the linear program over these choices: the gain of one slot more."""
    rules, lower, upper = write_rules(problem, choices)
    worth = np.zeros(rules.shape[1])
    worth[: len(choices)] = -choices.gain
    even = lower == upper
    even[: problem.eligible.shape[1] + len(problem.slots)] = False
    result = linprog(worth, rules[~even], upper[~even], *((rules[even], upper[even]) if even.any() else ()))
    deals = problem.eligible.shape[1]
    return np.asarray(np.maximum(-result.ineqlin.marginals[deals : deals + len(problem.slots)], 0))


def _by_count(problem: Problem, choices: Choices, duals: Array) -> DualBound:
    """Bound and losses without the rule on accounts: the eligible group of the smallest dual makes each visit."""
    of_pattern = np.where(choices.eligible, duals, np.inf).min(axis=1)[choices.pattern]
    cost = (np.where(np.isinf(of_pattern), 0, of_pattern)[choices.deal] * membership(problem.sets)[choices.at]).sum(
        axis=1
    )
    net = choices.gain - cost
    start, deal = np.unique(choices.deal, return_index=True, return_inverse=True)[1:]
    best = np.maximum(np.maximum.reduceat(net, start), 0)
    return DualBound(bound=float(duals @ problem.slots + best.sum()), loss=best[deal] - net)


def _by_account(problem: Problem, choices: Choices, duals: Array) -> DualBound:
    """Bound and losses with the rule on accounts: the group of the largest net gain over its deals visits each."""
    net = choices.gain - choices.size * duals[choices.group]
    key = choices.group * len(problem.gain) + choices.deal
    start, pair = np.unique(key, return_index=True, return_inverse=True)[1:]
    best = np.maximum(np.maximum.reduceat(net, start), 0)
    at = np.unique(problem.account if problem.account is not None else [], return_inverse=True)[1]
    together = np.zeros((len(duals), int(at.max()) + 1))
    np.add.at(together, (choices.group[start], at[choices.deal[start]]), best)
    most = together.max(axis=0)
    place = at[choices.deal]
    loss = most[place] - (together[choices.group, place] - best[pair] + net)
    return DualBound(bound=float(duals @ problem.slots + most.sum()), loss=loss)
