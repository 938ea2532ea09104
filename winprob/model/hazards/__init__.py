"""At what pace do deals close? A weekly hazard for deals that will be won, and one for those that will not."""

from winprob.model.hazards.clock import NEVER
from winprob.model.hazards.facts import days
from winprob.model.hazards.importance import BELIEVABLE
from winprob.model.hazards.learning import learn_hazards, why_undated
from winprob.model.hazards.records import ENDS, HAZARD_DIMS, Hazards, TimingScaling
from winprob.model.hazards.survival import BLOCK, Paces, lay_out, waiting_odds

__all__ = [
    "BELIEVABLE",
    "BLOCK",
    "ENDS",
    "HAZARD_DIMS",
    "Hazards",
    "NEVER",
    "Paces",
    "TimingScaling",
    "days",
    "lay_out",
    "learn_hazards",
    "waiting_odds",
    "why_undated",
]
