"""Could it have been known? Every rule that a history is held to, and the check that runs them all.

A rule is a function of the `Trail` that yields findings: one kind of leak or fault each, none on a sound history.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from winprob.data.history.audit.closing import CLOSING_RULES
from winprob.data.history.audit.giveaways import GIVEAWAY_RULES
from winprob.data.history.audit.identity import IDENTITY_RULES
from winprob.data.history.audit.order import ORDER_RULES
from winprob.data.history.audit.overview import labels, overview
from winprob.data.history.audit.sellers import SELLER_RULES
from winprob.data.history.trail import Trail, follow
from winprob.data.schema import Finding, findings_table

Rule = Callable[[Trail], Iterator[Finding]]

RULES: tuple[Rule, ...] = (*ORDER_RULES, *IDENTITY_RULES, *CLOSING_RULES, *GIVEAWAY_RULES, *SELLER_RULES, labels)


def check_history(history: str | Path | pd.DataFrame) -> pd.DataFrame:
    """All there is to say about a history: what could not have been known, what is odd, and notes.

    Parameters
    ----------
    history : folder, or frame as ``read_history`` gives it

    Returns
    -------
    DataFrame
        ``severity, column, rows, first_deal, message``; warnings before notes.

    Raises
    ------
    HistoryError
        There is no history.
    InputError
        A snapshot's file is damaged.
    DealTableError
        A frame that is no valid deal table.
    """
    trail = follow(history)
    warnings = [found for rule in RULES for found in rule(trail)]
    return findings_table([*sorted(warnings, key=lambda found: found.severity == "note"), *overview(trail)])
