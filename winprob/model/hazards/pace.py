"""Pace of a quarter: how much quicker deals close in one quarter than in another, by season and by a shock of its own.

The log of the weekly hazard has a term for each fiscal quarter, the season's effect plus a shock that fades from
quarter to quarter, AR(1): a Gaussian process over quarters, whose two sds are learned. The quarter that is forecast is
drawn from it given the quarters behind, so that all its deals share what cannot be known about it.
"""

from dataclasses import dataclass

import numpy as np

from winprob.arrays import Array
from winprob.model.hazards.spans import NO_SEASON, SEASONS, Spans
from winprob.settings import TimingSettings

#: Parts of the pace, in this order wherever there are two.
PACE_PARTS = ("season", "shock")
#: Correlation of the shocks of successive quarters.
SHOCK_CORRELATION = 0.5
#: Sds on which the posterior is evaluated, in scales of their half-normal priors.
_GRID = np.array([0.1, 0.3, 0.6, 1.0, 1.5, 2.2])
_QUARTER_DAYS = 365.25 / 4
_JITTER = 1e-9


def kernel(sds: Array, spans: Spans, others: Spans) -> Array:
    """(span, other span) covariance of the paces of quarters; seasons sum to zero over a year.

    Parameters
    ----------
    sds : (2,) sd of a season's effect, and of a shock
    """
    season, shock = sds
    seasonal = (spans.seasons != NO_SEASON)[:, None] & (others.seasons != NO_SEASON)
    alike = (spans.seasons[:, None] == others.seasons) - 1 / len(SEASONS)
    apart = np.rint(np.abs(spans.starts[:, None] - others.starts) / _QUARTER_DAYS)
    unit = len(SEASONS) / (len(SEASONS) - 1)
    return np.asarray(season**2 * unit * alike * seasonal + shock**2 * SHOCK_CORRELATION**apart)


@dataclass(frozen=True, slots=True, kw_only=True)
class PacePrior:
    """Prior of the paces of quarters: a mixture of normals over a grid of the two sds.

    Attributes
    ----------
    sds : (grid, 2) sd of seasons and of shocks
    precision : (grid, span, span)
    log_weight : (grid,) log prior mass, with the log determinant of the normal
    """

    sds: Array
    precision: Array
    log_weight: Array

    @property
    def middle(self) -> int:
        """The place in the grid about which the sampler moves."""
        scale = np.median(self.sds, axis=0)
        return int(np.argmin(((self.sds / scale - 1) ** 2).sum(axis=1)))

    @property
    def change(self) -> Array:
        """(grid, span, span) precision, less that of the middle."""
        return np.asarray(self.precision - self.precision[self.middle])

    def evidence(self, information: Array, pull: Array) -> Array:
        """(grid of won, grid of lost) log of the probability of each pair of sds, up to a constant.

        Parameters
        ----------
        information, pull : likelihood of the paces of won, then of lost, ``exp(pull' m - m' information m / 2)``
        """
        spans = self.precision.shape[1]
        log_odds = np.empty((len(self.sds), len(self.sds)))
        total = information.copy()
        for won, lost in np.ndindex(log_odds.shape):
            total[:spans, :spans] = information[:spans, :spans] + self.precision[won]
            total[spans:, spans:] = information[spans:, spans:] + self.precision[lost]
            root = np.linalg.cholesky(total)
            explained = 0.5 * (np.linalg.solve(root, pull) ** 2).sum() - np.log(np.diag(root)).sum()
            log_odds[won, lost] = self.log_weight[won] + self.log_weight[lost] + explained
        return log_odds


def pace_prior(spans: Spans, settings: TimingSettings) -> PacePrior:
    """The prior of some quarters: each sd half-normal, evaluated on a grid."""
    grid = np.stack(np.meshgrid(settings.season * _GRID, settings.shock * _GRID, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.exp(-(_GRID**2) / 2) * np.gradient(_GRID)
    log_mass = np.log(np.outer(mass, mass)).ravel()
    precision = np.stack([np.linalg.inv(kernel(sds, spans, spans) + _JITTER * np.eye(len(spans))) for sds in grid])
    return PacePrior(sds=grid, precision=precision, log_weight=log_mass + 0.5 * np.linalg.slogdet(precision)[1])


def pace_draws(pace: Array, sds: Array, spans: Spans, asked: Spans, ahead: Spans, *, seed: int) -> Array:
    """(draw, asked span) pace of quarters, learned or not, from each draw of the learned ones.

    The quarters after the last learned one are drawn together, one after the other: that of a quarter is the same
    whatever is asked beside it. Any other quarter without a pace of its own is drawn by itself.

    Parameters
    ----------
    pace : (draw, span) paces of the learned quarters ``spans``
    sds : (draw, 2)
    ahead : every quarter after the last learned one, until the last one asked
    seed : of the draws of quarters that were not learned
    """
    known = {int(start): at for at, start in enumerate(spans.starts)}
    later = {int(start): at for at, start in enumerate(ahead.starts)}
    drawn = _ahead(pace, sds, spans, ahead, seed)
    result = np.empty((len(pace), len(asked)), dtype=np.float32)
    for at, start in enumerate(asked.starts.tolist()):
        if start in known:
            result[:, at] = pace[:, known[start]]
        elif start in later:
            result[:, at] = drawn[:, later[start]]
        else:
            result[:, at] = _ahead(pace, sds, spans, asked.take(np.array([at])), seed)[:, 0]
    return result


def _ahead(pace: Array, sds: Array, spans: Spans, asked: Spans, seed: int) -> Array:
    """(draw, asked span) draws from the process given the learned quarters."""
    result = np.empty((len(pace), len(asked)))
    noise = np.empty_like(result)
    for at, start in enumerate(asked.starts.tolist()):
        noise[:, at] = np.random.default_rng([abs(start), seed]).standard_normal(len(pace))
    levels, which = np.unique(sds, axis=0, return_inverse=True)
    for at, level in enumerate(levels):
        rows = np.flatnonzero(which.ravel() == at)
        behind = kernel(level, spans, spans) + _JITTER * np.eye(len(spans))
        between = kernel(level, asked, spans)
        gain = np.linalg.solve(behind, between.T).T
        left = kernel(level, asked, asked) - gain @ between.T
        root = np.linalg.cholesky(left + 1e-7 * np.eye(len(asked)))
        result[rows] = pace[rows] @ gain.T + noise[rows] @ root.T
    return result
