"""Closing amounts relative to the recorded amount: some deals close at the amount recorded, others at a multiple of it.

Learned from won deals whose amount is known both at a reading and at closing (``closed_amount``): the share that did
not change (beta prior), and mean and spread of the log ratio of the others (normal, both unknown). Only counts and
moments are stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv, gammaincinv, ndtri

from winprob.arrays import Array
from winprob.data.schema import FEWEST_DEALS, as_numbers, enough_deals

#: An absolute log ratio up to this counts as unchanged.
_SAME = 1e-3
#: Prior of the log ratio of a changed amount, as a number of pseudo-observations: mean zero, spread a quarter.
_PRIOR_COUNT, _PRIOR_SPREAD = 2.0, 0.25
#: Truncation of a log ratio, in standard deviations, and its largest absolute value.
_REACH, _MOST = 4.0, float(np.log(10))
#: Midpoint quantiles of a standard normal, for means over it.
_NODES = ndtri((np.arange(256) + 0.5) / 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingAmounts:
    """Sufficient statistics of closing amounts: deals, deals with a changed amount, mean and variance of log ratios."""

    deals: float
    changed: float
    mean: float
    variance: float

    def to_dict(self) -> dict[str, float]:
        """As JSON can represent it."""
        return asdict(self)

    @staticmethod
    def from_dict(table: Mapping[str, float]) -> ClosingAmounts:
        """The inverse of ``to_dict``."""
        return ClosingAmounts(**table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """Posterior predictive distribution of closing over recorded amount, in every draw.

    Attributes
    ----------
    unchanged : (draw,) share of amounts that do not change
    centre, spread : (draw,) of the log ratio of the others, truncated to ``lowest`` and ``highest``
    mean, mean_square : (draw,) of the ratio, and of its square, over all deals
    """

    unchanged: Array
    centre: Array
    spread: Array
    lowest: float
    highest: float
    mean: Array
    mean_square: Array

    def at(self, uniforms: Array, draw: Array) -> Array:
        """The ratio of deals in draws ``draw`` at quantiles ``uniforms`` (0..1): low quantiles are unchanged."""
        ratio = np.ones(uniforms.shape)
        changed = uniforms >= self.unchanged[draw]
        which = draw[changed]
        rest = (uniforms[changed] - self.unchanged[which]) / np.maximum(1 - self.unchanged[which], 1e-12)
        logs = self.centre[which] + self.spread[which] * ndtri(np.clip(rest, 1e-7, 1 - 1e-7))
        ratio[changed] = np.exp(np.clip(logs, self.lowest, self.highest))
        return ratio


def learn_closing_amounts(deals: pd.DataFrame) -> ClosingAmounts | None:
    """Statistics of a valid deal table; None where too few deals have both amounts.

    Readings of a deal share one weight. Where fewer than ``FEWEST_DEALS`` deals closed at another amount, their ratios
    are not stored and the prior takes their place.
    """
    if not {"amount", "closed_amount", "outcome"} <= set(deals):
        return None
    closed, recorded = as_numbers(deals["closed_amount"]), deals["amount"]
    known = (deals["outcome"] == "won").to_numpy(dtype=bool) & (closed > 0).to_numpy() & (recorded > 0).to_numpy()
    if not known.any() or not enough_deals(deals, known):
        return None
    ratio = np.log(closed[known].to_numpy() / recorded[known].to_numpy())
    ids = deals.loc[known, "deal_id"]
    weight = 1 / ids.groupby(ids).transform("size").to_numpy(dtype=float)
    changed = np.abs(ratio) > _SAME
    count = float(weight[changed].sum())
    if ids[changed].nunique() < FEWEST_DEALS:
        return ClosingAmounts(
            deals=float(weight.sum()), changed=count, mean=0.0, variance=_PRIOR_SPREAD**2 * (count > 0)
        )
    mean = float((weight * ratio)[changed].sum() / count) if count else 0.0
    variance = float((weight * (ratio - mean) ** 2)[changed].sum() / count) if count else 0.0
    return ClosingAmounts(deals=float(weight.sum()), changed=count, mean=mean, variance=variance)


def draw_ratios(amounts: ClosingAmounts | None, *, draws: int, seed: int) -> Ratios | None:
    """Posterior draws of the ratio's parameters; None where every amount is taken as recorded."""
    if amounts is None:
        return None
    # The key of the random stream is part of what a seed means.
    uniforms = np.random.default_rng([seed, zlib.crc32(b"revisions")]).random((3, draws))
    count = amounts.changed + _PRIOR_COUNT
    mean = amounts.changed * amounts.mean / count
    square = amounts.changed * amounts.variance + _PRIOR_COUNT * _PRIOR_SPREAD**2
    square += amounts.changed * _PRIOR_COUNT / count * amounts.mean**2
    spread = np.sqrt(square / (2 * gammaincinv(count / 2, uniforms[1])))
    centre = mean + spread / np.sqrt(count) * ndtri(uniforms[2])
    reach = min(_REACH * float(np.sqrt(square / count)), _MOST)
    lowest, highest = max(mean - reach, -_MOST), min(mean + reach, _MOST)
    unchanged = betaincinv(1 + amounts.deals - amounts.changed, 1 + amounts.changed, uniforms[0])
    logs = np.clip(centre[:, None] + spread[:, None] * _NODES, lowest, highest)
    return Ratios(
        unchanged=unchanged,
        centre=centre,
        spread=spread,
        lowest=lowest,
        highest=highest,
        mean=unchanged + (1 - unchanged) * np.exp(logs).mean(axis=1),
        mean_square=unchanged + (1 - unchanged) * np.exp(2 * logs).mean(axis=1),
    )
