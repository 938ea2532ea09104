"""Where would common sense send the executives? Three plans under the same rules, to compare with.

Largest amounts first and lowest probabilities first know no lifts: in each deal they visit the highest title that an
executive may meet and that is not at the top tier yet. Largest lift first takes the model's lifts and forgets amounts.
"""

from collections.abc import Sequence

import numpy as np

from winprob.actions.visits.problem import NOBODY, Problem
from winprob.arrays import Array

PLANS = ("largest_amounts", "lowest_probabilities", "largest_lift")


def common_sense(problem: Problem, worth: Array, win_prob: Array, lift: Array, most: int) -> dict[str, Array]:
    """(deal, role) the kind that visits, in each of the plans."""
    able = problem.eligible.any(axis=0)
    by_title = np.cumsum(able, axis=1)
    orders = {
        "largest_amounts": np.lexsort((by_title.ravel(), np.repeat(-worth, able.shape[1]))),
        "lowest_probabilities": np.lexsort((by_title.ravel(), np.repeat(win_prob, able.shape[1]))),
        "largest_lift": np.argsort(-lift.ravel(), kind="stable"),
    }
    # One visit to each deal before any has a second, but for the lifts, which name role and deal at once.
    for name in PLANS[:2]:
        second = by_title.ravel()[orders[name]]
        orders[name] = orders[name][np.argsort(second, kind="stable")]
    return {name: take_in_order(problem, order, most) for name, order in orders.items()}


def take_in_order(problem: Problem, order: Sequence[int] | Array, most: int) -> Array:
    """(deal, role) the kind that visits, when visits (``deal * roles + role``) are made in this order while they may.

    Of the kinds that may make a visit, the one with the fewest others to make does.
    """
    visitor = np.full(problem.eligible.shape[1:], NOBODY)
    left = problem.slots.copy()
    owner: dict[int, int] = {}
    for kind, deal, role in np.argwhere(problem.fixed):
        _send(problem, visitor, left, owner, kind, deal, role)
    scarce = np.argsort(problem.eligible.sum(axis=(1, 2)), kind="stable")
    for deal, role in zip(*np.divmod(np.asarray(order), visitor.shape[1]), strict=True):
        if not left.any():
            break
        if visitor[deal, role] != NOBODY or (visitor[deal] != NOBODY).sum() >= most:
            continue
        there = owner.get(int(problem.account[deal])) if problem.account is not None else None
        free = [k for k in scarce if left[k] and problem.eligible[k, deal, role] and there in (None, k)]
        if free:
            _send(problem, visitor, left, owner, free[0], deal, role)
    return visitor


def _send(
    problem: Problem, visitor: Array, left: Array, owner: dict[int, int], kind: int, deal: int, role: int
) -> None:
    visitor[deal, role] = kind
    left[kind] -= 1
    if problem.account is not None:
        owner[int(problem.account[deal])] = kind
