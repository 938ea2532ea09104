"""Sources of risk: marginal contributions to variance, P50 given a deal's outcome, and what coincides with a miss.

The variance of the total is decomposed by the law of total variance. Given the models' parameters (the draw) deals are
independent: the mean of their variances is the deals' own randomness, of being won and of the amount at closing. The
variance of the expectation given the draw is the uncertainty that all deals share; a deal contributes its covariance
with the sum. Deals not yet created have a share of their own. Shares sum to 1; a negatively correlated deal may have a
negative share.
"""

from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.quarter.results import PRECISION
from winprob.quarter.simulation import Simulated

SOURCES = ("winning", "amount_at_closing", "shared_doubt", "not_yet_created")
_BREAKS = ("side", "prob", "source", "deal_id", "amount", "usual", "there")
#: Deals named on each side, and the draws a side needs to be described.
_NAMED, _FEWEST = 5, 20


def variance_shares(simulated: Simulated, new: Array) -> tuple[Array, pd.DataFrame]:
    """(deal,) marginal contribution to the total's variance as a share, and the share of each source."""
    own, shared, arriving = simulated.winning + simulated.closing, simulated.shared, float(new.var())
    by_source = [simulated.winning.sum(), simulated.closing.sum(), shared.sum(), arriving]
    total = float(sum(by_source))
    if total <= PRECISION * float((simulated.expected_bookings**2).sum()):
        return np.zeros(len(own)), pd.DataFrame({"source": SOURCES, "share": np.zeros(len(SOURCES))})
    return (own + shared) / total, pd.DataFrame({"source": SOURCES, "share": np.array(by_source) / total})


def p50_by_outcome(simulated: Simulated, total: Array) -> tuple[Array, Array]:
    """(largest,) median total given that a deal is won in the quarter, and given that it is not, all else equal.

    The other deals are not conditioned on the outcome, because it does not cause theirs.
    """
    won, lost = np.empty(len(simulated.largest)), np.empty(len(simulated.largest))
    for at in range(len(simulated.largest)):
        without = total - simulated.largest_bookings[at]
        won[at] = np.median(without + simulated.largest_if_won[at])
        lost[at] = np.median(without)
    return won, lost


def what_breaks(simulated: Simulated, total: Array, new: Array, deal_ids: Array, wrong_by: float) -> pd.DataFrame:
    """What most often coincides with a total far below its median, and far above.

    Returns
    -------
    DataFrame, for each side sorted by the money moved: ``side`` (below, above), ``prob`` of a total there, ``source``
    (deal, win_rate, not_yet_created), ``deal_id``, ``amount`` by which its mean there differs from its mean; ``usual,
    there``: chance of the deal in all draws and in those; bookings expected of open deals for win_rate, bookings of
    deals not yet created. A deal's amount includes its part of the win rate's.
    """
    median = float(np.median(total))
    records: list[tuple[Any, ...]] = []
    for side, there in (("below", total < (1 - wrong_by) * median), ("above", total > (1 + wrong_by) * median)):
        if there.sum() >= _FEWEST:
            causes = _side(simulated, there, side, new, deal_ids)
            records += [cause for cause in causes if abs(cause[4]) > PRECISION * abs(median)]
    return pd.DataFrame(records, columns=list(_BREAKS))


def _side(simulated: Simulated, there: Array, side: str, new: Array, deal_ids: Array) -> list[tuple[Any, ...]]:
    sign, prob = (-1 if side == "below" else 1), float(there.mean())
    bookings = simulated.largest_bookings
    shift = bookings[:, there].mean(axis=1) - bookings.mean(axis=1)
    won = bookings > 0
    records: list[tuple[Any, ...]] = [
        (side, prob, "deal", deal_ids[simulated.largest[at]], shift[at], won[at].mean(), won[at][there].mean())
        for at in np.argsort(-sign * shift, kind="stable")[:_NAMED]
    ]
    for source, draws in (("win_rate", simulated.expected), ("not_yet_created", new)):
        usual, here = float(draws.mean()), float(draws[there].mean())
        records.append((side, prob, source, None, here - usual, usual, here))
    moved = [record for record in records if sign * record[4] > 0]
    return sorted(moved, key=lambda record: -sign * record[4])
