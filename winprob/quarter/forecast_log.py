"""Forecast log: one file for each forecast, named by day, quarter and a hash of its content, verified on reading."""

import datetime as dt
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.fiscal import Quarter
from winprob.data.tables import replacing
from winprob.errors import InputError, OutputError
from winprob.i18n import gettext
from winprob.quarter.results import Forecast

_KEY = b"winprob_forecast"
_FORMAT = 1
#: Entries of a log file that are not columns of ``read_forecasts``.
_NESTED = ("quarter", "deciles", "format")
#: Entries that every forecast has, and their types.
_NUMBERS = ("p10", "p50", "p90", "mean", "commit", "stage_weighted")
_MAYBE_NUMBERS = ("target", "prob_target")
#: Entries of a forecast with a correction by past quarters.
CORRECTED = ("p10_corrected", "p50_corrected", "p90_corrected", "prob_target_corrected")
#: What scoring needs; amounts and names of sellers stay in the export.
_DEAL_COLUMNS = ("deal_id", "win_prob", "by_end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A logged forecast: its numbers, and the probabilities of its deals."""

    path: Path
    quarter: Quarter
    as_of: dt.date
    numbers: dict[str, Any]
    deals: pd.DataFrame


def append_forecast(folder: Path | str, forecast: Forecast) -> Path:
    """Append a forecast to the log; an identical one is kept once.

    Returns
    -------
    The file, named by day, quarter and a hash of its content; a missing folder is created.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    folder, numbers = Path(folder), json.dumps(_numbers(forecast), ensure_ascii=False, sort_keys=True)
    deals = forecast.deals[list(_DEAL_COLUMNS)]
    name = "".join(mark if mark.isalnum() else "-" for mark in forecast.quarter.name)
    path = folder / f"{forecast.as_of}_{name}_{_digest(numbers, deals)}.parquet"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as fault:
        raise OutputError(
            gettext("cannot write {path}: {fault}.", path=folder, fault=fault.strerror or fault)
        ) from None
    if not path.exists():
        data = _parquet(deals, numbers)
        with replacing(path) as scratch:
            scratch.write_bytes(data)
    return path


def _digest(numbers: str, deals: pd.DataFrame) -> str:
    return sha256(numbers.encode() + deals.to_csv(index=False).encode()).hexdigest()[:12]


def read_log(folder: Path | str) -> list[Logged]:
    """Every forecast of a log, by day.

    Raises
    ------
    InputError
        The folder does not exist, holds no forecast, or holds Parquet files that are damaged or not forecasts; all are
        listed.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise InputError(
            gettext("{folder} is not a folder of forecasts. Make one with: winprob forecast --log", folder=folder)
        )
    entries = {path: _read(path) for path in sorted(folder.glob("*.parquet"))}
    others = [path.name for path, entry in entries.items() if entry is None]
    if others:
        raise InputError(
            gettext("{folder} holds files that are not forecasts: {files}.", folder=folder, files=", ".join(others))
        )
    damaged = [f"{path.name} ({entry})" for path, entry in entries.items() if isinstance(entry, str)]
    if damaged:
        raise InputError(
            gettext(
                "{folder} holds damaged forecasts: {files}. Restore them from a copy, or move them away to go on "
                "without them.",
                folder=folder,
                files=", ".join(damaged),
            )
        )
    log = [entry for entry in entries.values() if isinstance(entry, Logged)]
    if not log:
        raise InputError(gettext("{folder} holds no forecast. Add one with: winprob forecast --log", folder=folder))
    return sorted(log, key=lambda logged: (logged.as_of, logged.path.name))


def read_forecasts(folder: Path | str) -> pd.DataFrame:
    """One row for each forecast of a log: ``quarter, as_of, week, currency, p10, p50, p90, mean, target, prob_target,
    closed, commit, best_case, pipeline, stage_weighted, dated, model, seed``; the sellers' lines are cumulative. Then
    ``p10_corrected, p50_corrected, p90_corrected, prob_target_corrected``, blank without a correction.
    """
    return pd.DataFrame(list(_rows(read_log(folder))))


def _rows(log: list[Logged]) -> Iterator[dict[str, Any]]:
    for logged in log:
        numbers = {name: value for name, value in logged.numbers.items() if name not in _NESTED}
        numbers |= {name: logged.numbers.get(name) for name in CORRECTED}
        yield {"quarter": logged.quarter.name, "week": logged.quarter.week_of(logged.as_of), **numbers}


def _numbers(forecast: Forecast) -> dict[str, Any]:
    total = forecast.lines.iloc[-1]
    quarter = forecast.quarter
    rolled = forecast.seller_rollup.set_index("line")["cumulative"]
    reached = float(total["prob_target"]) if forecast.target is not None else None
    return {
        "format": _FORMAT,
        "quarter": {"name": quarter.name, "start": quarter.start.isoformat(), "end": quarter.end.isoformat()},
        "as_of": forecast.as_of.isoformat(),
        "currency": forecast.currency,
        **{name: float(total[name]) for name in ("p10", "p50", "p90", "mean")},
        "target": forecast.target,
        "prob_target": reached,
        **{line: float(rolled[line]) for line in rolled.index},
        "stage_weighted": forecast.stage_weighted,
        "dated": forecast.dated,
        "model": forecast.model,
        "seed": forecast.seed,
        **_corrected(forecast),
        "deciles": [float(q) for q in np.quantile(forecast.draws["total"], np.arange(1, 20) / 20)],
    }


def _corrected(forecast: Forecast) -> dict[str, Any]:
    """Numbers of the corrected total; none without a correction, as in the first logs."""
    if forecast.corrected is None:
        return {}
    return {name: getattr(forecast.corrected, name.removesuffix("_corrected")) for name in CORRECTED}


def _parquet(deals: pd.DataFrame, numbers: str) -> bytes:
    # Imported here: only a log needs it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(deals, preserve_index=False)
    buffer = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: numbers}), buffer)
    return bytes(buffer.getvalue())


def _read(path: Path) -> Logged | str | None:
    """A forecast of the log; what is wrong with it if it is damaged; None for another kind of file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data = path.read_bytes()
    except OSError as fault:
        return fault.strerror or str(fault)
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read()
        metadata = (table.schema.metadata or {}).get(_KEY)
        if metadata is None:
            return None
        table.validate(full=True)
        logged = _logged(path, json.loads(metadata), table.to_pandas())
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError) as fault:
        return None if _other_file(data) else gettext("its content cannot be read: {fault}", fault=fault)
    named = re.fullmatch(r".*_([0-9a-f]{12})", path.stem)
    if named and named[1] != _digest(metadata.decode(), logged.deals):
        return gettext("it differs from the checksum in its name")
    return logged


def _other_file(data: bytes) -> bool:
    """Whether a file that cannot be read never was a Parquet file with a forecast."""
    return _KEY not in data and not (data.startswith(b"PAR1") or data.endswith(b"PAR1"))


def _logged(path: Path, numbers: Any, deals: pd.DataFrame) -> Logged:
    """The content of a log file.

    Raises
    ------
    ValueError, TypeError, LookupError, AttributeError
        A part is missing or of another type.
    """
    if numbers["format"] != _FORMAT:
        raise ValueError(
            gettext("format {got}; this winprob reads format {known}", got=numbers["format"], known=_FORMAT)
        )
    span = numbers["quarter"]
    start, end, as_of = map(dt.date.fromisoformat, (span["start"], span["end"], numbers["as_of"]))
    figures = [numbers[name] for name in _NUMBERS]
    figures += [numbers[name] for name in _MAYBE_NUMBERS if numbers[name] is not None]
    figures += [numbers[name] for name in CORRECTED if numbers.get(name) is not None]
    if not all(type(figure) in (int, float) for figure in figures) or not isinstance(numbers["currency"], str):
        raise TypeError("numbers")
    if not {"deal_id", "by_end"} <= set(deals) or not isinstance(span["name"], str):
        raise TypeError("deals")
    quarter = Quarter(name=span["name"], start=start, end=end)
    return Logged(path=path, quarter=quarter, as_of=as_of, numbers=numbers, deals=deals)
