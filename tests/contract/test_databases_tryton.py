"""A real CRM: Tryton's history of opportunities, replayed by the guide's query, is what its client knew on each day."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from click.testing import CliRunner

import winprob
from tests.databases import ADMIN, PASSWORD, Server
from tests.tryton import DATABASE, DAYS
from winprob.cli import main

ROOT = Path(__file__).parents[2]
NEEDS = ("trytond.modules.sale_opportunity", "proteus", "psycopg_pool")
FACTS = ("account", "seller", "opened_on", "expected_close_on", "closed_on", "outcome", "amount", "currency")


def guide_query() -> str:
    """The query that the guide shows."""
    page = (ROOT / "docs" / "guide" / "databases.md").read_text(encoding="utf-8")
    (query,) = (body for body in re.findall(r"^```sql\n(.*?)^```$", page, re.M | re.S) if "__history" in body)
    return query


def live(server: Server, truth: Path) -> dict[str, list[dict[str, Any]]]:
    """Let Tryton's client live through the story, in a process of its own, and return what it knew on each day."""
    with server.connect() as made:
        made.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    uri = f"postgresql://{ADMIN}:{quote(PASSWORD, safe='')}@/?host={server.socket}"
    (password := truth.with_name("admin")).write_text(PASSWORD)
    environment = {
        **os.environ,
        "TRYTOND_DATABASE_URI": uri,
        "DB_NAME": DATABASE,
        "TRYTONPASSFILE": str(password),
    }
    told = subprocess.run(
        [sys.executable, ROOT / "tests" / "tryton.py", truth],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    known: dict[str, list[dict[str, Any]]] = json.loads(truth.read_text(encoding="utf-8"))
    return known


def replayed(server: Server, days: list[str], folder: Path) -> Path:
    """The history of a snapshot for each day, read by the guide's query."""
    query, history = folder / "tryton.sql", folder / "history"
    query.write_text(guide_query(), encoding="utf-8")
    for day in days:
        words = ("snapshot", server.url(DATABASE), "--query", query, "--as-of", day, "--history", history)
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code == 0, done.stderr
    return history


def as_told(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The client's records in the types of a deal table."""
    told = pd.DataFrame(rows).set_index("deal_id")
    days = {name: pd.to_datetime(told[name]).astype("datetime64[us]") for name in FACTS if name.endswith("_on")}
    return told.assign(**days, amount=told["amount"].astype("float64"))


@pytest.mark.slow
def test_each_day_of_the_history_is_what_the_client_knew(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NEEDS:
        pytest.importorskip(name, reason=f"{name} is not installed: no CRM was tested")
    truth = live(postgres, tmp_path / "truth.json")
    monkeypatch.setenv("WINPROB_DATABASE_PASSWORD", PASSWORD)
    history = replayed(postgres, [*truth], tmp_path)
    assert len(truth) == DAYS
    for day, rows in truth.items():
        deals = winprob.read_history(history, as_of=day).set_index("deal_id")
        told = as_told(rows)
        for name in (*FACTS, "rep_probability"):
            read = deals[name] if name in deals else pd.Series(None, deals.index)
            pd.testing.assert_series_equal(
                read.astype(object).where(read.notna(), None),
                told[name].astype(object).where(told[name].notna(), None),
                check_names=False,
                obj=f"{name} on {day}",
            )
    last = as_told(truth[max(truth)])
    assert {"open", "won", "lost", "no_decision"} <= set(last["outcome"])
