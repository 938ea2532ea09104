"""Smooth effects of numbers: quantile bins, and a basis of a straight line and a random walk over them.

A numeric column has an effect for each of its bins. Neighbouring bins have similar effects: the prior is a line plus a
random walk (RW1; Rue and Held 2005) with one learned scale. A value that many deals share (zero, a list price) departs
from its bin by an effect of its own, and a blank has a free one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit

from winprob.arrays import Array

#: A probability is clipped to this range before its logit: "certain" is no more than a strong opinion.
_LOGIT_RANGE = (0.01, 0.99)


class Transform(NamedTuple):
    """A transform of a numeric column, and the way back."""

    there: Callable[[Any], Any]
    back: Callable[[Any], Any]


#: By name, as settings and mappings have them.
TRANSFORMS: Mapping[str, Transform] = {
    "identity": Transform(np.asarray, np.asarray),
    "log1p": Transform(np.log1p, np.expm1),
    "logit": Transform(lambda share: logit(np.clip(share, *_LOGIT_RANGE)), expit),
}

#: Known values per bin, at least, and the number of bins, at most.
_PER_BIN, _BINS = 15, 20
#: A single value is a level of its own where this many deals, and this share of them, have it; the number of those.
_HEAP, _HEAP_SHARE, _HEAPS = 20, 0.05, 5
#: Standard deviation of a heaped value's own effect, and of the whole walk, relative to a line's over one sd.
_OWN, _WALK = 0.7, 1.5
#: The line is flat beyond this many sds.
_FAR = 3.0
_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Levels of a numeric column, on its transformed scale: bins, then heaped values, then blank.

    Attributes
    ----------
    edges : ascending; a bin holds the values above its lower and up to its upper edge
    heaps : values that are levels of their own
    middle : (bin and heap,) mean of a level's values, in sds from the column's mean
    share : (level,) share of the training weight
    direction : 1 where the effect may only rise with the number, -1 where it may only fall, else 0
    """

    edges: tuple[float, ...]
    heaps: tuple[float, ...]
    middle: tuple[float, ...]
    share: tuple[float, ...]
    direction: int = 0

    def codes(self, values: Array) -> Array:
        """(deal,) level of each value; NaN is blank."""
        codes = np.searchsorted(self.edges, values, side="left")
        for at, heap in enumerate(self.heaps):
            codes[np.isclose(values, heap, rtol=1e-9, atol=0)] = len(self.edges) + 1 + at
        codes[np.isnan(values)] = len(self.share) - 1
        return np.asarray(codes)

    @property
    def basis(self) -> Array:
        """(level, unknown) centred over the training deals: steps of the walk, the line, heaped values, blank."""
        bins, heaps = len(self.edges) + 1, len(self.heaps)
        basis = np.zeros((bins + heaps + 1, bins + heaps + 1))
        steps = np.tril(np.ones((bins, bins)), -1)[:, :-1] * _WALK / np.sqrt(max(bins - 1, 1))
        home = np.concatenate([np.arange(bins), np.searchsorted(self.edges, self.heaps)])
        basis[:-1, : bins - 1] = steps[home]
        basis[:-1, bins - 1] = np.clip(self.middle, -_FAR, _FAR)
        basis[bins:-1, bins:-1] = _OWN * np.eye(heaps)
        basis[-1, -1] = 1.0
        return basis - np.array(self.share) @ basis

    @property
    def sign(self) -> Array:
        """(unknown,) the sign that each unknown must have, 0 for either."""
        signs = np.zeros(len(self.share))
        signs[: len(self.edges) + 1] = self.direction
        return signs


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """The bins of all numeric columns end to end.

    Attributes
    ----------
    basis : (bin, unknown) block diagonal, with as many unknowns as bins
    sign : (unknown,)
    column_of_bin : the column of each bin, and of each unknown
    """

    basis: Array
    sign: Array
    column_of_bin: Array

    @property
    def columns(self) -> int:
        """How many columns have bins."""
        return int(self.column_of_bin.max(initial=-1)) + 1

    def packed(self) -> Array:
        """All of it as one vector: the number of columns; of each column its size, signs and basis."""
        parts = [np.array([self.columns], dtype=float)]
        for column in range(self.columns):
            own = self.column_of_bin == column
            parts += [np.array([own.sum()], dtype=float), self.sign[own], self.basis[np.ix_(own, own)].ravel()]
        return np.concatenate(parts)


def end_to_end(columns: Sequence[Bins]) -> Curves:
    """The bins of all columns end to end."""
    sizes = [len(column.share) for column in columns]
    column_of = np.repeat(np.arange(len(columns)), sizes).astype(np.int64)
    basis = np.zeros((sum(sizes), sum(sizes)))
    for at, column in enumerate(columns):
        own = column_of == at
        basis[np.ix_(own, own)] = column.basis
    sign = np.concatenate([np.zeros(0), *(column.sign for column in columns)])
    return Curves(basis=basis, sign=sign, column_of_bin=column_of)


def learn_bins(values: Array, weight: Array, transform: str, *, direction: int = 0) -> Bins:
    """Quantile bins of a column's known values (deal,), after its ``transform``.

    An edge is midway between two neighbouring values, rounded: no deal's own number. A monotone column has no heaps.
    """
    known = ~np.isnan(values)
    numbers, weights = values[known], weight[known]
    # Each reading of a deal has a share of the deal's weight: the bins are those of deals, not of rows.
    wanted = int(np.clip(round(weights.sum(), 6) // _PER_BIN, 2, _BINS))
    heaps = () if direction else _heaped(numbers, weights, wanted)
    rest = ~np.isin(numbers, heaps)
    rest = rest if rest.any() else np.ones(len(numbers), dtype=bool)
    edges = _edges(numbers[rest], weights[rest], wanted, transform)
    mean = np.average(numbers, weights=weights)
    sd = np.sqrt(np.average((numbers - mean) ** 2, weights=weights)) or 1.0
    levels = len(edges) + len(heaps) + 2
    bins = Bins(edges=edges, heaps=heaps, middle=(0.0,) * (levels - 1), share=(0.0,) * levels, direction=direction)
    total = np.bincount(bins.codes(values), weight, levels)
    sums = np.bincount(bins.codes(numbers), weights * (numbers - mean) / sd, levels)[:-1]
    middle = np.divide(sums, total[:-1], out=np.zeros(levels - 1), where=total[:-1] > 0)
    share = total / total.sum()
    return Bins(
        edges=edges, heaps=heaps, middle=tuple(middle.tolist()), share=tuple(share.tolist()), direction=direction
    )


def _heaped(numbers: Array, weights: Array, bins: int) -> tuple[float, ...]:
    """Values that many deals share, in a column of more different values than bins."""
    found, place = np.unique(numbers, return_inverse=True)
    count = np.round(np.bincount(place, weights, len(found)), 6)
    if len(found) <= bins:
        return ()
    often = np.flatnonzero(count >= max(_HEAP, _HEAP_SHARE * weights.sum()))
    most = np.sort(often[np.argsort(-count[often], kind="stable")[:_HEAPS]])
    return tuple(found[most].tolist())


def _edges(numbers: Array, weights: Array, bins: int, transform: str) -> tuple[float, ...]:
    found = np.unique(numbers)
    ends = np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf", weights=weights)
    at = np.unique(np.searchsorted(found, ends))
    at = at[at < len(found) - 1]
    return tuple(_between(found[place], found[place + 1], transform) for place in at.tolist())


def _between(low: float, high: float, transform: str) -> float:
    """A number between two neighbours that is round before the transform."""
    there, back = TRANSFORMS[transform]
    middle = (back(low) + back(high)) / 2
    for digits in range(_DIGITS, 17):
        rounded = float(there(float(f"{middle:.{digits}g}")))
        if low <= rounded < high:
            return rounded
    return (low + high) / 2
