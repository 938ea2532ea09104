"""What was known when? Change logs replayed into the deal table as it stood on each review day."""

from __future__ import annotations

from winprob.history.replay import replay_changes

__all__ = ["replay_changes"]
