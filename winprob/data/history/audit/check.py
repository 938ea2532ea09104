"""Check a history for leaks: facts that could not have been known, contradictions, and how mature the labels are.

A rule is a function of the `Trail` that yields findings: one kind of leak or fault each, none on a sound history.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from winprob.data.history.audit.closing import CLOSING_RULES
from winprob.data.history.audit.giveaways import GIVEAWAY_RULES
from winprob.data.history.audit.snapshots import IDENTITY_RULES, ORDER_RULES
from winprob.data.history.days import listed
from winprob.data.history.folder import place_of, read_days, require_days, require_history
from winprob.data.history.slips import count_slips
from winprob.data.history.snapshot_file import has_checksum
from winprob.data.history.trail import ENOUGH, Trail, follow
from winprob.data.schema import ID, Finding, findings_table, training_errors, whole
from winprob.data.schema.findings import Severity, shown_cell
from winprob.i18n import gettext
from winprob.settings import EvaluationSettings

#: Days slipped in all from which an open deal is counted: a quarter.
_FAR = 90


def check_history(history: str | Path | pd.DataFrame) -> pd.DataFrame:
    """Findings on a history: what could not have been known, what contradicts itself, and notes.

    Parameters
    ----------
    history : folder, or frame as ``read_history`` gives it

    Returns
    -------
    DataFrame
        ``severity, column, rows, first_deal, message``; an error for each damaged snapshot, then, on the others,
        warnings before notes.

    Raises
    ------
    HistoryError
        ``history`` is not a history.
    DealTableError
        A frame that is not a valid deal table.
    """
    if isinstance(history, pd.DataFrame):
        return findings_table(_audit(history))
    folder = require_history(history)
    days = require_days(folder)
    sound, faults = read_days(folder, days)
    damaged = [whole("error", "as_of", str(fault)) for fault in faults.values()]
    return findings_table([*damaged, *(_audit(sound) if len(sound) else ()), *_unsealed(folder, days)])


def _audit(snapshots: pd.DataFrame) -> list[Finding]:
    trail = follow(snapshots)
    findings = [finding for rule in RULES for finding in rule(trail)]
    return [*sorted(findings, key=lambda finding: finding.severity == "note"), *overview(trail)]


def _unsealed(folder: Path, days: list[pd.Timestamp]) -> Iterator[Finding]:
    """A warning on snapshots that have no checksum where others have one; a history of a former version has none."""
    bare = [day for day in days if not has_checksum(place_of(folder, day))]
    if bare and len(bare) < len(days):
        message = gettext(
            "{count} snapshots have no checksum, so that damage to them is not seen: {days}. The next winprob snapshot "
            "adds it",
            count=len(bare),
            days=listed(bare),
        )
        yield whole("warning", "as_of", message)


def overview(trail: Trail) -> Iterator[Finding]:
    """Notes on the size of the history."""
    message = gettext(
        "{days} snapshots from {first} to {last}, {deals} deals",
        days=len(trail.days),
        first=f"{trail.days[0]:%Y-%m-%d}",
        last=f"{trail.days[-1]:%Y-%m-%d}",
        deals=int(trail.first.sum()),
    )
    yield whole("note", "", message)
    came = (trail.first & trail.closed).sum()
    if came:
        yield whole("note", "", gettext("{count} deals were closed when they first appeared", count=int(came)))


def labels(trail: Trail) -> Iterator[Finding]:
    """Number of deals that have ended; a warning where few of the early deals have."""
    ended = trail.closed[trail.last]
    middle = trail.days[0] + (trail.days[-1] - trail.days[0]) / 2
    early = (trail.rows["as_of"][trail.first] <= middle).to_numpy()
    share = float(ended[early].mean()) if early.any() else 1.0
    young = early.sum() >= ENOUGH and share < EvaluationSettings().mature_share
    counts = {"closed": int(ended.sum()), "open": int(np.sum(~ended))}
    severity: Severity = "warning" if young else "note"
    if young:
        message = gettext(
            "labels are not mature: of the deals seen in the first half of the history {share} have closed, and deals "
            "that close fast differ from the others ({closed} closed, {open} open)",
            share=f"{share:.0%}",
            **counts,
        )
    else:
        message = gettext("{closed} deals have closed, {open} are open: their outcomes are not known yet", **counts)
    yield whole(severity, "outcome", message)
    if counts["closed"] >= ENOUGH:
        # Errors that training would raise.
        yield from (replace(finding, severity="warning") for finding in training_errors(trail.rows[trail.last]))


def slips(trail: Trail) -> Iterator[Finding]:
    """A note on open deals whose expected close date has moved later by a quarter or more in all."""
    moves, days = count_slips(trail.deal, trail.rows["expected_close_on"])
    now_open = trail.last & trail.open
    far = now_open & (days >= _FAR)
    if far.any():
        most = int(np.argmax(np.where(far, days, -1)))
        message = gettext(
            "the close date of {deals} of {open} open deals has slipped by {far} days or more in all; deal {deal} by "
            "{days} days in {moves} moves of a week or more",
            deals=int(far.sum()),
            open=int(now_open.sum()),
            far=_FAR,
            deal=shown_cell(trail.rows[ID].iloc[most]),
            days=int(days[most]),
            moves=int(moves[most]),
        )
        yield whole("note", "expected_close_on", message)


RULES: tuple[Callable[[Trail], Iterator[Finding]], ...] = (
    *ORDER_RULES,
    *IDENTITY_RULES,
    *CLOSING_RULES,
    *GIVEAWAY_RULES,
    labels,
    slips,
)
