"""Walk boosted trees in compiled code: the log-odds of many deals under every booster.

In a module of its own, because Numba takes a moment to import and most commands can do without.
"""

from winprob.arrays import Array
from winprob.model.compiled_cache import cached_njit

_WORD = 32


@cached_njit(nogil=True, error_model="numpy")
def walk_trees(
    inputs: Array,
    fields: int,
    booster: Array,
    root: Array,
    feature: Array,
    threshold: Array,
    blank_left: Array,
    left: Array,
    right: Array,
    value: Array,
    left_levels: Array,
    totals: Array,
) -> None:
    """Add to ``totals`` (deal, booster) the leaves that deals reach in every tree; arrays as in ``Companion``."""
    # Trees outside: one tree's nodes stay in the processor's first-level cache.
    for tree in range(len(root)):
        for deal in range(len(inputs)):
            node = root[tree]
            while feature[node] >= 0:
                number = inputs[deal, feature[node]]
                if number != number:
                    goes_left = blank_left[node] != 0
                elif feature[node] >= fields:
                    goes_left = number <= threshold[node]
                else:
                    word = left_levels[int(threshold[node]), int(number) // _WORD]
                    goes_left = (word >> (int(number) % _WORD)) & 1 != 0
                node = left[node] if goes_left else right[node]
            totals[deal, booster[tree]] += value[node]
