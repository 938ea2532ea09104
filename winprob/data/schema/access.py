"""Read a deal table: open and closed deals, optional columns, days elapsed."""

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema.dtypes import DATES, NUMBERS

#: Outcomes of a deal that has ended.
CLOSED_OUTCOMES = ("won", "lost", "no_decision")

#: No amount, ratio or bias in a model is computed from fewer deals: one of a few deals could be told from it.
FEWEST_DEALS = 5
#: The seller's own forecast of a deal: a probability and a category.
SELLER_FORECAST = ("rep_probability", "rep_category")
#: Covariates that training rows of a history have; where a table lacks them, they follow from its dates.
ELAPSED = ("age", "days_to_expected_close")
_FROM_TO = {"age": ("opened_on", "as_of"), "days_to_expected_close": ("as_of", "expected_close_on")}
#: Days are clipped to these bounds, beyond which dates are placeholders and deals are forgotten.
_BOUNDS = {"age": (0.0, 1095.0), "days_to_expected_close": (-90.0, 730.0)}


def is_closed(deals: pd.DataFrame) -> Array:
    """(row,) whether the deal has ended: its outcome is won, lost or no decision."""
    return np.asarray(column_or_missing(deals, "outcome").isin(CLOSED_OUTCOMES), dtype=bool)


def is_open(deals: pd.DataFrame) -> Array:
    """(row,) whether the deal is not known to have ended: its outcome is ``open``, blank, or the column is absent.

    Forecasts and actions include a deal of unknown outcome. Learning does not: only an explicit ``open`` is a
    censored observation, see ``is_censored``.
    """
    return ~is_closed(deals)


def is_censored(deals: pd.DataFrame) -> Array:
    """(row,) whether the deal is known to be still open; a blank outcome is unknown and not an observation."""
    return np.asarray(column_or_missing(deals, "outcome").isin(["open"]), dtype=bool)


def read_before_close(deals: pd.DataFrame) -> Array:
    """(row,) whether the row was known before its deal's outcome: a closed deal counts only if read on an earlier day.

    Closed deals without ``as_of`` hold what the export knew, and those read on the day of closing may hold the outcome.
    """
    read, ended = column_or_missing(deals, "as_of"), column_or_missing(deals, "closed_on")
    late = read.isna() | (read >= ended)
    return ~(is_closed(deals) & late.to_numpy(dtype=bool))


def without_late_forecasts(deals: pd.DataFrame) -> pd.DataFrame:
    """The deals with the seller's own forecast unknown wherever the row may have been read after the close."""
    given = [name for name in SELLER_FORECAST if name in deals]
    late = ~read_before_close(deals) if given else np.zeros(len(deals), dtype=bool)
    return deals.assign(**{name: deals[name].mask(late) for name in given}) if late.any() else deals


def enough_deals(deals: pd.DataFrame, known: Array) -> bool:
    """Whether a statistic over the rows ``known`` rests on enough deals to be stored in a model, or on none at all."""
    count = int(deals["deal_id"][known].nunique())
    return count == 0 or count >= FEWEST_DEALS


def column_or_missing(deals: pd.DataFrame, name: str) -> pd.Series:
    """The column ``name``, or one of its dtype in which every value is missing."""
    if name in deals:
        return deals[name]
    dtype = "datetime64[us]" if name in DATES else "float64" if name in NUMBERS else "str"
    return pd.Series(None, index=deals.index, dtype=dtype, name=name)


def elapsed(deals: pd.DataFrame, name: str) -> pd.Series:
    """(row,) days of one of ``ELAPSED``: the column where there is one, else by dates, NaN where a date is blank."""
    if name in deals:
        return deals[name]
    begin, end = _FROM_TO[name]
    if not {begin, end} <= set(deals.columns):
        return pd.Series(np.nan, index=deals.index)
    between = deals[end].to_numpy() - deals[begin].to_numpy()
    return pd.Series(np.floor(between / np.timedelta64(1, "D")).clip(*_BOUNDS[name]), index=deals.index)


def in_order(valid: pd.DataFrame) -> pd.DataFrame:
    """The rows of a valid table in ``row_order``; index labels and ``attrs`` are kept."""
    return valid.iloc[row_order(valid)]


def row_order(valid: pd.DataFrame) -> Array:
    """(row,) places of the rows by deal and day, in which a model learns from them.

    Draws at random, sums and the sampler's path then do not depend on how a table was sorted. A valid table has at most
    one row for each deal and day.
    """
    keys = [name for name in ("deal_id", "as_of") if name in valid]
    plain = valid[keys].reset_index(drop=True)
    return plain.sort_values(keys, kind="stable").index.to_numpy()
