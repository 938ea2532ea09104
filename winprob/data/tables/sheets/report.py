"""The rows of a table that may be furniture of a report, found by what each has in place of an id."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyarrow import compute

from winprob.data.schema import ID, Mask, cell_text
from winprob.data.schema.dtypes import as_arrow
from winprob.data.tables.sheets.headers import clean_header, filled_cells
from winprob.data.tables.sheets.totals import TOTAL_START

#: From a list of headers: the header of each canonical column that the file has.
Locate = Callable[[list[str]], Mapping[str, str]]
#: Columns by which reports are grouped.
_OF_GROUPS = ("account", "segment", "region", "seller", "product", "stage", "rep_category")


@dataclass(slots=True, kw_only=True)
class Report:
    """A table's rows while its furniture is looked for; ``count`` is the number of filled cells of each row."""

    headers: list[str]
    cells: pd.DataFrame
    rows: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    odd: frozenset[int]
    id_at: int = -1
    amount_at: int = -1
    #: Places of the columns that hold a deal's own facts, which no group has in common unless the report marks it.
    facts: frozenset[int] = frozenset()
    #: Whether ids are codes (one word with a digit), so that a label in their place is not one of them.
    coded: bool = False
    #: Whether some row is filled by more than half, so that ids are judged by such rows.
    wide: bool = False
    #: Places of the rows that may be furniture.
    open: list[int] = field(default_factory=list)
    kinds: dict[int, str] = field(default_factory=dict)
    texts: dict[int, dict[int, str]] = field(default_factory=dict)
    sums: tuple[npt.NDArray[np.float64], ...] = ()
    values: dict[int, set[str]] = field(default_factory=dict)

    def filled(self, place: int) -> dict[int, str]:
        """The texts of an open row by column, without the blank cells."""
        return self.texts[place]

    def labels(self, column: int) -> set[str]:
        """The distinct texts of a column."""
        if column not in self.values:
            self.values[column] = set(texts_of(self.cells.iloc[:, column]))
        return self.values[column]


def open_report(
    headers: list[str],
    cells: pd.DataFrame,
    rows: npt.NDArray[np.int64],
    locate: Locate | None,
    odd: Iterable[int] = (),
) -> Report:
    """A table with the places of its rows that may be furniture; the parameters as of `clear`."""
    count = np.zeros(len(cells), dtype=np.int64)
    for index in range(cells.shape[1]):
        count += filled_cells(cells.iloc[:, index])
    report = Report(headers=list(map(clean_header, headers)), cells=cells, rows=rows, count=count, odd=frozenset(odd))
    _find_columns(report, locate)
    return report


def texts_of(cells: pd.Series) -> list[str]:
    """The trimmed text of each cell, "" for a missing one."""
    return ["" if missing else cell_text(cell).strip() for cell, missing in zip(cells, cells.isna(), strict=True)]


def _find_columns(report: Report, locate: Locate | None) -> None:
    """Where the ids and the amounts are, and which rows may be furniture."""
    named = locate([header for header in report.headers if header]) if locate else {}
    report.id_at, report.amount_at = (
        report.headers.index(named[name]) if named.get(name) in report.headers else -1 for name in (ID, "amount")
    )
    facts = {header for name, header in named.items() if name not in _OF_GROUPS}
    report.facts = frozenset(index for index, header in enumerate(report.headers) if header in facts)
    few = report.count <= (2 if len(report.headers) > 2 else 1)
    if report.id_at >= 0:
        few = _without_id(report, few)
    else:
        for index in range(min(3, len(report.headers))):
            few |= _matches(report.cells.iloc[:, index], f"{TOTAL_START}|^{re.escape(report.headers[index])}$")
    few[list(report.odd)] = True
    report.open = np.flatnonzero(few & (report.count > 0)).tolist()
    columns = [texts_of(report.cells.iloc[report.open, index]) for index in range(len(report.headers))]
    for at, place in enumerate(report.open):
        report.texts[place] = {index: column[at] for index, column in enumerate(columns) if column[at]}


def _without_id(report: Report, few: Mask) -> Mask:
    """(row,) whether the cell of the id is blank, or holds words where the others hold codes."""
    ids = report.cells.iloc[:, report.id_at]
    if not isinstance(ids.dtype, pd.StringDtype):
        return few | ids.isna().to_numpy(dtype=bool)
    words = _matches(ids, r"\S\s+\S|^[^0-9０-９]*$")
    blank = _matches(ids, r"^\s*$")
    wide = ~blank & (report.count > len(report.headers) / 2)
    report.wide = bool(wide.any())
    rows = wide if report.wide else ~blank
    report.coded = bool((words & rows).sum() < 0.2 * rows.sum())
    header = report.headers[report.id_at]
    return words if report.coded else few | blank | _matches(ids, f"{TOTAL_START}|^{re.escape(header)}$")


def _matches(column: pd.Series, pattern: str) -> Mask:
    if not isinstance(column.dtype, pd.StringDtype):
        return np.zeros(len(column), dtype=bool)
    found = compute.match_substring_regex(as_arrow(column), pattern).fill_null(True)
    return np.asarray(found)
