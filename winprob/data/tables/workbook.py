"""Write a table as a formatted XLSX workbook: bold frozen header, widths, number formats by the kind of column."""

import datetime as dt
import io
import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

from winprob.errors import OutputError
from winprob.i18n import gettext

#: What a worksheet holds: rows with the header, and columns.
_SHEET_ROWS, _SHEET_COLUMNS = 1_048_576, 16_384
#: Widths in characters; longer text is wrapped.
_NARROWEST, _WIDEST = 8, 60
#: Columns of values as large as this are amounts, shown without decimals.
_MONEY = 1000.0
#: A column with such a part in its name, all of whose values are from 0 to 1, holds shares.
_SHARES = ("prob", "share", "chance", "coverage", "won_by", "by_end", "inside_")
_DATE, _PERCENT, _WHOLE, _DECIMAL, _PLAIN = "yyyy-mm-dd", "0%", "#,##0", "0.000", ""
#: The files of two runs with the same table are the same, so no workbook holds the time of its creation.
_CREATED = dt.datetime(2000, 1, 1)


def workbook_bytes(headers: Sequence[str], columns: Sequence[Sequence[Any]], percent: Collection[str]) -> bytes:
    """A workbook of columns of Python's own values, None where a value is missing; text is never run as a formula.

    Parameters
    ----------
    percent : headers of columns of shares; others are recognised by their names and values

    Raises
    ------
    OutputError
        They do not fit in a worksheet.
    """
    # Imported here: only writing a workbook needs it.
    import xlsxwriter

    rows = max(map(len, columns), default=0)
    if rows >= _SHEET_ROWS or len(columns) > _SHEET_COLUMNS:
        raise OutputError(
            gettext(
                "{rows} rows and {columns} columns do not fit in a worksheet. Write .csv or .parquet.",
                rows=rows,
                columns=len(columns),
            )
        )
    buffer = io.BytesIO()
    as_text = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    # In memory first: a zip file on a full disk cannot even be closed.
    with xlsxwriter.Workbook(buffer, {**as_text, "in_memory": True}) as book:
        book.set_properties({"created": _CREATED})
        sheet = book.add_worksheet("winprob")
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        for at, (header, cells) in enumerate(zip(headers, columns, strict=True)):
            kind, width = number_format(header, cells, percent), _width(header, cells)
            look = {"valign": "top", "text_wrap": width > _WIDEST, **({"num_format": kind} if kind else {})}
            form = book.add_format(look)
            sheet.set_column(at, at, min(max(width, _NARROWEST), _WIDEST), form)
            sheet.write_string(0, at, header, bold)
            for row, cell in enumerate(cells, 1):
                _write_cell(sheet, row, at, cell, form)
    return buffer.getvalue()


def number_format(header: str, cells: Sequence[Any], percent: Collection[str]) -> str:
    """The spreadsheet's number format of a column: days, shares as whole percents, money and counts, decimals."""
    known = [cell for cell in cells if cell is not None]
    if known and all(isinstance(cell, dt.date) for cell in known):
        return _DATE
    if not known or not all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known):
        return _PLAIN
    named = header in percent or any(part in header for part in _SHARES)
    if named and any(isinstance(cell, float) for cell in known) and all(-1 <= cell <= 1 for cell in known):
        return _PERCENT
    large = max(abs(cell) for cell in known) >= _MONEY
    return _WHOLE if large or all(isinstance(cell, int) for cell in known) else _DECIMAL


def _width(header: str, cells: Sequence[Any]) -> int:
    """Characters of the longest cell as shown, of the header at least; a Chinese character takes two."""
    return 2 + max([_text_width(header), *(_shown_width(cell) for cell in cells if cell is not None)])


def _shown_width(cell: Any) -> int:
    if isinstance(cell, bool):
        return len("FALSE")
    if isinstance(cell, dt.date):
        return len("2026-12-31")
    if isinstance(cell, int | float):
        return len(f"{cell:,.0f}" if abs(cell) >= _MONEY else f"{cell:.3f}")
    return max(map(_text_width, str(cell).split("\n")))


def _text_width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text)


def _write_cell(sheet: Any, row: int, column: int, cell: Any, form: Any) -> None:
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell, form)
    elif isinstance(cell, int | float):
        sheet.write_number(row, column, cell, form)
    elif isinstance(cell, dt.date):
        sheet.write_datetime(row, column, cell, form)
    elif cell is not None:
        sheet.write_string(row, column, str(cell), form)
