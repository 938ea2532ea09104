"""One week's review: forecast, bridge from the last review, monitoring, visits, and what needs a look."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import winprob
from winprob.actions.visits import Plan
from winprob.data.fiscal import Quarter, quarter_of
from winprob.data.schema import is_closed
from winprob.errors import HistoryError, RegistryError, UndatedError
from winprob.i18n import gettext
from winprob.quarter import Bridge, Forecast, quarter_trend
from winprob.retrain.monitoring import Monitoring, verdict_sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekInputs:
    """What a week's review is made from.

    Attributes
    ----------
    day : of the export, the day knowledge ends
    history : folder that holds the day's snapshot
    log : folder of the forecasts; it need not exist
    registry : whose current model ``posterior`` is, or None
    missing : why there is only the prior; empty where the model has learned from deals
    findings : of the check of the export
    target : bookings to reach, by quarter
    decisions : of earlier reviews, None without any
    """

    day: dt.date
    history: Path
    log: Path
    posterior: winprob.Posterior
    registry: winprob.Registry | None
    missing: str
    findings: pd.DataFrame
    target: Callable[[Quarter], float | None]
    currency: str | None
    rates: pd.DataFrame | None
    roster: Any
    decisions: pd.DataFrame | None
    settings: winprob.Settings
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A week's review, before it is written.

    Attributes
    ----------
    deals : the day's snapshot, open and closed deals
    before : those of the last review, None without one
    chances_before : ``deal_id, mean`` of the last review
    scores : of past forecasts whose quarter is over; empty before there are any
    trend : of the quarter so far
    remarks : parts that were left out, and why
    """

    inputs: WeekInputs
    deals: pd.DataFrame
    forecast: Forecast
    before: pd.DataFrame | None
    bridge: Bridge | None
    chances_before: pd.DataFrame | None
    plan: Plan | None
    monitoring: Monitoring | None
    scores: pd.DataFrame
    trend: pd.DataFrame
    remarks: tuple[str, ...]

    def to_review(self) -> list[str]:
        """What needs a look; empty where everything is as it should be."""
        looks = [self.inputs.missing] if self.inputs.missing else []
        warnings = int((self.inputs.findings["severity"] == "warning").sum())
        if warnings:
            looks.append(gettext("the check of the export has {count} warnings (winprob check)", count=warnings))
        if self.monitoring is not None and self.monitoring.alarm_since is not None:
            looks.append(verdict_sentence(self.monitoring))
        return looks


def review_week(inputs: WeekInputs, follow: Callable[[str, float], None]) -> Week:
    """Forecast the coming quarter on the day of the export, and compare it with the last review.

    Raises
    ------
    WinprobError
        As ``forecast_quarter``, ``bridge_forecasts``, ``plan_visits`` and ``monitor_model``.
    """
    follow(gettext("reading the history"), 0.0)
    snapshots = winprob.read_history(inputs.history, until=inputs.day)
    deals = winprob.review_table(snapshots)
    follow(gettext("forecasting the quarter"), 0.2)
    quarter = quarter_of(inputs.day + dt.timedelta(days=1), inputs.settings.calendar)
    forecast = winprob.forecast_quarter(
        inputs.posterior,
        deals,
        quarter,
        as_of=inputs.day,
        target=inputs.target(quarter),
        currency=inputs.currency,
        rates=inputs.rates,
        calendar=inputs.settings.calendar,
        settings=inputs.settings.quarter,
        seed=inputs.seed,
    )
    remarks: list[str] = []
    follow(gettext("comparing with the last review"), 0.4)
    before, bridge, chances = _compare(inputs, snapshots, deals, forecast, remarks)
    follow(gettext("planning the visits"), 0.6)
    plan = inputs.roster and winprob.plan_visits(
        inputs.posterior, deals, inputs.roster, settings=inputs.settings.visits, seed=inputs.seed
    )
    follow(gettext("testing the calibration"), 0.7)
    return Week(
        inputs=inputs,
        deals=deals,
        forecast=forecast,
        before=before,
        bridge=bridge,
        chances_before=chances,
        plan=plan or None,
        monitoring=_monitored(inputs, snapshots, remarks),
        # This forecast is logged too: the page is the same before and after that.
        scores=winprob.score_forecasts(inputs.log, deals, rates=inputs.rates)
        if _logged(inputs.log)
        else pd.DataFrame(),
        trend=quarter_trend(
            forecast, log=inputs.log if _logged(inputs.log) else None, snapshots=snapshots, rates=inputs.rates
        ),
        remarks=tuple(remarks),
    )


def _logged(log: Path) -> bool:
    return log.is_dir() and any(log.glob("*.parquet"))


def _compare(
    inputs: WeekInputs, snapshots: pd.DataFrame, deals: pd.DataFrame, forecast: Forecast, remarks: list[str]
) -> tuple[pd.DataFrame | None, Bridge | None, pd.DataFrame | None]:
    """The deals of the last review, the bridge from it, and the win probabilities then."""
    earlier = (
        winprob.read_forecasts(inputs.log).query("as_of < @inputs.day.isoformat()") if _logged(inputs.log) else None
    )
    if earlier is None or earlier.empty:
        remarks.append(gettext("no earlier forecast is logged: the bridge begins with the next review"))
        return None, None, None
    last = earlier.iloc[-1]
    then = dt.date.fromisoformat(last["as_of"])
    try:
        before = winprob.review_table(snapshots, as_of=then)
    except HistoryError as fault:
        remarks.append(gettext("no bridge from the review of {day}: {reason}", day=then, reason=fault))
        return None, None, None
    model_before = _model_of(inputs, str(last["model"]))
    if model_before is None:
        remarks.append(
            gettext(
                "the model of the review of {day} is not in the registry: that forecast is made with today's", day=then
            )
        )
    bridge = winprob.bridge_forecasts(
        inputs.posterior,
        deals,
        before,
        forecast.quarter,
        posterior_before=model_before,
        as_of=inputs.day,
        as_of_before=then,
        currency=forecast.currency or None,
        rates=inputs.rates,
        calendar=inputs.settings.calendar,
        seed=inputs.seed,
    )
    # As that review knew them: today's model knows of later days.
    known = before.assign(known_until=before["as_of"].max())
    return before, bridge, winprob.predict(model_before or inputs.posterior, known)


def _model_of(inputs: WeekInputs, data_hash: str) -> winprob.Posterior | None:
    """The model that learned from the data of this hash: the one in use, or one of the registry."""
    if inputs.posterior.provenance.data_hash == data_hash:
        return inputs.posterior
    for entry in reversed(inputs.registry.entries() if inputs.registry else []):
        try:
            posterior = entry.load()
        except RegistryError:
            continue
        if posterior.provenance.data_hash == data_hash:
            return posterior
    return None


def _monitored(inputs: WeekInputs, snapshots: pd.DataFrame, remarks: list[str]) -> Monitoring | None:
    if inputs.registry is None or inputs.posterior.provenance.prior_only:
        return None
    if snapshots["as_of"].nunique() < 2:
        remarks.append(gettext("the history has one snapshot: calibration cannot be tested yet"))
        return None
    try:
        return winprob.monitor_model(inputs.posterior, snapshots, as_of=inputs.day, settings=inputs.settings)
    except UndatedError:
        remarks.append(gettext("the model was trained without dates: its calibration cannot be monitored"))
        return None


def too_few(deals: pd.DataFrame, settings: winprob.Settings) -> str:
    """Why no model can be learned from these deals: what is missing; empty where there are enough."""
    closed = deals[is_closed(deals)]
    count, wanted = closed["deal_id"].nunique(), settings.evaluation.least_training
    if count < wanted:
        return gettext(
            "only the prior is used: {count} closed deals are known, and a model is learned from {wanted}",
            count=count,
            wanted=wanted,
        )
    if (closed["outcome"] == "won").nunique() < 2:
        return gettext("only the prior is used: all {count} closed deals have the same outcome", count=count)
    return ""
