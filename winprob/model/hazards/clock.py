"""Exposure time: weeks at risk in the cells of a piecewise-constant hazard.

Each day after a reading falls in one *cell*: time since the reading, time to the seller's expected close date, position
in the fiscal quarter, and stage at the reading. Exposure is the number of weeks in each cell; a day is a seventh of a
week, so that cumulative hazards change smoothly from day to day.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from winprob.arrays import Array
from winprob.data.fiscal import quarters_between
from winprob.methodology import STAGES
from winprob.model.hazards.spans import NO_SEASON, SEASONS, Spans, date_of, known_days, ordinal, spans_between
from winprob.settings import CalendarSettings

#: Ends of the bins, in weeks after the reading; the last bin is open.
SINCE_ENDS = (1, 2, 4, 6, 9, 13, 18, 26, 39, 52)
#: Ends of the bins, in weeks after the seller's expected close date: the week up to the date itself ends at 0.
NEAR_ENDS = (-13, -8, -4, -2, -1, 0, 1, 2, 4, 8, 13)
QUARTER_STATES = ("middle", "first_week", "second_last_week", "last_week")
SINCE_BINS = (*(f"week_{end}" for end in SINCE_ENDS), f"after_{SINCE_ENDS[-1]}")
NEAR_BINS = (*(f"to_{end:+d}" for end in NEAR_ENDS), f"after_{NEAR_ENDS[-1]:+d}")
STAGE_STATES = (*STAGES, "unknown")
#: Labels of the time effects by dim; the middle of a quarter is the reference.
TIME_COORDS = {
    "since_bin": SINCE_BINS,
    "near_bin": NEAR_BINS,
    "quarter_state": QUARTER_STATES[1:],
    "stage": STAGE_STATES,
    "season": SEASONS,
}
#: Number of levels of each dimension of the cells; the last bin of nearness is *no date given*.
CELL_SHAPE = (len(STAGE_STATES), len(SINCE_BINS), len(NEAR_BINS) + 1, len(QUARTER_STATES))
CELLS = int(np.prod(CELL_SHAPE))
#: Half-life of the stage effect, in weeks.
HALF_LIFE = 8.0
#: Marks an unknown day.
NEVER = np.iinfo(np.int64).min
#: Days per block.
_BLOCK = 2_000_000


@cache
def cell_design() -> dict[str, Array]:
    """(cell, effect) design matrix of each time effect: bins since the reading, bins of nearness, states of the quarter
    except the middle one, a stage effect that decays with time since the reading, and nearness at each stage.
    """
    stage, since, near, quarter = (index.ravel() for index in np.indices(CELL_SHAPE))
    ones = [np.eye(length) for length in CELL_SHAPE]
    dated = ones[2][near][:, :-1]
    return {
        "since": ones[1][since],
        "near": dated,
        "quarter_pull": ones[3][quarter][:, 1:],
        "stage_soon": ones[0][stage] * freshness()[since, None],
        "near_by_stage": (ones[0][stage][:, :, None] * dated[:, None]).reshape(len(stage), -1),
    }


def since_bin(cell: Array) -> Array:
    """The span of weeks after the reading of each cell, its place in ``SINCE_BINS``."""
    return np.asarray(np.unravel_index(cell, CELL_SHAPE)[1])


def span_design(cell: Array, span: Array, spans: Spans) -> Array:
    """(row, effect) design matrix of the effects of quarters: states of the quarter by season, then each quarter.

    Parameters
    ----------
    cell, span : (row,) place of a cell, and of its quarter in ``spans``
    """
    state, season = cell % CELL_SHAPE[-1], spans.seasons[span]
    pull = np.zeros((len(cell), len(SEASONS), len(QUARTER_STATES) - 1))
    rows = np.flatnonzero((state > 0) & (season != NO_SEASON))
    pull[rows, season[rows], state[rows] - 1] = 1
    return np.hstack([pull.reshape(len(cell), len(SEASONS) * (len(QUARTER_STATES) - 1)), np.eye(len(spans))[span]])


def freshness() -> Array:
    """(since_bin,) exponential decay of the stage effect at the middle of each bin, with ``HALF_LIFE``."""
    middle = np.array([0, *SINCE_ENDS]) + np.diff([0, *SINCE_ENDS, 2 * SINCE_ENDS[-1]]) / 2
    return np.asarray(0.5 ** (middle / HALF_LIFE))


def exposure(stage: Array, read: Array, expected: Array, start: Array, end: Array, calendar: Calendar) -> csr_array:
    """(row, span and cell) weeks at risk in each cell of each quarter after day ``start``, until day ``end`` ends.

    Parameters
    ----------
    stage : (row,) position in ``STAGE_STATES``
    read, expected : (row,) days since 1970 of the reading and of the expected close, ``NEVER`` where unknown
    start, end : (row,) days since 1970; no exposure where the end is not after the start; all within ``calendar``
    """
    days = np.maximum(end - start, 0)
    if not days.any():
        return csr_array((len(read), len(calendar.spans) * CELLS))
    ends = np.cumsum(days)
    cuts = np.unique([0, *np.searchsorted(ends, np.arange(_BLOCK, ends[-1], _BLOCK)), len(days)])
    blocks = [
        _block(stage[rows], read[rows], expected[rows], start[rows], days[rows], calendar)
        for rows in (slice(a, b) for a, b in pairwise(cuts))
    ]
    return csr_array(vstack(blocks, format="csr"))


def _block(stage: Array, read: Array, expected: Array, start: Array, days: Array, calendar: Calendar) -> csr_array:
    row = np.repeat(np.arange(len(days)), days)
    day = start[row] + 1 + np.arange(len(row)) - np.repeat(np.cumsum(days) - days, days)
    since = np.searchsorted(7 * np.array(SINCE_ENDS), day - read[row])
    near = np.searchsorted(7 * np.array(NEAR_ENDS), day - np.where(expected == NEVER, 0, expected)[row])
    near = np.where(expected[row] == NEVER, len(NEAR_BINS), near)
    cell = np.ravel_multi_index((stage[row], since, near, calendar.states[day - calendar.first]), CELL_SHAPE)
    column = cell + CELLS * calendar.spans.place(day)
    shape = (len(days), len(calendar.spans) * CELLS)
    return coo_array((np.full(len(row), 1 / 7), (row, column)), shape=shape).tocsr()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Quarters and their states over some days.

    Attributes
    ----------
    first : first day, days since 1970
    states : (day,) position in ``QUARTER_STATES``
    """

    first: int
    states: Array
    spans: Spans


def calendar_between(start: Array, end: Array, settings: CalendarSettings) -> Calendar:
    """The calendar of the days after ``start`` until ``end`` of any row."""
    used = end > start
    first = int(start[used].min()) + 1 if used.any() else 0
    last = int(end[used].max()) if used.any() else 0
    return Calendar(
        first=first, states=quarter_states(first, last, settings), spans=spans_between(first, last, settings)
    )


def quarter_states(first: int, last: int, calendar: CalendarSettings) -> Array:
    """(day,) position in ``QUARTER_STATES`` of each day from ``first`` to ``last`` (days since 1970).

    A day outside the calendar table counts as the middle of a quarter.
    """
    states = np.zeros(last - first + 1, dtype=np.int64)
    begin, stop = known_days(first, last, calendar)
    if begin > stop:
        return states
    for quarter in quarters_between(date_of(begin), date_of(stop), calendar):
        for state, (a, b) in enumerate(
            ((0, 7), (quarter.days - 14, quarter.days - 7), (quarter.days - 7, quarter.days))
        ):
            start = ordinal(quarter.start) - first
            states[max(start + a, 0) : max(start + b, 0)] = state + 1
    return states
