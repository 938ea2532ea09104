"""Score Parquet deals block by block: one function of an Arrow table, which every engine runs on the blocks it reads.

A row's prediction is the same to the last bit in any block, so all engines give what one process gives. A worker gets
plain values only: the content of the model file, which it loads once, and a `Job`.
"""

import datetime as dt
import json
import multiprocessing
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import dataset, parquet

from winprob.data.schema import COLUMNS, ID, READINGS, refuse, validate_deals
from winprob.data.tables import scratch_folder, translate_os_errors
from winprob.data.tables.deal_cells import settle_by
from winprob.data.tables.mapping import DealMapping, read_mapping
from winprob.data.tables.plan import plan_of
from winprob.data.tables.sheets.sheet import frame_sheet
from winprob.data.tables.values.conventions import Evidence
from winprob.errors import InputError, MappingError, OutputError
from winprob.i18n import gettext
from winprob.model.hazards import last_day
from winprob.model.posterior import Posterior
from winprob.model.prediction import predict_valid
from winprob.model.waiting import known_open_until

#: Deals that are read, scored and written at a time.
ROWS = 8_192
#: The columns of ``predict``, with the types in which they are stored.
SCHEMA = pa.schema(
    [
        ("deal_id", pa.string()),
        *((name, pa.float32()) for name in ("mean", "lower", "upper")),
        ("unknowns", pa.int64()),
        ("prior_share", pa.float32()),
    ]
)
DAY = pa.schema([("day", pa.int64())])
_DAYS = (ID, "as_of", "closed_on")
#: What a history adds to the canonical columns and a model may use.
_OF_HISTORY = ("pushes", "month_pushes", "days_slipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How blocks of a table are scored.

    Attributes
    ----------
    columns : the columns to read where the table has them; None for all
    mapping : content of a mapping file; None for canonical columns
    day : ISO day until which open deals are known to be open; None where it makes no difference
    undated : whether ``day`` must be found in the table before deals are scored
    read_as : what the source is to Spark: ``parquet``, ``delta``, ``iceberg``, or ``table`` for a name of its catalog
    processes : folder in which each process notes the deals it has scored; empty for none
    threads : that one process may use for a block
    """

    columns: tuple[str, ...] | None
    mapping: Mapping[str, Any] | None = None
    day: str | None = None
    undated: bool = False
    read_as: str = "parquet"
    processes: str = ""
    threads: int | None = 1

    def present(self, names: Iterable[str]) -> list[str]:
        """The columns to read of those that a table has."""
        return [name for name in names if self.columns is None or name in self.columns]

    def of_days(self, names: Iterable[str]) -> list[str]:
        """The columns from which the newest day is found."""
        return self.present(name for name in names if self.mapping is not None or name in _DAYS)

    def dated(self, days: Iterable[int | None]) -> "Job":
        """The job for a table whose blocks have these last days (since 1970)."""
        latest = max((day for day in days if day is not None), default=None)
        day = None if latest is None else (dt.date(1970, 1, 1) + dt.timedelta(days=int(latest))).isoformat()
        return replace(self, day=day, undated=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A running engine: ``score(job, model, source, folder)``, and ``run(work, items)`` with results as they come."""

    name: str
    score: Callable[[Job, bytes, str, Path], None]
    run: Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What was scored: deals, seconds, and the number of deals that each process (host-pid) scored."""

    engine: str
    rows: int
    seconds: float
    processes: Mapping[str, int]

    def line(self) -> str:
        """As one line of JSON."""
        speed = round(self.rows / max(self.seconds, 1e-9))
        plain = {"engine": self.engine, "rows": self.rows, "seconds": round(self.seconds, 1), "rows_per_second": speed}
        return json.dumps({**plain, "processes": self.processes})


def job_of(
    posterior: Posterior, mapping: Mapping[str, Any] | None, day: dt.date | None, *, read_as: str = "parquet"
) -> Job:
    """The job of a model: with canonical columns, those that it may use are read.

    Raises
    ------
    MappingError
        The mapping is wrong, or adds up rows of a deal, which may be in different blocks.
    """
    scaling = posterior.scaling
    covariates = [*(field.name for field in scaling.fields), *(column.name for column in scaling.numeric)]
    used = {*COLUMNS, *READINGS, *_OF_HISTORY, *covariates}
    if mapping is not None and plan_of(_understood(mapping), []).mapping.rows is not None:
        raise MappingError(
            gettext("[rows] adds up several rows of a deal, and blocks hold one row a deal: add them up before.")
        )
    return Job(
        columns=tuple(sorted(used)) if mapping is None else None,
        mapping=mapping,
        day=day.isoformat() if day else None,
        undated=day is None and posterior.hazards is not None,
        read_as=read_as,
    )


def model_bytes(posterior: Posterior) -> bytes:
    """The content of the model's file: what is sent to each worker."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.nc")
        posterior.save(path)
        return path.read_bytes()


@lru_cache(maxsize=2)
def loaded(model: bytes) -> Posterior:
    """The model of a file's content, loaded once a process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.nc")
        path.write_bytes(model)
        return Posterior.load(path)


def score_dataset(engine: Engine, job: Job, model: bytes, source: str, out: Path) -> Scored:
    """Have an engine write a Parquet dataset into a folder, which gets its name when all is written.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    start = dt.datetime.now(dt.UTC)
    with translate_os_errors(out), scratch_folder(out.absolute().parent) as aside:
        new, processes = aside / "deals", aside / "processes"
        processes.mkdir()
        engine.score(replace(job, processes=str(processes)), model, source, new)
        rows = dataset.dataset(new).count_rows() if new.is_dir() else 0
        counts = {place.name: sum(map(int, place.read_text().split())) for place in sorted(processes.iterdir())}
        if out.exists():
            os.replace(out, aside / "former")
        os.replace(new, out)
    return Scored(
        engine=engine.name, rows=rows, seconds=(dt.datetime.now(dt.UTC) - start).total_seconds(), processes=counts
    )


def require_new(out: Path, *, overwrite: bool) -> None:
    """Check that a dataset may be written to a folder.

    Raises
    ------
    OutputError
        It exists, and ``overwrite`` is false or it holds anything but a dataset.
    """
    if not out.exists():
        return
    files = [place.name for place in out.iterdir()] if out.is_dir() else [out.name]
    others = [name for name in files if not (name.endswith((".parquet", ".crc")) or name.startswith("_"))]
    if not overwrite:
        raise OutputError(gettext("{path} exists. Name another folder, or give --overwrite.", path=out))
    if others or not out.is_dir():
        raise OutputError(
            gettext(
                "{path} holds other files than a dataset ({files}), which would be lost. Name another folder.",
                path=out,
                files=", ".join(sorted(others)[:5]),
            )
        )


def score_tables(job: Job, model: bytes, tables: Iterable[Any]) -> Iterator[Any]:
    """The predictions of blocks, Arrow tables of ``SCHEMA``, ``ROWS`` deals at a time.

    Raises
    ------
    DealTableError
        A block is not a valid deal table.
    """
    for table in tables:
        for start in range(0, table.num_rows, ROWS):
            yield _score(job, model, table.slice(start, ROWS))


def newest_days(job: Job, tables: Iterable[Any]) -> Iterator[int | None]:
    """The last day of a reading or a close in each block, in days since 1970; None without any."""
    for table in tables:
        for start in range(0, table.num_rows, ROWS):
            yield last_day(_deals(job, table.slice(start, ROWS)))


def _score(job: Job, model: bytes, table: Any) -> Any:
    deals = _deals(job, table)
    if job.day is not None:
        deals = known_open_until(deals, dt.date.fromisoformat(job.day))
    chances = predict_valid(loaded(model), deals, threads=job.threads)
    if job.processes:
        with Path(job.processes, f"{socket.gethostname()}-{os.getpid()}").open("a") as file:
            file.write(f"{len(chances)}\n")
    return pa.Table.from_pandas(chances, schema=SCHEMA, preserve_index=False)


def _deals(job: Job, table: Any) -> pd.DataFrame:
    """The deals of a block. Each cell is read by the mapping alone: no other row settles what 03/04 means."""
    frame = _plain(table).to_pandas(integer_object_nulls=True, ignore_metadata=True)
    if job.mapping is None:
        return validate_deals(frame)
    plan = plan_of(_understood(job.mapping), [])
    convention = replace(settle_by(plan.mapping, Evidence()), spellings={})
    _, _, reading = plan.read(frame_sheet(frame, "SOURCE"), convention)
    refuse(reading.findings, rows=len(frame), error=reading.error)
    return validate_deals(reading.deals)


def _understood(mapping: Mapping[str, Any]) -> DealMapping:
    understood, faults = read_mapping(mapping)
    if faults:
        raise MappingError("; ".join(faults))
    return understood


def _plain(table: Any) -> Any:
    """The columns of one value a cell, days and decimals in types that pandas has."""
    table = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_date(kind):
            column = column.cast(pa.timestamp("us"))
        elif pa.types.is_decimal(kind):
            column = column.cast(pa.float64())
        if not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            columns[name] = column
    return pa.table(columns)


# ---- one process -----------------------------------------------------------------------------------------------------


@contextmanager
def local_engine(workers: int | None) -> Iterator[Engine]:
    """The calling process for scoring, and ``workers`` processes, by default one for each core, for teams."""
    yield Engine(name="local", score=_score_here, run=partial(_run_here, workers=workers))


def _score_here(job: Job, model: bytes, source: str, out: Path) -> None:
    """Score the deals of a Parquet file or folder into one file, in their order, in memory of a few batches.

    Raises
    ------
    InputError
        ``source`` is missing, or is not Parquet.
    """
    job = replace(job, threads=None)
    if job.undated:
        job = job.dated(newest_days(job, batches(source, job.of_days)))
    out.mkdir()
    with parquet.ParquetWriter(out / "part-00000.parquet", SCHEMA) as writer:
        for table in score_tables(job, model, batches(source, job.present)):
            writer.write_table(table)


def batches(source: str, columns: Callable[[Iterable[str]], list[str]]) -> Iterator[Any]:
    """The rows of all files, some at a time; ``columns`` picks those to read from the names in a file.

    Raises
    ------
    InputError
        ``source`` is missing, or is not Parquet.
    """
    try:
        for path in sorted(dataset.dataset(source, format="parquet").files):
            # Arrow keeps what it has read ahead until the file is closed: the memory would grow with the file.
            file = parquet.ParquetFile(path, pre_buffer=False)
            yield from file.iter_batches(ROWS, columns=columns(file.schema_arrow.names), use_threads=False)
    except (OSError, pa.ArrowException) as fault:
        raise InputError(
            gettext("{path} cannot be read as Parquet: {reason}.", path=source, reason=str(fault).splitlines()[0])
        ) from fault


def _run_here[Item, Result](
    work: Callable[[Item], Result], items: Sequence[Item], *, workers: int | None
) -> Iterator[Result]:
    """``work`` of every item over processes, as each is done; one after the other in this process for one worker."""
    count = min(workers or os.cpu_count() or 1, max(len(items), 1))
    if count == 1:
        yield from map(work, items)
        return
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap_unordered(work, items)
