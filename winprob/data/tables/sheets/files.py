"""Read a file of any kind into a sheet: CSV, XLSX, Parquet or a table saved as .xls by content; others are refused.

Nothing here depends on what a deal is: a sheet is headers, cells and the row of the file that each came from.
"""

import io
import os
import select
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import Finding, whole
from winprob.data.tables.databases.queries import table_file
from winprob.data.tables.sheets.csv_reader import DELIMITERS, parse_csv, refuse_ragged
from winprob.data.tables.sheets.encoding import has_mark, utf16_without_mark
from winprob.data.tables.sheets.html_reader import is_html_table, parse_html
from winprob.data.tables.sheets.parquet_reader import parse_parquet
from winprob.data.tables.sheets.report import Locate
from winprob.data.tables.sheets.sheet import Grid, Sheet, empty_file, grid_sheet
from winprob.data.tables.sheets.spreadsheetml import is_spreadsheetml, parse_spreadsheetml
from winprob.data.tables.sheets.xlsx_reader import parse_xlsx
from winprob.errors import InputError
from winprob.i18n import gettext

__all__ = ["DELIMITERS", "MappingSource", "PeopleSource", "Sheet", "parse_sheet", "read_bytes"]

#: A mapping: its file, or the content of one.
MappingSource = str | Path | Mapping[str, Any]
#: A people table: its file, or a frame.
PeopleSource = str | Path | pd.DataFrame
MAX_LINE = 10 * 1024 * 1024
_BLOCK = 1024 * 1024
#: The content of each pipe that was read: a command may need it again, and a pipe gives it once.
_PIPES: dict[tuple[int, int], bytes] = {}
_ZIP, _PARQUET = b"PK\x03\x04", b"PAR1"

#: First bytes of formats that are refused by name.
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
    (b"<?xml", "XML"),
)
#: NUL bytes are dropped up to this share of all bytes; with more the file is binary.
_MOST_NUL = 0.1


def read_bytes(path: str | Path) -> bytes:
    """A file's content, or that of a query's result; read in blocks, so that an overlong line is refused early.

    Raises
    ------
    InputError
        The file is missing, a folder, not readable, or holds a line of more than 10 MB; or the database refuses it.
    """
    path = table_file(path)
    try:
        if os.path.isdir(path):
            raise InputError(gettext("{name} is a folder; give a CSV, XLSX or Parquet file.", name=path))
        if _PIPES and os.path.exists(path) and (pipe := _place(path.stat())) in _PIPES:
            _PIPES[pipe] = _written_since(path) or _PIPES[pipe]
            return _PIPES[pipe]
        with path.open("rb") as file:
            data = _read_blocks(file, str(path))
            about = os.fstat(file.fileno())
        if stat.S_ISFIFO(about.st_mode):
            _PIPES[_place(about)] = data
        return data
    except FileNotFoundError:
        raise InputError(gettext("{name} does not exist. Check the path.", name=path)) from None
    except PermissionError:
        raise InputError(gettext("{name} cannot be read: permission denied.", name=path)) from None
    except (OSError, ValueError) as fault:
        raise InputError(gettext("{name} cannot be read: {fault}.", name=path, fault=fault)) from None


def _place(about: os.stat_result) -> tuple[int, int]:
    return about.st_dev, about.st_ino


def _written_since(path: Path) -> bytes:
    """What a program writes anew into a pipe that was read before; empty where none writes."""
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(pipe, "rb") as file:
        if not select.select([file], [], [], 0.05)[0]:
            return b""
        os.set_blocking(pipe, True)
        return _read_blocks(file, str(path))


def _read_blocks(file: io.BufferedReader, name: str) -> bytes:
    blocks: list[bytes] = []
    line = 0
    text = True
    while block := file.read(_BLOCK):
        if not blocks:
            text = not block.startswith((_ZIP, _PARQUET))
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
            gettext(
                "{name} holds a line of more than 10 MB, too long for a deal table. Check the export's line ends.",
                name=name,
            )
        )
    return open_length


def parse_sheet(
    data: bytes,
    name: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    known: Callable[[str], bool],
    locate: Locate | None = None,
    page: str | None = None,
) -> Sheet:
    """The records in ``data``, whose format is detected from its content, not from its name.

    Parameters
    ----------
    known : callable
        Whether a header is one that is looked for; decides between rows, encodings, delimiters and worksheets.
    locate : callable or None
        Which header means the id and which the amount: rows that are totals, not deals, are left out by them.
    page : str or None
        The worksheet to read; None for the visible one that knows most headers.

    Raises
    ------
    InputError
        It holds no table: empty, damaged, of another format, ragged, or too wide.
    """
    grid = parse_grid(data, name, encoding, delimiter, known, locate, page)
    sheet = grid_sheet(
        grid,
        name,
        known,
        locate,
        lambda rows: refuse_ragged(rows, name, len(grid.headers), grid.delimiter),
    )
    if sheet.cells.empty:
        raise InputError(gettext("{name} has a header and no rows: it holds no deals.", name=name))
    return sheet


def parse_grid(
    data: bytes,
    name: str,
    encoding: str | None,
    delimiter: str | None,
    known: Callable[[str], bool],
    locate: Locate | None,
    page: str | None,
) -> Grid:
    """The header in ``data`` and all rows below it, records or not."""
    if data.startswith(_ZIP):
        return parse_xlsx(data, name, known, page, locate)
    if data.startswith(_PARQUET):
        return parse_parquet(data, name, known)
    if is_spreadsheetml(data):
        return parse_spreadsheetml(data, name, known, page)
    if is_html_table(data):
        return parse_html(data, name, encoding, known)
    _refuse_foreign(data, name)
    if encoding is None and not has_mark(data):
        encoding = utf16_without_mark(data)
    data, notes = _without_nul(data, name, encoding)
    grid = parse_csv(data, name, encoding, delimiter, known)
    return replace(grid, notes=(*grid.notes, *notes))


def _without_nul(data: bytes, name: str, encoding: str | None) -> tuple[bytes, list[Finding]]:
    """``data`` without the NULs that an export left in its cells, and a note on them; many are refused."""
    wide = has_mark(data) and not data.startswith(b"\xef\xbb\xbf")
    wide |= (encoding or "").lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    nul, size = (b"\x00\x00", 2) if wide else (b"\x00", 1)
    if nul not in data:
        return data, []
    places = [place for place in _places(data, nul) if place % size == 0]
    if not places:
        return data, []
    line = data.count(b"\n", 0, places[0]) + 1
    if len(places) * size > _MOST_NUL * len(data):
        raise InputError(
            gettext(
                "{name} holds NUL bytes (first in line {line}): binary or damaged. Export it again.",
                name=name,
                line=line,
            )
        )
    if size == 1:
        kept = data.replace(nul, b"")
    else:
        units = np.frombuffer(data[: len(data) // 2 * 2], dtype=np.uint16)
        kept = units[units != 0].tobytes() + data[len(data) // 2 * 2 :]
    message = gettext(
        "{count} NUL characters inside cells are dropped, the first in line {line}", count=len(places), line=line
    )
    return kept, [whole("note", "", message)]


def _places(data: bytes, nul: bytes) -> list[int]:
    if len(nul) == 1:
        return np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 0).tolist()
    return (2 * np.flatnonzero(np.frombuffer(data[: len(data) // 2 * 2], dtype=np.uint16) == 0)).tolist()


def _refuse_foreign(data: bytes, name: str) -> None:
    if not data.strip(b' \t\r\n\x0b\x0c\xef\xbb\xbf,;|"'):
        raise empty_file(name)
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
    if has_mark(data) or utf16_without_mark(data):
        return
    head = data[:_BLOCK]
    control = sum(head.count(bytes([code])) for code in range(1, 32) if code not in (9, 10, 11, 12, 13, 27))
    if control * 50 > len(head):
        raise InputError(gettext("{name} is binary, not a table. Export CSV, XLSX or Parquet.", name=name))
