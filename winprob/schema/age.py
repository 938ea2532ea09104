"""How long has a deal been open?"""

from __future__ import annotations

import numpy as np
import pandas as pd

#: The covariate that a history teaches from: a table need not have the column, its dates tell it.
AGE = "age"


def days_open(deals: pd.DataFrame) -> pd.Series:
    """(deal,) days from ``opened_on`` to the reading ``as_of``; NaN where one is blank, or the second comes first."""
    if not {"opened_on", "as_of"} <= set(deals.columns):
        return pd.Series(np.nan, index=deals.index)
    age = (deals["as_of"] - deals["opened_on"]).dt.days.astype("float64")
    return age.where(age >= 0)
