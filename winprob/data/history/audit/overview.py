"""What is in a history, and how far are its labels known?"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from winprob.data.history.audit.columns import ENOUGH
from winprob.data.history.trail import Trail
from winprob.data.schema import Finding, training_errors, whole
from winprob.data.schema.findings import Severity
from winprob.i18n import gettext
from winprob.settings import EvaluationSettings


def overview(trail: Trail) -> Iterator[Finding]:
    """Notes on what there is."""
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
    """How many deals have ended; a warning where that is true of few of those that had the time."""
    ended = trail.closed[trail.last]
    middle = trail.days[0] + (trail.days[-1] - trail.days[0]) / 2
    early = (trail.rows["as_of"][trail.first] <= middle).to_numpy()
    share = float(ended[early].mean()) if early.any() else 1.0
    young = early.sum() >= ENOUGH and share < EvaluationSettings().mature_share
    counts = {"closed": int(ended.sum()), "open": int(np.sum(~ended))}
    severity: Severity = "warning" if young else "note"
    if young:
        message = gettext(
            "labels are not mature: of the deals seen in the first half of the history {share} have closed, and quick "
            "deals are not like the others ({closed} closed, {open} open)",
            share=f"{share:.0%}",
            **counts,
        )
    else:
        message = gettext("{closed} deals have closed, {open} are open: their ends are not known yet", **counts)
    yield whole(severity, "outcome", message)
    if counts["closed"] >= ENOUGH:
        # What training would refuse.
        yield from (replace(found, severity="warning") for found in training_errors(trail.rows[trail.last]))
