"""Who holds which role in this deal, and where are they weakest?"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from winprob.methodology import ROLES, SUPPORT_TIERS, plays


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One person in one role.

    Attributes
    ----------
    tier : reported support 1..4, None if unknown
    weakest : the item of the support rubric that is rated lowest, None where none is rated below the top
    """

    person: str
    tier: int | None
    coverage: str | None
    weakest: str | None


def holders(people: pd.DataFrame, deal: pd.Series) -> dict[str, tuple[Holder, ...]]:
    """The people of each role, the most influential first; of two alike the one who supports us less.

    Parameters
    ----------
    people : as ``tables.read_people_table`` gives it
    deal : one row of the deal table; people without a date count at every date, and a deal without one takes all
    """
    mine = people[people["deal_id"] == deal["deal_id"]]
    day = deal.get("as_of")
    if day is not None and pd.notna(day):
        mine = mine[mine["as_of"].isna() | (mine["as_of"] == day)]
    ordered = mine.sort_values(["influence", "tier", "person"], ascending=[False, True, True], kind="stable")
    return {role: tuple(_holder(row) for _, row in ordered[ordered["role"] == role].iterrows()) for role in ROLES}


def weakest_item(ratings: Mapping[str, float]) -> str | None:
    """The item rated lowest, the first in the rubric's order; none where nothing is rated below the top."""
    # What is not rated is NaN, which is below nothing.
    rated = {item: rating for item, rating in ratings.items() if rating < max(SUPPORT_TIERS)}
    return min(rated, key=rated.__getitem__, default=None)


def _holder(row: pd.Series) -> Holder:
    rubric = [play.id for play in plays("support") if play.id != "influence"]
    return Holder(
        person=str(row["person"]),
        tier=int(row["tier"]) if pd.notna(row["tier"]) else None,
        coverage=str(row["coverage"]) if pd.notna(row["coverage"]) else None,
        weakest=weakest_item({item: row[item] for item in rubric if item in row}),
    )
