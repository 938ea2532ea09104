"""How likely is each open deal to be won within the quarter? Probabilities by draw, one block of deals at a time."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.fiscal import Quarter
from winprob.data.schema import Mask, column_or_missing, mask_of
from winprob.model.draws import to_win_prob
from winprob.model.features import describe
from winprob.model.posterior import Posterior
from winprob.model.timing import outlooks, same_day
from winprob.model.win.terms import coefficients, logits


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """(deal, draw) float32 probabilities: won eventually, won in the quarter, open at its end (None: unknown)."""

    win_prob: Array
    in_quarter: Array
    open_at_end: Array | None


Source = Callable[[slice], Chances]


def chances_of(posterior: Posterior, deals: pd.DataFrame, quarter: Quarter, as_of: dt.date) -> tuple[Source, bool]:
    """A function from a slice of deals (valid) to their chances, and whether a time-to-close model is behind it."""
    if posterior.hazards is None:
        return _undated(posterior, deals, quarter, as_of), False
    return _dated(posterior, deals, quarter, as_of), True


def falls_in(deals: pd.DataFrame, quarter: Quarter, as_of: dt.date) -> Mask:
    """(deal,) whether the seller's close date is in the quarter, or is overdue in the running quarter.

    True for every deal of a table without such dates.
    """
    expected = column_or_missing(deals, "expected_close_on")
    if expected.isna().all():
        return np.ones(len(deals), dtype=bool)
    begun = mask_of(expected.notna()) if as_of >= quarter.start else mask_of(expected >= pd.Timestamp(quarter.start))
    return begun & mask_of(expected <= pd.Timestamp(quarter.end))


def _undated(posterior: Posterior, deals: pd.DataFrame, quarter: Quarter, as_of: dt.date) -> Source:
    """Without a time-to-close model: the win probability if the seller's close date is in the quarter, else 0."""
    features = describe(deals, posterior.scaling)
    coefs = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    inside = falls_in(deals, quarter, as_of).astype(np.float32)[:, None]

    def of(rows: slice) -> Chances:
        chance = to_win_prob(logits(coefs, features.take(rows)))
        return Chances(win_prob=chance, in_quarter=chance * inside[rows], open_at_end=None)

    return of


def _dated(posterior: Posterior, deals: pd.DataFrame, quarter: Quarter, as_of: dt.date) -> Source:
    at_end = outlooks(posterior, deals, same_day(deals, quarter.end), as_of)
    eve = quarter.start - dt.timedelta(days=1)
    # A future quarter: subtract the chance of a win before it begins.
    before = outlooks(posterior, deals, same_day(deals, eve), as_of) if as_of < eve else None

    def of(rows: slice) -> Chances:
        outlook = at_end.of(rows)
        inside = outlook.won_by()
        if before is not None:
            inside = np.maximum(inside - before.of(rows).won_by(), 0)
        return Chances(win_prob=outlook.win_prob, in_quarter=inside, open_at_end=outlook.still_open())

    return of
