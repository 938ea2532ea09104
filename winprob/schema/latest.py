"""Which row says how a deal stands now?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.errors import DealTableError
from winprob.i18n import gettext
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
            gettext(
                "deal {deal!r} is not in the table of {rows} rows; it has {some}, ...",
                deal=deal_id,
                rows=len(deals),
                some=some,
            )
        )
    return rows.iloc[latest_places(rows)]


def latest_places(deals: pd.DataFrame) -> npt.NDArray[Any]:
    """(deal,) position of each deal's last reading in time, one without a date before any other; in table order."""
    order = pd.DataFrame({"deal": deals[ID].to_numpy(), "place": np.arange(len(deals))})
    if "as_of" in deals:
        order["day"] = deals["as_of"].to_numpy()
        order = order.sort_values("day", kind="stable", na_position="first")
    return np.sort(order.drop_duplicates("deal", keep="last")["place"].to_numpy())
