"""Findings of a check of a table: severity, column, rows, first deal, message; and the error that lists them all."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema.columns import ID
from winprob.data.schema.dtypes import cell_text
from winprob.errors import DealTableError, WinprobError
from winprob.i18n import gettext

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
Mask = npt.NDArray[np.bool_]
#: Columns of a deal table by name.
Columns = Mapping[str, pd.Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding on a deal table: what is wrong or odd, in which column, in how many rows, in which deal first.

    A ``remark`` leaves the table as it is; any other warning means that cells or rows were left out.
    """

    severity: Severity
    column: str
    rows: int
    first_deal: str
    message: str
    remark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a finding applies: the column, the number of rows, and the first deal with its value."""

    column: str
    rows: int
    deal: str
    got: str

    @property
    def fields(self) -> dict[str, object]:
        """Values for the ``{fields}`` of a message."""
        return {"column": self.column, "rows": self.rows, "deal": repr(self.deal), "got": self.got}

    def error(self, message: str) -> Finding:
        return self.finding("error", message)

    def warning(self, message: str) -> Finding:
        return self.finding("warning", message)

    def finding(self, severity: Severity, message: str) -> Finding:
        return Finding(severity=severity, column=self.column, rows=self.rows, first_deal=self.deal, message=message)


def mask_of(values: pd.Series) -> Mask:
    """A column of truth values as a mask; missing is false."""
    return values.to_numpy(dtype=bool, na_value=False)


def spot(deals: pd.DataFrame | Columns, mask: Mask, shown: pd.Series) -> Spot:
    """Where ``mask`` holds, with the first such value of ``shown``. The mask must hold at least one row."""
    first = int(np.flatnonzero(mask)[0])
    deal = deals[ID].iloc[first]
    return Spot(
        column=str(shown.name),
        rows=int(mask.sum()),
        deal="" if pd.isna(deal) else str(deal),
        got=shown_cell(shown.iloc[first]),
    )


def shown_cell(cell: object) -> str:
    """A cell as a message quotes it: text in quotes and cut short, a number or a day as it is."""
    if isinstance(cell, str):
        return repr(cell if len(cell) <= 60 else f"{cell[:60]}…")
    return cell_text(cell)


def whole(severity: Severity, column: str, message: str) -> Finding:
    """A finding about a whole column or table."""
    return Finding(severity=severity, column=column, rows=0, first_deal="", message=message)


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Findings as a frame: ``severity, column, rows, first_deal, message``."""
    return pd.DataFrame(map(astuple, findings), columns=[field.name for field in fields(Finding)]).drop(
        columns="remark"
    )


def refuse(findings: Sequence[Finding], *, rows: int, error: type[WinprobError] = DealTableError) -> None:
    """Raise ``error`` if any finding is an error, with one message for all of them.

    Raises
    ------
    WinprobError
        Of the class given.
    """
    errors = [finding.message for finding in findings if finding.severity == "error"]
    if len(errors) == 1:
        raise error(
            gettext(
                "deal table with {rows} rows: {fault}. Fix the export or map the value in mapping.toml.",
                rows=rows,
                fault=errors[0],
            )
        )
    if errors:
        raise error(
            gettext(
                "deal table with {rows} rows, {count} errors:\n{faults}\n"
                "Fix the export or map the values in mapping.toml.",
                rows=rows,
                count=len(errors),
                faults="\n".join(f"  - {message}" for message in errors),
            )
        )
