"""``winprob replay``: columns, files, refusals, and the correction that it leaves in a model. Fits are stand-ins."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.data.history import write_snapshot
from winprob.model import inference
from winprob.model.posterior import Posterior
from winprob.retrain.replay.replaying import REPLAY_COLUMNS
from winprob.simulation import Pace, simulate_pipeline

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with the exports that six quarters need, and settings by which few deals are enough."""
    folder = tmp_path_factory.mktemp("replay")
    pipeline = simulate_pipeline(seed=4, quarters=7, pace=Pace(per_quarter=12))
    starts = pd.date_range(pipeline.first_day, pipeline.last_day + dt.timedelta(1), freq="QS").date
    days = {start + dt.timedelta(weeks=week) for start in starts for week in (0, 4, 9)}
    for day in sorted({*(day for day in days if day <= pipeline.last_day), pipeline.last_day}):
        write_snapshot(pipeline.known_on(day).drop(columns="as_of"), as_of=day, history=folder / "history")
    (folder / "few.toml").write_text("[evaluation]\nleast_training = 5\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def fits(monkeypatch: pytest.MonkeyPatch, believed: Posterior) -> list[int]:
    """Every fit gives the prior; the numbers of deals that were fitted."""
    seen: list[int] = []

    def fit(deals: pd.DataFrame, *, seed: int, settings: object, **_: object) -> Posterior:
        seen.append(len(deals))
        return believed

    monkeypatch.setattr(inference, "fit", fit)
    return seen


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def replay(work: Path, *arguments: object, quarters: int = 4) -> Result:
    keep = ("--keep", work / "keep", "--settings", work / "few.toml", "--quarters", quarters)
    return run("replay", work / "history", *keep, *arguments)


def test_the_columns_are_documented_and_the_verdict_is_in_words(work: Path) -> None:
    result = replay(work, "--format", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert tuple(rows[0]) == REPLAY_COLUMNS
    assert [row["week"] for row in rows] == [1, 5, 10] * 4
    assert "of 4 quarters ended within P10 to P90" in result.stderr
    assert "closest first" in result.stderr
    assert "replaying" in result.stderr
    chinese = replay(work, "--lang", "zh").stderr
    assert CHINESE.search(chinese)
    assert "Week" not in chinese


def test_the_screen_has_whole_money_and_a_file_all_digits(work: Path, tmp_path: Path) -> None:
    screen = replay(work).stdout
    assert re.search(r"\d,\d{3},\d{3} ", screen)
    result = replay(work, "--out", tmp_path / "replay.csv")
    assert result.exit_code == 0, result.output
    assert tuple(pd.read_csv(tmp_path / "replay.csv")) == REPLAY_COLUMNS


def test_a_second_run_fits_nothing_again(work: Path, fits: list[int]) -> None:
    replay(work)
    fits.clear()
    replay(work)
    assert fits == []


def test_a_model_keeps_the_correction_and_the_forecast_shows_raw_and_corrected(
    work: Path, tmp_path: Path, believed: Posterior
) -> None:
    model = tmp_path / "model.nc"
    replace(believed, correction=None).save(model)
    result = replay(work, "--model", model)
    assert result.exit_code == 0, result.output
    assert "The correction is in" in result.stderr
    loaded = Posterior.load(model)
    assert loaded.correction is not None
    assert len(loaded.correction.quarters) == 4
    last = max(path.name for path in (work / "history").iterdir() if path.is_dir())[-10:]
    quarter = f"{last[:4]}Q{(int(last[5:7]) - 1) // 3 + 1}"
    shown = run("forecast", work / "history", "--model", model, "--quarter", quarter, "--target", "1e6")
    assert shown.exit_code == 0, shown.output
    assert "Corrected by the team's own 4 past quarters: P50" in shown.stderr
    assert "Corrected probability of the target" in shown.stderr


def test_a_model_is_left_as_it_was_where_quarters_are_too_few(work: Path, tmp_path: Path, believed: Posterior) -> None:
    model = tmp_path / "model.nc"
    believed.save(model)
    before = model.read_bytes()
    result = replay(work, "--model", model, quarters=2)
    assert result.exit_code == 0, result.output
    assert "is as it was" in result.stderr
    assert model.read_bytes() == before


def test_a_registry_is_refused_with_what_to_do_before_any_work(work: Path, tmp_path: Path, fits: list[int]) -> None:
    result = replay(work, "--model", tmp_path, "--seed", 7)
    assert result.exit_code == 1
    assert "never altered" in result.stderr
    assert "winprob train --model FILE" in result.stderr
    assert fits == []


def test_what_is_not_a_history_is_one_message(tmp_path: Path) -> None:
    result = run("replay", tmp_path / "none")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
