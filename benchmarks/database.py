"""Reading 100,000 deals from PostgreSQL, next to psycopg and pandas alone reading the same rows and parsing nothing.

A server of our own is started in a temporary folder and stopped after (Debian's package postgresql). CPU seconds of
this process, without the server's.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _timing as timing
import pandas as pd
import reading

ROWS, AIM = 100_000, 3.0
TYPES = {
    **dict.fromkeys(("as_of", "opened_on", "expected_close_on", "closed_on"), "date"),
    "amount": "numeric(14,2)",
    "rep_probability": "double precision",
    "approver_support": "int",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--times", type=int, default=7, help="takes of each, in turn")
    parser.add_argument("--quick", action="store_true", help="10,000 rows and two takes, to try it out")
    asked = parser.parse_args()
    sys.path.insert(0, str(timing.ROOT))
    from tests.databases import PASSWORD, running_server

    os.environ["WINPROB_DATABASE_PASSWORD"] = PASSWORD
    table = reading.deals(10_000 if asked.quick else asked.rows)
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        fill(server, table)
        got = measure(server, table, Path(folder), 2 if asked.quick else asked.times)
    figures = [
        timing.Figure(
            quantity="a query's table relative to psycopg and pandas", got=got["query"] / got["plain"], aim=AIM
        ),
        timing.Figure(quantity="read_deals of PostgreSQL relative to a CSV file", got=got["read_deals"] / got["csv"]),
        *(timing.Figure(quantity=name, got=seconds, unit="CPU s") for name, seconds in got.items()),
    ]
    print(timing.figures_table(figures))
    timing.save("database", figures, **got)


def fill(server: Any, table: pd.DataFrame) -> None:
    """The deals as a table of the database, with types as a CRM has them."""
    columns = ", ".join(f"{name} {TYPES.get(name, 'text')}" for name in table)
    with server.connect() as made, made.cursor() as cursor:
        cursor.execute(f"CREATE TABLE deals ({columns})")
        with cursor.copy("COPY deals FROM STDIN (FORMAT csv)") as copy:
            copy.write(table.to_csv(index=False, header=False))
        cursor.execute("ANALYZE deals")


def measure(server: Any, table: pd.DataFrame, folder: Path, times: int) -> dict[str, float]:
    """Median CPU seconds of each, in turn: rows as a frame, a query's table, deals from PostgreSQL and from a file."""
    import winprob
    from winprob.data.tables.databases.queries import table_file

    query, file = folder / "deals.sql", folder / "deals.csv"
    query.write_text("SELECT * FROM deals")
    table.to_csv(file, index=False)

    def plain() -> pd.DataFrame:
        with server.connect() as made, made.transaction(), made.cursor(name="rows") as cursor:
            cursor.itersize = 20_000
            cursor.execute("SELECT * FROM deals")
            rows = cursor.fetchall()
            return pd.DataFrame(rows, columns=[column.name for column in cursor.description])

    def by_query() -> pd.DataFrame:
        with winprob.database(server.url()):
            return pd.read_parquet(table_file(query))

    works = {
        "plain": plain,
        "query": by_query,
        "read_deals": lambda: winprob.read_deals(server.url(), query=query),
        "csv": lambda: winprob.read_deals(file),
    }
    for work in works.values():
        work()
    return timing.medians({name: lambda work=work: cpu_of(work) for name, work in works.items()}, times)


def cpu_of(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
