"""Reports: the header below titles, and rows that are not deals."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from winprob.data.schema import Finding
from winprob.data.tables import check_file, read_deals
from winprob.data.tables.deals import located, looked_for
from winprob.data.tables.mapping import DealMapping
from winprob.data.tables.sheets.files import parse_sheet
from winprob.data.tables.sheets.sheet import Sheet
from winprob.errors import DealTableError, InputError
from winprob.i18n import use_language

HEADER = "deal_id,account,stage,amount,opened_on\n"
DEALS = "D1,Acme,approval,100,2026-01-01\nD2,Beta,decision,250,2026-02-01\nD3,Total Energies,decision,50,2026-03-01\n"
BARE = DealMapping(name="")


def sheet_of(text: str | bytes) -> Sheet:
    data = text.encode() if isinstance(text, str) else text
    return parse_sheet(data, "x", known=looked_for(BARE), locate=lambda headers: located(BARE, headers))


def only_note(sheet: Sheet) -> Finding:
    (note,) = sheet.notes
    return note


@pytest.mark.parametrize(
    "row",
    [
        "Total,,,400,",
        "Grand Total,,,400,",
        "TOTAL:,,,400,",
        ",Grand Total,,400,",
        "Summe,,,400,",
        "Gesamtergebnis,,,400,",
        "Total général,,,400,",
        "Somme,,,400,",
        "Total general,,,400,",
        "Totale,,,400,",
        "Soma,,,400,",
        "合计,,,400,",
        "总计：,,,400,",
        "Total,Count: 3,,400,",
        "Total (3),,,400,",
        ",,,400,",
        ",,,400",
    ],
)
def test_a_total_row_is_left_out_with_its_amount(row: str) -> None:
    sheet = sheet_of(f"{HEADER}{DEALS}{row}\n")
    assert sheet.cells["deal_id"].tolist() == ["D1", "D2", "D3"]
    note = only_note(sheet)
    assert (note.severity, note.rows) == ("warning", 1)
    assert "totals in rows 5; amounts left out: 400" in note.message


@pytest.mark.parametrize(
    "row",
    [
        "Total,Total SA,decision,50,2026-03-01",
        "D4,Total,,400,",
        "Total,,decision,400,",
        "D4,Grand Total Energies,decision,400,2026-03-01",
    ],
)
def test_a_deal_named_total_is_a_deal(row: str) -> None:
    sheet = sheet_of(f"{HEADER}{DEALS}{row}\n")
    assert len(sheet.cells) == 4
    assert not sheet.notes


@pytest.mark.parametrize(
    "row",
    [
        ",Total Energies,decision,50,2026-03-01",
        ",Total Energies,,77,",
        ",Gamma,decision,400,2026-03-01",
        ",Gamma,decision,400,",
        ",,,77,",
        ",Total,,400,2026-03-01",
    ],
)
def test_a_deal_without_an_id_is_an_error(row: str, tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(f"{HEADER}{DEALS}{row}\n")
    with pytest.raises(DealTableError, match="'deal_id' is blank in 1 rows, first in row 5"):
        read_deals(path)


def test_titles_and_footers_of_another_width_than_the_table() -> None:
    sheet = sheet_of(
        f'Open deals\n"As of 2026-08-31, by Pat Lee"\n\n{HEADER}{DEALS}\n\nExample Org\nCopyright (c) 2026 Example\n'
    )
    assert sheet.cells["deal_id"].tolist() == ["D1", "D2", "D3"]
    assert sheet.rows.tolist() == [5, 6, 7]
    note = only_note(sheet)
    assert (note.severity, note.rows) == ("note", 4)
    assert "titles in rows 1-2; footers in rows 10-11" in note.message


@pytest.mark.parametrize("footer", ["Confidential Information", "Vertraulich", "导出时间：2026-08-31", "Page 1 of 1"])
def test_a_footer_directly_below_the_table(footer: str) -> None:
    assert sheet_of(f"{HEADER}{DEALS}{footer}\n").cells["deal_id"].tolist() == ["D1", "D2", "D3"]


@pytest.mark.parametrize("cut", ["D4,Gam", "D4", "Gam"])
def test_a_row_cut_short_is_not_a_footer(cut: str) -> None:
    with pytest.raises(InputError, match="row 5 has"):
        sheet_of(f"{HEADER}{DEALS}{cut}")


def test_repeated_headers_are_left_out() -> None:
    sheet = sheet_of(f"{HEADER}{DEALS}{HEADER}D4,Acme,approval,7,2026-01-01\n")
    assert sheet.cells["deal_id"].tolist() == ["D1", "D2", "D3", "D4"]
    assert "repeated headers in rows 5" in only_note(sheet).message


def test_group_labels_and_subtotals_of_a_grouped_report() -> None:
    rows = (
        "Stage: Approval (1),,,,\nD1,Acme,approval,100,2026-01-01\nSubtotal,,,100,\n"
        "Stage: Decision (2),,,,\nD2,Acme,decision,250,2026-01-01\nD3,Acme,decision,50,2026-01-01\n"
        "Subtotal,,,300,\nGrand Total,,,400,\n"
    )
    sheet = sheet_of(HEADER + rows)
    assert sheet.cells["deal_id"].tolist() == ["D1", "D2", "D3"]
    note = only_note(sheet)
    assert "group labels in rows 2, 5; totals in rows 4, 8-9; amounts left out: 100; 300; 400" in note.message


def test_subtotals_by_the_name_of_their_group() -> None:
    rows = "D1,Acme,,100,\nD2,Acme,,250,\n,Acme Total,,350,\nD3,Beta,,50,\n,Beta Total,,50,\n,Grand Total,,400,\n"
    sheet = sheet_of(HEADER + rows)
    assert sheet.cells["deal_id"].tolist() == ["D1", "D2", "D3"]


def test_a_value_given_once_per_group_is_repeated() -> None:
    rows = "Pat,D1,100\n,D2,250\nSubtotal,,350\nSam,D3,50\n,D4,7\nSubtotal,,57\n"
    sheet = sheet_of("seller,deal_id,amount\n" + rows)
    assert sheet.cells["seller"].tolist() == ["Pat", "Pat", "Sam", "Sam"]
    assert "'seller' is filled on the first row of each group only" in sheet.notes[1].message
    assert "the 2 rows below" in sheet.notes[1].message


@pytest.mark.parametrize("accounts", [("Acme", "Beta", ""), ("Acme", "", "Acme", "")])
def test_a_value_that_is_missing_in_a_group_is_not_that_of_the_row_above(accounts: tuple[str, ...]) -> None:
    half = len(accounts) // 2
    rows = [f"D{number},{account},5\n" for number, account in enumerate(accounts)]
    sheet = sheet_of("deal_id,account,amount\n" + "".join([*rows[:half], f"Subtotal,,{5 * half}\n", *rows[half:]]))
    assert sheet.cells["account"].tolist() == list(accounts)


def test_groups_within_groups_by_the_arrow_of_the_report() -> None:
    rows = "Pat,won,D1\n,,D2\n,lost,D3\n,,D4\nSam,won,D5\n,,D6\n"
    sheet = sheet_of("Seller  ↑,Outcome ↑,deal_id\n" + rows)
    assert sheet.cells["Seller"].tolist() == ["Pat"] * 4 + ["Sam"] * 2
    assert sheet.cells["Outcome"].tolist() == ["won", "won", "lost", "lost", "won", "won"]


@pytest.mark.parametrize("column", [["9", "8", "7", "", ""], ["A", "B", "C", "", ""], ["A", "", "", "", ""]])
def test_a_sorted_column_with_missing_values_is_not_filled(column: list[str]) -> None:
    rows = "".join(f"D{number},{cell}\n" for number, cell in enumerate(column))
    assert sheet_of("deal_id,Account ↓\n" + rows).cells["Account"].tolist() == column


def test_a_few_values_that_open_the_groups_are_not_their_labels_if_they_are_days() -> None:
    rows = "D1,100,2026-01-01\nD2,250,\nSubtotal,350,\nD3,50,2026-02-01\nD4,7,\nSubtotal,57,\n"
    assert sheet_of("deal_id,amount,closed_on\n" + rows).cells["closed_on"].tolist()[1] == ""


def test_the_preset_decides_which_column_is_the_id(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    deals = (
        "006Hs00000AbC01,Prospecting,100,2026-09-30,2026-01-01\n006Hs00000AbC02,Prospecting,50,2026-09-30,2026-01-01\n"
    )
    path.write_text(f"Id,StageName,Amount,CloseDate,CreatedDate\n{deals}Total,,150,,\n")
    table = read_deals(path, {"preset": "salesforce"})
    assert table["amount"].tolist() == [100.0, 50.0]
    path.write_text(f"Id,StageName,Amount,CloseDate,CreatedDate\n{deals},Prospecting,70,2026-09-30,2026-01-01\n")
    with pytest.raises(DealTableError, match="'deal_id' is blank in 1 rows"):
        read_deals(path, {"preset": "salesforce"})


def test_a_total_in_parquet_is_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"deal_id": ["D1", "D2", "Total"], "amount": [1.5, 2.5, 4.0], "account": ["a", "b", None]})
    frame.to_parquet(tmp_path / "x")
    assert read_deals(tmp_path / "x")["deal_id"].tolist() == ["D1", "D2"]


def test_names_in_place_of_ids_are_deals() -> None:
    sheet = sheet_of("deal_id,account,amount\nTotal renewal,Acme,5\nGrand hotel,Beta,6\n")
    assert len(sheet.cells) == 2


def test_a_report_without_furniture_has_no_note() -> None:
    assert not sheet_of(HEADER + DEALS).notes


def test_the_note_is_in_chinese(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(f"{HEADER}{DEALS}Total,,,400,\n")
    with use_language("zh"):
        assert "合计" in check_file(path)["message"].str.cat()


@pytest.mark.parametrize("rows", [0, 29])
def test_the_header_is_looked_for_in_thirty_rows(rows: int) -> None:
    titles = "".join(f"line {number}\n" for number in range(rows))
    assert sheet_of(titles + HEADER + DEALS).cells.columns.tolist() == HEADER.strip().split(",")


def test_a_deal_above_the_header_is_refused_and_not_taken_for_a_title() -> None:
    with pytest.raises(InputError, match=r"row 1 is above the header .* and has the form of a row of the table"):
        sheet_of(f"D0,Acme,approval,100,2026-01-01\n{HEADER}{DEALS}")
    sheet = sheet_of(f"Deals of 2026,,60,,4000\nAs of,2026-08-31\n{HEADER}{DEALS}")
    assert "titles in rows 1-2" in only_note(sheet).message


def test_a_wide_sparse_table_is_quick() -> None:
    text = io.StringIO()
    pd.DataFrame({"deal_id": [f"D{i}" for i in range(30_000)], **{f"c{i}": "" for i in range(20)}}).to_csv(
        text, index=False
    )
    assert len(sheet_of(text.getvalue()).cells) == 30_000


def test_rows_left_out_of_a_people_table_are_noted(tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("Team list,,,\ndeal_id,person,role,support\nD1,Ann,approver,3\n\nConfidential\n")
    deals = tmp_path / "deals.csv"
    deals.write_text(HEADER + DEALS)
    messages = check_file(deals, people=people)["message"].str.cat()
    assert "titles in rows 1; footers in rows 5" in messages


def test_a_blank_outcome_below_a_subtotal_is_not_filled_down(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,outcome,amount\nD1,won,5\n,Subtotal,5\nD2,won,7\nD3,,9\n")
    assert read_deals(path)["outcome"].fillna("").tolist() == ["won", "won", ""]
