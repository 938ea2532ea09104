"""What-if: a deal's win probability as recorded and with some of its facts changed, on shared draws.

Values are given as tables write them; every impossible change is reported at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import CHOICES, COLUMNS, COVERAGE_COLUMNS, DATES, ID, SUPPORTS, last_reading, validate_deals
from winprob.data.tables import is_blank_word, parse_days, parse_numbers
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.methodology import canonical, canonical_column, is_unknown
from winprob.model.draws import summarise, to_win_prob
from winprob.model.features import Scaling, describe
from winprob.model.posterior import Posterior
from winprob.model.waiting import waiting_log_odds
from winprob.model.win.terms import coefficients, logits

PRESENT, TOGETHER = "present", "together"
#: How a missing value is written in a scenario's name.
UNKNOWN = "unknown"
#: Columns of the method that the model uses, other than supports.
_METHOD = ("stage", "coach", "decision_method", "approver_coverage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One column of a deal set to a value; a missing value is unknown."""

    column: str
    value: Any

    @property
    def name(self) -> str:
        """The scenario's name, such as ``approver_support=3``."""
        return f"{self.column}={UNKNOWN if pd.isna(self.value) else _shown(self.value)}"

    def apply(self, row: pd.DataFrame) -> pd.DataFrame:
        """The row with this one value changed."""
        values = self.values(row)
        return row.assign(**{name: pd.array([value] * len(row), dtype=_dtype(value)) for name, value in values.items()})

    def values(self, deals: pd.DataFrame) -> dict[str, Any]:
        """Value by column. A role's support replaces the readings of its people."""
        people = self.column.replace("_support", "_readings")
        replaced = {people: None} if self.column in SUPPORTS and people in deals else {}
        return {self.column: self.value, **replaced}


def what_if(posterior: Posterior, deals: pd.DataFrame, deal_id: str, changes: Mapping[str, object]) -> pd.DataFrame:
    """The win probability of a deal as recorded, and with some of its recorded facts changed.

    A what-if changes the record: support set to 3 counts as reported, by the coach on record. A lever moves the true
    support, verified, so the two differ. All scenarios share all draws, and what the deal's wait so far says.

    Parameters
    ----------
    deals : frame in canonical columns that holds the deal; of several readings the last in time counts
    changes : columns to values as in tables, such as ``{"approver_support": 3, "coach": "validated"}``; blank = unknown

    Returns
    -------
    DataFrame with columns ``scenario``: ``present``, where there are several each change alone, then ``together``;
    ``mean, lower, upper`` of the win probability; ``win_prob_lift, lift_lower, lift_upper``, its difference from the
    present, draw by draw. Where *together* differs from the sum of the changes alone, they interact.

    Raises
    ------
    DealTableError
        The frame is not valid, the deal is not in it, or a change is impossible: all of these are listed.
    """
    valid = validate_deals(deals)
    # The place first: pandas takes a row out of a frame column by column, so one row is taken once.
    row = valid.iloc[[_place(valid, deal_id)]]
    row.attrs = {}
    scenarios = _scenario_rows(row, read_changes(changes, posterior.scaling))
    waiting = waiting_log_odds(posterior, row)
    features = replace(describe(scenarios, posterior.scaling), waiting=np.repeat(waiting, len(scenarios)))
    coefs = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    return _comparison(scenarios[ID].tolist(), to_win_prob(logits(coefs, features)))


def _place(valid: pd.DataFrame, deal_id: str) -> int:
    """The row of the deal's last reading."""
    rows = np.flatnonzero((valid[ID] == deal_id).to_numpy())
    if len(rows) == 1:
        return int(rows[0])
    keys = valid[[name for name in (ID, "as_of") if name in valid]].reset_index(drop=True)
    return int(last_reading(keys, deal_id).index[0])


def _scenario_rows(row: pd.DataFrame, changes: Sequence[Change]) -> pd.DataFrame:
    """The row as recorded, with each change alone where there are several, and with all of them.

    ``deal_id`` holds the scenario's name.

    Only a changed date can contradict another column, so only dates are validated again.
    """
    alone = {change.name: (change,) for change in changes} if len(changes) > 1 else {}
    scenarios: dict[str, tuple[Change, ...]] = {PRESENT: (), **alone, TOGETHER: tuple(changes)}
    values: dict[str, list[pd.Series]] = {}
    picked: dict[str, list[int]] = {}
    for change in changes:
        for column, value in change.values(row).items():
            own = values.setdefault(column, [_now(row, column, value)])
            own.append(pd.Series([value], dtype=_dtype(value)))
            before = picked.get(column, [0] * len(scenarios))
            of_scenario = zip(scenarios.values(), before, strict=True)
            picked[column] = [len(own) - 1 if change in some else old for some, old in of_scenario]
    columns = {name: pd.concat(own, ignore_index=True).array.take(picked[name]) for name, own in values.items()}
    names = pd.array(list(scenarios), dtype="str")
    rows = row.take([0] * len(names)).assign(**columns, **{ID: names})
    if any(change.column in DATES for change in changes):
        validate_deals(rows[[name for name in (ID, *DATES) if name in rows]])
    return rows


def _now(row: pd.DataFrame, column: str, value: Any) -> pd.Series:
    """A column's value in the row as recorded, as a series of one."""
    return row[column] if column in row else pd.Series([None], dtype=_dtype(value))


def _comparison(scenarios: Sequence[str], chance: Array) -> pd.DataFrame:
    mean, lower, upper = summarise(chance, axis=1)
    lift, lift_lower, lift_upper = summarise(chance - chance[0], axis=1)
    columns = {
        "scenario": pd.array(scenarios, dtype="str"),
        "mean": mean,
        "lower": lower,
        "upper": upper,
        "win_prob_lift": lift,
        "lift_lower": lift_lower,
        "lift_upper": lift_upper,
    }
    return pd.DataFrame(columns)


def what_if_sentences(table: pd.DataFrame, changes: Mapping[str, object], posterior: Posterior) -> list[str]:
    """The result of a what-if in sentences."""
    present, together = table.iloc[0], table.iloc[-1]
    lines = [
        gettext(
            "From {now:.0%} to {then:.0%}: {lift:+.0f} points ({lower:+.0f} to {upper:+.0f}).",
            now=present["mean"],
            then=together["mean"],
            lift=100 * together["win_prob_lift"],
            lower=100 * together["lift_lower"],
            upper=100 * together["lift_upper"],
        )
    ]
    if len(table) > 2:
        lines.append(
            gettext(
                "One by one they add up to {parts:+.0f} points; together {together:+.0f}.",
                parts=100 * table["win_prob_lift"].iloc[1:-1].sum(),
                together=100 * together["win_prob_lift"],
            )
        )
    unused = _unused_columns(read_changes(changes, posterior.scaling), posterior.scaling)
    if unused:
        lines.append(
            gettext("The model does not use {columns}: setting it changes nothing.", columns=", ".join(sorted(unused)))
        )
    lines.append(
        gettext("This is the chance of the changed record, not a forecast of what a visit brings: see winprob levers.")
    )
    return lines


def read_changes(changes: Mapping[str, object], scaling: Scaling) -> tuple[Change, ...]:
    """A mapping of columns to values, in canonical terms.

    Parameters
    ----------
    changes : canonical columns, their aliases, or covariates of the model; values as in tables, blank = unknown

    Raises
    ------
    DealTableError
        Nothing is changed, a column is unknown or named twice, or a value impossible: all are listed.
    """
    faults = [] if changes else [gettext("nothing is set; name a column and a value, such as approver_support=3")]
    own = _covariates(scaling)
    read: dict[str, Change] = {}
    for name, value in changes.items():
        column = _column(name, own)
        if column is None:
            faults.append(_no_column(name, own))
            continue
        if column in read:
            faults.append(gettext("{column} is set twice", column=column))
        try:
            read[column] = Change(column=column, value=_value(column, value, own))
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
    return tuple(read.values())


class _ImpossibleError(Exception):
    def __init__(self, accepted: str) -> None:
        super().__init__(accepted)
        self.accepted = accepted


def _unused_columns(changes: Sequence[Change], scaling: Scaling) -> set[str]:
    """Changed columns that the model does not use."""
    return {change.column for change in changes} - {*_covariates(scaling), *SUPPORTS, *_METHOD, "as_of"}


def _covariates(scaling: Scaling) -> dict[str, bool]:
    """The covariates the model learned from, and whether each is a number; former definitions follow from others."""
    return {field.name: False for field in scaling.fields if not field.column} | {
        column.name: True for column in scaling.numeric
    }


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
    value = canonical(word, text)
    if value is None and not is_unknown(text):
        accepted = ("1", "2", "3", "4") if column in SUPPORTS else CHOICES[column]
        raise _ImpossibleError(", ".join(dict.fromkeys((*accepted, UNKNOWN))))
    if column in SUPPORTS:
        return np.nan if value is None else float(value)
    return value


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
