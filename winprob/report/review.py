"""What is known of the open deals? One row a deal: facts, chance, and which of the nine facts are missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winprob.methodology.vocabulary import ROLES
from winprob.schema import latest_places

#: From here an interval is called wide: the difference between a likely and an unlikely deal.
WIDE = 0.40
#: The nine facts of the method, in the order in which they are told.
FACTS = ("stage", "decision_method", "coach", "approver_coverage", *(f"{role}_support" for role in ROLES))
_KNOWN_BLANK = {"approver_coverage": "unknown"}
_SHOWN = ("account", "seller", "stage", "amount", "currency")


def join_chances(deals: pd.DataFrame, chances: pd.DataFrame) -> pd.DataFrame:
    """Open deals beside their chances, the best chance first; of several readings of a deal the last in time.

    Returns
    -------
    DataFrame with the columns of ``deals`` and ``mean, lower, upper, unknowns, prior_share``, and ``wide``.
    """
    facts = deals.reset_index(drop=True)
    numbers = chances.drop(columns="deal_id").reset_index(drop=True)
    review = facts.drop(columns=[name for name in numbers if name in facts]).join(numbers)
    review = review.assign(**{name: None for name in _SHOWN if name not in review})
    review["wide"] = review["upper"] - review["lower"] > WIDE
    return review.iloc[latest_places(review)].sort_values("mean", ascending=False, kind="stable")


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
