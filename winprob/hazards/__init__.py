"""At what pace do deals close? A weekly hazard for deals that will be won, and one for those that will not."""

from winprob.hazards.learning import learn_hazards, why_undated
from winprob.hazards.records import HAZARD_DIMS, Hazards, TimingScaling

__all__ = ["HAZARD_DIMS", "Hazards", "TimingScaling", "learn_hazards", "why_undated"]
