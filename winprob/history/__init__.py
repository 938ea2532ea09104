"""What was known when? Snapshots kept for good, training rows from them, and what could not have been known."""

from __future__ import annotations

from winprob.history.audit import check_history
from winprob.history.folder import is_history
from winprob.history.known import read_known, read_past, read_review, require_plain
from winprob.history.reading import read_history
from winprob.history.replay import replay_changes
from winprob.history.review_days import review_days
from winprob.history.training import deal_ends, label_sentences, review_table, training_rows
from winprob.history.writing import Snapshot, write_snapshot

__all__ = [
    "Snapshot",
    "check_history",
    "deal_ends",
    "is_history",
    "label_sentences",
    "read_history",
    "read_known",
    "read_past",
    "read_review",
    "replay_changes",
    "require_plain",
    "review_days",
    "review_table",
    "training_rows",
    "write_snapshot",
]
