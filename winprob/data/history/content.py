"""What of an export is kept in a snapshot, and do two exports for one day say the same?"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.history.days import OTHER_ZONE
from winprob.data.schema import (
    ID,
    Finding,
    as_numbers,
    as_text,
    fact_columns,
    latest_places,
    mask_of,
    refuse,
    shown_cell,
    spot,
    validate_deals,
)
from winprob.errors import DealTableError, HistoryError
from winprob.i18n import gettext


def content_of(deals: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """What was known on ``day``: each deal's last reading, canonical columns and covariates, without ``as_of``.

    Raises
    ------
    DealTableError
        The deals are not valid, there is none, or they know what came after the day.
    """
    valid = validate_deals(deals)
    if valid.empty:
        raise DealTableError(gettext("the export holds no deal: nothing was added to the history."))
    refuse(list(_from_later(valid, day)), rows=len(valid))
    last = valid.iloc[latest_places(valid)]
    kept = last[[ID, *(name for name in fact_columns(valid) if name != "as_of")]].reset_index(drop=True)
    return _plainly_typed(kept)


def _plainly_typed(kept: pd.DataFrame) -> pd.DataFrame:
    """Covariates as text or numbers, so that every snapshot holds the same kinds of columns."""
    typed = kept.copy()
    for name in kept.columns:
        if not pd.api.types.is_datetime64_any_dtype(kept[name].dtype):
            number = pd.api.types.is_numeric_dtype(kept[name].dtype)
            typed[name] = as_numbers(kept[name]) if number else as_text(kept[name])
    return typed


def _from_later(deals: pd.DataFrame, day: pd.Timestamp) -> Iterator[Finding]:
    """Faults: rows read, and deals closed, more than a time zone after the day."""
    last = day + OTHER_ZONE
    if "as_of" in deals and (late := mask_of(deals["as_of"] > last)).any():
        found = spot(deals, late, deals["as_of"])
        yield found.error(
            gettext(
                "'as_of' is after the snapshot's day {day} in {rows} rows, first deal {deal} has {got}: "
                "give that day, or an earlier export",
                day=f"{day:%Y-%m-%d}",
                **found.fields,
            )
        )
    if "closed_on" in deals and (late := mask_of(deals["closed_on"] > last)).any():
        found = spot(deals, late, deals["closed_on"])
        yield found.error(
            gettext(
                "'closed_on' is after the snapshot's day {day} in {rows} rows, first deal {deal} has {got}: "
                "nobody knew it then (one day more is taken for a clock in another zone). "
                "If it is the day the seller hopes for, map it to 'expected_close_on'",
                day=f"{day:%Y-%m-%d}",
                **found.fields,
            )
        )


def of_next_day(content: pd.DataFrame, day: pd.Timestamp) -> int:
    """How many deals closed on the day after, by a clock in another zone."""
    return int((content["closed_on"] > day).sum()) if "closed_on" in content else 0


def refuse_other(there: pd.DataFrame, new: pd.DataFrame, day: pd.Timestamp, place: object) -> None:
    """Say nothing where both say the same of the day's deals, in whatever order.

    Raises
    ------
    HistoryError
        They disagree: how many deals differ, the first of them, and what to do.
    """
    old, other = (_comparable(frame, {*there.columns, *new.columns}) for frame in (there, new))
    ids = old.index.union(other.index)
    old, other = old.reindex(ids), other.reindex(ids)
    differs = (old != other) & ~(old.isna() & other.isna())
    deals = differs.any(axis=1).to_numpy() | ~(ids.isin(there[ID]) & ids.isin(new[ID]))
    if deals.any():
        raise HistoryError(_disagreement(old, other, there, new, np.flatnonzero(deals), day, place))


def _comparable(frame: pd.DataFrame, columns: set[str]) -> pd.DataFrame:
    """Deals by id, every column there and as plain objects; a column that is not there is unknown."""
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
        "first deal {deal}: {how}. A snapshot is never rewritten: give this export its own day, or, if the one "
        "that is there is wrong, move its folder away and run this again.",
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
        return gettext("it was not there")
    unlike = (old != other) & ~(old.isna() & other.isna())
    column = str(unlike[unlike].index[0])
    was, now = (_shown(row[column]) for row in (old, other))
    return gettext("'{column}' was {was} and is {now} now", column=column, was=was, now=now)


def _shown(cell: object) -> str:
    return gettext("blank") if pd.isna(cell) else shown_cell(cell)  # type: ignore[call-overload]
