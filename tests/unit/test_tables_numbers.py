"""Numbers whose mark may be of decimals or of thousands, percentages, and other words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winprob.data.tables import read_deals
from winprob.data.tables.values.columns import parse_numbers
from winprob.data.tables.values.conventions import gather, settle
from winprob.errors import DealTableError, WinprobError


def numbers(*words: str, **settings: object) -> list[object]:
    """The numbers read, None where refused."""
    parsed = parse_numbers(pd.Series(words, dtype="str"), **settings)  # type: ignore[arg-type]
    return [None if refused else number for number, refused in zip(parsed.read, parsed.refused, strict=True)]


def test_a_column_of_groups_of_three_digits_is_in_doubt() -> None:
    assert numbers("€ 12.500", "€ 95.000") == [None, None]
    assert numbers("1,500", "2,250") == [None, None]
    assert numbers("€ 12.500", "€ 95.000,50") == [12_500, 95_000.5]
    assert numbers("0,125", "0,250", "1,500") == [0.125, 0.25, 1.5]
    assert numbers("1.250", "2.5") == [1.25, 2.5]


def test_money_has_no_three_decimals() -> None:
    assert numbers("12,500", "95,000", kind="money") == [12_500, 95_000]
    assert numbers("$12,500") == [12_500]
    assert numbers("12.500", kind="money") == [None]


def test_a_rate_with_a_point_is_decimal_and_with_a_comma_in_doubt() -> None:
    assert numbers("7.123", "1.085", kind="rate") == [7.123, 1.085]
    assert numbers("7,123", kind="rate") == [None]
    assert numbers("7,123", "0,9312", kind="rate") == [7.123, 0.9312]


def test_a_setting_decides_what_is_in_doubt_and_not_what_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,amount,rep_probability\na,2.500 €,0.85\nb,43.600 €,0.25\n")
    with pytest.raises(DealTableError, match=r"'amount' is ambiguous, decimals or thousands, in 2 rows.*decimal_comma"):
        read_deals(path)
    deals = read_deals(path, {"decimal_comma": True})
    assert deals["amount"].tolist() == [2_500, 43_600]
    assert deals["rep_probability"].tolist() == [0.85, 0.25]
    assert read_deals(path, {"decimal_comma": False})["amount"].tolist() == [2.5, 43.6]
    path.write_text("deal_id,amount\na,2.500\nb,17.25\n")
    with pytest.raises(DealTableError, match="contradicts decimal_comma = true in other cells"):
        read_deals(path, {"decimal_comma": True})


def test_other_columns_settle_the_mark(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text('deal_id,amount,margin\na,12.500,"0,25"\nb,95.000,"1,5"\n')
    deals = read_deals(path, {"covariates": {"numeric": ["margin"]}})
    assert deals["amount"].tolist() == [12_500, 95_000]
    assert deals["margin"].tolist() == [0.25, 1.5]


def test_evidence_of_blocks_adds_up() -> None:
    first, second = pd.Series(["1.500"], name="x", dtype="str"), pd.Series(["1,5"], name="x", dtype="str")
    known = settle(gather(numbers={"x": first}) + gather(numbers={"x": second}))
    assert parse_numbers(first, convention=known).read.tolist() == [1500]


def test_groups_of_many_countries() -> None:
    assert numbers("1'200'000", "1’200’000.50") == [1_200_000, 1_200_000.5]
    assert numbers("12 500", "12\u00a0500,50", "12\u202f500") == [12_500, 12_500.5, 12_500]
    assert numbers("₹12,34,567.50") == [1_234_567.5]
    assert numbers("1,2 Mio. €", "1,5 Mrd. EUR") == [1_200_000, 1_500_000_000]


@pytest.mark.parametrize("word", ["12²", "½", "①", "١٢٣", "True", "12 50", "0,125,000", "1.2.3", "5 ton", "--5"])
def test_other_digits_and_truth_values_are_no_numbers(word: str) -> None:
    assert numbers(word) == [None]


def test_truth_values_of_a_typed_column_are_no_amounts(tmp_path: Path) -> None:
    assert parse_numbers(pd.Series([True, False])).refused.all()
    pd.DataFrame({"deal_id": ["a"], "amount": [True]}).to_parquet(tmp_path / "deals.parquet")
    with pytest.raises(DealTableError, match="does not read as a number"):
        read_deals(tmp_path / "deals.parquet")


@pytest.mark.parametrize("word", ["50%", "inf", "-Infinity", "∞"])
def test_a_percentage_or_infinity_is_no_amount(tmp_path: Path, word: str) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(f"deal_id,amount\na,{word}\nb,10\n")
    with pytest.raises(DealTableError, match="'amount' does not read as a number in 1 rows, first row 2"):
        read_deals(path)


def test_a_percentage_between_plain_numbers_is_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,margin\na,62%\nb,40\nc,0\n")
    with pytest.raises(DealTableError, match="numbers without a sign: 1 rows are ambiguous, first row 3"):
        read_deals(path, {"covariates": {"numeric": ["margin"]}})


PERCENT = {"columns": {"deal_id": "deal_id", "rep_probability": {"column": "p", "percent": True}}}


def test_fractions_contradict_percent(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,p\na,0.62\nb,1\n")
    with pytest.raises(WinprobError, match="percent = true, yet its numbers are at most 1"):
        read_deals(path, PERCENT)
    pd.DataFrame({"deal_id": ["a", "b"], "p": [0.62, np.nan]}).to_parquet(tmp_path / "deals.parquet")
    with pytest.raises(WinprobError, match="percent = true, yet its numbers are at most 1"):
        read_deals(tmp_path / "deals.parquet", PERCENT)
    path.write_text("deal_id,p\na,62%\nb,5\nc,140\n")
    assert read_deals(path, PERCENT)["rep_probability"].fillna(-1).tolist() == [0.62, 0.05, -1]


def test_the_logarithm_of_text_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "deals.csv"
    path.write_text("deal_id,outcome,rep_category\na,won,commit\n")
    columns = {name: name for name in ("deal_id", "outcome", "rep_category")}
    item = {"column": "rep_category", "transform": "log1p"}
    with pytest.raises(WinprobError, match="'rep_category' is not a column of numbers: log1p is for numbers only"):
        read_deals(path, {"columns": columns, "covariates": {"numeric": [item]}})
