"""Time-to-close model: piecewise-constant weekly hazards of deals won and of deals lost, mixed by a win probability."""

from winprob.model.hazards.clock import NEVER
from winprob.model.hazards.design import TimingScaling, days, last_day, observed_until
from winprob.model.hazards.learning import learn_hazards, why_undated
from winprob.model.hazards.survival import BLOCK, DealHazards, Hazards, hazards_of, stored_dims, waiting_odds

__all__ = [
    "BLOCK",
    "DealHazards",
    "Hazards",
    "NEVER",
    "TimingScaling",
    "days",
    "hazards_of",
    "last_day",
    "learn_hazards",
    "observed_until",
    "stored_dims",
    "waiting_odds",
    "why_undated",
]
