"""``winprob allocate`` at the command line: a clean table on stdout, words on stderr, bad input as one message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.model.posterior import Posterior

DATA = Path(__file__).parents[2] / "data"
ONE = '[[executives]]\nname = "Li"\nslots = {slots}\n{more}'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, believed: Posterior) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.nc"
    believed.save(path)
    return path


def run(model: Path, executives: Path, *more: object) -> Result:
    shared = ["allocate", DATA / "open.csv", "--model", model, "--executives", executives, "--time-limit", 6]
    return CliRunner().invoke(main, [str(part) for part in (*shared, *more)])


def written(folder: Path, slots: int = 1, more: str = "") -> Path:
    path = folder / "executives.toml"
    path.write_text(ONE.format(slots=slots, more=more), encoding="utf-8")
    return path


def test_the_sample_is_planned(model: Path) -> None:
    told = run(model, DATA / "executives.toml", "--visits", DATA / "visits.csv", "--format", "json")
    assert told.exit_code == 0, told.output
    records = json.loads(told.stdout)
    assert list(records[0]) == ["executive", "deal_id", "role", "expected_gain", "lower", "upper", "prob_in_best"]
    assert len(records) == 10
    for part in ("Largest amounts first: ", "Lowest probabilities first: ", "Largest lift first: ", "29 past visits"):
        assert part in told.stderr


def test_it_speaks_chinese(model: Path, tmp_path: Path) -> None:
    told = run(model, written(tmp_path), "--lang", "zh")
    assert told.exit_code == 0, told.output
    assert "预期增加" in told.stderr


@pytest.mark.parametrize(
    ("slots", "more", "words"),
    [
        (-1, "", "'slots' is -1, wanted a whole number, 0 to 1000"),
        (1, 'regoins = ["north"]', "'regoins' is not known; did you mean 'regions'?"),
        (1, 'fixed = [{ deal_id = "D99999", role = "approver" }]', "deal_id 'D99999' is not in the deal table"),
        (
            1,
            'fixed = [{ deal_id = "D00301", role = "evaluator" }]',
            "let this executive meet approver, decision_maker only",
        ),
    ],
)
def test_a_wrong_roster_is_one_message(model: Path, tmp_path: Path, slots: int, more: str, words: str) -> None:
    told = run(model, written(tmp_path, slots, more))
    assert told.exit_code == 1
    assert told.stdout == ""
    assert words in told.stderr
    assert "Traceback" not in told.output


def test_an_executive_without_a_deal_is_said(model: Path, tmp_path: Path) -> None:
    told = run(
        model, written(tmp_path, 2, 'regions = ["north"]\nexclude = { deals = ' + json.dumps(_in("north")) + " }")
    )
    assert told.exit_code == 0, told.output
    assert "Li has no deal to go to: no open deal is within the limits" in told.stderr


def _in(region: str) -> list[str]:
    deals = pd.read_csv(DATA / "open.csv")
    return deals.loc[deals["region"] == region, "deal_id"].tolist()


def test_a_wrong_visit_log_is_one_message(model: Path, tmp_path: Path) -> None:
    log = tmp_path / "visits.csv"
    log.write_text(
        "deal_id,role,executive,date,tier_before,tier_after\nD1,approver,Li,2026-01-01,0,3\nD2,approver,Li,2026-01-02,2,9\n"
    )
    told = run(model, written(tmp_path), "--visits", log)
    assert told.exit_code == 1
    assert "2 errors" in told.stderr
    assert "'tier_before' is not 1..4 in 1 rows, first visit 1 (deal 'D1') has '0'" in told.stderr
    assert "'tier_after' is not 1..4 in 1 rows, first visit 2 (deal 'D2') has '9'" in told.stderr


@pytest.mark.parametrize("wish", [("--risk", 1), ("--risk", 0), ("--time-limit", 0), ("--goal", "fame")])
def test_a_wrong_wish_is_wrong_usage(model: Path, tmp_path: Path, wish: tuple[str, object]) -> None:
    assert run(model, written(tmp_path), *wish).exit_code == 2


@pytest.mark.skipif(os.name != "posix", reason="another C library")
def test_what_a_library_prints_does_not_reach_the_table() -> None:
    code = (
        "import ctypes\nfrom winprob.cli.show import stdout_for_tables\n"
        "with stdout_for_tables():\n    ctypes.CDLL(None).printf(b'noise')\nprint('table')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "table\n"
    assert done.stderr == "noise"
