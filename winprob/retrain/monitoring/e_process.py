"""E-process for "the model is calibrated": evidence against it that may be looked at after every cohort.

Let ``p[d, i]`` be the chance of deal i under posterior draw d, and ``y[i]`` its outcome. Given a draw, deals are
independent, so the model's own probability of all outcomes so far is the posterior predictive

``P(y) = mean over d of prod over i of p[d, i]^y[i] (1 - p[d, i])^(1 - y[i])``,

over the deals of every cohort so far. Deals share the draw: if all chances may be too high together, a poor year is
no surprise to P. As the outcomes come in, the draws are reweighted by what they predicted, which is Bayes' rule.

The alternative is the same predictive after a recalibration ``logit q = a + b logit p`` (Cox 1958), averaged over a
prior of (a, b) about (0, 1):

``Q(y) = sum over k of w[k] * mean over d of prod over i of q[k, d, i]^y[i] (1 - q[k, d, i])^(1 - y[i])``.

Both are probabilities of the same sequence of outcomes: chances of a cohort depend on nothing later than its first
day, and a cohort ends before the next begins (for overlapping horizons the product is not a martingale: Henzi and
Ziegel, correction, 2022). So ``e = Q(y) / P(y)``, cohort by cohort, is a non-negative martingale with mean 1 if
outcomes follow P: ``E[Q/P] = sum over y of P(y) Q(y) / P(y) = 1``, and by Ville's inequality it ever reaches 1/alpha
with probability at most alpha, however often one looks. Any prior of (a, b) is valid; it decides the power alone.

References
----------
Cox (1958), doi 10.1093/biomet/45.3-4.562. Shafer (2021), Testing by betting, doi 10.1111/rssa.12647.
Ramdas, Gruenwald, Vovk, Shafer (2023), Game-theoretic statistics and safe anytime-valid inference,
doi 10.1214/23-STS894. Henzi, Ziegel (2022), doi 10.1093/biomet/asab047. Arnold, Henzi, Ziegel (2023), Sequentially
valid tests for forecast calibration, doi 10.1214/22-AOAS1697. Dawid (1984), prequential forecasts, doi 10.2307/2981683.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from winprob.arrays import Array
from winprob.settings import MonitorSettings

#: The prior of each parameter reaches this many standard deviations, on a grid of steps of a quarter
#: (intercept) and a half (slope) of one.
_REACH, _INTERCEPTS, _SLOPES = 3.0, 25, 13
#: The prior of the intercept is two normals at plus and minus this many of its standard deviations, each with this sd:
#: the variance is that of one normal, and no mass is spent on shifts too small to be worth a retraining.
_AT, _WIDE = 0.94, 0.34
#: Chances are kept this far from 0 and 1, so that a single deal cannot decide.
EDGE = 1e-6
#: The product of ``1 + odds`` over this many deals fits a float: odds are below exp(69) for any accepted setting.
_AT_ONCE = 8
#: The largest e-value reported: more digits add no evidence, and would fill the screen.
LARGEST = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibrations:
    """A grid of recalibrations ``logit q = intercept + slope * logit p``, and the log of its prior weights.

    Attributes
    ----------
    intercept, slope : (intercept,) and (slope,) the axes of the grid
    log_weight : (slope, intercept)
    """

    intercept: Array
    slope: Array
    log_weight: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence after each cohort.

    Attributes
    ----------
    e_value : (cohort,) the e-process, ``LARGEST`` where it is larger
    weight : (cohort, slope, intercept) posterior weights of the recalibrations, summing to 1
    """

    e_value: Array
    weight: Array


def recalibrations(settings: MonitorSettings) -> Recalibrations:
    """The prior: an intercept on either side of 0, a log-normal slope about 1, independent."""
    intercept, log_slope = np.linspace(-_REACH, _REACH, _INTERCEPTS), np.linspace(-_REACH, _REACH, _SLOPES)
    above, below = (-0.5 * ((intercept - side) / _WIDE) ** 2 for side in (_AT, -_AT))
    log_density = np.logaddexp(above, below) - 0.5 * log_slope[:, None] ** 2
    return Recalibrations(
        intercept=settings.intercept_sd * intercept,
        slope=np.exp(settings.slope_sd * log_slope),
        log_weight=log_density - logsumexp(log_density),
    )


def e_process(cohorts: Iterable[tuple[Array, Array]], grid: Recalibrations) -> Evidence:
    """The e-process after each cohort: ``Q / P`` of all cohorts so far.

    Parameters
    ----------
    cohorts : for each, chances (deal, draw) given what was known on its first day, and outcomes (deal,) 0 or 1; the
        same draws in the same order throughout
    """
    itself = Recalibrations(intercept=np.zeros(1), slope=np.ones(1), log_weight=np.zeros((1, 1)))
    model, recalibrated, log_e, weights = np.zeros(()), np.zeros(()), [], []
    for chance, happened in cohorts:
        model = model + log_likelihoods(chance, happened, itself)
        recalibrated = recalibrated + log_likelihoods(chance, happened, grid)
        joint = grid.log_weight + log_mean(recalibrated)
        log_e.append(logsumexp(joint) - log_mean(model).item())
        weights.append(np.exp(joint - logsumexp(joint)))
    return Evidence(
        e_value=np.exp(np.minimum(log_e, np.log(LARGEST))), weight=np.array(weights).reshape(-1, *grid.log_weight.shape)
    )


def log_likelihoods(chance: Array, happened: Array, grid: Recalibrations) -> Array:
    """(slope, intercept, draw) log-likelihood of outcomes (deal,) under every recalibration of chances (deal, draw)."""
    log_odds, won = log_odds_of(chance), np.asarray(happened, dtype=bool)
    starts, wins = np.arange(0, len(won), _AT_ONCE), log_odds[won].sum(axis=0)
    values = np.zeros((*grid.log_weight.shape, log_odds.shape[1]))
    for at, slope in enumerate(grid.slope if len(won) else ()):
        odds = np.exp(slope * log_odds)
        for place, intercept in enumerate(grid.intercept):
            either = np.multiply.reduceat(1 + np.exp(intercept) * odds, starts, axis=0)
            values[at, place] = intercept * won.sum() + slope * wins - np.log(either).sum(axis=0)
    return values


def log_odds_of(chance: Array) -> Array:
    """Log-odds of chances, kept ``EDGE`` from 0 and 1."""
    clipped = np.clip(chance.astype(np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def log_mean(values: Array) -> Array:
    """Log of the mean of exponentials over the last axis, the draws."""
    return np.asarray(logsumexp(values, axis=-1) - np.log(values.shape[-1]))
