"""Exports with several rows of a deal: the likely cause is named, and [rows] of a mapping makes one row per deal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from winprob.data.tables import check_file, read_deals
from winprob.errors import DealTableError, MappingError

LINES = """deal_id,stage,amount,currency,product,Quantity,expected_close_on
a,approval,100,EUR,Pumps,1,2026-05-01
a,approval,300,EUR,Valves,2,2026-05-01
b,decision,50,EUR,Pumps,5,2026-06-01
a,,,EUR,Service,1,2026-05-01
"""
BY_LINE = {"rows": {"per": "product line", "amounts": "add"}}
ONCE = {"rows": {"per": "product line", "amounts": "once"}}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "export.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str, mapping: dict[str, Any] | None = None) -> str:
    with pytest.raises(DealTableError) as refused:
        read_deals(write(tmp_path, text), mapping)
    return str(refused.value)


@pytest.mark.parametrize(
    ("header", "kind"),
    [("Product Name", "product line"), ("Split %", "split"), ("Contact Role", "contact"), ("产品名称", "product line")],
)
def test_the_columns_in_which_a_repeated_deal_differs_and_the_likely_cause_are_named(
    tmp_path: Path, header: str, kind: str
) -> None:
    message = refusal(tmp_path, f"deal_id,amount,{header}\na,1,x\na,1,y\nb,1,x\n")
    assert f"differ in '{header}': likely one row per {kind}" in message
    assert f'[rows] per = "{kind}", amounts = "add" (or "once"' in message


def test_rows_that_are_alike_are_called_copies(tmp_path: Path) -> None:
    assert "alike in every column: the export repeats them" in refusal(tmp_path, "deal_id,amount\na,1\na,1\n")


def test_amounts_of_lines_are_added_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, LINES)
    deals = read_deals(path, BY_LINE)
    assert deals[["deal_id", "stage", "amount", "product"]].to_numpy().tolist() == [
        ["a", "approval", 400.0, "Valves"],
        ["b", "decision", 50.0, "Pumps"],
    ]
    assert str(deals["expected_close_on"].dtype) == "datetime64[us]"
    notes = " ".join(check_file(path, BY_LINE)["message"])
    assert "3 rows are read as 1 deals, one row per product line: their amounts are added, 400.00 EUR in all" in notes
    assert "product is that of the row with the largest amount" in notes


def test_an_amount_that_every_row_repeats_counts_once(tmp_path: Path) -> None:
    text = LINES.replace(",300,", ",100,")
    assert read_deals(write(tmp_path, text), ONCE)["amount"].tolist() == [100, 50]
    assert "100.00 EUR of repetitions is left out" in " ".join(check_file(write(tmp_path, text), ONCE)["message"])
    assert "'amount' differs between the rows of 1 deals, first deal 'a' has 100, 300" in refusal(tmp_path, LINES, ONCE)


def test_amounts_of_several_currencies_are_not_added_up(tmp_path: Path) -> None:
    text = "deal_id,amount,currency,product\na,1,EUR,x\na,2,EUR,y\nb,5,USD,x\nb,6,USD,y\n"
    notes = " ".join(check_file(write(tmp_path, text), BY_LINE)["message"])
    assert "their amounts are added, 3.00 EUR, 11.00 USD in all" in notes


def test_rows_that_disagree_in_a_fact_are_an_error_with_every_fact(tmp_path: Path) -> None:
    text = LINES.replace("a,approval,300,EUR", "a,decision,300,USD")
    message = refusal(tmp_path, text, BY_LINE)
    assert "'stage' differs between the rows of 1 deals, first deal 'a' has 'approval', 'decision'" in message
    assert "'currency' differs" in message


def test_a_split_keeps_the_seller_of_the_largest_part(tmp_path: Path) -> None:
    text = "deal_id,amount,seller\na,40,Ann\na,60,Bob\n"
    mapping = {"rows": {"per": "split", "amounts": "add"}}
    assert read_deals(write(tmp_path, text), mapping)[["amount", "seller"]].to_numpy().tolist() == [[100, "Bob"]]
    assert "'seller' differs" in refusal(tmp_path, text, BY_LINE)


def test_readings_of_several_days_stay_apart(tmp_path: Path) -> None:
    text = "deal_id,as_of,amount,product\na,2026-01-01,1,x\na,2026-01-01,2,y\na,2026-02-01,5,x\n"
    assert read_deals(write(tmp_path, text), BY_LINE)["amount"].tolist() == [3, 5]


def test_rows_go_with_a_preset(tmp_path: Path) -> None:
    text = "Id,StageName,Amount,IsClosed,Product Name\n006A,Prospecting,5,false,x\n006A,Prospecting,5,false,y\n"
    deals = read_deals(write(tmp_path, text), {"preset": "salesforce", **ONCE})
    assert deals[["amount", "outcome"]].to_numpy().tolist() == [[5, "open"]]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ({"per": "product lines", "amounts": "add"}, "'rows.per' is 'product lines'; did you mean 'product line'?"),
        ({"per": "split"}, "'rows.amounts' is missing"),
        ({"per": "split", "amounts": "sum"}, "'rows.amounts' is 'sum'; accepted: add, once"),
        (5, "'rows' is 5, wanted a table"),
    ],
)
def test_a_wrong_rows_table_names_what_is_accepted(tmp_path: Path, rows: object, fault: str) -> None:
    with pytest.raises(MappingError) as refused:
        read_deals(write(tmp_path, "deal_id\na\n"), {"rows": rows})
    assert fault in str(refused.value)
