"""What stands in a table: headings, texts, keys to sort by? And what the data check found."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from winprob.data.schema import COLUMNS
from winprob.i18n import gettext
from winprob.methodology import column_label
from winprob.report.numbers import BLANK, text_of, whole


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


def findings_grid(findings: pd.DataFrame) -> Grid:
    """What the data check found, as it was said then."""
    severities = {"error": gettext("Error"), "warning": gettext("Warning"), "note": gettext("Note")}
    return Grid(
        columns=[
            Column(title=gettext("Severity")),
            Column(title=gettext("Column")),
            Column(title=gettext("Rows"), number=True),
            Column(title=gettext("First deal")),
            Column(title=gettext("What was found")),
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
