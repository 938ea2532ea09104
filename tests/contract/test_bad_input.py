"""Hostile and broken files: each is one clear message, in either language, and never a traceback."""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from winprob.data.tables import check_file, read_deals, write_table
from winprob.errors import DealTableError, InputError, MappingError, OutputError, WinprobError
from winprob.i18n import use_language

GOOD = "deal_id,outcome,amount\nD1,won,10\nD2,lost,20\n"


def workbook() -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([["deal_id", "outcome"], ["D1", "won"], ["D2", "lost"]]):
            sheet.write_row(row, 0, cells)
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame({"deal_id": ["D1", "D2"], "outcome": ["won", "lost"]}).to_parquet(buffer)
    return buffer.getvalue()


def other_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("readme.txt", "no workbook")
    return buffer.getvalue()


UNREADABLE: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "empty": (b"", "is empty"),
    "white space": (b" \n\t\r\n  \n", "is empty"),
    "delimiters only": (b",,,\n,,,\n", "is empty"),
    "mark only": (b"\xef\xbb\xbf", "is empty"),
    "header only": (b"deal_id,outcome\n", "has a header and no rows"),
    "odd delimiter": (b"deal_id^outcome^amount\nD1^won^1\n", "separated by '\\^'"),
    "doubled headers": (b"deal_id,stage,stage,amount,amount\nD1,a,b,1,2\n", "'amount', 'stage'"),
    "too wide": ((",".join(f"c{i}" for i in range(2001)) + "\n").encode(), "2001 columns; 2000 is the most"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "is a PDF file"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "old .xls"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(50), "is a gzip file"),
    "html": (b"<html><body>Your session has expired.</body></html>", "is a HTML file"),
    "html without a table": (b"<html><script>'<tr>'</script></html>", "is a HTML file"),
    "html without rows": (b"<html><table><tr><td>deal_id</td></tr></table></html>", "has a header and no rows"),
    "xml": (b"<?xml version='1.0'?><deals/>", "is a XML file"),
    "cut XML spreadsheet": (
        b"<?xml version='1.0'?><Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'><Worksheet>",
        "damaged or cut short",
    ),
    "entities": (
        b"<?xml version='1.0'?><!DOCTYPE w [<!ENTITY a 'b'>]>"
        b"<Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'>&a;</Workbook>",
        "declares entities",
    ),
    "junk": (bytes(range(1, 32)) * 100, "is binary"),
    "NUL": (b"deal_id,outcome\nD1,won" + bytes(20), r"NUL bytes \(first in line 2\)"),
    "NUL in UTF-16": (("\ufeffdeal_id,outcome\nD1,won" + "\x00" * 20).encode("utf-16-le"), "NUL"),
    "ragged": (b"deal_id,outcome\nD1,won\nD2,lost,extra\nD3\n", "row 3 has 3, row 4 has 1"),
    "open quote": (b'deal_id,outcome\nD1,won\n"D2,lost\nD3,won\n', "opens in line 3 is never closed"),
    "quote that closes in a cell": (b'deal_id,account\nD1,"a"b\n', "opens in line 2 closes inside a cell"),
    "cut UTF-8": (("deal_id,account\nD1," + "客户" * 20 + "\n").encode()[:-2], "UTF-8 but damaged: line 2"),
    "no encoding": (b"deal_id,account\nD1,\x81\x8d\x8f\xff\xff\n", "encoding"),
    "cut workbook": (lambda: workbook()[:-300], "damaged or cut short"),
    "half a workbook": (lambda: workbook()[:1500], "damaged or cut short"),
    "another zip": (other_zip, "damaged or cut short"),
    "cut parquet": (lambda: parquet()[:-200], "damaged or cut short"),
    "parquet by name": (b"PAR1", "damaged or cut short"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable_file_is_one_message(case: str, tmp_path: Path) -> None:
    content, message = UNREADABLE[case]
    path = tmp_path / "deals.csv"
    path.write_bytes(content() if callable(content) else content)
    with pytest.raises(InputError, match=message) as caught:
        read_deals(path)
    assert str(path) in str(caught.value)
    found = check_file(path)
    assert found["severity"].tolist() == ["error"]
    assert found["message"].tolist() == [str(caught.value)]
    with use_language("zh"), pytest.raises(InputError) as chinese:
        read_deals(path)
    assert str(chinese.value) != str(caught.value)


@pytest.mark.parametrize("read", [read_deals, check_file])
def test_a_path_that_is_no_file(read: Callable[..., object], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)
    (tmp_path / "file").write_text(GOOD)
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "file" / "deals.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read("bad\0name.csv")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="permission denied"):
        read_deals(tmp_path / "deals.csv")


def test_a_monstrous_line_is_refused_before_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    with path.open("wb") as file:
        file.write(b"deal_id,account\nD1,")
        file.truncate(1024**3)  # sparse: a gigabyte of NUL in one line
    start = time.perf_counter()
    with pytest.raises(InputError, match="more than 10 MB"):
        read_deals(path)
    assert time.perf_counter() - start < 2


def test_every_offence_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(
        "deal_id,as_of,opened_on,closed_on,outcome,amount,currency,rep_probability,stage,approver_support\n"
        "D1,2026-13-45,2026-01-01,2025-01-01,won,inf,CNY,62,approval,7\n"
        "D1,2026-01-01,1900-01-01,2200-01-01,maybe,-5,dollars,0.5,approval,2.5\n"
        ",2026-01-01,2026-01-01,,lost,many,EUR,NaN,nowhere,\n"
    )
    with pytest.raises(DealTableError) as caught:
        read_deals(path)
    for offence in (
        "'as_of' does not read as a date in 1 rows, first row 2, deal 'D1', has '2026-13-45'",
        "'deal_id' is blank in 1 rows, first in row 4",
        "'outcome' holds values neither mapped nor canonical in 1 rows: 'maybe' (1); first row 3",
        "'stage' holds values neither mapped nor canonical in 1 rows: 'nowhere' (1); first row 4",
        "'amount' does not read as a number in 2 rows, first row 2, deal 'D1', has 'inf'",
        "'rep_probability' outside 0..1 in 1 rows, first deal 'D1' has 62, which looks like a percentage",
        "'approver_support' outside 1..4 in 2 rows, first deal 'D1' has 7",
    ):
        assert offence in str(caught.value)
    found = check_file(path)
    warnings = found.loc[found["severity"] == "warning", "message"].str.cat(sep="\n")
    for oddity in (
        "'opened_on' before 1970 or after 2099 in 1 rows",
        "'closed_on' before 1970 or after 2099 in 1 rows",
        "'closed_on' before 'opened_on' in 1 rows, worth -, first deal 'D1' opened 2026-01-01",
        "'amount' negative in 1 rows, first deal 'D1' has -5",
        "'currency' is not an ISO 4217 code such as CNY in 1 rows, read as unknown: 'dollars' (1)",
    ):
        assert oddity in warnings
    assert all(found.loc[found["severity"] == "error", "message"].map(lambda text: text in str(caught.value)))


def test_the_message_follows_the_house_style(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,approver_support\nD96,3\nD97,7\n")
    with pytest.raises(DealTableError) as caught:
        read_deals(path)
    assert str(caught.value) == (
        "deal table with 2 rows: 'approver_support' outside 1..4 in 1 rows, first deal 'D97' has 7. "
        "Fix the export or map the value in mapping.toml."
    )


def test_nan_amounts_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,amount\nD1,NaN\nD2,nan\nD3,\nD4,N/A\nD5,-\n")
    assert read_deals(path)["amount"].isna().all()


def test_no_deal_id(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("name,outcome\nx,won\n")
    with pytest.raises(DealTableError, match=r"no column is 'deal_id' .*'name', 'outcome'"):
        read_deals(path)
    path.write_text("deal_id\nD1\n")
    assert read_deals(path)["deal_id"].tolist() == ["D1"]


def test_two_headers_of_one_meaning(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,stage,采购阶段\nD1,approval,decision\n")
    with pytest.raises(DealTableError, match="columns 'stage' and '采购阶段' both mean 'stage'"):
        read_deals(path)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[columns", "is not TOML"),
        ("[columns]\ndeal_id = 'deal_id'\namonut = 'x'", "'columns.amonut' is not known; did you mean 'amount'\\?"),
        ("[colunms]\ndeal_id = 'deal_id'", "'colunms' is not known; did you mean 'columns'\\?"),
        ("[columns]\namount = 'amount'", "has no deal_id"),
        ("[columns]\ndeal_id = 3", "'columns.deal_id' is 3, wanted the name of a source column, or a table"),
        ("[columns]\ndeal_id = 'Deal ID'", "which the file lacks \\(did you mean 'deal_id'\\?\\)"),
        ("[columns]\ndeal_id = { row_number = true, column = 'x' }", "row_number is for deal_id only"),
        (
            "[columns]\ndeal_id = { colum = 'deal_id' }",
            "'columns.deal_id.colum' is not known; did you mean 'column'\\?",
        ),
        ("[columns]\ndeal_id = 'deal_id'\namount = { column = 'amount', values = { 1 = ['x'] } }", "no 'values'"),
        ("[columns]\ndeal_id = 'deal_id'\nstage = { column = 'outcome', other = 'aproval' }", "'approval'"),
        ("[columns]\ndeal_id = 'deal_id'\nstage = 'outcome'", "neither mapped nor canonical in 2 rows"),
        (
            "[columns]\ndeal_id = 'deal_id'\noutcome = { column = 'outcome', values = { won = ['x'], lost = ['x'] } }",
            "'x' is listed under both 'won' and 'lost'",
        ),
        ("[columns]\ndeal_id = 'deal_id'\n[covariates]\nvarying = ['Owner']", "covariate Owner"),
        (
            "[columns]\ndeal_id = 'deal_id'\n[covariates]\nvarying = 'outcome'",
            "'covariates.varying' is 'outcome', wanted a list with names",
        ),
        ("[columns]\ndeal_id = 'deal_id'\n[covariates]\nvarying = ['outcome']", "canonical column of another meaning"),
        (
            "[columns]\ndeal_id = 'deal_id'\n[covariates]\nnumeric = [{ column = 'amount', transform = 'log' }]",
            "'covariates.numeric.1.transform' is 'log'; did you mean 'log1p'",
        ),
        ("[columns]\ndeal_id = 'deal_id'\n[covariates]\nnumeric = ['amount', 'amount']", "more than once"),
        ("delimiter = 7\n[columns]\ndeal_id = 'deal_id'", "'delimiter' is 7, wanted one character"),
        ("columns = 7", "'columns' is 7, wanted a table"),
    ],
)
def test_bad_mapping(toml: str, message: str, tmp_path: Path) -> None:
    deals, mapping = tmp_path / "deals.csv", tmp_path / "mapping.toml"
    deals.write_text(GOOD)
    mapping.write_text(toml, encoding="utf-8")
    with pytest.raises(MappingError, match=message):
        read_deals(deals, mapping)
    if toml != "[columns":
        assert "error" in set(check_file(deals, mapping)["severity"])


def test_mapping_and_deals_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("ID,Status,Boss\nD1,Won,x\nD2,Perhaps,++\n")
    mapping = {
        "columns": {
            "deal_id": "ID",
            "outcome": {"column": "Status", "values": {"won": ["Won"]}},
            "approver_support": {"column": "Boss", "values": {"4": ["++"]}},
            "amount": "Amount",
            "stagee": "x",
        }
    }
    with pytest.raises(MappingError) as caught:
        read_deals(path, mapping)
    for offence in ("4 errors", "'columns.stagee'", "'Amount'", "'Perhaps' (1)", "first row 2, deal 'D1', has 'x'"):
        assert offence in str(caught.value)


def test_formulas_are_text_in_and_harmless_out(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    nasty = "=cmd|' /C calc'!A0"
    path.write_text(f'deal_id,account,amount\nD1,"{nasty}",5\n=1+1,@SUM(A1),0\n')
    deals = read_deals(path)
    assert deals["account"].tolist() == [nasty, "@SUM(A1)"]
    out = tmp_path / "out.csv"
    write_table(deals.assign(lift=[-1.5, 2.0]), out, "csv")
    assert out.read_text().splitlines()[1:] == [f"D1,5.0,'{nasty},-1.5", "'=1+1,0.0,'@SUM(A1),2.0"]
    write_table(deals, tmp_path / "out.xlsx", "xlsx")
    assert read_deals(tmp_path / "out.xlsx")["account"].tolist() == [f"'{nasty}", "'@SUM(A1)"]


@pytest.mark.parametrize("format", ["csv", "json", "xlsx", "parquet"])
def test_what_cannot_be_written(format: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"deal_id": ["D1"]})
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Make it first"):
        write_table(frame, tmp_path / "none" / "out", format)
    with pytest.raises(OutputError, match="cannot write"):
        write_table(frame, tmp_path / "file" / "out", format)
    with pytest.raises(OutputError, match="it is a folder"):
        write_table(frame, tmp_path, format)
    assert sorted(os.listdir(tmp_path)) == ["file"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="No space left"):
        write_table(pd.DataFrame({"a": [1]}), path, "csv")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_bad_people(tmp_path: Path) -> None:
    deals, people = tmp_path / "deals.csv", tmp_path / "people.csv"
    deals.write_text(GOOD)
    people.write_text(
        "deal_id,person,role,support,influence,coverage\n"
        "D1,Li,approver,9,2,engaged\nD1,Li,approver,3,7,often\n,Wu,chief,2,,\nD2,,evaluator,2,,\n"
    )
    with pytest.raises(DealTableError) as caught:
        read_deals(deals, people=people)
    for offence in ("'support'", "'influence'", "'coverage'", "'role'", "'deal_id'", "'person'", "more than once"):
        assert f"people table: {offence}" in str(caught.value) or offence in str(caught.value)
    people.write_text("deal_id,support\nD1,3\n")
    with pytest.raises(DealTableError, match=r"no column is 'person'"):
        read_deals(deals, people=people)
    assert issubclass(DealTableError, WinprobError)
