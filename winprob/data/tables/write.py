"""How does a result become a file? CSV, JSON, XLSX or Parquet, written whole or not at all, and safe to open."""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import cell_text
from winprob.errors import OutputError
from winprob.i18n import gettext

FORMATS = ("csv", "json", "xlsx", "parquet")
_ON_SCREEN = ("csv", "json")
#: What a spreadsheet takes for a formula when a cell begins with it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_table(frame: pd.DataFrame, path: str | Path | None, format: str) -> None:
    """Write ``frame`` without its index.

    Text that a spreadsheet would take for a formula gets a leading apostrophe in CSV and XLSX; numbers stay numbers.
    JSON is a list of records; missing is ``null``.

    Parameters
    ----------
    path : path or None
        Replaced at once when all is written; ``None`` prints (CSV and JSON only).
    format : str
        One of ``csv, json, xlsx, parquet``.

    Raises
    ------
    OutputError
        For an unknown format, or where it cannot be written.
    """
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
        _WRITERS[format](frame, temporary)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path``, which takes its place when the block ends well and is gone when it does not.

    Raises
    ------
    OutputError
        When the folder is missing, is no folder, or may not be written to.
    """
    target = Path(path)
    if _is_device(target):
        with _told(target):
            yield target
        return
    with _told(target):
        temporary = _beside(target)
        try:
            yield temporary
            os.replace(temporary, target.resolve())
        finally:
            temporary.unlink(missing_ok=True)


def require_writable(path: str | Path) -> None:
    """Refuse now what `replacing` would refuse later, and change nothing.

    Raises
    ------
    OutputError
        When the folder is missing, is no folder, or may not be written to.
    """
    target = Path(path)
    if not _is_device(target):
        with _told(target):
            _beside(target).unlink()


def _is_device(target: Path) -> bool:
    """A pipe or a device (/dev/null): there is nothing to replace."""
    return target.exists() and not target.is_file() and not target.is_dir()


def _beside(target: Path) -> Path:
    """A new empty file in the folder of ``target``, or of what it links to."""
    if target.is_dir():
        raise IsADirectoryError
    target = target.resolve()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    temporary.open("xb").close()
    return temporary


@contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise OutputError(
            gettext(
                "cannot write {path}: there is no folder {folder}. Make it first.", path=target, folder=target.parent
            )
        ) from None
    except IsADirectoryError:
        raise OutputError(gettext("cannot write {path}: it is a folder. Name a file in it.", path=target)) from None
    except PermissionError:
        raise OutputError(gettext("cannot write {path}: permission denied.", path=target)) from None
    except OSError as fault:
        raise OutputError(
            gettext("cannot write {path}: {fault}.", path=target, fault=fault.strerror or fault)
        ) from None


def _text(frame: pd.DataFrame, format: str) -> str:
    if format == "json":
        return json.dumps(_records(frame), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return _harmless(frame).to_csv(index=False, lineterminator="\n")


def _write_text(format: str) -> Callable[[pd.DataFrame, Path], None]:
    def write(frame: pd.DataFrame, path: Path) -> None:
        path.write_text(_text(frame, format), encoding="utf-8", newline="")

    return write


def _write_xlsx(frame: pd.DataFrame, path: Path) -> None:
    # Imported here: only writing a workbook needs it.
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    plain = _harmless(frame)
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet("winprob")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for column, header in enumerate(plain.columns):
            sheet.write_string(0, column, str(header))
            for row, cell in enumerate(_plain_cells(plain.iloc[:, column]), 1):
                if isinstance(cell, bool):
                    sheet.write_boolean(row, column, cell)
                elif isinstance(cell, int | float):
                    sheet.write_number(row, column, cell)
                elif isinstance(cell, date):
                    sheet.write_datetime(row, column, cell, day)
                elif cell is not None:
                    sheet.write_string(row, column, str(cell))


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False, engine="pyarrow")


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "csv": _write_text("csv"),
    "json": _write_text("json"),
    "xlsx": _write_xlsx,
    "parquet": _write_parquet,
}


def _harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with days as ISO text in CSV and no text, header or cell, that begins like a formula."""
    safe = frame.copy()
    for column in range(safe.shape[1]):
        values = safe.iloc[:, column]
        if not pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_datetime64_any_dtype(values.dtype):
            safe.isetitem(column, values.astype(object).map(_escape, na_action="ignore").to_numpy())
    safe.columns = pd.Index([_escape(str(header)) for header in safe.columns], dtype=object)
    return safe


def _escape(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [
        [cell_text(cell) if isinstance(cell, date) else cell for cell in _plain_cells(frame.iloc[:, index])]
        for index in range(frame.shape[1])
    ]
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain_cells(values: pd.Series) -> list[Any]:
    """Python's own values; ``None`` for what is missing, and for numbers without end, which JSON lacks."""
    return [_plain(cell) for cell in values.astype(object)]


def _plain(cell: Any) -> Any:
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, list | tuple | dict):
        return cell
    if pd.isna(cell) or (isinstance(cell, float) and not np.isfinite(cell)):
        return None
    return cell.to_pydatetime() if isinstance(cell, pd.Timestamp) else cell
