"""What would the same deal look like, had it been covered?

Every role's support at least *supportive*, the coach validated, the approver engaged; all else as it was. What stood
better than that stays.
"""

import pandas as pd

from winprob.actions.levers.changes import Change
from winprob.methodology import ROLES

SUPPORTIVE = 3.0


def covered_twin(row: pd.DataFrame) -> pd.DataFrame:
    """The deal of a row (one, valid) with all its roles covered."""
    facts = row.iloc[0]
    changes = [Change(column="coach", value="validated"), Change(column="approver_coverage", value="engaged")]
    for role in ROLES:
        tier = tier_of(facts, role)
        if not tier >= SUPPORTIVE:
            changes.append(Change(column=f"{role}_support", value=SUPPORTIVE))
    for change in changes:
        row = change.apply(row)
    return row


def tier_of(facts: pd.Series, role: str) -> float:
    """A role's reported tier, that of several people weighed by influence; NaN where nobody reports it."""
    people = facts.get(f"{role}_readings")
    if isinstance(people, str):
        pairs = [tuple(map(float, token.split("*"))) for token in people.split()]
        return sum(tier * influence for tier, influence in pairs) / sum(influence for _, influence in pairs)
    tier = facts.get(f"{role}_support")
    return float("nan") if pd.isna(tier) else float(tier)
