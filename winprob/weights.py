"""How much does each row count? Every deal once, however many readings or copies of it there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.schema import fact_columns

Array = npt.NDArray[Any]

#: A likeness that independent columns would bring about less often than this is taken for a copy.
_CHANCE = 0.05


def deal_weights(deals: pd.DataFrame, *, copies_count_once: bool = True) -> Array:
    """(deal,) weight 1/n for each of the n rows of one deal, so that every deal counts once.

    Rows alike in everything but their id, where chance would not make them so, are one record exported several
    times: they share one deal's weight.
    """
    weight = (1 / deals.groupby("deal_id")["deal_id"].transform("size")).to_numpy(dtype=float)
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
