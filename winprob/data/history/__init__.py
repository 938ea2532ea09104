"""Histories of snapshots: writing and reading them, training rows, replay of change logs, and the audit for leaks."""

from winprob.data.history.audit.check import check_history
from winprob.data.history.days import FIRST_DAY, Every, as_day, export_day, review_days
from winprob.data.history.folder import is_history, read_history
from winprob.data.history.replay import replay_changes
from winprob.data.history.slips import count_slips
from winprob.data.history.trail import deal_ends, follow, review_table
from winprob.data.history.training import (
    label_sentences,
    read_known,
    read_past,
    read_review,
    require_plain,
    training_rows,
)
from winprob.data.history.writing import Snapshot, write_snapshot

__all__ = [
    "Every",
    "FIRST_DAY",
    "Snapshot",
    "as_day",
    "check_history",
    "count_slips",
    "deal_ends",
    "export_day",
    "follow",
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
