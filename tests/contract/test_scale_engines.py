"""``winprob score`` on two Dask processes and on Spark's local cluster: equal to one process, with a worker killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob import Registry
from winprob.cli import main
from winprob.model.posterior import Posterior
from winprob.scale import scoring, spark
from winprob.simulation import Simulation, simulate

ROOT = Path(__file__).parents[2]
FILES, ROWS = 12, 1500


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior, team: Simulation) -> Path:
    """A model, a folder of files of deals, and what one process writes."""
    place = tmp_path_factory.mktemp("engines")
    posterior.save(place / "model.nc")
    (place / "deals").mkdir()
    rng = np.random.default_rng(1)
    for at in range(FILES):
        rows = team.open.iloc[rng.integers(0, len(team.open), ROWS)]
        ids = [f"F{at:02d}-{row:04d}" for row in range(ROWS)]
        some = rows.assign(deal_id=ids, amount=rng.lognormal(13, 1, ROWS), seller=rng.integers(0, 90, ROWS).astype(str))
        some.to_parquet(place / "deals" / f"part-{at:02d}.parquet", index=False)
    assert run("score", place / "deals", "--model", place / "model.nc", "--out", place / "one").exit_code == 0
    return place


def written(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder).sort_values("deal_id", ignore_index=True)


@contextmanager
def killed_midway(place: Path, victim: Callable[[int], int]) -> Iterator[list[int]]:
    """Kill ``victim(pid)`` of the first of two processes that have scored deals, while they are at it."""
    killed: list[int] = []

    def watch() -> None:
        while not over.is_set():
            notes = sorted(place.glob(".winprob_*/processes/*"))
            if len(notes) >= 2:
                pid = victim(int(notes[0].name.rpartition("-")[2]))
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return
            time.sleep(0.02)

    over, thread = threading.Event(), threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join(60)


def parent(pid: int) -> int:
    status = Path("/proc", str(pid), "status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:")))


def require_equal(place: Path, result: Result, out: Path, killed: list[int], victims: set[int]) -> None:
    assert result.exit_code == 0, result.output
    line = json.loads(next(text for text in result.stderr.splitlines() if text.startswith("{")))
    assert line["rows"] == FILES * ROWS
    processes = {int(name.removeprefix(f"{socket.gethostname()}-")) for name in line["processes"]}
    assert len(processes - {os.getpid()}) >= 2
    assert victims <= processes
    assert killed
    # What the killed process had scored and not delivered was scored again.
    assert sum(line["processes"].values()) >= FILES * ROWS
    pd.testing.assert_frame_equal(written(out), written(place / "one"), check_exact=True)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_dask_gives_what_one_process_gives_with_a_worker_killed(place: Path) -> None:
    victims: set[int] = set()
    words = ("score", place / "deals", "--model", place / "model.nc", "--engine", "dask", "--workers", "2")
    with killed_midway(place, lambda pid: victims.add(pid) or pid) as killed:
        result = run(*words, "--out", place / "dask")
    require_equal(place, result, place / "dask", killed, victims)
    # In the order of the source: one process and Dask write the same rows in the same order.
    pd.testing.assert_frame_equal(pd.read_parquet(place / "dask"), pd.read_parquet(place / "one"), check_exact=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark_gives_what_one_process_gives_with_an_executor_killed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    victims: set[int] = set()
    words = ("score", place / "deals", "--model", place / "model.nc", "--out", place / "spark", "--engine", "spark")
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    conf = (f"spark.executorEnv.PYTHONPATH={path}", "spark.sql.files.openCostInBytes=8m")
    more = [word for one in conf for word in ("--conf", one)]
    # The executor is the parent of the daemon that forks its Python workers.
    with killed_midway(place, lambda pid: victims.add(pid) or parent(parent(pid))) as killed:
        result = run(*words, "--master", "local-cluster[2,1,1024]", *more)
    require_equal(place, result, place / "spark", killed, victims)


SAMPLER = """[sampler]
chains = 2
tune = 300
draws = 300
thin = 1
prior_draws = 100
target_accept = 0.85
[gates]
r_hat = 1.1
bulk_ess = 40
tail_ess = 40
divergent_share = 0.05
"""


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark_fits_teams_goes_on_where_it_was_stopped_and_names_a_team_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real fits on two executors: the model of a team is that of one process, to the last bit."""
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    (tmp_path / "fast.toml").write_text(SAMPLER)
    parts = {name: simulate(50, 1, seed=at).closed for at, name in enumerate(("North", "South", "West"))}
    # No deal of this team has closed: there is nothing to learn from.
    parts["Open"] = simulate(1, 5, seed=9).open
    deals = pd.concat([part.assign(team=name) for name, part in parts.items()], ignore_index=True)
    deals = deals.assign(deal_id=deals["team"] + deals["deal_id"])
    deals.to_parquet(tmp_path / "all.parquet", index=False)
    deals[deals["team"].isin(["North", "Open"])].to_parquet(tmp_path / "some.parquet", index=False)
    env = f"spark.executorEnv.PYTHONPATH={os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])}"
    on_spark = ("--engine", "spark", "--master", "local-cluster[2,1,1024]", "--conf", env)

    def train(source: str, *more: object, into: str = "teams") -> tuple[int, pd.DataFrame, str]:
        words = ("train-teams", tmp_path / source, "--by", "team", "--settings", tmp_path / "fast.toml")
        done = run(*words, "--registry", tmp_path / into, "--out", tmp_path / "summary.csv", *more)
        table = pd.read_csv(tmp_path / "summary.csv", keep_default_na=False).set_index("team")
        return done.exit_code, table, done.stderr

    code, first, errors = train("some.parquet", *on_spark)
    assert (code, first["verdict"].to_dict()) == (1, {"North": "promote", "Open": "failed"}), errors
    # All teams, after the run above: only what is missing is fitted.
    code, table, errors = train("all.parquet", *on_spark)
    assert code == 1
    wanted = {"North": "skipped", "Open": "failed", "South": "promote", "West": "promote"}
    assert table["verdict"].to_dict() == wanted, errors
    assert table.loc["Open", "note"] != ""
    assert "1 of 4 fits failed" in errors
    assert f"Open: failed: {table.loc['Open', 'note']}" in errors
    registries = {name: Registry(tmp_path / "teams" / name) for name in ("North", "South", "West")}
    assert {name: len(registry.entries()) for name, registry in registries.items()} == dict.fromkeys(registries, 1)
    # The same fit in this process.
    train("some.parquet", "--workers", "1", into="here")
    here = Registry(tmp_path / "here" / "North").load()
    there = registries["North"].load()
    assert all(np.array_equal(here.draws[name], there.draws[name]) for name in here.draws)


@pytest.mark.slow
def test_an_error_of_a_worker_is_the_message_of_one_process(place: Path) -> None:
    pd.DataFrame({"deal_id": ["a"], "stage": ["somewhere"]}).to_parquet(place / "bad.parquet")
    words = ("score", place / "bad.parquet", "--model", place / "model.nc", "--out", place / "bad")
    one = run(*words)
    other = run(*words, "--engine", "dask", "--workers", "1")
    assert (one.exit_code, other.exit_code) == (1, 1)
    assert one.stderr.splitlines()[-1] == other.stderr.splitlines()[-1]
    assert not (place / "bad").exists()


def test_no_scheduler_at_the_address_is_an_error(place: Path) -> None:
    words = ("score", place / "deals", "--model", place / "model.nc", "--out", place / "none", "--engine", "dask")
    result = run(*words, "--scheduler", "tcp://127.0.0.1:9")
    assert (result.exit_code, "no Dask scheduler answers" in result.stderr) == (1, True)


def test_the_message_of_ours_is_found_in_sparks() -> None:
    raised = (
        "An exception was thrown from the Python worker. Please see the stack trace below.\n"
        'Traceback (most recent call last):\n  File "x.py", line 1, in f\n'
        "winprob.errors.DealTableError: deal table with 1 rows: 'stage' is wrong. Fix it.\n\n"
    )
    found = spark._OURS.search(raised)
    assert found is not None
    assert found[1].strip() == "deal table with 1 rows: 'stage' is wrong. Fix it."


def test_the_types_that_spark_declares_are_those_of_the_schema() -> None:
    names = {"string": "string", "float": "float", "bigint": "int64"}
    declared = [(name, names[kind]) for name, kind in (part.split(" ") for part in spark.DDL.split(", "))]
    assert declared == [(field.name, str(field.type)) for field in scoring.SCHEMA]
