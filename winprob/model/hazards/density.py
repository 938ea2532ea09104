"""How plausible are hazards, given the readings? Log density, its slope and its curvature.

Per end g (won, lost) a row's hazard in a cell of time c is ``exp(x'effect_g + time_g[c])`` a week, so what it has
waited through adds up to ``u_g = exp(x'effect_g) * sum_c weeks[c] * exp(time_g[c])``. A deal closed in its week, of
hazard v, adds ``-u + log(1 - exp(-v))`` (grouped proportional hazards: Prentice and Gloeckler 1978, doi
10.2307/2347304) and the log of the chance p of its end; one still open adds
``log(p exp(-u_won) + (1 - p) exp(-u_lost))`` (the mixture of Larson and Dinse 1985, doi 10.2307/2347464).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit

from winprob.arrays import Array
from winprob.model.hazards.design import Design

_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """Log density at a point, its gradient, and its Hessian."""

    value: float
    gradient: Array
    hessian: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """A cumulated hazard of each row at a point, with what its derivatives need.

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
    cells: Array

    def curvature(self, weight: Array) -> Array:
        """Sum over rows of ``weight`` times the second derivative of the row's total."""
        facts = self.facts.shape[1]
        top = self.facts.T @ (self.jacobian * weight[:, None])
        spent = self.weeks.T @ (weight * self.rate)
        time = self.cells.T @ (self.cells * (self.cell * spent)[:, None])
        return np.vstack([top, np.hstack([top[:, facts:].T, time])])


@dataclass(frozen=True)
class TimingDensity:
    """Log density of the unknowns: effects and times of deals won, of deals lost, then the incidence.

    The prior is a normal with ``mean`` and ``precision``.
    """

    design: Design
    mean: Array
    precision: Array

    @property
    def per_end(self) -> int:
        """How many unknowns an end has."""
        return int(self.design.facts.shape[1] + self.design.cells.shape[1])

    def parts(self, points: Array) -> tuple[Array, Array, Array]:
        """Unknowns of won, of lost, and of the incidence, along the last axis."""
        one = self.per_end
        return points[..., :one], points[..., one : 2 * one], points[..., 2 * one :]

    def slopes(self, point: Array) -> Slopes:
        """Value, gradient and Hessian at one point."""
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

    def _waited(self, unknown: Array, weeks: csr_array, rows: Array) -> Waited:
        facts = self.design.facts[rows]
        rate = np.exp(facts @ unknown[: facts.shape[1]])
        cell = np.exp(self.design.cells @ unknown[facts.shape[1] :])
        some = weeks[rows]
        total = rate * (some @ cell)
        time = rate[:, None] * (some @ (cell[:, None] * self.design.cells))
        jacobian = np.hstack([total[:, None] * facts, time])
        return Waited(
            total=total, jacobian=jacobian, rate=rate, facts=facts, weeks=some, cell=cell, cells=self.design.cells
        )

    def _closed(self, end: int, unknown: Array) -> Slopes:
        """Deals closed with this end: ``-u + log(1 - exp(-v))``."""
        design = self.design
        rows = np.flatnonzero((design.closed == 1) & (design.won == 1 - end))
        weight = design.weight[rows]
        before, within = (self._waited(unknown, weeks, rows) for weeks in (design.before, design.within))
        slope = 1 / np.expm1(within.total)
        value = weight @ (np.log(-np.expm1(-within.total)) - before.total)
        gradient = (weight * slope) @ within.jacobian - weight @ before.jacobian
        bend = (within.jacobian * (weight * slope * (1 + slope))[:, None]).T @ within.jacobian
        hessian = within.curvature(weight * slope) - before.curvature(weight) - bend
        return self._placed(value, gradient, hessian, end * self.per_end)

    def _open(self, own: Array, other: Array, logit: Array) -> Slopes:
        """Deals still open: ``-u_lost + log(1 + exp(logit - u_won + u_lost))``; the rest is in ``_ends``."""
        design = self.design
        rows = np.flatnonzero(design.closed == 0)
        weight = design.weight[rows]
        won, lost = (self._waited(unknown, design.before, rows) for unknown in (own, other))
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
        """The chance of the end that closed deals had; what open ones share of it."""
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

    def log_density(self, points: Array) -> Array:
        """(point,) the log density of many points (point, unknown), in blocks of rows."""
        offset = points - self.mean
        total = -0.5 * ((offset @ self.precision) * offset).sum(axis=1)
        own, other, incidence = self.parts(points)
        facts = self.design.facts.shape[1]
        cells = [np.exp(self.design.cells @ part[:, facts:].T) for part in (own, other)]
        for start in range(0, len(self.design.weight), _ROWS):
            rows = np.arange(start, min(start + _ROWS, len(self.design.weight)))
            total += self._many(rows, (own, other), incidence, cells)
        return np.asarray(total)

    def _many(self, rows: Array, ends: tuple[Array, Array], incidence: Array, cells: list[Array]) -> Array:
        design = self.design
        logit = design.incidence[rows] @ incidence.T
        total = design.weight[rows] @ (design.won[rows, None] * logit - np.logaddexp(0, logit))
        waits = []
        facts = design.facts.shape[1]
        for end, (unknown, cell) in enumerate(zip(ends, cells, strict=True)):
            mine = rows[(design.closed[rows] == 0) | (design.won[rows] == 1 - end)]
            rate = np.exp(design.facts[mine] @ unknown[:, :facts].T)
            before = rate * (design.before[mine] @ cell)
            done = design.closed[mine] == 1
            within = rate[done] * (design.within[mine[done]] @ cell)
            total += design.weight[mine[done]] @ (np.log(-np.expm1(-within)) - before[done])
            waits.append(before[~done])
        still = design.closed[rows] == 0
        lead = logit[still] - waits[0] + waits[1]
        total += design.weight[rows[still]] @ (np.logaddexp(0, lead) - waits[1])
        return np.asarray(total)
