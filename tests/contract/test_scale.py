"""``winprob score`` and ``train-teams`` on one process: columns, blocks, refusals; teams, folders and resuming."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

import winprob
from winprob import Registry
from winprob.cli import main
from winprob.data.tables import pieces
from winprob.errors import NotConvergedError
from winprob.model.hazards import learn_hazards
from winprob.model.posterior import Posterior
from winprob.model.waiting import known_open_until
from winprob.scale import scoring, spark, teams
from winprob.settings import Settings
from winprob.simulation import Simulation

ROOT = Path(__file__).parents[2]


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def waiting(posterior: Posterior, team: Simulation) -> Posterior:
    """A model to which it matters how long a deal has been open."""
    few = {name: values[:, :25] for name, values in posterior.draws.items()}
    hazards = learn_hazards(team.closed, posterior.settings, draws=32, seed=1)
    return replace(posterior, draws=few, hazards=hazards)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, waiting: Posterior, team: Simulation) -> Path:
    """A model, and open deals read on several days in a folder of two files."""
    place = tmp_path_factory.mktemp("scale")
    waiting.save(place / "model.nc")
    (place / "deals").mkdir()
    days = pd.Timestamp("2026-06-30") - pd.to_timedelta([at % 9 * 30 for at in range(len(team.open))], "D")
    deals = team.open.assign(as_of=days)
    deals.iloc[:25].to_parquet(place / "deals" / "a.parquet", index=False)
    deals.iloc[25:].assign(remark="x").to_parquet(place / "deals" / "b.parquet", index=False, row_group_size=7)
    deals.to_parquet(place / "whole.parquet", index=False)
    return place


def test_a_folder_is_scored_as_predict_would(place: Path, waiting: Posterior) -> None:
    result = run("score", place / "deals", "--model", place / "model.nc", "--out", place / "out")
    assert result.exit_code == 0, result.output
    line = json.loads(result.stderr.splitlines()[-1])
    assert (line["engine"], line["rows"], list(line["processes"].values())) == ("local", 40, [40])
    whole = known_open_until(winprob.read_deals(place / "whole.parquet"))
    wanted = winprob.predict(waiting, whole).reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_parquet(place / "out"), wanted, check_exact=True)
    assert parquet.read_schema(next((place / "out").glob("*.parquet"))).equals(scoring.SCHEMA)


def test_the_day_until_which_deals_are_open_may_be_given(place: Path, waiting: Posterior) -> None:
    result = run(
        *("score", place / "whole.parquet", "--model", place / "model.nc"),
        *("--out", place / "later", "--as-of", "2026-12-01"),
    )
    assert result.exit_code == 0, result.output
    deals = known_open_until(winprob.read_deals(place / "whole.parquet"), pd.Timestamp("2026-12-01").date())
    scored = pd.read_parquet(place / "later")
    pd.testing.assert_series_equal(scored["mean"], winprob.predict(waiting, deals)["mean"], check_exact=True)


def test_blocks_do_not_change_what_is_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = scoring.model_bytes(Posterior.load(place / "model.nc"))
    job = replace(scoring.job_of(Posterior.load(place / "model.nc"), None, None), day="2026-09-01", undated=False)
    tables = [list(scoring.batches(str(place / "deals"), job.present)) for _ in range(2)]
    whole = [table.to_pandas() for table in scoring.score_tables(job, model, tables[0])]
    monkeypatch.setattr(scoring, "ROWS", 3)
    parts = [table.to_pandas() for table in scoring.score_tables(job, model, tables[1])]
    assert max(map(len, parts)) == 3
    pd.testing.assert_frame_equal(
        pd.concat(parts, ignore_index=True), pd.concat(whole, ignore_index=True), check_exact=True
    )


@pytest.mark.parametrize("read", ["score", "predict"])
def test_the_memory_does_not_grow_with_the_file(read: str, tmp_path: Path) -> None:
    """Random bytes do not compress: what Arrow keeps of 40 row groups would be most of the file."""
    rng = np.random.default_rng(1)
    with parquet.ParquetWriter(tmp_path / "d.parquet", pa.schema([("deal_id", pa.string())])) as writer:
        for _ in range(40):
            writer.write_table(pa.table({"deal_id": [rng.bytes(16).hex() for _ in range(5_000)]}))
    before = pa.total_allocated_bytes()
    tables = (
        scoring.batches(str(tmp_path / "d.parquet"), list)
        if read == "score"
        else pieces._tables(tmp_path / "d.parquet", 500)
    )
    most = max(pa.total_allocated_bytes() - before for _ in tables)
    assert most < (tmp_path / "d.parquet").stat().st_size / 5


def test_other_names_are_read_by_a_mapping(place: Path, tmp_path: Path, waiting: Posterior) -> None:
    table = pd.read_parquet(place / "whole.parquet")
    table = table.rename(columns={"deal_id": "Id", "stage": "Step"})[["Id", "Step", "as_of", "outcome"]]
    table["as_of"] = table["as_of"].dt.strftime("%d/%m/%Y")
    table.to_parquet(tmp_path / "crm.parquet", index=False)
    columns = 'day_first = true\n[columns]\ndeal_id = "Id"\nstage = "Step"\nas_of = "as_of"\noutcome = "outcome"\n'
    (tmp_path / "map.toml").write_text(columns)
    result = run(
        *("score", tmp_path / "crm.parquet", "--mapping", tmp_path / "map.toml"),
        *("--model", place / "model.nc", "--out", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.output
    deals = known_open_until(winprob.read_deals(tmp_path / "crm.parquet", tmp_path / "map.toml"))
    wanted = winprob.predict(waiting, deals).reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out"), wanted, check_exact=True)


def test_days_of_parquet_and_decimals_of_a_warehouse_are_read() -> None:
    import datetime as dt
    from decimal import Decimal

    import pyarrow as pa

    table = pa.table(
        {
            "deal_id": [1, 2],
            "as_of": pa.array([dt.date(2026, 5, 4), None], pa.date32()),
            "amount": pa.array([Decimal("12.50"), None], pa.decimal128(12, 2)),
            "people": pa.array([[1], []], pa.list_(pa.int64())),
        }
    )
    deals = scoring._deals(scoring.Job(columns=None), table)
    assert list(deals.columns) == ["deal_id", "as_of", "amount"]
    assert (deals.loc[0, "as_of"], deals.loc[0, "amount"]) == (pd.Timestamp("2026-05-04"), 12.5)
    assert deals["deal_id"].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("deals", "--out", "there"), "exists. Name another folder, or give --overwrite"),
        (("deals", "--out", "mine", "--overwrite"), "holds other files than a dataset"),
        (("nowhere", "--out", "new"), "cannot be read as Parquet"),
        (("model.nc", "--out", "new"), "cannot be read as Parquet"),
        (("bad.parquet", "--out", "new"), "'stage'"),
        (("deals", "--out", "new", "--mapping", "rows.toml"), "add them up before"),
        (("deals", "--out", "missing/new"), "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(
    place: Path, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    for name in ("there", "mine"):
        (place / name).mkdir(exist_ok=True)
    (place / "mine" / "notes.txt").write_text("mine")
    (place / "rows.toml").write_text('rows = { per = "split", amounts = "add" }\n[columns]\ndeal_id = "deal_id"\n')
    pd.DataFrame({"deal_id": ["a"], "stage": ["somewhere"]}).to_parquet(place / "bad.parquet")
    before = sorted(path.name for path in place.iterdir())
    result = run("score", *words, "--model", "model.nc")
    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    assert sorted(path.name for path in place.iterdir()) == before


def test_a_dataset_is_replaced_where_that_is_asked_for(place: Path) -> None:
    words = ("score", place / "whole.parquet", "--model", place / "model.nc", "--out", place / "again")
    assert run(*words).exit_code == 0
    (place / "again" / "part-99999.parquet").write_bytes(b"a former part")
    assert run(*words, "--overwrite").exit_code == 0
    assert [path.name for path in (place / "again").iterdir()] == ["part-00000.parquet"]


def test_a_table_of_spark_needs_spark(place: Path) -> None:
    result = run("score", "db.deals", "--model", place / "model.nc", "--out", place / "new", "--read-as", "delta")
    assert (result.exit_code, "--engine spark" in result.stderr) == (2, True)


@pytest.mark.parametrize(("engine", "package"), [("spark", "pyspark"), ("dask", "dask")])
def test_a_missing_extra_is_named(place: Path, engine: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [*sys.modules]:
        if name.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    result = run("score", place / "deals", "--model", place / "model.nc", "--out", place / "new", "--engine", engine)
    assert (result.exit_code, f"pip install 'winprob[{engine}]'" in result.stderr) == (1, True)


def test_without_java_the_message_names_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark.shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(spark, "require", lambda module, extra: _NoSession)
    result = run("score", place / "deals", "--model", place / "model.nc", "--out", place / "new", "--engine", "spark")
    assert (result.exit_code, "Install Java 17 or later" in result.stderr) == (1, True)


class _NoSession:
    class SparkSession:
        @staticmethod
        def getActiveSession() -> None:  # noqa: N802 - Spark's name
            return None


# ---- teams ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def of_teams(team: Simulation, tmp_path: Path) -> Path:
    """Closed deals of three teams, one of which has five, and one deal of none."""
    names = ["North"] * 60 + ["South / 华南"] * 60 + ["Five"] * 5
    closed = team.closed.iloc[: len(names) + 1].assign(team=[*names, None])
    closed.to_parquet(tmp_path / "closed.parquet", index=False)
    return tmp_path / "closed.parquet"


@pytest.fixture
def quick(posterior: Posterior, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A stand-in for the fit, which fails for the smallest team; what it was asked for."""
    asked: list[dict[str, Any]] = []

    def fit(deals: pd.DataFrame, **how: Any) -> Posterior:
        asked.append({"deals": deals, **how})
        if len(deals) < 10:
            raise NotConvergedError("the draws of 5 deals did not converge")
        return posterior

    monkeypatch.setattr("winprob.model.inference.fit", fit)
    return asked


def test_every_team_gets_a_registry_and_a_failure_is_named_after_all_others(
    of_teams: Path, tmp_path: Path, quick: list[dict[str, Any]]
) -> None:
    words = ("train-teams", of_teams, "--by", "team", "--registry", tmp_path / "teams", "--workers", "1", "--pooled")
    result = run(*words, "--out", tmp_path / "summary.csv")
    assert result.exit_code == 1
    table = pd.read_csv(tmp_path / "summary.csv", keep_default_na=False).set_index("team")
    assert table["deals"].to_dict() == {"Five": 5, "North": 60, "South / 华南": 60, "": 126}
    assert table.loc["Five", "verdict"] == "failed"
    assert "did not converge" in table.loc["Five", "note"]
    folders = teams.folder_names(["Five", "North", "South / 华南"])
    assert Registry(tmp_path / "teams" / folders["North"]).current() is not None
    assert Registry(tmp_path / "teams" / folders["South / 华南"]).current() is not None
    pooled = quick[-1]["deals"]
    assert "team" in pooled.attrs["covariates"]["varying"]
    assert len(pooled) == 126
    assert all("team" not in one["deals"] for one in quick[:-1])

    again = run(*words, "--out", tmp_path / "again.csv")
    assert again.exit_code == 1
    assert pd.read_csv(tmp_path / "again.csv")["verdict"].tolist() == ["failed", "skipped", "skipped", "skipped"]
    assert len(quick) == 5


def test_other_settings_or_data_are_another_fit(team: Simulation, tmp_path: Path) -> None:
    deals = team.closed.assign(team="A")
    keys = {
        teams.team_fits(some, "team", tmp_path, settings=settings, seed=seed)[0].key
        for some, settings, seed in (
            (deals, Settings(), 1),
            (deals, Settings(), 2),
            (deals.iloc[1:], Settings(), 1),
            (deals, Settings(timing=replace(Settings().timing, near=0.9)), 1),
        )
    }
    assert len(keys) == 4
    assert teams.team_fits(deals.copy(), "team", tmp_path, settings=Settings(), seed=1)[0].key in keys


def test_names_of_teams_become_safe_and_distinct_folders() -> None:
    names = ["East", "east", "a/b", "a-b", "..", "con", "x" * 200, "x" * 199, "_pooled", "华东"]
    folders = teams.folder_names(names)
    made: list[str] = [name.casefold() for name in folders.values()]
    assert len(set(made)) == len(names)
    assert all(0 < len(name.encode()) <= 60 and not name.startswith((".", "_")) for name in made)
    assert not any("/" in name for name in made)
    assert (folders["a-b"], folders["华东"]) == ("a-b", "华东")


def test_a_column_that_is_not_there_is_an_error(of_teams: Path, tmp_path: Path) -> None:
    result = run("train-teams", of_teams, "--by", "tribe", "--registry", tmp_path / "teams")
    assert result.exit_code == 1
    assert "tribe" in result.stderr


# ---- the guide -----------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(tmp_path: Path, waiting: Posterior, of_teams: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a reader of the guide has: the sample, a model and closed deals of teams."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    (tmp_path / "models").mkdir()
    waiting.save(tmp_path / "models" / "team.nc")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def guide(*, engine: str) -> list[tuple[str, str]]:
    """The blocks of the page, those of the commands of other engines left out."""
    text = (ROOT / "docs" / "guide" / "scale.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(kind, body) for kind, body in found if kind != "sh" or engine == _engine_of(body)]


def _engine_of(body: str) -> str:
    return (re.findall(r"--engine (\w+)", body) or ["local"])[0]


def test_the_guide_runs_on_one_process(reader: Path, quick: list[dict[str, Any]]) -> None:
    room: dict[str, Any] = {}
    printed = ""
    for kind, body in guide(engine="local"):
        if kind == "python":
            exec(compile(body, "scale.md", "exec"), room)
        elif kind == "sh":
            body = body.replace("--workers 2", "--workers 1")
            done = [run(*shlex.split(line)[1:]) for line in body.splitlines()]
            assert [one.exit_code for one in done if one.exit_code not in (0, 1)] == []
            printed = "".join(one.output for one in done)
        else:
            assert body.partition("…")[0].strip() in printed
    assert list(room["scored"].columns) == scoring.SCHEMA.names
    assert set(pd.read_csv("summary.csv")["verdict"]) == {"promote", "failed"}


@pytest.mark.parametrize("engine", ["dask", pytest.param("spark", marks=[pytest.mark.slow, pytest.mark.long])])
def test_the_guide_runs_on_an_engine(reader: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    winprob.read_deals("data/open.csv", people="data/people.csv").to_parquet("deals.parquet", index=False)
    assert run("score", "deals.parquet", "--model", "models/team.nc", "--out", "one").exit_code == 0
    ((_, body),) = [(kind, body) for kind, body in guide(engine=engine) if kind == "sh"]
    result = run(*shlex.split(body)[1:])
    assert result.exit_code == 0, result.output
    scored, one = (
        pd.read_parquet(name).sort_values("deal_id", ignore_index=True) for name in (f"scored_{engine}", "one")
    )
    pd.testing.assert_frame_equal(scored, one, check_exact=True)
