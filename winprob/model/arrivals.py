"""Predictive distribution of bookings from deals not yet opened that are won within a quarter.

Learned from the deals won in past quarters, by the number of weeks from opening to the quarter's end. A forecast made
some weeks before the end of a quarter, begun or not, includes the deals opened later than that.

Counts are gamma-Poisson (negative binomial) about a local level with growth and a season, see `arrival_rate`. A model
fitted before has no day of its last quarter; its rate is the same in every quarter up to a gamma and a season, all
integrated over a grid, exactly up to its mesh. Amounts are
log-normal with unknown mean and variance (normal-inverse-gamma). Only counts and moments are stored, no deal: moments
are pooled over neighbouring weeks until they rest on five deals (decision 022).
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaincinv, gammaln, logsumexp, ndtri

from winprob.arrays import Array
from winprob.data.fiscal import Quarter, quarters_between, season_of
from winprob.data.schema import FEWEST_DEALS, as_numbers, column_or_missing, latest_places
from winprob.model.arrival_rate import SEASON_SPREAD, draw_growing_counts, poisson_quantile
from winprob.settings import CalendarSettings

#: Bins of weeks from opening to the end of a quarter; earlier openings count in the last.
WEEKS = 53
#: Tolerance with which a record covers a whole quarter.
_SLACK = dt.timedelta(days=7)
#: Grid of the coefficient of variation of the rate between quarters, and the scale of its half-normal prior.
SPREADS = tuple(np.linspace(0, 1.2, 17))
_SPREAD_SCALE = 0.3
#: Partial pooling of amounts: pseudo-observations from all deals added to those opened late.
_BORROWED = 5.0
#: Truncation of log amounts, in standard deviations: a log-normal with unknown variance has no predictive mean.
_REACH = 4.0
_GRID, _SEASONS = 601, 11
_CHUNK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Counts and amounts of deals won in past quarters, by opening week.

    Attributes
    ----------
    quarters : the complete quarters of the record
    seasons : (quarter,) 0..3, by the calendar month of its middle
    counts : (quarter, week) deals won, by weeks from opening to the end of the quarter
    amounts : by currency (blank where unknown), (week, 3): count, sum of logs, sum of squared logs; each week
        with any holds at least ``FEWEST_DEALS`` of its neighbourhood, and a currency of fewer deals is left out
    last_day : ISO day on which the last of the quarters ended; None in a model fitted before it was stored
    """

    quarters: tuple[str, ...]
    seasons: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]
    amounts: Mapping[str, tuple[tuple[float, float, float], ...]]
    last_day: str | None = None

    def quarters_ahead(self, quarter: Quarter) -> int:
        """How many quarters after the last one of the record a quarter is, by its length."""
        last = dt.date.fromisoformat(self.last_day or quarter.start.isoformat())
        return max(round((quarter.end - last).days / quarter.days), 1)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can represent it."""
        return asdict(self)

    @staticmethod
    def from_dict(table: Mapping[str, Any]) -> Arrivals:
        """The inverse of ``to_dict``, after JSON."""
        amounts = {name: tuple(tuple(week) for week in weeks) for name, weeks in table["amounts"].items()}
        return Arrivals(
            quarters=tuple(table["quarters"]),
            seasons=tuple(table["seasons"]),
            counts=tuple(tuple(counts) for counts in table["counts"]),
            amounts=amounts,
            last_day=table.get("last_day"),
        )


def learn_arrivals(deals: pd.DataFrame, calendar: CalendarSettings) -> Arrivals | None:
    """Arrivals of a valid deal table; None where it covers no complete quarter.

    A quarter is complete if the first closing precedes it and the last recorded day follows it.
    """
    if not {"opened_on", "closed_on", "outcome"} <= set(deals):
        return None
    quarters = _complete_quarters(deals, calendar)
    if not quarters:
        return None
    rows = deals.iloc[latest_places(deals)]
    won = rows[(rows["outcome"] == "won") & rows["opened_on"].notna() & rows["closed_on"].notna()]
    amount = as_numbers(column_or_missing(won, "closed_amount")).fillna(column_or_missing(won, "amount"))
    won = won.assign(amount=amount)[(amount.isna() | (amount > 0)).to_numpy()]
    starts = np.array([*(q.start for q in quarters), quarters[-1].end + dt.timedelta(days=1)], dtype="datetime64[D]")
    ends = starts[1:] - np.timedelta64(1, "D")
    at = np.searchsorted(starts, won["closed_on"].to_numpy().astype("datetime64[D]"), side="right") - 1
    inside = (at >= 0) & (at < len(quarters))
    won, at = won[inside], at[inside]
    lead = (ends[at] - won["opened_on"].to_numpy().astype("datetime64[D]")).astype(int)
    # Opened in the last seven days of the quarter: week 0.
    week = np.clip(lead // 7, 0, WEEKS - 1)
    counts = np.zeros((len(quarters), WEEKS), dtype=int)
    np.add.at(counts, (at, week), 1)
    return Arrivals(
        quarters=tuple(quarter.name for quarter in quarters),
        seasons=tuple(season_of(quarter) for quarter in quarters),
        counts=tuple(tuple(row) for row in counts.tolist()),
        amounts=_moments(won, week),
        last_day=quarters[-1].end.isoformat(),
    )


def draw_arrivals(
    arrivals: Arrivals,
    *,
    days_left: int,
    season: int,
    rates: Mapping[str, float],
    draws: int,
    seed: int,
    ahead: int = 1,
) -> Array:
    """(draw,) bookings of deals opened in the last ``days_left`` days of a quarter and won in it.

    Parameters
    ----------
    rates : exchange rate of each currency into the report's; currencies without a rate are left out
    ahead : how many quarters after the last one of the record
    """
    if days_left <= 0:
        return np.zeros(draws)
    uniforms = np.random.default_rng([seed, zlib.crc32(b"arrivals")]).random((6, draws))
    observed = opened_within(np.array(arrivals.counts, dtype=float), days_left)
    past = observed, np.array(arrivals.seasons), season, uniforms[:4]
    if arrivals.last_day is None:
        counts = draw_counts(*past)
    else:
        counts = draw_growing_counts(*past, np.random.default_rng([seed, zlib.crc32(b"level")]), ahead=ahead)
    moments = _pooled(arrivals.amounts, days_left, rates)
    if moments[0] <= 0:
        return np.zeros(draws)
    return _sums(counts, moments, uniforms[4:], np.random.default_rng([seed, zlib.crc32(b"amounts")]))


def opened_within(by_week: Array, days_left: int) -> Array:
    """(...,) sums over the weeks (last axis) of the last ``days_left`` days; a partial week counts by its days."""
    weeks = min(days_left / 7, float(WEEKS))
    share = np.clip(weeks - np.arange(WEEKS), 0, 1)
    return np.asarray(by_week @ share)


def draw_counts(
    observed: Array,
    seasons: Array,
    season: int,
    uniforms: Array,
    *,
    spreads: tuple[float, ...] = SPREADS,
    season_spread: float = SEASON_SPREAD,
) -> Array:
    """(draw,) posterior predictive count of a coming quarter like the past ones, for models fitted before.

    Parameters
    ----------
    observed : (quarter,) counts; fractional where a week is split
    uniforms : (4, draw) quantiles of mean and spread, season, rate, count
    """
    rate, spread, shifts, weight = _posterior_grid(observed, seasons, season, spreads, season_spread)
    cell = _draw_cell(weight.sum(axis=2).ravel(), uniforms[0])
    at_rate, at_spread = np.unravel_index(cell, weight.shape[:2])
    within = np.cumsum(weight[at_rate, at_spread], axis=1)
    at_season = (uniforms[1][:, None] * within[:, -1:] > within).sum(axis=1)
    mean, cv = rate[at_rate] * shifts[at_season], spread[at_spread]
    shape = 1 / np.maximum(cv, 1e-6) ** 2
    mean = np.where(cv > 0, mean * gammaincinv(shape, uniforms[2]) / shape, mean)
    return poisson_quantile(uniforms[3], mean)


def _posterior_grid(
    observed: Array, seasons: Array, season: int, spreads: tuple[float, ...], season_spread: float
) -> tuple[Array, Array, Array, Array]:
    """Grid of rates, spreads and factors of ``season``, and its unnormalised posterior (rate, spread, factor)."""
    total, quarters = observed.sum() + 0.5, len(observed)
    reach = 6 * np.sqrt(1 / total + (max(spreads) ** 2 + season_spread**2) / quarters)
    rate = np.exp(np.log(total / quarters) + np.linspace(-reach, reach, _GRID))
    spread = np.array(spreads)
    shifts = np.exp(season_spread * np.linspace(-3, 3, _SEASONS)) if season_spread else np.ones(1)
    log_prior = -0.5 * np.linspace(-3, 3, len(shifts)) ** 2 if season_spread else np.zeros(1)
    mean = rate[:, None, None] * shifts
    # Jeffreys' prior of a rate, on a grid of its log.
    log_density = (0.5 * np.log(rate))[:, None] - 0.5 * (spread / _SPREAD_SCALE) ** 2
    factor = np.broadcast_to(log_prior - logsumexp(log_prior), (len(rate), len(spread), len(shifts)))
    for number in np.unique(seasons):
        by_shift = _log_negative_binomial(observed[seasons == number], mean, spread[:, None]) + log_prior
        by_shift = by_shift - logsumexp(log_prior)
        marginal = logsumexp(by_shift, axis=2)
        log_density = log_density + marginal
        if number == season:
            factor = by_shift - marginal[..., None]
    joint = log_density[..., None] + factor
    return rate, spread, shifts, np.exp(joint - joint.max())


def _log_negative_binomial(observed: Array, mean: Array, spread: Array) -> Array:
    """(rate, spread, factor) negative binomial log likelihood; a coefficient of variation of 0 is Poisson."""
    shape = 1 / np.maximum(spread, 1e-3) ** 2
    total = observed.sum()
    varied = (gammaln(observed[:, None, None] + shape) - gammaln(shape)).sum(axis=0) + total * np.log(mean / shape)
    varied = varied - (total + len(observed) * shape) * np.log1p(mean / shape)
    return np.asarray(np.where(spread > 0, varied, total * np.log(mean) - len(observed) * mean))


def _draw_cell(weight: Array, uniforms: Array) -> Array:
    edges = np.cumsum(weight)
    place: Array = np.minimum(np.searchsorted(edges, uniforms * edges[-1], side="right"), len(weight) - 1)
    return place


def _moments(won: pd.DataFrame, week: Array) -> dict[str, tuple[tuple[float, float, float], ...]]:
    amount = column_or_missing(won, "amount").to_numpy(dtype=float)
    currency = column_or_missing(won, "currency").fillna("").to_numpy()
    moments = {}
    for name in sorted(set(currency[amount > 0])):
        chosen = (currency == name) & (amount > 0)
        table = np.zeros((WEEKS, 3))
        logs = np.log(amount[chosen])
        np.add.at(table, week[chosen], np.stack([np.ones_like(logs), logs, logs**2], axis=1))
        if table[:, 0].sum() >= FEWEST_DEALS:
            moments[str(name)] = tuple((float(n), float(s), float(q)) for n, s, q in _pool_weeks(table))
    return moments


def _pool_weeks(table: Array) -> Array:
    """(week, 3) the table with neighbouring weeks added up until they hold ``FEWEST_DEALS``, at their mean week.

    Neighbouring weeks are pooled from the late openings on; what is left at the end joins the last group.
    """
    counts, pooled = table[:, 0], np.zeros_like(table)
    starts, since = [0], 0.0
    for week, count in enumerate(counts):
        if since >= FEWEST_DEALS and counts[week:].sum() >= FEWEST_DEALS:
            starts.append(week)
            since = 0.0
        since += count
    for start, end in pairwise([*starts, len(table)]):
        total = table[start:end].sum(axis=0)
        middle = round(float(counts[start:end] @ np.arange(start, end) / total[0]))
        pooled[middle] = total
    return pooled


def _pooled(
    amounts: Mapping[str, tuple[tuple[float, float, float], ...]], days_left: int, rates: Mapping[str, float]
) -> tuple[float, float, float]:
    """Number of amounts, mean and variance of their logs, in the report's currency."""
    total = np.zeros((WEEKS, 3))
    for currency, weeks in amounts.items():
        if currency in rates:
            n, s, q = np.array(weeks).T
            shift = np.log(rates[currency])
            total += np.stack([n, s + n * shift, q + 2 * shift * s + n * shift**2], axis=1)
    every = total.sum(axis=0)
    if not every[0]:
        return 0.0, 0.0, 0.0
    count, first, second = opened_within(total.T, days_left) + _BORROWED * every / every[0]
    mean = first / count
    return float(count), float(mean), float(max(second / count - mean**2, 0.0))


def _sums(counts: Array, moments: tuple[float, float, float], uniforms: Array, rng: np.random.Generator) -> Array:
    """(draw,) sum of ``counts`` amounts; mean and variance of their logs are drawn once per draw."""
    count, mean, variance = moments
    # The prior is worth one amount with a spread of one.
    square = count * variance + 1
    sigma = np.sqrt(square / (2 * gammaincinv((count + 1) / 2, uniforms[0])))
    centre = mean + sigma / np.sqrt(count) * ndtri(uniforms[1])
    reach = _REACH * np.sqrt(square / count)
    total = np.zeros(len(counts))
    for start in range(0, int(counts.max(initial=0)), _CHUNK):
        logs = centre[:, None] + sigma[:, None] * rng.standard_normal((len(counts), _CHUNK))
        amounts = np.exp(np.clip(logs, mean - reach, mean + reach))
        total += np.where(start + np.arange(_CHUNK) < counts[:, None], amounts, 0).sum(axis=1)
    return total


def _complete_quarters(deals: pd.DataFrame, calendar: CalendarSettings) -> list[Quarter]:
    closings = deals["closed_on"].dropna()
    if closings.empty:
        return []
    days = pd.concat([closings, column_or_missing(deals, "as_of").dropna()])
    first, last = closings.min().date() - _SLACK, days.max().date() + _SLACK
    if calendar.names:
        first = max(first, dt.date.fromisoformat(calendar.starts[0]))
        last = min(last, dt.date.fromisoformat(calendar.starts[-1]) - dt.timedelta(days=1))
    if first > last:
        return []
    return [q for q in quarters_between(first, last, calendar) if first <= q.start and q.end <= last]
