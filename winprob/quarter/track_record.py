"""Track record: the forecasts of a log, scored against the realised bookings."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import column_or_missing, mask_of, validate_deals
from winprob.errors import ForecastError
from winprob.i18n import amount_text, gettext
from winprob.quarter.forecast_log import CORRECTED, Logged, read_log
from winprob.quarter.pipeline import booked, closed_within, known_deals, last_day, no_days
from winprob.quarter.results import is_inside, reaches

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
    "p10_corrected",
    "p50_corrected",
    "p90_corrected",
    "inside_80_corrected",
    "corrected_error",
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
    ``prob_target, reached``; and of the corrected total, blank without a correction, ``p10_corrected``,
    ``p50_corrected``, ``p90_corrected``, ``inside_80_corrected`` and ``corrected_error``

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
    """``forecaster, forecasts, quarters, mean_abs_error, mean_error, coverage_80``: model, commit, stage_weighted.

    Where forecasts were corrected also ``corrected``, and ``uncorrected``, the model on these forecasts alone.
    """
    records = [_summary(name, scores, f"{name}_error", "inside_80" if name == "model" else None) for name in _RIVALS]
    both = scores[mask_of(column_or_missing(scores, "corrected_error").notna())]
    if len(both):
        records.append(_summary("corrected", both, "corrected_error", "inside_80_corrected"))
        records.append(_summary("uncorrected", both, "model_error", "inside_80"))
    columns = ["forecaster", "forecasts", "quarters", "mean_abs_error", "mean_error", "coverage_80"]
    return pd.DataFrame(records, columns=columns)


def _summary(name: str, scores: pd.DataFrame, error_of: str, inside: str | None) -> tuple[Any, ...]:
    error = scores[error_of].astype(float)
    covered = float(scores[inside].astype(float).mean()) if inside and len(scores) else np.nan
    return name, len(scores), scores["quarter"].nunique(), float(error.abs().mean()), float(error.mean()), covered


def track_record_sentences(scores: pd.DataFrame, written: Callable[[float], str] = amount_text) -> Iterator[str]:
    """Coverage and errors of past forecasts, and whether there are enough quarters to judge.

    ``written`` is how an amount is written.
    """
    if scores.empty:
        yield gettext("No quarter of the log is over in this table: there is nothing to score yet.")
        return
    summary = summarise_track_record(scores).set_index("forecaster")
    error = {str(name): written(float(value)) for name, value in summary["mean_abs_error"].items()}
    yield gettext(
        "P10 to P90 covered the actual in {inside:.0%} of {count} forecasts for {quarters} quarters (expected: 80%).",
        inside=summary.loc["model", "coverage_80"],
        count=len(scores),
        quarters=scores["quarter"].nunique(),
    )
    yield gettext(
        "Mean absolute error: P50 {model}, sellers' commit {commit}, stage-weighted pipeline {stage_weighted}.",
        **{name: error[name] for name in _RIVALS},
    )
    if "corrected" in error:
        yield gettext(
            "{count} forecasts were corrected by past quarters: mean absolute error of P50 {corrected} (without the "
            "correction {raw}); P10 to P90 covered {inside:.0%} ({inside_raw:.0%}).",
            count=summary.loc["corrected", "forecasts"],
            corrected=error["corrected"],
            raw=error["uncorrected"],
            inside=summary.loc["corrected", "coverage_80"],
            inside_raw=summary.loc["uncorrected", "coverage_80"],
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
    actual = booked(deals, logged.quarter, day, currency=numbers["currency"] or None, rates=rates)
    errors = {f"{name}_error": numbers[key] - actual for name, key in _RIVALS.items()}
    target = numbers["target"]
    return {
        "quarter": logged.quarter.name,
        "as_of": logged.as_of,
        "week": logged.quarter.week_of(logged.as_of),
        **{name: numbers[name] for name in ("currency", "p10", "p50", "p90", "prob_target")},
        "actual": actual,
        "inside_80": is_inside(actual, numbers["p10"], numbers["p90"]),
        **errors,
        "reached": None if target is None else bool(reaches(actual, target)),
        **_corrected_score(numbers, actual),
    }


def _corrected_score(numbers: dict[str, Any], actual: float) -> dict[str, Any]:
    """The corrected total and its score; blank in a forecast without a correction."""
    if any(numbers.get(name) is None for name in CORRECTED[:3]):
        return dict.fromkeys((*CORRECTED[:3], "inside_80_corrected", "corrected_error"))
    p10, p50, p90 = (numbers[name] for name in CORRECTED[:3])
    return {
        **dict(zip(CORRECTED[:3], (p10, p50, p90), strict=True)),
        "inside_80_corrected": is_inside(actual, p10, p90),
        "corrected_error": p50 - actual,
    }


def _outcomes(logged: Logged, deals: pd.DataFrame) -> pd.DataFrame:
    """Each logged deal's probability of a win in the quarter, and whether it was won; a missing deal was not."""
    inside = closed_within(deals, logged.quarter)
    won = deals["deal_id"][mask_of(column_or_missing(deals, "outcome") == "won") & inside]
    return pd.DataFrame({"by_end": logged.deals["by_end"], "won": logged.deals["deal_id"].isin(won)})
