"""``winprob intel``: what it shows, in which columns, and how it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.model.posterior import Posterior

COLUMNS = ["deal_id", "fact", "rank", "bits", "expected_shift", "changes_lever", "question"]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")
DEALS = """deal_id,outcome,stage,coach,decision_method,approver_support,approver_coverage
A1,open,evaluation,none,executive,,engaged
A2,won,evaluation,none,executive,,engaged
[bold]é\x1b,open,,validated,scoring,3,unknown
"""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior) -> Path:
    path = tmp_path_factory.mktemp("intel") / "model.nc"
    posterior.save(path)
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "deals.csv"
    path.write_text(DEALS, encoding="utf-8")
    return path


def intel(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["intel", *map(str, arguments)])


def records(*arguments: object) -> pd.DataFrame:
    told = intel(*arguments, "--format", "json")
    assert told.exit_code == 0, told.output
    return pd.DataFrame(json.loads(told.stdout))


def test_open_deals_only_in_the_designs_columns(model: Path, table: Path) -> None:
    shown = records(table, "--model", model)
    assert list(shown) == COLUMNS
    assert list(dict.fromkeys(shown["deal_id"])) == ["A1", "[bold]é\x1b"]
    assert shown.groupby("deal_id", sort=False)["rank"].apply(list).tolist() == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]


def test_more_columns_on_demand(model: Path, table: Path) -> None:
    assert list(records(table, "--model", model, "--more")) == [*COLUMNS, "channel", "bits_error", "ask"]
    assert list(records(table, "--model", model, "--more", "--top", 2))[-2:] == ["bits_alone", "ask"]


def test_the_questions_worth_most(model: Path, table: Path) -> None:
    every, best = records(table, "--model", model), records(table, "--model", model, "--top", 3)
    assert list(best) == COLUMNS
    assert best["rank"].tolist() == [1, 2, 3]
    assert best["bits"].iloc[0] == pytest.approx(every["bits"].max())


def test_one_deal_however_it_ended(model: Path, table: Path) -> None:
    assert set(records(table, "--model", model, "--deal", "A2")["deal_id"]) == {"A2"}
    told = intel(table, "--model", model, "--deal", "A3")
    assert told.exit_code == 1
    assert "'A3' is not in the table" in told.stderr
    assert told.stdout == ""


def test_the_verdict_is_in_words_beside_the_table(model: Path, table: Path) -> None:
    told = intel(table, "--model", model, "--top", 2)
    assert "2 questions about" in told.stderr
    assert "Ask first" in told.stderr
    assert "(Ask " in told.stderr
    assert "Ask first" not in told.stdout


def test_chinese(model: Path, table: Path) -> None:
    for arguments in ([], ["--top", 4], ["--deal", "A1"]):
        told = intel(table, "--model", model, "--lang", "zh", *arguments)
        for line in filter(None, told.stderr.splitlines()):
            assert CHINESE.search(line), line
            assert not ENGLISH.search(line), line
    assert all(records(table, "--model", model, "--lang", "zh")["question"].str.contains(CHINESE))


def test_a_name_steers_no_terminal(model: Path, table: Path) -> None:
    told = intel(table, "--model", model, "--top", 9)
    assert "\x1b" not in told.output
    assert "[bold]" in told.stdout


def test_nothing_to_ask(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "ended.csv"
    path.write_text("deal_id,outcome\nA,won\nB,lost\n")
    told = intel(path, "--model", model)
    assert told.exit_code == 0
    assert "Nothing to ask" in told.stderr


def test_no_questions_are_a_wrong_usage(model: Path, table: Path) -> None:
    assert intel(table, "--model", model, "--top", 0).exit_code == 2
