"""What was known when? Snapshots kept for good, training rows from them, and what could not have been known."""

from __future__ import annotations

from winprob.history.reading import read_history
from winprob.history.writing import Snapshot, write_snapshot

__all__ = ["Snapshot", "read_history", "write_snapshot"]
