"""What was known when? Snapshots kept for good, training rows from them, and what could not have been known."""

from __future__ import annotations

from winprob.history.reading import read_history
from winprob.history.replay import replay_changes
from winprob.history.review_days import review_days
from winprob.history.writing import Snapshot, write_snapshot

__all__ = ["Snapshot", "read_history", "replay_changes", "review_days", "write_snapshot"]
