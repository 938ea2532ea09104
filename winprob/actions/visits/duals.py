"""Which choices can still be in a best plan? A price for each kind's slots tells.

At any prices, what all deals would bring beyond the price of their visits, plus the price of all slots, is at least
what any plan can add (Lagrangian relaxation, Geoffrion 1974).
A choice that falls short of its deal's best by ``loss`` is in
no plan better than the bound minus ``loss``. Good prices come from linear programs over few choices, to which those
are added that look good at the prices so far.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from winprob.actions.visits.choices import Choices, write_rules
from winprob.actions.visits.gains import membership
from winprob.actions.visits.problem import Problem
from winprob.arrays import Array

_ROUNDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """What prices say.

    Attributes
    ----------
    bound : no plan adds more
    loss : (choice,) by how much less, at least, a plan with this choice adds than the bound
    """

    bound: float
    loss: Array


def price(problem: Problem, choices: Choices) -> Priced:
    """The choices at prices that make the bound small."""
    at_prices = _by_count if problem.account is None else _by_account
    ranked = np.sort(choices.gain / choices.size)[::-1]
    prices = np.full(len(problem.slots), ranked[min(int(problem.slots.sum()), len(ranked) - 1)])
    few = min(len(choices), 50 + 5 * int(problem.slots.sum()))
    kept, best = np.zeros(len(choices), dtype=bool), None
    for _ in range(_ROUNDS):
        found = at_prices(problem, choices, prices)
        best = found if best is None or found.bound < best.bound else best
        near = np.argpartition(found.loss, few - 1)[:few]
        if kept[near].all():
            break
        kept[near] = True
        prices = _shadow_prices(problem, choices.take(kept))
    return best or found


def _shadow_prices(problem: Problem, choices: Choices) -> Array:
    """(kind,) what one slot more is worth in the linear program over these choices."""
    rules, lower, upper = write_rules(problem, choices)
    worth = np.zeros(rules.shape[1])
    worth[: len(choices)] = -choices.gain
    even = lower == upper
    even[: problem.eligible.shape[1] + len(problem.slots)] = False
    result = linprog(worth, rules[~even], upper[~even], *((rules[even], upper[even]) if even.any() else ()))
    deals = problem.eligible.shape[1]
    return np.asarray(np.maximum(-result.ineqlin.marginals[deals : deals + len(problem.slots)], 0))


def _by_count(problem: Problem, choices: Choices, prices: Array) -> Priced:
    """Bound and losses where any kind that may makes a visit: the cheapest does."""
    of_visit = np.where(choices.servants, prices, np.inf).min(axis=1)[choices.pattern]
    cost = (np.where(np.isinf(of_visit), 0, of_visit)[choices.deal] * membership(problem.sets)[choices.at]).sum(axis=1)
    left = choices.gain - cost
    start, deal = np.unique(choices.deal, return_index=True, return_inverse=True)[1:]
    best = np.maximum(np.maximum.reduceat(left, start), 0)
    return Priced(bound=float(prices @ problem.slots + best.sum()), loss=best[deal] - left)


def _by_account(problem: Problem, choices: Choices, prices: Array) -> Priced:
    """The same where an account sees one kind: the one whose visits, to all its deals, bring most."""
    left = choices.gain - choices.size * prices[choices.kind]
    key = choices.kind * len(problem.gain) + choices.deal
    start, pair = np.unique(key, return_index=True, return_inverse=True)[1:]
    best = np.maximum(np.maximum.reduceat(left, start), 0)
    at = np.unique(problem.account if problem.account is not None else [], return_inverse=True)[1]
    together = np.zeros((len(prices), int(at.max()) + 1))
    np.add.at(together, (choices.kind[start], at[choices.deal[start]]), best)
    most = together.max(axis=0)
    place = at[choices.deal]
    loss = most[place] - (together[choices.kind, place] - best[pair] + left)
    return Priced(bound=float(prices @ problem.slots + most.sum()), loss=loss)
