"""Survival data of readings: covariates, weeks at risk, right-censoring at the day that knowledge ends.

Every reading of a deal is an observation that starts on its day and ends with the close (won or not won), or is
censored because the deal is still open. Covariates are numbers and indicators; days are whole numbers since 1970.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from winprob.arrays import Array
from winprob.data.schema import as_days, as_numbers, column_or_missing, enough_deals, is_censored, is_closed
from winprob.methodology import STAGES
from winprob.model.hazards import clock
from winprob.model.hazards.clock import CELLS, NEVER, STAGE_STATES
from winprob.model.hazards.spans import Spans
from winprob.settings import CalendarSettings

#: A model fitted before a number was added has the first ones only: new ones go to the end.
NUMBERS = ("age", "ahead", "pushes", "amount", "days_slipped")
#: Numbers with a slope for each stage.
BY_STAGE = ("age", "ahead")
_MONTHLY = "month_pushes"
_SPANS = {"age": ("opened_on", "as_of"), "ahead": ("as_of", "expected_close_on")}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingScaling:
    """Standardisation of the covariates.

    Attributes
    ----------
    numbers : mean and sd over the training rows of the log of each of ``NUMBERS``; sd 0 where none was known, or too
        few deals had it to be stored
    segments : the segments in the training rows
    """

    numbers: tuple[tuple[float, float], ...]
    segments: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The numbers that this scaling has: the first of ``NUMBERS``."""
        return NUMBERS[: len(self.numbers)]

    def column(self, name: str, deals: pd.DataFrame) -> str:
        """The column of a number: without days slipped, pushes were moves of a month or more, where these are known."""
        monthly = name == "pushes" and "days_slipped" not in self.names and _MONTHLY in deals
        return _MONTHLY if monthly else name

    @property
    def facts(self) -> tuple[str, ...]:
        """Names of the covariates of a hazard, in order."""
        by_stage = {name: [f"{name}|stage={s}" for s in STAGE_STATES] for name in BY_STAGE}
        numbers = [fact for name in self.names for fact in (name, f"{name}=", *by_stage.get(name, ()))]
        return (*(f"stage={s}" for s in STAGE_STATES), *numbers, *(f"segment={s}" for s in self.segments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Design matrices of the time-to-close model.

    Attributes
    ----------
    facts : (row, fact) covariates of the hazards
    incidence : (row, 1 + stage) covariates of the probability of being won
    cells : (cell, effect) time effects of each cell with exposure, a cell of each quarter
    spans : the quarters with exposure
    before : (row, cell) weeks survived
    within : (row, cell) the week of the close; empty for a censored row
    won, closed : (row,) 0 or 1
    weight : (row,)
    """

    facts: Array
    incidence: Array
    cells: Array
    spans: Spans
    before: csr_array
    within: csr_array
    won: Array
    closed: Array
    weight: Array


def last_day(deals: pd.DataFrame) -> int | None:
    """The latest day in a table, of a reading or a close, in days since 1970."""
    latest = max(
        (int(days(deals, column).max(initial=NEVER)) for column in ("as_of", "closed_on", "known_until")), default=NEVER
    )
    return None if latest == NEVER else latest


def usable(deals: pd.DataFrame, known_on: int) -> pd.DataFrame:
    """Observations of the time to close: rows read by ``known_on``, and closed on a known later day, or censored."""
    read, closed = days(deals, "as_of"), days(deals, "closed_on")
    dated = is_closed(deals) & (closed >= read)
    censored = is_censored(deals) & ((closed == NEVER) | (closed > known_on))
    rows = np.flatnonzero((read != NEVER) & (read <= known_on) & (dated | censored))
    return deals.iloc[rows]


def closed_by(deals: pd.DataFrame, known_on: int) -> Array:
    """(row,) whether the deal was closed by ``known_on``."""
    closed = days(deals, "closed_on")
    return np.asarray(is_closed(deals) & (closed != NEVER) & (closed <= known_on))


def build_design(deals: pd.DataFrame, known_on: int, calendar: CalendarSettings) -> tuple[Design, TimingScaling]:
    """The design of usable rows, and the scaling learned from them."""
    weight = reading_weights(deals)
    scaling = learn_timing_scaling(deals, weight)
    read, expected, closed = (days(deals, column) for column in ("as_of", "expected_close_on", "closed_on"))
    done, stage = closed_by(deals, known_on), stage_codes(deals)
    week = np.maximum(-(-(closed - read) // 7), 1)
    # The closing week is truncated at known_on; a deal closed on the day of its reading closed in its first week.
    start = np.where(done, read + 7 * (week - 1), observed_until(deals, known_on))
    end = np.where(done, np.maximum(np.minimum(read + 7 * week, known_on), start + 1), start)
    when = clock.calendar_between(read, end, calendar)
    before = clock.exposure(stage, read, expected, read, start, when)
    within = clock.exposure(stage, read, expected, start, end, when)
    used = np.flatnonzero(before.sum(axis=0) + within.sum(axis=0))
    cell = used % CELLS
    passed, span = np.unique(used // CELLS, return_inverse=True)
    spans = when.spans.take(passed)
    design = Design(
        facts=fact_values(deals, scaling),
        incidence=incidence_values(stage),
        cells=np.hstack(
            [*(design[cell] for design in clock.cell_design().values()), clock.span_design(cell, span, spans)]
        ),
        spans=spans,
        before=before[:, used],
        within=within[:, used],
        won=(done & (deals["outcome"] == "won").to_numpy()).astype(float),
        closed=done.astype(float),
        weight=weight,
    )
    return design, scaling


def reading_weights(deals: pd.DataFrame) -> Array:
    """(row,) equal weights that sum to the number of deals.

    Not 1/n of its deal: the number of readings depends on how long a deal stays open, so that would downweight the
    readings of slow deals and bias the time to close downwards.
    """
    return np.full(len(deals), deals["deal_id"].nunique() / max(len(deals), 1))


def incidence_values(stage: Array) -> Array:
    """(row, 1 + stage) intercept and stage indicators."""
    return np.hstack([np.ones((len(stage), 1)), np.eye(len(STAGE_STATES))[stage]])


def learn_timing_scaling(deals: pd.DataFrame, weight: Array) -> TimingScaling:
    """Means, sds and segments of the training rows (valid)."""
    numbers = []
    for name in NUMBERS:
        values = _log_number(deals, name)
        known = np.isfinite(values)
        share = weight[known]
        if not known.any() or not enough_deals(deals, known):
            numbers.append((0.0, 0.0))
            continue
        mean = float(np.average(values[known], weights=share))
        # Where all values are equal, one log unit is the scale.
        sd = float(np.sqrt(np.average((values[known] - mean) ** 2, weights=share)))
        numbers.append((mean, sd if sd > 1e-9 else 1.0))
    if not numbers[-1][1]:
        # A table without slips is described as before they were counted.
        numbers.pop()
    segments = sorted(set(column_or_missing(deals, "segment").dropna()))
    return TimingScaling(numbers=tuple(numbers), segments=tuple(segments))


def fact_values(deals: pd.DataFrame, scaling: TimingScaling) -> Array:
    """(deal, fact) covariate values; a blank has its own indicator, an unknown segment is the average one."""
    stage = np.eye(len(STAGE_STATES))[stage_codes(deals)]
    parts = [stage]
    for name, (mean, sd) in zip(scaling.names, scaling.numbers, strict=True):
        # A number that was never known in training counts as unknown.
        values = (_log_number(deals, scaling.column(name, deals)) - mean) / sd if sd else np.full(len(deals), np.nan)
        parts.append(np.stack([np.nan_to_num(values), np.isnan(values)], axis=1))
        if name in BY_STAGE:
            parts.append(stage * np.nan_to_num(values)[:, None])
    segment = column_or_missing(deals, "segment").to_numpy(dtype=object)
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


def observed_until(deals: pd.DataFrame, known_on: int) -> Array:
    """(deal,) censoring day: ``known_on`` or, in a history, ``known_until`` where earlier."""
    until = days(deals, "known_until")
    return np.where(until == NEVER, known_on, np.minimum(until, known_on))


def stage_codes(deals: pd.DataFrame) -> Array:
    """(deal,) position in ``STAGE_STATES``."""
    stage = pd.Index(STAGES).get_indexer(pd.Index(column_or_missing(deals, "stage")))
    return np.where(stage < 0, len(STAGES), stage)


def _log_number(deals: pd.DataFrame, name: str) -> Array:
    """(deal,) log1p of weeks since opening, weeks to the expected close (0 once it has passed), pushes, days slipped
    or amount; NaN where unknown.
    """
    if name in _SPANS:
        begin, end = (days(deals, column) for column in _SPANS[name])
        known = (begin != NEVER) & (end != NEVER)
        return np.where(known, np.log1p(np.maximum(np.where(known, end - begin, 0), 0) / 7), np.nan)
    if name not in deals:
        return np.full(len(deals), np.nan)
    values = as_numbers(deals[name]).to_numpy()
    return np.log1p(np.where(np.isfinite(values) & (values >= 0), values, np.nan))
