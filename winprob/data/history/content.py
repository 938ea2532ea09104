"""The content of a snapshot, and the comparison of two exports for one day."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.history.days import OTHER_ZONE
from winprob.data.schema import ID, Finding, as_numbers, as_text, fact_columns, latest_places, refuse, validate_deals
from winprob.data.schema.findings import mask_of, shown_cell, spot
from winprob.errors import DealTableError, HistoryError
from winprob.i18n import gettext


def content_of(deals: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """What was known on ``day``: each deal's last reading, canonical columns and covariates, without ``as_of``.

    Raises
    ------
    DealTableError
        The deals are not valid, there are none, or they hold dates after the day.
    """
    valid = validate_deals(deals)
    if valid.empty:
        raise DealTableError(gettext("the export holds no deals: nothing was added to the history."))
    refuse(list(_from_later(valid, day)), rows=len(valid))
    last = valid.iloc[latest_places(valid)]
    content = last[[ID, *(name for name in fact_columns(valid) if name != "as_of")]].reset_index(drop=True)
    return _plainly_typed(content)


def _plainly_typed(content: pd.DataFrame) -> pd.DataFrame:
    """Covariates as text or numbers, so that a column has the same dtype in every snapshot."""
    typed = content.copy()
    for name in content.columns:
        if not pd.api.types.is_datetime64_any_dtype(content[name].dtype):
            number = pd.api.types.is_numeric_dtype(content[name].dtype)
            typed[name] = as_numbers(content[name]) if number else as_text(content[name])
    return typed


def _from_later(deals: pd.DataFrame, day: pd.Timestamp) -> Iterator[Finding]:
    """Errors on readings and closes that are later than the day by more than a time zone."""
    last = day + OTHER_ZONE
    if "as_of" in deals and (late := mask_of(deals["as_of"] > last)).any():
        where = spot(deals, late, deals["as_of"])
        yield where.error(
            gettext(
                "'as_of' is after the snapshot's day {day} in {rows} rows, first deal {deal} has {got}: "
                "give that day, or an earlier export",
                day=f"{day:%Y-%m-%d}",
                **where.fields,
            )
        )
    if "closed_on" in deals and (late := mask_of(deals["closed_on"] > last)).any():
        where = spot(deals, late, deals["closed_on"])
        yield where.error(
            gettext(
                "'closed_on' is after the snapshot's day {day} in {rows} rows, first deal {deal} has {got}: "
                "not known then (one day later is treated as a time-zone difference). "
                "If it is the seller's expected day, map it to 'expected_close_on'",
                day=f"{day:%Y-%m-%d}",
                **where.fields,
            )
        )


def of_next_day(content: pd.DataFrame, day: pd.Timestamp) -> int:
    """Number of deals that closed on the next day, which is treated as a time-zone difference."""
    return int((content["closed_on"] > day).sum()) if "closed_on" in content else 0


def refuse_other(there: pd.DataFrame, new: pd.DataFrame, day: pd.Timestamp, place: object) -> None:
    """Compare two exports for one day, whatever their order of rows; a difference is an error.

    Raises
    ------
    HistoryError
        They differ: the number of deals, the first of them, and what to do.
    """
    old, other = (_comparable(frame, {*there.columns, *new.columns}) for frame in (there, new))
    ids = old.index.union(other.index)
    old, other = old.reindex(ids), other.reindex(ids)
    differs = (old != other) & ~(old.isna() & other.isna())
    deals = differs.any(axis=1).to_numpy() | ~(ids.isin(there[ID]) & ids.isin(new[ID]))
    if deals.any():
        raise HistoryError(_disagreement(old, other, there, new, np.flatnonzero(deals), day, place))


def _comparable(frame: pd.DataFrame, columns: set[str]) -> pd.DataFrame:
    """Deals by id with every column of either export, as plain objects; an absent column is unknown."""
    names = sorted(columns - {ID})
    return frame.set_index(ID).reindex(columns=names).astype(object)


def _disagreement(
    old: pd.DataFrame,
    other: pd.DataFrame,
    there: pd.DataFrame,
    new: pd.DataFrame,
    deals: Any,
    day: pd.Timestamp,
    place: object,
) -> str:
    first = old.index[deals[0]]
    return gettext(
        "overlapping snapshots that disagree: {place} already holds another export for {day}; {count} deals differ, "
        "first deal {deal}: {how}. A snapshot is never rewritten: give this export its own day, or, if the "
        "existing one is wrong, move its folder away and run this again.",
        place=place,
        day=f"{day:%Y-%m-%d}",
        count=len(deals),
        deal=repr(first),
        how=_how(old.loc[first], other.loc[first], first in set(there[ID]), first in set(new[ID])),
    )


def _how(old: pd.Series, other: pd.Series, was_there: bool, is_new: bool) -> str:
    if not is_new:
        return gettext("it is missing now")
    if not was_there:
        return gettext("it was missing before")
    differing = (old != other) & ~(old.isna() & other.isna())
    column = str(differing[differing].index[0])
    was, now = (_shown(row[column]) for row in (old, other))
    return gettext("'{column}' was {was} and is {now} now", column=column, was=was, now=now)


def _shown(cell: object) -> str:
    return gettext("blank") if pd.isna(cell) else shown_cell(cell)  # type: ignore[call-overload]
