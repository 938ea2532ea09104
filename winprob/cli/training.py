"""Which deals are learned from, and what is asked of them before minutes are spent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from winprob.cli.show import tell
from winprob.errors import DealTableError
from winprob.i18n import gettext

if TYPE_CHECKING:
    import pandas as pd

    from winprob.settings import Settings


def past_deals(
    deals: Path,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    *,
    settings: Settings,
    as_of: datetime | None = None,
) -> pd.DataFrame:
    """An export's deals, or a history's training rows, told how far their labels are known.

    Raises
    ------
    WinprobError
        They cannot be read, or nothing of them was known on ``as_of``.
    """
    from winprob.data.history import is_history, label_sentences, read_past

    table = read_past(deals, mapping, people, encoding=encoding, as_of=as_of, calendar=settings.calendar)
    if not is_history(deals):
        return closed_by(table, as_of)
    tell(*label_sentences(table))
    return table


def past_beside(deals: Path, as_of: datetime | None) -> dict[str, pd.DataFrame]:
    """What a fit learns from a history beside its training rows; nothing of an export, which says it itself."""
    from winprob.data.history import deal_ends, is_history, training_rows

    if not is_history(deals):
        return {}
    return {"readings": training_rows(deals, as_of=as_of, reviews="month"), "ends": deal_ends(deals, as_of=as_of)}


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
        raise DealTableError(gettext("--as-of needs the column 'closed_on', and the deals have none."))
    by_then = deals["closed_on"] <= as_of
    if "as_of" in deals:
        by_then &= deals["as_of"] <= as_of
    known = deals[by_then]
    if known.empty:
        raise DealTableError(gettext("no deal was closed by {day:%Y-%m-%d}.", day=as_of))
    return known
