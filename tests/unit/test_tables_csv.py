"""CSV: stray quotes, NUL characters, UTF-16, doubled headers, pipes; pages and XML saved as ``.xls``."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from winprob.data.tables import check_file, read_deals
from winprob.data.tables.deals import located, looked_for
from winprob.data.tables.mapping import DealMapping
from winprob.data.tables.sheets.files import parse_sheet, read_bytes
from winprob.data.tables.sheets.sheet import Sheet
from winprob.errors import InputError

HEADER = "deal_id,account,outcome,amount\n"
BARE = DealMapping(name="")


def sheet_of(text: str | bytes, **options: str) -> Sheet:
    data = text.encode() if isinstance(text, str) else text
    return parse_sheet(data, "x", known=looked_for(BARE), locate=lambda headers: located(BARE, headers), **options)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('D1,Acme,won,1\nD2,"Beta,lost,2\nD3,Gamma,won,3\n', "opens in line 3 is never closed"),
        ('D1,Acme,won,1\nD2,Beta,lost,"2\n', "opens in line 3 is never closed"),
        ('D1,"Acme,won,1\nD2,Beta,lost,2\nD3,Gamma",won,3\n', "begins in line 2 holds line 3"),
        ('D1,"Acme,won,1\nD2,Beta",lost,2\nD3,Gamma,won,3\n', "begins in line 2 holds line 3"),
        ('D1,"Acme,won,1\nD2,"Beta, Inc",lost,2\nD3,Gamma,won,3\n', "opens in line 2 closes inside a cell, in line 3"),
        ('D1,"Acme" Inc,won,1\nD2,Beta,lost,2\nD3,Gamma,won,3\n', "opens in line 2 closes inside a cell, in line 2"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_stray_quote_never_swallows_a_deal(rows: str, message: str, end: str) -> None:
    text = (HEADER + rows + "D8,Delta,won,4\nD9,Epsilon,lost,5\n").replace("\n", end)
    with pytest.raises(InputError, match=message):
        sheet_of(text)


@pytest.mark.parametrize(
    ("cell", "account"),
    [
        ('The "Best" Co', 'The "Best" Co'),
        ('5" pipes', '5" pipes'),
        ('"The ""Best"" Co"', 'The "Best" Co'),
        ('""', ""),
        ('"one\ntwo, three"', "one\ntwo, three"),
        ('"met Bob, Ann, and Joe\nthen left, won, 4, 5"', "met Bob, Ann, and Joe\nthen left, won, 4, 5"),
        ('"line, one\nnot a deal, at all, really, 5"', "line, one\nnot a deal, at all, really, 5"),
    ],
)
def test_quotes_and_line_ends_that_are_meant_are_read(cell: str, account: str) -> None:
    sheet = sheet_of(f"{HEADER}D1,{cell},won,1\nD2,Beta,lost,2\nD3,Gamma,won,3\n")
    assert sheet.cells["account"].tolist() == [account, "Beta", "Gamma"]
    assert sheet.cells["deal_id"].tolist() == ["D1", "D2", "D3"]


def test_nul_characters_in_cells_are_dropped_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_bytes((HEADER + "D1,Ac\0me and sons,won,1\nD2,\0Beta,lost,2\n").encode())
    assert read_deals(path)["account"].tolist() == ["Acme and sons", "Beta"]
    assert "2 NUL characters inside cells are dropped, the first in line 2" in check_file(path)["message"].tolist()
    wide = sheet_of((HEADER + "D1,Ac\0me,won,1\n").encode("utf-16"))
    assert wide.cells["account"].tolist() == ["Acme"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("account", ["Acme", "北京市第一医院"])
def test_utf16_without_a_mark_is_read(encoding: str, account: str) -> None:
    sheet = sheet_of(f"{HEADER}D1,{account},won,1\n".encode(encoding))
    assert sheet.cells["account"].tolist() == [account]
    assert sheet.encoding == encoding


def test_a_hint_at_the_delimiter_is_not_a_row() -> None:
    sheet = sheet_of("sep=;\ndeal_id;amount\nD1;5\n")
    assert sheet.cells["amount"].tolist() == ["5"]
    assert not sheet.notes


def test_blank_cells_too_many_do_not_count() -> None:
    assert sheet_of("deal_id,amount\nD1,5,,\nD2,6\n").cells["amount"].tolist() == ["5", "6"]
    with pytest.raises(InputError, match="row 2 has 4"):
        sheet_of("deal_id,amount\nD1,5,,x\nD2,6\n")


def test_a_doubled_header_refuses_only_if_it_is_looked_for() -> None:
    sheet = sheet_of("deal_id,note,note,amount\nD1,a,b,5\n")
    assert sheet.cells.columns.tolist() == ["deal_id", "note", "note (2)", "amount"]
    assert sheet.cells.iloc[0].tolist() == ["D1", "a", "b", "5"]
    assert "'note'" in sheet.notes[0].message
    assert sheet_of("deal_id,amount,amount\nD1,5,5\n").cells.columns.tolist() == ["deal_id", "amount"]
    with pytest.raises(InputError, match="several columns of the same name: 'amount'"):
        sheet_of("deal_id,amount,amount\nD1,5,6\n")


def test_a_doubled_header_that_a_mapping_over_a_preset_names_refuses(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("Id,Ours,Ours\n006Hs00000AbC01,a,b\n")
    assert "Ours (2)" not in read_deals(path, {"preset": "salesforce"}).columns
    with pytest.raises(InputError, match="'Ours'"):
        read_deals(path, {"preset": "salesforce", "columns": {"segment": "Ours"}})


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for text in (b"deal_id\nD1\n", b"deal_id\nD2\n"):
        writer = threading.Thread(target=pipe.write_bytes, args=(text,), daemon=True)
        writer.start()
        time.sleep(0.1)
        assert read_bytes(pipe) == text
        writer.join(5)
        assert read_bytes(pipe) == text


@pytest.mark.parametrize("name", ["a" * 300 + ".csv", "bad\0name.csv"])
def test_a_name_that_no_file_can_have_is_one_message(name: str) -> None:
    for read in (read_deals, check_file):
        with pytest.raises(InputError, match="cannot be read"):
            read(name)


PAGE = """<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1252">
<style>td {{ mso-number-format:"0"; }}</style></head><body><table><tr><td>menu</table>
<script>document.write("<tr><td>D0</td></tr>")</script>
<table border=1><tr><th colspan="4">Deals &amp; more</th></tr>
<tr><th>deal_id<th>account<th>outcome<th>amount</tr>
<tr><td>D1</td><td rowspan=2>M\u00fcller <b>&lt;Sons&gt;</b></td><td>won</td><td>5</td></tr>
<tr><td>D2</td><td>lost</td><td><table><tr><td>x</td></tr></table>6</td></tr>
<tr><td>Total</td><td></td><td></td><td>11</td></tr></table></body></html>"""


def test_a_web_page_saved_as_a_workbook_is_read() -> None:
    sheet = sheet_of(PAGE.encode("cp1252"))
    assert sheet.cells.to_dict("list") == {
        "deal_id": ["D1", "D2"],
        "account": ["Müller <Sons>", "Müller <Sons>"],
        "outcome": ["won", "lost"],
        "amount": ["5", "6"],
    }
    assert sheet.rows.tolist() == [3, 4]
    assert "titles in rows 1; totals in rows 5; amounts left out: 11" in sheet.notes[0].message


def test_the_check_calls_a_web_page_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "report.xls"
    path.write_bytes(PAGE.encode("cp1252"))
    assert "2 rows and 4 columns read as HTML" in check_file(path)["message"].tolist()


XML = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:x="urn:schemas-microsoft-com:office:excel"
 xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Styles><Style ss:ID="p"><NumberFormat ss:Format="0%"/></Style></Styles>
<Worksheet ss:Name="old"><Table><Row><Cell><Data ss:Type="String">deal_id</Data></Cell></Row></Table>
<x:WorksheetOptions><x:Visible>SheetHidden</x:Visible></x:WorksheetOptions></Worksheet>
<Worksheet ss:Name="now"><Table>
<Row><Cell><Data ss:Type="String">deal_id</Data></Cell><Cell ss:Index="3"><Data ss:Type="String">opened_on</Data></Cell>
<Cell><Data ss:Type="String">rep_probability</Data></Cell><Cell><Data ss:Type="String">amount</Data></Cell></Row>
<Row ss:Index="4"><Cell><Data ss:Type="Number">1001</Data></Cell>
<Cell ss:Index="3"><Data ss:Type="DateTime">2026-01-02T00:00:00.000</Data></Cell>
<Cell ss:StyleID="p"><Data ss:Type="Number">0.57</Data></Cell><Cell><Data ss:Type="Error">#REF!</Data></Cell></Row>
</Table></Worksheet></Workbook>"""


def test_an_xml_spreadsheet_is_read() -> None:
    sheet = sheet_of(XML)
    assert sheet.cells.iloc[0].tolist() == ["1001", "2026-01-02", "57%", "#REF!"]
    assert sheet.rows.tolist() == [4]
    assert "'old' (hidden)" in sheet.notes[0].message
    with pytest.raises(InputError, match="has no sheet '2025'; it has 'old', 'now'"):
        sheet_of(XML, page="2025")
