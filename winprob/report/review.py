"""What is known of the open deals? One row a deal: facts, chance, and which of the nine facts are missing."""

import numpy as np
import pandas as pd

from winprob.methodology import ROLES

#: The nine facts of the method, in the order in which they are told.
FACTS = ("stage", "decision_method", "coach", "approver_coverage", *(f"{role}_support" for role in ROLES))
_KNOWN_BLANK = {"approver_coverage": "unknown"}


def name_of(deal: pd.Series) -> str:
    """What a deal is called: its id and, where known, its account."""
    return str(deal["deal_id"]) if pd.isna(deal["account"]) else f"{deal['deal_id']} · {deal['account']}"


def missing_facts(review: pd.DataFrame) -> pd.DataFrame:
    """(deal, fact) whether the fact is unknown, the columns as in ``FACTS``."""
    return pd.DataFrame({fact: _missing(review, fact) for fact in FACTS}, index=review.index, dtype=bool)


def _missing(review: pd.DataFrame, fact: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    absent = np.ones(len(review), dtype=bool)
    for column in (fact, fact.replace("_support", "_readings")):
        if column in review:
            absent &= (review[column].isna() | (review[column] == _KNOWN_BLANK.get(fact))).to_numpy(dtype=bool)
    return absent
