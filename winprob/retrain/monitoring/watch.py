"""Is the current model still calibrated? An e-process over the quarters since its training data ended."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import column_or_missing
from winprob.i18n import Described, gettext
from winprob.model.posterior import Posterior
from winprob.retrain.monitoring.cohorts import Cohort, draw_chances, quarter_cohorts, trained_until
from winprob.retrain.monitoring.e_process import Evidence, Recalibrations, e_process, log_odds_of, recalibrations
from winprob.settings import MonitorSettings, Settings

MONITOR_COLUMNS = ("period", "n", "e_value", "slope", "intercept", "expected", "won", "early_sign")
SEGMENT_COLUMNS = ("column", "level", "deals", "expected", "won", "difference")
#: Facts by which deviations are broken down; none names a person or a customer.
SEGMENTS = ("stage", "rep_category", "decision_method", "coach", "segment", "region", "product")
#: A level with fewer deals is not compared.
FEWEST = 10

#: The chances were too high, too low, too far from one half, or too close to it.
Direction = Literal["too_high", "too_low", "too_spread", "too_flat"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Monitoring(Described):
    """Evidence on a model's calibration, quarter by quarter.

    Attributes
    ----------
    table : one row per quarter: ``period, n`` (deals), ``e_value`` (of all quarters so far), ``slope, intercept``
        (posterior means of the recalibration so far; 1 and 0 if calibrated), ``expected, won`` (wins by the quarter's
        end) and ``early_sign`` (the e-value against the mean chances, which the model's admitted doubt may explain)
    segments : largest deviation first: ``column, level, deals, expected, won, difference`` (won less expected, in
        standard deviations that include the model's doubt)
    direction : of the deviation that is clearest, None without any deal
    trained_until : the last day that the model learned from, None without dates
    """

    table: pd.DataFrame
    segments: pd.DataFrame
    direction: Direction | None
    trained_until: dt.date | None
    settings: MonitorSettings

    def described_as(self) -> str:
        return gettext("Calibration since training, over {count} quarters", count=len(self.table))

    def facts(self) -> Iterator[tuple[str, str]]:
        yield gettext("alarm"), self.alarm_since or gettext("none")
        yield gettext("alarm from an e-value of"), f"{self.threshold:.0f}"
        for row in self.table.to_dict("records"):
            won, expected = row["won"], row["expected"]
            text = gettext("{won} won, {expected:.1f} expected", won=won, expected=expected)
            yield str(row["period"]), gettext("e-value {e:.2f}: {text}", e=row["e_value"], text=text)

    @property
    def threshold(self) -> float:
        """The e-value from which on it is an alarm."""
        return 1 / self.settings.false_alarm

    @property
    def alarm_since(self) -> str | None:
        """The first period with an alarm; None without one. An alarm stays, whatever comes later."""
        crossed = self.table.loc[self.table["e_value"] >= self.threshold, "period"]
        return None if crossed.empty else str(crossed.iloc[0])

    @property
    def turned_in(self) -> str | None:
        """The period from which on the evidence grew until the alarm: the one after its lowest value before."""
        if self.alarm_since is None:
            return None
        until = self.table["period"].eq(self.alarm_since).to_numpy().argmax()
        path = np.concatenate([[1.0], self.table["e_value"].to_numpy()[:until]])
        return str(self.table["period"].iloc[int(path.argmin())])


def monitor_model(
    posterior: Posterior,
    deals: str | Path | pd.DataFrame,
    *,
    since: dt.date | None = None,
    as_of: dt.date | None = None,
    settings: Settings | None = None,
) -> Monitoring:
    """Test whether a model is still calibrated, on the quarters that began after its training data ended.

    Parameters
    ----------
    deals : the folder of a history, or a frame; see ``quarter_cohorts``
    since : the day on which the training data ended, where the model file does not have it or a later one is wanted
    as_of : use only what was known on this day
    settings : by default the model's own

    Raises
    ------
    UndatedError
        The model has no time-to-close part.
    HistoryError, DealTableError
        As ``quarter_cohorts``.
    """
    chosen, learned = settings or posterior.settings, trained_until(posterior)
    begin = max((day for day in (since, learned) if day), default=None)
    cohorts = quarter_cohorts(deals, chosen, since=begin, as_of=as_of)
    chances = [draw_chances(posterior, cohort, chosen.monitor.draws) for cohort in cohorts]
    pairs = [(chance, cohort.won) for chance, cohort in zip(chances, cohorts, strict=True)]
    grid = recalibrations(chosen.monitor)
    evidence = e_process(pairs, grid)
    means = [chance.mean(axis=1, keepdims=True, dtype=np.float64) for chance in chances]
    against_means = e_process(zip(means, (cohort.won for cohort in cohorts), strict=True), grid)
    return Monitoring(
        table=_table(cohorts, means, evidence, against_means, grid),
        segments=segment_deviations(cohorts, chances),
        direction=_direction(means, against_means, grid) if cohorts else None,
        trained_until=learned,
        settings=chosen.monitor,
    )


def _table(
    cohorts: Sequence[Cohort], means: Sequence[Array], evidence: Evidence, against_means: Evidence, grid: Recalibrations
) -> pd.DataFrame:
    columns = (
        [cohort.quarter.name for cohort in cohorts],
        [len(cohort.won) for cohort in cohorts],
        evidence.e_value,
        evidence.weight.sum(axis=2) @ grid.slope,
        evidence.weight.sum(axis=1) @ grid.intercept,
        [float(mean.sum()) for mean in means],
        [int(cohort.won.sum()) for cohort in cohorts],
        against_means.e_value,
    )
    return pd.DataFrame(dict(zip(MONITOR_COLUMNS, columns, strict=True)))


def _direction(means: Sequence[Array], against_means: Evidence, grid: Recalibrations) -> Direction:
    """The clearer of two deviations, in posterior standard deviations: of the level, or of the slope.

    Both are of the mean chances, and the level is their average, so that it agrees with the wins and the expected wins.
    The recalibration of the predictive need not: outcomes far from the mean choose draws near them first.
    """
    weight, odds = against_means.weight[-1], np.exp(np.concatenate([log_odds_of(mean[:, 0]) for mean in means]))
    recalibrated = [[1 - (1 / (1 + np.exp(by) * odds**slope)).mean() for by in grid.intercept] for slope in grid.slope]
    level = np.array(recalibrated) - 1 + (1 / (1 + odds)).mean()
    of_level, of_slope = (_in_deviations(value, weight) for value in (level, np.log(grid.slope)[:, None] + 0 * level))
    if abs(of_level) >= abs(of_slope):
        return "too_high" if of_level < 0 else "too_low"
    return "too_spread" if of_slope < 0 else "too_flat"


def _in_deviations(value: Array, weight: Array) -> float:
    mean = float((weight * value).sum())
    return mean / max(float(np.sqrt((weight * (value - mean) ** 2).sum())), 1e-12)


def segment_deviations(cohorts: Sequence[Cohort], chances: Sequence[Array]) -> pd.DataFrame:
    """Wins and expected wins by level of each fact, largest standardised difference first.

    The standard deviation is that of the posterior predictive: luck of each deal, and the doubt that its deals share.
    """
    if not cohorts:
        return pd.DataFrame(columns=list(SEGMENT_COLUMNS))
    deals = pd.concat([cohort.deals for cohort in cohorts], ignore_index=True)
    chance, won = np.concatenate(chances), np.concatenate([cohort.won for cohort in cohorts])
    rows = [
        (column, str(level), *_deviation(chance[places], won[places]))
        for column in SEGMENTS
        for level, places in deals.groupby(column_or_missing(deals, column), observed=True).indices.items()
        if len(places) >= FEWEST
    ]
    table = pd.DataFrame(rows, columns=list(SEGMENT_COLUMNS))
    return table.sort_values("difference", key=abs, ascending=False, kind="stable", ignore_index=True)


def _deviation(chance: Array, won: Array) -> tuple[int, float, int, float]:
    """Deals, expected wins, wins, and their standardised difference."""
    by_draw = chance.sum(axis=0, dtype=np.float64)
    luck = (chance * (1 - chance)).sum(axis=0, dtype=np.float64).mean()
    expected, wins = float(by_draw.mean()), int(won.sum())
    return len(won), expected, wins, (wins - expected) / float(np.sqrt(luck + by_draw.var()))
