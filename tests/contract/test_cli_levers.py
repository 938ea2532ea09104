"""``winprob levers``, ``whatif`` and ``postmortem``: options, words, refusals. Nothing here samples."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.methodology import ROLES
from winprob.model.posterior import Posterior

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior, team) -> Path:
    folder = tmp_path_factory.mktemp("levers")
    team.open.head(8).to_csv(folder / "open.csv", index=False)
    team.closed.head(60).to_csv(folder / "closed.csv", index=False)
    posterior.save(folder / "model.nc")
    return folder


def run(work: Path, command: str, table: str, *arguments: object) -> Result:
    parts = [command, work / table, "--model", work / "model.nc", *arguments]
    return CliRunner().invoke(main, [str(part) for part in parts])


def records(told: Result) -> pd.DataFrame:
    assert told.exit_code == 0, told.output
    return pd.DataFrame(json.loads(told.stdout))


def first(work: Path) -> str:
    return pd.read_csv(work / "open.csv")["deal_id"].iloc[0]


def test_one_deal_has_a_sentence_for_each_lever(work: Path) -> None:
    told = run(work, "levers", "open.csv", "--deal", first(work))
    assert told.exit_code == 0
    assert len(told.stdout.strip().splitlines()) == 2 + 8
    assert len(told.stderr.strip().splitlines()) == 1 + 8 + 1
    assert "hidden common cause" in told.stderr
    assert "E-values" in told.stderr


def test_evidence_adds_its_columns_after_the_contracts(work: Path) -> None:
    plain = records(run(work, "levers", "open.csv", "--format", "json"))
    more = records(run(work, "levers", "open.csv", "--format", "json", "--evidence"))
    assert list(more) == [*plain, "to", "standing", "verdict", "evidence", "e_value", "e_value_lower"]
    pd.testing.assert_frame_equal(more[list(plain)], plain)


def test_by_gives_a_row_a_group_and_role(work: Path) -> None:
    got = records(run(work, "levers", "open.csv", "--by", "decision_method", "--format", "json"))
    assert list(got)[:5] == ["decision_method", "role", "rank", "deals", "log_odds_lift"]
    assert {"verdict", "evidence", "currency", "bookings_lift", "no_amount"} <= set(got)
    shown = run(work, "levers", "open.csv", "--by", "decision_method")
    assert shown.stdout.splitlines()[0].split() == list(got)


def test_the_smallest_useful_lift_comes_from_option_settings_or_model(work: Path, tmp_path: Path) -> None:
    def verdicts(*arguments: object) -> set[str]:
        got = records(run(work, "levers", "open.csv", "--evidence", "--format", "json", *arguments))
        # Support never lowers the odds; the other levers may.
        return set(got.loc[got["role"].isin(ROLES), "verdict"].dropna())

    (tmp_path / "winprob.toml").write_text("[levers]\nsmallest_lift = 0.99\n")
    assert verdicts("--settings", tmp_path / "winprob.toml") == {"not_worth_it"}
    assert verdicts("--settings", tmp_path / "winprob.toml", "--rope", 0) == {"worth_it"}


@pytest.mark.parametrize(
    ("command", "table", "arguments", "code", "words"),
    [
        ("levers", "open.csv", ["--deal", "nope"], 1, "'nope' is not in the table"),
        ("levers", "open.csv", ["--deal", "x", "--by", "stage"], 2, "not both"),
        ("levers", "open.csv", ["--by", "color"], 2, "color"),
        ("levers", "closed.csv", ["--by", "stage"], 1, "is open, so none has a lever"),
        ("whatif", "open.csv", ["--deal", "nope", "--set", "stage=decision"], 1, "'nope' is not in the table"),
        ("whatif", "open.csv", ["--deal", "FIRST", "--set", "stage=lost"], 1, "accepted: difficulty"),
        ("whatif", "open.csv", ["--deal", "FIRST", "--set", "stages=x"], 1, "no column 'stages' to set"),
        ("whatif", "open.csv", ["--deal", "FIRST", "--set", "stage"], 2, "COLUMN=VALUE"),
        ("whatif", "open.csv", ["--deal", "FIRST", "--set", "stage=a", "--set", "stage=b"], 2, "twice"),
        ("whatif", "open.csv", ["--deal", "FIRST"], 2, "--set"),
        ("postmortem", "open.csv", ["--deal", "FIRST"], 1, "not known to be lost"),
        ("postmortem", "closed.csv", ["--deal", "nope"], 1, "'nope' is not in the table"),
    ],
)
def test_what_cannot_be_done_is_one_message(
    work: Path, command: str, table: str, arguments: list[str], code: int, words: str
) -> None:
    told = run(work, command, table, *(first(work) if part == "FIRST" else part for part in arguments))
    assert told.exit_code == code
    assert words in told.stderr
    assert "Traceback" not in told.output
    assert told.stdout == ""


def test_a_won_deal_has_no_post_mortem(work: Path) -> None:
    closed = pd.read_csv(work / "closed.csv")
    deal = closed.loc[closed["outcome"] == "won", "deal_id"].iloc[0]
    told = run(work, "postmortem", "closed.csv", "--deal", deal)
    assert told.exit_code == 1
    assert "was won" in told.stderr


@pytest.mark.parametrize("options", [["--deal", "FIRST"], ["--by", "stage"], ["--evidence"]])
def test_every_word_has_its_chinese(work: Path, options: list[str]) -> None:
    chosen = [first(work) if part == "FIRST" else part for part in options]
    told = run(work, "levers", "open.csv", *chosen, "--lang", "zh")
    assert told.exit_code == 0
    for line in told.stderr.strip().splitlines():
        assert CHINESE.search(line)
        assert not re.search(r"\b[a-z]+ [a-z]+ [a-z]+\b", line)


def test_chinese_columns_and_values_can_be_set(work: Path) -> None:
    told = run(work, "whatif", "open.csv", "--deal", first(work), "--set", "教练=已验证", "--set", "阶段=未知")
    assert "coach=validated" in told.stdout
    assert "stage=unknown" in told.stdout
