"""What is a fitted model of the time to close? Draws, scaling, how far they may be believed: data, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from winprob.arrays import Array
from winprob.model.hazards.clock import NEAR_BINS, QUARTER_STATES, SINCE_BINS, STAGE_STATES
from winprob.settings import CalendarSettings, settings_from

#: How a deal ends. No decision is a loss.
ENDS = ("won", "lost")
NUMBERS = ("age", "ahead", "pushes", "amount")
#: Numbers that say something else at each stage.
BY_STAGE = ("age", "ahead")

#: Dims of each parameter after ``draw``.
HAZARD_DIMS: dict[str, tuple[str, ...]] = {
    "effect": ("end", "fact"),
    "since": ("end", "since_bin"),
    "near": ("end", "near_bin"),
    "quarter_pull": ("end", "quarter_state"),
    "stage_soon": ("end", "stage"),
    "incidence": ("stage_or_all",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingScaling:
    """What turns facts into numbers.

    Attributes
    ----------
    numbers : mean and sd of the log of age, pushes and amount over the training rows; sd 0 where none was known
    segments : the segments that training saw
    """

    numbers: tuple[tuple[float, float], ...]
    segments: tuple[str, ...]

    @property
    def facts(self) -> tuple[str, ...]:
        """Names of the facts that a hazard depends on, in order."""
        by_stage = {name: [f"{name}|stage={s}" for s in STAGE_STATES] for name in BY_STAGE}
        numbers = [fact for name in NUMBERS for fact in (name, f"{name}=", *by_stage.get(name, ()))]
        return (*(f"stage={s}" for s in STAGE_STATES), *numbers, *(f"segment={s}" for s in self.segments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazards:
    """A fitted model of the weeks from a reading to the close, for deals that will be won and for those that will not.

    Attributes
    ----------
    draws : parameters by name, float32 (draw, *dims); dims as in ``HAZARD_DIMS``, all on the log of a weekly hazard,
        but ``incidence``, log-odds of being won
    calendar : the fiscal calendar it was learned under
    known_on : ISO day on which knowledge ended
    closed, still_open : how many deals it learned from
    pareto_k : tail index of the importance weights; the draws are to be believed below 0.7 (Vehtari et al. 2024)
    effective : how many independent draws the weighted ones are worth; where few, those kept were stirred
    """

    draws: Mapping[str, Array]
    scaling: TimingScaling
    calendar: CalendarSettings
    known_on: str
    closed: int
    still_open: int
    pareto_k: float
    effective: float

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels of every dim."""
        return {
            "end": ENDS,
            "fact": self.scaling.facts,
            "since_bin": SINCE_BINS,
            "near_bin": NEAR_BINS,
            "quarter_state": QUARTER_STATES[1:],
            "stage": STAGE_STATES,
            "stage_or_all": ("all", *STAGE_STATES),
        }

    def to_dict(self) -> dict[str, Any]:
        """All but the draws, as plain tables."""
        plain = {name: getattr(self, name) for name in ("known_on", "closed", "still_open", "pareto_k", "effective")}
        return {**plain, "scaling": asdict(self.scaling), "calendar": asdict(self.calendar)}

    @staticmethod
    def from_dict(table: Mapping[str, Any], draws: Mapping[str, Array]) -> Hazards:
        """The reverse of ``to_dict``."""
        numbers = tuple((float(mean), float(sd)) for mean, sd in table["scaling"]["numbers"])
        return Hazards(
            **{
                **table,
                "scaling": TimingScaling(numbers=numbers, segments=tuple(table["scaling"]["segments"])),
                "calendar": settings_from({"calendar": table["calendar"]}).calendar,
                "draws": draws,
            }
        )
