"""Retraining: models on file, the gate that a new one must pass, and whether the current one is still calibrated."""

from winprob.retrain.comparison import compare_models
from winprob.retrain.entry import Entry, needs_reason, verdict_text
from winprob.retrain.monitoring import Monitoring, monitor_model
from winprob.retrain.monitoring_sentences import monitoring_sentences, verdict_sentence
from winprob.retrain.overview import models_table, moves_table
from winprob.retrain.registry import Registry
from winprob.retrain.registry_files import is_registry, require_registry
from winprob.retrain.registry_log import LogLine

__all__ = [
    "Entry",
    "LogLine",
    "Monitoring",
    "Registry",
    "compare_models",
    "is_registry",
    "models_table",
    "monitor_model",
    "monitoring_sentences",
    "moves_table",
    "needs_reason",
    "require_registry",
    "verdict_sentence",
    "verdict_text",
]
