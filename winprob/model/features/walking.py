"""Walk boosted trees in compiled code: the log-odds of deals under every booster, for few deals and for many.

In a module of its own, because Numba takes a moment to import and most commands can do without.
"""

from typing import NamedTuple

import numpy as np

from winprob.arrays import Array
from winprob.model.compiled_cache import cached_njit

_WORD = 32
_ALL = np.uint32(0xFFFFFFFF)
#: The place of a bit by the upper five bits of its product with a sequence of de Bruijn.
_SEQUENCE = 0x077CB531
_PLACES = np.array([_SEQUENCE * 2**place % 2**_WORD >> 27 for place in range(_WORD)]).argsort()


class Trees(NamedTuple):
    """Arrays as in ``Companion``."""

    fields: int
    booster: Array
    root: Array
    feature: Array
    threshold: Array
    blank_left: Array
    left: Array
    right: Array
    value: Array
    left_levels: Array


class Codes(NamedTuple):
    """What trees split on as small numbers.

    Attributes
    ----------
    code : (column, deal) how many of a number's cuts are below it, or a category; the last code is a blank
    place : (node,) the cut of a split on numbers
    size : (column,) number of codes
    """

    code: Array
    place: Array
    size: Array


@cached_njit(nogil=True, error_model="numpy")
def walk_trees(inputs: Array, trees: Trees, totals: Array) -> None:
    """Add to ``totals`` (deal, booster) the leaves that deals reach in every tree."""
    # Trees outside: one tree's nodes stay in the processor's first-level cache.
    for tree in range(len(trees.root)):
        for deal in range(len(inputs)):
            node = trees.root[tree]
            while trees.feature[node] >= 0:
                number = inputs[deal, trees.feature[node]]
                if number != number:
                    goes_left = trees.blank_left[node] != 0
                elif trees.feature[node] >= trees.fields:
                    goes_left = number <= trees.threshold[node]
                else:
                    goes_left = _has_level(trees, node, int(number))
                node = trees.left[node] if goes_left else trees.right[node]
            totals[deal, trees.booster[tree]] += trees.value[node]


@cached_njit(nogil=True, error_model="numpy")
def read_trees(codes: Codes, trees: Trees, totals: Array) -> bool:
    """``walk_trees`` for many deals, without a branch: each code of a column leaves some leaves of a tree open, as
    bits, and the first leaf that all columns leave open is the deal's (QuickScorer; Lucchese et al. 2015, doi
    10.1145/2766462.2767733). False, and ``totals`` useless, where a tree has more leaves than there are bits.
    """
    deals = codes.code.shape[1]
    order = np.empty(2 * _WORD, dtype=np.int64)
    count, first = np.zeros(len(trees.feature), dtype=np.int64), np.zeros(len(trees.feature), dtype=np.int64)
    leaves, still = np.empty(_WORD), np.empty(deals, dtype=np.uint32)
    is_open = np.empty((len(codes.size), codes.size.max()), dtype=np.uint32)
    used = np.empty(len(codes.size), dtype=np.bool_)
    for tree in range(len(trees.root)):
        nodes = _number_leaves(trees, trees.root[tree], order, count, first)
        if nodes > 2 * _WORD:
            return False
        used[:] = False
        for node in order[:nodes]:
            if trees.feature[node] < 0:
                leaves[first[node]] = trees.value[node]
            else:
                _close_leaves(codes, trees, node, count[trees.left[node]], first[node], used, is_open)
        still[:] = _ALL
        for column in np.flatnonzero(used):
            open_leaves, code = is_open[column], codes.code[column]
            for deal in range(deals):
                still[deal] &= open_leaves[code[deal]]
        booster = trees.booster[tree]
        for deal in range(deals):
            totals[deal, booster] += leaves[_lowest(still[deal])]
    return True


@cached_njit(nogil=True)
def _number_leaves(trees: Trees, root: int, order: Array, count: Array, first: Array) -> int:
    """Number of a tree's nodes; of each its leaves, and the first of them from left to right. Parents come first in
    ``order``; with more nodes than it can hold nothing is done.
    """
    order[0], nodes, at = root, 1, 0
    while at < nodes:
        node = order[at]
        if trees.feature[node] >= 0:
            if nodes + 2 > len(order):
                return nodes + 2
            order[nodes], order[nodes + 1] = trees.left[node], trees.right[node]
            nodes += 2
        at += 1
    for node in order[:nodes][::-1]:
        count[node] = 1 if trees.feature[node] < 0 else count[trees.left[node]] + count[trees.right[node]]
    first[root] = 0
    for node in order[:nodes]:
        if trees.feature[node] >= 0:
            first[trees.left[node]] = first[node]
            first[trees.right[node]] = first[node] + count[trees.left[node]]
    return nodes


@cached_njit(nogil=True)
def _close_leaves(codes: Codes, trees: Trees, node: int, to_left: int, first: int, used: Array, is_open: Array) -> None:
    """Whatever goes right at a node cannot reach the leaves to its left."""
    column = trees.feature[node]
    blank = codes.size[column] - 1
    if not used[column]:
        used[column] = True
        is_open[column, : blank + 1] = _ALL
    rest = ~np.uint32(((1 << to_left) - 1) << first)
    if column >= trees.fields:
        for code in range(codes.place[node] + 1, blank):
            is_open[column, code] &= rest
    else:
        for code in range(blank):
            if not _has_level(trees, node, code):
                is_open[column, code] &= rest
    if trees.blank_left[node] == 0:
        is_open[column, blank] &= rest


@cached_njit(nogil=True)
def _has_level(trees: Trees, node: int, level: int) -> bool:
    """Whether deals of a level go left at a split on levels."""
    word = trees.left_levels[int(trees.threshold[node]), level // _WORD]
    return bool((word >> (level % _WORD)) & 1)


@cached_njit(nogil=True)
def _lowest(bits: int) -> int:
    """The place of the lowest bit that is set."""
    lowest = np.uint32(bits & (~bits + np.uint32(1)))
    return int(_PLACES[np.uint32(lowest * np.uint32(_SEQUENCE)) >> np.uint32(27)])
