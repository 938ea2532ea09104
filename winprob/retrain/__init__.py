"""Retraining: the registry of models, which of them is current, and what was current before."""

from winprob.retrain.comparison import compare_models
from winprob.retrain.entry import Entry, needs_reason, verdict_text
from winprob.retrain.overview import models_table, moves_table
from winprob.retrain.registry import Registry
from winprob.retrain.registry_files import is_registry, require_registry
from winprob.retrain.registry_log import LogLine

__all__ = [
    "Entry",
    "LogLine",
    "Registry",
    "compare_models",
    "is_registry",
    "models_table",
    "moves_table",
    "needs_reason",
    "require_registry",
    "verdict_text",
]
