"""The forecast log: one file for each forecast, never rewritten, for scoring later."""

import datetime as dt
import json
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
_DEAL_COLUMNS = ("deal_id", "seller", "line", "amount", "win_prob", "by_end", "expected_bookings")


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
    digest = sha256(numbers.encode() + deals.to_csv(index=False).encode()).hexdigest()[:12]
    name = "".join(mark if mark.isalnum() else "-" for mark in forecast.quarter.name)
    path = folder / f"{forecast.as_of}_{name}_{digest}.parquet"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as fault:
        raise OutputError(
            gettext("cannot write {path}: {fault}.", path=folder, fault=fault.strerror or fault)
        ) from None
    if not path.exists():
        _write(path, deals, numbers)
    return path


def read_log(folder: Path | str) -> list[Logged]:
    """Every forecast of a log, by day.

    Raises
    ------
    InputError
        The folder does not exist, holds no forecast, or holds Parquet files that are not forecasts; all are listed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            gettext("{folder} is not a folder of forecasts. Make one with: winprob forecast --log", folder=folder)
        )
    log, others = [], []
    for path in sorted(folder.glob("*.parquet")):
        logged = _read(path)
        log += [logged] if logged else []
        others += [] if logged else [path.name]
    if others:
        raise InputError(
            gettext("{folder} holds files that are not forecasts: {files}.", folder=folder, files=", ".join(others))
        )
    if not log:
        raise InputError(gettext("{folder} holds no forecast. Add one with: winprob forecast --log", folder=folder))
    return sorted(log, key=lambda logged: (logged.as_of, logged.path.name))


def read_forecasts(folder: Path | str) -> pd.DataFrame:
    """One row for each forecast of a log: ``quarter, as_of, week, currency, p10, p50, p90, mean, target, prob_target,
    closed, commit, best_case, pipeline, stage_weighted, dated, model, seed``; the sellers' lines are cumulative.
    """
    return pd.DataFrame(list(_rows(read_log(folder))))


def _rows(log: list[Logged]) -> Iterator[dict[str, Any]]:
    for logged in log:
        numbers = {name: value for name, value in logged.numbers.items() if name not in _NESTED}
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
        "deciles": [float(q) for q in np.quantile(forecast.draws["total"], np.arange(1, 20) / 20)],
    }


def _write(path: Path, deals: pd.DataFrame, numbers: str) -> None:
    # Imported here: only a log needs it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(deals, preserve_index=False)
    with replacing(path) as scratch:
        pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: numbers}), scratch)


def _read(path: Path) -> Logged | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        return None
    metadata = (table.schema.metadata or {}).get(_KEY)
    numbers = json.loads(metadata) if metadata else {}
    if numbers.get("format") != _FORMAT:
        return None
    quarter = Quarter(
        name=numbers["quarter"]["name"],
        start=dt.date.fromisoformat(numbers["quarter"]["start"]),
        end=dt.date.fromisoformat(numbers["quarter"]["end"]),
    )
    as_of = dt.date.fromisoformat(numbers["as_of"])
    return Logged(path=path, quarter=quarter, as_of=as_of, numbers=numbers, deals=table.to_pandas())
