"""How does a file become a table of cells? CSV, XLSX and Parquet, told apart by content, refused when hostile.

Nothing here knows what a deal is: a sheet is headers, cells and the row each stood in.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.tables.encoding import decode, has_mark
from winprob.errors import InputError
from winprob.i18n import gettext

DELIMITERS = (",", ";", "\t", "|")
MAX_COLUMNS = 2_000
MAX_LINE = 10 * 1024 * 1024
_BLOCK = 1024 * 1024
_MAX_UNPACKED = 2 * 1024**3

#: How a file that is none of ours begins, and what it is.
_FOREIGN = (
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"\x89HDF", "HDF5/NetCDF"),
    (b"<!DOCTYPE html", "HTML"),
    (b"<html", "HTML"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file's cells: text, or (Parquet) typed columns; ``rows`` holds the row of the file each stood in."""

    name: str
    cells: pd.DataFrame
    rows: npt.NDArray[np.int64]
    kind: str
    encoding: str = ""
    delimiter: str = ""


def read_bytes(path: str | Path) -> bytes:
    """A file's content, read in blocks so that a monstrous line is refused before it fills the memory.

    Raises
    ------
    InputError
        When the file is missing, a folder, not readable, or holds a line of more than 10 MB.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(gettext("{name} is a folder; give a CSV, XLSX or Parquet file.", name=path))
        with path.open("rb") as file:
            return _read_blocks(file, str(path))
    except FileNotFoundError:
        raise InputError(gettext("{name} does not exist. Check the path.", name=path)) from None
    except PermissionError:
        raise InputError(gettext("{name} may not be read: permission denied.", name=path)) from None
    except (OSError, ValueError) as fault:
        raise InputError(gettext("{name} cannot be read: {fault}.", name=path, fault=fault)) from None


def _read_blocks(file: io.BufferedReader, name: str) -> bytes:
    blocks: list[bytes] = []
    line = 0
    text = True
    while block := file.read(_BLOCK):
        if not blocks:
            text = not block.startswith((b"PK\x03\x04", b"PAR1"))
        blocks.append(block)
        if text:
            line = _longest_open_line(block, line, name)
    return b"".join(blocks)


def _longest_open_line(block: bytes, open_length: int, name: str) -> int:
    """The length of the line that is still open at the end of ``block``."""
    # A block is shorter than the limit, so only a line that began before it can be too long.
    end = max(block.rfind(b"\n"), block.rfind(b"\r"))
    if end >= 0:
        return len(block) - end - 1
    open_length += len(block)
    if open_length > MAX_LINE:
        raise InputError(
            gettext("{name} holds a line of more than 10 MB: no deal table. Check the export's line ends.", name=name)
        )
    return open_length


def parse_sheet(
    data: bytes,
    name: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    known: Callable[[str], bool],
) -> Sheet:
    """The cells in ``data``, whose kind is told by its content, not by its name.

    Parameters
    ----------
    known : callable
        Whether a header is one that is looked for; it decides between encodings and between delimiters.

    Raises
    ------
    InputError
        When there is no table in it: empty, damaged, of another kind, ragged, or too wide.
    """
    _refuse_foreign(data, name)
    if data.startswith(b"PK\x03\x04"):
        sheet = _parse_xlsx(data, name)
    elif data.startswith(b"PAR1"):
        sheet = _parse_parquet(data, name)
    else:
        sheet = _parse_csv(data, name, encoding, delimiter, known)
    if sheet.cells.empty:
        raise InputError(gettext("{name} has a header and no rows: there is no deal in it.", name=name))
    return sheet


def _refuse_foreign(data: bytes, name: str) -> None:
    if not data.strip(b' \t\r\n\x0b\x0c\xef\xbb\xbf,;|"'):
        raise InputError(gettext("{name} is empty: there is no deal in it.", name=name))
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(
            gettext(
                "{name} is an old .xls or a workbook with a password. Save it as .xlsx without one, or as CSV.",
                name=name,
            )
        )
    kind = next((kind for start, kind in _FOREIGN if data.lstrip()[: len(start)].lower() == start.lower()), None)
    if kind:
        raise InputError(
            gettext("{name} is a {kind} file, not a table. Export CSV, XLSX or Parquet.", name=name, kind=kind)
        )
    if data.startswith((b"PK\x03\x04", b"PAR1")) or has_mark(data):
        return
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(b"\x00")) + 1
        raise InputError(
            gettext(
                "{name} holds NUL bytes (first in line {line}): binary or damaged. Export it again.",
                name=name,
                line=line,
            )
        )
    head = data[:_BLOCK]
    control = sum(head.count(bytes([code])) for code in range(32) if code not in (9, 10, 11, 12, 13, 27))
    if control * 50 > len(head):
        raise InputError(gettext("{name} is binary, not a table. Export CSV, XLSX or Parquet.", name=name))


def _parse_csv(
    data: bytes, name: str, encoding: str | None, delimiter: str | None, known: Callable[[str], bool]
) -> Sheet:
    text, used = decode(data, name, encoding=encoding, known=known)
    text = text.removeprefix("\ufeff")
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise InputError(
            gettext(
                "{name} holds NUL bytes (first in line {line}): binary or damaged. Export it again.",
                name=name,
                line=line,
            )
        )
    split = delimiter or _sniff(text, known)
    first = next(iter(_first_rows(text, split, 1)), [])
    if not first:
        raise InputError(gettext("{name} is empty: there is no deal in it.", name=name))
    _refuse_wide(len(first), name)
    cells, rows = _arrow_csv(text, name, split, len(first))
    # Blank lines above the header are no header.
    top = int(np.flatnonzero((cells != "").any(axis=1).to_numpy())[0])
    headers = [str(header) for header in cells.iloc[top]]
    _refuse_odd_delimiter(headers, name, known)
    return _sheet(name, headers, cells.iloc[top + 1 :], rows[top + 1 :], kind="csv", encoding=used, delimiter=split)


def _first_rows(text: str, delimiter: str, count: int) -> list[list[str]]:
    """The first rows in which anything stands; fewer when a cell is too long for a header."""
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text[:MAX_LINE], newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in row):
                found.append(row)
            if len(found) == count:
                break
    except csv.Error:
        pass
    return found


def _sniff(text: str, known: Callable[[str], bool]) -> str:
    """The delimiter under which most headers are known, then under which most rows are as wide as the header."""

    def score(delimiter: str) -> tuple[int, int, int]:
        rows = _first_rows(text, delimiter, 50)
        headers = rows[0] if rows else []
        found = sum(known(header.strip()) for header in headers[:MAX_COLUMNS])
        even = sum(len(row) == len(headers) for row in rows) if len(headers) > 1 else 0
        return found, even, len(headers)

    return max(DELIMITERS, key=score)


def _refuse_wide(width: int, name: str) -> None:
    if width > MAX_COLUMNS:
        raise InputError(
            gettext(
                "{name} has {width} columns; {most} is the most. Export the columns the mapping names.",
                name=name,
                width=width,
                most=MAX_COLUMNS,
            )
        )


def _arrow_csv(text: str, name: str, delimiter: str, width: int) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """All rows as text, the header among them, with the row of each; a ragged row is refused."""
    # Imported here: only reading a CSV needs it.
    import pyarrow as pa
    from pyarrow import csv as arrow

    ragged: list[tuple[int, int]] = []

    def note(row: arrow.InvalidRow) -> str:
        ragged.append((row.number, row.actual_columns))
        return "skip"

    data = text.encode("utf-8")
    names = [str(index) for index in range(width)]
    try:
        table = arrow.read_csv(
            pa.py_buffer(data),
            read_options=arrow.ReadOptions(use_threads=False, column_names=names, block_size=min(len(data) + 1, 2**30)),
            parse_options=arrow.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
            ),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False, null_values=[]
            ),
        )
    except pa.ArrowInvalid as fault:
        raise InputError(gettext("{name} does not read as CSV: {fault}", name=name, fault=fault)) from None
    if ragged:
        _refuse_ragged(ragged, name, width, delimiter)
    cells = table.to_pandas()
    return cells, np.arange(1, len(cells) + 1)


def _refuse_ragged(ragged: list[tuple[int, int]], name: str, width: int, delimiter: str) -> None:
    rows = ", ".join(gettext("row {row} has {cells}", row=row, cells=cells) for row, cells in ragged[:5])
    raise InputError(
        gettext(
            "{name}: {count} rows have another number of cells than the header's {width} (delimiter {delimiter}): "
            "{rows}. Quote cells that hold the delimiter, or close an open quote.",
            name=name,
            count=len(ragged),
            width=width,
            delimiter=repr(delimiter),
            rows=rows + (", …" if len(ragged) > 5 else ""),
        )
    )


def _refuse_odd_delimiter(headers: list[str], name: str, known: Callable[[str], bool]) -> None:
    if len(headers) != 1 or known(headers[0]):
        return
    odd = next((mark for mark in (*DELIMITERS, "^", "~", ":", "\x01", "#") if mark in headers[0]), None)
    if odd:
        raise InputError(
            gettext(
                "{name} reads as one column, {header}: its cells seem to be separated by {mark}. "
                "Separate them by , ; tab or |, or name the delimiter in mapping.toml (delimiter = {mark}).",
                name=name,
                header=repr(headers[0][:60]),
                mark=repr(odd),
            )
        )


def _parse_xlsx(data: bytes, name: str) -> Sheet:
    # Imported here: only reading a workbook needs them.
    import zipfile

    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(item.file_size for item in packed.infolist())
        if unpacked > _MAX_UNPACKED:
            raise InputError(gettext("{name} unpacks to more than 2 GB: no deal table.", name=name))
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        pages = [book.get_sheet_by_name(page) for page in book.sheet_names]
        page = next((page for page in pages if page.total_height > 0), None)
        grid = page.to_python(skip_empty_area=True) if page else []
        top = page.start[0] if page and page.start else 0
    except (CalamineError, zipfile.BadZipFile, NotImplementedError, KeyError, EOFError) as fault:
        raise InputError(
            gettext("{name} does not read as an XLSX workbook: damaged or cut short ({fault}).", name=name, fault=fault)
        ) from None
    if not grid:
        raise InputError(gettext("{name} is empty: there is no deal in it.", name=name))
    _refuse_wide(len(grid[0]), name)
    headers = [_cell(header) for header in grid[0]]
    columns = {str(index): [_cell(row[index]) for row in grid[1:]] for index in range(len(headers))}
    cells = pd.DataFrame(columns, dtype="str")
    return _sheet(name, headers, cells, np.arange(top + 2, top + 2 + len(cells)), kind="xlsx")


def _cell(cell: object) -> str:
    """A workbook's cell as text: 45000.0 as ``45000``, midnight as its day."""
    from datetime import datetime

    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat().removesuffix("T00:00:00")
    return str(cell)


def _parse_parquet(data: bytes, name: str) -> Sheet:
    # Imported here: only reading Parquet needs it.
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(data))
        _refuse_wide(table.num_columns, name)
        frame = table.to_pandas()
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(
            gettext("{name} does not read as Parquet: damaged or cut short ({fault}).", name=name, fault=fault)
        ) from None
    if frame.index.names != [None]:
        frame = frame.reset_index()
    frame = frame.reset_index(drop=True)
    headers = [str(header) for header in frame.columns]
    frame.columns = pd.RangeIndex(len(headers)).astype(str)
    return _sheet(name, headers, frame, np.arange(1, len(frame) + 1), kind="parquet")


def _sheet(
    name: str,
    headers: list[str],
    cells: pd.DataFrame,
    rows: npt.NDArray[np.int64],
    *,
    kind: str,
    encoding: str = "",
    delimiter: str = "",
) -> Sheet:
    """Name the columns, and drop rows and nameless columns in which nothing stands."""
    headers = [header.strip() for header in headers]
    filled = cells.notna() & (cells != "") if kind != "parquet" else cells.notna()
    kept = [index for index, header in enumerate(headers) if header or filled.iloc[:, index].any()]
    named = [headers[index] or gettext("column {number}", number=index + 1) for index in kept]
    doubled = sorted(header for header, count in Counter(named).items() if count > 1)
    if doubled:
        raise InputError(
            gettext(
                "{name} has several columns of the same name: {columns}. Rename or drop all but one.",
                name=name,
                columns=", ".join(map(repr, doubled)),
            )
        )
    held = filled.any(axis=1).to_numpy()
    cells = cells.iloc[held, kept].reset_index(drop=True)
    cells.columns = pd.Index(named, dtype=object)
    return Sheet(name=name, cells=cells, rows=rows[held], kind=kind, encoding=encoding, delimiter=delimiter)
