"""Retraining: is the candidate better than the current model, and may it replace it?"""

from winprob.retrain.changes import Changes
from winprob.retrain.definitions import define, definitions_from
from winprob.retrain.gate import Gate
from winprob.retrain.retraining import CurrentModel, Retraining, run_retraining

__all__ = [
    "Changes",
    "CurrentModel",
    "Gate",
    "Retraining",
    "define",
    "definitions_from",
    "run_retraining",
]
