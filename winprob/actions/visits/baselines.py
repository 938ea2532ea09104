"""Baseline plans under the same rules: largest amounts, lowest probabilities and largest lifts first.

The first two do not use lifts: in each deal they visit the highest title that an executive may meet and that is not at
the top tier yet. The third uses the model's lifts but no amounts.
"""

from collections.abc import Sequence

import numpy as np

from winprob.actions.visits.problem import NO_VISIT, Problem
from winprob.arrays import Array

PLANS = ("largest_amounts", "lowest_probabilities", "largest_lift")


def baseline_plans(problem: Problem, worth: Array, win_prob: Array, lift: Array, most: int) -> dict[str, Array]:
    """(deal, role) the group that visits, in each baseline plan; ``most`` visits to one deal at most."""
    able = problem.eligible.any(axis=0)
    by_title = np.cumsum(able, axis=1)
    orders = {
        "largest_amounts": np.lexsort((by_title.ravel(), np.repeat(-worth, able.shape[1]))),
        "lowest_probabilities": np.lexsort((by_title.ravel(), np.repeat(win_prob, able.shape[1]))),
        "largest_lift": np.argsort(-lift.ravel(), kind="stable"),
    }
    # One visit to each deal before a second to any; not for the lifts, which rank role and deal together.
    for name in PLANS[:2]:
        second = by_title.ravel()[orders[name]]
        orders[name] = orders[name][np.argsort(second, kind="stable")]
    return {name: take_in_order(problem, order, most) for name, order in orders.items()}


def take_in_order(problem: Problem, order: Sequence[int] | Array, most: int) -> Array:
    """(deal, role) the group that visits, by greedy assignment of visits (``deal * roles + role``) in this order.

    Of the groups that may make a visit, the one eligible for the fewest visits does.
    """
    visitor = np.full(problem.eligible.shape[1:], NO_VISIT)
    left = problem.slots.copy()
    owner: dict[int, int] = {}
    for group, deal, role in np.argwhere(problem.fixed):
        _send(problem, visitor, left, owner, group, deal, role)
    scarce = np.argsort(problem.eligible.sum(axis=(1, 2)), kind="stable")
    for deal, role in zip(*np.divmod(np.asarray(order), visitor.shape[1]), strict=True):
        if not left.any():
            break
        if visitor[deal, role] != NO_VISIT or (visitor[deal] != NO_VISIT).sum() >= most:
            continue
        visiting = owner.get(int(problem.account[deal])) if problem.account is not None else None
        free = [k for k in scarce if left[k] and problem.eligible[k, deal, role] and visiting in (None, k)]
        if free:
            _send(problem, visitor, left, owner, free[0], deal, role)
    return visitor


def _send(
    problem: Problem, visitor: Array, left: Array, owner: dict[int, int], group: int, deal: int, role: int
) -> None:
    visitor[deal, role] = group
    left[group] -= 1
    if problem.account is not None:
        owner[int(problem.account[deal])] = group
