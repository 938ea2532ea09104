"""Trend of a quarter: P50, its interval, the sellers' commit, closed and target on each day of its forecasts.

P50 is known only on days on which a forecast was logged: today's model would know too much of earlier days. Closed and
commit are facts of the record, so a history fills in the days without a forecast.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.quarter.forecast_log import read_log
from winprob.quarter.outcome import falls_in
from winprob.quarter.pipeline import Days, known_deals, pipeline_state, seller_rollup
from winprob.quarter.results import Forecast

TREND_COLUMNS = ("as_of", "p10", "p50", "p90", "commit", "closed", "target")
#: Days before a quarter's start that still belong to its trend.
_EARLY = dt.timedelta(days=28)
#: Days of a history that are shown, spread evenly.
_MOST = 14


def quarter_trend(
    forecast: Forecast,
    *,
    log: Path | str | None = None,
    snapshots: pd.DataFrame | None = None,
    rates: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The quarter of a forecast week by week, up to its day: ``as_of, p10, p50, p90, commit, closed, target``.

    Parameters
    ----------
    log : folder of forecasts; of several on a day the last counts
    snapshots : history in canonical columns, for closed and commit on days without a forecast

    Raises
    ------
    InputError
        The log is damaged.
    ForecastError
        A rate is missing.
    """
    rows = {row["as_of"]: row for row in _known(forecast, snapshots, rates)} if snapshots is not None else {}
    rows |= {row["as_of"]: row for row in _logged(forecast, log)} if log is not None else {}
    rows[forecast.as_of] = _today(forecast)
    return pd.DataFrame([rows[day] for day in sorted(rows)], columns=list(TREND_COLUMNS))


def _begins(forecast: Forecast) -> dt.date:
    return forecast.quarter.start - _EARLY


def _today(forecast: Forecast) -> dict[str, Any]:
    total = forecast.lines.iloc[-1]
    rolled = forecast.seller_rollup.set_index("line")["cumulative"]
    return {
        "as_of": forecast.as_of,
        **{name: float(total[name]) for name in ("p10", "p50", "p90")},
        "commit": float(rolled["commit"]),
        "closed": float(rolled["closed"]),
        "target": np.nan if forecast.target is None else forecast.target,
    }


def _logged(forecast: Forecast, log: Path | str) -> Iterator[dict[str, Any]]:
    for logged in read_log(log):
        same = logged.quarter.start == forecast.quarter.start and logged.numbers["currency"] == forecast.currency
        if same and _begins(forecast) <= logged.as_of < forecast.as_of:
            numbers = logged.numbers
            yield {
                "as_of": logged.as_of,
                **{name: float(numbers[name]) for name in ("p10", "p50", "p90", "commit")},
                "closed": float(numbers.get("closed", np.nan)),
                "target": np.nan if numbers["target"] is None else float(numbers["target"]),
            }


def _known(forecast: Forecast, snapshots: pd.DataFrame, rates: pd.DataFrame | None) -> Iterator[dict[str, Any]]:
    days = pd.DatetimeIndex(snapshots["as_of"].dropna().unique()).sort_values()
    days = days[(days >= pd.Timestamp(forecast.quarter.start)) & (days < pd.Timestamp(forecast.as_of))]
    for at in np.unique(np.linspace(0, len(days) - 1, min(len(days), _MOST)).round().astype(int)) if len(days) else ():
        day = days[at].date()
        state = pipeline_state(
            known_deals(snapshots, day), forecast.quarter, Days.all_on(day), currency=forecast.currency, rates=rates
        )
        inside = falls_in(state.open, forecast.quarter, day, overdue=forecast.dated)
        rolled = seller_rollup(state, inside).set_index("line")["cumulative"]
        blank = dict.fromkeys(("p10", "p50", "p90", "target"), np.nan)
        yield {"as_of": day, **blank, "commit": float(rolled["commit"]), "closed": float(rolled["closed"])}
