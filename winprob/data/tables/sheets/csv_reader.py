"""Read CSV: encoding, delimiter and header by content; stray quotes and an unknown delimiter are errors."""

import csv
import io
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow

from winprob.data.tables.sheets.encoding import decode
from winprob.data.tables.sheets.headers import HEADER_ROWS, MAX_COLUMNS, clean_header, header_at, refuse_wide
from winprob.data.tables.sheets.quotes import check_quotes
from winprob.data.tables.sheets.sheet import Grid, empty_file
from winprob.errors import InputError
from winprob.i18n import gettext

DELIMITERS = (",", ";", "\t", "|")
#: A header row is looked for in this many characters, first in few.
_LITTLE, _HEAD = 64 * 1024, 10 * 1024 * 1024
#: More rows of another width than this share of all, and a thousand, are not furniture.
_MOST_ODD = 0.1
#: A row of the file: its number and its cells.
_Row = tuple[int, list[str]]


def parse_csv(
    data: bytes, name: str, encoding: str | None, delimiter: str | None, known: Callable[[str], bool]
) -> Grid:
    """The rows below the header, with those of another width cut or filled to the header's."""
    text, used = decode(data, name, encoding=encoding, known=known)
    text = text.removeprefix("\ufeff")
    split = delimiter or _sniff(text, known)
    head = _first_rows(text, split, HEADER_ROWS)
    if not head:
        raise empty_file(name)
    top = header_at([cells for _, cells in head], known)
    number, headers = head[top]
    refuse_wide(len(headers), name)
    _refuse_odd_delimiter(headers, name, known)
    cells, odd = _arrow_csv(text.encode(), name, split, len(headers))
    rows = np.setdiff1d(np.arange(1, len(cells) + len(odd) + 1), [row for row, _ in odd], assume_unique=True)
    below = rows > number
    cells, rows = cells.iloc[below.argmax() if below.any() else len(rows) :], rows[below]
    cells, rows, places = _with_odd(cells, rows, [item for item in odd if item[0] > number], name, split, len(headers))
    return Grid(
        headers=headers,
        cells=cells,
        rows=rows,
        titles={row: cells for row, cells in head[:top] if not cells[0].startswith("sep=")},
        odd=places,
        kind="csv",
        encoding=used,
        delimiter=split,
    )


def _first_rows(text: str, delimiter: str, count: int) -> list[_Row]:
    """The first rows that are not blank; fewer when a cell is too long for a header."""
    rows: list[_Row] = []
    for size in (_LITTLE, _HEAD):
        head = io.StringIO(text[:size], newline="")
        rows = _rows_of(head, delimiter, count)
        # A row that ends with the text may have been cut.
        if len(text) <= size or (len(rows) == count and head.tell() < size):
            break
    return rows


def _rows_of(head: io.StringIO, delimiter: str, count: int) -> list[_Row]:
    rows: list[_Row] = []
    try:
        for number, row in enumerate(csv.reader(head, delimiter=delimiter), 1):
            if any(cell.strip() for cell in row):
                rows.append((number, row))
            if len(rows) == count:
                break
    except csv.Error:
        pass
    return rows


def _sniff(text: str, known: Callable[[str], bool]) -> str:
    """The delimiter under which most headers are known, then under which most rows are as wide as the header."""

    def score(delimiter: str) -> tuple[int, int, int]:
        rows = [cells for _, cells in _first_rows(text, delimiter, HEADER_ROWS + 20)]
        headers = rows[header_at(rows, known)] if rows else []
        known_headers = sum(known(clean_header(header)) for header in headers[:MAX_COLUMNS])
        even = sum(len(row) == len(headers) for row in rows) if len(headers) > 1 else 0
        return known_headers, even, len(headers)

    return max(DELIMITERS, key=score)


def _arrow_csv(data: bytes, name: str, delimiter: str, width: int) -> tuple[pd.DataFrame, list[_Row]]:
    """All rows of ``width`` cells as text, titles and header among them, and the rows of another width."""
    check_quotes(data, name, delimiter, width)
    odd: list[tuple[int, str]] = []

    def note(row: arrow.InvalidRow) -> str:
        odd.append((row.number, row.text))
        return "skip"

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
        raise InputError(gettext("{name} cannot be read as CSV: {fault}", name=name, fault=fault)) from None
    rows = [(number, _cells(text, delimiter)) for number, text in odd]
    if len(rows) > 1000 + _MOST_ODD * len(table):
        refuse_ragged([(number, len(cells)) for number, cells in rows], name, width, delimiter)
    return table.to_pandas(), rows


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _with_odd(
    cells: pd.DataFrame, rows: np.ndarray, odd: list[_Row], name: str, delimiter: str, width: int
) -> tuple[pd.DataFrame, np.ndarray, dict[int, int]]:
    """All rows in order, and how many cells each row of another width had; blank cells too many do not count."""
    if not odd:
        return cells.reset_index(drop=True), rows, {}
    padded = pd.DataFrame([(row + [""] * width)[:width] for _, row in odd], columns=cells.columns, dtype="str")
    number = np.concatenate([rows, [row for row, _ in odd]])
    order = np.argsort(number, kind="stable")
    together = pd.concat([cells, padded], ignore_index=True).iloc[order].reset_index(drop=True)
    place = np.argsort(order)[len(rows) :]
    extra = {
        int(at): len(row)
        for at, (_, row) in zip(place, odd, strict=True)
        if len(row) < width or any(cell.strip() for cell in row[width:])
    }
    wide = [(row, len(cells)) for row, cells in odd if any(cell.strip() for cell in cells[width:])]
    if wide:
        refuse_ragged([(int(number[order][at]), count) for at, count in extra.items()], name, width, delimiter)
    return together, number[order], extra


def refuse_ragged(ragged: list[tuple[int, int]], name: str, width: int, delimiter: str) -> None:
    """Raise InputError for rows, each with its number of cells, that differ from the header's ``width``."""
    rows = ", ".join(gettext("row {row} has {cells}", row=row, cells=cells) for row, cells in ragged[:5])
    raise InputError(
        gettext(
            "{name}: the number of cells differs from the header's {width} in {count} rows (delimiter {delimiter}): "
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
                "{name} has one column, {header}: its cells seem to be separated by {mark}. "
                "Separate them by , ; tab or |, or set the delimiter in mapping.toml (delimiter = {mark}).",
                name=name,
                header=repr(headers[0][:60]),
                mark=repr(odd),
            )
        )
