"""A workbook that a spreadsheet shows well: header, widths, formats; its values are those of the table."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from winprob.data.tables import write_table

FRAME = pd.DataFrame(
    {
        "deal_id": ["D1", "=1+1", "@x", "+2", "-3"],
        "mean": [0.25, 0.5, 0.125, np.nan, 1.0],
        "amount": [1234567.5, 2e6, 3.0, np.nan, 0.0],
        "rank": [1, 2, 3, 4, 5],
        "log_odds": [0.123456, -1.5, 0.0, 2.0, np.nan],
        "prob_best": [0.1, 0.2, 0.3, 0.4, 1.0],
        "closes": pd.to_datetime(["2026-06-30", None, "2026-07-01", "2026-07-02", "2026-07-03"]),
        "text": ["x" * 200, "客户" * 10, "", None, "a\nb"],
        "sure": [True, False, True, True, False],
    }
)
FORMATS = {
    "mean": "0%",
    "amount": "#,##0",
    "rank": "#,##0",
    "log_odds": "0.000",
    "prob_best": "0%",
    "closes": "yyyy-mm-dd",
}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    write_table(FRAME, tmp_path / "out.xlsx", percent=("mean",))
    return tmp_path / "out.xlsx"


def part(book: Path, name: str) -> str:
    with zipfile.ZipFile(book) as archive:
        return archive.read(name).decode()


def format_codes(book: Path) -> list[str]:
    """The number format of the second row's cells, in order of columns, as the styles resolve them."""
    styles, sheet = part(book, "xl/styles.xml"), part(book, "xl/worksheets/sheet1.xml")
    built_in = {"0": "General", "9": "0%", "3": "#,##0"}
    custom = dict(re.findall(r'<numFmt numFmtId="(\d+)" formatCode="([^"]+)"', styles))
    cells = re.findall(r"<xf numFmtId=\"(\d+)\"", styles[styles.index("<cellXfs") :])
    row = re.search(r'<row r="2".*?</row>', sheet)
    assert row is not None
    used = re.findall(r'<c r="[A-Z]+2" s="(\d+)"', row[0])
    return [{**built_in, **custom}[cells[int(style)]] for style in used]


def test_every_kind_of_column_has_its_number_format(book: Path) -> None:
    found = dict(zip(FRAME.columns, format_codes(book), strict=True))
    assert found == {"deal_id": "General", "text": "General", "sure": "General", **FORMATS}


def test_the_header_is_bold_and_stays_in_view(book: Path) -> None:
    sheet, styles = part(book, "xl/worksheets/sheet1.xml"), part(book, "xl/styles.xml")
    assert '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' in sheet
    style = re.search(r'<c r="A1" s="(\d+)"', sheet)
    assert style is not None
    of_header = re.findall(r"<xf [^>]*>", styles[styles.index("<cellXfs") :])[int(style[1])]
    font = re.search(r'fontId="(\d+)"', of_header)
    assert font is not None
    assert "<b/>" in re.findall(r"<font>.*?</font>", styles)[int(font[1])]


def test_columns_are_as_wide_as_what_they_show(book: Path) -> None:
    widths = [
        float(width) for width in re.findall(r'<col min[^>]* width="([\d.]+)"', part(book, "xl/worksheets/sheet1.xml"))
    ]
    by_name = dict(zip(FRAME.columns, widths, strict=True))
    assert by_name["amount"] >= len("1,234,568")
    assert by_name["closes"] >= len("2026-06-30")
    assert by_name["prob_best"] >= len("prob_best")
    assert 60 <= by_name["text"] <= 62
    assert min(widths) >= 8


def test_a_reader_gets_the_values_of_the_table(book: Path) -> None:
    header, *rows = CalamineWorkbook.from_path(book).get_sheet_by_index(0).to_python()
    read = pd.DataFrame(rows, columns=header)
    assert list(read.columns) == list(FRAME.columns)
    assert read["deal_id"].tolist() == ["D1", "'=1+1", "'@x", "'+2", "'-3"]
    for name in ("mean", "amount", "rank", "log_odds", "prob_best"):
        values = pd.to_numeric(read[name], errors="coerce")
        np.testing.assert_array_equal(values, FRAME[name].to_numpy(dtype=float))
    assert read["closes"].tolist()[0] == FRAME["closes"][0].date()
    assert read["sure"].tolist() == FRAME["sure"].tolist()
    assert read["text"].tolist()[0] == "x" * 200


def test_two_workbooks_of_one_table_are_the_same_bytes(book: Path, tmp_path: Path) -> None:
    write_table(FRAME, tmp_path / "again.xlsx", percent=("mean",))
    assert (tmp_path / "again.xlsx").read_bytes() == book.read_bytes()


def test_a_share_beyond_one_and_a_whole_number_are_not_percents(tmp_path: Path) -> None:
    frame = pd.DataFrame({"share": [0.5, 1.5], "prob": [0, 1]})
    write_table(frame, tmp_path / "a.xlsx")
    assert format_codes(tmp_path / "a.xlsx") == ["0.000", "#,##0"]
