"""Currencies beside amounts: codes and signs, the currency column, and what is left open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from winprob.data.tables import check_file, read_deals
from winprob.data.tables.deal_cells import settle_by
from winprob.data.tables.deals import evidence_on, read_sheet
from winprob.data.tables.mapping import read_mapping
from winprob.data.tables.sheets.sheet import frame_sheet
from winprob.data.tables.values.money import meant_by, sign_of
from winprob.errors import DealTableError


def currencies(tmp_path: Path, text: str, mapping: dict[str, Any] | None = None) -> list[object]:
    path = tmp_path / "deals.csv"
    path.write_text(text, encoding="utf-8")
    deals = read_deals(path, mapping)
    return list(deals["currency"].fillna("")) if "currency" in deals else []


@pytest.mark.parametrize(
    ("word", "sign", "currency"),
    [
        ("EUR 12.500", "EUR", "EUR"), ("€ 1.000", "€", "EUR"), ("R$ 1.200,00", "R$", "BRL"), ("US$5", "US$", "USD"),
        ("HK$ 5", "HK$", "HKD"), ("12 zł", "zł", "PLN"), ("300万元", "元", "CNY"), ("(€ 300)", "€", "EUR"),
        ("-£5", "£", "GBP"), ("5 chf", "chf", "CHF"), ("₹12,34,567", "₹", "INR"), ("KWD 1.250", "KWD", "KWD"),
        ("$100 USD", "USD", "USD"),
    ],
)  # fmt: skip
def test_a_sign_or_code_means_one_currency(word: str, sign: str, currency: str) -> None:
    assert sign_of(word) == sign
    assert meant_by(sign) == {currency}


def test_names_and_lists_of_currencies() -> None:
    assert meant_by("US Dollar") == {"USD"}
    assert meant_by("人民币") == {"CNY"}
    assert meant_by("USD - U.S. Dollar") == {"USD"}
    assert not meant_by("Taler")
    assert {"SEK", "NOK", "DKK"} <= meant_by("kr")


def test_the_sign_fills_the_currency(tmp_path: Path) -> None:
    assert currencies(tmp_path, 'deal_id,amount\na,"€ 1.200,50"\nb,GBP 300\nc,\n') == ["EUR", "GBP", ""]
    assert currencies(tmp_path, "deal_id,amount,currency\na,€ 5,\nb,7,USD\n") == ["EUR", "USD"]


def test_an_amount_without_a_currency_among_others_is_counted(tmp_path: Path) -> None:
    assert currencies(tmp_path, "deal_id,amount\na,€ 5\nb,7\n") == ["EUR", ""]
    found = check_file(tmp_path / "deals.csv")
    warnings = found.loc[found["severity"] == "warning", "message"].str.cat()
    assert "'amount' has no currency in 1 rows, unlike the others, first row 3, deal 'b'" in warnings


@pytest.mark.parametrize("sign", ["$", "¥", "kr"])
def test_a_shared_sign_next_to_another_currency_asks(tmp_path: Path, sign: str) -> None:
    with pytest.raises(DealTableError, match=r"has the sign .* which may be .* map the sign in mapping.toml"):
        currencies(tmp_path, f"deal_id,amount\na,{sign} 500\nb,€ 5\n")


@pytest.mark.parametrize("sign", ["$", "¥", "kr"])
def test_one_shared_sign_on_all_amounts_leaves_the_currency_unknown_with_a_warning(tmp_path: Path, sign: str) -> None:
    assert currencies(tmp_path, f"deal_id,amount\na,{sign} 500\nb,{sign} 7\nc,9\n") == ["", "", ""]
    found = check_file(tmp_path / "deals.csv")
    warnings = found.loc[found["severity"] == "warning", "message"].str.cat()
    assert f"has the sign {sign}, which may be" in warnings
    assert "unlike the others" not in warnings


def test_a_bare_dollar_is_not_the_dollar_that_the_file_marks(tmp_path: Path) -> None:
    with pytest.raises(DealTableError, match=r"has the sign \$, which may be"):
        currencies(tmp_path, "deal_id,amount\na,HK$ 5\nb,$ 7\n")


def test_a_shared_sign_is_settled_by_the_column_the_file_or_the_mapping(tmp_path: Path) -> None:
    assert currencies(tmp_path, "deal_id,amount,currency\na,$ 5,CAD\nb,$ 7,\n") == ["CAD", "CAD"]
    assert currencies(tmp_path, "deal_id,amount\na,USD 5\nb,$ 7\n") == ["USD", "USD"]
    assert currencies(tmp_path, "商机编号,金额\na,¥ 5\n") == ["CNY"]
    columns = {"deal_id": "deal_id", "amount": "amount"}
    columns |= {"currency": {"column": "amount", "values": {"MXN": ["$"]}}}  # type: ignore[dict-item]
    assert currencies(tmp_path, "deal_id,amount\na,$ 5\nb,7\n", {"columns": columns}) == ["MXN", ""]


def test_a_sign_that_contradicts_the_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DealTableError, match="contradicts the currency column in 1 rows, first row 3, deal 'b'"):
        currencies(tmp_path, "deal_id,amount,currency\na,€ 5,EUR\nb,€ 7,USD\n")


def test_a_word_that_is_no_currency_is_unknown_and_counted(tmp_path: Path) -> None:
    assert currencies(tmp_path, "deal_id,amount,currency\na,5,Taler\nb,7,euro\n") == ["", "EUR"]
    found = check_file(tmp_path / "deals.csv")
    warnings = found.loc[found["severity"] == "warning", "message"].str.cat()
    assert "'currency' is not an ISO 4217 code such as CNY in 1 rows, read as unknown: 'Taler' (1)" in warnings


def test_a_block_of_a_file_is_read_as_the_whole_would_be() -> None:
    mapping, _ = read_mapping(None)
    cells = pd.DataFrame({"deal_id": ["a", "b"], "amount": ["USD 1.250,50", "$ 7.500"]}, dtype="str")
    blocks = [frame_sheet(cells.iloc[[at]], "deals") for at in (0, 1)]
    whole = settle_by(mapping, evidence_on(blocks[0], mapping) + evidence_on(blocks[1], mapping))
    read = [read_sheet(block, mapping, [], convention=whole).deals for block in blocks]
    assert [float(deals["amount"].iloc[0]) for deals in read] == [1250.5, 7500]
    assert [deals["currency"].iloc[0] for deals in read] == ["USD", "USD"]
    alone = read_sheet(blocks[1], mapping, [])
    assert "error" in {finding.severity for finding in alone.findings}
