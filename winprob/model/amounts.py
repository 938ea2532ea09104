"""What does a deal close at, beside the amount that stood in the table? Some as written, the others by a factor.

Learned from won deals whose amount is known both at a reading and at closing (``closed_amount``): the share that did
not change (beta), and mean and spread of the log ratio of the others (normal, both unknown). Counts and moments only.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv, gammaincinv, ndtri

from winprob.arrays import Array
from winprob.data.schema import as_numbers

#: An amount within this of what was written is unchanged (of the log ratio).
_SAME = 1e-3
#: Believed of the log ratio of an amount that changes, as if two such had been seen: no change, spread a quarter.
_BELIEVED, _BELIEVED_SPREAD = 2.0, 0.25
#: Standard deviations within which a log ratio is kept, and the most it may be.
_REACH, _MOST = 4.0, float(np.log(10))
#: Middles of equal shares of a standard normal, to take means over it.
_NODES = ndtri((np.arange(256) + 0.5) / 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """What won deals closed at: how many were seen, how many of them changed, mean and variance of their log ratios."""

    deals: float
    changed: float
    mean: float
    variance: float

    def to_dict(self) -> dict[str, float]:
        """As JSON can hold it."""
        return asdict(self)

    @staticmethod
    def from_dict(table: Mapping[str, float]) -> Revisions:
        """What ``to_dict`` gave."""
        return Revisions(**table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """Closing over written amount in every draw.

    Attributes
    ----------
    unchanged : (draw,) share of amounts that stay as written
    centre, spread : (draw,) of the log ratio of the others, kept between ``lowest`` and ``highest``
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
        """The ratio of deals in draws ``draw``, by their luck ``uniforms`` (0..1): small luck leaves the amount."""
        ratio = np.ones(uniforms.shape)
        moved = uniforms >= self.unchanged[draw]
        which = draw[moved]
        rest = (uniforms[moved] - self.unchanged[which]) / np.maximum(1 - self.unchanged[which], 1e-12)
        logs = self.centre[which] + self.spread[which] * ndtri(np.clip(rest, 1e-7, 1 - 1e-7))
        ratio[moved] = np.exp(np.clip(logs, self.lowest, self.highest))
        return ratio


def learn_revisions(deals: pd.DataFrame) -> Revisions | None:
    """What a valid deal table says of amounts at closing; None where it knows no deal at both times."""
    if not {"amount", "closed_amount", "outcome"} <= set(deals):
        return None
    closed, written = as_numbers(deals["closed_amount"]), deals["amount"]
    known = (deals["outcome"] == "won").to_numpy(dtype=bool) & (closed > 0).to_numpy() & (written > 0).to_numpy()
    if not known.any():
        return None
    ratio = np.log(closed[known].to_numpy() / written[known].to_numpy())
    ids = deals.loc[known, "deal_id"]
    weight = 1 / ids.groupby(ids).transform("size").to_numpy(dtype=float)
    changed = np.abs(ratio) > _SAME
    count = float(weight[changed].sum())
    mean = float((weight * ratio)[changed].sum() / count) if count else 0.0
    variance = float((weight * (ratio - mean) ** 2)[changed].sum() / count) if count else 0.0
    return Revisions(deals=float(weight.sum()), changed=count, mean=mean, variance=variance)


def draw_ratios(revisions: Revisions | None, *, draws: int, seed: int) -> Ratios | None:
    """The ratio's parameters, drawn once a draw; None takes every amount as written."""
    if revisions is None:
        return None
    luck = np.random.default_rng([seed, zlib.crc32(b"revisions")]).random((3, draws))
    count = revisions.changed + _BELIEVED
    mean = revisions.changed * revisions.mean / count
    square = revisions.changed * revisions.variance + _BELIEVED * _BELIEVED_SPREAD**2
    square += revisions.changed * _BELIEVED / count * revisions.mean**2
    spread = np.sqrt(square / (2 * gammaincinv(count / 2, luck[1])))
    reach = min(_REACH * float(np.sqrt(square / count)), _MOST)
    centre = mean + spread / np.sqrt(count) * ndtri(luck[2])
    reach = min(_REACH * float(np.sqrt(square / count)), _MOST)
    lowest, highest = max(mean - reach, -_MOST), min(mean + reach, _MOST)
    unchanged = betaincinv(1 + revisions.deals - revisions.changed, 1 + revisions.changed, luck[0])
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
