"""What training asks of its surroundings, before minutes are spent."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from winprob.catalog import say
from winprob.errors import DealTableError

if TYPE_CHECKING:
    import pandas as pd


def closed_by(deals: pd.DataFrame, as_of: datetime | None) -> pd.DataFrame:
    """The deals as they were known on a day: what closed or was read later, or on a day unknown, is left out.

    Raises
    ------
    DealTableError
        There is no ``closed_on`` to tell by, or nothing is left.
    """
    if as_of is None:
        return deals
    if "closed_on" not in deals:
        raise DealTableError(say("--as-of needs the column 'closed_on', and the deals have none."))
    by_then = deals["closed_on"] <= as_of
    if "as_of" in deals:
        by_then &= deals["as_of"] <= as_of
    known = deals[by_then]
    if known.empty:
        raise DealTableError(say("no deal was closed by {day:%Y-%m-%d}.", day=as_of))
    return known
