"""Exposure time: weeks at risk in the cells of a piecewise-constant hazard.

Each day after a reading falls in one *cell*: time since the reading, time to the seller's expected close date, position
in the fiscal quarter, and stage at the reading. Exposure is the number of weeks in each cell; a day is a seventh of a
week, so that cumulative hazards change smoothly from day to day.
"""

import datetime as dt
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from winprob.arrays import Array
from winprob.data.fiscal import quarters_between
from winprob.methodology import STAGES
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


def cell_design() -> Array:
    """(cell, effect) design matrix of the time effects: bins since the reading, bins of nearness, states of the quarter
    except the middle one, and a stage effect that decays with time since the reading.
    """
    stage, since, near, quarter = (index.ravel() for index in np.indices(CELL_SHAPE))
    ones = [np.eye(length) for length in CELL_SHAPE]
    soon = ones[0][stage] * freshness()[since, None]
    return np.hstack([ones[1][since], ones[2][near][:, :-1], ones[3][quarter][:, 1:], soon])


def freshness() -> Array:
    """(since_bin,) exponential decay of the stage effect at the middle of each bin, with ``HALF_LIFE``."""
    middle = np.array([0, *SINCE_ENDS]) + np.diff([0, *SINCE_ENDS, 2 * SINCE_ENDS[-1]]) / 2
    return np.asarray(0.5 ** (middle / HALF_LIFE))


def exposure(
    stage: Array, read: Array, expected: Array, start: Array, end: Array, calendar: CalendarSettings
) -> csr_array:
    """(row, cell) weeks at risk in each cell after day ``start`` up to and including day ``end``.

    Parameters
    ----------
    stage : (row,) position in ``STAGE_STATES``
    read, expected : (row,) days since 1970 of the reading and of the expected close, ``NEVER`` where unknown
    start, end : (row,) days since 1970; no exposure where the end is not after the start
    """
    days = np.maximum(end - start, 0)
    if not days.any():
        return csr_array((len(read), CELLS))
    first = int((start + 1)[days > 0].min())
    states = quarter_states(first, int(end[days > 0].max()), calendar)
    ends = np.cumsum(days)
    cuts = np.unique([0, *np.searchsorted(ends, np.arange(_BLOCK, ends[-1], _BLOCK)), len(days)])
    blocks = [
        _block(stage[rows], read[rows], expected[rows], start[rows], days[rows], states, first)
        for rows in (slice(a, b) for a, b in pairwise(cuts))
    ]
    return csr_array(vstack(blocks, format="csr"))


def _block(
    stage: Array, read: Array, expected: Array, start: Array, days: Array, states: Array, first: int
) -> csr_array:
    row = np.repeat(np.arange(len(days)), days)
    day = start[row] + 1 + np.arange(len(row)) - np.repeat(np.cumsum(days) - days, days)
    since = np.searchsorted(7 * np.array(SINCE_ENDS), day - read[row])
    near = np.searchsorted(7 * np.array(NEAR_ENDS), day - np.where(expected == NEVER, 0, expected)[row])
    near = np.where(expected[row] == NEVER, len(NEAR_BINS), near)
    cell = np.ravel_multi_index((stage[row], since, near, states[day - first]), CELL_SHAPE)
    return coo_array((np.full(len(row), 1 / 7), (row, cell)), shape=(len(days), CELLS)).tocsr()


def quarter_states(first: int, last: int, calendar: CalendarSettings) -> Array:
    """(day,) position in ``QUARTER_STATES`` of each day from ``first`` to ``last`` (days since 1970).

    A day outside the calendar table counts as the middle of a quarter.
    """
    states = np.zeros(last - first + 1, dtype=np.int64)
    if calendar.starts:
        known = [_ordinal(dt.date.fromisoformat(calendar.starts[at])) for at in (0, -1)]
        begin, stop = max(first, known[0]), min(last, known[1] - 1)
    else:
        begin, stop = first, last
    if begin > stop:
        return states
    for quarter in quarters_between(_date(begin), _date(stop), calendar):
        for state, (a, b) in enumerate(
            ((0, 7), (quarter.days - 14, quarter.days - 7), (quarter.days - 7, quarter.days))
        ):
            start = _ordinal(quarter.start) - first
            states[max(start + a, 0) : max(start + b, 0)] = state + 1
    return states


def _date(day: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=day)


def _ordinal(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days
