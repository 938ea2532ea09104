"""Records of a quarter's forecast and of the bridge between two forecasts."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.exchange_rates import Rate
from winprob.data.fiscal import Quarter
from winprob.i18n import Described, amount_text, gettext
from winprob.methodology import label
from winprob.quarter.simulation import quantile_error
from winprob.settings import QuarterSettings

#: The lines of a forecast, in order; in every draw the parts sum to the last line.
LINES = ("closed", "commit", "best_case", "pipeline", "uncategorised", "not_yet_created", "total")

#: The steps of a bridge, in order.
STEPS = ("closed", "slipped", "new", "facts_changed", "model_changed", "simulation_noise")

#: Amounts that differ by less than this share are equal: probabilities are single precision, about seven digits, and
#: the last digits of their sums depend on the vector width of the machine.
PRECISION = 1e-6


def line_name(line: str) -> str:
    """A line of the forecast: ``Closed so far``, a forecast category, ``Total``."""
    names = {
        "closed": gettext("Closed so far"),
        "uncategorised": gettext("No category"),
        "not_yet_created": gettext("Not yet created"),
        "total": gettext("Total"),
    }
    return names[line] if line in names else label("rep_category", line)


def step_name(step: str) -> str:
    """The title of a step."""
    names = {
        "closed": gettext("Closed since then, won or lost"),
        "slipped": gettext("Slipped: time passed, dates moved out"),
        "new": gettext("New deals"),
        "facts_changed": gettext("Facts changed, dates pulled in"),
        "model_changed": gettext("Model changed"),
        "simulation_noise": gettext("Simulation noise"),
    }
    return names.get(step, step)


def reaches(amounts: Array | float, target: float) -> Array:
    """Whether each amount is at least the target, up to rounding."""
    return np.asarray(amounts) >= target * (1 - PRECISION)


def is_inside(amount: float, lowest: float, highest: float) -> bool:
    """Whether an amount is in an interval, up to rounding."""
    rounding = PRECISION * abs(amount)
    return bool(lowest - rounding <= amount <= highest + rounding)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Forecast(Described):
    """Forecast of a quarter's bookings, as known on one day. Money is in ``currency``.

    Attributes
    ----------
    as_of : the day knowledge ends
    rates : exchange rates from other currencies into ``currency``; empty where there is one currency only
    lines : ``line, p10, p50, p90, mean, prob_target``; NaN without a target
    groups : the same for every level of a column, the column first; None without ``by``
    group_draws : bookings by group and line, each (draw,); empty without ``by``
    draws : bookings of every line, each (draw,); the parts sum to the total exactly, in every draw
    deals : one row for each open deal, sorted by expected bookings: ``deal_id, account, seller, segment, region,
        product, amount, currency`` (the deal's own) ``, expected_close_on, stage, rep_category, line``; ``win_prob,
        win_lower, win_upper`` eventually; ``by_end, by_end_lower, by_end_upper`` won within the quarter;
        ``slip_prob``, still open at its end, NaN where the seller's date is later or there is no time-to-close model;
        ``expected_bookings`` within the quarter; ``variance_share`` of the total's variance; ``p50_if_won,
        p50_if_lost``, P50 of the total given a win in the quarter and given none (NaN if too small to move it)
    closed : deals won in the quarter so far: ``deal_id, seller, amount, closed_on``
    seller_rollup : amounts by the sellers' categories, expected to close in the quarter: ``line, deals, bookings,
        cumulative`` for closed, commit, best_case, pipeline
    stage_weighted : closed so far, and each open deal expected to close in the quarter times its stage's rate
    left_out : ``reason, deals, amount, first_deal, counted, expected``: deals not counted, or counted despite a fault;
        ``amount`` is blank where a currency has no rate; ``expected``, the amounts weighted by the chance of an
        eventual win, where only the quarter is in doubt
    shares : ``source, share`` of the total's variance; they sum to 1
    breaks : what most often coincides with a total far from P50, see ``risk``: ``side, prob, source, deal_id, amount,
        usual, there``
    reconciliation : ``currency, deals, amount, rate, day, converted``; the last row is the total
    dated : False without a time-to-close model; wins are then eventual ones
    quarters_learned, deals_revised : number of quarters behind ``not_yet_created``, and of deals behind the amounts at
        closing
    model : hash of the training data
    settings : thresholds of a mover, and of a total far from P50
    seed : of the simulation
    luck : simulated quarters for each posterior draw; draws are all posterior draws, then all again
    corrected : the total corrected by the team's own past quarters; None without a correction for this day
    """

    quarter: Quarter
    as_of: dt.date
    currency: str
    rates: tuple[Rate, ...]
    target: float | None
    lines: pd.DataFrame
    groups: pd.DataFrame | None
    group_draws: Mapping[tuple[str, str], Array]
    draws: Mapping[str, Array]
    deals: pd.DataFrame
    closed: pd.DataFrame
    seller_rollup: pd.DataFrame
    stage_weighted: float
    left_out: pd.DataFrame
    shares: pd.DataFrame
    breaks: pd.DataFrame
    reconciliation: pd.DataFrame
    dated: bool
    quarters_learned: int
    deals_revised: int
    model: str
    settings: QuarterSettings
    seed: int
    luck: int = 1
    corrected: "CorrectedTotal | None" = None

    def described_as(self) -> str:
        return gettext("Forecast of {quarter}, as known on {day}", quarter=self.quarter.name, day=self.as_of)

    def facts(self) -> Iterator[tuple[str, str]]:
        total = self.lines.iloc[-1]
        p10, p50, p90 = (self._money(total[name]) for name in ("p10", "p50", "p90"))
        yield gettext("bookings, P50"), p50
        yield gettext("8 in 10 between"), gettext("{low} and {high}", low=p10, high=p90)
        if self.corrected:
            quarters, p50 = self.corrected.quarters, self._money(self.corrected.p50)
            corrected = gettext("P50 {p50}, by {count} past quarters", p50=p50, count=quarters)
            yield gettext("corrected"), corrected
        if self.target is not None:
            target, share = self._money(self.target), total["prob_target"]
            yield gettext("target"), gettext("{target}, reached with {share:.0%}", target=target, share=share)
        for line, mean in self.lines[["line", "mean"]].iloc[:-1].itertuples(index=False):
            yield gettext("mean of {line}", line=line_name(line)), self._money(mean)
        yield gettext("open deals"), f"{len(self.deals):,}"
        if not self.left_out.empty:
            yield gettext("left out, or counted despite a fault"), f"{self.left_out['deals'].sum():,}"
        if not self.dated:
            yield gettext("time to close"), gettext("not learned: wins are eventual ones")

    def _money(self, amount: float) -> str:
        return f"{amount_text(amount)} {self.currency}".strip()

    @property
    def p50(self) -> float:
        """The total's median."""
        return float(self.lines["p50"].iloc[-1])

    @property
    def p50_error(self) -> float:
        """Monte Carlo standard error of the total's median."""
        return quantile_error(self.draws["total"], 0.5, self.luck)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedTotal:
    """A total corrected by the misses of past quarters, see ``model.correction``.

    Attributes
    ----------
    quarters : number of past quarters behind the correction
    prob_target : None without a target
    """

    quarters: int
    p10: float
    p50: float
    p90: float
    prob_target: float | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bridge(Described):
    """From one forecast of a quarter to a later one.

    Attributes
    ----------
    steps : ``step, amount``; the amounts sum to ``p50_now - p50_before`` exactly
    deals : the deals behind each step, largest change first: ``deal_id, step, amount``, the change of expected bookings
    """

    before: dt.date
    now: dt.date
    currency: str
    steps: pd.DataFrame
    p50_before: float
    p50_now: float
    deals: pd.DataFrame

    def described_as(self) -> str:
        return gettext("Bridge of P50 from {before} to {now}", before=self.before, now=self.now)

    def facts(self) -> Iterator[tuple[str, str]]:
        yield gettext("P50 on {day}", day=self.before), f"{amount_text(self.p50_before)} {self.currency}".strip()
        for step, amount in self.steps.itertuples(index=False):
            yield step_name(str(step)), f"{'+' if amount > 0 else ''}{amount_text(amount)}"
        yield gettext("P50 on {day}", day=self.now), f"{amount_text(self.p50_now)} {self.currency}".strip()
