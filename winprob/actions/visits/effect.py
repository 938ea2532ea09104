"""Effect of visits on true support, from pairs of noisy readings: an ordinal probit by Laplace's approximation.

True support ``s`` is standard normal and read as ``z = rho s + sqrt(1 - rho^2) e``, cut into tiers, as in the win
model; ``rho`` is the reliability by coach. Between two readings ``s`` moves by ``drift + effect * visited`` and noise
of sd ``tau``. Given the tier before, the reading after is therefore a mixture of priors whose mean goes back towards
the mean of all roles by itself (regression to the mean): only what visited roles do beyond that is an effect. That
visits go to low tiers does not matter, because the tier before is conditioned on.

A reading of a role that no one visited may be a copy of the one before; a share of such pairs is taken to be copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from winprob.actions.visits.pairs import Pairs
from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.draws import TAILS

#: The places of the parameters in one vector.
_PARTS = {"common": slice(0, 1), "role": slice(1, 1 + len(ROLES))} | {
    name: slice(at, at + 1) for at, name in enumerate(("drift", "log_tau", "reliability", "copies"), 1 + len(ROLES))
}
_COUNT = _PARTS["copies"].stop
#: Nodes over a tier before, at the quantiles of Gauss and Legendre.
_NODES, _NODE_WEIGHTS = (np.polynomial.legendre.leggauss(12)[0] + 1) / 2, np.polynomial.legendre.leggauss(12)[1] / 2
_STEP, _ITERATIONS, _SMALLEST, _NEGLIGIBLE = 1e-4, 100, 1e-7, 1e-12
#: Roles not visited from which on their drift is known better than assumed.
_ENOUGH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """How support is read.

    Attributes
    ----------
    reliability : (coach,)
    doubt : sd of the logit of the reliabilities, common to all coaches
    cuts : (role, tier - 1) where readings are cut into tiers
    """

    reliability: Array
    doubt: float
    cuts: Array

    @property
    def shares(self) -> Array:
        """(role, tier) share of readings in each tier."""
        return np.asarray(np.diff(np.pad(ndtr(self.cuts), ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPrior:
    """Normal priors.

    Attributes
    ----------
    mean : (role,) effect of a visit, in sds of true support
    sd, role_sd : of a role's effect, and the part of it that roles do not share
    drift : sd of the move that every role makes between its two readings; small, as the win model takes support as
        stationary
    drift_compared : the same where at least ``_ENOUGH`` roles that were not visited show the drift themselves
    log_tau : mean and sd
    copies : mean and sd of the logit of the share of copies
    """

    mean: Array
    sd: float = 0.3
    role_sd: float = 0.15
    drift: float = 0.05
    drift_compared: float = 0.3
    log_tau: tuple[float, float] = (np.log(0.3), 0.5)
    copies: tuple[float, float] = (-1.0, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Normal posterior of the effect of a visit by role, in sds of true support.

    Attributes
    ----------
    mean : (role,)
    covariance : (role, role)
    visits : (role,) number of visits it was learned from
    compared : number of roles not visited that they were compared with
    prior_sd : of the average effect
    """

    mean: Array
    covariance: Array
    visits: Array
    compared: float
    prior_sd: float

    @property
    def average(self) -> tuple[float, float]:
        """Mean and sd of the effect averaged over the visits."""
        share = self.visits / self.visits.sum()
        return float(share @ self.mean), float(np.sqrt(share @ self.covariance @ share))

    @property
    def interval(self) -> tuple[float, float]:
        """The 90 % interval of the average."""
        mean, sd = self.average
        lower, upper = mean + sd * ndtri(np.array(TAILS))
        return float(lower), float(upper)


def learn_effect(pairs: Pairs, factor: Array, instrument: Instrument, prior: EffectPrior) -> Effect:
    """The posterior mode and the expected information there.

    Parameters
    ----------
    factor : (pair,) what a visit's role effect is multiplied by at its coverage; 0 for roles not visited

    References
    ----------
    Tierney, Kadane (1986), Accurate approximations for posterior moments, doi 10.1080/01621459.1986.10478240.
    """
    cells, priors = _Cells.of(pairs, factor, instrument), _Priors.of(prior, instrument, pairs)
    at, height = priors.mean.copy(), -np.inf
    for _ in range(_ITERATIONS):
        gradient, information = _score(at, cells, priors)
        step = np.linalg.solve(information, gradient)
        at, gained, height = _climb(at, step, height, cells, priors)
        if gained < _SMALLEST:
            break
    _, information = _score(at, cells, priors)
    spread = np.zeros((len(ROLES), _COUNT))
    spread[:, _PARTS["common"]] = 1
    spread[:, _PARTS["role"]] = np.eye(len(ROLES))
    visits = np.bincount(pairs.role[pairs.visited], minlength=len(ROLES))
    return Effect(
        mean=spread @ at,
        covariance=spread @ np.linalg.inv(information) @ spread.T,
        visits=visits,
        compared=float(pairs.weight[~pairs.visited].sum()),
        prior_sd=_average_prior_sd(prior, visits),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """Pairs that are alike, counted.

    Attributes
    ----------
    nodes : (cell, node) readings within the tier before
    same : (cell, tier) 1 where a copy of the tier before would be; 0 everywhere for a visit
    """

    role: Array
    after: Array
    factor: Array
    logit_before: Array
    logit_after: Array
    nodes: Array
    cuts: Array
    same: Array
    weight: Array

    @staticmethod
    def of(pairs: Pairs, factor: Array, instrument: Instrument) -> _Cells:
        key = np.stack(
            [pairs.role, pairs.before, pairs.after, pairs.coach_before, pairs.coach_after, pairs.visited, factor]
        )
        distinct, code = np.unique(key, axis=1, return_inverse=True)
        role, before, after, coach_before, coach_after, visited = distinct[:6].astype(int)
        below = np.pad(ndtr(instrument.cuts), ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
        low, high = below[role, before], below[role, before + 1]
        same = np.zeros((len(role), below.shape[1] - 1))
        same[np.arange(len(role)), before] = visited == 0
        reading = logit(instrument.reliability)
        return _Cells(
            role=role,
            after=after,
            factor=distinct[6] * visited,
            logit_before=reading[coach_before],
            logit_after=reading[coach_after],
            nodes=ndtri(low[:, None] + (high - low)[:, None] * _NODES),
            cuts=instrument.cuts[role],
            same=same,
            weight=np.bincount(code.ravel(), weights=pairs.weight),
        )


def _chances(at: Array, cells: _Cells) -> Array:
    """(cell, tier) probability of each tier after, given the tier before."""
    part = {name: at[places] for name, places in _PARTS.items()}
    effect = part["common"] + part["role"][cells.role]
    before = expit(cells.logit_before + part["reliability"])
    after = expit(cells.logit_after + part["reliability"])
    # Given the reading z, true support is normal with mean rho z and variance 1 - rho^2.
    mean = after[:, None] * (before[:, None] * cells.nodes + (part["drift"] + cells.factor * effect)[:, None])
    sd = np.sqrt(after**2 * (1 - before**2 + np.exp(2 * part["log_tau"])) + 1 - after**2)
    below = ndtr((cells.cuts[:, :, None] - mean[:, None]) / sd[:, None, None]) @ _NODE_WEIGHTS
    fresh = np.diff(np.pad(below, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1))), axis=1)
    share = expit(part["copies"]) * cells.same.any(axis=1)
    return np.asarray(np.maximum((1 - share[:, None]) * fresh + share[:, None] * cells.same, _NEGLIGIBLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Priors:
    """(parameter,) mean and precision."""

    mean: Array
    precision: Array

    @staticmethod
    def of(prior: EffectPrior, instrument: Instrument, pairs: Pairs) -> _Priors:
        middle = float(prior.mean.mean())
        enough = pairs.weight[~pairs.visited].sum() >= _ENOUGH
        by_name: dict[str, tuple[Any, Any]] = {
            "common": (middle, np.sqrt(prior.sd**2 - prior.role_sd**2)),
            "role": (prior.mean - middle, prior.role_sd),
            "drift": (0.0, prior.drift_compared if enough else prior.drift),
            "log_tau": prior.log_tau,
            "reliability": (0.0, instrument.doubt),
            "copies": prior.copies,
        }
        mean, precision = np.empty(_COUNT), np.empty(_COUNT)
        for name, (middle_of, sd) in by_name.items():
            mean[_PARTS[name]], precision[_PARTS[name]] = middle_of, 1 / sd**2
        return _Priors(mean=mean, precision=precision)

    def log_density(self, at: Array) -> float:
        return float(-0.5 * self.precision @ (at - self.mean) ** 2)


def _log_posterior(at: Array, cells: _Cells, priors: _Priors) -> float:
    chance = _chances(at, cells)[np.arange(len(cells.after)), cells.after]
    return float(cells.weight @ np.log(chance)) + priors.log_density(at)


def _climb(at: Array, step: Array, height: float, cells: _Cells, priors: _Priors) -> tuple[Array, float, float]:
    """The step, halved until it raises the posterior; the gain is 0 where none does."""
    height = max(height, _log_posterior(at, cells, priors))
    for halvings in range(30):
        tried = at + step / 2**halvings
        reached = _log_posterior(tried, cells, priors)
        if reached > height:
            return tried, reached - height, reached
    return at, 0.0, height


def _score(at: Array, cells: _Cells, priors: _Priors) -> tuple[Array, Array]:
    """Gradient of the log posterior, and its expected information, by central differences of the probabilities."""
    ends = [_chances(at + sign * _STEP * unit, cells) for unit in np.eye(_COUNT) for sign in (1, -1)]
    slope = np.stack([(up - down) / (2 * _STEP) for up, down in zip(ends[::2], ends[1::2], strict=True)], axis=2)
    chance, rows = _chances(at, cells), np.arange(len(cells.after))
    gradient = (cells.weight / chance[rows, cells.after]) @ slope[rows, cells.after] - priors.precision * (
        at - priors.mean
    )
    weighted = slope * (cells.weight[:, None] / np.maximum(chance, _NEGLIGIBLE))[:, :, None]
    return gradient, np.tensordot(slope, weighted, axes=((0, 1), (0, 1))) + np.diag(priors.precision)


def _average_prior_sd(prior: EffectPrior, visits: Array) -> float:
    share = visits / max(visits.sum(), 1)
    return float(np.sqrt(prior.sd**2 - prior.role_sd**2 * (1 - (share**2).sum())))
