"""Validation rules of a deal table: one small function a rule, over a frame in canonical types.

Each rule computes the mask of the rows that break it, on NumPy or Arrow arrays without a copy; a finding is built only
where the mask holds a row.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from winprob.data.schema.access import is_censored, is_closed
from winprob.data.schema.columns import CHOICES, ID, READINGS, SUPPORTS, fact_columns
from winprob.data.schema.dtypes import as_arrow
from winprob.data.schema.findings import Columns, Finding, Mask, mask_of, spot, whole
from winprob.data.schema.plausibility import impossible_day
from winprob.i18n import gettext

_READINGS_TEXT = r"[1-4]\*[1-4](?: [1-4]\*[1-4])*"
#: Two rows with fewer known cells than this may be alike by chance.
_CELLS_TO_CALL_A_COPY = 5


def _missing_ids(deals: Columns) -> Iterator[Finding]:
    blank = mask_of(deals[ID].isna())
    if blank.any():
        row = int(np.flatnonzero(blank)[0]) + 1
        message = gettext("'deal_id' is blank in {rows} rows, first in row {row}", rows=int(blank.sum()), row=row)
        yield spot(deals, blank, deals[ID]).error(message)


def _repeated_ids(deals: Columns) -> Iterator[Finding]:
    if deals[ID].is_unique:
        return
    keys = [ID, "as_of"] if "as_of" in deals else [ID]
    repeated = mask_of(deals[ID].notna()) & pd.DataFrame({key: deals[key] for key in keys}).duplicated().to_numpy()
    if not repeated.any():
        return
    where = spot(deals, repeated, deals[ID])
    if "as_of" in deals:
        yield where.error(
            gettext("'deal_id' and 'as_of' repeat an earlier row in {rows} rows, first deal {deal}", **where.fields)
        )
    else:
        yield where.error(gettext("'deal_id' repeats an earlier row in {rows} rows, first deal {deal}", **where.fields))


def _support_range(deals: Columns) -> Iterator[Finding]:
    for column in SUPPORTS:
        if column in deals:
            tier = deals[column].to_numpy()
            wrong = (tier < 1) | (tier > 4) | ((tier != np.floor(tier)) & ~np.isnan(tier))
            if wrong.any():
                where = spot(deals, wrong, deals[column])
                yield where.error(
                    gettext("'{column}' outside 1..4 in {rows} rows, first deal {deal} has {got}", **where.fields)
                )


def _probability_range(deals: Columns) -> Iterator[Finding]:
    if "rep_probability" not in deals:
        return
    chance = deals["rep_probability"].to_numpy()
    wrong = (chance < 0.0) | (chance > 1.0)
    if wrong.any():
        where = spot(deals, wrong, deals["rep_probability"])
        if (chance[wrong] >= 1.0).all() and (chance[wrong] <= 100.0).all():
            yield where.error(
                gettext(
                    "'{column}' outside 0..1 in {rows} rows, first deal {deal} has {got}, "
                    "which looks like a percentage: write 62% or 0.62",
                    **where.fields,
                )
            )
        else:
            yield where.error(
                gettext("'{column}' outside 0..1 in {rows} rows, first deal {deal} has {got}", **where.fields)
            )


def _amount_range(deals: Columns) -> Iterator[Finding]:
    if "amount" not in deals:
        return
    wrong = np.isinf(deals["amount"].to_numpy())
    if wrong.any():
        where = spot(deals, wrong, deals["amount"])
        yield where.error(gettext("'{column}' infinite in {rows} rows, first deal {deal} has {got}", **where.fields))


def _possible_reading_days(deals: Columns) -> Iterator[Finding]:
    if "as_of" not in deals:
        return
    wrong = impossible_day(deals["as_of"])
    if wrong.any():
        where = spot(deals, wrong, deals["as_of"])
        yield where.error(
            gettext("'{column}' before 1970 or after 2099 in {rows} rows, first deal {deal} has {got}", **where.fields)
        )


def _canonical_values(deals: Columns) -> Iterator[Finding]:
    for column, accepted in CHOICES.items():
        if column in deals:
            text = as_arrow(deals[column])
            # With the missing value among the accepted ones, one pass suffices where nothing is wrong.
            passes = compute.is_in(text, value_set=pa.array((*accepted, None), text.type))
            wrong = None if compute.all(passes).as_py() else _fails(text, passes)
            if wrong is not None:
                where = spot(deals, wrong, deals[column])
                yield where.error(
                    gettext(
                        "'{column}' not one of {accepted} in {rows} rows, first deal {deal} has {got}",
                        accepted=", ".join(accepted),
                        **where.fields,
                    )
                )


def _currency_codes(deals: Columns) -> Iterator[Finding]:
    if "currency" not in deals:
        return
    wrong = _not_like(deals["currency"], r"[A-Z]{3}")
    if wrong is not None:
        where = spot(deals, wrong, deals["currency"])
        yield where.error(
            gettext(
                "'{column}' is not an ISO 4217 code such as CNY in {rows} rows, first deal {deal} has {got}",
                **where.fields,
            )
        )


def _people_readings(deals: Columns) -> Iterator[Finding]:
    for column in READINGS:
        if column in deals:
            wrong = _not_like(deals[column], _READINGS_TEXT)
            if wrong is not None:
                where = spot(deals, wrong, deals[column])
                yield where.error(
                    gettext(
                        "'{column}' is not 'tier*influence' per person, such as '3*2 4*1', in {rows} rows, "
                        "first deal {deal} has {got}",
                        **where.fields,
                    )
                )


def _not_like(values: pd.Series, pattern: str) -> Mask | None:
    """(row,) known cells that do not match ``pattern`` as a whole; None where all do."""
    text = as_arrow(values)
    return _fails(text, compute.match_substring_regex(text, f"^(?:{pattern})$"))


def _fails(text: Any, passes: Any) -> Mask | None:
    """(row,) known cells of ``text`` that do not pass; None where all do."""
    wrong = compute.and_(compute.is_valid(text), compute.invert(passes))
    if not compute.any(wrong).as_py():
        return None
    return np.asarray(compute.fill_null(wrong, False), dtype=bool)


def training_errors(deals: pd.DataFrame, *, one_outcome: bool = False) -> Iterator[Finding]:
    """Errors of a table that cannot train a model: no closed deal, or closed deals of one outcome only."""
    if "outcome" not in deals:
        yield whole("error", "outcome", gettext("column 'outcome' is missing, and training needs it"))
        return
    closed = deals["outcome"][is_closed(deals)]
    if closed.empty:
        yield whole(
            "error",
            "outcome",
            gettext("no deal is closed: every 'outcome' is open or blank, so nothing can be learned"),
        )
    elif one_outcome:
        return
    elif (closed == "won").all():
        yield _one_outcome(len(closed), gettext("won"))
    elif not (closed == "won").any():
        yield _one_outcome(len(closed), gettext("lost or without a decision"))


def _one_outcome(count: int, outcome: str) -> Finding:
    message = gettext(
        "all {count} closed deals are {outcome}: most often a wrong export. "
        "Add the other deals, or train with --one-outcome",
        count=count,
        outcome=outcome,
    )
    return whole("error", "outcome", message)


def _copies(deals: pd.DataFrame) -> Iterator[Finding]:
    """Rows alike in all but their id: a deal exported twice counts twice, and is in both halves of a holdout test."""
    facts = deals[fact_columns(deals)]
    copied = facts.duplicated().to_numpy() & mask_of(facts.notna().sum(axis=1) >= _CELLS_TO_CALL_A_COPY)
    if copied.any():
        where = spot(deals, copied, deals[ID])
        yield where.warning(
            gettext("{rows} rows repeat an earlier row in all but 'deal_id', first deal {deal}", **where.fields)
        )


def _known_too_late(deals: pd.DataFrame) -> Iterator[Finding]:
    if not {"as_of", "closed_on", "outcome"} <= set(deals.columns):
        return
    late = is_closed(deals) & (deals["as_of"] > deals["closed_on"]).to_numpy()
    if late.any():
        where = spot(deals, late, deals["as_of"])
        yield where.warning(
            gettext(
                "'as_of' after 'closed_on' in {rows} rows, first deal {deal} has {got}: "
                "not what was known before the deal closed",
                **where.fields,
            )
        )


def _open_yet_closed(deals: pd.DataFrame) -> Iterator[Finding]:
    if not {"closed_on", "outcome"} <= set(deals.columns):
        return
    odd = is_censored(deals) & deals["closed_on"].notna().to_numpy()
    if odd.any():
        where = spot(deals, odd, deals["closed_on"])
        yield where.warning(
            gettext(
                "'outcome' is open, yet 'closed_on' is given in {rows} rows, first deal {deal} has {got}",
                **where.fields,
            )
        )


#: Each column is taken from the frame once, for all error rules.
ERROR_RULES: tuple[Callable[[Columns], Iterator[Finding]], ...] = (
    _missing_ids,
    _repeated_ids,
    _support_range,
    _probability_range,
    _amount_range,
    _possible_reading_days,
    _canonical_values,
    _currency_codes,
    _people_readings,
)
WARNING_RULES: tuple[Callable[[pd.DataFrame], Iterator[Finding]], ...] = (_copies, _known_too_late, _open_yet_closed)
