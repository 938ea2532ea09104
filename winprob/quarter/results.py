"""What is a forecast of a quarter, and what is a bridge between two? Records; nothing is computed here."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from winprob.arrays import Array
from winprob.data.exchange_rates import Rate
from winprob.data.fiscal import Quarter
from winprob.settings import QuarterSettings

#: The lines of a forecast, in order; the parts before the last add up to it in every draw.
LINES = ("closed", "commit", "best_case", "pipeline", "uncategorised", "not_yet_created", "total")

#: The steps of a bridge, in the order in which they are taken.
STEPS = ("closed", "slipped", "new", "facts_changed", "model_changed", "simulation_noise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a quarter will bring, as known on one day. Money is in ``currency``.

    Attributes
    ----------
    as_of : the day knowledge ends
    rates : how other currencies were turned into ``currency``; empty where there is one currency only
    lines : ``line, p10, p50, p90, mean, prob_target``; NaN without a target
    groups : the same for every level of a column, the column first; None where none was asked for
    group_draws : bookings by group and line, each (draw,); empty where no groups are asked for
    draws : bookings of every line, each (draw,); the parts add up to the total exactly, in every draw
    deals : a row an open deal in play, most expected bookings first: ``deal_id, account, seller, segment, region,
        product, amount, currency`` (the deal's own) ``, expected_close_on, stage, rep_category, line``; ``win_prob,
        win_lower, win_upper`` eventually; ``by_end, by_end_lower, by_end_upper`` won within the quarter;
        ``slip_prob``, still open at its end, NaN where the seller's date lies after it or nothing is known of time;
        ``expected_bookings`` within the quarter; ``variance_share`` of the total's variance; ``p50_if_won,
        p50_if_lost``, P50 of the total where it is won in the quarter and where it is not (NaN if too small to move it)
    closed : deals won in the quarter so far: ``deal_id, seller, amount, closed_on``
    seller_rollup : as the sellers file them, expected to close in the quarter: ``line, deals, bookings, cumulative``
        for closed, commit, best_case, pipeline
    stage_weighted : closed so far, and each open deal expected to close in the quarter times its stage's rate
    left_out : ``reason, deals, amount, first_deal, counted``: what was not counted, or counted although odd
    shares : ``source, share`` of the total's variance; they sum to 1
    breaks : what most often goes with a total far from P50, see ``risk``: ``side, prob, source, deal_id, amount, usual,
        there``
    reconciliation : ``currency, deals, amount, rate, day, converted``; the last row is the total
    dated : False where there is no time-to-close model; deals are then won "eventually"
    quarters_learned, deals_revised : what ``not_yet_created`` and the amounts at closing were learned from
    model : hash of the data the model learned from
    settings : what counts as a mover, and as wrong
    seed : of the luck
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

    @property
    def p50(self) -> float:
        """The total's median."""
        return float(self.lines["p50"].iloc[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """From one forecast of a quarter to a later one.

    Attributes
    ----------
    steps : ``step, amount``; the amounts sum to ``p50_now - p50_before`` exactly
    deals : the deals behind each step, most first: ``deal_id, step, amount``, the change of its expected bookings
    """

    before: dt.date
    now: dt.date
    currency: str
    steps: pd.DataFrame
    p50_before: float
    p50_now: float
    deals: pd.DataFrame
