"""Retraining: the gate between a candidate and the current model, and the registry of models."""

from winprob.retrain.changes import Changes
from winprob.retrain.comparison import compare_models
from winprob.retrain.definitions import Definitions, define, definitions_from
from winprob.retrain.entry import Entry, needs_reason, verdict_text
from winprob.retrain.gate import Gate
from winprob.retrain.overview import models_table, moves_table
from winprob.retrain.recipe import to_toml
from winprob.retrain.registry import Registry
from winprob.retrain.registry_files import is_registry, require_registry
from winprob.retrain.registry_log import LogLine
from winprob.retrain.retraining import CurrentModel, Retraining, run_retraining
from winprob.retrain.sentences import decision_sentences, gate_sentences

__all__ = [
    "Changes",
    "CurrentModel",
    "Definitions",
    "Entry",
    "Gate",
    "LogLine",
    "Registry",
    "Retraining",
    "compare_models",
    "decision_sentences",
    "define",
    "definitions_from",
    "gate_sentences",
    "is_registry",
    "models_table",
    "moves_table",
    "needs_reason",
    "require_registry",
    "run_retraining",
    "to_toml",
    "verdict_text",
]
