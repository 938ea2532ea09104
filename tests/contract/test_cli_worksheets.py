"""``winprob worksheets`` and ``--answers`` of flags and brief: files, columns, refusals, both languages."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.methodology import worksheet_version
from winprob.model.posterior import Posterior

DEALS = """deal_id,as_of,outcome,amount,stage,coach,decision_method,approver_support,approver_coverage
A1,2026-09-30,open,100,decision,none,executive,3,engaged
A2,2026-09-30,won,100,evaluation,none,executive,3,engaged
"""
COLUMNS = ["deal_id", "role", "person", "fact", "derived", "stated", "agrees", "day", "reason"]
ENGLISH = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("deals.csv").write_text(DEALS, encoding="utf-8")
    Path("people.csv").write_text("deal_id,person,role,support\nA1,王总,approver,3\n", encoding="utf-8")
    return tmp_path


def run(command: str, *arguments: object) -> Result:
    return CliRunner().invoke(main, [command, "deals.csv", *map(str, arguments)])


def filled(*answers: tuple[str, object], day: str = "2026-10-01", deal: str = "A1") -> Path:
    rows = [{"deal_id": deal, "question": question, "value": value, "day": day} for question, value in answers]
    Path("answers.json").write_text(json.dumps({"worksheet": worksheet_version(), "answers": rows}), encoding="utf-8")
    return Path("answers.json")


SIGNS = (("signs.exploration.says.must_solve", "yes"), ("signs.exploration.does.collects_data", "yes"))


@pytest.mark.parametrize("suffix", ["xlsx", "html"])
def test_worksheets_of_the_open_deals_are_written(place: Path, suffix: str) -> None:
    done = run("worksheets", "--people", "people.csv", "--out", f"w.{suffix}", "--lang", "zh")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert "1 个商机的工作表已写入" in done.stderr
    if suffix == "html":
        page = Path("w.html").read_text("utf-8")
        assert "王总" in page
        assert page.count('class="deal"') == 1
    assert run("worksheets", "--deal", "A2", "--out", f"w.{suffix}").exit_code == 0


def test_answers_derive_a_table_next_to_the_record(place: Path) -> None:
    done = run("worksheets", "--answers", filled(*SIGNS), "--format", "json")
    assert done.exit_code == 0, done.output
    table = pd.DataFrame(json.loads(done.stdout))
    assert table.columns.tolist() == COLUMNS
    assert table.iloc[0][["deal_id", "fact", "derived", "stated", "agrees", "day"]].tolist() == [
        "A1", "stage", "exploration", "decision", False, "2026-10-01",
    ]  # fmt: skip
    assert "differ from the record: 1." in done.stderr
    for suffix in ("csv", "xlsx", "parquet"):
        assert run("worksheets", "--answers", "answers.json", "--out", f"derived.{suffix}").exit_code == 0
    assert pd.read_csv("derived.csv").columns.tolist() == COLUMNS


def test_the_derived_table_is_in_the_language_asked_for(place: Path) -> None:
    done = run(
        "worksheets", "--answers", filled(*SIGNS, ("coach.selection.access", "no")), "--lang", "zh", "--format", "csv"
    )
    assert done.exit_code == 0
    assert "探索问题" in done.stdout
    assert not ENGLISH.search("\n".join(line.rpartition(",")[2] for line in done.stdout.splitlines()[1:]))


def test_flags_name_where_answers_and_record_differ(place: Path) -> None:
    plain = json.loads(run("flags", "--format", "json").stdout)
    done = run("flags", "--answers", filled(*SIGNS), "--format", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found[0]["flag"] == "stage_against_signs"
    assert found[1:] == plain


def test_a_visit_sheet_says_where_answers_and_record_differ(place: Path, believed: Posterior) -> None:
    believed.save("model.nc")
    plain = run("brief", "--deal", "A1", "--model", "model.nc").stdout
    done = run("brief", "--deal", "A1", "--model", "model.nc", "--answers", filled(*SIGNS))
    assert done.exit_code == 0, done.output
    assert "Stage in the record, and the customer's signs, disagree" in done.stdout
    assert "disagree" not in plain
    chance = re.compile(r"Win probability \S+,")
    assert chance.search(done.stdout)[0] == chance.search(plain)[0]  # type: ignore[index]


def test_no_probability_depends_on_answers(place: Path) -> None:
    assert "--answers" not in CliRunner().invoke(main, ["predict", "--help"]).output


def test_a_wrong_answer_file_is_one_message_and_exit_code_one(place: Path) -> None:
    wrong = filled(("signs.exploration.says.nothing", "yes"), ("losses.low_ranks", "perhaps"), deal="A9")
    for command in (("worksheets",), ("flags",)):
        done = run(*command, "--answers", wrong)
        assert done.exit_code == 1
        assert done.stdout == ""
        assert "faults: 4" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_day_to_come_is_refused(place: Path) -> None:
    tomorrow = dt.date.today() + dt.timedelta(days=1)
    assert (
        f"'day' is '{tomorrow}'; it is after"
        in run("worksheets", "--answers", filled(*SIGNS[:1], day=f"{tomorrow}")).stderr
    )
    assert run("worksheets", "--answers", "answers.json", "--as-of", tomorrow).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Missing option '--out'"),
        (("--out", "w.csv"), 1, ".xlsx or an .html file"),
        (("--out", "w.xlsx", "--format", "csv"), 2, "go with --answers"),
        (("--out", "w.xlsx", "--deal", "A7"), 1, "A7"),
        (("--out", "deals.csv"), 1, "it is the input DEALS"),
        (("--answers", "answers.json", "--out", "answers.json"), 1, "it is the input --answers"),
        (("--answers", "none.json"), 1, "does not exist"),
        (("--answers", "answers.json", "--deal", "A7"), 1, "A7"),
        (("--out", "nowhere/w.xlsx"), 1, "nowhere"),
    ],
)
def test_mistakes_are_named(place: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    filled(*SIGNS)
    done = run("worksheets", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr
    assert Path("deals.csv").read_text("utf-8") == DEALS
