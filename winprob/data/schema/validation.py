"""What is a valid deal table?

A deal table is a pandas frame in canonical columns. Every column but ``deal_id`` may be absent; a blank is
*unknown* and stays a missing value all the way to the model. ``check_deals`` says all that is wrong at once;
``validate_deals`` refuses it, or hands back the same deals in canonical types.

The checks are written out here, one small function a rule, rather than in pandera: decision 002.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema.columns import (
    COLUMNS,
    DATES,
    ID,
    NUMBERS,
    READINGS,
)
from winprob.data.schema.dtypes import as_days, as_numbers, as_text
from winprob.data.schema.findings import Finding, refuse, spot, whole
from winprob.data.schema.rules import ERROR_RULES, WARNING_RULES, training_errors
from winprob.errors import DealTableError
from winprob.i18n import gettext

_KNOWN = frozenset((*COLUMNS, *READINGS))


def check_deals(frame: pd.DataFrame, *, training: bool = False) -> list[Finding]:
    """Everything that is wrong, or odd, with a deal table in canonical columns.

    Parameters
    ----------
    frame : DataFrame
        Canonical columns, of any dtype; all may be absent but ``deal_id`` (and ``outcome`` for training).
        Other columns are not looked at.
    training : bool
        Whether a model is to learn from these deals, which asks for closed deals of both outcomes.

    Returns
    -------
    list of Finding
        Errors first, then warnings. Empty for a sound table.

    Raises
    ------
    DealTableError
        When ``frame`` is no DataFrame.
    """
    deals, findings = _examine(frame, training=training)
    if _readable(deals):
        findings += [found for rule in WARNING_RULES for found in rule(deals)]
    return findings


def validate_deals(frame: pd.DataFrame, *, training: bool = False, one_outcome: bool = False) -> pd.DataFrame:
    """The same deals in canonical types: dates ``datetime64``, text ``str``, numbers ``float64``.

    With ``training`` some deal must be closed, and the closed ones must not all have ended alike unless
    ``one_outcome`` says that they may. A blank is missing in each. Index, other columns and ``attrs`` are kept,
    canonical columns that are absent stay absent, and the input is not changed.

    Raises
    ------
    DealTableError
        When anything is wrong. The message lists every fault at once.
    """
    deals, findings = _examine(frame, training=training, one_outcome=one_outcome)
    refuse(findings, rows=len(frame))
    return deals


def _examine(frame: pd.DataFrame, *, training: bool, one_outcome: bool = False) -> tuple[pd.DataFrame, list[Finding]]:
    """The deals in canonical types, and every error."""
    if not isinstance(frame, pd.DataFrame):
        raise DealTableError(gettext("deals must be a pandas DataFrame, got {kind}", kind=type(frame).__name__))
    findings = list(_column_errors(frame))
    if findings:
        return frame, findings
    deals, findings = _typed(frame)
    findings += [found for rule in ERROR_RULES for found in rule(deals)]
    if training:
        findings += training_errors(deals, one_outcome=one_outcome)
    return deals, findings


def _readable(deals: pd.DataFrame) -> bool:
    return not any(_column_errors(deals))


def _column_errors(frame: pd.DataFrame) -> Iterator[Finding]:
    for column in frame.columns[frame.columns.duplicated()].unique():
        if column in _KNOWN:
            yield whole("error", column, gettext("column '{column}' appears more than once", column=column))
    if ID not in frame:
        columns = ", ".join(repr(str(name)) for name in frame.columns[:12]) or "-"
        yield whole("error", ID, gettext("column 'deal_id' is missing; the columns are {columns}", columns=columns))


def _typed(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """The deals in canonical types, and what would not go into them (missing there)."""
    deals = frame.copy()
    deals[ID] = as_text(frame[ID])
    findings: list[Finding] = []
    for column in frame.columns:
        if column in DATES:
            deals[column] = as_days(frame[column])
        elif column in NUMBERS:
            deals[column] = as_numbers(frame[column])
        elif column in _KNOWN:
            deals[column] = as_text(frame[column])
        if column in DATES or column in NUMBERS:
            findings += _not_read(deals, frame[column])
    return deals, findings


def _not_read(deals: pd.DataFrame, given: pd.Series) -> Iterator[Finding]:
    """What of a column of days or numbers got lost in conversion."""
    unread = deals[given.name].isna() & given.notna()
    lost = unread.to_numpy(dtype=bool, copy=True)
    if lost.any():
        lost[lost] = as_text(given[unread]).notna().to_numpy()
    if not lost.any():
        return
    found = spot(deals, lost, given)
    if given.name in DATES:
        yield found.error(
            gettext("'{column}' is no date (YYYY-MM-DD) in {rows} rows, first deal {deal} has {got}", **found.words)
        )
    else:
        yield found.error(gettext("'{column}' is no number in {rows} rows, first deal {deal} has {got}", **found.words))


def last_reading(deals: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    """The one row that says how a deal stands: its last reading in time, one without a date before any other.

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
    """(deal,) position of each deal's last reading in time, one without a date before any other; in table order."""
    places = np.arange(len(deals))
    if "as_of" in deals:
        # A missing day is the smallest integer.
        places = np.argsort(deals["as_of"].to_numpy(dtype="datetime64[us]").astype(np.int64), kind="stable")
    is_last = ~deals[ID].iloc[places].duplicated(keep="last").to_numpy()
    return np.sort(places[is_last])
