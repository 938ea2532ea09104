"""``winprob forecast`` and ``winprob track``: the contract's columns, words, files, refusals. Nothing here samples."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.model.posterior import Posterior
from winprob.quarter import LINES

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior, team) -> Path:
    folder = tmp_path_factory.mktemp("forecast")
    now = pd.concat([team.closed, team.open])
    now.to_csv(folder / "now.csv", index=False)
    team.open.iloc[:30].assign(as_of="2026-09-15").to_csv(folder / "then.csv", index=False)
    team.open.head(3).assign(currency=["CNY", "USD", "EUR"]).to_csv(folder / "mixed.csv", index=False)
    posterior.save(folder / "model.nc")
    return folder


def run(work: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def forecast(work: Path, *arguments: object, table: str = "now.csv") -> Result:
    return run(work, "forecast", work / table, "--model", work / "model.nc", "--quarter", "2026Q4", *arguments)


def test_columns_and_lines_are_the_contracts(work: Path) -> None:
    result = forecast(work, "--target", "3e7", "--format", "json")
    assert result.exit_code == 0, result.output
    got = pd.DataFrame(json.loads(result.stdout))
    assert list(got) == ["line", "p10", "p50", "p90", "mean", "prob_target"]
    assert tuple(got["line"]) == LINES
    assert got["mean"].iloc[:-1].sum() == pytest.approx(got["mean"].iloc[-1])
    assert got["prob_target"].between(0, 1).all()


def test_without_a_target_its_probability_is_blank(work: Path) -> None:
    got = json.loads(forecast(work, "--format", "json").stdout)
    assert {row["prob_target"] for row in got} == {None}


def test_the_forecast_is_summarised_in_sentences(work: Path) -> None:
    result = forecast(work, "--target", "3e7")
    assert result.stderr.startswith("2026Q4, not yet begun, as known on 2026-09-30: P50 ")
    assert "reaching the target of 30,000,000 CNY" in result.stderr
    assert "Sellers' figures: closed and commit" in result.stderr
    assert CHINESE.search(forecast(work, "--lang", "zh").stderr)


def test_by_gives_every_level_the_same_lines(work: Path) -> None:
    got = pd.DataFrame(json.loads(forecast(work, "--by", "segment", "--format", "json").stdout))
    assert list(got)[:2] == ["segment", "line"]
    assert set(got.groupby("segment").size()) == {len(LINES)}


def test_a_bridge_deals_and_log_are_written(work: Path, tmp_path: Path) -> None:
    files = {"--deals-out": tmp_path / "deals.csv", "--bridge-out": tmp_path / "bridge.csv", "--log": tmp_path / "log"}
    result = forecast(work, "--before", work / "then.csv", *(part for pair in files.items() for part in pair))
    assert result.exit_code == 0, result.output
    assert "P50 was " in result.stderr
    bridge = pd.read_csv(tmp_path / "bridge.csv")
    assert list(bridge) == ["step", "amount"]
    assert "variance_share" in pd.read_csv(tmp_path / "deals.csv")
    scored = run(work, "track", tmp_path / "log", work / "now.csv")
    assert scored.exit_code == 0, scored.output
    assert "nothing to score yet" in scored.stderr


@pytest.mark.parametrize(
    ("table", "arguments", "code", "words"),
    [
        ("now.csv", ["--target", "0"], 1, "the target is 0.0"),
        ("now.csv", ["--target", "many"], 2, "not a valid float"),
        ("now.csv", ["--quarter", "soon"], 1, "'soon' is not understood"),
        ("now.csv", ["--quarter", "2026Q2"], 1, "ended on 2026-06-30"),
        ("now.csv", ["--by", "nope"], 1, "no column 'nope'"),
        ("now.csv", ["--bridge-out", "b.csv"], 2, "need --before"),
        ("mixed.csv", [], 1, "no rate into CNY"),
        ("now.csv", ["--rates", "none.csv"], 1, "does not exist"),
    ],
)
def test_refusals_are_one_message(work: Path, table: str, arguments: list[str], code: int, words: str) -> None:
    result = forecast(work, *arguments, table=table)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_rates_are_printed_with_their_day(work: Path, tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("currency,rate,from\nUSD,7.2,2026-09-01\nEUR,7.8,2026-08-01\n")
    result = forecast(work, "--rates", tmp_path / "rates.csv", "--currency", "CNY", table="mixed.csv")
    assert result.exit_code == 0, result.output
    assert "1 EUR = 7.8 CNY (2026-08-01); 1 USD = 7.2 CNY (2026-09-01)" in result.stderr
