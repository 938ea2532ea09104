"""Which row says how a deal stands now?"""

from __future__ import annotations

import pandas as pd

from winprob.catalog import say
from winprob.errors import DealTableError
from winprob.schema.columns import ID


def last_reading(deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """The one row that says how a deal stands: its last reading in time, one without a date before any other.

    Raises
    ------
    DealTableError
        The deal is not in the table.
    """
    rows = deals[deals[ID] == deal_id]
    if rows.empty:
        some = ", ".join(deals[ID].head(5))
        raise DealTableError(
            say(
                "deal {deal!r} is not in the table of {rows} rows; it has {some}, ...",
                deal=deal_id,
                rows=len(deals),
                some=some,
            )
        )
    return rows.sort_values("as_of", kind="stable", na_position="first").tail(1) if "as_of" in rows else rows.tail(1)
