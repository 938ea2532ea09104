"""``winprob predict``: what identifies a deal on the screen, and ``--sort``; ``winprob train``: its verdict first."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.model.posterior import Posterior

CONTRACT = ["deal_id", "mean", "lower", "upper", "unknowns", "prior_share"]
DEALS = """deal_id,account,amount,currency,outcome,stage,approver_support
B,Bank AG,2000000,CNY,open,decision,4
A,Ämter,,CNY,open,difficulty,1
C,Carl,5000000,CNY,open,,
D,Dora,1000000,CNY,open,evaluation,3
"""


@pytest.fixture
def place(tmp_path: Path, believed: Posterior, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    believed.save(tmp_path / "model.nc")
    Path("deals.csv").write_text(DEALS, encoding="utf-8")
    Path("several.csv").write_text(DEALS.replace("5000000,CNY", "5000000,EUR"), encoding="utf-8")
    Path("bare.csv").write_text("deal_id,outcome\nB,open\nA,open\n", encoding="utf-8")
    return tmp_path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def predict(deals: str, *words: object) -> Result:
    result = run("predict", deals, "--model", "model.nc", *words)
    assert result.exit_code == 0, result.output
    return result


def records(deals: str, *words: object) -> pd.DataFrame:
    return pd.DataFrame(json.loads(predict(deals, *words, "--format", "json").stdout))


def test_the_screen_shows_account_and_amount_and_files_keep_their_columns(place: Path) -> None:
    head, _, first, *_ = predict("deals.csv").stdout.splitlines()
    assert head.split() == ["deal_id", "account", "amount", *CONTRACT[1:]]
    assert first.split()[:4] == ["B", "Bank", "AG", "2,000,000"]
    assert list(records("deals.csv")) == CONTRACT
    predict("deals.csv", "--out", "chances.csv", "--sort", "value")
    assert list(pd.read_csv("chances.csv")) == CONTRACT
    assert predict("bare.csv").stdout.split("\n", 1)[0].split() == CONTRACT


def test_the_currency_is_shown_where_there_are_several(place: Path) -> None:
    assert "currency" not in predict("deals.csv").stdout
    assert predict("several.csv").stdout.split("\n", 1)[0].split()[2:4] == ["amount", "currency"]


@pytest.mark.parametrize(
    ("order", "column", "ascending"),
    [("probability", "mean", False), ("unknowns", "unknowns", False), ("id", "deal_id", True)],
)
def test_sort_orders_by_a_column(place: Path, order: str, column: str, ascending: bool) -> None:
    assert records("deals.csv")["deal_id"].tolist() == ["B", "A", "C", "D"]
    got = records("deals.csv", "--sort", order)[column].tolist()
    assert got == sorted(got, reverse=not ascending)
    if order != "unknowns":
        assert got != records("deals.csv")[column].tolist()


def test_sort_by_amount_value_and_width(place: Path) -> None:
    assert records("deals.csv", "--sort", "amount")["deal_id"].tolist() == ["C", "B", "D", "A"]
    plain = records("deals.csv").set_index("deal_id")
    value = plain["mean"] * pd.Series({"B": 2e6, "C": 5e6, "D": 1e6, "A": float("nan")})
    expected = value.sort_values(ascending=False).index.tolist()
    shown = predict("deals.csv", "--sort", "value").stdout.splitlines()
    assert [line.split()[0] for line in shown[2:]] == expected
    assert shown[0].split()[3] == "expected_value"
    assert f"{value['B']:,.0f}" in predict("deals.csv", "--sort", "value").stdout
    width = (plain["upper"] - plain["lower"]).sort_values(ascending=False)
    assert records("deals.csv", "--sort", "width")["deal_id"].tolist() == width.index.tolist()


def test_amounts_of_several_currencies_are_not_compared_silently(place: Path) -> None:
    assert "several currencies" in predict("several.csv", "--sort", "amount").stderr
    assert "several currencies" not in predict("several.csv", "--sort", "probability").stderr


def test_sorting_by_an_amount_that_no_deal_has_is_refused(place: Path) -> None:
    refused = run("predict", "bare.csv", "--model", "model.nc", "--sort", "value")
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
    assert "'amount'" in refused.stderr


def test_money_is_in_wan_and_yi_in_chinese(place: Path) -> None:
    shown = predict("deals.csv", "--lang", "zh").stdout
    assert shown.split("\n", 1)[0].split()[:4] == ["商机编号", "客户", "金额", "均值"]
    assert "500.0万" in shown
    assert "5,000,000" not in shown


def test_train_gives_its_verdict_and_parameters_on_request(place: Path) -> None:
    train = ("train", "--prior-only", "--model", "m.nc")
    plain = run(*train)
    assert plain.stdout == ""
    assert "No deal was seen" in plain.stderr
    for more in (["--parameters"], ["--format", "table"]):
        assert run(*train, *more).stdout.split()[:2] == ["parameter", "mean"]
    assert json.loads(run(*train, "--format", "json").stdout)[0]["parameter"] == "intercept"
    assert run(*train, "--out", "p.csv").stdout == ""
    assert list(pd.read_csv("p.csv")) == ["parameter", "mean", "lower", "upper", "prior_share"]
