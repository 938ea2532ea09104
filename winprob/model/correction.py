"""Correction of a quarter's forecast by the team's own past quarters: location and spread by week, shrunk to none.

A replay (``winprob.retrain.replay``) forecasts past quarters from what was known then. Let u be the probability that
the forecast of a week gave to a total below the actual one, and z its normal quantile: standard normal if the forecast
is calibrated, N(a, b^2) if its location is wrong by a and its spread by the factor b. The corrected distribution is
``F* = Phi((Phi^-1(F) - a) / b)``, so its quantile at level p is that of F at level ``Phi(a + b Phi^-1(p))``.

Prior: a and log b of each week are N(0, .3), and those of weeks that are d weeks apart correlate by exp(-d / 10), so
that both are smooth over weeks. Weeks of one quarter share what is still to come: for a calibrated forecast the later
error is part of the earlier one, so their z correlate by the ratio of the widths of their intervals. With that
correlation in the likelihood three weeks of a quarter are not counted as three quarters. What is applied is the
posterior predictive distribution of z, by its mean and standard deviation: what is not known about a and b of a few
quarters widens it (decision 030).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from winprob.arrays import Array

#: Prior standard deviation of location and log spread, and the weeks over which their correlation falls to 1 / e.
PRIOR_SD, _SMOOTH_WEEKS = 0.3, 10.0
#: With fewer replayed quarters there is no correction.
FEWEST_QUARTERS = 4
#: A quarter outside all draws counts as this many standard deviations away.
_FARTHEST = 3.5
#: Draws of the importance sampling, and by how much the variance of its normal exceeds that at the mode.
_DRAWS, _WIDER = 4000, 1.5
#: Step of the numerical second derivatives.
_STEP = 1e-2
#: Bounds of the correlation of neighbouring weeks of a quarter.
_CORRELATION = (0.05, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Location a and spread b of the normal quantiles of outcomes, by week of the quarter.

    Attributes
    ----------
    quarters : names of the quarters it was learned from
    weeks : (week,) the weeks that were replayed, increasing
    location, spread : (week,) mean and standard deviation of the posterior predictive; 0 and 1 change nothing
    """

    quarters: tuple[str, ...]
    weeks: tuple[int, ...]
    location: tuple[float, ...]
    spread: tuple[float, ...]

    def at(self, week: float) -> tuple[float, float]:
        """Location and spread of a week: linear between the weeks that were replayed, constant outside."""
        return float(np.interp(week, self.weeks, self.location)), float(np.interp(week, self.weeks, self.spread))

    def quantiles(self, draws: Array, levels: Sequence[float], week: float) -> Array:
        """(level,) corrected quantiles of the raw draws of a total."""
        return np.asarray(np.quantile(draws, [self.level(level, week) for level in levels]))

    def level(self, level: float, week: float) -> float:
        """The level of the raw quantile that is the corrected one at ``level``."""
        location, spread = self.at(week)
        return float(ndtr(location + spread * ndtri(level)))

    def below(self, prob: float, week: float) -> float:
        """Corrected probability of a total below some amount, from the raw one."""
        location, spread = self.at(week)
        return float(ndtr((ndtri(prob) - location) / spread))

    def to_dict(self) -> dict[str, Any]:
        """As JSON can represent it."""
        return asdict(self)

    @staticmethod
    def from_dict(table: Mapping[str, Any]) -> Correction:
        """The inverse of ``to_dict``, after JSON."""
        return Correction(**{name: tuple(table[name]) for name in Correction.__slots__})


def learn_correction(
    quarters: Sequence[str], weeks: Sequence[int], pit: Array, width: Array, *, fewest: int = FEWEST_QUARTERS
) -> Correction | None:
    """The correction learned from replayed quarters; None for fewer than ``fewest``.

    Parameters
    ----------
    pit : (quarter, week) probability that the forecast gave to a total below the actual one; NaN where it is missing
    width : (quarter, week) of the forecast's 80 % interval
    """
    seen = ~np.isnan(pit)
    used = seen.any(axis=1)
    if used.sum() < fewest:
        return None
    normal = np.clip(ndtri(pit[used]), -_FARTHEST, _FARTHEST)
    within = _within_quarter(np.where(seen, width, np.nan)[used])
    location, log_spread, weight = _posterior(normal, within, np.asarray(weeks, dtype=float))
    mean = weight @ location
    variance = weight @ (location - mean) ** 2 + weight @ np.exp(2 * log_spread)
    return Correction(
        quarters=tuple(name for name, one in zip(quarters, used, strict=True) if one),
        weeks=tuple(int(week) for week in weeks),
        location=tuple(mean.round(6).tolist()),
        spread=tuple(np.sqrt(variance).round(6).tolist()),
    )


def _posterior(normal: Array, within: Array, weeks: Array) -> tuple[Array, Array, Array]:
    """Draws of location and log spread, (draw, week), and their weights: importance sampling about the mode."""
    from scipy.optimize import minimize

    prior = np.linalg.inv(PRIOR_SD**2 * np.exp(-np.abs(np.subtract.outer(weeks, weeks)) / _SMOOTH_WEEKS))
    seen = ~np.isnan(normal)
    # Quarters with the same weeks together: (quarter, week) values, the weeks, and the precision of their errors.
    alike = [
        (normal[(seen == week).all(axis=1)][:, week], week, np.linalg.inv(within[np.ix_(week, week)]))
        for week in np.unique(seen, axis=0)
    ]

    def minus_log_density(unknown: Array) -> Array:
        location, log_spread = np.split(np.atleast_2d(unknown), 2, axis=1)
        value = sum(0.5 * _quadratic(part[:, None], prior) for part in (location, log_spread))
        for z, week, precision in alike:
            error = (z - location[:, None, week]) * np.exp(-log_spread[:, None, week])
            value = value + len(z) * log_spread[:, week].sum(axis=1) + 0.5 * _quadratic(error, precision)
        return np.asarray(value)

    mode = minimize(lambda unknown: minus_log_density(unknown)[0], np.zeros(2 * len(weeks)), method="BFGS")
    normals = np.random.default_rng(_DRAWS).standard_normal((_DRAWS, 2 * len(weeks)))
    covariance = np.linalg.inv(_curvature(minus_log_density, mode.x))
    draws = mode.x + normals @ np.linalg.cholesky(_WIDER * covariance).T
    log_weight = 0.5 * (normals**2).sum(axis=1) - minus_log_density(draws)
    weight = np.exp(log_weight - log_weight.max())
    location, log_spread = np.split(draws, 2, axis=1)
    return location, log_spread, weight / weight.sum()


def _curvature(function: Callable[[Array], Array], at: Array) -> Array:
    """Second derivatives at a point by central differences; that of BFGS is far off where it starts at the mode."""
    steps = _STEP * np.eye(len(at))

    def moved(sign: int, other: int) -> Array:
        points = at + sign * steps[:, None] + other * steps
        return function(points.reshape(-1, len(at))).reshape(len(at), len(at))

    return np.asarray((moved(1, 1) - moved(1, -1) - moved(-1, 1) + moved(-1, -1)) / (4 * _STEP**2))


def _quadratic(vectors: Array, matrix: Array) -> Array:
    """(draw,) sum over each draw's vectors of their quadratic form."""
    return np.asarray(((vectors @ matrix) * vectors).sum(axis=(1, 2)))


def _within_quarter(width: Array) -> Array:
    """(week, week) correlation of the normal quantiles of one quarter's weeks.

    A forecast that is calibrated is revised by what no one could know, so the error left at a later week is part of
    that at an earlier one: the correlation is the ratio of their standard deviations.
    """
    weeks = width.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        shrinks = np.diff(np.log(np.where(width > 0, width, np.nan)), axis=1)
    logs = [float(np.mean(step[~np.isnan(step)])) if (~np.isnan(step)).any() else np.log(0.5) for step in shrinks.T]
    reached = np.concatenate([[0.0], np.cumsum(np.clip(logs, *np.log(_CORRELATION)))])
    return np.asarray(np.exp(-np.abs(np.subtract.outer(reached, reached)))).reshape(weeks, weeks)
