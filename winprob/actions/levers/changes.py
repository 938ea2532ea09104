"""What may be changed about a deal, and to what? Values as tables write them; every fault told at once."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import CHOICES, COLUMNS, COVERAGE_COLUMNS, DATES, ID, SUPPORTS
from winprob.data.tables import is_blank_word, parse_days, parse_numbers
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.methodology import canonical, canonical_column, is_unknown
from winprob.model.features import Scaling

#: What stands for a column's unknown in a scenario's name.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One column of a deal set to a value; a missing one is unknown."""

    column: str
    value: Any

    @property
    def name(self) -> str:
        """As a scenario is called: ``approver_support=3``."""
        return f"{self.column}={UNKNOWN if pd.isna(self.value) else _shown(self.value)}"

    def apply(self, row: pd.DataFrame) -> pd.DataFrame:
        """The row with this one value changed. A role's support replaces what its people said."""
        columns: dict[str, Any] = {self.column: pd.array([self.value] * len(row), dtype=_dtype(self.value))}
        people = self.column.replace("_support", "_readings")
        if self.column in SUPPORTS and people in row:
            columns[people] = pd.array([None] * len(row), dtype="str")
        return row.assign(**columns)


def read_changes(changes: Mapping[str, object], scaling: Scaling) -> tuple[Change, ...]:
    """What a mapping of columns to values means, in canonical terms.

    Parameters
    ----------
    changes : canonical columns, their aliases, or covariates of the model; values as in tables, blank = unknown

    Raises
    ------
    DealTableError
        Nothing is changed, a column is unknown or named twice, or a value impossible: all are listed.
    """
    faults = [] if changes else [gettext("nothing is set; name a column and a value, such as approver_support=3")]
    own = _own_columns(scaling)
    found: dict[str, Change] = {}
    for name, value in changes.items():
        column = _column(name, own)
        if column is None:
            faults.append(_no_column(name, own))
            continue
        if column in found:
            faults.append(gettext("{column} is set twice", column=column))
        try:
            found[column] = Change(column=column, value=_value(column, value, own))
        except _ImpossibleError as fault:
            faults.append(
                gettext(
                    "{column} cannot be {got!r}; accepted: {accepted}",
                    column=column,
                    got=str(value),
                    accepted=fault.accepted,
                )
            )
    if faults:
        raise DealTableError(gettext("what-if: {faults}.", faults="; ".join(faults)))
    return tuple(found.values())


def ignored(changes: Collection[Change], scaling: Scaling) -> list[str]:
    """Columns that the model does not look at: setting them changes nothing."""
    looked_at = {*_own_columns(scaling), *SUPPORTS, *_METHOD, "as_of"}
    return [change.column for change in changes if change.column not in looked_at]


class _ImpossibleError(Exception):
    def __init__(self, accepted: str) -> None:
        super().__init__(accepted)
        self.accepted = accepted


_METHOD = ("stage", "coach", "decision_method", "approver_coverage")


def _own_columns(scaling: Scaling) -> dict[str, bool]:
    """The covariates the model learned from, and whether each is a number."""
    return {field.name: False for field in scaling.fields} | {column.name: True for column in scaling.numeric}


def _column(name: str, own: Mapping[str, bool]) -> str | None:
    if name in own:
        return name
    column = canonical_column(name)
    return column if column in COLUMNS and column != ID else None


def _no_column(name: str, own: Mapping[str, bool]) -> str:
    known = [*(column for column in COLUMNS if column != ID), *(column for column in own if column not in COLUMNS)]
    near = get_close_matches(name, known, n=1) or known
    return gettext("there is no column {name!r} to set; accepted: {accepted}", name=name, accepted=", ".join(near))


def _value(column: str, value: object, own: Mapping[str, bool]) -> Any:
    text = "" if value is None or pd.isna(value) else str(value).strip()  # type: ignore[call-overload]
    if column in CHOICES or column in SUPPORTS:
        return _word(column, text)
    if column in DATES:
        return _day(text)
    if column in ("amount", "rep_probability") or own.get(column, False):
        return _number(column, text)
    if text == "" or is_unknown(text):
        return None
    if column == "currency" and not re.fullmatch("[A-Z]{3}", text):
        raise _ImpossibleError(gettext("a code of ISO 4217, such as CNY"))
    return text


def _word(column: str, text: str) -> Any:
    word = "support" if column in SUPPORTS else "coverage" if column in COVERAGE_COLUMNS else column
    found = canonical(word, text)
    if found is None and not is_unknown(text):
        accepted = ("1", "2", "3", "4") if column in SUPPORTS else CHOICES[column]
        raise _ImpossibleError(", ".join(dict.fromkeys((*accepted, UNKNOWN))))
    if column in SUPPORTS:
        return np.nan if found is None else float(found)
    return found


def _day(text: str) -> Any:
    parsed = parse_days(pd.Series([text], dtype="str"))
    if parsed.refused[0]:
        raise _ImpossibleError(gettext("a day such as 2026-11-24, unknown"))
    return parsed.read.iloc[0]


def _number(column: str, text: str) -> float:
    parsed = parse_numbers(pd.Series([text], dtype="str"))
    number = float(parsed.read.iloc[0])
    top = 1.0 if column == "rep_probability" else np.inf
    low = -np.inf if column not in ("amount", "rep_probability") else 0.0
    if parsed.refused[0] or np.isinf(number) or not (is_blank_word(text) or low <= number <= top):
        raise _ImpossibleError(
            gettext("a number from 0 to 1, unknown")
            if top == 1
            else gettext("a number from 0 on, unknown")
            if low == 0
            else gettext("a number, unknown")
        )
    return number


def _dtype(value: Any) -> Any:
    if isinstance(value, float):
        return "float64"
    return "datetime64[us]" if isinstance(value, pd.Timestamp) or value is pd.NaT else "str"


def _shown(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return f"{value:g}" if isinstance(value, float) else str(value)
