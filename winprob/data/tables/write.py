"""Write tables as CSV, JSON, XLSX or Parquet: atomically, and with text that a spreadsheet cannot run as a formula."""

import json
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from winprob.data.schema import cell_text
from winprob.data.tables.replacing import is_device, replacing
from winprob.data.tables.workbook import workbook_bytes
from winprob.errors import OutputError
from winprob.i18n import gettext

FORMATS = ("csv", "json", "xlsx", "parquet")
_ON_SCREEN = ("csv", "json")
#: The formats that can be written block by block.
BLOCK_FORMATS = ("csv", "parquet")
_Append = Callable[[pd.DataFrame], None]
#: A cell that begins with one of these, after any blanks, is a formula to a spreadsheet; full-width marks are too.
_FORMULA_MARKS = tuple("=+-@＝＋－＠")
#: Spreadsheets drop or act on these at the start of a cell.
_LEADING_CONTROLS = ("\t", "\r", "\n", "\v", "\f", "\0")
_BLANKS = " \t\r\n\v\f\0\xa0\u3000\ufeff\u200b\u200e\u200f\u2060"


def write_table(
    frame: pd.DataFrame, path: str | Path | None, format: str | None = None, *, percent: Collection[str] = ()
) -> None:
    """Write ``frame`` without its index.

    Text that a spreadsheet would run as a formula gets a leading apostrophe in CSV and XLSX; numbers stay numbers.
    JSON is a list of records, with ``null`` for a missing value.

    Parameters
    ----------
    path : path or None
        Replaced by one rename when all is written; ``None`` prints (CSV and JSON only).
    format : str, optional
        One of ``csv, json, xlsx, parquet``; by default the format that the suffix of ``path`` means, else CSV.
    percent : collection of str
        Columns that a workbook shows as whole percents, besides those that it recognises; their values stay the same.

    Raises
    ------
    OutputError
        For an unknown format or suffix, or where the file cannot be written.
    """
    if format is None:
        format = resolve_format(path) if path else "csv"
    if format not in FORMATS:
        raise OutputError(
            gettext("unknown format {format}; accepted: {accepted}", format=repr(format), accepted=", ".join(FORMATS))
        )
    if path is None:
        if format not in _ON_SCREEN:
            raise OutputError(gettext("{format} cannot be printed: name a file with --out.", format=format))
        sys.stdout.write(_text(frame, format))
        return
    with replacing(path) as temporary:
        if format == "xlsx":
            plain = _harmless(frame)
            cells = [_plain_cells(plain.iloc[:, column]) for column in range(plain.shape[1])]
            temporary.write_bytes(workbook_bytes(list(map(str, plain.columns)), cells, percent))
        else:
            _WRITERS[format](frame, temporary)


def resolve_format(path: str | Path, given: str | None = None, *, default: str = "csv") -> str:
    """The format of a file: what its suffix means; without a suffix ``given``, else ``default``.

    Where the default is ``table``, the drawn table, the suffix ``.txt`` means it.

    Raises
    ------
    OutputError
        For a suffix without a format, or one that contradicts ``given``.
    """
    target = Path(path)
    if not target.suffix or is_device(target):
        return given or default
    formats = {f".{name}": name for name in FORMATS} | ({".txt": "table"} if default == "table" else {})
    suffix = target.suffix.lower()
    if suffix not in formats:
        raise OutputError(
            gettext(
                "cannot write {path}: unknown suffix {suffix}; accepted: {accepted}.",
                path=target,
                suffix=repr(target.suffix),
                accepted=", ".join(formats),
            )
        )
    if given and given != formats[suffix]:
        raise OutputError(
            gettext(
                "cannot write {path}: its suffix means {meant}, and --format is {given}. Leave out --format, "
                "or change the suffix.",
                path=target,
                meant=formats[suffix],
                given=given,
            )
        )
    return formats[suffix]


def _text(frame: pd.DataFrame, format: str) -> str:
    if format == "json":
        return json.dumps(_records(frame), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return _harmless(frame).to_csv(index=False, lineterminator="\n")


def _write_text(format: str) -> Callable[[pd.DataFrame, Path], None]:
    def write(frame: pd.DataFrame, path: Path) -> None:
        path.write_text(_text(frame, format), encoding="utf-8", newline="")

    return write


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False, engine="pyarrow")


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": _write_text("csv"),
    "json": _write_text("json"),
    "parquet": _write_parquet,
}


def _harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with an apostrophe before each text, header or cell, that begins like a formula."""
    safe = frame.copy()
    for column in range(safe.shape[1]):
        values = safe.iloc[:, column]
        if not pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_datetime64_any_dtype(values.dtype):
            safe.isetitem(column, values.astype(object).map(_escape, na_action="ignore").to_numpy())
    safe.columns = pd.Index([_escape(str(header)) for header in safe.columns], dtype=object)
    return safe


def _escape(cell: object) -> object:
    return escape_formula(cell) if isinstance(cell, str) else cell


def escape_formula(text: str) -> str:
    """``text`` with an apostrophe before it where a spreadsheet would run it as a formula."""
    runs = text.startswith(_LEADING_CONTROLS) or text.lstrip(_BLANKS).startswith(_FORMULA_MARKS)
    return f"'{text}" if runs else text


def unescape_formula(text: str) -> str:
    """``text`` without the apostrophe that ``escape_formula`` put before it."""
    bare = text.removeprefix("'")
    return bare if escape_formula(bare) == text else text


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [
        [cell_text(cell) if isinstance(cell, date) else cell for cell in _plain_cells(frame.iloc[:, index])]
        for index in range(frame.shape[1])
    ]
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain_cells(values: pd.Series) -> list[Any]:
    """Python's own values; ``None`` for missing values and for infinite numbers, which JSON lacks."""
    return [_plain(cell) for cell in values.astype(object)]


def _plain(cell: Any) -> Any:
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, list | tuple | dict):
        return cell
    if pd.isna(cell) or (isinstance(cell, float) and not np.isfinite(cell)):
        return None
    return cell.to_pydatetime() if isinstance(cell, pd.Timestamp) else cell


# ---- block by block -------------------------------------------------------------------------------------------------


def write_blocks(blocks: Iterator[pd.DataFrame], path: str | Path, format: str) -> None:
    """Write blocks of one table without their index; the file is replaced by one rename when all is written.

    Parameters
    ----------
    format : one of ``BLOCK_FORMATS``

    Raises
    ------
    OutputError
        The file cannot be written. An error of ``blocks`` passes through, and nothing is written.
    """
    with replacing(path) as temporary, _BLOCK_WRITERS[format](temporary) as append:
        for block in blocks:
            append(block)


@contextmanager
def _csv(path: Path) -> Iterator[_Append]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def append(block: pd.DataFrame) -> None:
            _harmless(block).to_csv(file, index=False, header=file.tell() == 0, lineterminator="\n")

        yield append


@contextmanager
def _parquet(path: Path) -> Iterator[_Append]:
    with path.open("wb") as file:
        writers: list[parquet.ParquetWriter] = []

        def append(block: pd.DataFrame) -> None:
            table = pa.Table.from_pandas(block, preserve_index=False)
            if not writers:
                writers.append(parquet.ParquetWriter(file, table.schema))
            writers[0].write_table(table)

        try:
            yield append
        finally:
            for writer in writers:
                writer.close()


_BLOCK_WRITERS = {"csv": _csv, "parquet": _parquet}
