"""The Spark engine: ``mapInArrow`` over what Spark reads; the session is configured as any other, by Spark's own files.

Spark runs a task again whose worker was killed. Nothing is written under a task's own name before it is whole.
"""

import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from winprob.errors import EngineError, WinprobError
from winprob.extras import require
from winprob.i18n import gettext
from winprob.scale.scoring import DAY, ROWS, Engine, Job, newest_days, score_tables

#: The columns of ``predict`` as Spark declares them.
DDL = "deal_id string, mean float, lower float, upper float, unknowns bigint, prior_share float"
#: What a session is configured with, where the user has not: days are those of UTC, as in every other engine.
_CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(ROWS),
    # Some 50,000 deals a task, seconds of work for one core, where 128 MB would be minutes.
    "spark.sql.files.maxPartitionBytes": "8m",
}
#: The error of ours at the end of a traceback from a worker.
_OURS = re.compile(r"^winprob\.errors\.\w+: (.*?)(?=^\S*\n?\Z|\n\n|\n\tat |\nDriver stacktrace|\Z)", re.M | re.S)


@contextmanager
def engine(master: str | None, conf: Mapping[str, str]) -> Iterator[Engine]:
    """The user's Spark session, stopped at the end where it was started here.

    Parameters
    ----------
    master : by default what spark-defaults names, else ``local[*]``

    Raises
    ------
    MissingExtraError
        Spark is not installed.
    EngineError
        Java is missing, or the session cannot be started.
    """
    spark_sql = require("pyspark.sql", "spark")
    running = spark_sql.SparkSession.getActiveSession()
    if running is not None:
        yield _on(running)
        return
    if not (os.environ.get("JAVA_HOME") or shutil.which("java") or os.environ.get("SPARK_REMOTE")):
        raise EngineError(
            gettext("Spark needs Java, and there is none. Install Java 17 or later, or use --engine dask.")
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = spark_sql.SparkSession.builder.appName("winprob")
    builder = builder.master(master) if master else builder
    for name, value in {**_CONF, **conf}.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except Exception as fault:
        raise EngineError(
            gettext("Spark did not start: {reason}. See --master and --conf.", reason=_first(fault))
        ) from fault
    spark.sparkContext.setLogLevel("OFF")
    try:
        yield _on(spark)
    finally:
        spark.stop()


def _on(spark: Any) -> Engine:
    return Engine(name="spark", score=partial(score, spark), run=partial(run, spark))


def score(spark: Any, job: Job, model: bytes, source: str, out: Path) -> None:
    """Score a table that Spark reads into a folder of Parquet files.

    Raises
    ------
    EngineError
        Spark cannot read or write it, or gave up after several tries.
    WinprobError
        The deals are not valid.
    """
    with _translated(source), _without_pandas_warning():
        read, kind = spark.read, job.read_as
        frame = read.table(source) if kind == "table" else read.format(kind).load(source)
        if job.undated:
            days = (
                _columns(frame, job.of_days(frame.columns))
                .mapInArrow(partial(_map_days, job), "day bigint")
                .agg({"day": "max"})
                .collect()
            )
            job = job.dated([days[0][0]])
        sent = spark.sparkContext.broadcast(model)
        used = _columns(frame, job.present(frame.columns))
        used.mapInArrow(partial(_map_scores, job, sent), DDL).write.parquet(out.absolute().as_uri())


def run[Item, Result](spark: Any, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """``work`` of every item, a task each."""
    with _translated(""):
        yield from spark.sparkContext.parallelize(items, max(len(items), 1)).map(work).collect()


def _columns(frame: Any, names: Sequence[str]) -> Any:
    return frame.select(*(f"`{name.replace('`', '``')}`" for name in names))


def _map_scores(job: Job, sent: Any, batches: Iterator[Any]) -> Iterator[Any]:
    for table in score_tables(job, sent.value, batches):
        yield from table.to_batches()


def _map_days(job: Job, batches: Iterator[Any]) -> Iterator[Any]:
    for day in newest_days(job, batches):
        yield pa.RecordBatch.from_pydict({"day": [day]}, schema=DAY)


@contextmanager
def _without_pandas_warning() -> Iterator[None]:
    """Without Spark's warning on the version of pandas: only Arrow batches pass between the two."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield


@contextmanager
def _translated(source: str) -> Iterator[None]:
    """Turn an error of Spark into one message: that of ours where a worker raised it, else Spark's first line."""
    try:
        yield
    except WinprobError:
        raise
    except Exception as fault:
        from pyspark.errors import PySparkException

        if not isinstance(fault, PySparkException) and "Py4J" not in type(fault).__name__:
            raise
        own = _OURS.search(str(fault))
        if own:
            raise EngineError(own[1].strip()) from fault
        raise EngineError(
            gettext("Spark cannot score {source}: {reason}", source=source, reason=_first(fault))
        ) from fault


def _first(fault: Exception) -> str:
    lines = [line for line in str(fault).splitlines() if line.strip()]
    return lines[0].strip().rstrip(".") if lines else type(fault).__name__
