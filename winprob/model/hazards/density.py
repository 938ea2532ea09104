"""Log density of the time-to-close model (normal prior and likelihood), its gradient and Hessian.

Grouped proportional hazards (Prentice and Gloeckler 1978, doi 10.2307/2347304) within a mixture over the competing ends
won and lost (mixture model for competing risks: Larson and Dinse 1985, doi 10.2307/2347464). For end g the weekly
hazard of a row in time cell c is ``exp(x'effect_g + time_g[c])``, so its cumulative hazard is
``u_g = exp(x'effect_g) * sum_c weeks[c] * exp(time_g[c])``. With p the probability of its end and v the cumulative
hazard of the closing week, a closed deal contributes ``log(p) - u + log(1 - exp(-v))``; a censored (open) deal
contributes ``log(p exp(-u_won) + (1 - p) exp(-u_lost))``.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import block_diag
from scipy.sparse import csr_array
from scipy.special import expit

from winprob.arrays import Array
from winprob.model.hazards.clock import NEAR_BINS, QUARTER_STATES, SINCE_BINS, STAGE_STATES
from winprob.model.hazards.design import BY_STAGE, Design, TimingScaling
from winprob.model.hazards.pace import PacePrior
from winprob.model.hazards.spans import SEASONS
from winprob.settings import TimingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """Log density, gradient and Hessian at a point."""

    value: float
    gradient: Array
    hessian: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class CumulativeHazard:
    """The cumulative hazard of each row at a point, with the terms of its derivatives.

    Attributes
    ----------
    total : (row,)
    jacobian : (row, unknown of this end)
    """

    total: Array
    jacobian: Array
    rate: Array
    facts: Array
    weeks: csr_array
    cell: Array
    cells: csr_array

    def curvature(self, weight: Array) -> Array:
        """Weighted sum over rows of the Hessian of the cumulative hazard."""
        facts = self.facts.shape[1]
        top = self.facts.T @ (self.jacobian * weight[:, None])
        spent = self.weeks.T @ (weight * self.rate)
        time = (self.cells.T @ self.cells.multiply((self.cell * spent)[:, None])).toarray()
        return np.vstack([top, np.hstack([top[:, facts:].T, time])])


@dataclass(frozen=True)
class TimingDensity:
    """Unnormalised log posterior of the unknowns: effects and time effects of won, of lost, then the incidence.

    The prior is normal with ``mean`` and ``precision``; the sds of the paces in ``pace`` are those in the middle.
    """

    design: Design
    mean: Array
    precision: Array
    pace: PacePrior

    @cached_property
    def cells(self) -> csr_array:
        """(cell, effect) time effects of each cell, sparse: a cell has a few."""
        return csr_array(self.design.cells)

    @property
    def pace_places(self) -> Array:
        """(end, span) where the paces are among the unknowns."""
        ends = np.array([[self.per_end], [2 * self.per_end]])
        return ends - len(self.design.spans) + np.arange(len(self.design.spans))

    @property
    def per_end(self) -> int:
        """Number of unknowns per end."""
        return int(self.design.facts.shape[1] + self.design.cells.shape[1])

    def parts(self, points: Array) -> tuple[Array, Array, Array]:
        """Split the unknowns (last axis) into won, lost and incidence."""
        one = self.per_end
        return points[..., :one], points[..., one : 2 * one], points[..., 2 * one :]

    def slopes(self, point: Array) -> Slopes:
        """Log density, gradient and Hessian at one point."""
        own, other, incidence = self.parts(point)
        offset = point - self.mean
        value, gradient = -0.5 * offset @ self.precision @ offset, -self.precision @ offset
        hessian = -self.precision.copy()
        logit = self.design.incidence @ incidence
        for part in (self._closed(0, own), self._closed(1, other), self._open(own, other, logit), self._ends(logit)):
            value += part.value
            gradient += part.gradient
            hessian += part.hessian
        return Slopes(value=float(value), gradient=gradient, hessian=hessian)

    def row_scores(self, point: Array) -> Array:
        """(row, unknown) gradient of the log likelihood of each row at a point, each with weight 1."""
        own, other, incidence = self.parts(point)
        design, one = self.design, self.per_end
        chance = expit(design.incidence @ incidence)
        scores = np.zeros((len(design.weight), len(point)))
        scores[:, 2 * one :] = design.incidence * (design.won - chance)[:, None]
        for end, unknown in enumerate((own, other)):
            rows = np.flatnonzero((design.closed == 1) & (design.won == 1 - end))
            before, within = (self._cumulative_hazard(unknown, weeks, rows) for weeks in (design.before, design.within))
            slope = within.jacobian / np.expm1(within.total)[:, None] - before.jacobian
            scores[rows, end * one : (end + 1) * one] = slope
        rows = np.flatnonzero(design.closed == 0)
        won, lost = (self._cumulative_hazard(unknown, design.before, rows) for unknown in (own, other))
        share = expit((design.incidence @ incidence)[rows] - won.total + lost.total)[:, None]
        scores[rows, :one], scores[rows, one : 2 * one] = -share * won.jacobian, -(1 - share) * lost.jacobian
        scores[rows, 2 * one :] += share * design.incidence[rows]
        return scores

    def _cumulative_hazard(self, unknown: Array, weeks: csr_array, rows: Array) -> CumulativeHazard:
        facts = self.design.facts[rows]
        rate = np.exp(facts @ unknown[: facts.shape[1]])
        cell = np.exp(self.design.cells @ unknown[facts.shape[1] :])
        some = weeks[rows]
        total = rate * (some @ cell)
        cells = self.cells
        time = rate[:, None] * (some @ cells.multiply(cell[:, None])).toarray()
        jacobian = np.hstack([total[:, None] * facts, time])
        return CumulativeHazard(
            total=total, jacobian=jacobian, rate=rate, facts=facts, weeks=some, cell=cell, cells=cells
        )

    def _closed(self, end: int, unknown: Array) -> Slopes:
        """Deals closed with this end: ``-u + log(1 - exp(-v))``; ``_ends`` adds ``log(p)``."""
        design = self.design
        rows = np.flatnonzero((design.closed == 1) & (design.won == 1 - end))
        weight = design.weight[rows]
        before, within = (self._cumulative_hazard(unknown, weeks, rows) for weeks in (design.before, design.within))
        slope = 1 / np.expm1(within.total)
        value = weight @ (np.log(-np.expm1(-within.total)) - before.total)
        gradient = (weight * slope) @ within.jacobian - weight @ before.jacobian
        bend = (within.jacobian * (weight * slope * (1 + slope))[:, None]).T @ within.jacobian
        hessian = within.curvature(weight * slope) - before.curvature(weight) - bend
        return self._placed(value, gradient, hessian, end * self.per_end)

    def _open(self, own: Array, other: Array, logit: Array) -> Slopes:
        """Censored deals: ``-u_lost + log(1 + exp(logit - u_won + u_lost))``; ``_ends`` adds ``log(1 - p)``."""
        design = self.design
        rows = np.flatnonzero(design.closed == 0)
        weight = design.weight[rows]
        won, lost = (self._cumulative_hazard(unknown, design.before, rows) for unknown in (own, other))
        lead = logit[rows] - won.total + lost.total
        share = expit(lead)
        value = weight @ (np.logaddexp(0, lead) - lost.total)
        slope = np.hstack([-won.jacobian, lost.jacobian, design.incidence[rows]])
        gradient = (weight * share) @ slope
        hessian = (slope * (weight * share * (1 - share))[:, None]).T @ slope
        one = self.per_end
        gradient[one : 2 * one] -= weight @ lost.jacobian
        hessian[:one, :one] -= won.curvature(weight * share)
        hessian[one : 2 * one, one : 2 * one] -= lost.curvature(weight * (1 - share))
        return Slopes(value=float(value), gradient=gradient, hessian=hessian)

    def _ends(self, logit: Array) -> Slopes:
        """Incidence: log probability of the end of closed deals, and ``log(1 - p)`` of censored ones."""
        design = self.design
        chance, weight = expit(logit), design.weight
        value = weight @ (design.won * logit - np.logaddexp(0, logit))
        gradient = design.incidence.T @ (weight * (design.won - chance))
        hessian = -(design.incidence * (weight * chance * (1 - chance))[:, None]).T @ design.incidence
        return self._placed(value, gradient, hessian, 2 * self.per_end)

    def _placed(self, value: float, gradient: Array, hessian: Array, start: int) -> Slopes:
        size, rows = len(self.mean), slice(start, start + len(gradient))
        wide, square = np.zeros(size), np.zeros((size, size))
        wide[rows], square[rows, rows] = gradient, hessian
        return Slopes(value=float(value), gradient=wide, hessian=square)


def prior_normal(scaling: TimingScaling, settings: TimingSettings, pace: PacePrior) -> tuple[Array, Array]:
    """Normal prior: (unknown,) mean and (unknown, unknown) precision, in the order won, lost, incidence.

    Paces have the sds in the middle of the grid of ``pace``.
    """
    one_mean, one_scale = _fact_scales(scaling, settings)
    since = _walk(len(SINCE_BINS), settings.weekly_hazard[1], settings.since_step)
    near = _walk(len(NEAR_BINS), settings.near, settings.near_step)
    pull = np.eye(len(QUARTER_STATES) - 1) / settings.quarter_pull**2
    soon = np.eye(len(STAGE_STATES)) / settings.stage_soon**2
    by_stage = [_walk(len(NEAR_BINS), settings.near_by_stage, settings.near_by_stage)] * len(STAGE_STATES)
    seasonal = np.eye(len(SEASONS) * len(pull)) / settings.pull_by_season**2
    paces = pace.precision[pace.middle]
    end = block_diag(np.diag(one_scale**-2.0), since, near, pull, soon, *by_stage, seasonal, paces)
    end_mean = np.zeros(len(end))
    first = len(one_scale)
    end_mean[:first], end_mean[first : first + len(SINCE_BINS)] = one_mean, settings.weekly_hazard[0]
    chance = np.array([settings.incidence[1], *[settings.incidence_stage] * len(STAGE_STATES)])
    mean = np.concatenate([end_mean, end_mean, [settings.incidence[0]], np.zeros(len(STAGE_STATES))])
    return mean, block_diag(end, end, np.diag(chance**-2.0))


def _fact_scales(scaling: TimingScaling, settings: TimingSettings) -> tuple[Array, Array]:
    numbers = []
    for name in scaling.names:
        by_stage = [settings.number_by_stage] * len(STAGE_STATES) if name in BY_STAGE else []
        numbers += [settings.number, settings.unknown, *by_stage]
    scales = [
        *[settings.stage] * (len(STAGE_STATES) - 1),
        settings.unknown,
        *numbers,
        *[settings.segment] * len(scaling.segments),
    ]
    return np.zeros(len(scales)), np.array(scales)


def _walk(bins: int, first: float, step: float) -> Array:
    """Precision matrix of a random walk whose first value has its own scale."""
    difference = np.eye(bins) - np.eye(bins, k=-1)
    scales = np.array([first, *[step] * (bins - 1)])
    return np.asarray(difference.T @ (difference / scales[:, None] ** 2))
