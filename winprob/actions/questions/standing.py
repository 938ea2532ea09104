"""How does a deal stand, some answers already heard? The predictor taken apart, so that an answer can move it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from winprob.actions.questions.facts import VALIDATED
from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Features, Scaling
from winprob.model.win.terms import Coefficients, attenuation, logits, support_terms

NOT_HEARD = -1
#: An answer less likely than this is told apart from its neighbours no more: its weight is nothing.
_HARDLY = np.float32(1e-5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Deals as they stand, whatever was heard taken in.

    Attributes
    ----------
    predictor : (deal, draw) log-odds before doubt shrinks them
    variance : (deal, draw) what is not known of support, weighted
    weight : (role, deal, draw)
    told : (deal, draw) how likely what was heard is by each draw, 1 where nothing was
    """

    predictor: Array
    variance: Array
    weight: Array
    told: Array

    @property
    def log_odds(self) -> Array:
        """(deal, draw) of winning."""
        return np.asarray(self.predictor * attenuation(self.variance))

    def take(self, rows: Array) -> Standing:
        """Some of the deals."""
        return Standing(
            predictor=self.predictor[rows],
            variance=self.variance[rows],
            weight=self.weight[:, rows],
            told=self.told[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a validated source may say of one role's support, and what each answer teaches.

    Attributes
    ----------
    chance : (deal, tier, draw)
    rise : (deal, tier, draw) how far the answer moves the mean of true support
    fall : (deal, tier, draw) how much it takes off its variance
    """

    chance: Array
    rise: Array
    fall: Array


def stand(by: Coefficients, features: Features, scaling: Scaling, heard: Array) -> Standing:
    """Deals as they stand.

    Parameters
    ----------
    heard : (deal, role) place of the tier that a validated source told beside the record, or ``NOT_HEARD``
    """
    variance = support_terms(by, features)[1]
    predictor = logits(by, features) / attenuation(variance)
    weight = np.stack([by.role_weight[role][features.method] for role in range(len(ROLES))])
    told = np.ones_like(predictor)
    for role in np.flatnonzero((heard != NOT_HEARD).any(axis=0)):
        rows = np.flatnonzero(heard[:, role] != NOT_HEARD)
        reading = validated_reading(by, features.take(rows), scaling, int(role))
        at = (np.arange(len(rows)), heard[rows, role])
        predictor[rows] += weight[role, rows] * reading.rise[at]
        variance[rows] -= weight[role, rows] ** 2 * reading.fall[at]
        told[rows] *= reading.chance[at]
    return Standing(predictor=predictor, variance=np.maximum(variance, 0), weight=weight, told=told)


def validated_reading(by: Coefficients, features: Features, scaling: Scaling, role: int) -> Reading:
    """What a source as truthful as a validated coach would say of a role, given the record.

    True support is taken as normal with the mean ``m`` and variance ``v`` that the record leaves (exact where nothing
    is reported). The source reads ``z = rho s + sqrt(1 - rho^2) e``, so ``z`` is normal with mean ``rho m`` and
    variance ``t^2 = rho^2 v + 1 - rho^2``, cut into tiers where training readings are; the regression of ``s`` on ``z``
    and the moments of a truncated normal give the rest in closed form.

    References
    ----------
    Johnson, Kotz, Balakrishnan (1994), Continuous Univariate Distributions 1, section 13.10.1.
    """
    level, doubt = _true_support(by, features, role)
    rho = by.reliability[VALIDATED]
    spread = np.sqrt(rho**2 * doubt + 1 - rho**2)
    gain = rho * doubt / spread
    counts = np.array(scaling.tier_counts[role])
    cuts = ndtri(np.cumsum(counts)[:-1] / counts.sum()).astype(np.float32)
    edges = (cuts[None, :, None] - (rho * level)[:, None]) / spread[:, None]
    chance, mean, kept = _truncated(edges)
    return Reading(chance=chance, rise=gain[:, None] * mean, fall=gain[:, None] ** 2 * (1 - kept))


def _true_support(by: Coefficients, features: Features, role: int) -> tuple[Array, Array]:
    """Mean and variance of a role's true support given the record, (deal, draw): ``terms`` with a weight of one."""
    alone = np.zeros_like(by.role_weight)
    alone[role] = 1
    means, variance = support_terms(replace(by, role_weight=alone), features)
    return means[role], variance


def _truncated(edges: Array) -> tuple[Array, Array, Array]:
    """Chance, mean and variance of a standard normal between neighbouring edges (deal, edge, draw), ends open."""
    wide = ((0, 0), (1, 1), (0, 0))
    chance = np.diff(np.pad(ndtr(edges), wide, constant_values=((0, 0), (0, 1), (0, 0))), axis=1)
    density = np.exp(-(edges**2) / 2) / np.float32(np.sqrt(2 * np.pi))
    rare = chance < _HARDLY
    by = np.where(rare, 1, chance)
    mean = -np.diff(np.pad(density, wide), axis=1) / by
    variance = 1 - np.diff(np.pad(edges * density, wide), axis=1) / by - mean**2
    return chance, mean, np.where(rare, 1, np.clip(variance, 0, 1))
