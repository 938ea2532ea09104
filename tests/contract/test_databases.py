"""Deals, people and rates from a database: read-only, the same frames as from a file, and no password anywhere."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import sqlite3
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import keyring
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from keyring.backend import KeyringBackend
from pyarrow import parquet as pq

import winprob
from tests.databases import PASSWORD, Server
from winprob.cli import main
from winprob.data.tables import deal_blocks, read_people_table, read_rates, read_visits
from winprob.data.tables.databases.connection import rows_of
from winprob.data.tables.databases.queries import on_day, parse_query, table_file
from winprob.errors import InputError

DATA = Path(__file__).parents[2] / "data"
ZONE = dt.timezone(dt.timedelta(hours=8))
COLUMNS = {
    "deal_id": "text",
    "account": "varchar(40)",
    "amount": "numeric(14,2)",
    "weight": "numeric(12,3)",
    "long_id": "numeric(20,0)",
    "opened_on": "date",
    "as_of": "timestamp",
    "closed_on": "timestamptz",
    "is_won": "boolean",
    "seats": "bigint",
    "share": "double precision",
    "extra": "json",
    "tags": "text[]",
}
ROWS: list[tuple[Any, ...]] = [
    ("D-1", "华为技术有限公司", Decimal("1250000.50"), Decimal("1.234"), Decimal("12345678901234567890"),
     dt.date(2026, 1, 2), dt.datetime(2026, 6, 30, 23, 30), dt.datetime(2026, 7, 1, 6, 30, tzinfo=ZONE), True, 12, 0.25,
     '{"b": 1.50, "a": "中文, \\"q\\""}', ["x", "y z"]),
    ("D-2", None, None, None, None, None, dt.datetime(2026, 6, 30), None, None, None, None, None, None),
    ("D-3", "Müller; \"GmbH\"\nBonn", Decimal("7.00"), Decimal("2.000"), Decimal("5"), dt.date(1999, 12, 31),
     dt.datetime(2026, 6, 30, 0, 0, 1), dt.datetime(2026, 6, 1, tzinfo=ZONE), False, 0, 1e-7, "[1, null]", []),
]  # fmt: skip
MAPPING = {
    "columns": {
        "deal_id": "deal_id", "account": "account", "amount": "amount", "opened_on": "opened_on", "as_of": "as_of",
        "closed_on": "closed_on",
        "outcome": {"column": "is_won", "values": {"won": ["true"], "lost": ["false"]}, "other": "open"},
    },
    "covariates": {"varying": ["long_id", "extra", "is_won"], "numeric": ["weight", "seats", "share"]},
    "zone": "Asia/Shanghai",
}  # fmt: skip
PEOPLE = "deal_id,person,role,support\nD1,P1,approver,3\nD2,P2,evaluator,1\n"
RATES = "currency,rate,from\nUSD,7.1,2026-01-01\nEUR,8.25,2026-01-01\n"
VISITS = "deal_id,role,executive,date,tier_before,tier_after\nD1,approver,E1,2026-05-04,2,3\n"
DEALS = (
    "deal_id,as_of,outcome,amount,currency,stage,closed_on\n"
    "D1,2026-09-30,open,100000,CNY,approval,\n"
    "D2,2026-09-30,won,200000,CNY,decision,2026-08-01\n"
    "D3,2026-09-30,lost,300000,CNY,evaluation,2026-07-01\n"
)
SELECT = """SELECT deal_id, :as_of AS as_of, outcome, amount, currency, stage, closed_on
FROM deals WHERE closed_on IS NULL OR closed_on <= :as_of ORDER BY deal_id;
"""


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``crm.db``, the same tables as CSV files, and a query for each."""
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect("crm.db") as made:
        for name, text in {"deals": DEALS, "people": PEOPLE, "rates": RATES, "visits": VISITS}.items():
            Path(f"{name}.csv").write_text(text)
            table = pd.read_csv(f"{name}.csv")
            table.to_sql(name, made, index=False)
            Path(f"{name}.sql").write_text(SELECT if name == "deals" else f"SELECT * FROM {name};\n")
    made.close()
    return tmp_path


@pytest.fixture(scope="module")
def crm(postgres: Server) -> str:
    """The URL of a database with the deals of ``ROWS``; without a password."""
    with postgres.connect() as made:
        made.execute("CREATE DATABASE crm")
    with postgres.connect("crm") as made:
        made.execute(f"CREATE TABLE deals ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
        made.execute("CREATE SEQUENCE numbers")
        with made.cursor() as cursor:
            cursor.executemany(f"INSERT INTO deals VALUES ({', '.join(['%s'] * len(COLUMNS))})", ROWS)
    return postgres.url("crm")


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINPROB_DATABASE_PASSWORD", PASSWORD)


def query(folder: Path, text: str) -> Path:
    path = folder / "query.sql"
    path.write_text(text, encoding="utf-8")
    return path


def written(path: Path, rows: list[tuple[Any, ...]], names: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *[["" if cell is None else cell for cell in row] for row in rows]])
    return path


# ---- equal frames ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("password")
def test_postgresql_and_a_csv_of_the_same_rows_give_equal_frames(crm: str, tmp_path: Path) -> None:
    by_file = winprob.read_deals(written(tmp_path / "deals.csv", ROWS, [*COLUMNS]), MAPPING)
    by_query = winprob.read_deals(crm, MAPPING, query=query(tmp_path, "SELECT * FROM deals"))
    pd.testing.assert_frame_equal(by_query, by_file)
    assert by_query.attrs == by_file.attrs
    assert by_query["account"].tolist()[0] == "华为技术有限公司"
    assert by_query["closed_on"].tolist()[0] == pd.Timestamp("2026-07-01")
    assert by_query["outcome"].fillna("").tolist() == ["won", "", "lost"]
    assert by_query["amount"].isna().tolist() == [False, True, False]


@pytest.mark.usefixtures("password")
def test_the_servers_own_csv_gives_an_equal_frame(crm: str, postgres: Server, tmp_path: Path) -> None:
    select = (
        "SELECT deal_id, account, amount, opened_on, as_of, closed_on, seats, share, long_id, tags, "
        "extra::jsonb AS extra FROM deals"
    )
    with postgres.connect("crm") as made, made.cursor().copy(f"COPY ({select}) TO STDOUT (FORMAT csv, HEADER)") as copy:
        (tmp_path / "copy.csv").write_bytes(b"".join(copy))
    by_query = winprob.read_deals(crm, query=query(tmp_path, select))
    pd.testing.assert_frame_equal(by_query, winprob.read_deals(tmp_path / "copy.csv"))
    assert by_query["extra"].tolist()[0] == '{"a": "中文, \\"q\\"", "b": 1.50}'


#: Two rows of each type, the second null; what is read of the first, and its type.
TYPES: list[tuple[str, object]] = [
    ("true", True), ("7::smallint", 7), ("-7", -7), ("9223372036854775807::bigint", 2**63 - 1), ("26::oid", 26),
    ("0.1::real", 0.1), ("1e-7::float8", 1e-7), ("'-Infinity'::float8", float("-inf")), ("1250000.50", 1250000.5),
    ("12345678901234567890", "12345678901234567890"), ("9007199254740993", 2**53 + 1), ("7.00", 7.0),
    ("9007199254740993.0", "9007199254740993"), ("'Infinity'::numeric", float("inf")), ("1e30", str(10**30)),
    ("''", ""), ("' a \"b\" '", ' a "b" '), ("E'\\\\N'", "\\N"), ("'\\.'", "\\."), ("E'a\\r\\nb'", "a\r\nb"),
    ("'中文, 100%'", "中文, 100%"),
    ("'x'::char(3)", "x  "), ("'n'::name", "n"), ("'\\xdeadbeef'::bytea", "\\xdeadbeef"),
    ("DATE '2026-06-30'", "2026-06-30"), ("DATE 'infinity'", "infinity"), ("TIME '12:30'", "12:30:00"),
    ("TIMESTAMP '2026-06-30 23:30:00.5'", "2026-06-30 23:30:00.5"),
    ("TIMESTAMPTZ '2026-06-30 23:30:00+00'", "2026-06-30 23:30:00+00:00"),
    ("INTERVAL '1 day 2 hours'", "1 day 02:00:00"), ("ARRAY[1, NULL, 3]", "{1,NULL,3}"),
    ("ARRAY['a,b', '']", '{"a,b",""}'),
    ("'{\"b\": 1.50}'::json", '{"b": 1.50}'), ("'{\"b\": 1.50}'::jsonb", '{"b": 1.50}'),
    ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("int4range(1, 5)", "[1,5)"), ("INET '10.0.0.1/8'", "10.0.0.1/8"), ("B'101'", "101"), ("ROW(1, 'a')", "(1,a)"),
]  # fmt: skip


@pytest.mark.usefixtures("password")
def test_each_type_of_postgresql_is_read_as_the_server_writes_it(crm: str, tmp_path: Path) -> None:
    columns = ", ".join(f"CASE WHEN row = 1 THEN {sql} END AS c" for sql, _ in TYPES)
    rows = "FROM (VALUES (1), (2)) AS two (row) ORDER BY row"
    text = f"-- 100% of them, all of one name\nSELECT {columns}, :as_of AS day, NULL AS c {rows}"
    with winprob.database(crm, as_of="2026-06-30"):
        table = pq.ParquetFile(table_file(query(tmp_path, text))).read()
    first, second = ([column[at].as_py() for column in table.columns] for at in (0, 1))
    assert first == [*(value for _, value in TYPES), "2026-06-30", None]
    assert [type(one) for one in first[:-2]] == [type(value) for _, value in TYPES]
    assert second == [*[None] * len(TYPES), "2026-06-30", None]
    assert table.column_names.count("c") == len(TYPES) + 1


@pytest.mark.usefixtures("password")
def test_a_number_of_three_decimals_is_never_thousands(crm: str, tmp_path: Path) -> None:
    deals = winprob.read_deals(crm, query=query(tmp_path, "SELECT deal_id, weight AS amount FROM deals"))
    assert deals["amount"].tolist()[0] == 1.234


@pytest.mark.usefixtures("work")
def test_sqlite_and_files_give_equal_frames_of_every_table() -> None:
    with winprob.database("sqlite:///crm.db", as_of="2026-09-30"):
        assert_equal(
            winprob.read_deals("deals.sql", people="people.sql"), winprob.read_deals("deals.csv", people="people.csv")
        )
        for read, name in ((read_people_table, "people"), (read_rates, "rates"), (read_visits, "visits")):
            assert_equal(read(f"{name}.sql"), read(f"{name}.csv"))
        blocks = pd.concat(deal_blocks("deals.sql", rows=2), ignore_index=True)
        assert_equal(blocks, winprob.read_deals("deals.csv"))


def assert_equal(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other)


@pytest.mark.usefixtures("work")
def test_a_column_may_change_its_type_between_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winprob.data.tables.databases.connection._ROWS", 2)
    values = [None, None, 1, 2, 2.5, None, 10**17, "中"]
    with sqlite3.connect("crm.db") as made:
        made.execute("CREATE TABLE mixed (deal_id, number, word)")
        rows = [(f"D{at}", value if value != "中" else 3, value) for at, value in enumerate(values)]
        made.executemany("INSERT INTO mixed VALUES (?, ?, ?)", rows)
    made.close()
    Path("mixed.sql").write_text("SELECT * FROM mixed")
    with winprob.database("sqlite:///crm.db"):
        table = pd.read_parquet(table_file("mixed.sql"))
    assert table["number"].dtype == "float64"
    assert table["number"].fillna(-1).tolist() == [-1, -1, 1, 2, 2.5, -1, 1e17, 3]
    assert table["word"].fillna("").tolist() == ["", "", "1", "2", "2.5", "", "100000000000000000", "中"]


# ---- the day, and one state for a command ----------------------------------------------------------------------------


@pytest.mark.usefixtures("work")
def test_as_of_binds_the_day_of_the_query() -> None:
    for day, deals in (("2026-07-15", 2), ("2026-09-30", 3)):
        done = run("snapshot", "sqlite:///crm.db", "--query", "deals.sql", "--as-of", day, "--history", f"h{deals}")
        assert done.exit_code == 0, done.stderr
        assert f"deals.sql: {deals} rows, for :as_of = {day}" in done.stderr
        assert len(winprob.read_history(f"h{deals}")) == deals


@pytest.mark.usefixtures("work")
def test_an_earlier_review_is_read_as_of_its_own_day() -> None:
    with winprob.database("sqlite:///crm.db", as_of="2026-09-30"):
        assert len(winprob.read_deals("deals.sql")) == 3
        with on_day(dt.date(2026, 7, 15)):
            assert len(winprob.read_deals("deals.sql")) == 2
        with on_day(None), pytest.raises(InputError, match="has the parameter :as_of, and no day is given"):
            winprob.read_deals("deals.sql")


@pytest.mark.usefixtures("work")
def test_a_query_is_run_once_so_that_a_command_sees_one_state() -> None:
    with winprob.database("sqlite:///crm.db"):
        first = read_rates("rates.sql")
        with sqlite3.connect("crm.db") as made:
            made.execute("DELETE FROM rates")
        made.close()
        assert_equal(read_rates("rates.sql"), first)
    with winprob.database("sqlite:///crm.db"), pytest.raises(InputError, match=r"rates.sql gave no rows. Check"):
        read_rates("rates.sql")


# ---- nothing is written ----------------------------------------------------------------------------------------------

WRITES = (
    "DELETE FROM deals",
    "WITH gone AS (DELETE FROM deals RETURNING *) SELECT * FROM gone",
    "SELECT * INTO copied FROM deals",
    "SELECT nextval('numbers'), setval('numbers', 99)",
    "SELECT 1; DROP TABLE deals",
    "SELECT 1 /* ; */; COMMIT; DROP TABLE deals",
    "DROP TABLE deals",
    "SELECT set_config('transaction_read_only', 'off', true), nextval('numbers')",
    "SELECT 1) AS a; COMMIT; DROP TABLE deals; SELECT * FROM (SELECT 1",
    r"SELECT E'\'', 1) AS a; COMMIT; DROP TABLE deals; SELECT * FROM (SELECT 'b'",
    "SELECT 1) TO PROGRAM 'true' --",
)


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize("text", WRITES)
def test_nothing_is_written_to_postgresql(crm: str, postgres: Server, tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"is not one SELECT|tries to change|read-write mode|refuses the query"):
        winprob.read_deals(crm, query=query(tmp_path, text))
    # The same without our own check of the text: the transaction itself is read-only.
    with pytest.raises(InputError), rows_of(crm, text, "query", as_of=None, timeout=10) as (_, chunks):
        list(chunks)
    with postgres.connect("crm") as made:
        state = made.execute("SELECT (SELECT count(*) FROM deals), (SELECT is_called FROM numbers)").fetchone()
        assert state == (3, False)
        assert made.execute("SELECT to_regclass('copied')").fetchone() == (None,)


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("text", ["DELETE FROM deals", "WITH x AS (SELECT 1) DELETE FROM deals", "DROP TABLE deals"])
def test_nothing_is_written_to_sqlite(text: str) -> None:
    before = hashlib.sha256(Path("crm.db").read_bytes()).hexdigest()
    with pytest.raises(InputError, match=r"is not one SELECT|tries to change"):
        winprob.read_deals("sqlite:///crm.db", query=query(Path(), text))
    with pytest.raises(InputError), rows_of("sqlite:///crm.db", text, "query", as_of=None, timeout=10) as (_, chunks):
        list(chunks)
    assert hashlib.sha256(Path("crm.db").read_bytes()).hexdigest() == before


@pytest.mark.parametrize(
    ("text", "dated"),
    [
        ("select 1 where ':as_of' = '10:30' -- :other; x", False),
        ("-- a comment\n/* ; :x */ WITH a AS (SELECT :as_of::date) SELECT ';' FROM a;  -- end\n", True),
        ("(SELECT $tag$ ; ' :x $tag$, \"a;b\", E'a'':b;')", False),
    ],
)
def test_quotes_and_comments_are_no_code(text: str, dated: bool) -> None:
    assert parse_query(text, "query").dated is dated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not one SELECT"),
        ("SELECT 1; SELECT 2", "is not one SELECT"),
        ("SELECT $$ ' $$; DROP TABLE deals; SELECT $$ ' $$", "is not one SELECT"),
        ("EXPLAIN SELECT 1", "is not one SELECT"),
        ("SELECT :day, :as_of", "parameters :day; the only one is :as_of"),
    ],
)
def test_what_is_not_one_select_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_query(text, "query.sql")


# ---- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sqlite:///crm.db"], "give the query too, as --query FILE.sql"),
        (["deals.csv", "--query", "deals.sql"], "--query goes with the URL of a database as DEALS"),
        (["deals.sql"], "deals.sql is a query, and no database is named"),
        (["sqlite:///none.db", "--query", "deals.sql"], "sqlite:///none.db cannot be reached: unable to open"),
        (["sqlite:///crm.db", "--query", "none.sql"], "none.sql does not exist"),
        (["nothing://u:SECRET@h/d", "--query", "deals.sql"], "is not one that SQLAlchemy knows"),
        (["mysql+pymysql://u:SECRET@h/d", "--query", "deals.sql"], "the driver of mysql\\+pymysql is not installed"),
        (["sqlite:///deals.csv", "--query", "deals.sql"], "file is not a database"),
        (["sqlite://", "--query", "deals.sql"], "names no file"),
    ],
)
def test_a_fault_is_one_message_with_a_remedy(words: list[str], message: str) -> None:
    done = run("check", *words)
    assert done.exit_code == 1
    with pytest.raises(InputError, match=message):
        raise InputError(done.stderr)
    assert done.stderr.count("winprob: ") == 1
    assert "SECRET" not in done.output + done.stderr


@pytest.mark.usefixtures("work")
def test_faults_of_a_query_on_sqlite() -> None:
    slow = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    for text, message in (
        ("SELECT * FROM nowhere", "refuses the query .*no such table: nowhere. Correct"),
        (slow, "took more"),
    ):
        with winprob.database("sqlite:///crm.db", timeout=0.2), pytest.raises(InputError, match=message):
            winprob.read_deals(query(Path(), text))


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT * FROM nowhere", 'refuses the query .*: relation "nowhere" does not exist. Correct the query'),
        ("SELECT no_column FROM deals", 'column "no_column" does not exist'),
        ("SELECT pg_sleep(20)", "took more than 0.3 s .* and was given up. .*--query-timeout"),
        ("SELECT * FROM deals WHERE false", "gave no rows"),
    ],
)
def test_faults_of_a_query_on_postgresql(crm: str, tmp_path: Path, text: str, message: str) -> None:
    with winprob.database(crm, timeout=0.3), pytest.raises(InputError, match=message):
        winprob.read_deals(query(tmp_path, text))


def test_without_the_extra_one_message_names_it(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    done = run("check", "sqlite:///crm.db", "--query", "deals.sql")
    assert done.exit_code == 1
    assert "pip install 'winprob[sql]'" in done.stderr


# ---- the password ----------------------------------------------------------------------------------------------------


class OneKey(KeyringBackend):
    """A keyring with one password."""

    priority = 1

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def get_password(self, service: str, username: str) -> str | None:
        return PASSWORD if (service, username) == ("winprob", self.key) else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


def by_pgpass(crm: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pgpass").write_text(f"*:*:*:*:{PASSWORD.replace(':', chr(92) + ':')}\n")
    (folder / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(folder / "pgpass"))


def by_keyring(crm: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    former = keyring.get_keyring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", former)
    keyring.set_keyring(OneKey(f"postgres@{crm.partition('host=')[2]}/crm"))


def by_variable(name: str) -> Callable[[str, Path, pytest.MonkeyPatch], None]:
    return lambda crm, folder, monkeypatch: monkeypatch.setenv(name, PASSWORD)


@pytest.mark.parametrize(
    "give", [by_variable("WINPROB_DATABASE_PASSWORD"), by_variable("PGPASSWORD"), by_pgpass, by_keyring]
)
def test_the_password_comes_from_the_environment_or_a_keyring(
    crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, give: Callable[..., None]
) -> None:
    give(crm, tmp_path, monkeypatch)
    assert len(winprob.read_deals(crm, query=query(tmp_path, "SELECT deal_id FROM deals"))) == 3


def in_url(url: str, password: str) -> str:
    from urllib.parse import quote

    return url.replace("postgres@", f"postgres:{quote(password, safe='')}@")


def test_no_password_is_shown_or_kept(crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good = query(tmp_path, "SELECT deal_id, opened_on, 'open' AS outcome FROM deals")
    (tmp_path / "bad.sql").write_text("SELECT * FROM nothing")
    (tmp_path / "leak.sql").write_text(f"SELECT CAST('{PASSWORD}' AS int)")
    secret = in_url(crm, PASSWORD)
    wrong = in_url(crm, wrong_password := "wr0ng/p@ss")
    calls: list[tuple[list[object], int]] = [
        (["check", secret, "--query", good], 0),
        (["snapshot", secret, "--query", good, "--as-of", "2026-09-30", "--history", "history"], 0),
        (["check", secret], 1),
        (["check", secret, "--query", "bad.sql"], 1),
        (["check", secret, "--query", "leak.sql"], 1),
        (["check", secret.replace("/crm?", "/none?"), "--query", good], 1),
        (["check", wrong, "--query", good], 1),
        (["check", secret.replace("host=/", "host=/none/"), "--query", good], 1),
        (["check", secret.replace("+psycopg", "+pg8000"), "--query", good], 1),
        (["check", "deals.csv", "--people", secret], 2),
        (["predict", "deals.csv", "--model", secret], 2),
        (["check", f"{crm}&password={PASSWORD}x", "--query", good], 1),
        (["init", "project", "--database", secret], 1),
        (["check", "deals.csv", secret], 2),
        ([secret], 2),
    ]
    output = ""
    for words, code in calls:
        done = run(*words)
        assert done.exit_code == code, (words, done.output, done.exception)
        output += done.output + done.stderr
    kept = "".join(path.read_bytes().decode("latin-1") for path in (tmp_path / "history").rglob("*") if path.is_file())
    for each in (PASSWORD, wrong_password):
        assert each not in output
        assert each not in kept
        assert in_url("postgres@", each) not in output
    assert "password" not in kept


@pytest.mark.slow
def test_no_password_is_in_a_model_or_a_forecast(
    crm: str, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with postgres.connect("crm") as made, made.cursor() as cursor:
        for name in ("closed", "open"):
            text = (DATA / f"{name}.csv").read_text(encoding="utf-8")
            columns = ", ".join(f"{column} text" for column in text.partition("\n")[0].split(","))
            cursor.execute(f"CREATE TABLE {name} ({columns})")
            with cursor.copy(f"COPY {name} FROM STDIN (FORMAT csv, HEADER)") as copy:
                copy.write(text)
            (tmp_path / f"{name}.sql").write_text(f"SELECT * FROM {name} LIMIT 80")
    secret, output = in_url(crm, PASSWORD), ""
    more = ("--model", "model.nc", "--quarter", "2026Q4", "--log", "log", "--rates", "rates.sql")
    (tmp_path / "rates.sql").write_text("SELECT 'USD' AS currency, 7.1 AS rate")
    for words in (
        ("train", secret, "--query", "closed.sql", *more[:2]),
        ("forecast", secret, "--query", "open.sql", *more),
    ):
        done = run(*words)
        assert done.exit_code == 0, done.stderr
        output += done.output + done.stderr
    kept = b"".join(path.read_bytes() for place in ("model.nc", "log") for path in files_in(tmp_path / place))
    assert len(kept) > 100_000
    for form in (PASSWORD, in_url("postgres@", PASSWORD).removeprefix("postgres:").removesuffix("@")):
        assert form not in output
        assert form.encode() not in kept


def files_in(place: Path) -> list[Path]:
    return [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]


# ---- a project -------------------------------------------------------------------------------------------------------


def test_a_project_names_the_database_and_its_queries(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run("init", "team", "--database", "sqlite:///crm.db", "--export", "deals.sql", "--people", "people.sql")
    assert made.exit_code == 0, made.stderr
    assert "deals.sql: 3 deals, 1 open, 2 closed" in made.stderr
    text = (work / "team" / "winprob.toml").read_text()
    assert 'database = "sqlite:///../crm.db"' in text
    assert 'export = "../deals.sql"' in text
    monkeypatch.chdir(work / "team")
    done = run("check", "../deals.sql", "--format", "csv")
    assert done.exit_code == 0, done.stderr
    assert "approver_support" not in done.stdout.partition("not found")[2]
    shown = run("config", "--format", "csv")
    assert "database,sqlite:///../crm.db,winprob.toml" in shown.stdout


def test_a_project_file_holds_no_password(work: Path) -> None:
    for url in ("postgresql://u:SECRET@h/d", "postgresql://u@h/d?password=SECRET"):
        (work / "winprob.toml").write_text(f'database = "{url}"\n')
        done = run("check", "deals.csv")
        assert done.exit_code == 1
        assert "database holds a password" in done.stderr
        assert "SECRET" not in done.stderr
