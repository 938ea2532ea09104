"""A fitted time-to-close model, and the cumulative hazard and survival function of deals in every draw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.model.hazards.clock import NEVER, STAGE_STATES, TIME_COORDS, cell_design, exposure
from winprob.model.hazards.design import TimingScaling, days, fact_values, observed_until, stage_codes
from winprob.settings import CalendarSettings, settings_from

#: Competing ends of a deal. No decision is a loss.
ENDS = ("won", "lost")
#: Dims of each parameter after ``draw``.
HAZARD_DIMS: dict[str, tuple[str, ...]] = {
    "effect": ("end", "fact"),
    "since": ("end", "since_bin"),
    "near": ("end", "near_bin"),
    "quarter_pull": ("end", "quarter_state"),
    "stage_soon": ("end", "stage"),
    "incidence": ("stage_or_all",),
}
#: Deals per block.
BLOCK = 1024
#: Importance weights were reliable up to this Pareto k (Vehtari et al. 2024, JMLR 25(72)).
_RELIABLE_K = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazards:
    """A fitted model of the weeks from a reading to the close, a hazard for each end (won, lost).

    Attributes
    ----------
    draws : parameters by name, float32 (draw, *dims); dims as in ``HAZARD_DIMS``, all on the log scale of a weekly
        hazard except ``incidence``, log-odds of being won
    calendar : the fiscal calendar of the training data
    known_on : ISO day on which knowledge ended
    closed, still_open : number of closed and of censored deals in the training data
    effective : effective sample size of the draws, the smallest over the unknowns
    reliable : whether it suffices
    """

    draws: Mapping[str, Array]
    scaling: TimingScaling
    calendar: CalendarSettings
    known_on: str
    closed: int
    still_open: int
    effective: float
    reliable: bool

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels of every dim."""
        return {"end": ENDS, "fact": self.scaling.facts, **TIME_COORDS, "stage_or_all": ("all", *STAGE_STATES)}

    def to_dict(self) -> dict[str, Any]:
        """Everything but the draws, as plain tables."""
        plain = {name: getattr(self, name) for name in ("known_on", "closed", "still_open", "effective", "reliable")}
        return {**plain, "scaling": asdict(self.scaling), "calendar": asdict(self.calendar)}

    @staticmethod
    def from_dict(table: Mapping[str, Any], draws: Mapping[str, Array]) -> Hazards:
        """The inverse of ``to_dict``; also of tables of draws by importance sampling, with their Pareto k."""
        numbers = tuple((float(mean), float(sd)) for mean, sd in table["scaling"]["numbers"])
        plain = {"reliable": table.get("pareto_k", 0.0) <= _RELIABLE_K, **table}
        plain.pop("pareto_k", None)
        return Hazards(
            **{
                **plain,
                "scaling": TimingScaling(numbers=numbers, segments=tuple(table["scaling"]["segments"])),
                "calendar": settings_from({"calendar": table["calendar"]}).calendar,
                "draws": draws,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DealHazards:
    """Hazards of deals (valid, with a reading day), as far as they do not depend on the days asked about.

    Attributes
    ----------
    effect : (end, fact, draw)
    cell : (end, cell, draw) baseline weekly hazard
    facts : (deal, fact)
    stage : (deal,) position in ``STAGE_STATES``
    read, expected : (deal,) days since 1970
    """

    effect: Array
    cell: Array
    facts: Array
    stage: Array
    read: Array
    expected: Array
    calendar: CalendarSettings

    def cumulative(self, rows: slice, start: Array, end: Array) -> Array:
        """(end, deal, draw) cumulative hazard after day ``start`` up to and including day ``end`` (deal,) of some rows.

        Deals with the same reading day and expected close pass through the same weeks, which are added up once.
        """
        key = np.stack([self.stage[rows], self.read[rows], self.expected[rows], start, end])
        paths, which = np.unique(key, axis=1, return_inverse=True)
        stage, read, expected, begun, ended = paths
        weeks = exposure(stage, read, expected, begun, ended, self.calendar).astype(np.float32)
        total = np.exp(np.matmul(self.facts[rows], self.effect))
        for at in range(len(ENDS)):
            total[at] *= (weeks @ self.cell[at])[which.ravel()]
        return np.asarray(total)


def hazards_of(hazards: Hazards, deals: pd.DataFrame, read: Array) -> DealHazards:
    """The hazards of deals (valid) read on these days (days since 1970)."""
    time = np.concatenate([hazards.draws[name] for name in ("since", "near", "quarter_pull", "stage_soon")], axis=2)
    design = cell_design().astype(np.float32)
    return DealHazards(
        effect=np.ascontiguousarray(hazards.draws["effect"].transpose(1, 2, 0)),
        cell=np.stack([np.exp(design @ time[:, at].T) for at in range(len(ENDS))]),
        facts=fact_values(deals, hazards.scaling).astype(np.float32),
        stage=stage_codes(deals),
        read=read,
        expected=days(deals, "expected_close_on"),
        calendar=hazards.calendar,
    )


def waiting_odds(hazards: Hazards, deals: pd.DataFrame, *, known_on: dt.date) -> Array:
    """(deal,) likelihood ratio, won over not won, of staying open from the reading to ``known_on``.

    The survival functions are averaged over the draws before the division, as in a mixture. 1 where nothing was
    observed: no reading day, or one that is not past.
    """
    read, until = days(deals, "as_of"), observed_until(deals, (known_on - dt.date(1970, 1, 1)).days)
    odds = np.ones(len(deals))
    waiting = np.flatnonzero((read != NEVER) & (read < until))
    some = hazards_of(hazards, deals.iloc[waiting], read[waiting])
    for start in range(0, len(waiting), BLOCK):
        rows = slice(start, start + BLOCK)
        survival = np.exp(-some.cumulative(rows, some.read[rows], until[waiting[rows]]), dtype=np.float64).mean(axis=2)
        odds[waiting[rows]] = survival[0] / np.maximum(survival[1], np.finfo(float).tiny)
    return odds
