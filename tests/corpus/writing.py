"""Write a deal table in a dialect, with what a reader must make of the file, and the doubts that it may refuse for."""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from tests.corpus import locales
from tests.corpus.dialects import Dialect
from tests.corpus.headers import CRM, crm_row, header, mapping_for, word
from tests.corpus.truth import CHOICES, COVERAGES, DATES, MONEY, SHARE, SUPPORTS, Cell, Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file on disk, how to read it, and what it must read as: equal, or refused where there is a doubt.

    ``unnamed``: every amount has one sign that several currencies share, so that an unknown currency is right too.
    """

    path: Path
    mapping: dict[str, Any] | None
    encoding: str | None
    expected: dict[str, list[Cell]]
    doubts: tuple[str, ...]
    unnamed: bool


@dataclass(slots=True)
class _Table:
    """A table as it is being written: headers, cells as they go into the file, and doubts so far."""

    names: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    cells: list[list[object]] = field(default_factory=list)
    doubts: set[str] = field(default_factory=set)
    unnamed: bool = False
    bare_numbers: list[str] = field(default_factory=list)


def write_export(truth: Truth, dialect: Dialect, folder: Path) -> Export:
    """One file of the corpus."""
    written, expected = _as_exported(truth, dialect)
    table = _Table()
    shuffle = Random(dialect.seed)
    names = list(written)
    shuffle.shuffle(names)
    for name in names:
        table.names.append(name)
        table.headers.append(header(name, dialect))
        table.cells.append(
            [_cell(name, value, row, dialect, table) for row, value in enumerate_rows(written, name, truth)]
        )
    if not _has_currency(written):
        expected["currency"] = _currencies_in_cells(truth, dialect, written, table)
    settings = _settings(dialect, written)
    _doubt_locale(table, written, dialect, settings)
    columns = [name for name in names if name in expected or name in DATES]
    mapping = mapping_for(columns, dialect, settings)
    _add_extra(table, dialect, shuffle, len(truth.rows))
    path, encoding = _WRITERS[dialect.kind](table, dialect, folder)
    stated = "encoding" in dialect.stated and dialect.kind == "csv"
    if dialect.kind == "csv" and encoding in ("cp1252", "big5", "gb18030") and not stated:
        table.doubts.add("legacy encoding")
    return Export(
        path=path,
        mapping=mapping,
        encoding=encoding if stated else None,
        expected=expected,
        doubts=tuple(sorted(table.doubts)),
        unnamed=table.unnamed,
    )


def _as_exported(truth: Truth, dialect: Dialect) -> tuple[dict[str, list[Cell]], dict[str, list[Cell]]]:
    """The columns of the file in canonical values, and what they must read as."""
    if not dialect.preset:
        columns = {name: truth.column(name) for name in truth.columns}
        return columns, dict(columns)
    pairs = [crm_row(row, dialect) for row in truth.rows]
    hidden = {"currency"} - set(truth.columns)
    written = {name: [pair[0].get(name) for pair in pairs] for name in CRM[dialect.preset] if name not in hidden}
    kept = [name for name in written if any(name in pair[0] for pair in pairs)]
    read = {name: [pair[1].get(name) for pair in pairs] for name in pairs[0][1] if name not in hidden}
    return {name: written[name] for name in kept}, read


def enumerate_rows(written: Mapping[str, list[Cell]], name: str, truth: Truth) -> list[tuple[Mapping[str, Cell], Cell]]:
    return list(zip(truth.rows, written[name], strict=True))


def _has_currency(written: Mapping[str, object]) -> bool:
    return "currency" in written


# ---- one cell ------------------------------------------------------------------------------------------------------


def _typed(dialect: Dialect) -> bool:
    """Whether days and numbers are written as such, not as text."""
    return dialect.typed and dialect.kind in ("xlsx", "parquet")


def _cell(name: str, value: Cell, row: Mapping[str, Cell], dialect: Dialect, table: _Table) -> object:
    """A cell as the file holds it: text, or a value of its own where the format has types."""
    figure = name in (*DATES, "close", MONEY, SHARE)
    if value is None:
        typed = _typed(dialect) or dialect.kind == "parquet"
        return None if typed else (dialect.null_of_figures or dialect.null if figure else dialect.null)
    if isinstance(value, dt.date):
        return value if _typed(dialect) else locales.DAYS[dialect.days].write(value)
    if isinstance(value, Decimal):
        return value if _typed(dialect) else _number(name, value, row, dialect, table)
    if name in SUPPORTS:
        return value if _typed(dialect) else str(value)
    if name in CHOICES and not dialect.preset:
        return word(name, str(value), dialect)
    return str(value)


def _number(name: str, value: Decimal, row: Mapping[str, Cell], dialect: Dialect, table: _Table) -> str:
    style = locales.NUMBERS[dialect.numbers]
    if name == SHARE:
        if dialect.share == "percent":
            return f"{value * 100:.0f}%"
        bare = f"{value:.2f}".replace(".", style.point)
    else:
        bare = style.write(value)
    table.bare_numbers.append(bare)
    if name == SHARE:
        return bare
    return locales.write_money(bare, _text(row.get("currency")), dialect.money, chinese=dialect.chinese)[0]


def _text(value: Cell) -> str | None:
    return None if value is None else str(value)


def _currencies_in_cells(
    truth: Truth, dialect: Dialect, written: Mapping[str, list[Cell]], table: _Table
) -> list[Cell]:
    """The currencies that only the cells of the amount give."""
    if MONEY not in written or _typed(dialect) or dialect.money == "none":
        return [None] * len(truth.rows)
    read: list[Cell] = []
    marks: set[str] = set()
    for row, amount in zip(truth.rows, written[MONEY], strict=True):
        currency = _text(row["currency"]) if amount is not None else None
        marks.add(locales.write_money("1", currency, dialect.money, chinese=dialect.chinese)[1])
        read.append(currency)
    marks.discard("")
    table.unnamed = len(marks) == 1 and marks <= set(locales.SHARED)
    if marks & set(locales.SHARED) and not table.unnamed:
        table.doubts.add("sign of several currencies")
    return read


# ---- the file's settings and doubts --------------------------------------------------------------------------------


def _settings(dialect: Dialect, written: Mapping[str, list[Cell]]) -> dict[str, Any]:
    """What the mapping file states of the locale."""
    settings: dict[str, Any] = {}
    order = locales.DAYS[dialect.days].order
    if "day_first" in dialect.stated and order:
        settings["day_first"] = order == "dmy"
    if "decimal_comma" in dialect.stated and not _typed(dialect):
        settings["decimal_comma"] = locales.NUMBERS[dialect.numbers].point == ","
    if "delimiter" in dialect.stated and dialect.kind == "csv":
        settings["delimiter"] = dialect.delimiter
    if dialect.null == "tbd":
        settings["null"] = ["tbd"]
    return settings


def _doubt_locale(
    table: _Table, written: Mapping[str, list[Cell]], dialect: Dialect, settings: Mapping[str, Any]
) -> None:
    if _typed(dialect):
        return
    days = [value for values in written.values() for value in values if isinstance(value, dt.date)]
    if "day_first" not in settings and locales.days_in_doubt(days, locales.DAYS[dialect.days].order):
        table.doubts.add("order of day and month")
    if "decimal_comma" not in settings and locales.numbers_in_doubt(table.bare_numbers):
        table.doubts.add("mark of decimals or of thousands")


# ---- furniture -----------------------------------------------------------------------------------------------------


def _add_extra(table: _Table, dialect: Dialect, shuffle: Random, rows: int) -> None:
    """Columns that no one asked for, with anything in them."""
    wild = ("31/12/99", "1.234,5", "n/a", "see mail", "Total", "$", "0", "50 %", "x;y,z", "=A1", "", "")
    for name in dict.fromkeys(dialect.extra) if dialect.kind == "parquet" else dialect.extra:
        at = shuffle.randint(0, len(table.headers))
        table.names.insert(at, "")
        table.headers.insert(at, name)
        table.cells.insert(at, [shuffle.choice(wild) for _ in range(rows)])


def _grid(table: _Table, dialect: Dialect) -> list[list[object]]:
    """All rows of the file from top to bottom; a row of furniture may be shorter than the header."""
    width = len(table.headers)
    body: list[list[object]] = [list(row) for row in zip(*table.cells, strict=True)]
    if dialect.repeat_header and len(body) > 1:
        body.insert(len(body) // 2, list(table.headers))
    if dialect.total:
        of_part = dialect.total in ("Subtotal", "小计") and len(body) > 1
        body.insert(len(body) // 2 if of_part else len(body), _total(table, dialect, of_part))
    blank: list[list[object]] = [[""] * (width if dialect.padded else 1)] if dialect.blank_rows else []
    above = [_line(text, width, dialect) for text in dialect.titles]
    below = [_line(text, width, dialect) for text in dialect.footers]
    parting: list[list[object]] = [[""] * (width if dialect.padded else 1)] if below else []
    return [*above, *(blank if above else []), list(table.headers), *body, *blank, *parting, *below]


def _line(text: str, width: int, dialect: Dialect) -> list[object]:
    return [text, *([""] * (width - 1) if dialect.padded else [])]


def _total(table: _Table, dialect: Dialect, of_part: bool) -> list[object]:
    """A row with a word for a total in place of the id, and the sum of the amounts."""
    rows = len(table.cells[0])
    row: list[object] = [""] * len(table.headers)
    row[table.names.index("deal_id")] = dialect.total
    if MONEY in table.names and (amounts := _amounts(table, rows // 2 if of_part else rows)) is not None:
        row[table.names.index(MONEY)] = amounts if _typed(dialect) else locales.NUMBERS[dialect.numbers].write(amounts)
    return row


def _amounts(table: _Table, rows: int) -> Decimal | None:
    cells = table.cells[table.names.index(MONEY)][:rows]
    numbers = [cell for cell in cells if isinstance(cell, Decimal)]
    return sum(numbers, Decimal(0)) if numbers else Decimal(98_765_432)


# ---- kinds of file -------------------------------------------------------------------------------------------------


def _write_csv(table: _Table, dialect: Dialect, folder: Path) -> tuple[Path, str]:
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if dialect.quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=dialect.delimiter, lineterminator=dialect.newline, quoting=quoting)
    for row in _grid(table, dialect):
        writer.writerow(["" if cell is None else cell for cell in row] if row != [""] else [])
    content, encoding = _encoded(text.getvalue(), dialect.encoding)
    path = folder / "export.csv"
    path.write_bytes(content)
    return path, encoding


def _encoded(text: str, encoding: str) -> tuple[bytes, str]:
    """The text in the dialect's encoding, or in UTF-8 where that lacks a letter."""
    try:
        return text.encode(encoding), encoding
    except UnicodeEncodeError:
        return text.encode("utf-8"), "utf-8"


def _write_html(table: _Table, dialect: Dialect, folder: Path) -> tuple[Path, str]:
    lines = ["<html><head><meta charset='utf-8'></head><body><table border=1>"]
    for row in _grid(table, dialect):
        cells = "".join(f"<td>{html.escape('' if cell is None else str(cell))}</td>" for cell in row)
        lines.append(f"<tr>{cells}</tr>")
    path = folder / "report.xls"
    path.write_bytes("\n".join([*lines, "</table></body></html>"]).encode("utf-8"))
    return path, "utf-8"


def _write_xlsx(table: _Table, dialect: Dialect, folder: Path) -> tuple[Path, str]:
    import xlsxwriter

    path = folder / "export.xlsx"
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "date_1904": dialect.date_1904}) as book:
        formats = {"day": book.add_format({"num_format": "yyyy-mm-dd"}), "share": book.add_format({"num_format": "0%"})}
        if dialect.sheets == "cover before":
            book.add_worksheet("Cover").write_string(1, 1, "Quarterly review of the sales team")
        if dialect.sheets == "hidden decoy":
            decoy = book.add_worksheet("Old")
            _fill(decoy, [list(table.headers), ["OLD", *["" for _ in table.headers[1:]]]], table, formats)
            decoy.hide()
        sheet = book.add_worksheet("Deals")
        _fill(sheet, _grid(table, dialect), table, formats)
        sheet.activate()
        sheet.set_first_sheet()
        if dialect.sheets == "notes behind":
            book.add_worksheet("Notes").write_string(0, 0, "Amounts without tax")
    return path, "utf-8"


def _fill(sheet: Any, grid: Sequence[Sequence[object]], table: _Table, formats: Mapping[str, Any]) -> None:
    for at, row in enumerate(grid):
        for column, cell in enumerate(row):
            if isinstance(cell, dt.date):
                sheet.write_datetime(at, column, dt.datetime(cell.year, cell.month, cell.day), formats["day"])
            elif isinstance(cell, Decimal | int):
                share = table.names[column] == SHARE
                sheet.write_number(at, column, float(cell), formats["share"] if share else None)
            elif cell:
                sheet.write_string(at, column, str(cell))


def _write_parquet(table: _Table, dialect: Dialect, folder: Path) -> tuple[Path, str]:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        name: _arrow(canonical, cells, dialect)
        for canonical, name, cells in zip(table.names, table.headers, table.cells, strict=True)
    }
    path = folder / "export.parquet"
    if dialect.padded:
        frame = pa.table(columns).to_pandas()
        named = frame.set_index(header("deal_id", dialect))
        named.to_parquet(path)
    else:
        parquet.write_table(pa.table(columns), path)
    return path, "utf-8"


def _arrow(canonical: str, cells: Sequence[object], dialect: Dialect) -> Any:
    import pyarrow as pa

    if not _typed(dialect) or canonical not in (*DATES, "close", MONEY, SHARE, *SUPPORTS):
        text = pa.array([None if cell is None else str(cell) for cell in cells], pa.string())
        return text.dictionary_encode() if dialect.seed % 3 == 0 and canonical != "deal_id" else text
    if canonical in (*DATES, "close"):
        days = pa.array(cells, pa.date32())
        return (days, days.cast(pa.timestamp("ns")), days.cast(pa.timestamp("us", "UTC")))[dialect.seed % 3]
    if canonical in SUPPORTS:
        return pa.array(cells, (pa.int8(), pa.float64())[dialect.seed % 2])
    numbers = pa.array(cells, pa.decimal128(18, 2))
    return numbers if dialect.seed % 2 else numbers.cast(pa.float64())


_WRITERS = {"csv": _write_csv, "html": _write_html, "xlsx": _write_xlsx, "parquet": _write_parquet}

__all__ = ["COVERAGES", "Export", "write_export"]
