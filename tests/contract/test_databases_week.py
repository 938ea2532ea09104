"""The week and the bridge from a database: what they write is what they write from exports of the same rows."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import winprob
from tests.databases import PASSWORD, Server
from winprob.cli import main
from winprob.cli.week import TO_REVIEW
from winprob.model.posterior import Posterior
from winprob.routine import pages
from winprob.simulation import Simulation

DAY, LATER = "2026-10-05", "2026-10-12"
TYPES = {**dict.fromkeys(("as_of", "opened_on", "expected_close_on", "closed_on"), "date"), "amount": "numeric(14,2)"}
#: What was known on a day, from a table with a row for each deal and day on which it was read.
DEALS = "SELECT * FROM readings WHERE as_of = (SELECT max(as_of) FROM readings WHERE as_of <= :as_of) ORDER BY deal_id;"
PEOPLE = "SELECT * FROM people;"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def in_sqlite(tables: dict[str, pd.DataFrame], folder: Path) -> str:
    with sqlite3.connect(folder / "crm.db") as made:
        for name, table in tables.items():
            table.to_sql(name, made, index=False)
    made.close()
    return "sqlite:///../crm.db"


def in_postgresql(server: Server, tables: dict[str, pd.DataFrame]) -> str:
    with server.connect() as made:
        made.execute("DROP DATABASE IF EXISTS weeks")
        made.execute("CREATE DATABASE weeks")
    with server.connect("weeks") as made, made.cursor() as cursor:
        for name, table in tables.items():
            cursor.execute(f"CREATE TABLE {name} ({', '.join(f'{one} {TYPES.get(one, "text")}' for one in table)})")
            with cursor.copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy:
                copy.write(table.to_csv(index=False, header=False))
    return server.url("weeks")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def projects(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    posterior: Posterior,
    team: Simulation,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Two project folders with the same model: ``files`` takes exports of two weeks, ``database`` asks a database."""
    replace(posterior, draws={name: values[:, :50] for name, values in posterior.draws.items()}).save(tmp_path / "m.nc")
    # Strings as both files and databases hold them.
    some = pd.read_csv(io.StringIO(team.open.head(7).to_csv(index=False)), dtype=object)
    amount = some["amount"].astype(float)
    read = {DAY: some.assign(as_of=DAY), LATER: some.assign(as_of=LATER, amount=3 * amount)}
    people = pd.DataFrame({"deal_id": some["deal_id"][:2], "person": ["P1", "P2"], "role": "approver", "support": "4"})
    tables = {"readings": pd.concat(read.values()), "people": people}
    (tmp_path / "files" / "exports").mkdir(parents=True)
    (tmp_path / "database").mkdir()
    for day, table in read.items():
        table.to_csv(tmp_path / "files" / "exports" / f"crm_{day}.csv", index=False)
    people.to_csv(tmp_path / "files" / "people.csv", index=False)
    (tmp_path / "database" / "deals.sql").write_text(DEALS)
    (tmp_path / "database" / "people.sql").write_text(PEOPLE)
    if request.param == "sqlite":
        url = in_sqlite(tables, tmp_path)
    else:
        url = in_postgresql(request.getfixturevalue("postgres"), tables)
        monkeypatch.setenv("WINPROB_DATABASE_PASSWORD", PASSWORD)
    common = 'model = "../m.nc"\n[targets]\n"2026Q4" = 2e7\n'
    (tmp_path / "files" / "winprob.toml").write_text('export = "exports/crm_*.csv"\npeople = "people.csv"\n' + common)
    keys = f'database = "{url}"\nquery_timeout = 30\nexport = "deals.sql"\npeople = "people.sql"\n'
    (tmp_path / "database" / "winprob.toml").write_text(keys + common)
    return tmp_path


@pytest.fixture
def at(projects: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in one of the two folders."""
    # The page has tests of its own, and takes seconds.
    monkeypatch.setattr(pages, "_page", lambda week: f"{week.forecast.quarter.name} {week.forecast.p50} {week.bridge}")

    def run_at(name: str, *words: object) -> Result:
        monkeypatch.chdir(projects / name)
        return run(*words)

    return run_at


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_week_from_a_database_is_the_week_of_the_same_exports(projects: Path, at: Callable[..., Result]) -> None:
    """Two weeks: each asks for what was known on its day, and the second explains the change from the first."""
    for day in (DAY, LATER):
        by_file = at("files", "week", f"exports/crm_{day}.csv", "--sheets", "1")
        by_query = at("database", "week", "--as-of", day, "--sheets", "1")
        # To review: the people table and the deals differ in a support.
        assert by_file.exit_code == by_query.exit_code == TO_REVIEW, by_file.output + by_query.output
        assert f"deals.sql: 7 rows, for :as_of = {day}" in by_query.stderr
        assert "people.sql: 2 rows" in by_query.stderr
        assert f"Export: deals.sql, as of {day} (given)." in by_query.stdout
        written = files_of(projects / "database" / "reports" / day)
        assert written == files_of(projects / "files" / "reports" / day)
        assert {"actions.csv", "message.md", "review.html"} < set(written)
    histories = [winprob.read_history(projects / name / "history") for name in ("database", "files")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    people = histories[0].groupby("as_of").head(2)
    assert people["approver_support"].tolist() == [4.0] * 4


def test_a_week_whose_query_finds_nothing_writes_nothing(projects: Path, at: Callable[..., Result]) -> None:
    done = at("database", "week", "--as-of", "2020-01-06")
    assert done.exit_code == 1
    assert "deals.sql gave no rows" in done.stderr
    assert sorted(path.name for path in (projects / "database").iterdir()) == [
        "deals.sql",
        "people.sql",
        "winprob.toml",
    ]


def test_the_bridge_from_an_earlier_state_of_the_database(projects: Path, at: Callable[..., Result]) -> None:
    """``forecast --before x.sql``: the earlier deals are read as of their own day, in a project and with a URL."""
    asked = ("--quarter", "2026Q4", "--seed", 3, "--format", "json")
    before = ("--before", f"exports/crm_{DAY}.csv")
    by_file = at("files", "forecast", f"exports/crm_{LATER}.csv", *before, *asked)
    assert by_file.exit_code == 0, by_file.output
    words = ("--as-of", LATER, "--before", "deals.sql", "--before-as-of", DAY, *asked)
    by_query = at("database", "forecast", "deals.sql", *words)
    assert by_query.exit_code == 0, by_query.output
    assert json.loads(by_query.stdout) == json.loads(by_file.stdout)
    assert f"deals.sql: 7 rows, for :as_of = {DAY}" in by_query.stderr
    assert f"deals.sql: 7 rows, for :as_of = {LATER}" in by_query.stderr
