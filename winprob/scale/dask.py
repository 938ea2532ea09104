"""The Dask engine: ``map_partitions`` over Parquet, on a scheduler of the user's or on processes of this machine.

Dask runs a task again whose worker was killed: the model is a task too, so it is sent again to whoever takes over.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from winprob.errors import EngineError, InputError
from winprob.extras import require
from winprob.i18n import gettext
from winprob.scale.scoring import SCHEMA, Engine, Job, newest_days, score_tables

#: Bytes of columns in a partition: some 50,000 deals, seconds of work for one core.
_PARTITION = "4MiB"


@contextmanager
def engine(scheduler: str | None, workers: int | None) -> Iterator[Engine]:
    """The scheduler at an address; without one, worker processes on this machine, by default one for each core.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    EngineError
        No scheduler answers at the address.
    """
    require("dask.dataframe", "dask")
    distributed = require("distributed", "dask")
    if scheduler:
        try:
            own = distributed.Client(scheduler, timeout=10)
        except (OSError, ValueError) as fault:
            raise EngineError(
                gettext("no Dask scheduler answers at {address}. Start one: dask scheduler", address=scheduler)
            ) from fault
        with own:
            yield Engine(name="dask", score=score, run=partial(run, own))
        return
    how: dict[str, Any] = {"threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=workers, silence_logs="ERROR", **how) as cluster,
        distributed.Client(cluster) as own,
    ):
        yield Engine(name="dask", score=score, run=partial(run, own))


def score(job: Job, model: bytes, source: str, out: Path) -> None:
    """Score the deals of a Parquet file or folder into a file for each partition, in their order.

    Raises
    ------
    InputError
        ``source`` is missing, or is not Parquet.
    DealTableError
        The deals are not valid.
    """
    import dask
    from dask import dataframe

    try:
        frame = dataframe.read_parquet(source, dtype_backend="pyarrow", blocksize=_PARTITION, index=False)
    except (OSError, ValueError, pa.ArrowException) as fault:
        raise InputError(
            gettext("{path} cannot be read as Parquet: {reason}.", path=source, reason=str(fault).splitlines()[0])
        ) from fault
    if job.undated:
        dated = frame[job.of_days(frame.columns)]
        days = dated.map_partitions(_newest, job, meta=pd.DataFrame({"day": pd.Series([], dtype="float64")}))
        latest = days["day"].max().compute()
        job = job.dated([None if pd.isna(latest) else int(latest)])
    sent = dask.delayed(model)
    scored = frame[job.present(frame.columns)].map_partitions(_scored, job, sent, meta=SCHEMA.empty_table().to_pandas())
    scored.to_parquet(str(out.absolute()), write_index=False, schema=SCHEMA, name_function=_part)


def run[Item, Result](own: Any, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """``work`` of every item, as each is done."""
    from distributed import as_completed

    for done in as_completed(own.map(work, list(items), pure=False)):
        yield done.result()


def _part(at: int) -> str:
    """Named so that the order of the names is that of the partitions."""
    return f"part-{at:05d}.parquet"


def _scored(frame: pd.DataFrame, job: Job, model: bytes) -> pd.DataFrame:
    tables = list(score_tables(job, model, [_arrow(frame)]))
    scored: pd.DataFrame = pa.concat_tables([SCHEMA.empty_table(), *tables]).to_pandas()
    return scored


def _newest(frame: pd.DataFrame, job: Job) -> pd.DataFrame:
    return pd.DataFrame({"day": list(newest_days(job, [_arrow(frame)]))}, dtype="float64")


def _arrow(frame: pd.DataFrame) -> Any:
    return pa.Table.from_pandas(frame, preserve_index=False)
