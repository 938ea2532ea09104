"""What do the sellers' own categories and the stages add up to? Beside the forecast, and untouched by it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.methodology.vocabulary import STAGES
from winprob.portfolio.book import Book, column, lines_of

ROLLUP_LINES = ("closed", "commit", "best_case", "pipeline")


def seller_rollup(book: Book, inside: Array) -> pd.DataFrame:
    """``line, deals, bookings, cumulative``: closed so far, then open deals by the seller's category.

    Parameters
    ----------
    inside : (deal,) which open deals the sellers expect to close in the quarter
    """
    worth, lines = np.nan_to_num(book.open["worth"].to_numpy()), lines_of(book.open).to_numpy()
    counted = [(len(book.closed), float(np.nansum(book.closed["worth"])))]
    for line in ROLLUP_LINES[1:]:
        chosen = inside & (lines == line)
        counted.append((int(chosen.sum()), float(worth[chosen].sum())))
    table = pd.DataFrame(counted, columns=["deals", "bookings"])
    table.insert(0, "line", ROLLUP_LINES)
    return table.assign(cumulative=table["bookings"].cumsum())


def stage_weighted(book: Book, inside: Array, stage_default: Sequence[float]) -> float:
    """Closed so far, and each open deal expected in the quarter times its stage's rate (mean rate without one)."""
    codes = pd.Index(STAGES).get_indexer(pd.Index(column(book.open, "stage")))
    rates = np.array([*stage_default, float(np.mean(stage_default))])[codes]
    worth = np.nan_to_num(book.open["worth"].to_numpy())
    return float(np.nansum(book.closed["worth"]) + (worth * rates * inside).sum())
