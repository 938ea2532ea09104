"""Readings under a former definition of a fact: a categorical deviation of their own, partially pooled.

A stage that was called *evaluation* by other criteria is another fact. Where a team keeps such readings, each former
definition of a column is a covariate: its levels are the values read then, and a reading under today's definition has
none of them. The effects of its levels have a learned scale and shrink to 0: an old reading has the fact's present
effect, and departs from it as far as the outcomes show. The time to close has no such term, and does not use these
readings.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import COLUMNS, SUPPORTS, Mask, as_text, column_or_missing, mask_of
from winprob.model.features.readings import people_of
from winprob.model.features.scaling import Field

#: The entry of ``deals.attrs["covariates"]`` that lists former definitions: ``column, since, until``, ISO days;
#: ``since`` is empty where the first readings are under it, ``until`` is the first day that is not.
FORMER = "former"
_BEFORE = " before "


def former_name(column: str, until: str) -> str:
    """The covariate's name: ``stage before 2026-07-01``."""
    return f"{column}{_BEFORE}{until}"


def former_column(name: str) -> str | None:
    """The column whose former definition the covariate ``name`` is; None for any other covariate."""
    column, before, _ = name.partition(_BEFORE)
    return column if before and column in COLUMNS else None


def former_fields(deals: pd.DataFrame) -> list[Field]:
    """The former definitions that the deals' ``attrs`` list and under which a value was read, without their levels."""
    listed: Sequence[Mapping[str, Any]] = deals.attrs.get("covariates", {}).get(FORMER, ())
    fields = [
        Field(
            name=former_name(one["column"], one["until"]),
            levels=(),
            column=one["column"],
            since=one["since"],
            until=one["until"],
        )
        for one in listed
    ]
    return [field for field in fields if _read_then(deals, field).notna().any()]


def with_former(deals: pd.DataFrame, fields: Sequence[Field]) -> pd.DataFrame:
    """The deals with a column for each field that is a former definition: the value read then, else blank."""
    columns = {field.name: _read_then(deals, field) for field in fields if field.column}
    return deals.assign(**columns) if columns else deals


def without_former(deals: pd.DataFrame) -> pd.DataFrame:
    """The deals without values that were read under a former definition."""
    columns: dict[str, pd.Series] = {}
    for field in former_fields(deals):
        values = columns.get(field.column, deals[field.column])
        columns[field.column] = values.mask(read_between(deals, field.since, field.until))
    return deals.assign(**columns) if columns else deals


def read_between(deals: pd.DataFrame, since: str, until: str) -> Mask:
    """(row,) whether the row was read from ``since`` (empty: ever) and before ``until``; never without a day."""
    read = column_or_missing(deals, "as_of")
    within = mask_of(read < pd.Timestamp(until))
    return within & mask_of(read >= pd.Timestamp(since)) if since else within


def _read_then(deals: pd.DataFrame, field: Field) -> pd.Series:
    """(row,) the value as text where it was read under the former definition, else missing."""
    if field.column not in deals:
        return pd.Series(pd.NA, index=deals.index, dtype="str")
    values = as_text(deals[field.column])
    several = field.column.replace("_support", "_readings")
    if field.column in SUPPORTS and several in deals:
        values = deals[several].map(_mean_tier, na_action="ignore").astype("str").fillna(values)
    return values.where(read_between(deals, field.since, field.until))


def _mean_tier(text: str) -> str:
    """The mean tier of several people's readings, weighed by influence and rounded."""
    tiers, influence = zip(*people_of(text), strict=True)
    return f"{np.average(tiers, weights=influence):.0f}"
