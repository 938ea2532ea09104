"""Write-back: what is said of each open deal, into fields of ours in a CRM, as files for its import or by its API."""

from winprob.routine.writeback.receipts import Statements, last_said, write_back
from winprob.routine.writeback.rows import Changes, changed_rows
from winprob.routine.writeback.targets import TARGETS, Target, read_target, require_ids

__all__ = [
    "Changes",
    "Statements",
    "TARGETS",
    "Target",
    "changed_rows",
    "last_said",
    "read_target",
    "require_ids",
    "write_back",
]
