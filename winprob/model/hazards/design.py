"""What did each reading of a deal come to? Closed after so many weeks, one way or the other, or still open."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from winprob.arrays import Array
from winprob.model.hazards.clock import NEVER, STAGE_STATES, cell_design, exposure
from winprob.model.hazards.facts import days, fact_values, learn_timing_scaling, stage_codes, watched_until
from winprob.model.hazards.records import TimingScaling
from winprob.settings import CalendarSettings

_CLOSED = ("won", "lost", "no_decision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Readings as the model of the time to close sees them.

    Attributes
    ----------
    facts : (row, fact)
    incidence : (row, 1 + stage) for the chance of being won
    cells : (cell, effect) the time effects of each cell that some deal goes through
    before : (row, cell) weeks through which the deal certainly stayed open
    within : (row, cell) the week in which it closed; empty for a deal still open
    won, closed : (row,) 0 or 1
    weight : (row,)
    """

    facts: Array
    incidence: Array
    cells: Array
    before: csr_array
    within: csr_array
    won: Array
    closed: Array
    weight: Array


def last_day(deals: pd.DataFrame) -> int | None:
    """The last day that a table speaks of: of a reading or a close, days since 1970."""
    latest = max(
        (int(days(deals, column).max(initial=NEVER)) for column in ("as_of", "closed_on", "known_until")), default=NEVER
    )
    return None if latest == NEVER else latest


def usable(deals: pd.DataFrame, known_on: int) -> pd.DataFrame:
    """Rows that say something of the time to close: read by then, and closed on a known day no earlier, or open."""
    read, closed = days(deals, "as_of"), days(deals, "closed_on")
    dated = deals["outcome"].isin(_CLOSED).to_numpy() & (closed >= read)
    waiting = (deals["outcome"] == "open").to_numpy() & ((closed == NEVER) | (closed > known_on))
    said: pd.DataFrame = deals[(read != NEVER) & (read <= known_on) & (dated | waiting)]
    return said


def is_closed(deals: pd.DataFrame, known_on: int) -> Array:
    """(row,) whether it was closed on the day that knowledge ends."""
    closed = days(deals, "closed_on")
    return np.asarray(deals["outcome"].isin(_CLOSED).to_numpy() & (closed != NEVER) & (closed <= known_on))


def build_design(deals: pd.DataFrame, known_on: int, calendar: CalendarSettings) -> tuple[Design, TimingScaling]:
    """The design of usable rows, and the scaling learned from them."""
    weight = reading_weights(deals)
    scaling = learn_timing_scaling(deals, weight)
    read, expected, closed = (days(deals, column) for column in ("as_of", "expected_close_on", "closed_on"))
    done, stage = is_closed(deals, known_on), stage_codes(deals)
    week = np.maximum(-(-(closed - read) // 7), 1)
    # The week of the close ends with what is known; a deal closed on the day of its reading closed in its first week.
    start = np.where(done, read + 7 * (week - 1), watched_until(deals, known_on))
    end = np.where(done, np.maximum(np.minimum(read + 7 * week, known_on), start + 1), start)
    before = exposure(stage, read, expected, read, start, calendar)
    within = exposure(stage, read, expected, start, end, calendar)
    used = np.flatnonzero(before.sum(axis=0) + within.sum(axis=0))
    design = Design(
        facts=fact_values(deals, scaling),
        incidence=incidence_values(stage),
        cells=cell_design()[used],
        before=before[:, used],
        within=within[:, used],
        won=(done & (deals["outcome"] == "won").to_numpy()).astype(float),
        closed=done.astype(float),
        weight=weight,
    )
    return design, scaling


def reading_weights(deals: pd.DataFrame) -> Array:
    """(row,) one weight for every reading, so that together they count as much as there are deals.

    Not 1/n of its deal: how often a deal is read depends on how long it stays open, so that would count the readings
    of slow deals for less, and make every wait look shorter than it is.
    """
    return np.full(len(deals), deals["deal_id"].nunique() / max(len(deals), 1))


def incidence_values(stage: Array) -> Array:
    """(row, 1 + stage) one, and the stage."""
    return np.hstack([np.ones((len(stage), 1)), np.eye(len(STAGE_STATES))[stage]])
