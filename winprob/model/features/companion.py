"""The companion: gradient-boosted trees of the covariates, as data, evaluated without the library that grew them.

Trees find what combinations of covariates add. Their log-odds, less the part that is a sum over single covariates (the
model has terms of its own for that), enter the win model as one more term with a weight of its own. There are several
boosters, each grown without a fold of the deals: a deal of training is described by the one that has not seen it
(cross-fitting), a new deal by each of them, in its share of the posterior draws, so that what the boosters disagree
about is part of the interval.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import comb
from operator import mul
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import lsqr

from winprob.arrays import Array

_WORD = 32
#: Log-odds of the trees are bounded: beyond, they know nothing that the data could have shown.
_FARTHEST = 7.0
#: Up to so many deals are walked through the trees one by one; for more, tables of the leaves are worth their making.
_FEW = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """Boosters as arrays; averages of many deals only, no deal's row.

    Attributes
    ----------
    columns : names of the covariates, those with levels first
    category : (level,) of all levels of the fields end to end, its category in the trees, -1 where it is rare
    fields : how many of the columns have levels
    booster : (tree,) the booster it belongs to, ascending
    root : (tree,) its first node
    feature : (node,) the column it splits on, -1 for a leaf
    threshold : (node,) up to this a number goes left; of a split on levels, the row of ``left_levels``
    blank_left : (node,) whether a blank goes left
    left, right : (node,) the nodes below
    value : (node,) of a leaf, what it adds to the log-odds
    count : (node,) how many deals of training came by
    left_levels : (split, word) bits of the categories that go left
    start : (booster,) log-odds before any tree
    middle : mean of the cross-fitted log-odds over the training deals
    weight : mean and sd of the weight of the trees' log-odds in the win model
    additive : (level and bin,) what of the log-odds is a sum over single levels and bins of numbers
    """

    columns: tuple[str, ...]
    category: Array
    fields: int
    booster: Array
    root: Array
    feature: Array
    threshold: Array
    blank_left: Array
    left: Array
    right: Array
    value: Array
    count: Array
    left_levels: Array
    start: Array
    middle: float
    weight: tuple[float, float]
    additive: Array

    @property
    def boosters(self) -> int:
        """How many boosters there are."""
        return len(self.start)

    def inputs(self, level: Array, numbers: Array) -> Array:
        """(deal, column) what the trees split on; NaN for a blank number and for a rare or unseen level.

        Parameters
        ----------
        level : (deal, field) codes into all known levels end to end; unseen ones are beyond
        numbers : (deal, numeric column) transformed values, NaN where blank
        """
        return tree_inputs(self.category, level, numbers)

    def beyond(self, level: Array, bins: Array, inputs: Array) -> Array:
        """(deal, booster) log-odds of the trees beyond what single covariates add, float32.

        Parameters
        ----------
        level : (deal, field) codes into all known levels end to end; unseen ones are beyond
        bins : (deal, numeric column) codes into all bins end to end
        """
        return np.asarray(self.log_odds(inputs) - self.single(level, bins)[:, None], dtype=np.float32)

    def single(self, level: Array, bins: Array) -> Array:
        """(deal,) the part of the trees' log-odds that is a sum over single covariates; codes as in ``beyond``."""
        places = _places(level, bins, len(self.category), len(self.additive))
        return np.asarray(np.append(self.additive, 0.0)[places].sum(axis=1))

    def log_odds(self, inputs: Array) -> Array:
        """(deal, booster) log-odds of the trees, relative to their mean in training."""
        return np.clip(self._raw(inputs) - self.middle, -_FARTHEST, _FARTHEST)

    def _raw(self, inputs: Array) -> Array:
        # Numba takes a moment to import: only a model with trees needs it.
        from winprob.model.features.walking import Codes, Trees, read_trees, walk_trees

        totals = np.repeat(self.start[None], len(inputs), axis=0)
        trees = Trees(**{name: getattr(self, name) for name in Trees._fields})
        if len(inputs) <= _FEW or not read_trees(Codes(*self._coded(inputs)), trees, totals):
            totals = np.repeat(self.start[None], len(inputs), axis=0)
            walk_trees(np.ascontiguousarray(inputs), trees, totals)
        return totals

    def _coded(self, inputs: Array) -> tuple[Array, Array, Array]:
        """Inputs and splits as small numbers, see ``walking.Codes``."""
        codes = np.empty(inputs.shape[::-1], dtype=np.uint32)
        places, sizes = np.zeros(len(self.feature), dtype=np.int64), np.empty(len(codes), dtype=np.int64)
        for column, values in enumerate(inputs.T):
            blank = np.isnan(values)
            if column < self.fields:
                codes[column] = np.where(blank, 0, values)
                sizes[column] = _WORD * self.left_levels.shape[1] + 1
            else:
                split = self.feature == column
                cuts = np.unique(self.threshold[split])
                places[split] = np.searchsorted(cuts, self.threshold[split])
                codes[column] = np.searchsorted(cuts, values)
                sizes[column] = len(cuts) + 2
            codes[column, blank] = sizes[column] - 1
        return codes, places, sizes

    def contributions(self, inputs: Array) -> Array:
        """(column,) Shapley values of one deal's columns, averaged over the boosters, exact for trees.

        They add up to the deal's log-odds minus the trees' mean over the deals they were grown on, by the deals that
        came by at each split (path-dependent TreeSHAP; Lundberg et al. 2020, doi 10.1038/s42256-019-0138-9).

        Parameters
        ----------
        inputs : (column,) of one deal
        """
        shares = np.zeros(len(self.columns))
        for root in self.root.tolist():
            for value, factors in self._leaves(root, inputs):
                for column, part in _shapley(factors):
                    shares[column] += value * part
        return shares / self.boosters

    def _leaves(self, root: int, inputs: Array) -> Iterator[tuple[float, dict[int, tuple[float, float]]]]:
        """Each leaf's value, and by column whether the deal takes all its turns to it (0 or 1), and their share."""
        waiting: list[tuple[int, dict[int, tuple[float, float]]]] = [(root, {})]
        while waiting:
            node, path = waiting.pop()
            column = int(self.feature[node])
            if column < 0:
                yield float(self.value[node]), path
                continue
            goes_left = self._goes_left(node, float(inputs[column]))
            for child, taken in ((self.left[node], goes_left), (self.right[node], not goes_left)):
                own, share = path.get(column, (1.0, 1.0))
                step = (own * taken, share * float(self.count[child]) / float(self.count[node]))
                waiting.append((int(child), {**path, column: step}))

    def _goes_left(self, node: int, value: float) -> bool:
        if np.isnan(value):
            return bool(self.blank_left[node])
        if self.feature[node] >= self.fields:
            return bool(value <= self.threshold[node])
        word = self.left_levels[int(self.threshold[node])][int(value) // _WORD]
        return bool(int(word) >> (int(value) % _WORD) & 1)


def additive_part(level: Array, bins: Array, levels: int, numbers: int, log_odds: Array, weight: Array) -> Array:
    """(level and bin,) the sum over single levels and bins that is closest to these log-odds (least squares, ridge)."""
    places = _places(level, bins, levels, levels + numbers)
    root = np.sqrt(weight)
    entries = np.repeat(root, places.shape[1])
    starts = np.arange(0, places.size + 1, places.shape[1])
    design = csr_array((entries, places.ravel(), starts), shape=(len(level), levels + numbers))
    return np.asarray(lsqr(design, root * log_odds, damp=1.0, atol=1e-8, btol=1e-8, iter_lim=500)[0])


def _places(level: Array, bins: Array, levels: int, nothing: int) -> Array:
    """(deal, column) places of a deal's levels and bins end to end; an unseen level, and none, is at ``nothing``."""
    return np.concatenate([np.where((level >= 0) & (level < levels), level, nothing), bins + levels], axis=1)


def tree_inputs(category: Array, level: Array, numbers: Array) -> Array:
    """(deal, column) categories of the levels, then numbers, see ``Companion.inputs``."""
    known = np.append(np.where(category < 0, np.nan, category), np.nan)
    return np.concatenate([known[np.minimum(level, len(known) - 1)], numbers], axis=1)


def _shapley(factors: dict[int, tuple[float, float]]) -> Iterator[tuple[int, float]]:
    """Shapley values of the game whose worth is the product of ``own`` of the players in and ``share`` of the rest."""
    for player, (own, share) in factors.items():
        others = [factor for name, factor in factors.items() if name != player]
        worth = _by_size(others)
        yield player, (own - share) * sum(map(mul, _chances(len(others)), worth))


def _by_size(factors: Sequence[tuple[float, float]]) -> list[float]:
    """(size + 1,) the worth of all coalitions of each size, added up: coefficients of a polynomial.

    A million such lists of a few numbers are made for one page: as Python's own numbers, in a tenth of NumPy's time.
    """
    worth = [1.0]
    for own, share in factors:
        worth = [out * share + inside * own for out, inside in zip([*worth, 0.0], [0.0, *worth], strict=True)]
    return worth


@cache
def _chances(others: int) -> tuple[float, ...]:
    """(size,) the chance that exactly one given coalition of this size comes before a player."""
    return tuple(1 / ((others + 1) * comb(others, size)) for size in range(others + 1))


#: Arrays of a companion with their dims, as a model file holds them.
TREE_DIMS: dict[str, tuple[str, ...]] = {
    "category": ("any_level",),
    "booster": ("any_tree",),
    "root": ("any_tree",),
    **dict.fromkeys(
        ("feature", "threshold", "blank_left", "left", "right", "value", "count"),
        ("any_node",),
    ),
    "left_levels": ("any_split", "word"),
    "start": ("any_booster",),
    "additive": ("level_or_bin",),
}


def require_trees(companion: Companion, levels: int, bins: int, columns: int) -> None:
    """Check the trees of a model file: every node leads on to a later one, every column and level exists.

    Raises
    ------
    ValueError
        A number is outside the range that the others need.
    """
    nodes, splits = len(companion.feature), len(companion.left_levels)
    split = companion.feature >= 0
    at = np.arange(nodes)
    on_levels = split & (companion.feature < companion.fields)
    checks: dict[str, Any] = {
        "columns": len(companion.columns) == columns and 0 <= companion.fields <= columns,
        "category": len(companion.category) == levels
        and ((companion.category >= -1) & (companion.category < _WORD * companion.left_levels.shape[1])).all(),
        "booster": (np.diff(companion.booster) >= 0).all()
        and ((companion.booster >= 0) & (companion.booster < companion.boosters)).all(),
        "root": ((companion.root >= 0) & (companion.root < nodes)).all(),
        "feature": ((companion.feature >= -1) & (companion.feature < columns)).all(),
        "left": ((companion.left > at) & (companion.left < nodes))[split].all(),
        "right": ((companion.right > at) & (companion.right < nodes))[split].all(),
        "threshold": ((companion.threshold >= 0) & (companion.threshold < splits))[on_levels].all(),
        "count": (companion.count > 0).all(),
        "additive": len(companion.additive) == levels + bins,
        "value": (np.abs(companion.value) < 1e3).all(),
        # Its prior is log-normal.
        "weight": min(companion.weight) > 0,
    }
    wrong = [name for name, holds in checks.items() if not holds]
    if wrong:
        raise ValueError(f"trees: {', '.join(wrong)}")
