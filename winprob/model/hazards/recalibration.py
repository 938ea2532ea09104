"""Recalibration of the time to close by what past readings came to: the facts of a reading say most of its first weeks.

The effects of facts are proportional: they change the hazard of every later week by the same factor. But what a deal
looks like today says more about the next weeks than about those after a quarter. With H the cumulative hazard of an end
from the reading to a day t weeks later: ``log H* = (1 + g slope) log H + g level``, where g falls from 1 at the reading
to 0 after a quarter. That is the recalibration of Cox (1958, doi 10.1093/biomet/45.3-4.562) on the complementary
log-log scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from winprob.arrays import Array

#: Coefficients of each end.
RECALIBRATION_PARTS = ("level", "slope")
#: Weeks after the reading from which nothing is recalibrated.
FADED = 13
#: Sd of the normal priors.
_PRIOR = 0.5
#: The cumulative hazard still grows from day to day.
_LEAST_SLOPE = -0.9
#: Of the differences that give the curvature.
_STEP = 1e-4
_TINY = 1e-12
#: What a past reading came to.
WON, LOST, OPEN = 0, 1, 2


def fade(weeks: Array) -> Array:
    """What is left of the recalibration so many weeks after the reading, 0..1."""
    return np.asarray(np.maximum(1 - weeks / FADED, 0))


def recalibrate(spans: Iterable[tuple[Array, Array, Array]], parts: Array) -> Array:
    """(deal, draw) recalibrated cumulative hazard of an end at the end of the last span.

    It never falls from one day to the next. Where it is raised, it is raised within a span as at the span's beginning,
    and it waits in the next span until that one's hazard is as high; where it is lowered, fading makes it rise.

    Parameters
    ----------
    spans : in order, the cumulative hazard (deal, draw) at the end of each span of weeks, with the weeks (deal,) of the
        span's beginning and end, both at most the weeks that are asked about
    parts : (draw, part) coefficients of the end
    """
    level, slope = parts[:, 0], np.maximum(parts[:, 1], _LEAST_SLOPE)
    highest = np.zeros(())
    for hazard, begun, ended in spans:
        if not fade(begun).any():
            highest = np.maximum(highest, hazard)
            continue
        pull = level + slope * np.log(np.maximum(hazard, np.finfo(hazard.dtype).tiny))
        left = np.where(pull > 0, fade(begun)[:, None], fade(ended)[:, None]).astype(hazard.dtype)
        highest = np.maximum(highest, hazard * np.exp(left * pull))
    return highest


@dataclass(frozen=True, slots=True, kw_only=True)
class PastReadings:
    """What was expected of past readings until a later day, and what came.

    Attributes
    ----------
    win_prob : (row,) probability of being won eventually
    hazard : (end, row) cumulative hazard from the reading until the day
    weeks : (row,) from the reading until the day
    came : (row,) ``WON``, ``LOST`` or ``OPEN`` on the day
    deal : (row,) which deal a reading is of, numbered from 0
    """

    win_prob: Array
    hazard: Array
    weeks: Array
    came: Array
    deal: Array

    def log_likelihood(self, point: Array) -> tuple[Array, Array]:
        """(row,) log likelihood of the coefficients, level and slope of won, then of lost, and (row, 4) its scores."""
        left, log = fade(self.weeks), np.log(np.maximum(self.hazard, _TINY))
        directions = np.stack([np.broadcast_to(left, log.shape), left * log], axis=1)
        hazard = np.exp(log + np.einsum("epr,ep->er", directions, point.reshape(2, 2)))
        chance = np.stack([self.win_prob, 1 - self.win_prob])
        ended, still = chance * -np.expm1(-hazard), chance * np.exp(-hazard)
        value = np.log(np.stack([*ended, still.sum(axis=0)]))[self.came, np.arange(len(self.came))]
        slope = np.where(self.came == OPEN, -still / still.sum(axis=0), 0.0)
        for end in (WON, LOST):
            slope[end] += np.where(self.came == end, 1 / np.expm1(hazard[end]), 0.0)
        return value, np.einsum("er,epr->rep", slope * hazard, directions).reshape(-1, 4)

    def find_mode(self, weight: float) -> tuple[Array, Array]:
        """Posterior mode of the coefficients, and the precision there, where each reading has this weight."""

        def objective(point: Array) -> tuple[float, Array]:
            value, scores = self.log_likelihood(point)
            pull = point / _PRIOR**2
            return float(0.5 * point @ pull - weight * value.sum()), pull - weight * scores.sum(axis=0)

        mode = minimize(objective, np.zeros(4), jac=True, method="BFGS", tol=1e-3).x
        steps = _STEP * np.eye(4)
        precision = np.stack([objective(mode + step)[1] - objective(mode - step)[1] for step in steps]) / (2 * _STEP)
        return mode, (precision + precision.T) / 2

    def reading_weight(self, mode: Array, precision: Array, weight: float) -> float:
        """What each reading counts, from the spread of the deals' scores about a mode found with a weight.

        The readings of a deal share its close (Pauli, Racugno and Ventura 2011, Statistica Sinica 21, 149-164).
        """
        sums = np.zeros((int(self.deal.max()) + 1, 4))
        np.add.at(sums, self.deal, self.log_likelihood(mode)[1])
        information = (precision - np.eye(4) / _PRIOR**2) / weight
        return float(np.clip(4 / np.trace(np.linalg.solve(information, sums.T @ sums)), weight, 1.0))


def learn_recalibration(past: PastReadings, draws: int, rng: np.random.Generator) -> Array:
    """(draw, end, part) draws of the coefficients, float32, from the normal about their posterior mode."""
    weight = len(np.unique(past.deal)) / len(past.deal)
    mode, precision = past.find_mode(weight)
    mode, precision = past.find_mode(past.reading_weight(mode, precision, weight))
    root = np.linalg.cholesky(np.linalg.inv(precision))
    return (mode + rng.standard_normal((draws, 4)) @ root.T).reshape(draws, 2, 2).astype(np.float32)
