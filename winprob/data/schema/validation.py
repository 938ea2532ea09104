"""Validate a deal table: canonical columns, canonical types, every error at once.

A deal table is a pandas frame in canonical columns. Every column but ``deal_id`` may be absent; a blank is *unknown*
and stays a missing value all the way to the model. ``check_deals`` lists all findings; ``validate_deals`` raises on
errors, or returns the same deals in canonical types.

The checks are plain functions, one a rule, rather than a pandera schema: decision 002.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema.columns import CANONICAL, ID
from winprob.data.schema.dtypes import DATES, NUMBERS, as_text, convert
from winprob.data.schema.findings import Finding, refuse, spot, whole
from winprob.data.schema.plausibility import neutralise
from winprob.data.schema.rules import ERROR_RULES, WARNING_RULES, training_errors
from winprob.errors import DealTableError
from winprob.i18n import gettext


def check_deals(frame: pd.DataFrame, *, training: bool = False, remarks: bool = True) -> list[Finding]:
    """Errors and warnings of a deal table in canonical columns.

    Parameters
    ----------
    frame : DataFrame
        Canonical columns, of any dtype; all may be absent but ``deal_id`` (and ``outcome`` for training).
        Other columns are not looked at.
    training : bool
        Whether a model is to learn from these deals, which needs closed deals of both outcomes.
    remarks : bool
        Whether to look for what is odd and left as it is, such as copies of a row.

    Returns
    -------
    list of Finding
        Errors first, then warnings. Empty for a valid table without anomalies.

    Raises
    ------
    DealTableError
        ``frame`` is not a DataFrame.
    """
    deals, findings = _examine(frame, training=training)
    if remarks and not any(_column_errors(deals)):
        findings += [replace(finding, remark=True) for rule in WARNING_RULES for finding in rule(deals)]
    return findings


def validate_deals(frame: pd.DataFrame, *, training: bool = False, one_outcome: bool = False) -> pd.DataFrame:
    """The same deals in canonical types: dates ``datetime64``, text ``str``, numbers ``float64``.

    With ``training`` some deal must be closed, and the closed ones must not all have the same outcome unless
    ``one_outcome`` allows it. A blank is missing in each. Index, other columns and ``attrs`` are kept, canonical
    columns that are absent stay absent, and the input is not changed. Cells that are implausible (a negative amount, a
    creation after the close) are missing, as `check_deals` warns.

    Every public function validates the table it is given. A table that is canonical already is checked without being
    converted or copied, so that doing so again takes about a millisecond for a small table.

    Raises
    ------
    DealTableError
        Something is wrong. The message lists every error at once.
    """
    deals, findings = _examine(frame, training=training, one_outcome=one_outcome)
    refuse(findings, rows=len(frame))
    return deals


def _examine(frame: pd.DataFrame, *, training: bool, one_outcome: bool = False) -> tuple[pd.DataFrame, list[Finding]]:
    """The deals in canonical types without implausible cells; every error, and a warning for each such rule."""
    if not isinstance(frame, pd.DataFrame):
        raise DealTableError(
            gettext("deals must be a table of pandas, polars or pyarrow, got {kind}", kind=type(frame).__name__)
        )
    findings = list(_column_errors(frame))
    if findings:
        return frame, findings
    deals = frame.copy(deep=False)
    # Without them: pandas copies the attributes with every column that is taken from a frame.
    attrs, deals.attrs = deals.attrs, {}
    columns = {name: deals[name] for name in deals.columns if name in CANONICAL}
    deals, findings = _convert(deals, columns)
    neutral, warnings = neutralise(columns)
    if neutral:
        columns |= neutral
        deals = deals.assign(**neutral)
    findings += [finding for rule in ERROR_RULES for finding in rule(columns)]
    if training:
        findings += training_errors(deals, one_outcome=one_outcome)
    deals.attrs = attrs
    return deals, findings + warnings


def _column_errors(frame: pd.DataFrame) -> Iterator[Finding]:
    for column in frame.columns[frame.columns.duplicated()].unique():
        if column in CANONICAL:
            yield whole("error", column, gettext("column '{column}' appears more than once", column=column))
    if ID not in frame:
        columns = ", ".join(repr(str(name)) for name in frame.columns[:12]) or "-"
        yield whole("error", ID, gettext("column 'deal_id' is missing; the columns are {columns}", columns=columns))


def _convert(given: pd.DataFrame, columns: dict[str, pd.Series]) -> tuple[pd.DataFrame, list[Finding]]:
    """The deals and ``columns`` in canonical types, and the cells that could not be converted (missing there)."""
    changed = {name: values for name, each in columns.items() if (values := convert(each, name)) is not None}
    if not changed:
        return given, []
    columns |= changed
    deals = given.assign(**changed)
    findings = [
        finding for name in changed if name in DATES or name in NUMBERS for finding in _unreadable(deals, given[name])
    ]
    return deals, findings


def _unreadable(deals: pd.DataFrame, given: pd.Series) -> Iterator[Finding]:
    """The error on a column of days or numbers that lost cells in conversion."""
    unread = deals[given.name].isna() & given.notna()
    lost = unread.to_numpy(dtype=bool, copy=True)
    if lost.any():
        lost[lost] = as_text(given[unread]).notna().to_numpy()
    if not lost.any():
        return
    where = spot(deals, lost, given)
    if given.name in DATES:
        yield where.error(
            gettext("'{column}' is not a date (YYYY-MM-DD) in {rows} rows, first deal {deal} has {got}", **where.fields)
        )
    else:
        yield where.error(
            gettext("'{column}' is not a number in {rows} rows, first deal {deal} has {got}", **where.fields)
        )


def last_reading(deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """The row of a deal's last reading in time, as a frame; a reading without a date counts as the earliest.

    Raises
    ------
    DealTableError
        The deal is not in the table.
    """
    rows = deals[deals[ID] == deal_id]
    if rows.empty:
        some = ", ".join(deals[ID].head(5))
        raise DealTableError(
            gettext(
                "deal {deal!r} is not in the table of {rows} rows; it has {some}, ...",
                deal=deal_id,
                rows=len(deals),
                some=some,
            )
        )
    return rows.iloc[latest_places(rows)]


def latest_places(deals: pd.DataFrame) -> Array:
    """(deal,) position of each deal's last reading in time, in table order; one without a date counts as earliest."""
    places = np.arange(len(deals))
    if "as_of" in deals:
        # A missing day is the smallest integer.
        places = np.argsort(deals["as_of"].to_numpy(dtype="datetime64[us]").astype(np.int64), kind="stable")
    is_last = ~deals[ID].iloc[places].duplicated(keep="last").to_numpy()
    return np.sort(places[is_last])
