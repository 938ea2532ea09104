"""Forecast log and track record: one file for each forecast, scored later against the realised bookings."""

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
from winprob.data.schema import column_or_missing, mask_of, validate_deals
from winprob.data.tables import replacing
from winprob.errors import ForecastError, InputError, OutputError
from winprob.i18n import gettext
from winprob.quarter.pipeline import Days, closed_within, known_deals, last_day, no_days, pipeline_state
from winprob.quarter.results import PRECISION, Forecast, reaches

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


#: Below this number of quarters coverage has a standard error of ten points or more.
FEW = 12
_RIVALS = {"model": "p50", "commit": "commit", "stage_weighted": "stage_weighted"}
_EDGES = (0, 0.1, 0.3, 0.5, 0.7, 0.9, 1)
SCORE_COLUMNS = (
    "quarter",
    "as_of",
    "week",
    "currency",
    "p10",
    "p50",
    "p90",
    "actual",
    "inside_80",
    "model_error",
    "commit_error",
    "stage_weighted_error",
    "prob_target",
    "reached",
)


def score_forecasts(
    folder: Path | str, deals: pd.DataFrame, *, rates: pd.DataFrame | None = None, as_of: dt.date | None = None
) -> pd.DataFrame:
    """Score every logged forecast whose quarter is over against the realised bookings.

    Parameters
    ----------
    deals : frame in canonical columns with the closed deals of those quarters
    as_of : the day knowledge ends; by default the latest reading or closing in the table

    Returns
    -------
    DataFrame, one row for each forecast: ``quarter, as_of, week, currency, p10, p50, p90, actual, inside_80``; errors
    (forecast less actual) of P50, of the sellers' closed and commit, and of the stage-weighted pipeline;
    ``prob_target, reached``

    Raises
    ------
    InputError
        The folder is not a log.
    DealTableError
        The frame is not a valid deal table.
    ForecastError
        The table has no days, or a rate is missing.
    """
    valid, day = _known(deals, as_of)
    rows = [_score(logged, valid, day, rates) for logged in read_log(folder) if logged.quarter.end <= day]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def calibrate_deals(folder: Path | str, deals: pd.DataFrame, *, as_of: dt.date | None = None) -> pd.DataFrame:
    """Calibration of deals' probabilities of a win in the quarter: ``from, to, deals, expected_wins, wins`` by bin.

    A deal counts once for every forecast that contains it, of quarters that are over.
    """
    valid, day = _known(deals, as_of)
    parts = [_outcomes(logged, valid) for logged in read_log(folder) if logged.quarter.end <= day]
    table = pd.concat([pd.DataFrame({"by_end": [], "won": []}), *parts])
    bins = pd.cut(table["by_end"].astype(float), list(_EDGES), labels=False, include_lowest=True)
    sums = table.astype(float).groupby(bins).agg(["size", "sum"]).reindex(range(len(_EDGES) - 1), fill_value=0)
    return pd.DataFrame(
        {
            "from": _EDGES[:-1],
            "to": _EDGES[1:],
            "deals": sums["by_end"]["size"].to_numpy(dtype=int),
            "expected_wins": sums["by_end"]["sum"].to_numpy(dtype=float),
            "wins": sums["won"]["sum"].to_numpy(dtype=int),
        }
    )


def summarise_track_record(scores: pd.DataFrame) -> pd.DataFrame:
    """``forecaster, forecasts, quarters, mean_abs_error, mean_error, coverage_80``: model, commit, stage_weighted."""
    records = []
    for name in _RIVALS:
        error = scores[f"{name}_error"].astype(float)
        covered = float(scores["inside_80"].mean()) if name == "model" and len(scores) else np.nan
        size = (len(scores), scores["quarter"].nunique())
        records.append((name, *size, float(error.abs().mean()), float(error.mean()), covered))
    columns = ["forecaster", "forecasts", "quarters", "mean_abs_error", "mean_error", "coverage_80"]
    return pd.DataFrame(records, columns=columns)


def track_record_sentences(scores: pd.DataFrame) -> Iterator[str]:
    """Coverage and errors of past forecasts, and whether there are enough quarters to judge."""
    if scores.empty:
        yield gettext("No quarter of the log is over in this table: there is nothing to score yet.")
        return
    summary = summarise_track_record(scores).set_index("forecaster")
    yield gettext(
        "P10 to P90 covered the actual in {inside:.0%} of {count} forecasts for {quarters} quarters (expected: 80%).",
        inside=summary.loc["model", "coverage_80"],
        count=len(scores),
        quarters=scores["quarter"].nunique(),
    )
    yield gettext(
        "Mean absolute error: P50 {model}, sellers' commit {commit}, stage-weighted pipeline {stage_weighted}.",
        **{str(name): f"{error:,.0f}" for name, error in summary["mean_abs_error"].items()},
    )
    if scores["quarter"].nunique() < FEW:
        yield gettext("Fewer than {few} quarters: too few to distinguish skill from luck.", few=FEW)


def _known(deals: pd.DataFrame, as_of: dt.date | None) -> tuple[pd.DataFrame, dt.date]:
    valid = validate_deals(deals)
    day = as_of or last_day(valid)
    if day is None:
        raise ForecastError(no_days())
    return known_deals(valid, day), day


def _score(logged: Logged, deals: pd.DataFrame, day: dt.date, rates: pd.DataFrame | None) -> dict[str, Any]:
    numbers = logged.numbers
    state = pipeline_state(deals, logged.quarter, Days.all_on(day), currency=numbers["currency"] or None, rates=rates)
    actual = float(np.nansum(state.closed["worth"]))
    rounding = PRECISION * abs(actual)
    errors = {f"{name}_error": numbers[key] - actual for name, key in _RIVALS.items()}
    target = numbers["target"]
    return {
        "quarter": logged.quarter.name,
        "as_of": logged.as_of,
        "week": logged.quarter.week_of(logged.as_of),
        **{name: numbers[name] for name in ("currency", "p10", "p50", "p90", "prob_target")},
        "actual": actual,
        "inside_80": numbers["p10"] - rounding <= actual <= numbers["p90"] + rounding,
        **errors,
        "reached": None if target is None else bool(reaches(actual, target)),
    }


def _outcomes(logged: Logged, deals: pd.DataFrame) -> pd.DataFrame:
    """Each logged deal's probability of a win in the quarter, and whether it was won; a missing deal was not."""
    inside = closed_within(deals, logged.quarter)
    won = deals["deal_id"][mask_of(column_or_missing(deals, "outcome") == "won") & inside]
    return pd.DataFrame({"by_end": logged.deals["by_end"], "won": logged.deals["deal_id"].isin(won)})
