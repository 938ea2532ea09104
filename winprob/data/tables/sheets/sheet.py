"""A file's cells as a frame of text, with its headers and the row of the file that each came from."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.schema import Finding
from winprob.data.tables.sheets.furniture import clear
from winprob.data.tables.sheets.headers import distinct_headers, refuse_deals_above
from winprob.data.tables.sheets.report import Locate
from winprob.errors import InputError
from winprob.i18n import gettext


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file's cells: text, or (Parquet) typed columns; ``rows`` is the row of the file that each came from."""

    name: str
    cells: pd.DataFrame
    rows: npt.NDArray[np.int64]
    kind: str
    encoding: str = ""
    delimiter: str = ""
    #: Findings on the file itself: what was left out or repaired before its cells were read.
    notes: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What a reader finds in a file: the header, and all rows below it, records or not."""

    headers: Sequence[str]
    cells: pd.DataFrame
    rows: npt.NDArray[np.int64]
    kind: str
    #: Cells of the rows above the header that hold text, by row of the file.
    titles: Mapping[int, Sequence[str]] = field(default_factory=dict)
    #: Places of the rows with another number of cells than the header, and that number.
    odd: Mapping[int, int] = field(default_factory=dict)
    encoding: str = ""
    delimiter: str = ""
    notes: tuple[Finding, ...] = ()


def log_notes(sheet: Sheet) -> None:
    """Log what was left out or repaired, for a table that has no check to report it."""
    for finding in sheet.notes:
        logging.getLogger("winprob").warning("%s: %s", sheet.name, finding.message)


def frame_sheet(frame: pd.DataFrame, name: str) -> Sheet:
    """A frame as a sheet, its rows counted from 1."""
    cells = frame.reset_index(drop=True).rename(columns=str)
    return Sheet(name=name, cells=cells, rows=np.arange(1, len(cells) + 1), kind="frame")


def grid_sheet(
    grid: Grid,
    name: str,
    known: Callable[[str], bool],
    locate: Locate | None,
    refuse_odd: Callable[[list[tuple[int, int]]], None],
) -> Sheet:
    """The records of a grid under distinct column names, without empty rows and empty columns that have no name.

    Parameters
    ----------
    refuse_odd : callable
        Raises InputError for the rows, each with its number of cells, that are records and have another number of
        cells than the header.

    Raises
    ------
    InputError
        Two columns have the same name, and it is one that is looked for; or a deal is above the header.
    """
    cells, keep, notes = clear(
        list(grid.headers), grid.cells, grid.rows, titles=list(grid.titles), locate=locate, odd=grid.odd
    )
    if odd := [(int(grid.rows[place]), count) for place, count in sorted(grid.odd.items()) if keep[place]]:
        refuse_odd(odd)
    if not keep.all():
        cells = cells.iloc[np.flatnonzero(keep)].reset_index(drop=True)
    if grid.titles:
        refuse_deals_above(grid.titles, cells, name)
    headers, wanted, doubled = distinct_headers(grid.headers, cells, name, known)
    cells = cells.iloc[:, wanted] if len(wanted) < cells.shape[1] else cells.copy(deep=False)
    cells.columns = pd.Index(headers, dtype=object)
    return Sheet(
        name=name,
        cells=cells,
        rows=grid.rows[keep],
        kind=grid.kind,
        encoding=grid.encoding,
        delimiter=grid.delimiter,
        notes=(*grid.notes, *notes, *doubled),
    )


def text_grid(
    rows: Sequence[Sequence[str]],
    top: int,
    header: int,
    *,
    kind: str,
    notes: Sequence[Finding] = (),
) -> Grid:
    """A grid from rows of equal width: ``top`` is the row of the file of the first, ``header`` the header's index."""
    below = rows[header + 1 :]
    width = len(rows[header])
    columns = {str(index): [row[index] for row in below] for index in range(width)}
    return Grid(
        headers=rows[header],
        cells=pd.DataFrame(columns, dtype="str", index=pd.RangeIndex(len(below))),
        rows=np.arange(top + header + 1, top + header + 1 + len(below)),
        titles={top + index: row for index, row in enumerate(rows[:header]) if any(cell.strip() for cell in row)},
        kind=kind,
        notes=tuple(notes),
    )


def empty_file(name: str) -> InputError:
    """The error for a file without a cell."""
    return InputError(gettext("{name} is empty: it holds no deals.", name=name))
