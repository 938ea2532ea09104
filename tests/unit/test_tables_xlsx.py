"""Workbooks: which sheet is read, cells as they are shown, cells far outside; Parquet beyond plain columns."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from winprob.data.tables import check_file, read_deals
from winprob.data.tables.deals import located, looked_for
from winprob.data.tables.mapping import DealMapping
from winprob.data.tables.sheets.files import parse_sheet
from winprob.data.tables.sheets.sheet import Sheet
from winprob.errors import InputError

BARE = DealMapping(name="")


def sheet_of(data: bytes, page: str | None = None) -> Sheet:
    return parse_sheet(data, "x", known=looked_for(BARE), locate=lambda headers: located(BARE, headers), page=page)


def workbook(fill: Callable[[Any], None], **options: bool) -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, **options}) as book:
        fill(book)
    return buffer.getvalue()


def add(book: Any, name: str, *rows: list[object]) -> Any:
    sheet = book.add_worksheet(name)
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    return sheet


def test_a_hidden_sheet_is_not_read() -> None:
    def fill(book: Any) -> None:
        add(book, "old", ["deal_id", "amount"], ["D0", 9]).hide()
        add(book, "now", ["deal_id", "amount"], ["D1", 5]).activate()

    sheet = sheet_of(workbook(fill))
    assert sheet.cells["deal_id"].tolist() == ["D1"]
    assert "'old' (hidden)" in sheet.notes[0].message
    assert sheet_of(workbook(fill), "old").cells["deal_id"].tolist() == ["D0"]


def test_the_sheet_that_knows_most_headers_is_read(tmp_path: Path) -> None:
    def fill(book: Any) -> None:
        add(book, "Summary & more", ["Total pipeline", 5])
        add(book, "2026", ["deal_id", "outcome", "amount"], ["D1", "won", 5], ["D2", "lost", 6])
        add(book, "2025", ["deal_id", "outcome", "amount"], ["D0", "won", 4])

    path = tmp_path / "deals.xlsx"
    path.write_bytes(workbook(fill))
    assert read_deals(path)["deal_id"].tolist() == ["D1", "D2"]
    assert read_deals(path, {"sheet": "2025"})["deal_id"].tolist() == ["D0"]
    found = check_file(path).set_index("severity")["message"]
    assert "not read: 'Summary & more' (1 rows), '2025' (2 rows)" in found["warning"].str.cat()
    with pytest.raises(InputError, match="has no sheet '2024'; it has 'Summary & more', '2026', '2025'"):
        read_deals(path, {"sheet": "2024"})


def test_a_workbook_whose_deals_are_hidden_asks_for_the_sheet() -> None:
    def fill(book: Any) -> None:
        book.add_worksheet("empty")
        add(book, "deals", ["deal_id"], ["D1"]).hide()

    with pytest.raises(InputError, match="hidden: 'deals'"):
        sheet_of(workbook(fill))


def test_errors_and_percentages_arrive_as_they_are_shown() -> None:
    def fill(book: Any) -> None:
        sheet = add(book, "deals", ["deal_id", "rep_probability", "amount"], ["D1"], ["D2"])
        percent, letter = (book.add_format({"num_format": form}) for form in ("0.0%", '0"%"'))
        sheet.write(1, 1, 0.57, percent)
        sheet.write_formula(1, 2, "=1/0", None, "#DIV/0!")
        sheet.write_formula(2, 1, "=1/4", percent, 0.25)
        sheet.write(2, 2, 62, letter)

    cells = sheet_of(workbook(fill)).cells
    assert cells["rep_probability"].tolist() == ["57%", "25%"]
    assert cells["amount"].tolist() == ["#DIV/0!", "62"]


def test_a_share_shown_as_a_percentage_is_not_divided_again(tmp_path: Path) -> None:
    def fill(book: Any) -> None:
        sheet = add(book, "deals", ["Number", "Win %"], ["D1"])
        sheet.write(1, 1, 0.62, book.add_format({"num_format": 9}))

    path = tmp_path / "deals.xlsx"
    path.write_bytes(workbook(fill))
    columns = {"deal_id": "Number", "rep_probability": {"column": "Win %", "percent": True}}
    assert read_deals(path, {"columns": columns})["rep_probability"].tolist() == [0.62]


def test_cells_merged_downwards_hold_for_every_row() -> None:
    def fill(book: Any) -> None:
        sheet = add(book, "deals", ["seller", "deal_id"], ["", "D1"], ["", "D2"], ["Sam", "D3"])
        sheet.merge_range(1, 0, 2, 0, "Pat")

    assert sheet_of(workbook(fill)).cells["seller"].tolist() == ["Pat", "Pat", "Sam"]


def test_days_of_the_calendar_of_1904() -> None:
    def fill(book: Any) -> None:
        sheet = add(book, "deals", ["deal_id", "opened_on", "closed_on", "amount"], ["D1"])
        sheet.write_datetime(1, 1, dt.datetime(2026, 1, 5), book.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write_row(1, 2, [(dt.date(2026, 5, 23) - dt.date(1904, 1, 1)).days, 44703])

    cells = sheet_of(workbook(fill, date_1904=True)).cells
    assert cells.iloc[0].tolist() == ["D1", "2026-01-05", "2026-05-23", "44703"]


def test_numbers_next_to_numbers_as_text_take_their_decimal_mark() -> None:
    def fill(book: Any) -> None:
        add(book, "deals", ["deal_id", "amount", "x"], [1.125, 1234.5, 1.234], ["D2", "1.234,50", 0.125])

    cells = sheet_of(workbook(fill)).cells
    assert cells["deal_id"].tolist() == ["1.125", "D2"]
    assert cells["amount"].tolist() == ["1234,5", "1.234,50"]
    assert cells["x"].tolist() == ["1.2340", "0.125"]


@pytest.mark.parametrize(("row", "column", "cell"), [(1_048_575, 16_383, "XFD1048576"), (1_048_575, 51, "AZ1048576")])
def test_a_far_cell_is_refused_with_its_address(row: int, column: int, cell: str) -> None:
    data = workbook(lambda book: add(book, "deals", ["deal_id", "amount"], ["D1", 5]).write(row, column, "x"))
    start = time.perf_counter()
    with pytest.raises(InputError, match=f"cell {cell} of sheet 'deals' is far outside"):
        sheet_of(data)
    assert time.perf_counter() - start < 5


def test_far_cells_with_a_format_only_are_read_past() -> None:
    def fill(book: Any) -> None:
        sheet = add(book, "deals", ["deal_id", "amount"], ["D1", 5])
        sheet.write_blank(1_048_575, 16_383, None, book.add_format({"bold": True}))

    assert sheet_of(workbook(fill)).cells["deal_id"].tolist() == ["D1"]


def test_another_kind_of_workbook_is_refused_by_name() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("content.xml", "<office/>")
    with pytest.raises(InputError, match=r"workbook of another format\. Save it as \.xlsx"):
        sheet_of(buffer.getvalue())


# ---- Parquet -------------------------------------------------------------------------------------------------------


def parquet_of(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def test_an_index_that_repeats_a_column_is_dropped() -> None:
    frame = pd.DataFrame({"deal_id": ["A", "B"], "outcome": ["won", "lost"]})
    table = pa.Table.from_pandas(frame.set_index("deal_id", drop=False))
    assert sheet_of(parquet_of(table)).cells.columns.tolist() == ["deal_id", "outcome"]
    other = pa.Table.from_pandas(frame.set_index(pd.Index(["X", "Y"], name="deal_id")))
    with pytest.raises(InputError, match="same name: 'deal_id'"):
        sheet_of(parquet_of(other))
    named = pa.Table.from_pandas(frame.drop(columns="deal_id").set_index(pd.Index(["X", "Y"], name="deal_id")))
    assert sheet_of(parquet_of(named)).cells["deal_id"].tolist() == ["X", "Y"]


@pytest.mark.parametrize("metadata", [b"nonsense", b"[]", b'{"index_columns": [7, {"a": 1}]}', b'{"columns": 5}'])
def test_odd_metadata_of_pandas_is_ignored(metadata: bytes) -> None:
    table = pa.table({"deal_id": ["A"]}).replace_schema_metadata({b"pandas": metadata})
    assert sheet_of(parquet_of(table)).cells["deal_id"].tolist() == ["A"]


def test_columns_of_every_type(tmp_path: Path) -> None:
    table = pa.table(
        {
            "deal_id": pa.array([2**60 + 1, None, 7]),
            "outcome": pa.array(["won", "lost", None]).dictionary_encode(),
            "amount": pa.array([decimal.Decimal("12.50"), None, decimal.Decimal("3.00")]),
            "opened_on": pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 3, pa.timestamp("us", "UTC")),
            "coach": pa.array([b"none", b"none", None]),
            "flag": pa.array([True, None, False]),
            "tags": pa.array([["a"], [], None]),
            "raw": pa.array([b"\xff\xfe", None, b"\x80"]),
        }
    )
    sheet = sheet_of(parquet_of(table))
    assert sheet.cells["deal_id"].tolist() == [2**60 + 1, None, 7]
    assert "lists, records or bytes are left out: 'tags', 'raw'" in sheet.notes[0].message
    path = tmp_path / "x.parquet"
    path.write_bytes(parquet_of(table.slice(0, 1)))
    deals = read_deals(path)
    assert deals.loc[0, ["deal_id", "outcome", "coach"]].tolist() == [str(2**60 + 1), "won", "none"]
    assert deals["amount"].tolist() == [12.5]


def test_a_nested_column_that_is_looked_for_is_refused() -> None:
    with pytest.raises(InputError, match="column 'amount' holds lists"):
        sheet_of(parquet_of(pa.table({"deal_id": ["D1"], "amount": [[1, 2]]})))


def test_parquet_columns_of_one_name() -> None:
    table = pa.table([["D1"], ["a"], ["b"]], names=["deal_id", "note", "note"])
    assert sheet_of(parquet_of(table)).cells.columns.tolist() == ["deal_id", "note", "note (2)"]


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (b'<row r="1048576" ', b"<row "),
        (b'r="XFD1048576"', b"r='XFD1048576'"),
        (b'r="XFD1048576"', b'r = "XFD1048576"'),
        (b'<c r="XFD1048576"', b'<c\n r="XFD1048576"'),
        (b'r="XFD1048576"', b'r="xfd1048576"'),
    ],
)
def test_a_far_cell_is_found_however_its_place_is_written(written: bytes, instead: bytes) -> None:
    data = workbook(lambda book: add(book, "deals", ["deal_id"], ["D1"]).write(1_048_575, 16_383, "x"))
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as packed, zipfile.ZipFile(changed, "w") as copy:
        for name in packed.namelist():
            content = packed.read(name)
            if name.endswith("sheet1.xml"):
                assert written in content
                content = content.replace(written, instead)
            copy.writestr(name, content)
    with pytest.raises(InputError, match="is far outside the table"):
        sheet_of(changed.getvalue())


def test_a_damaged_text_in_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deals.parquet"
    pd.DataFrame({"deal_id": ["D1", "D2"], "seller": ["Anna", "Berta"]}).to_parquet(path, compression=None)
    path.write_bytes(path.read_bytes().replace(b"Anna", b"A\xffna"))
    with pytest.raises(InputError, match="cannot be read as Parquet: damaged"):
        read_deals(path)
    assert check_file(path)["severity"].tolist() == ["error"]
