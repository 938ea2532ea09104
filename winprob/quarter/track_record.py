"""How good were the forecasts? What was said week by week, beside what the quarter brought and what sellers said."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import mask_of, validate_deals
from winprob.errors import ForecastError
from winprob.i18n import gettext
from winprob.quarter.log import Logged, read_log
from winprob.quarter.pipeline import Days, column, known_deals, last_day, open_book

#: Quarters below which a record says little: the share inside of so few has an error of ten points or more.
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
    """Every logged forecast whose quarter is over, beside what the quarter brought.

    Parameters
    ----------
    deals : frame in canonical columns that knows the closed deals of those quarters
    as_of : the day knowledge ends; by default the latest reading or closing in the table

    Returns
    -------
    DataFrame, a row a forecast: ``quarter, as_of, week, currency, p10, p50, p90, actual, inside_80``; errors of P50, of
    the sellers' closed and commit, and of the stage-weighted pipeline, forecast less actual; ``prob_target, reached``

    Raises
    ------
    InputError
        The folder is no log.
    DealTableError
        The frame is not a valid deal table.
    ForecastError
        The table has no days, or a rate is missing.
    """
    valid, day = _known(deals, as_of)
    rows = [_score(logged, valid, day, rates) for logged in read_log(folder) if logged.quarter.end <= day]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def calibrate_deals(folder: Path | str, deals: pd.DataFrame, *, as_of: dt.date | None = None) -> pd.DataFrame:
    """Chances of single deals beside what became of them: ``from, to, deals, expected_wins, wins`` by chance.

    A deal counts once for every forecast it stood in, of quarters that are over.
    """
    valid, day = _known(deals, as_of)
    parts = [_fates(logged, valid) for logged in read_log(folder) if logged.quarter.end <= day]
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


def summarise_record(scores: pd.DataFrame) -> pd.DataFrame:
    """``forecaster, forecasts, quarters, mean_abs_error, mean_error, coverage_80``: model, commit, stage_weighted."""
    records = []
    for name in _RIVALS:
        error = scores[f"{name}_error"].astype(float)
        covered = float(scores["inside_80"].mean()) if name == "model" and len(scores) else np.nan
        size = (len(scores), scores["quarter"].nunique())
        records.append((name, *size, float(error.abs().mean()), float(error.mean()), covered))
    columns = ["forecaster", "forecasts", "quarters", "mean_abs_error", "mean_error", "coverage_80"]
    return pd.DataFrame(records, columns=columns)


def tell_record(scores: pd.DataFrame) -> Iterator[str]:
    """The record in words, and whether it is long enough to say anything."""
    if scores.empty:
        yield gettext("No quarter of the log is over in this table: there is nothing to score yet.")
        return
    told = summarise_record(scores).set_index("forecaster")
    yield gettext(
        "{inside:.0%} of {count} forecasts of {quarters} quarters held the actual between P10 and P90 (80% should).",
        inside=told.loc["model", "coverage_80"],
        count=len(scores),
        quarters=scores["quarter"].nunique(),
    )
    yield gettext(
        "Mean absolute error: P50 {model}, sellers' commit {commit}, stage-weighted pipeline {stage_weighted}.",
        **{str(name): f"{error:,.0f}" for name, error in told["mean_abs_error"].items()},
    )
    if scores["quarter"].nunique() < FEW:
        yield gettext("Fewer than {few} quarters: too few to tell a good forecaster from a lucky one.", few=FEW)


def _known(deals: pd.DataFrame, as_of: dt.date | None) -> tuple[pd.DataFrame, dt.date]:
    valid = validate_deals(deals)
    day = as_of or last_day(valid)
    if day is None:
        raise ForecastError(
            gettext("the table has no day of reading or closing: say on which day knowledge ends (--as-of)")
        )
    return known_deals(valid, day), day


def _score(logged: Logged, deals: pd.DataFrame, day: dt.date, rates: pd.DataFrame | None) -> dict[str, Any]:
    numbers = logged.numbers
    book = open_book(deals, logged.quarter, Days.all_on(day), currency=numbers["currency"] or None, rates=rates)
    actual = float(np.nansum(book.closed["worth"]))
    errors = {f"{name}_error": numbers[key] - actual for name, key in _RIVALS.items()}
    target = numbers["target"]
    return {
        "quarter": logged.quarter.name,
        "as_of": logged.as_of,
        "week": logged.quarter.week_of(logged.as_of),
        **{name: numbers[name] for name in ("currency", "p10", "p50", "p90", "prob_target")},
        "actual": actual,
        "inside_80": numbers["p10"] <= actual <= numbers["p90"],
        **errors,
        "reached": None if target is None else actual >= target,
    }


def _fates(logged: Logged, deals: pd.DataFrame) -> pd.DataFrame:
    """Chance of each logged deal of being won in the quarter, and whether it was; a deal gone since is not won."""
    closed_on = column(deals, "closed_on")
    inside = (closed_on >= pd.Timestamp(logged.quarter.start)) & (closed_on <= pd.Timestamp(logged.quarter.end))
    won = deals["deal_id"][mask_of(column(deals, "outcome") == "won") & mask_of(inside)]
    return pd.DataFrame({"by_end": logged.deals["by_end"], "won": logged.deals["deal_id"].isin(won)})
