"""Null words, errors of a workbook, spellings of one level, and headers with a typing error."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from winprob.data.tables import check_file, read_deals
from winprob.errors import DealTableError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "deals.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "word",
    ["null", "NULL", "none", "#N/A", "N/A", "n/a", "(blank)", "-", "--", "nan", "NaN", "NaT", "空", "无", "<NA>"],
)
def test_a_null_word_is_blank_in_every_column(tmp_path: Path, word: str) -> None:
    row = ",".join([word] * 7)
    path = written(tmp_path, f"deal_id,amount,opened_on,seller,segment,stage,currency,extra\na,{row}\n")
    deals = read_deals(path, {"covariates": {"varying": ["extra"]}})
    assert deals.drop(columns="deal_id").isna().all(axis=None)


def test_words_of_a_column_come_before_null_words(tmp_path: Path) -> None:
    deals = read_deals(written(tmp_path, "deal_id,coach,region,seller\na,none,NA,Ann\nb,无,NA,Bob\n"))
    assert deals["coach"].tolist() == ["none", "none"]
    assert deals["region"].tolist() == ["NA", "NA"]
    tiers = {"column": "boss", "values": {"1": ["-"], "4": ["++"]}}
    path = written(tmp_path, "deal_id,boss\na,-\nb,--\n")
    deals = read_deals(path, {"columns": {"deal_id": "deal_id", "approver_support": tiers}})
    assert deals["approver_support"].fillna(0).tolist() == [1, 0]


def test_a_mapping_and_a_preset_name_further_null_words(tmp_path: Path) -> None:
    deals = read_deals(written(tmp_path, "deal_id,seller,amount\na,tbd,TBD\n"), {"null": ["tbd"]})
    assert deals[["seller", "amount"]].isna().all(axis=None)


def test_null_words_of_a_crm_are_unknown_everywhere(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon,OwnerId,Account.Industry,CurrencyIsoCode,Territory2Id\n"
        "006Hs00000AbC01,Closed Won,1000,2026-01-20,2025-10-02,true,true,005Hs0000001AAA,null,USD,null\n"
        "006Hs00000AbC02,null,null,null,2026-01-02,false,false,null,#N/A,null,null\n",
    )
    deals = read_deals(path, {"preset": "salesforce"})
    assert deals[["segment", "region"]].isna().all(axis=None)
    assert deals["seller"].isna().tolist() == [False, True]
    assert deals["outcome"].tolist() == ["won", "open"]


def test_an_error_of_a_workbook_is_counted_and_no_blank(tmp_path: Path) -> None:
    path = written(tmp_path, "deal_id,amount,seller\na,#REF!,Ann\nb,#DIV/0!,#NAME?\nc,5,Bob\n")
    found = check_file(path)
    warnings = found[found["severity"] == "warning"].set_index("column")
    assert warnings.loc["amount", "rows"] == 2
    assert (
        "errors of the workbook in 2 rows, read as unknown, first row 2, deal 'a', has '#REF!'"
        in (warnings.loc["amount", "message"])
    )
    assert warnings.loc["seller", "rows"] == 1
    assert read_deals(path)["amount"].fillna(-1).tolist() == [-1, -1, 5]


def test_a_null_word_for_an_id_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DealTableError, match="'deal_id' is blank in 1 rows, first in row 2"):
        read_deals(written(tmp_path, "deal_id,amount\nnull,5\n"))


def test_levels_that_differ_by_case_or_blanks_are_one(tmp_path: Path) -> None:
    path = written(
        tmp_path, "deal_id,region\na,North East\nb,north  east\nc,North East\nd,South\ne,ＳＯＵＴＨ\nf,South\n"
    )
    deals = read_deals(path)
    assert deals["region"].tolist() == ["North East", "North East", "North East", "South", "South", "South"]
    notes = check_file(path).set_index("column")["message"]
    assert "2 rows take the more frequent one: 'north  east' = 'North East', 'ＳＯＵＴＨ' = 'South'" in notes["region"]
    reverse = written(tmp_path, "deal_id,region\nb,b x\na,B x\n")
    assert read_deals(reverse)["region"].tolist() == ["B x", "B x"]


def test_ids_are_told_apart_by_case(tmp_path: Path) -> None:
    path = written(tmp_path, "deal_id,account\na,001Hs00000AbC01AAA\nA,001Hs00000aBC01AAA\n")
    deals = read_deals(path)
    assert deals["deal_id"].tolist() == ["a", "A"]
    assert deals["account"].nunique() == 2


def test_a_misspelt_header_is_suggested(tmp_path: Path) -> None:
    found = check_file(written(tmp_path, "deal_id,Amonut,Outcom,Product family,notes\na,5,won,x,y\n"))
    warnings = found[found["severity"] == "warning"].set_index("column")["message"]
    assert "column 'Amonut' is not known and not read; did you mean 'amount'?" in warnings["amount"]
    assert "did you mean 'outcome'?" in warnings["outcome"]
    assert len(warnings) == 2
    found = check_file(written(tmp_path, "Id,StageName,Amout,IsClosed\n006Hs00000AbC01,Prospecting,5,false\n"), PRESET)
    assert found["message"].str.contains("column 'Amout' is not known and not read; did you mean 'Amount'?").any()


PRESET = {"preset": "salesforce"}


def test_words_in_a_column_that_the_model_does_not_use_are_unknown(tmp_path: Path) -> None:
    path = written(tmp_path, "deal_id,rep_category\na,75% - Commit\nb,commit\n")
    assert pd.isna(read_deals(path)["rep_category"][0])
    found = check_file(path)
    assert set(found.loc[found["column"] == "rep_category", "severity"]) == {"note"}
    with pytest.raises(DealTableError, match="'stage' holds values neither mapped nor canonical"):
        read_deals(written(tmp_path, "deal_id,stage\na,Somewhere\n"))


def test_a_deal_entered_after_its_close_keeps_its_outcome_and_booking(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "Id,StageName,Amount,CloseDate,CreatedDate,IsClosed,IsWon\n"
        "006Hs00000AbC01,Closed Won,214355,2023-06-02,2023-06-05 20:03:15,1,1\n"
        "006Hs00000AbC02,Closed Lost,5000,2023-06-02,2023-05-05 20:03:15,1,0\n"
        "006Hs00000AbC03,Closed Won,-12000,2023-06-02,2023-05-05 20:03:15,1,1\n",
    )
    deals = read_deals(path, PRESET)
    assert deals["opened_on"].isna().tolist() == [True, False, False]
    assert deals["closed_on"].tolist() == [pd.Timestamp(2023, 6, 2)] * 3
    assert deals["outcome"].tolist() == ["won", "lost", "won"]
    assert deals["amount"].fillna(-1).tolist() == [214_355, 5_000, -1]
    found = check_file(path, PRESET)
    warnings = found[found["severity"] == "warning"].set_index("column")["message"]
    assert "in 1 rows, worth 214,355" in warnings["opened_on"]
    assert "not counted, -12,000 together" in warnings["amount"]
