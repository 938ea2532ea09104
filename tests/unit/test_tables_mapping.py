from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from winprob.data.tables import check_file, read_deals
from winprob.errors import MappingError

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("WINPROB_REAL_DATA", ROOT / "../shared/data"))
MAPPINGS = ROOT / "data/mappings"

EXPORT = """Opportunity ID,Amount,Status,Forml_tend,Boss,Seller,Product,Age,Prob,Close
A1,"1,000",Won,Yes,-,Ann,Unknown,3,62,03/04/2026
A2,,Lost,No,++,,B,,5%,13/04/2026
A3,7,Lost,,,Bob,B,4.5,,
"""
MAPPING = """
[columns]
deal_id = "Opportunity ID"
amount = "Amount"
outcome = { column = "Status", values = { won = ["Won"], lost = ["Lost"] } }
decision_method = { column = "Forml_tend", values = { scoring = ["Yes"] }, other = "unknown" }
approver_support = { column = "Boss", values = { 1 = ["-"], 4 = ["++"] } }
rep_probability = { column = "Prob", percent = true }
closed_on = "Close"

[covariates]
varying = ["Seller", "Product"]
numeric = ["Age", { column = "Amount", transform = "log1p" }]
"""


@pytest.fixture
def export(tmp_path: Path) -> tuple[Path, Path]:
    deals, mapping = tmp_path / "export.csv", tmp_path / "mapping.toml"
    deals.write_text(EXPORT)
    mapping.write_text(MAPPING)
    return deals, mapping


def test_the_design_example(export: tuple[Path, Path]) -> None:
    deals = read_deals(*export)
    assert deals.columns.tolist() == [
        "deal_id", "closed_on", "outcome", "amount", "rep_probability", "decision_method", "approver_support",
        "Seller", "Product", "Age", "Amount",
    ]  # fmt: skip
    assert deals["amount"].fillna(-1).tolist() == [1000, -1, 7]
    assert deals["Amount"].fillna(-1).tolist() == [1000, -1, 7]
    assert deals["outcome"].tolist() == ["won", "lost", "lost"]
    assert deals["decision_method"].isna().tolist() == [False, True, True]
    assert deals["approver_support"].fillna(-1).tolist() == [1, 4, -1]
    assert deals["rep_probability"].fillna(-1).tolist() == [0.62, 0.05, -1]
    assert deals["closed_on"].tolist()[0] == pd.Timestamp(2026, 4, 3)
    assert deals["Seller"].isna().tolist() == [False, True, False]
    assert deals["Product"].tolist() == ["Unknown", "B", "B"]  # a level, not a blank
    assert deals["Age"].fillna(-1).tolist() == [3, -1, 4.5]
    covariates = {
        "varying": ["Seller", "Product"],
        "numeric": [{"column": "Age", "transform": None}, {"column": "Amount", "transform": "log1p"}],
    }
    assert deals.attrs["covariates"] == covariates
    assert json.loads(json.dumps(deals.attrs)) == deals.attrs


def test_a_blank_is_unknown_even_with_other(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("ID,How\na,Yes\nb,\nc,whatever\nd,Unknown\ne,top down\n")
    how = {"column": "How", "values": {"scoring": "Yes"}, "other": "recommendation"}
    method = read_deals(path, {"columns": {"deal_id": "ID", "decision_method": how}})["decision_method"]
    assert method.fillna("").tolist() == ["scoring", "", "recommendation", "", "executive"]


def test_covariates_alone_leave_the_headers_to_tell(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("deal_id,阶段,Age\na,内部立项,3\n")
    deals = read_deals(path, {"covariates": {"numeric": ["Age"]}})
    assert deals.columns.tolist() == ["deal_id", "stage", "Age"]
    assert deals["Age"].dtype == "float64"


def test_a_column_may_be_canonical_and_covariate(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("deal_id,seller,amount\na,Ann,5\n")
    columns = {"deal_id": "deal_id", "seller": "seller", "amount": "amount"}
    deals = read_deals(path, {"columns": columns, "covariates": {"varying": ["seller"], "numeric": ["amount"]}})
    assert deals.columns.tolist() == ["deal_id", "amount", "seller"]
    other = {"columns": {"deal_id": "deal_id", "seller": "amount"}, "covariates": {"varying": ["seller"]}}
    with pytest.raises(MappingError, match="canonical column of another meaning"):
        read_deals(path, other)


def test_log_of_a_negative_number(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("deal_id,Age\na,-5\n")
    with pytest.raises(Exception, match="'Age' is -1 or less in 1 rows, first row 2, deal 'a', has -5"):
        read_deals(path, {"covariates": {"numeric": [{"column": "Age", "transform": "log1p"}]}})


def test_ambiguous_days_ask_for_day_first(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("deal_id,opened_on\na,03/04/2026\n")
    with pytest.raises(Exception, match="set day_first = true or false"):
        read_deals(path)
    assert read_deals(path, {"day_first": True})["opened_on"][0] == pd.Timestamp(2026, 4, 3)


def test_leaks_are_suspected(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    rows = [f"d{i},{('won', 'lost')[i % 2]},{100 if i % 2 == 0 else 0},2026-01-0{i % 9 + 1},x" for i in range(40)]
    rows += [f"o{i},open,,,x" for i in range(20)]
    path.write_text("deal_id,outcome,value,closed_on,why\n" + "\n".join(rows) + "\n")
    mapping = {
        "columns": {name: name for name in ("deal_id", "outcome", "closed_on")},
        "covariates": {"numeric": ["value"], "varying": ["why"]},
    }
    found = check_file(path, mapping)
    warnings = found[(found["severity"] == "warning") & (found["column"] == "value")]["message"].str.cat()
    assert "predicts the outcome alone (AUC 1.00)" in warnings
    assert "filled in 100% of the closed deals and 0% of the open ones" in warnings
    assert set(found.loc[found["severity"] == "warning", "column"]) == {"value", "as_of"}


def real(name: str) -> Path:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"real data not here: {path} (set WINPROB_REAL_DATA)")
    return path


def test_salvirt() -> None:
    path = real("salvirt/salvirt.csv")
    deals = read_deals(path, MAPPINGS / "salvirt.toml")
    assert len(deals) == 448
    assert (deals["outcome"] == "won").mean() == pytest.approx(0.507, abs=5e-4)
    assert deals["decision_method"].value_counts().to_dict() == {"scoring": 52}
    assert len(deals.attrs["covariates"]["varying"]) == 21
    assert (deals["Competitors"] == "Unknown").sum() == 20
    found = check_file(path, MAPPINGS / "salvirt.toml")
    assert found.loc[found["severity"] == "warning", "rows"].tolist() == [83, 448]


def test_maven() -> None:
    deals = read_deals(real("maven/sales_pipeline.csv"), MAPPINGS / "maven.toml")
    assert deals["outcome"].value_counts().to_dict() == {"won": 4238, "lost": 2473, "open": 2089}
    covariates = deals.attrs["covariates"]
    assert "close_date" not in covariates["varying"]
    assert covariates["numeric"] == []


@pytest.mark.parametrize(
    ("name", "rows", "won", "varying", "numeric"), [("grants", 8708, 0.458, 11, 10), ("leads", 9240, 0.385, 4, 3)]
)
def test_grants_and_leads(name: str, rows: int, won: float, varying: int, numeric: int, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_bytes(gzip.decompress(real(f"{name}/{name}.csv.gz").read_bytes()))
    deals = read_deals(path, MAPPINGS / f"{name}.toml")
    assert len(deals) == deals["deal_id"].nunique() == rows
    assert (deals["outcome"] == "won").mean() == pytest.approx(won, abs=5e-4)
    covariates = deals.attrs["covariates"]
    assert (len(covariates["varying"]), len(covariates["numeric"])) == (varying, numeric)
    assert all(deals[column].dtype == "str" for column in covariates["varying"])
