"""A fitted time-to-close model, and the cumulative hazard and survival function of deals in every draw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from winprob.arrays import Array, add_rows
from winprob.model.hazards import clock
from winprob.model.hazards.clock import CELLS, NEVER, STAGE_STATES
from winprob.model.hazards.design import TimingScaling, days, fact_values, observed_until, stage_codes
from winprob.model.hazards.pace import PACE_PARTS, pace_draws
from winprob.model.hazards.recalibration import FADED, RECALIBRATION_PARTS, recalibrate
from winprob.model.hazards.spans import NO_SEASON, Spans, spans_between, spans_of
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
    "near_by_stage": ("end", "stage", "near_bin"),
    "pull_by_season": ("end", "season", "quarter_state"),
    "pace": ("end", "quarter"),
    "pace_sd": ("end", "pace_part"),
    "incidence": ("stage_or_all",),
    "recalibration": ("end", "recalibration_part"),
}
#: Effects of time on each end, in the order of the columns of the design; those of older files are the first four.
TIME_EFFECTS = ("since", "near", "quarter_pull", "stage_soon", "near_by_stage", "pull_by_season")
#: Parameters that older files lack.
YOUNGER = ("near_by_stage", "pull_by_season", "pace", "pace_sd", "recalibration")
#: What a file has as it is.
_PLAIN = ("known_on", "closed", "still_open", "effective", "reliable", "recalibrated")
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
    quarters : first day, ISO, of each quarter that has a pace
    calendar : the fiscal calendar of the training data
    known_on : ISO day on which knowledge ended
    closed, still_open : number of closed and of censored deals in the training data
    effective : effective sample size of the draws, the smallest over the unknowns
    reliable : whether it suffices
    recalibrated : whether there is a recalibration by past readings
    """

    draws: Mapping[str, Array]
    scaling: TimingScaling
    calendar: CalendarSettings
    known_on: str
    closed: int
    still_open: int
    effective: float
    reliable: bool
    quarters: tuple[str, ...] = ()
    recalibrated: bool = False

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels of every dim."""
        own = {"fact": self.scaling.facts, "quarter": self.quarters, "pace_part": PACE_PARTS}
        own["recalibration_part"] = RECALIBRATION_PARTS
        return {"end": ENDS, **clock.TIME_COORDS, "stage_or_all": ("all", *STAGE_STATES), **own}

    def to_dict(self) -> dict[str, Any]:
        """Everything but the draws, as plain tables."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        plain["quarters"] = list(self.quarters)
        return {**plain, "scaling": asdict(self.scaling), "calendar": asdict(self.calendar)}

    @staticmethod
    def from_dict(table: Mapping[str, Any], draws: Mapping[str, Array]) -> Hazards:
        """The inverse of ``to_dict``; also of tables of draws by importance sampling, with their Pareto k."""
        numbers = tuple((float(mean), float(sd)) for mean, sd in table["scaling"]["numbers"])
        plain = {"reliable": table.get("pareto_k", 0.0) <= _RELIABLE_K, **table}
        plain.pop("pareto_k", None)
        plain["quarters"] = tuple(table.get("quarters", ()))
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
    model : the hazards they are of
    effect : (end, fact, draw)
    cell : (end, cell, draw) baseline weekly hazard; None for few deals, which pass through few cells
    facts : (deal, fact)
    stage : (deal,) position in ``STAGE_STATES``
    read, expected : (deal,) days since 1970
    """

    model: Hazards
    effect: Array
    cell: Array | None
    facts: Array
    stage: Array
    read: Array
    expected: Array

    def cumulative(self, rows: slice, until: Array) -> Array:
        """(end, deal, draw) cumulative hazard of some rows from their reading up to and including a day (deal,).

        Deals with the same reading day and expected close pass through the same weeks, which are added up once.
        """
        key = np.stack([self.stage[rows], self.read[rows], self.expected[rows], until])
        paths, which = np.unique(key, axis=1, return_inverse=True)
        stage, read, expected, ended = paths
        when = clock.calendar_between(read, ended, self.model.calendar)
        weeks = clock.exposure(stage, read, expected, read, ended, when).astype(np.float32)
        passed = np.unique(weeks.indices)
        span, cell = np.divmod(passed, CELLS)
        factor = quarter_factors(self.model, when.spans)
        baseline = cell_hazards(self.model, cell) if self.cell is None else self.cell[:, cell]
        weekly = baseline * factor[:, span, cell % len(clock.QUARTER_STATES)]
        rate = np.exp(np.stack([add_rows(effect, self.facts[rows]) for effect in self.effect]))
        some, which = weeks[:, passed], which.ravel()
        if not self.model.recalibrated:
            return np.asarray(rate * np.stack([(some @ of_end)[which] for of_end in weekly]))
        passages = _by_span(cell, some)
        waited = (until - self.read[rows]) / 7
        parts = self.model.draws["recalibration"]
        return np.stack(
            [
                recalibrate(_adding_up(passages, weekly[at], rate[at], which, waited), parts[:, at])
                for at in range(len(ENDS))
            ]
        )


#: Spans of weeks after the reading in which something is recalibrated; those after them are one.
_EARLY = clock.SINCE_ENDS.index(FADED) + 1


def _by_span(cell: Array, weeks: csr_array) -> dict[int, tuple[Array, csr_array]]:
    """By span of weeks after the reading: its cells, and the weeks (path, cell) in them."""
    since = np.minimum(clock.since_bin(cell), _EARLY)
    return {int(at): (since == at, weeks[:, since == at]) for at in np.unique(since)}


def _adding_up(
    passages: Mapping[int, tuple[Array, csr_array]], weekly: Array, rate: Array, which: Array, waited: Array
) -> Iterator[tuple[Array, Array, Array]]:
    """The cumulative hazard of an end at the end of each span of weeks, and the weeks of its beginning and end."""
    ends = (0.0, *clock.SINCE_ENDS[:_EARLY], np.inf)
    total = np.zeros_like(rate)
    for at, (own, weeks) in passages.items():
        total = total + rate * (weeks @ weekly[own])[which]
        yield total, np.minimum(ends[at], waited), np.minimum(ends[at + 1], waited)


def cell_hazards(hazards: Hazards, cells: Array) -> Array:
    """(end, cell, draw) baseline weekly hazard in some cells."""
    designs = {name: design[cells] for name, design in clock.cell_design().items() if name in hazards.draws}
    logs = np.zeros((len(ENDS), len(cells), len(hazards.draws["since"])), dtype=np.float32)
    for name, design in designs.items():
        effects = hazards.draws[name].reshape(logs.shape[2], len(ENDS), -1).transpose(1, 2, 0)
        # Of a cell's effects of one kind one is not 0, or none: a sum, where a product would round by its shape.
        logs += np.stack([csr_array(design.astype(np.float32)) @ effect for effect in effects])
    return np.asarray(np.exp(logs, out=logs))


def stored_dims(hazards: Hazards) -> dict[str, tuple[str, ...]]:
    """Dims of each parameter that a file has: an older one has no paces of quarters, and what came with them."""
    absent = YOUNGER if not hazards.quarters else () if hazards.recalibrated else ("recalibration",)
    return {name: dims for name, dims in HAZARD_DIMS.items() if name not in absent}


def quarter_factors(hazards: Hazards, spans: Spans) -> Array:
    """(end, span, state of the quarter, draw) factor of each quarter's pace, and of its first and last weeks.

    A quarter that the model has not seen is drawn, the same for all deals.
    """
    draws = len(hazards.draws["since"])
    total = np.zeros((len(ENDS), len(spans), len(clock.QUARTER_STATES), draws), dtype=np.float32)
    if "pace" not in hazards.draws:
        return np.exp(total)
    learned = spans_of(hazards.quarters, hazards.calendar)
    ahead = _after(learned, spans, hazards.calendar)
    for end in range(len(ENDS)):
        pace, sds = hazards.draws["pace"][:, end], hazards.draws["pace_sd"][:, end]
        total[end] += pace_draws(pace, sds, learned, spans, ahead, seed=end).T[:, None]
        seasonal = np.flatnonzero(spans.seasons != NO_SEASON)
        pull = hazards.draws["pull_by_season"][:, end]
        total[end, seasonal, 1:] += pull[:, spans.seasons[seasonal]].transpose(1, 2, 0)
    return np.exp(total)


def _after(learned: Spans, asked: Spans, calendar: CalendarSettings) -> Spans:
    """Every quarter after the last learned one, until the last one asked."""
    last = int(learned.starts[-1])
    between = spans_between(last, max(int(asked.starts[-1]), last), calendar)
    return between.take(np.flatnonzero(between.starts > last))


def hazards_of(hazards: Hazards, deals: pd.DataFrame, read: Array) -> DealHazards:
    """The hazards of deals (valid) read on these days (days since 1970)."""
    return DealHazards(
        model=hazards,
        effect=np.ascontiguousarray(hazards.draws["effect"].transpose(1, 2, 0)),
        cell=cell_hazards(hazards, np.arange(CELLS)) if len(deals) > BLOCK else None,
        facts=fact_values(deals, hazards.scaling).astype(np.float32),
        stage=stage_codes(deals),
        read=read,
        expected=days(deals, "expected_close_on"),
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
        survival = np.exp(-some.cumulative(rows, until[waiting[rows]]), dtype=np.float64).mean(axis=2)
        odds[waiting[rows]] = survival[0] / np.maximum(survival[1], np.finfo(float).tiny)
    return odds
