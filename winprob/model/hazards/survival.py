"""How much hazard has a deal gone through between two days, draw by draw?"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.model.hazards.clock import NEVER, cell_design, exposure
from winprob.model.hazards.facts import days, fact_values, stage_codes, watched_until
from winprob.model.hazards.records import ENDS, Hazards
from winprob.settings import CalendarSettings

#: Deals worked on at a time.
BLOCK = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Paces:
    """Deals (valid, with a reading day) whose hazards are asked for: what is worked out once for all of them.

    Attributes
    ----------
    effect : (end, fact, draw)
    cell : (end, cell, draw) weekly hazard of a deal without facts
    facts : (deal, fact)
    stage : (deal,) position among ``STAGE_STATES``
    read, expected : (deal,) days since 1970
    """

    effect: Array
    cell: Array
    facts: Array
    stage: Array
    read: Array
    expected: Array
    calendar: CalendarSettings

    def cumulated(self, rows: slice, start: Array, end: Array) -> Array:
        """(end, deal, draw) hazard cumulated after day ``start`` up to and with day ``end`` (deal,) of some rows.

        Deals read on one day that are expected to close on one day go through the same weeks, which are added up once.
        """
        key = np.stack([self.stage[rows], self.read[rows], self.expected[rows], start, end])
        paths, which = np.unique(key, axis=1, return_inverse=True)
        stage, read, expected, begun, ended = paths
        weeks = exposure(stage, read, expected, begun, ended, self.calendar).astype(np.float32)
        total = np.exp(np.matmul(self.facts[rows], self.effect))
        for at in range(len(ENDS)):
            total[at] *= (weeks @ self.cell[at])[which.ravel()]
        return np.asarray(total)


def lay_out(hazards: Hazards, deals: pd.DataFrame, read: Array) -> Paces:
    """The paces of deals (valid) read on these days (days since 1970)."""
    time = np.concatenate([hazards.draws[name] for name in ("since", "near", "quarter_pull", "stage_soon")], axis=2)
    design = cell_design().astype(np.float32)
    return Paces(
        effect=np.ascontiguousarray(hazards.draws["effect"].transpose(1, 2, 0)),
        cell=np.stack([np.exp(design @ time[:, at].T) for at in range(len(ENDS))]),
        facts=fact_values(deals, hazards.scaling).astype(np.float32),
        stage=stage_codes(deals),
        read=read,
        expected=days(deals, "expected_close_on"),
        calendar=hazards.calendar,
    )


def waiting_odds(hazards: Hazards, deals: pd.DataFrame, *, known_on: dt.date) -> Array:
    """(deal,) how likely the wait from reading to ``known_on`` is if the deal will be won, against if it will not.

    Both likelihoods are averaged over the draws before one is divided by the other, as a mixture's are. 1 where nothing
    is known of the wait: no reading day, or none that has passed.
    """
    read, seen = days(deals, "as_of"), watched_until(deals, (known_on - dt.date(1970, 1, 1)).days)
    odds = np.ones(len(deals))
    waiting = np.flatnonzero((read != NEVER) & (read < seen))
    paces = lay_out(hazards, deals.iloc[waiting], read[waiting])
    for start in range(0, len(waiting), BLOCK):
        rows = slice(start, start + BLOCK)
        begun = paces.read[rows]
        stayed = np.exp(-paces.cumulated(rows, begun, seen[waiting[rows]]), dtype=np.float64).mean(axis=2)
        odds[waiting[rows]] = stayed[0] / np.maximum(stayed[1], np.finfo(float).tiny)
    return odds
