"""What do we say of a table? Findings, the spot where each was found, and the refusal that lists them all."""

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing worth saying about a deal table: what, in which column, in how many rows, where first."""

    severity: Severity
    column: str
    rows: int
    first_deal: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where something was found: how many rows, and the first of them."""

    column: str
    rows: int
    deal: str
    got: str

    @property
    def words(self) -> dict[str, object]:
        return {"column": self.column, "rows": self.rows, "deal": repr(self.deal), "got": self.got}

    def error(self, message: str) -> Finding:
        return self.found("error", message)

    def warning(self, message: str) -> Finding:
        return self.found("warning", message)

    def found(self, severity: Severity, message: str) -> Finding:
        return Finding(severity=severity, column=self.column, rows=self.rows, first_deal=self.deal, message=message)


def mask_of(values: pd.Series) -> Mask:
    """A column of truth values as a mask; missing is false."""
    return values.to_numpy(dtype=bool, na_value=False)


def spot(deals: pd.DataFrame, mask: Mask, shown: pd.Series) -> Spot:
    """The rows in ``mask``, quoting the first from ``shown``. The mask must hold at least one."""
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
    """Findings as the frame that a check gives: ``severity, column, rows, first_deal, message``."""
    return pd.DataFrame([astuple(found) for found in findings], columns=[field.name for field in fields(Finding)])


def refuse(findings: Sequence[Finding], *, rows: int, error: type[WinprobError] = DealTableError) -> None:
    """Raise ``error`` with every fault among ``findings``; say nothing when there is none.

    Raises
    ------
    WinprobError
        Of the class given: one message for all faults.
    """
    faults = [finding.message for finding in findings if finding.severity == "error"]
    if len(faults) == 1:
        raise error(
            gettext(
                "deal table with {rows} rows: {fault}. Fix the export or map the value in mapping.toml.",
                rows=rows,
                fault=faults[0],
            )
        )
    if faults:
        raise error(
            gettext(
                "deal table with {rows} rows, {count} faults:\n{faults}\n"
                "Fix the export or map the values in mapping.toml.",
                rows=rows,
                count=len(faults),
                faults="\n".join(f"  - {fault}" for fault in faults),
            )
        )
