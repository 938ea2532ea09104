"""Rolling origin over a team's past quarters: forecasts next to what came, rivals, and the correction learned."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.errors import ForecastError, NotConvergedError
from winprob.i18n import Described, gettext
from winprob.model.correction import Correction, learn_correction
from winprob.quarter import PRECISION, booked, is_inside, known_deals, report_currency
from winprob.retrain.replay.forecasts import PastForecast, Request, forecast_past, kept_place, read_kept, write_kept
from winprob.retrain.replay.past import WEEKS, PastQuarter, Snapshots, past_quarters, snapshots_of
from winprob.settings import Settings

QUARTERS = 8
REPLAY_COLUMNS = (
    "quarter",
    "week",
    "as_of",
    "p10",
    "p50",
    "p90",
    "actual",
    "inside_80",
    "pit",
    "model_error",
    "commit_error",
    "stage_weighted_error",
    "last_year_error",
    "p10_corrected",
    "p50_corrected",
    "p90_corrected",
)
_LEVELS = (0.1, 0.5, 0.9)
Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True, repr=False)
class Replay(Described):
    """Past quarters as they would have been forecast.

    Attributes
    ----------
    table : one row for each quarter and week: ``quarter, week, as_of, p10, p50, p90, actual, inside_80, pit``; errors
        (forecast less actual) ``model_error, commit_error, stage_weighted_error, last_year_error``; and
        ``p10_corrected, p50_corrected, p90_corrected``, each by a correction learned from the other quarters alone
        (NaN where these are too few)
    correction : learned from all quarters; None where they are too few
    left_out : quarter and reason of those that could not be replayed
    currency : of the amounts
    """

    table: pd.DataFrame
    correction: Correction | None
    left_out: tuple[tuple[str, str], ...]
    currency: str

    def described_as(self) -> str:
        return gettext("Replay of {count} past quarters", count=self.table["quarter"].nunique())

    def facts(self) -> Iterator[tuple[str, str]]:
        for week, rows in self.table.groupby("week"):
            inside, share = int(rows["inside_80"].sum()), rows["model_error"].sum() / max(rows["actual"].sum(), 1e-9)
            text = gettext("{inside} of {count} within P10 to P90", inside=inside, count=len(rows))
            yield gettext("week {number}", number=week), f"{text}; P50 {share:+.0%}"
        learned = gettext("learned") if self.correction else gettext("not learned: too few quarters")
        yield gettext("correction"), learned
        yield from self.left_out


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """A quarter's forecasts and what came."""

    name: str
    forecasts: list[PastForecast]
    actual: float


def replay_forecasts(
    history: str | Path | pd.DataFrame,
    *,
    quarters: int = QUARTERS,
    seed: int = 1,
    settings: Settings | None = None,
    currency: str | None = None,
    rates: pd.DataFrame | None = None,
    keep: Path | str | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Forecast past quarters at weeks 1, 5 and 10 from what was known then, and compare with what came.

    Each quarter has a fit of its own, with the sampler of ``settings.refit``, on what was known at its start.

    Parameters
    ----------
    history : the folder of a history, or a frame as ``read_history`` gives it
    quarters : the last so many full quarters
    currency, rates : as in ``forecast_quarter``
    keep : folder for finished quarters, so that a replay that was stopped goes on; created if missing
    progress : called with the current step and how much of the work is done

    Raises
    ------
    HistoryError
        It is not a history, or covers no full quarter.
    DealTableError
        A frame that is not a valid deal table.
    ForecastError
        A rate is missing.
    """
    chosen, snapshots = settings or Settings(), snapshots_of(history)
    every = past_quarters(snapshots, chosen.calendar, settle_days=chosen.monitor.settle_days, count=quarters)
    last = snapshots.days[-1]
    now = known_deals(snapshots.rows, last)
    own = currency or report_currency(now, every[-1].quarter, last, rates=rates)
    request = Request(settings=chosen, seed=seed, currency=own, rates=rates)
    scored: list[_Scored] = []
    left_out: list[tuple[str, str]] = []
    for at, past in enumerate(every):
        name = past.quarter.name
        if progress:
            progress(
                gettext("replaying {quarter}, {at} of {count}", quarter=name, at=at + 1, count=len(every)),
                at / len(every),
            )
        forecasts, reason = _forecasts(snapshots, past, request, Path(keep) if keep else None)
        if not forecasts:
            left_out.append((name, reason))
            continue
        actual = booked(now, past.quarter, last, currency=own or None, rates=rates)
        scored.append(_Scored(name=name, forecasts=forecasts, actual=actual))
    return Replay(
        table=_table(scored),
        correction=_correction(scored),
        left_out=tuple(left_out),
        currency=own,
    )


def _forecasts(
    snapshots: Snapshots, past: PastQuarter, request: Request, keep: Path | None
) -> tuple[list[PastForecast], str]:
    """Of one quarter, from disk where it was finished before; and why there are none."""
    least = request.settings.evaluation.least_training
    closed, won = snapshots.closed_until(past.quarter.start)
    if closed < least or won in (0, closed):
        return [], gettext("{closed} closed deals to learn from, {won} of them won", closed=closed, won=won)
    place = keep and kept_place(keep, snapshots, past, request)
    kept = place and read_kept(place)
    if kept:
        return kept, ""
    try:
        forecasts = forecast_past(snapshots, past, request)
    except NotConvergedError:
        return [], gettext("the fit did not converge")
    except ForecastError as error:
        return [], str(error)
    if place:
        write_kept(place, forecasts)
    return forecasts, ""


def _correction(scored: Iterable[_Scored]) -> Correction | None:
    quarters = list(scored)
    pit, width = np.full((2, len(quarters), len(WEEKS)), np.nan)
    for at, quarter in enumerate(quarters):
        for one in quarter.forecasts:
            pit[at, WEEKS.index(one.week)] = pit_of(one.total, quarter.actual)
            width[at, WEEKS.index(one.week)] = np.subtract(*np.quantile(one.total, (0.9, 0.1)))
    return learn_correction([quarter.name for quarter in quarters], WEEKS, pit, width)


def pit_of(total: Array, actual: float) -> float:
    """Probability of a total below the actual one; equal ones, up to rounding, count half."""
    rounding = PRECISION * max(abs(actual), 1.0)
    return float((total < actual - rounding).mean() + 0.5 * (np.abs(total - actual) <= rounding).mean())


def _table(scored: list[_Scored]) -> pd.DataFrame:
    records = []
    for quarter in scored:
        others = _correction(one for one in scored if one is not quarter)
        records += [_record(quarter, one, others) for one in quarter.forecasts]
    return pd.DataFrame(records, columns=list(REPLAY_COLUMNS))


def _record(quarter: _Scored, one: PastForecast, others: Correction | None) -> dict[str, Any]:
    p10, p50, p90 = map(float, np.quantile(one.total, _LEVELS))
    corrected = [np.nan] * 3 if others is None else others.quantiles(one.total, _LEVELS, one.week).tolist()
    return {
        "quarter": quarter.name,
        "week": one.week,
        "as_of": one.as_of,
        "p10": p10,
        "p50": p50,
        "p90": p90,
        "actual": quarter.actual,
        "inside_80": is_inside(quarter.actual, p10, p90),
        "pit": pit_of(one.total, quarter.actual),
        "model_error": p50 - quarter.actual,
        **{f"{name}_error": getattr(one, name) - quarter.actual for name in ("commit", "stage_weighted", "last_year")},
        **dict(zip(REPLAY_COLUMNS[-3:], corrected, strict=True)),
    }
