"""Write simulated deals to CSV or Parquet in blocks of bounded memory; write and read the truth as NetCDF."""

import datetime as dt
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import h5netcdf
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from winprob.data.schema import SUPPORTS
from winprob.data.tables import scratch_folder
from winprob.errors import InputError, OutputError, SettingsError
from winprob.i18n import gettext
from winprob.simulation.deals import Team
from winprob.simulation.frames import level_names
from winprob.simulation.team import AS_OF, CHUNK, SimulationRequest, batch_deals, batch_people, build_team, draw_batches
from winprob.simulation.truth import COORDINATES, DIMS, TEAM, Truth

Format = Literal["csv", "parquet"]
FORMATS = ("csv", "parquet")
TABLES = ("closed", "open", "people")
TRUTH_FILE = "truth.nc"
#: Label in truth.nc of the level that is blank in the record.
BLANK = "(blank)"
#: Whole numbers are written without a decimal point.
WHOLE = ("amount", "support", "influence", *SUPPORTS)
Progress = Callable[[int, int], None]


class _Sink(Protocol):
    """Writer of one table."""

    def write(self, frame: pd.DataFrame) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


def write_simulation(
    directory: str | os.PathLike[str],
    deals: int = 300,
    open_deals: int = 60,
    *,
    seed: int,
    truth: Truth | None = None,
    quarters: int = 8,
    as_of: dt.date = AS_OF,
    format: Format = "csv",
    chunk: int = CHUNK,
    progress: Progress | None = None,
) -> Truth:
    """Write ``closed``, ``open`` and ``people`` tables and ``truth.nc`` into ``directory``; return the truth.

    With the default ``chunk`` the tables equal those of `simulate` with the same seed. Existing files are replaced
    atomically, after all have been written.

    Parameters
    ----------
    format
        ``csv`` or ``parquet``.
    chunk
        Deals drawn at a time.
    progress
        Called with the deals written so far and in all.

    Raises
    ------
    SettingsError
        If a number or the format is out of range.
    OutputError
        If the directory or a file in it cannot be written.
    """
    if format not in FORMATS:
        raise SettingsError(gettext("format {got!r} is not one of {wanted}", got=format, wanted=", ".join(FORMATS)))
    request = SimulationRequest(
        deals=deals, open_deals=open_deals, seed=seed, quarters=quarters, as_of=as_of, chunk=chunk
    )
    team = build_team(request, truth)
    folder = Path(directory)
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder) as scratch:
            _write_tables(scratch, request, team, format, progress)
            _write_truth(scratch / TRUTH_FILE, request, team)
            for path in sorted(scratch.iterdir()):
                path.replace(folder / path.name)
    return team.truth


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        message = gettext("cannot write the simulation to '{path}': {reason}", path=folder, reason=reason)
        raise OutputError(message) from error


def _write_tables(
    folder: Path, request: SimulationRequest, team: Team, format: Format, progress: Progress | None
) -> None:
    sink: Callable[[Path], _Sink] = _Csv if format == "csv" else _Parquet
    done = 0
    with ExitStack() as stack:
        tables = {name: stack.enter_context(sink(folder / f"{name}.{format}")) for name in TABLES}
        for batch in draw_batches(request, team):
            tables["closed" if batch.closed else "open"].write(batch_deals(batch, team.truth))
            tables["people"].write(batch_people(batch))
            done += len(batch.block.won)
            if progress is not None:
                progress(done, request.deals + request.open_deals)


class _Csv:
    """UTF-8, ISO dates, blanks empty."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, frame: pd.DataFrame) -> None:
        whole = frame.astype({name: "Int64" for name in WHOLE if name in frame})
        header = self._file.tell() == 0
        whole.to_csv(self._file, index=False, header=header, lineterminator="\n", date_format="%Y-%m-%d")


class _Parquet:
    """One row group per block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, frame: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)


def _write_truth(path: Path, request: SimulationRequest, team: Team) -> None:
    truth, buffer = team.truth, io.BytesIO()
    # In memory first: the HDF5 library ends the process where the disk is full.
    with h5netcdf.File(buffer, "w") as file:
        for dimension, labels in coordinates(team).items():
            file.dimensions[dimension] = len(labels)
            texts = np.array(labels, dtype=h5py.string_dtype())
            file.create_variable(dimension, (dimension,), dtype=texts.dtype, data=texts)
        for name in truth.numbers():
            file.create_variable(name, _dims(name), data=truth.array(name))
        file.attrs.update(_provenance(request, truth))
    path.write_bytes(buffer.getvalue())


def _dims(name: str) -> tuple[str, ...]:
    return ("seller",) if name == "seller_bias" else DIMS.get(name, ())


def coordinates(team: Team) -> Mapping[str, tuple[str, ...]]:
    levels = {name: tuple(label or BLANK for label in level_names(team.truth, name)) for name in TEAM}
    return COORDINATES | levels | {"quarter": _quarter_names(team)}


def _quarter_names(team: Team) -> tuple[str, ...]:
    months = team.quarter_starts[:-1].astype("datetime64[M]").astype(np.int64)
    return tuple(f"{1970 + month // 12}Q{month % 12 // 3 + 1}" for month in months.tolist())


def _provenance(request: SimulationRequest, truth: Truth) -> dict[str, Any]:
    return {
        "format": 1,
        "link": truth.link,
        "seed": request.seed,
        "deals": request.deals,
        "open_deals": request.open_deals,
        "quarters": request.quarters,
        "as_of": request.as_of.isoformat(),
        "chunk": request.chunk,
    }


def read_truth(path: str | os.PathLike[str]) -> Truth:
    """Read the truth that `write_simulation` wrote to ``truth.nc``.

    Raises
    ------
    InputError
        If the file is missing or has another format.
    """
    try:
        with h5netcdf.File(path, "r") as file:
            numbers: dict[str, Any] = {name: file.variables[name][()] for name in Truth.numbers()}
            link = str(file.attrs["link"])
    except (OSError, KeyError) as error:
        message = gettext("cannot read the simulation's truth from '{path}': {reason}", path=path, reason=error)
        raise InputError(message) from error
    return Truth(**numbers, link=link)
