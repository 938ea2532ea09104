"""Log density of the time-to-close model and its gradient at many points at once.

The density of ``density.py`` without its Hessian. Points are columns, so that every step is one array operation over
rows and points; rows are taken in blocks whose arrays fit the processor's cache.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack
from scipy.special import expit

from winprob.arrays import Array
from winprob.model.hazards.density import TimingDensity

#: Rows per block.
_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRows:
    """The cumulative hazards of one end in a block of rows.

    Attributes
    ----------
    facts : (row, fact) of rows closed with this end, then of open rows
    weeks : (term, cell) weeks survived by these rows, then the closing week of the closed ones
    turned : (cell, term) the transpose
    weight : (closed row, 1)
    """

    facts: Array
    weeks: csr_array
    turned: csr_array
    weight: Array

    def hazards(self, effect: Array, cell: Array) -> tuple[Array, Array]:
        """(term, point) factor by facts, and cumulative hazard."""
        rate = np.exp(self.facts @ effect)
        rate = np.concatenate([rate, rate[: len(self.weight)]])
        total = self.weeks @ cell
        total *= rate
        return rate, total

    def waits(self, total: Array) -> Array:
        """The cumulative hazards of open rows."""
        return total[len(self.weight) : len(self.facts)]

    def add_closed(self, total: Array, slope: Array) -> Array:
        """Value of the closed rows, ``-u + log(1 - exp(-v))``; ``slope`` receives its derivative by u and v."""
        closed, rows = len(self.weight), len(self.facts)
        chance = -np.expm1(-total[rows:])
        slope[:closed] = -self.weight
        slope[rows:] = self.weight / chance - self.weight
        return np.asarray(self.weight[:, 0] @ (np.log(chance) - total[:closed]))

    def add_gradient(self, rate: Array, total: Array, slope: Array, by_effect: Array, by_cell: Array) -> None:
        """Add the gradient by the effects of facts, and by the hazard of each cell."""
        closed, rows = len(self.weight), len(self.facts)
        total *= slope
        total[:closed] += total[rows:]
        by_effect += self.facts.T @ total[:rows]
        slope *= rate
        by_cell += self.turned @ slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some rows of the design: their hazards by end; incidence (row, 1 + stage) and weight (row, 1) of open ones."""

    ends: tuple[EndRows, EndRows]
    incidence: Array
    weight: Array

    def add(self, effects: list[Array], cells: list[Array], gradient: list[Array], by_cell: list[Array]) -> Array:
        """Log likelihood, without the incidence of ``BatchDensity``; its gradient is added to the last two."""
        *facts, incidence = effects
        (won_rate, won), (lost_rate, lost) = (
            end.hazards(effect, cell) for end, effect, cell in zip(self.ends, facts, cells, strict=True)
        )
        wait = self.ends[1].waits(lost)
        lead = self.incidence @ incidence - self.ends[0].waits(won) + wait
        share = self.weight * expit(lead)
        value = self.weight[:, 0] @ (_softplus(lead) - wait)
        gradient[2] += self.incidence.T @ share
        for at, (rate, total, still) in enumerate(((won_rate, won, -share), (lost_rate, lost, share - self.weight))):
            end, slope = self.ends[at], np.empty_like(total)
            end.waits(slope)[:] = still
            value += end.add_closed(total, slope)
            end.add_gradient(rate, total, slope, gradient[at], by_cell[at])
        return np.asarray(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDensity:
    """Log density and gradient at many points.

    Attributes
    ----------
    cells, turned_cells : (cell, effect) time effects of each cell, and the transpose
    levels : (level, 1 + stage) distinct rows of the incidence design
    won, counted : (level,) weight of deals won, and of all
    paces : (end, point) which sds of the paces each point has; without it those of the density
    """

    density: TimingDensity
    blocks: tuple[Block, ...]
    cells: csr_array
    turned_cells: csr_array
    levels: Array
    won: Array
    counted: Array
    paces: Array | None = None

    def __call__(self, points: Array) -> tuple[Array, Array]:
        """(point,) log density, and (unknown, point) gradient, at points (unknown, point)."""
        offset = points - self.density.mean[:, None]
        gradient = -self.density.precision @ offset
        value = 0.5 * (offset * gradient).sum(axis=0)
        if self.paces is not None:
            value += self._add_paces(points, gradient, self.paces)
        facts, parts, slopes = self.density.design.facts.shape[1], self._parts(points), self._parts(gradient)
        cells = [np.exp(self.cells @ part[facts:]) for part in parts[:2]]
        by_cell = [np.zeros_like(cell) for cell in cells]
        effects, by_effect = ([x[0][:facts], x[1][:facts], x[2]] for x in (parts, slopes))
        value += self._add_ends(parts[2], slopes[2])
        for block in self.blocks:
            value += block.add(effects, cells, by_effect, by_cell)
        for slope, cell, weeks in zip(slopes[:2], cells, by_cell, strict=True):
            weeks *= cell
            slope[facts:] += self.turned_cells @ weeks
        return value, gradient

    def _add_paces(self, points: Array, gradient: Array, paces: Array) -> Array:
        """(point,) what other sds of the paces change in the log prior; its gradient is added to ``gradient``."""
        value, change = np.zeros(points.shape[1]), self.density.pace.change
        for places, chosen in zip(self.density.pace_places, paces, strict=True):
            slope = -np.einsum("pst,tp->sp", change[chosen], points[places])
            gradient[places] += slope
            value += 0.5 * (points[places] * slope).sum(axis=0)
        return value

    def _parts(self, points: Array) -> tuple[Array, Array, Array]:
        one = self.density.per_end
        return points[:one], points[one : 2 * one], points[2 * one :]

    def _add_ends(self, incidence: Array, gradient: Array) -> Array:
        """Log probability of the end of closed rows, and ``log(1 - p)`` of open ones."""
        logit = self.levels @ incidence
        gradient += self.levels.T @ (self.won[:, None] - self.counted[:, None] * expit(logit))
        return np.asarray(self.won @ logit - self.counted @ _softplus(logit))


def batch_density(density: TimingDensity, paces: Array | None = None) -> BatchDensity:
    """The same density, prepared for many points, with sds of the paces (end, point) of their own."""
    design = density.design
    levels, level = np.unique(design.incidence, axis=0, return_inverse=True)
    rows = np.arange(len(design.weight))
    cells = csr_array(design.cells)
    return BatchDensity(
        density=density,
        blocks=tuple(_block(density, rows[start : start + _ROWS]) for start in range(0, len(rows), _ROWS)),
        cells=cells,
        turned_cells=csr_array(cells.T),
        levels=levels,
        won=np.bincount(level.ravel(), design.weight * design.won, len(levels)),
        counted=np.bincount(level.ravel(), design.weight, len(levels)),
        paces=paces,
    )


def _block(density: TimingDensity, rows: Array) -> Block:
    design = density.design
    still = rows[design.closed[rows] == 0]
    ends = []
    for won in (1, 0):
        closed = rows[(design.closed[rows] == 1) & (design.won[rows] == won)]
        mine = np.concatenate([closed, still])
        weeks = csr_array(vstack([design.before[mine], design.within[closed]], format="csr"))
        ends.append(
            EndRows(
                facts=design.facts[mine], weeks=weeks, turned=csr_array(weeks.T), weight=design.weight[closed, None]
            )
        )
    return Block(ends=(ends[0], ends[1]), incidence=design.incidence[still], weight=design.weight[still, None])


def _softplus(values: Array) -> Array:
    """``log(1 + exp(x))``, several times faster than ``logaddexp``."""
    return np.asarray(np.maximum(values, 0) + np.log1p(np.exp(-np.abs(values))))
