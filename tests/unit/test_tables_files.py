from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winprob.data.tables import check_file, read_deals
from winprob.data.tables.sheets.encoding import decode
from winprob.data.tables.sheets.files import parse_sheet
from winprob.errors import InputError

CHINESE = '商机编号,客户,采购阶段,金额\nD1,北京市第一医院,内部立项,¥3.5亿\nD2,上海电力公司,评估产品,"1,200万"\n'
TAIWANESE = "deal_id,account\nD1,臺北市立聯合醫院\nD2,國立臺灣大學資訊網路\n"
WESTERN = "deal_id;account;amount\nD1;Müller & Söhne;1.234,50\nD2;Café Zoë – Liège;€ 20\n"


def known(header: str) -> bool:
    return header in ("deal_id", "商机编号", "客户", "采购阶段", "金额", "account", "amount")


@pytest.mark.parametrize(
    ("text", "written", "used"),
    [
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE.replace("¥", "\uffe5"), "gbk", "gb18030"),
        (TAIWANESE, "big5", "big5"),
        (WESTERN, "cp1252", "cp1252"),
    ],
)
def test_the_ladder(text: str, written: str, used: str) -> None:
    assert decode(text.encode(written), "x", encoding=None, known=known) == (text, used)


def test_mostly_ascii_gbk_is_told_by_its_letters() -> None:
    rows = "".join(f"D{i},Acme {i},5\n" for i in range(5000))
    text = f"deal_id,account,amount\n{rows}D9,华为技术,7\n"
    assert decode(text.encode("gbk"), "x", encoding=None, known=known) == (text, "gb18030")


@pytest.mark.parametrize(
    ("word", "written", "used"),
    [
        ("华东", "gbk", "gb18030"),
        ("安妮", "gbk", "gb18030"),
        ("商機", "big5", "big5"),
        ("商机", "big5", "big5"),
        ("中華電信", "big5", "big5"),
        ("Ärger", "cp1252", "cp1252"),
    ],
)
def test_two_letters_are_enough_where_they_are_frequent(word: str, written: str, used: str) -> None:
    text = f"deal_id,account\nD1,{word}\n"
    assert decode(text.encode(written), "x", encoding=None, known=known) == (text, used)


def test_letters_that_two_encodings_may_mean_are_refused_with_both_readings() -> None:
    data = "deal_id,account\nD1,妮\n".encode("gbk")
    with pytest.raises(InputError, match=r"ambiguous: gb18030 gives '妮', big5 gives '屬'.*--encoding"):
        decode(data, "x", encoding=None, known=known)


def test_the_encoding_given_holds() -> None:
    data = "deal_id,account\nD1,Müller\n".encode("cp1252")
    assert decode(data, "x", encoding="cp1252", known=known)[1] == "cp1252"
    with pytest.raises(InputError, match="does not read as utf-8: byte"):
        decode(data, "x", encoding="utf-8", known=known)
    with pytest.raises(InputError, match="no text encoding 'klingon'"):
        decode(data, "x", encoding="klingon", known=known)


def test_chinese_headers_values_and_money(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_bytes(CHINESE.replace("¥", "\uffe5").encode("gbk"))
    deals = read_deals(path)
    assert deals.columns.tolist() == ["deal_id", "amount", "currency", "account", "stage"]
    assert deals["currency"].fillna("").tolist() == ["CNY", ""]
    assert deals["amount"].tolist() == [3.5e8, 1.2e7]
    assert deals["stage"].tolist() == ["approval", "evaluation"]
    assert "gb18030" in check_file(path)["message"].str.cat()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(delimiter: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    rows = [["deal_id", "account", "amount"], ["D1", '"a, b; c | d"', "5"], ["D2", "x", "1.5"]]
    path.write_bytes(end.join(delimiter.join(row) for row in rows).encode())
    deals = read_deals(path)
    assert deals["account"].tolist() == ["a, b; c | d", "x"]
    assert deals["amount"].tolist() == [5.0, 1.5]


def test_blank_rows_and_nameless_columns_fall_away(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text('deal_id,amount,,\n\nD1,5,,\n,,,\n"D\n2",x,,\n')
    found = check_file(path)
    error = found[found["severity"] == "error"].iloc[0]
    assert "first row 5, deal 'D\\n2', has 'x'" in error["message"]
    path.write_text("deal_id,amount,\nD1,5,note\n")
    assert read_deals(path).columns.tolist() == ["deal_id", "amount", "column 3"]


def test_a_delimiter_in_the_mapping(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id^amount\nD1^5\n")
    assert read_deals(path, {"delimiter": "^"})["amount"].tolist() == [5.0]


def test_workbook(tmp_path: Path) -> None:
    import xlsxwriter

    path = tmp_path / "deals.csv"  # its name does not matter
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("empty")
        sheet = book.add_worksheet("deals")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(2, 1, ["deal_id", "opened_on", "amount", "rep_probability", "account"])
        sheet.write_row(3, 1, [1001, 45000, 1.5, 0.25, "=x"])
        sheet.write_datetime(3, 2, pd.Timestamp(2026, 6, 30).to_pydatetime(), day)
        sheet.write_row(4, 1, ["D2", 45000, "1,200万", "62%", ""])
    deals = read_deals(path)
    assert deals["deal_id"].tolist() == ["1001", "D2"]
    assert deals["opened_on"].tolist() == [pd.Timestamp(2026, 6, 30), pd.Timestamp(2023, 3, 15)]
    assert deals["amount"].tolist() == [1.5, 1.2e7]
    assert deals["rep_probability"].tolist() == [0.25, 0.62]


def test_workbook_rows_are_those_of_the_sheet(tmp_path: Path) -> None:
    import xlsxwriter

    path = tmp_path / "deals.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(2, 0, ["deal_id", "amount"])
        sheet.write_row(3, 0, ["D1", "many"])
    assert "first row 4, deal 'D1'" in check_file(path)["message"].iloc[0]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "as_of": pd.to_datetime(["2026-01-01", None]),
            "amount": [0.1 + 0.2, np.nan],
            "stage": pd.Categorical(["approval", "decision"]),
            "Age": [3, 4],
        },
        index=pd.Index(["D1", "D2"], name="deal_id"),
    )
    frame.to_parquet(tmp_path / "deals.parquet")
    deals = read_deals(tmp_path / "deals.parquet")
    assert deals["deal_id"].tolist() == ["D1", "D2"]
    assert deals["amount"][0] == 0.1 + 0.2
    assert deals["as_of"].dtype == "datetime64[us]"
    assert deals["Age"].tolist() == [3, 4]


def test_a_line_of_quoted_breaks_is_no_long_line() -> None:
    data = ('deal_id,account\nD1,"' + "x\n" * 100_000 + '"\n').encode()
    sheet = parse_sheet(data, "x", known=known)
    assert len(sheet.cells) == 1
    assert len(sheet.cells["account"][0]) == 200_000


def test_columns_are_told_from_the_people_tables(tmp_path: Path) -> None:
    """A deal table may have a column 'role' of its own; it is not a deal column and stays as it is."""
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,role,支持度\nD1,boss,9\n")
    assert read_deals(path).columns.tolist() == ["deal_id", "role", "支持度"]


def test_north_america_is_a_region(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,region,coach,approver_coverage,stage\nD1,NA,none,unknown,unknown\n")
    row = read_deals(path).iloc[0]
    assert row["region"] == "NA"
    assert row["coach"] == "none"
    assert row["approver_coverage"] == "unknown"
    assert pd.isna(row["stage"])


def test_bytes_of_any_kind_never_crash(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for size in (1, 10, 200, 3000):
        for _ in range(20):
            buffer = io.BytesIO(rng.integers(0, 256, size, dtype=np.uint8).tobytes())
            path = tmp_path / "junk"
            path.write_bytes(buffer.getvalue())
            assert "error" in set(check_file(path)["severity"])


def test_what_stands_above_and_in_the_header(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text('\n\n"deal_id","the\namount"\nD1,5\n')
    deals = read_deals(path)
    assert deals.columns.tolist() == ["deal_id", "the\namount"]
    path.write_text(f"deal_id,{'x' * 200_000}\nD1,5\n")
    assert "error" in set(check_file(path)["severity"])
