"""Monitoring: is the current model still calibrated, quarter by quarter?"""

from winprob.retrain.monitoring.sentences import monitoring_sentences, verdict_sentence
from winprob.retrain.monitoring.watch import Monitoring, monitor_model

__all__ = ["Monitoring", "monitor_model", "monitoring_sentences", "verdict_sentence"]
