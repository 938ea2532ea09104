"""Convert columns to the canonical types: text ``str``, days ``datetime64[us]`` at midnight, numbers ``float64``.

A column that has its canonical type and content already is not converted, so that a second validation is cheap.
"""

import math
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from winprob.data.schema.columns import SUPPORTS

DATES = ("as_of", "opened_on", "expected_close_on", "closed_on")
NUMBERS = ("amount", "rep_probability", *SUPPORTS)

_TEXT = pd.StringDtype("pyarrow", na_value=np.nan)
_DAY = np.dtype("datetime64[us]")
_NUMBER = np.dtype("float64")
_MICROSECONDS = 86_400_000_000
_ISO_DAY = r"\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?"


def as_text(values: pd.Series) -> pd.Series:
    """``values`` as trimmed text of dtype ``str``; a blank is missing. Whole numbers lose their ``.0``."""
    if _is_text(values):
        return values.copy(deep=False)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "if":
        values = _numbers_as_text(values)
    elif not isinstance(values.dtype, pd.StringDtype):
        values = values.astype(object).map(cell_text, na_action="ignore")
    text = values.astype("str").str.strip()
    blank_is_missing: pd.Series = text.mask(text == "")
    return blank_is_missing


def _numbers_as_text(values: pd.Series) -> pd.Series:
    """The text of each number: a column of millions has few distinct ones."""
    codes, distinct = pd.factorize(values.to_numpy())
    words = np.array([*map(cell_text, distinct.tolist()), np.nan], dtype=object)
    return pd.Series(words[codes], index=values.index, name=values.name)


def as_arrow(text: pd.Series) -> Any:
    """A column of text as an Arrow array, without a copy."""
    return pa.array(text.array)


def _is_text(values: pd.Series) -> bool:
    """Whether it is ``str`` already, and no cell begins or ends with white space or is empty."""
    if not isinstance(values.dtype, pd.StringDtype) or values.dtype != _TEXT:
        return False
    text = as_arrow(values)
    return bool(compute.utf8_trim_whitespace(text).equals(text)) and not compute.any(compute.equal(text, "")).as_py()


def cell_text(cell: object) -> str:
    """One known cell as text: 3.0 as ``3``, midnight as its day."""
    if isinstance(cell, float):
        return str(int(cell)) if math.isfinite(cell) and cell == int(cell) else repr(float(cell))
    if isinstance(cell, datetime):
        return cell.isoformat().removesuffix("T00:00:00")
    return str(cell)


def as_days(values: pd.Series) -> pd.Series:
    """``values`` as days (``datetime64``, midnight, no zone). What is not an ISO date or time is missing."""
    if _is_days(values):
        return values.copy(deep=False)
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        text = as_text(values)
        iso = text.where(text.str.fullmatch(_ISO_DAY).astype(bool) & text.notna())
        values = pd.to_datetime(iso.str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    if values.dt.tz is not None:
        values = values.dt.tz_localize(None)
    days: pd.Series = values.dt.normalize().astype("datetime64[us]")
    return days


def _is_days(values: pd.Series) -> bool:
    if values.dtype != _DAY:
        return False
    days = values.to_numpy()
    return bool((np.isnat(days) | (days.view(np.int64) % _MICROSECONDS == 0)).all())


def as_numbers(values: pd.Series) -> pd.Series:
    """``values`` as ``float64``. What is not a plain number is missing."""
    if _is_numbers(values):
        return values.copy(deep=False)
    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = pd.to_numeric(as_text(values), errors="coerce")
    return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index, name=values.name)


def _is_numbers(values: pd.Series) -> bool:
    return bool(values.dtype == _NUMBER)


def convert(values: pd.Series, column: str) -> pd.Series | None:
    """``values`` in the canonical type of ``column``; None where they have that type and content already."""
    if column in DATES:
        return None if _is_days(values) else as_days(values)
    if column in NUMBERS:
        return None if _is_numbers(values) else as_numbers(values)
    return None if _is_text(values) else as_text(values)
