"""What would have been forecast in a past quarter: a model fitted to what was known at its start, week by week."""

import datetime as dt
import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.history import deal_ends, review_table, training_rows
from winprob.data.tables import replacing
from winprob.errors import ForecastError
from winprob.evaluation import program_digest
from winprob.model.posterior import Posterior
from winprob.quarter import booked, forecast_quarter, known_deals, money_on
from winprob.retrain.replay.past import PastQuarter, Snapshots, year_before
from winprob.settings import Settings

#: Of the files of finished quarters.
_FORMAT = 1
_RIVALS = ("commit", "stage_weighted", "last_year")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a replay was asked for: settings, seed, the currency of its amounts, and exchange rates."""

    settings: Settings
    seed: int
    currency: str
    rates: pd.DataFrame | None


@dataclass(frozen=True, kw_only=True)
class PastForecast:
    """The forecast of one week: draws of the total, and the rivals' totals (NaN where there is none)."""

    week: int
    as_of: dt.date
    total: Array
    commit: float
    stage_weighted: float
    last_year: float


def forecast_past(snapshots: Snapshots, past: PastQuarter, request: Request) -> list[PastForecast]:
    """Fit a model to what was known at the quarter's start, and forecast its weeks; one without a forecast is left out.

    Raises
    ------
    NotConvergedError
        The fit failed its gates.
    ForecastError
        No week has a forecast: there is nothing to forecast, or a rate is missing.
    """
    posterior, made, fault = _fit(snapshots.until(past.quarter.start), request), [], None
    for week, day in past.days.items():
        try:
            made.append(_forecast(posterior, snapshots, past, week, day, request))
        except ForecastError as error:
            fault = error
    if fault and not made:
        raise fault
    return made


def _fit(known: pd.DataFrame, request: Request) -> Posterior:
    from winprob.model import inference

    calendar = request.settings.calendar
    return inference.fit(
        training_rows(known, reviews="month", calendar=calendar),
        seed=request.seed,
        settings=request.settings.for_refits(),
        ends=deal_ends(known),
    )


def _forecast(
    posterior: Posterior, snapshots: Snapshots, past: PastQuarter, week: int, day: dt.date, request: Request
) -> PastForecast:
    got = forecast_quarter(
        posterior,
        review_table(snapshots.until(day)),
        past.quarter,
        as_of=day,
        currency=request.currency or None,
        rates=request.rates,
        seed=request.seed,
    )
    return PastForecast(
        week=week,
        as_of=day,
        total=got.draws["total"],
        commit=float(got.seller_rollup.set_index("line")["cumulative"]["commit"]),
        stage_weighted=float(got.stage_weighted),
        last_year=_last_year(snapshots, past, day, request),
    )


class _Money(TypedDict):
    currency: str | None
    rates: pd.DataFrame | None


def _last_year(snapshots: Snapshots, past: PastQuarter, day: dt.date, request: Request) -> float:
    """Closed so far, and the share of the open pipeline that a year before was won from that day on; NaN without it."""
    quarter, money = past.quarter, _Money(currency=request.currency or None, rates=request.rates)
    before = year_before(quarter, request.settings.calendar)
    export = None if before is None else snapshots.export_of(before.start + (day - quarter.start))
    if before is None or export is None:
        return float("nan")
    try:
        closed, pipeline = money_on(known_deals(snapshots.on(day), day), quarter, day, **money)
        closed_then, pipeline_then = money_on(known_deals(snapshots.on(export), export), before, export, **money)
        came = booked(known_deals(snapshots.until(day), day), before, day, **money) - closed_then
    except ForecastError:
        # No rate of that year.
        return float("nan")
    return closed + came / pipeline_then * pipeline if pipeline_then > 0 else float("nan")


# ---- finished quarters on disk ---------------------------------------------------------------------------------------


def kept_place(folder: Path, snapshots: Snapshots, past: PastQuarter, request: Request) -> Path:
    """The file of a finished quarter: named by data known until its last forecast, settings, seed and program."""
    quarter = {"start": past.quarter.start, "end": past.quarter.end, "days": past.days}
    parts = [_FORMAT, asdict(request.settings), request.seed, request.currency, quarter]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
    digest.update(snapshots.digest(max(past.days.values())).encode() + program_digest().encode())
    if request.rates is not None:
        digest.update(request.rates.to_csv(index=False).encode())
    name = "".join(mark if mark.isalnum() else "-" for mark in past.quarter.name)
    return folder / f"{name}-{digest.hexdigest()[:16]}.npz"


def write_kept(path: Path, forecasts: list[PastForecast]) -> None:
    """Store a finished quarter, completely or not at all.

    Raises
    ------
    OutputError
        The file cannot be written there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = [
        {"week": one.week, "as_of": one.as_of.isoformat(), **{name: getattr(one, name) for name in _RIVALS}}
        for one in forecasts
    ]
    totals = {f"total{at}": one.total for at, one in enumerate(forecasts)}
    with replacing(path) as scratch, open(scratch, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, weeks=np.array(json.dumps(plain)), **totals)


def read_kept(path: Path) -> list[PastForecast] | None:
    """A finished quarter; None where it is not there, or its file is damaged."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return [
                PastForecast(
                    week=int(plain["week"]),
                    as_of=dt.date.fromisoformat(plain["as_of"]),
                    total=file[f"total{at}"],
                    **{name: float(plain[name]) for name in _RIVALS},
                )
                for at, plain in enumerate(json.loads(str(file["weeks"])))
            ]
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile):
        return None
