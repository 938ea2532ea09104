"""Weights of rows: their sum is the number of deals, however many readings or copies there are."""

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import fact_columns

#: A likeness that independent columns would bring about less often than this is taken for a copy.
_CHANCE = 0.05


def deal_weights(deals: pd.DataFrame, *, copies_count_once: bool = True) -> Array:
    """(row,) weight of each row: the number of deals over the number of rows, so that readings add no certainty.

    Not 1/n for each of the n readings of one deal: how often a deal is read depends on how long it stays open, and so
    on how it ends. The readings of slow deals would count for less, and where the won ones are slow every chance would
    come out too low (decision 014).

    Rows alike in everything but their id, where chance would not make them so, are one record exported several
    times: they share one deal's weight.
    """
    weight = np.full(len(deals), deals["deal_id"].nunique() / max(len(deals), 1))
    return weight / _copies(deals) if copies_count_once else weight


def _copies(deals: pd.DataFrame) -> Array:
    """(deal,) how many rows are this one, itself included."""
    columns = fact_columns(deals)
    if not columns or deals.empty:
        return np.ones(len(deals))
    codes = np.stack([pd.factorize(deals[name])[0] for name in columns], axis=1)
    _, which, count = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    likeness = np.zeros(len(deals))
    for column in codes.T:
        likeness += np.log(np.bincount(column + 1)[column + 1] / len(deals))
    return np.where(len(deals) * np.exp(likeness) < _CHANCE, count[which.ravel()], 1)
