"""Implausible cells of a deal table, made unknown rather than refused: each with a warning that counts rows and money.

A rule is here, and not among the errors, where the rest of the row still holds: a deal that was closed before it was
entered has its outcome and its booking, and lacks only its duration. Reading and every public function apply them, so
that a table from elsewhere means the same.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.data.schema.findings import Columns, Finding, Mask, Spot, mask_of, spot
from winprob.i18n import gettext

#: Days outside these are typing errors (an empty Excel cell reads as 1900, a placeholder as 2999).
FIRST_DAY = np.datetime64("1970-01-01", "us")
LAST_DAY = np.datetime64("2100-01-01", "us")
#: Without the day of reading, on which all that was known depends: there it is an error.
_DAYS = ("opened_on", "expected_close_on", "closed_on")

#: The column, with some cells made unknown, and the warning about them.
Neutral = tuple[pd.Series, Finding]


def neutralise(columns: dict[str, pd.Series]) -> tuple[dict[str, pd.Series], list[Finding]]:
    """The columns of ``columns`` that change, and a warning for each rule that changed one."""
    known, changed, findings = dict(columns), {}, []
    for rule in _RULES:
        for values, finding in rule(known):
            known[str(values.name)] = changed[str(values.name)] = values
            findings.append(finding)
    return changed, findings


def impossible_day(days: pd.Series) -> Mask:
    """(row,) days outside those of any deal."""
    day = days.to_numpy()
    outside: Mask = (day < FIRST_DAY) | (day >= LAST_DAY)
    return outside


def _impossible_days(deals: Columns) -> Iterator[Neutral]:
    for column in _DAYS:
        if column not in deals:
            continue
        wrong = impossible_day(deals[column])
        if wrong.any():
            where = spot(deals, wrong, deals[column])
            message = gettext(
                "'{column}' before 1970 or after 2099 in {rows} rows, read as unknown, first deal {deal} has {got}",
                **where.fields,
            )
            yield deals[column].mask(wrong), where.warning(message)


def _negative_amounts(deals: Columns) -> Iterator[Neutral]:
    if "amount" not in deals:
        return
    amount = deals["amount"].to_numpy()
    wrong = (amount < 0) & ~np.isinf(amount)
    if wrong.any():
        where = spot(deals, wrong, deals["amount"])
        message = gettext(
            "'{column}' negative in {rows} rows, first deal {deal} has {got}: not counted, {money} together. "
            "Correct the amounts if they are no credits",
            **where.fields,
            money=_money(deals, wrong),
        )
        yield deals["amount"].mask(wrong), where.warning(message)


def _closed_before_opened(deals: Columns) -> Iterator[Neutral]:
    if "closed_on" not in deals or "opened_on" not in deals:
        return
    wrong = deals["closed_on"].to_numpy() < deals["opened_on"].to_numpy()
    if wrong.any():
        where: Spot = spot(deals, wrong, deals["opened_on"])
        message = gettext(
            "'closed_on' before 'opened_on' in {rows} rows, worth {money}, first deal {deal} opened {got}: entered "
            "late or loaded in bulk. Outcome and booking count, 'opened_on' is read as unknown",
            **where.fields,
            money=_money(deals, wrong),
        )
        yield deals["opened_on"].mask(wrong), where.warning(message)


def _impossible_chances(deals: Columns) -> Iterator[Neutral]:
    """Probabilities below 0 or above 100 %; those between 1 and 100 may be percentages, which is an error."""
    if "rep_probability" not in deals:
        return
    chance = deals["rep_probability"].to_numpy()
    wrong = ((chance < 0.0) | (chance > 100.0)) & ~np.isinf(chance)
    if wrong.any():
        where = spot(deals, wrong, deals["rep_probability"])
        message = gettext(
            "'{column}' outside 0..1 in {rows} rows, read as unknown, first deal {deal} has {got}", **where.fields
        )
        yield deals["rep_probability"].mask(wrong), where.warning(message)


_RULES: tuple[Callable[[Columns], Iterator[Neutral]], ...] = (
    _impossible_days,
    _negative_amounts,
    _closed_before_opened,
    _impossible_chances,
)


@dataclass(frozen=True, slots=True)
class Money:
    """Sums by currency, written as "291,222 MXN + 5,000 USD"; those of blocks of a table add up."""

    sums: Mapping[str, float]

    def __add__(self, other: "Money") -> "Money":
        names = sorted({**self.sums, **other.sums})
        return Money({name: self.sums.get(name, 0.0) + other.sums.get(name, 0.0) for name in names})

    def __str__(self) -> str:
        return " + ".join(f"{total:,.0f} {name}".strip() for name, total in self.sums.items()) or "-"


def _money(deals: Columns, mask: Mask) -> Money:
    """The amounts of some rows."""
    if "amount" not in deals:
        return Money({})
    rows = pd.DataFrame({"amount": deals["amount"][mask]})
    rows["currency"] = deals["currency"][mask].fillna("") if "currency" in deals else ""
    rows = rows[mask_of(rows["amount"].notna())]
    return Money({str(name): float(total) for name, total in rows.groupby("currency")["amount"].sum().items()})
