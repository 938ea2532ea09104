"""What stands in the tables? The open deals, and what the data check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from winprob.catalog import say
from winprob.methodology import column_label
from winprob.report.numbers import BLANK, full_money, percent, span, text_of, whole, word_of
from winprob.report.outlook import currencies
from winprob.schema.columns import COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading, and whether the cells below are numbers and stand to the right."""

    title: str
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table as it is shown.

    Attributes
    ----------
    keys : numbers to sort by, laid out as ``rows``, a blank where the text itself is the key; None without any
    """

    columns: list[Column]
    rows: list[list[str]]
    keys: Sequence[Sequence[float | str | None]] | None = None


def deals_grid(review: pd.DataFrame) -> Grid:
    """All open deals, in the order of ``review``."""
    found = currencies(review)
    one = found[0] if len(found) == 1 and review["currency"].notna().all() else None
    amount = f"{column_label('amount')} ({one})" if one else column_label("amount")
    return Grid(
        columns=[
            *(Column(title=column_label(name)) for name in ("deal_id", "account", "seller", "stage")),
            Column(title=amount, number=True),
            Column(title=say("Chance"), number=True),
            Column(title=say("90% interval"), number=True),
            Column(title=say("Unknown facts"), number=True),
            Column(title=say("Share of prior"), number=True),
        ],
        rows=[_deal_row(deal, one) for _, deal in review.iterrows()],
    )


def _deal_row(deal: pd.Series, currency: str | None) -> list[str]:
    return [
        *(text_of(deal[name]) for name in ("deal_id", "account", "seller")),
        word_of("stage", deal["stage"]),
        _amount(deal, currency),
        percent(deal["mean"]),
        span(deal["lower"], deal["upper"]),
        str(int(deal["unknowns"])),
        percent(deal["prior_share"]),
    ]


def _amount(deal: pd.Series, currency: str | None) -> str:
    if pd.isna(deal["amount"]):
        return BLANK
    if currency or pd.isna(deal["currency"]):
        return whole(deal["amount"])
    return full_money(deal["amount"], str(deal["currency"]))


def findings_grid(findings: pd.DataFrame) -> Grid:
    """What the data check found, as it was said then."""
    severities = {"error": say("Error"), "warning": say("Warning"), "note": say("Note")}
    return Grid(
        columns=[
            Column(title=say("Severity")),
            Column(title=say("Column")),
            Column(title=say("Rows"), number=True),
            Column(title=say("First deal")),
            Column(title=say("What was found")),
        ],
        rows=[
            [
                severities.get(str(row["severity"]), str(row["severity"])),
                column_label(row["column"]) if row["column"] in COLUMNS else text_of(row["column"]) or BLANK,
                whole(row["rows"]) if row["rows"] else BLANK,
                text_of(row["first_deal"]) or BLANK,
                str(row["message"]),
            ]
            for _, row in findings.iterrows()
        ],
    )
