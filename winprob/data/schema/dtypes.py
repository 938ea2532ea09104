"""How does a column become canonical? Text, days and numbers, with missing for a blank."""

import math
from datetime import datetime

import numpy as np
import pandas as pd

_ISO_DAY = r"\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?"


def as_text(values: pd.Series) -> pd.Series:
    """``values`` as trimmed text of dtype ``str``; a blank is missing. Whole numbers lose their ``.0``."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if not isinstance(values.dtype, pd.StringDtype):
        values = values.astype(object).map(cell_text, na_action="ignore")
    text = values.astype("str").str.strip()
    blank_is_missing: pd.Series = text.mask(text == "")
    return blank_is_missing


def cell_text(cell: object) -> str:
    """One known cell as text: 3.0 as ``3``, midnight as its day."""
    if isinstance(cell, float):
        return str(int(cell)) if math.isfinite(cell) and cell == int(cell) else repr(float(cell))
    if isinstance(cell, datetime):
        return cell.isoformat().removesuffix("T00:00:00")
    return str(cell)


def as_days(values: pd.Series) -> pd.Series:
    """``values`` as days (``datetime64``, midnight, no zone). What is no ISO date or time is missing."""
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        text = as_text(values)
        iso = text.where(text.str.fullmatch(_ISO_DAY).astype(bool) & text.notna())
        values = pd.to_datetime(iso.str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
    if values.dt.tz is not None:
        values = values.dt.tz_localize(None)
    days: pd.Series = values.dt.normalize().astype("datetime64[us]")
    return days


def as_numbers(values: pd.Series) -> pd.Series:
    """``values`` as ``float64``. What is no plain number is missing."""
    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = pd.to_numeric(as_text(values), errors="coerce")
    return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index, name=values.name)
