"""Validate a log of past visits: a row a visit, with deal, role, executive, date, tier before and after."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.data.schema.columns import ID
from winprob.data.schema.dtypes import as_days, as_numbers, as_text
from winprob.data.schema.findings import Mask, mask_of, shown_cell
from winprob.errors import PlanError
from winprob.i18n import gettext
from winprob.methodology import COACH_STATES, COVERAGES, ROLES, SUPPORT_TIERS

TIERS = ("tier_before", "tier_after")
#: Optional columns: how far the role was covered, and the deal's coach, on that day.
OPTIONAL = {"coverage": COVERAGES, "coach": COACH_STATES}
VISIT_COLUMNS = (ID, "role", "executive", "date", *TIERS)


def validate_visits(frame: pd.DataFrame) -> pd.DataFrame:
    """The same visits in canonical types, with ``coverage`` and ``coach`` (blank where the log has none).

    A tier may be blank: nothing is learned from such a visit. The input is not changed.

    Raises
    ------
    PlanError
        A column is missing, or a cell holds a value that is not accepted: every error at once.
    """
    if not isinstance(frame, pd.DataFrame):
        raise PlanError(
            gettext("visits must be a table of pandas, polars or pyarrow, got {kind}", kind=type(frame).__name__)
        )
    missing = [name for name in VISIT_COLUMNS if name not in frame]
    if missing:
        raise PlanError(
            gettext(
                "visit log: no column is {missing} (the columns are {columns})",
                missing=", ".join(map(repr, missing)),
                columns=", ".join(map(repr, frame.columns[:12])) or "-",
            )
        )
    visits = _typed(frame)
    faults = list(_faults(visits, frame))
    if faults:
        raise PlanError(_refusal(faults, len(frame)))
    return visits


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    visits = pd.DataFrame({name: as_text(frame[name]) for name in (ID, "role", "executive")})
    visits["date"] = as_days(frame["date"])
    for name in TIERS:
        visits[name] = as_numbers(frame[name])
    for name in OPTIONAL:
        visits[name] = as_text(frame[name]) if name in frame else pd.Series(pd.NA, frame.index, "str")
    return visits


def _faults(visits: pd.DataFrame, given: pd.DataFrame) -> Iterator[str]:
    for name in (ID, "executive"):
        yield from _fault(name, mask_of(visits[name].isna()), given, gettext("a name"))
    yield from _fault("role", mask_of(~visits["role"].isin(ROLES)), given, ", ".join(ROLES))
    yield from _fault("date", mask_of(visits["date"].isna()), given, gettext("a date (YYYY-MM-DD)"))
    for name in TIERS:
        outside = ~visits[name].isin(SUPPORT_TIERS) & given[name].notna() & as_text(given[name]).notna()
        yield from _fault(name, mask_of(outside), given, "1..4")
    for name, accepted in OPTIONAL.items():
        stray = visits[name].notna() & ~visits[name].isin(accepted)
        yield from _fault(name, mask_of(stray), given, ", ".join(accepted))


def _fault(column: str, mask: Mask, given: pd.DataFrame, wanted: str) -> Iterator[str]:
    if not mask.any():
        return
    first = int(np.flatnonzero(mask)[0])
    got = given[column].iloc[first]
    yield gettext(
        "'{column}' is not {wanted} in {rows} rows, first visit {number} (deal {deal!r}) has {got}",
        column=column,
        wanted=wanted,
        rows=int(mask.sum()),
        number=first + 1,
        deal=shown_cell(given[ID].iloc[first]).strip("'"),
        got="''" if pd.isna(got) else shown_cell(got),
    )


def _refusal(faults: list[str], rows: int) -> str:
    if len(faults) == 1:
        return gettext("visit log with {rows} rows: {fault}. Fix the log.", rows=rows, fault=faults[0])
    listed = "\n".join(f"  - {fault}" for fault in faults)
    return gettext(
        "visit log with {rows} rows, {count} errors:\n{faults}\nFix the log.",
        rows=rows,
        count=len(faults),
        faults=listed,
    )
