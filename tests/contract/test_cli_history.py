"""``winprob snapshot``, and the commands that read a history."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.model.posterior import Posterior
from winprob.simulation import Pace, simulate_pipeline

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def run() -> Run:
    def call(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)

    return call


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One CSV a month, named by its day."""
    folder = tmp_path_factory.mktemp("exports")
    pipeline = simulate_pipeline(seed=3, quarters=4, pace=Pace(per_quarter=40))
    for day in pd.date_range(pipeline.first_day, pipeline.last_day, freq="MS").date:
        pipeline.known_on(day).to_csv(folder / f"{day}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def history(exports: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "history"
    for path in sorted(exports.glob("*.csv")):
        assert run("snapshot", path, "--as-of", path.stem, "--history", folder).exit_code == 0
    return folder


def test_a_snapshot_is_added_once_and_never_rewritten(exports: Path, run: Run, tmp_path: Path) -> None:
    first, second = sorted(exports.glob("*.csv"))[:2]
    done = run("snapshot", first, "--as-of", first.stem, "--history", tmp_path / "h", "--format", "json")
    assert json.loads(done.stdout)[0]["added"] is True
    assert json.loads(done.stdout)[0]["as_of"] == first.stem
    assert "deals as of" in done.stderr
    again = run("snapshot", first, "--as-of", first.stem, "--history", tmp_path / "h")
    assert (again.exit_code, "nothing to add" in again.stderr) == (0, True)
    other = run("snapshot", second, "--as-of", first.stem, "--history", tmp_path / "h")
    assert other.exit_code == 1
    assert "is after the snapshot's day" in other.stderr
    zh = run("snapshot", second, "--as-of", first.stem, "--history", tmp_path / "h", "--lang", "zh")
    assert "快照日期" in zh.stderr


def test_what_cannot_be_added_is_told(exports: Path, run: Run, tmp_path: Path) -> None:
    first = min(exports.glob("*.csv"))
    assert "wanted YYYY-MM-DD" in run("snapshot", first, "--as-of", "1.2.26", "--history", tmp_path / "h").stderr
    assert "not a winprob history" in run("snapshot", first, "--as-of", first.stem, "--history", exports).stderr
    other = max(exports.glob("*.csv"))
    assert "a history is a folder" in run("snapshot", first, "--as-of", first.stem, "--history", other).stderr
    assert "it is the input DEALS" in run("snapshot", first, "--as-of", first.stem, "--history", first).stderr


def test_a_history_is_checked(history: Path, run: Run) -> None:
    done = run("check", history, "--format", "json")
    assert done.exit_code == 0
    assert "no errors" in done.stderr
    records = json.loads(done.stdout)
    assert list(records[0]) == ["severity", "column", "rows", "first_deal", "message"]
    assert any("12 snapshots" in record["message"] for record in records)
    assert "not a winprob history" in run("check", history.parent).stderr
    assert "belong to winprob snapshot" in run("check", history, "--encoding", "gbk").stderr


def test_the_deals_that_are_open_now_are_predicted(
    history: Path, run: Run, believed: Posterior, tmp_path: Path
) -> None:
    believed.save(tmp_path / "model.nc")
    done = run("predict", history, "--model", tmp_path / "model.nc", "--format", "json")
    last = pd.read_parquet(max(history.glob("as_of=*")) / "snapshot.parquet")
    assert [record["deal_id"] for record in json.loads(done.stdout)] == last["deal_id"][
        last["outcome"] == "open"
    ].tolist()


def test_a_history_is_learned_from_as_it_was_known(
    history: Path, run: Run, monkeypatch: pytest.MonkeyPatch, believed: Posterior, tmp_path: Path
) -> None:
    seen: list[pd.DataFrame] = []
    monkeypatch.setattr("winprob.model.inference.fit", lambda deals, **_: seen.append(deals) or believed)
    done = run("train", history, "--model", tmp_path / "m.nc")
    assert done.exit_code == 0
    assert "still open (censored observations" in done.stderr
    days = sorted(history.glob("as_of=*"))
    middle = days[6].name.removeprefix("as_of=")
    run("train", history, "--model", tmp_path / "m.nc", "--as-of", middle)
    whole, early = seen
    assert set(early["as_of"]) < set(whole["as_of"])
    assert early["known_until"].max() == pd.Timestamp(middle)
    assert {"won", "lost", "open"} <= set(whole["outcome"])


@pytest.mark.slow
def test_train_and_backtest_from_a_history(history: Path, run: Run, tmp_path: Path) -> None:
    assert run("train", history, "--model", tmp_path / "m.nc").exit_code == 0
    done = run("backtest", history, "--format", "json", "--keep", tmp_path / "keep")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)[0]["model"] == "winprob"
