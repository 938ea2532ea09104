"""Read an XLSX workbook: the visible sheet that knows most headers, its cells as they are shown."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Set
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from winprob.data.schema import DATES, ID, Finding, cell_text
from winprob.data.tables.sheets import worksheet_xml as parts
from winprob.data.tables.sheets.headers import HEADER_ROWS, clean_header, header_at, refuse_wide
from winprob.data.tables.sheets.pages import Page, choose_page
from winprob.data.tables.sheets.report import Locate
from winprob.data.tables.sheets.sheet import Grid, empty_file, text_grid
from winprob.errors import InputError
from winprob.i18n import gettext

#: What the readers of an archive raise besides their own errors.
_DAMAGED = (RuntimeError, ValueError, OSError, KeyError, EOFError)
_MAX_UNPACKED = 2 * 1024**3
#: Day 0 of the calendar of 1904, and the serials that are days from 1970 to 2099 in it.
_START_1904 = datetime(1904, 1, 1)
_SERIALS_1904 = (24_107, 71_588)
_COMMA = re.compile(r"\D*(?:\d{1,3}(?:[.\s'’]\d{3})*|\d+),\d{1,2}\D*|\D*\d{1,3}(?:\.\d{3}){2,}\D*")
_POINT = re.compile(r"\D*(?:\d{1,3}(?:[,\s'’]\d{3})*|\d+)\.\d{1,2}\D*|\D*\d{1,3}(?:,\d{3}){2,}\D*")


def parse_xlsx(
    data: bytes, name: str, known: Callable[[str], bool], wanted: str | None = None, locate: Locate | None = None
) -> Grid:
    # Imported here: only reading a workbook needs it.
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            _refuse_large(packed, name)
            book = parts.read_workbook(packed)
            return _read(packed, book, CalamineWorkbook.from_filelike(io.BytesIO(data)), name, known, wanted, locate)
    except (CalamineError, zipfile.BadZipFile, zlib.error, *_DAMAGED) as fault:
        raise InputError(
            gettext(
                "{name} cannot be read as an XLSX workbook: damaged or cut short ({fault}). Save it again.",
                name=name,
                fault=fault,
            )
        ) from None


def _refuse_large(packed: zipfile.ZipFile, name: str) -> None:
    if sum(item.file_size for item in packed.infolist()) > _MAX_UNPACKED:
        raise InputError(
            gettext(
                "{name} unpacks to more than 2 GB, too large for a deal table. Export fewer columns or rows.",
                name=name,
            )
        )
    files = packed.namelist()
    if "xl/workbook.xml" not in files and ("content.xml" in files or "xl/workbook.bin" in files):
        raise InputError(gettext("{name} is a workbook of another format. Save it as .xlsx, or as CSV.", name=name))


def _read(
    packed: zipfile.ZipFile,
    book: parts.Workbook,
    values: Any,
    name: str,
    known: Callable[[str], bool],
    wanted: str | None,
    locate: Locate | None,
) -> Grid:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    pages: list[Page] = []
    sheets: list[Any] = []
    for item in values.sheets_metadata:
        if item.name not in book.sheets or item.typ != SheetTypeEnum.WorkSheet:
            continue
        hidden = item.visible != SheetVisibleEnum.Visible
        if wanted is None and hidden:
            pages.append(Page(name=item.name, height=1, head=[], hidden=True))
            sheets.append(None)
            continue
        parts.refuse_far_cells(packed.read(book.sheets[item.name]), name, item.name)
        sheet = values.get_sheet_by_name(item.name)
        sheets.append(sheet)
        pages.append(_page(sheet, item.name, hidden=hidden))
    at, notes = choose_page(pages, name, known, wanted) if pages else (0, [])
    if not pages or not pages[at].height or sheets[at] is None:
        raise empty_file(name)
    xml = packed.read(book.sheets[pages[at].name])
    return _grid(sheets[at], xml, book, name, known, locate, pages[at].top, notes)


def _page(sheet: Any, name: str, *, hidden: bool) -> Page:
    head = sheet.to_python(skip_empty_area=True, nrows=4 * HEADER_ROWS) if sheet.height else []
    top = sheet.start[0] + 1 if sheet.start else 1
    return Page(
        name=name, height=sheet.height, head=[[cell_text(cell) for cell in row] for row in head], top=top, hidden=hidden
    )


def _grid(
    sheet: Any,
    xml: bytes,
    book: parts.Workbook,
    name: str,
    known: Callable[[str], bool],
    locate: Locate | None,
    top: int,
    notes: list[Finding],
) -> Grid:
    cells = sheet.to_python(skip_empty_area=True)
    first_row, first_column = sheet.start
    for row, column, text in (*parts.error_cells(xml), *_percents(xml, book)):
        if 0 <= (at := row - 1 - first_row) < len(cells) and 0 <= column - 1 - first_column < len(cells[at]):
            cells[at][column - 1 - first_column] = text
    _fill_merged(cells, sheet.merged_cell_ranges or [], first_row, first_column)
    refuse_wide(len(cells[0]), name)
    head = [(at, [cell_text(cell) for cell in row]) for at, row in enumerate(cells[: 4 * HEADER_ROWS])]
    head = [(at, row) for at, row in head if any(cell.strip() for cell in row)][:HEADER_ROWS]
    header = head[header_at([row for _, row in head], known)][0] if head else 0
    headers = [clean_header(cell_text(cell)) for cell in cells[header]]
    named = locate([text for text in headers if text]) if locate else {}
    if book.from_1904:
        _days_of_1904(cells, header, {headers.index(named[target]) for target in DATES if target in named})
    ids = headers.index(named[ID]) if ID in named else -1
    columns = [_column_text([row[index] for row in cells], code=index == ids) for index in range(len(headers))]
    return text_grid(list(zip(*columns, strict=True)), top, header, kind="xlsx", notes=notes)


def _percents(xml: bytes, book: parts.Workbook) -> Iterator[tuple[int, int, str]]:
    """Cells shown as a percentage, as that text: .62 as ``62%``."""
    for row, column, number in parts.percent_cells(xml, book.percent):
        # By the shortest text of the number: a workbook stores .57 as 0.56999999999999995.
        yield row, column, f"{(Decimal(repr(float(number))) * 100).normalize():f}%"


def _fill_merged(cells: list[list[Any]], ranges: list[Any], first_row: int, first_column: int) -> None:
    """Repeat the value of cells merged downwards: it holds for each of their rows."""
    for (top, left), (bottom, right) in ranges:
        column, start = left - first_column, top - first_row
        if left != right or not cells or not (0 <= column < len(cells[0]) and 0 <= start < len(cells)):
            continue
        for row in cells[start + 1 : bottom - first_row + 1]:
            row[column] = cells[start][column]


def _days_of_1904(cells: list[list[Any]], header: int, columns: Set[int]) -> None:
    """Numbers in columns of days as days: without a date format they count from 1904."""
    for index in columns:
        for row in cells[header + 1 :]:
            if isinstance(row[index], float | int) and _SERIALS_1904[0] <= row[index] <= _SERIALS_1904[1]:
                row[index] = _START_1904 + timedelta(days=int(row[index]))


def _column_text(column: list[Any], *, code: bool) -> list[str]:
    """The cells as text; a number next to numbers written as text takes their decimal mark, unless it is a code."""
    if code or not any(isinstance(cell, float) for cell in column):
        return [cell if isinstance(cell, str) else cell_text(cell) for cell in column]
    texts = [cell for cell in column if isinstance(cell, str) and cell]
    comma = any(map(_COMMA.fullmatch, texts)) and not any(map(_POINT.fullmatch, texts))
    return [
        cell if isinstance(cell, str) else _number_text(cell_text(cell), comma=comma and isinstance(cell, float))
        for cell in column
    ]


def _number_text(text: str, *, comma: bool) -> str:
    if len(text) > 4 and text[-4] == "." and text[-3:].isdigit() and text[:-4].lstrip("-0") and len(text) < 9:
        text += "0"  # 1.234 could mean a thousand; 1.2340 cannot
    return text.replace(".", ",") if comma else text
