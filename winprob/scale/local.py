"""The local engine: one process that reads, scores and writes batches of row groups; a pool of processes for teams."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from winprob.errors import InputError
from winprob.i18n import gettext
from winprob.scale.scoring import ROWS, SCHEMA, Engine, Job, newest_days, parquet_files, score_tables


@contextmanager
def engine(workers: int | None) -> Iterator[Engine]:
    """The calling process for scoring, and ``workers`` processes, by default one for each core, for teams."""
    yield Engine(name="local", score=score, run=partial(run, workers=workers))


def score(job: Job, model: bytes, source: str, out: Path) -> None:
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
        paths = parquet_files(source)
        opened = (parquet.ParquetFile(path) for path in paths)
        yield from chain.from_iterable(
            file.iter_batches(ROWS, columns=columns(file.schema_arrow.names), use_threads=False) for file in opened
        )
    except (OSError, pa.ArrowException) as fault:
        raise InputError(
            gettext("{path} cannot be read as Parquet: {reason}.", path=source, reason=str(fault).splitlines()[0])
        ) from fault


def run[Item, Result](
    work: Callable[[Item], Result], items: Sequence[Item], *, workers: int | None
) -> Iterator[Result]:
    """``work`` of every item over processes, as each is done; one after the other in this process for one worker."""
    count = min(workers or os.cpu_count() or 1, max(len(items), 1))
    if count == 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(work, item) for item in items]):
            yield done.result()
