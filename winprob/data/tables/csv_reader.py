"""Read CSV: encoding, delimiter and header by content; ragged rows and an unknown delimiter are errors."""

import csv
import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow

from winprob.data.tables.encoding import decode
from winprob.data.tables.sheet import MAX_COLUMNS, Sheet, build_sheet, empty_file, refuse_wide
from winprob.errors import InputError
from winprob.i18n import gettext

DELIMITERS = (",", ";", "\t", "|")
#: A header row is looked for in this many characters.
_HEAD = 10 * 1024 * 1024


def parse_csv(
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
        raise empty_file(name)
    refuse_wide(len(first), name)
    cells, rows = _arrow_csv(text, name, split, len(first))
    # Blank lines may precede the header.
    top = int(np.flatnonzero((cells != "").any(axis=1).to_numpy())[0])
    headers = [str(header) for header in cells.iloc[top]]
    _refuse_odd_delimiter(headers, name, known)
    below = slice(top + 1, None)
    return build_sheet(name, headers, cells.iloc[below], rows[below], kind="csv", encoding=used, delimiter=split)


def _first_rows(text: str, delimiter: str, count: int) -> list[list[str]]:
    """The first rows that are not blank; fewer when a cell is too long for a header."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text[:_HEAD], newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in row):
                rows.append(row)
            if len(rows) == count:
                break
    except csv.Error:
        pass
    return rows


def _sniff(text: str, known: Callable[[str], bool]) -> str:
    """The delimiter under which most headers are known, then under which most rows are as wide as the header."""

    def score(delimiter: str) -> tuple[int, int, int]:
        rows = _first_rows(text, delimiter, 50)
        headers = rows[0] if rows else []
        known_headers = sum(known(header.strip()) for header in headers[:MAX_COLUMNS])
        even = sum(len(row) == len(headers) for row in rows) if len(headers) > 1 else 0
        return known_headers, even, len(headers)

    return max(DELIMITERS, key=score)


def _arrow_csv(text: str, name: str, delimiter: str, width: int) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """All rows as text, the header among them, with the row of each; a ragged row is refused."""
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
        raise InputError(gettext("{name} cannot be read as CSV: {fault}", name=name, fault=fault)) from None
    if ragged:
        _refuse_ragged(ragged, name, width, delimiter)
    cells = table.to_pandas()
    return cells, np.arange(1, len(cells) + 1)


def _refuse_ragged(ragged: list[tuple[int, int]], name: str, width: int, delimiter: str) -> None:
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
