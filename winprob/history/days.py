"""Which day is meant? Days of snapshots, as given and as folders are named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from winprob.errors import HistoryError
from winprob.i18n import gettext
from winprob.schema.dtypes import as_days, cell_text

Day = str | date | pd.Timestamp

#: An export made after midnight somewhere else knows one day more than its own clock says.
OTHER_ZONE = pd.Timedelta(days=1)


def as_day(given: Day) -> pd.Timestamp:
    """The day that ``given`` names, at midnight and without a zone.

    Raises
    ------
    HistoryError
        It is no ISO day.
    """
    day = as_days(pd.Series([given], dtype=object)).iloc[0]
    if pd.isna(day):
        raise HistoryError(
            gettext("{got} is no day; wanted YYYY-MM-DD, such as 2026-06-30.", got=repr(cell_text(given)))
        )
    return pd.Timestamp(day)


def listed(days: Sequence[pd.Timestamp], most: int = 8) -> str:
    """Days for a message; of many the first, and the last three."""
    names = [f"{day:%Y-%m-%d}" for day in days]
    if len(names) > most:
        names = [*names[: most - 4], "…", *names[-3:]]
    return ", ".join(names)
