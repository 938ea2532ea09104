"""Retraining: models on file, the gate that a new one must pass, and whether the current one is still calibrated."""

from winprob.retrain.monitoring import Monitoring, monitor_model
from winprob.retrain.monitoring_sentences import monitoring_sentences, verdict_sentence

__all__ = ["Monitoring", "monitor_model", "monitoring_sentences", "verdict_sentence"]
