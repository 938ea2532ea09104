"""The records in a piece of a file, where the rest of the file has no part in which of its rows are records.

A title above the header and a footer or total below the last record are at the ends of the file, and a repeated header
shows by itself. Any other row that is left out, or would be with other rows at hand (their sum, a label of theirs),
needs the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from winprob.data.tables.pieces import NotInBlocksError, Piece
from winprob.data.tables.plan import Plan
from winprob.data.tables.sheets.furniture import is_label, sort_out
from winprob.data.tables.sheets.headers import clean_header
from winprob.data.tables.sheets.report import Report
from winprob.data.tables.sheets.sheet import Sheet, grid_sheet
from winprob.data.tables.sheets.totals import is_date, is_footer, is_number, is_total, totalled


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The records of a piece; ``form`` is what must be alike in all blocks for each to be read as in the whole."""

    sheet: Sheet
    form: tuple[object, ...]


def block_of(piece: Piece, plan: Plan, name: str, start: int) -> Block:
    """The records of a piece, the first of which is record ``start`` of the file.

    Raises
    ------
    NotInBlocksError
        Which rows are records depends on the rest of the file.
    """
    grid = piece.grid
    if any(clean_header(header) != header.strip() for header in grid.headers):
        raise NotInBlocksError("a report sorted or grouped by a column")
    report = sort_out(list(grid.headers), grid.cells, grid.rows, locate=plan.locate, odd=grid.odd)
    _require_certain(report, last=piece.last)
    sheet = grid_sheet(grid, name, plan.known, plan.locate, _refuse_odd)
    cells = sheet.cells.set_axis(pd.RangeIndex(start, start + len(sheet.cells)), axis=0)
    return Block(
        sheet=replace(sheet, cells=cells),
        form=(tuple(cells.columns), report.coded, report.wide),
    )


def _refuse_odd(rows: list[tuple[int, int]]) -> None:
    raise NotInBlocksError(f"rows of another width: {rows[0]}")


def _require_certain(report: Report, *, last: bool) -> None:
    left_out = [place for place, kind in report.kinds.items() if kind not in ("blank", "header")]
    if left_out:
        kept = report.count > 0
        kept[list(report.kinds)] = False
        certain = kept.copy()
        certain[report.open] = False
        if not last or not certain.any() or min(left_out) < np.flatnonzero(kept)[-1]:
            raise NotInBlocksError("rows that are not deals")
    for place in report.open:
        if _depends(report, report.filled(place), report.kinds.get(place, "")):
            raise NotInBlocksError("a row that may not be a deal")


def _depends(report: Report, cells: Mapping[int, str], kind: str) -> bool:
    """Whether other rows may decide if a row is a total."""
    texts = list(cells.values())
    if kind == "total":
        return not any(map(is_total, texts))
    identity = cells.get(report.id_at, "")
    is_own = not is_total(identity) and not is_footer(identity) and not (report.coded and is_label(identity))
    if (identity and is_own) or any(map(is_date, texts)):
        return False
    named = [text for text in texts if not is_total(text) and totalled(text)]
    facts = [text for text in texts if text not in named and not is_total(text) and not is_number(text)]
    return len(facts) <= 1 and ((bool(named) and len(texts) > 1) or report.amount_at in cells)
