"""What of a deal sets the pace at which it closes? Facts as numbers, days as whole numbers."""

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import as_days, as_numbers
from winprob.methodology import STAGES
from winprob.model.hazards.clock import NEVER, STAGE_STATES
from winprob.model.hazards.records import BY_STAGE, NUMBERS, TimingScaling

_SPANS = {"age": ("opened_on", "as_of"), "ahead": ("as_of", "expected_close_on")}


def learn_timing_scaling(deals: pd.DataFrame, weight: Array) -> TimingScaling:
    """Means, sds and segments of the training rows (valid)."""
    numbers = []
    for name in NUMBERS:
        values = _log_number(deals, name)
        known = np.isfinite(values)
        share = weight[known]
        if not known.any():
            numbers.append((0.0, 0.0))
            continue
        mean = float(np.average(values[known], weights=share))
        # Where all are alike a difference of one log unit counts as one.
        sd = float(np.sqrt(np.average((values[known] - mean) ** 2, weights=share)))
        numbers.append((mean, sd if sd > 1e-9 else 1.0))
    seen = sorted(set(deals["segment"].dropna())) if "segment" in deals else []
    return TimingScaling(numbers=tuple(numbers), segments=tuple(seen))


def fact_values(deals: pd.DataFrame, scaling: TimingScaling) -> Array:
    """(deal, fact) what each fact is worth; a blank is a state of its own, a new segment the average one."""
    stage = np.eye(len(STAGE_STATES))[stage_codes(deals)]
    parts = [stage]
    for name, (mean, sd) in zip(NUMBERS, scaling.numbers, strict=True):
        # A number that training never saw says nothing.
        values = (_log_number(deals, name) - mean) / sd if sd else np.full(len(deals), np.nan)
        parts.append(np.stack([np.nan_to_num(values), np.isnan(values)], axis=1))
        if name in BY_STAGE:
            parts.append(stage * np.nan_to_num(values)[:, None])
    segment = _column(deals, "segment").to_numpy(dtype=object)
    parts.append(
        np.array([segment == name for name in scaling.segments], dtype=float)
        .reshape(len(scaling.segments), len(deals))
        .T
    )
    return np.hstack(parts)


def days(deals: pd.DataFrame, column: str) -> Array:
    """(deal,) days since 1970, ``NEVER`` where blank."""
    if column not in deals:
        return np.full(len(deals), NEVER, dtype=np.int64)
    values = as_days(deals[column]).to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(values), NEVER, values.astype(np.int64))


def watched_until(deals: pd.DataFrame, known_on: int) -> Array:
    """(deal,) the day up to which a deal was seen: that on which knowledge ends or, of a history, ``known_until``."""
    seen = days(deals, "known_until")
    return np.where(seen == NEVER, known_on, np.minimum(seen, known_on))


def stage_codes(deals: pd.DataFrame) -> Array:
    """(deal,) position among ``STAGE_STATES``."""
    stage = pd.Index(STAGES).get_indexer(pd.Index(_column(deals, "stage")))
    return np.where(stage < 0, len(STAGES), stage)


def _column(deals: pd.DataFrame, name: str) -> pd.Series:
    return deals[name] if name in deals else pd.Series(None, index=deals.index, dtype="str")


def _log_number(deals: pd.DataFrame, name: str) -> Array:
    """(deal,) log of one more than the weeks since opening and until the seller's date (none once it has passed), the
    pushes, the amount; NaN where not known.
    """
    if name in _SPANS:
        begin, end = (days(deals, column) for column in _SPANS[name])
        known = (begin != NEVER) & (end != NEVER)
        return np.where(known, np.log1p(np.maximum(np.where(known, end - begin, 0), 0) / 7), np.nan)
    if name not in deals:
        return np.full(len(deals), np.nan)
    values = as_numbers(deals[name]).to_numpy()
    return np.log1p(np.where(np.isfinite(values) & (values >= 0), values, np.nan))
