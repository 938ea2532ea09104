"""The command line as section 6 of the design promises it: columns, formats, streams, languages, exit codes.

Nothing here samples: models are all prior, or made by hand.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.model.posterior import Posterior
from winprob.settings import Settings

COMMANDS = (
    "demo",
    "simulate",
    "check",
    "train",
    "priors",
    "predict",
    "explain",
    "flags",
    "levers",
    "postmortem",
    "whatif",
)
#: In the design's order; the order is part of the promise.
COLUMNS = {
    "check": ["severity", "column", "rows", "first_deal", "message"],
    "train": ["parameter", "mean", "lower", "upper", "prior_share"],
    "priors": ["belief", "lower", "middle", "upper", "setting"],
    "predict": ["deal_id", "mean", "lower", "upper", "unknowns", "prior_share"],
    "explain": ["term", "log_odds", "lower", "upper", "text"],
    "effects": ["term", "level", "from", "to", "mean", "lower", "upper"],
    "flags": ["deal_id", "flag", "facts", "next_step"],
    "levers": [
        "deal_id",
        "role",
        "rank",
        "log_odds_lift",
        "odds_ratio",
        "win_prob_lift",
        "lower",
        "upper",
        "prob_best",
    ],
    "whatif": ["scenario", "mean", "lower", "upper", "win_prob_lift", "lift_lower", "lift_upper"],
    "postmortem": ["term", "log_odds_cost", "lower", "upper", "text"],
    "allocate": ["executive", "deal_id", "role", "expected_gain", "lower", "upper", "prob_in_best"],
}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Three English words in a row: no Chinese sentence holds them, nor does a name or a path.
ENGLISH = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")
ROOT = Path(__file__).parents[2]

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory, believed: Posterior) -> Path:
    """A simulated team's files and a model that has seen none of them."""
    folder = tmp_path_factory.mktemp("cli")
    told = CliRunner().invoke(main, ["simulate", "--deals", "60", "--open", "12", "--out", str(folder), "--seed", "5"])
    assert told.exit_code == 0, told.output
    believed.save(folder / "model.nc")
    executives = '[[executives]]\nname = "E1"\nslots = 2\n[[executives]]\nname = "E2"\nslots = 1\n'
    (folder / "executives.toml").write_text(executives)
    return folder


@pytest.fixture
def calls(work: Path, tmp_path: Path) -> dict[str, list[str]]:
    """Every command that shows a table, in a form that works."""
    deals, people, model = str(work / "open.csv"), str(work / "people.csv"), str(work / "model.nc")
    first = pd.read_csv(deals)["deal_id"].iloc[0]
    closed = pd.read_csv(work / "closed.csv")
    lost = closed.loc[closed["outcome"] == "lost", "deal_id"].iloc[0]
    shared = ["--people", people, "--model", model]
    return {
        "check": ["check", deals, "--people", people],
        "train": ["train", "--prior-only", "--model", str(tmp_path / "m.nc")],
        "priors": ["priors"],
        "predict": ["predict", deals, "--people", people, "--model", model],
        "explain": ["explain", deals, "--people", people, "--deal", first, "--model", model],
        "effects": ["effects", model],
        "flags": ["flags", deals, "--people", people],
        "levers": ["levers", deals, *shared],
        "whatif": ["whatif", deals, *shared, "--deal", first, "--set", "stage=decision", "--set", "coach=validated"],
        "postmortem": ["postmortem", str(work / "closed.csv"), *shared, "--deal", lost],
        "allocate": ["allocate", deals, *shared, "--executives", str(work / "executives.toml")],
    }


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def good(*arguments: object) -> Result:
    told = run(*arguments)
    assert told.exit_code == 0, told.output
    return told


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def drawn(text: str) -> list[str]:
    """Header, rule and rows of a table on the screen."""
    return [line for line in text.splitlines() if line.strip()]


# --- what there is -------------------------------------------------------------------------------------------------


def test_help_lists_every_command_in_the_order_of_use() -> None:
    told = good("--help").stdout
    listed = [name for name in re.findall(r"^  ([\w-]+)  ", told, re.MULTILINE) if name in main.commands]
    assert listed == list(main.commands)
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)
    assert good("-h").stdout == told


@pytest.mark.parametrize("command", list(main.commands))
def test_every_command_explains_itself(command: str) -> None:
    told = good(command, "--help").stdout
    assert told.startswith(f"Usage: main {command} ")
    # A group has none itself; its commands have (test_cli_models.py).
    assert ("--lang [en|zh]" in told) != isinstance(main.commands[command], click.Group)
    if command in COLUMNS:
        assert "--format [table|csv|json]" in told
        assert "--out" in told
    if command in ("check", "train", "predict", "explain"):
        assert all(option in told for option in ("--mapping", "--people"))


def test_every_command_that_the_readme_shows_exists() -> None:
    shown = re.findall(r"^\s*(?:\$ |uv run )?winprob ([a-z-]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert set(shown) <= set(main.commands)


def test_version() -> None:
    assert re.search(r"\d+\.\d+", good("--version").stdout)


# --- tables: screen, CSV, JSON, file -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COLUMNS)
def test_columns_are_the_designs_in_every_format(command: str, calls: dict[str, list[str]], tmp_path: Path) -> None:
    told = {form: good(*calls[command], "--format", form).stdout for form in ("table", "csv", "json")}
    header, *cells = rows(told["csv"])
    assert header == COLUMNS[command]
    records = json.loads(told["json"])
    assert isinstance(records, list)
    assert records
    assert all(list(record) == COLUMNS[command] for record in records)
    assert len(records) == len(cells)
    for record, row in zip(records, cells, strict=True):
        for value, cell in zip(record.values(), row, strict=True):
            if isinstance(value, float):
                assert float(cell) == pytest.approx(value, rel=1e-6)
            else:
                assert cell == ("" if value is None else str(value))
    lines = drawn(told["table"])
    # On the screen, predict shows what identifies a deal too.
    shown = ["deal_id", "account", "amount", *COLUMNS[command][1:]] if command == "predict" else COLUMNS[command]
    assert lines[0].split() == shown
    assert len(lines) >= 2 + len(records)
    assert "\x1b" not in told["table"]


@pytest.mark.parametrize("command", COLUMNS)
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_out_writes_what_the_screen_shows(command: str, form: str, calls: dict[str, list[str]], tmp_path: Path) -> None:
    shown = good(*calls[command], "--format", form).stdout
    told = good(*calls[command], "--format", form, "--out", tmp_path / "table")
    assert told.stdout == ""
    assert (tmp_path / "table").read_bytes().decode("utf-8") == shown
    assert {path.name for path in tmp_path.iterdir()} <= {"table", "m.nc"}


def test_table_is_the_default_and_draws_chances_in_percent(calls: dict[str, list[str]]) -> None:
    told = good(*calls["predict"]).stdout
    assert told == good(*calls["predict"], "--format", "table").stdout
    first = drawn(told)[2].split()
    assert re.fullmatch(r"[\d,]+", first[2])
    assert re.fullmatch(r"\d+%", first[3])
    assert first[-1] == "100%"


@pytest.mark.parametrize("command", COLUMNS)
def test_same_seed_same_bytes(command: str, calls: dict[str, list[str]]) -> None:
    assert good(*calls[command], "--format", "csv").stdout == good(*calls[command], "--format", "csv").stdout


def read_back(path: Path) -> pd.DataFrame:
    """The table in a file, with the types that its format has."""
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        ".csv": pd.read_csv,
        ".json": lambda file: pd.DataFrame(json.loads(file.read_text("utf-8"))),
        ".xlsx": lambda file: pd.read_excel(file, engine="calamine"),
        ".parquet": pd.read_parquet,
    }
    return readers[path.suffix.lower()](path)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".xlsx", ".parquet", ".XLSX"])
@pytest.mark.parametrize("command", ["check", "predict", "explain", "effects", "levers", "whatif", "allocate"])
def test_out_takes_its_format_from_the_suffix(
    command: str, suffix: str, calls: dict[str, list[str]], tmp_path: Path
) -> None:
    expected = pd.DataFrame(json.loads(good(*calls[command], "--format", "json").stdout))
    out = tmp_path / f"table{suffix}"
    assert good(*calls[command], "--out", out).stdout == ""
    got = read_back(out)
    assert list(got) == COLUMNS[command]
    # In JSON a column of numbers that are all missing has no type.
    numbers = {name: float for name in ("from", "to") if name in got}
    expected, got = expected.astype(numbers), got.astype(numbers)
    # CSV and XLSX do not distinguish a blank text from a missing one.
    blank_is_missing = suffix.lower() in (".csv", ".xlsx")
    expected, got = (frame.replace("", None) if blank_is_missing else frame for frame in (expected, got))
    pd.testing.assert_frame_equal(got, expected, check_dtype=False)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_text_file_holds_the_drawn_table(calls: dict[str, list[str]], tmp_path: Path) -> None:
    shown = good(*calls["predict"]).stdout
    for options in ([], ["--format", "table"]):
        good(*calls["predict"], "--out", tmp_path / "table.txt", *options)
        assert (tmp_path / "table.txt").read_text("utf-8") == shown


@pytest.mark.parametrize("suffix", [".xls", ".html", ".csv.gz", ".nc"])
@pytest.mark.parametrize("options", [[], ["--format", "csv"]])
def test_an_unknown_suffix_is_refused_before_the_work(
    suffix: str, options: list[str], calls: dict[str, list[str]], tmp_path: Path
) -> None:
    out = tmp_path / f"table{suffix}"
    refused = run("predict", "absent.csv", *calls["predict"][2:], "--out", out, *options)
    assert refused.exit_code == 1
    assert f"unknown suffix {out.suffix!r}; accepted: .csv, .json, .xlsx, .parquet, .txt" in refused.stderr
    assert not list(tmp_path.iterdir())
    chinese = run("predict", "absent.csv", *calls["predict"][2:], "--out", out, *options, "--lang", "zh")
    assert "不支持的扩展名" in chinese.stderr


@pytest.mark.parametrize(
    ("form", "name"),
    [("csv", "t.xlsx"), ("table", "t.csv"), ("json", "t.parquet"), ("csv", "t.txt")],
)
def test_a_format_that_contradicts_the_suffix_is_refused(
    form: str, name: str, calls: dict[str, list[str]], tmp_path: Path
) -> None:
    refused = run(*calls["predict"], "--format", form, "--out", tmp_path / name)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"and --format is {form}" in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_format_that_equals_the_suffix_is_accepted(form: str, calls: dict[str, list[str]], tmp_path: Path) -> None:
    shown = good(*calls["predict"], "--format", form).stdout
    good(*calls["predict"], "--format", form, "--out", tmp_path / f"t.{form}")
    assert (tmp_path / f"t.{form}").read_text("utf-8") == shown


# --- streams and languages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "english"),
    [
        ("check", "Ready to read"),
        ("train", "No deal was seen"),
        ("predict", "every figure here is prior"),
        ("explain", "to win"),
        ("effects", "every effect here is the prior's"),
        ("flags", "open deals have a red flag"),
        ("levers", "the levers are tied"),
        ("whatif", "One by one they add up"),
        ("postmortem", "Largest costs"),
    ],
)
def test_remarks_are_on_stderr_only(command: str, english: str, calls: dict[str, list[str]]) -> None:
    told = good(*calls[command])
    assert english in told.stderr
    assert english not in told.stdout


@pytest.mark.parametrize(
    "command", ["check", "train", "predict", "explain", "effects", "flags", "levers", "whatif", "postmortem"]
)
def test_remarks_in_chinese(command: str, calls: dict[str, list[str]], tmp_path: Path) -> None:
    told = good(*calls[command], "--lang", "zh").stderr.replace(str(tmp_path), "")
    for line in filter(None, told.splitlines()):
        assert CHINESE.search(line), line
        assert not ENGLISH.search(line), line


@pytest.mark.parametrize(
    ("command", "column"), [("check", "message"), ("priors", "belief"), ("explain", "text"), ("postmortem", "text")]
)
def test_texts_in_chinese_under_the_same_columns(command: str, column: str, calls: dict[str, list[str]]) -> None:
    english = pd.DataFrame(json.loads(good(*calls[command], "--format", "json").stdout))
    chinese = pd.DataFrame(json.loads(good(*calls[command], "--format", "json", "--lang", "zh").stdout))
    assert list(chinese) == list(english)
    others = [name for name in english if name != column]
    pd.testing.assert_frame_equal(chinese[others], english[others])
    for text in chinese[column]:
        assert CHINESE.search(text), text
        assert not ENGLISH.search(text), text
    assert not english[column].str.contains(CHINESE).any()


def test_the_language_ends_with_the_command(calls: dict[str, list[str]]) -> None:
    before = good(*calls["check"]).stderr
    good(*calls["check"], "--lang", "zh")
    assert good(*calls["check"]).stderr == before


def test_warnings_of_the_library_are_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    from winprob.model import summary

    original = summary.prior_sheet

    def warn(settings: Settings) -> pd.DataFrame:
        logging.getLogger("winprob.settings").warning("setting %s has a new name", "a\x1b[2Jb")
        logging.getLogger("winprob.settings").info("not shown")
        return original(settings)

    monkeypatch.setattr(summary, "prior_sheet", warn)
    told = good("priors", "--format", "csv")
    assert told.stderr == "setting a\ufffd[2Jb has a new name\n"
    assert rows(told.stdout)[0] == COLUMNS["priors"]
    assert logging.getLogger("winprob").handlers == []


# --- usage: exit 2 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["forecastt"],
        ["check"],
        ["check", "x.csv", "--colour"],
        ["check", "x.csv", "--format", "xml"],
        ["check", "x.csv", "--lang", "fr"],
        ["predict", "x.csv"],
        ["predict", "--model", "m.nc"],
        ["explain", "x.csv", "--model", "m.nc"],
        ["simulate"],
        ["simulate", "--out", "x", "--deals", "many"],
        ["simulate", "--out", "x", "--deals", "-1"],
        ["simulate", "--out", "x", "--open", "-1"],
        ["simulate", "--out", "x", "--deals", "100000000000000"],
        ["simulate", "--out", "x", "--seed", "-1"],
        ["simulate", "--out", "x", "--seed", "99999999999999999999999"],
        ["train"],
        ["train", "x.csv"],
        ["train", "--model", "m.nc"],
        ["train", "x.csv", "--prior-only", "--model", "m.nc"],
        ["train", "x.csv", "--model", "m.nc", "--as-of", "2026-13-01"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = run(*arguments)
    assert told.exit_code == 2
    assert "Usage:" in told.stderr
    assert told.stdout == ""
    assert list(tmp_path.iterdir()) == []


# --- simulate ------------------------------------------------------------------------------------------------------


def test_simulate_writes_the_four_files(tmp_path: Path) -> None:
    told = good("simulate", "--deals", "30", "--open", "7", "--out", tmp_path / "new" / "data", "--seed", "3")
    folder = tmp_path / "new" / "data"
    assert sorted(path.name for path in folder.iterdir()) == ["closed.csv", "open.csv", "people.csv", "truth.nc"]
    closed, open_deals, people = (pd.read_csv(folder / f"{name}.csv") for name in ("closed", "open", "people"))
    assert (len(closed), len(open_deals)) == (30, 7)
    assert set(closed["outcome"]) <= {"won", "lost", "no_decision"}
    assert set(open_deals["outcome"]) == {"open"}
    assert set(people["deal_id"]) <= {*closed["deal_id"], *open_deals["deal_id"]}
    assert told.stdout == ""
    assert "30" in told.stderr
    assert "7" in told.stderr
    chinese = good("simulate", "--deals", "3", "--open", "2", "--out", tmp_path / "b", "--lang", "zh")
    assert all(CHINESE.search(line) for line in chinese.stderr.splitlines() if line)


def test_simulate_again_is_the_same(work: Path, tmp_path: Path) -> None:
    good("simulate", "--deals", "60", "--open", "12", "--out", tmp_path, "--seed", "5")
    good("simulate", "--deals", "60", "--open", "12", "--out", tmp_path / "other", "--seed", "6")
    for name in ("closed.csv", "open.csv", "people.csv"):
        assert (tmp_path / name).read_bytes() == (work / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (work / name).read_bytes()


def test_simulate_check_predict(work: Path) -> None:
    deals, people, model = work / "open.csv", work / "people.csv", work / "model.nc"
    assert good("check", work / "closed.csv", "--people", people)
    assert good("check", deals, "--people", people)
    wide = pd.DataFrame(json.loads(good("predict", deals, "--model", model, "--format", "json").stdout))
    merged = pd.DataFrame(
        json.loads(good("predict", deals, "--people", people, "--model", model, "--format", "json").stdout)
    )
    wanted = pd.read_csv(deals)["deal_id"].tolist()
    assert merged["deal_id"].tolist() == wide["deal_id"].tolist() == wanted
    for table in (wide, merged):
        assert (table["lower"] < table["mean"]).all()
        assert (table["mean"] < table["upper"]).all()
        assert table[["lower", "upper"]].to_numpy().min() >= 0
        assert table[["lower", "upper"]].to_numpy().max() <= 1
        assert table["unknowns"].between(0, 9).all()
    # What people say of a role is not what the wide column says: a reading each.
    assert (merged["mean"] != wide["mean"]).any()


# --- check ---------------------------------------------------------------------------------------------------------


def test_check_exits_1_with_the_table_on_stdout(tmp_path: Path) -> None:
    deals = tmp_path / "deals.csv"
    deals.write_text("deal_id,outcome,amount,approver_support\nD1,won,minus,3\nD2,maybe,5,9\n")
    told = run("check", deals, "--format", "csv")
    assert told.exit_code == 1
    header, *cells = rows(told.stdout)
    assert header == COLUMNS["check"]
    errors = [row for row in cells if row[0] == "error"]
    assert {row[1] for row in errors} == {"outcome", "amount", "approver_support"}
    assert [row[0] for row in cells] == sorted((row[0] for row in cells), key=["error", "warning", "note"].index)
    assert "3 errors" in told.stderr
    assert CHINESE.search(run("check", deals, "--lang", "zh").stderr)


# --- train ---------------------------------------------------------------------------------------------------------


def test_prior_only_needs_no_deals_and_its_model_works(work: Path, tmp_path: Path) -> None:
    told = good("train", "--prior-only", "--model", tmp_path / "m.nc", "--format", "json", "--seed", "4")
    table = pd.DataFrame(json.loads(told.stdout))
    assert table["parameter"].is_unique
    assert (table["lower"] <= table["mean"]).all()
    assert (table["mean"] <= table["upper"]).all()
    assert (table["prior_share"] == 1).all()
    assert str(tmp_path / "m.nc") in told.stderr
    assert good("predict", work / "open.csv", "--model", tmp_path / "m.nc").stdout
    again = good("train", "--prior-only", "--model", tmp_path / "n.nc", "--format", "json", "--seed", "4")
    assert again.stdout == told.stdout
    other = good("train", "--prior-only", "--model", tmp_path / "n.nc", "--format", "json", "--seed", "5")
    assert other.stdout != told.stdout


def test_settings_reach_the_prior(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[priors]\nintercept = [2.0, 0.1]\n")
    sheet = json.loads(good("priors", "--settings", tmp_path / "s.toml", "--format", "json").stdout)
    rate = next(record for record in sheet if record["setting"] == "intercept")
    assert rate["lower"] > 0.8
    told = good(
        "train", "--prior-only", "--settings", tmp_path / "s.toml", "--model", tmp_path / "m.nc", "--parameters"
    ).stdout
    assert re.search(r"^ ?intercept +(1\.9|2\.0)", told, re.MULTILINE)


@pytest.fixture
def fitted(posterior: Posterior, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Training without sampling: what `fit` was asked is noted, and a model made by hand comes back."""
    asked: list[dict[str, Any]] = []
    gates = {"r_hat": 1.003, "bulk_ess": 1500.0, "tail_ess": 1200.0, "divergent_share": 0.0, "bfmi": 0.9}
    model = replace(posterior, provenance=replace(posterior.provenance, gates=gates))

    def fit(deals: pd.DataFrame, **options: Any) -> Posterior:
        asked.append({"deals": deals, **options})
        options["progress"]("sampling", 0.5)
        return model

    monkeypatch.setattr("winprob.model.inference.fit", fit)
    return asked


def test_train_says_what_to_make_of_it(work: Path, tmp_path: Path, fitted: list[dict[str, Any]]) -> None:
    told = good("train", work / "closed.csv", "--model", tmp_path / "m.nc", "--format", "csv", "--seed", "9")
    assert rows(told.stdout)[0] == COLUMNS["train"]
    for word in ("sampling", "600 closed deals", "R-hat 1.003", "prior", str(tmp_path / "m.nc")):
        assert word in told.stderr
    assert "sampling" not in told.stdout
    (asked,) = fitted
    assert len(asked["deals"]) == 60
    assert asked["seed"] == 9
    assert asked["settings"] == Settings()
    assert asked["one_outcome"] is False
    chances = good("predict", work / "open.csv", "--model", tmp_path / "m.nc", "--format", "json")
    assert "prior" not in chances.stderr
    shares = [record["prior_share"] for record in json.loads(chances.stdout)]
    assert all(0 < share <= 1 for share in shares)


def test_train_in_chinese(work: Path, tmp_path: Path, fitted: list[dict[str, Any]]) -> None:
    told = good("train", work / "closed.csv", "--model", tmp_path / "m.nc", "--lang", "zh")
    lines = [line for line in told.stderr.replace(str(tmp_path), "").splitlines() if line and line != "sampling"]
    assert len(lines) >= 4
    for line in lines:
        assert CHINESE.search(line), line
        assert not ENGLISH.search(line), line


def test_as_of_leaves_out_what_came_later(work: Path, tmp_path: Path, fitted: list[dict[str, Any]]) -> None:
    closed = pd.read_csv(work / "closed.csv")
    day = closed["closed_on"].sort_values().iloc[len(closed) // 2]
    done = good("train", work / "closed.csv", "--model", tmp_path / "m.nc", "--as-of", day, "--one-outcome")
    (asked,) = fitted
    wanted = closed[(closed["closed_on"] <= day) & (closed["as_of"] <= day)]
    assert f"{len(closed) - len(wanted)} of {len(closed)} closed deals are left out" in done.stderr
    assert 0 < len(wanted) < len(closed)
    assert asked["deals"]["deal_id"].tolist() == wanted["deal_id"].tolist()
    assert asked["one_outcome"] is True


def test_a_model_file_that_is_there_is_replaced(work: Path, tmp_path: Path, fitted: list[dict[str, Any]]) -> None:
    model = tmp_path / "m.nc"
    model.write_text("old")
    good("train", work / "closed.csv", "--model", model)
    assert Posterior.load(model)
    assert [path.name for path in tmp_path.iterdir()] == ["m.nc"]


# --- explain -------------------------------------------------------------------------------------------------------


def test_explain_adds_up_to_what_it_says(calls: dict[str, list[str]]) -> None:
    told = good(*calls["explain"], "--format", "json")
    table = pd.DataFrame(json.loads(told.stdout))
    assert table["term"].iloc[0] == "base_rate"
    assert table["term"].iloc[-1] == "doubt"
    assert f"{table['log_odds'].sum():+.2f}" in told.stderr
    predicted = {record["deal_id"]: record for record in json.loads(good(*calls["predict"], "--format", "json").stdout)}
    chance = predicted[calls["explain"][calls["explain"].index("--deal") + 1]]
    assert f"{chance['mean']:.0%} to win ({chance['lower']:.0%} to {chance['upper']:.0%})" in told.stderr


def test_explain_and_its_remark_take_the_same_last_reading(work: Path, tmp_path: Path) -> None:
    weak, strong = "D1,2026-01-05,difficulty,1,1,1", "D1,2026-06-05,decision,4,4,4"
    head = "deal_id,as_of,stage,approver_support,decision_maker_support,evaluator_support"
    told = []
    for order in ([weak, strong], [strong, weak]):
        (tmp_path / "d.csv").write_text("\n".join([head, *order]) + "\n")
        told.append(good("explain", tmp_path / "d.csv", "--deal", "D1", "--model", work / "model.nc"))
    assert told[0].stdout == told[1].stdout
    assert told[0].stderr == told[1].stderr


# --- the program itself --------------------------------------------------------------------------------------------


def program(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    name = [Path(sys.executable).with_name("winprob"), *arguments]
    return subprocess.run(name, capture_output=True, text=True, timeout=120, encoding="utf-8", **options)


def test_the_installed_program(calls: dict[str, list[str]], tmp_path: Path) -> None:
    told = program(*calls["predict"], "--format", "csv")
    assert (told.returncode, told.stdout) == (0, good(*calls["predict"], "--format", "csv").stdout)
    assert told.stderr == "This model has seen no deal: every figure here is prior.\n"
    told = program("predict", tmp_path / "none.csv", "--model", calls["predict"][-1])
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("winprob: ")
    assert told.stderr.count("\n") == 1
    assert program("predict").returncode == 2


def test_help_and_prediction_load_no_pymc(calls: dict[str, list[str]]) -> None:
    script = (
        "import sys\nfrom winprob.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'pymc', 'pytensor', 'arviz', 'nutpie'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    for arguments in (["--help"], calls["predict"], calls["explain"]):
        told = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120)
        assert told.returncode == 0, told.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_demo_tells_the_whole_story(tmp_path: Path) -> None:
    told = good("demo", "--out", tmp_path / "story", "--lang", "zh")
    made = [path for path in (tmp_path / "story").rglob("*") if path.is_file()]
    for ending in (".html", ".nc", ".csv"):
        assert any(path.suffix == ending and path.stat().st_size > 100 for path in made), (ending, made)
    assert {"closed.csv", "open.csv", "people.csv", "truth.nc"} <= {path.name for path in made}
    for page in (path for path in made if path.suffix == ".html"):
        text = page.read_text("utf-8")
        assert CHINESE.search(text)
        assert not re.search(r"(?:src|href)=[\"']https?://", text)
    assert CHINESE.search(told.stderr)
