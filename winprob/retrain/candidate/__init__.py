"""A candidate for the current model: fitted, scored on deals that neither has seen, and judged by the gate."""

from winprob.retrain.candidate.changes import Changes
from winprob.retrain.candidate.definitions import Definitions, define, definitions_from
from winprob.retrain.candidate.gate import Gate
from winprob.retrain.candidate.recipe import to_toml
from winprob.retrain.candidate.refits import UnfinishedFits, unfinished_fits
from winprob.retrain.candidate.retraining import CurrentModel, Retraining, run_retraining
from winprob.retrain.candidate.sentences import decision_sentences, definition_sentences, gate_sentences

__all__ = [
    "Changes",
    "CurrentModel",
    "Definitions",
    "Gate",
    "Retraining",
    "UnfinishedFits",
    "decision_sentences",
    "define",
    "definition_sentences",
    "definitions_from",
    "gate_sentences",
    "run_retraining",
    "to_toml",
    "unfinished_fits",
]
