"""Replay of past quarters: what the forecast would have been, what came, and the correction learned from both."""

from winprob.retrain.replay.replaying import Replay, replay_forecasts
from winprob.retrain.replay.sentences import replay_sentences

__all__ = ["Replay", "replay_forecasts", "replay_sentences"]
