"""The project folder: ``init`` by options and by questions, defaults of every command, ``config`` and its sources."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main, project
from winprob.data.tables import PRESETS, detect_preset, preset_text
from winprob.model.posterior import Posterior
from winprob.routine.export import day_in_name, export_pattern, newest_export
from winprob.simulation import Simulation

PEOPLE = "deal_id,as_of,person,role,support\nD1,2026-09-30,P1,approver,3\n"
DEALS = (
    "deal_id,as_of,outcome,amount,currency,stage\n"
    "D1,2026-09-30,open,100000,CNY,approval\n"
    "D2,2026-09-30,won,200000,CNY,decision\n"
    "D3,2026-09-30,lost,300000,CNY,evaluation\n"
)


def run(*words: object, answers: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], input=answers)


@pytest.fixture
def team_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "team"
    (folder / "exports").mkdir(parents=True)
    (folder / "exports" / "crm_2026-09-30.csv").write_text(DEALS)
    (folder / "people.csv").write_text(PEOPLE)
    return folder


def table(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "winprob.toml").read_text("utf-8"))


def sources(*options: object) -> dict[str, tuple[object, str]]:
    done = run("config", *options, "--format", "json")
    assert done.exit_code == 0, done.stderr
    return {row["setting"]: (row["value"], row["source"]) for row in json.loads(done.stdout)}


def test_every_answer_is_an_option(team_folder: Path) -> None:
    export = team_folder / "exports" / "crm_2026-09-30.csv"
    done = run(
        "init", team_folder, "--export", export, "--people", team_folder / "people.csv",
        "--target", "2026Q4=12,000,000", "--target", "FY27 Q1=5e6", "--language", "zh", "--company", "示例",
        "--registry", team_folder / "reg",
        "--fiscal-year-start-month", "1",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert table(team_folder) == {
        "export": "exports/crm_*.csv",
        "people": "people.csv",
        "settings": "settings.toml",
        "registry": "reg",
        "history": "history",
        "log": "forecasts",
        "outputs": "reports",
        "language": "zh",
        "company": "示例",
        "targets": {"2026Q4": 12000000, "FY27 Q1": 5000000},
    }
    assert "3 个商机，1 个在途，2 个已结束" in done.stderr
    assert "winprob week" in done.stderr
    assert all(
        line.startswith(("#", "[")) or " = " in line
        for line in (team_folder / "winprob.toml").read_text("utf-8").split("\n")
        if line
    )


def test_on_a_terminal_it_asks_for_what_is_missing(team_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "on_terminal", lambda: True)
    export = team_folder / "exports" / "crm_2026-09-30.csv"
    done = run("init", team_folder, "--people", team_folder / "people.csv", answers=f"{export}\nACME\n7000000\n")
    assert done.exit_code == 0, done.stderr
    assert "Bookings to reach in 2026Q4" in done.stderr
    written = table(team_folder)
    assert (written["export"], written["company"], written["targets"]) == (
        "exports/crm_*.csv",
        "ACME",
        {"2026Q4": 7000000},
    )


def test_without_a_terminal_it_never_waits(tmp_path: Path) -> None:
    done = run("init", tmp_path / "new")
    assert done.exit_code == 0
    assert "EXPORT" in done.stderr
    assert "export" not in table(tmp_path / "new")


def test_another_file_is_not_overwritten_without_force(team_folder: Path) -> None:
    assert run("init", team_folder, "--company", "A").exit_code == 0
    first = (team_folder / "winprob.toml").read_bytes()
    assert run("init", team_folder, "--company", "A").exit_code == 0
    refused = run("init", team_folder, "--company", "B", "--target", "2026Q4=5")
    assert refused.exit_code == 1
    assert "company: A -> B" in refused.stderr
    assert "targets.2026Q4: - -> 5" in refused.stderr
    assert (team_folder / "winprob.toml").read_bytes() == first
    assert run("init", team_folder, "--company", "B", "--force").exit_code == 0
    assert table(team_folder)["company"] == "B"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--target", "2026Q4"], 2, "2026Q4=12000000"),
        (["--target", "2026Q9=5"], 1, "2026Q9"),
        (["--people", "nowhere.csv", "--rates", "none.csv"], 1, "--people nowhere.csv, --rates none.csv"),
        (["--export", "nowhere/*.csv"], 1, "nowhere/*.csv"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    tmp_path: Path, options: list[str], code: int, words: str
) -> None:
    done = run("init", tmp_path / "new", *options)
    assert (done.exit_code, words in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "new" / "winprob.toml").exists()


def test_the_month_of_another_settings_file_is_not_contradicted(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[calendar]\nfiscal_year_start_month = 7\n")
    done = run("init", tmp_path, "--settings", tmp_path / "s.toml", "--fiscal-year-start-month", 4)
    assert done.exit_code == 1
    assert "fiscal_year_start_month = 7" in done.stderr


def test_config_shows_each_setting_and_where_it_comes_from(team_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = team_folder / "people.csv"
    run("init", team_folder, "--people", people, "--target", "2026Q4=5", "--fiscal-year-start-month", 4)
    (team_folder / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(team_folder / "deep" / "er")
    found = sources("--people", "mine.csv", "--lang", "zh")
    assert found["people"] == ("mine.csv", "flag")
    assert found["language"] == ("zh", "flag")
    assert found["history"] == ("../../history", "winprob.toml")
    assert found["target 2026Q4"] == ("5", "winprob.toml")
    assert found["company"] == (None, "default")
    assert found["fiscal_year_start_month"] == ("4", "settings.toml")
    assert list(pd.DataFrame(json.loads(run("config", "--format", "json").stdout))) == ["setting", "value", "source"]


def test_config_without_a_project_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("config")
    assert done.exit_code == 0
    assert "winprob init" in done.stderr


def test_a_broken_file_is_one_error_with_every_offence(team_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = 'exprot = "x"\npeople = "gone.csv"\nlanguage = "fr"\npreset = "salesfroce"\n'
    broken += '[targets]\n"2026Q9" = 5\n"2026Q4" = -1\n'
    (team_folder / "winprob.toml").write_text(broken)
    monkeypatch.chdir(team_folder)
    done = run("check", "exports/crm_2026-09-30.csv")
    assert done.exit_code == 1
    for words in (
        "winprob.toml",
        "'exprot'",
        "'export'",
        "gone.csv",
        "language",
        "salesforce",
        "2026Q9",
        "'targets.2026Q4'",
    ):
        assert words in done.stderr
    assert run("predict", "x.csv", "--help").exit_code == 0
    assert run("init", ".", "--force").exit_code == 0
    assert run("check", "exports/crm_2026-09-30.csv").exit_code == 0


@pytest.fixture
def fitted(team_folder: Path, posterior: Posterior, team: Simulation, monkeypatch: pytest.MonkeyPatch) -> Path:
    posterior.save(team_folder / "model.nc")
    team.open.head(6).to_csv(team_folder / "open.csv", index=False)
    done = run("init", team_folder, "--model", team_folder / "model.nc", "--language", "zh", "--target", "2026Q4=9e6")
    assert done.exit_code == 0, done.stderr
    monkeypatch.chdir(team_folder / "exports")
    return team_folder


def test_commands_below_the_folder_take_its_defaults(fitted: Path) -> None:
    done = run("forecast", "../open.csv", "--quarter", "2026Q4", "--format", "json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)[-1]["prob_target"] is not None
    assert "概率" in done.stderr
    assert list((fitted / "forecasts").glob("*.parquet"))
    other = run("forecast", "../open.csv", "--quarter", "2027Q1", "--format", "json")
    assert json.loads(other.stdout)[-1]["prob_target"] is None


def test_an_option_takes_precedence(fitted: Path) -> None:
    by_project = run("forecast", "../open.csv", "--quarter", "2026Q4", "--format", "json")
    done = run("forecast", "../open.csv", "--quarter", "2026Q4", "--target", "1", "--lang", "en", "--format", "json")
    assert json.loads(done.stdout)[-1]["prob_target"] > json.loads(by_project.stdout)[-1]["prob_target"]
    assert "probability" in done.stderr
    refused = run("predict", "../open.csv", "--model", "nowhere.nc")
    assert refused.exit_code == 1
    assert "nowhere.nc" in refused.stderr
    # A file that a command writes never has the project's value.
    assert run("train", "../open.csv").exit_code == 2


def test_a_usage_error_is_in_the_language_of_the_project(fitted: Path) -> None:
    assert "缺少参数" in run("predict").stderr


def test_how_an_export_is_read_does_not_concern_a_history(team_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init", team_folder, "--people", team_folder / "people.csv")
    monkeypatch.chdir(team_folder)
    assert run("snapshot", "exports/crm_2026-09-30.csv", "--as-of", "2026-09-30").exit_code == 0
    assert run("check", "history").exit_code == 0
    assert run("check", "history", "--people", "people.csv").exit_code == 1


def test_a_mapping_on_the_command_line_replaces_the_preset(team_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (team_folder / "m.toml").write_text('[columns]\ndeal_id = "deal_id"\noutcome = "outcome"\n')
    run("init", team_folder, "--preset", "salesforce")
    monkeypatch.chdir(team_folder)
    assert run("check", "exports/crm_2026-09-30.csv").exit_code == 1
    assert run("check", "exports/crm_2026-09-30.csv", "--mapping", "m.toml").exit_code == 0


@pytest.mark.parametrize("name", PRESETS)
def test_the_preset_is_detected_by_the_headers(name: str, tmp_path: Path) -> None:
    columns = tomllib.loads(preset_text(name))["columns"]
    headers = dict.fromkeys(given["column"][0] for given in columns.values())
    path = tmp_path / "export.csv"
    path.write_text(f"{','.join(headers)}\n{','.join('1' for _ in headers)}\n", encoding="utf-8")
    assert detect_preset(path) == name


def test_canonical_headers_need_no_preset(team_folder: Path) -> None:
    assert detect_preset(team_folder / "exports" / "crm_2026-09-30.csv") is None


def test_the_newest_export_is_that_of_the_latest_day(tmp_path: Path) -> None:
    for day in ("2026-09-07", "2026-08-31", "20260901"):
        (tmp_path / f"crm_{day}.csv").write_text("x")
    assert export_pattern("a/crm_2026-09-07.csv") == "a/crm_*.csv"
    assert newest_export(tmp_path, "crm_*.csv").name == "crm_2026-09-07.csv"
    assert day_in_name(Path("v20260901_7.csv")) is None or day_in_name(Path("v20260901_7.csv")).year == 2026
    assert day_in_name(Path("crm_2026-02-30.csv")) is None
