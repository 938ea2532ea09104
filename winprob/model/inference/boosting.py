"""Grow the companion: boosted trees of the covariates, cross-fitted over the training deals."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import expit

from winprob.arrays import Array
from winprob.model.features import Bins, Companion, additive_part, tree_inputs

#: Trees are grown on at least this many deals with at least this many covariates.
_DEALS, _COLUMNS = 60, 2
#: Number of folds, and of boosters.
FOLDS = 5
_TREES = {"max_iter": 75, "learning_rate": 0.12, "max_leaf_nodes": 16, "max_features": 0.5, "early_stopping": False}
#: A level with fewer deals is like a blank to the trees; they take this many levels of a column at most.
_RARE, _CATEGORIES = 5, 254
_WORD, _WORDS = 32, 8
#: So many values of a number are enough for the trainer, which takes longer to cut them itself than to grow its trees.
_VALUES = 250
#: The weight of a deal in the additive part, at least.
_SURE = 0.01


def grow_companion(
    *,
    level: Array,
    field_of_level: Array,
    bins: Array,
    bin_count: int,
    numbers: Array,
    won: Array,
    weight: Array,
    folds: Array,
    names: Sequence[str],
    seed: int,
    directions: Sequence[int] = (),
) -> tuple[Companion, Array] | None:
    """Boosters of the covariates, and each deal's log-odds (deal,) from the booster that has not seen its group.

    Parameters
    ----------
    level : (deal, field) codes into all levels end to end
    field_of_level : (level,)
    bins : (deal, numeric column) codes into all ``bin_count`` bins end to end
    numbers : (deal, numeric column) transformed values, NaN where blank
    won : (deal,) 0 or 1
    folds : (deal,) see ``folds_of``
    names : of the columns, those with levels first
    directions : (numeric column,) 1 where log-odds may only rise with the number, -1 where they may only fall, else 0

    Returns
    -------
    None where there are too few deals or columns for trees
    """
    alike = any(len(np.unique(won[folds != fold])) < 2 for fold in range(FOLDS))
    if len(names) < _COLUMNS or len(won) < _DEALS or alike:
        return None
    category = _categories(level, field_of_level)
    inputs = tree_inputs(category, level, numbers)
    signs = [0] * level.shape[1] + list(directions or [0] * numbers.shape[1])
    given = tree_inputs(category, level, _coarse(numbers)), level.shape[1], won, weight
    models = [_booster(*given, folds != fold, seed + fold, signs) for fold in range(FOLDS)]
    companion = _as_arrays(models, category, level.shape[1], names)
    own = np.arange(len(won)), folds
    middle = float(np.average(companion.log_odds(inputs)[own], weights=weight))
    companion = replace(companion, middle=middle)
    log_odds = companion.log_odds(inputs)[own]
    # Deals that are nearly sure hardly count: they have little information on a log-odds.
    chance = expit(log_odds + middle)
    doubtful = weight * np.maximum(chance * (1 - chance), _SURE)
    single = additive_part(level, bins, len(field_of_level), bin_count, log_odds, doubtful)
    companion = replace(companion, additive=single)
    return companion, log_odds


def _coarse(numbers: Array) -> Array:
    """(deal, column) the numbers; those of a column with many values as the middles of quantile bins."""
    result = numbers.copy()
    for column in result.T:
        known = ~np.isnan(column)
        if len(np.unique(column[known])) > _VALUES:
            edges = np.unique(np.quantile(column[known], np.linspace(0, 1, _VALUES + 1)))
            bins = np.clip(np.searchsorted(edges, column[known]), 1, len(edges) - 1)
            column[known] = (edges[bins - 1] + edges[bins]) / 2
    return result


def kept_monotone(companion: Companion, curves: Sequence[Bins]) -> Companion:
    """The companion with an additive part that never turns in a monotone column (isotonic regression on its bins).

    Trees that are monotone in a number may have another one where covariates are correlated. What is taken from it
    stays in the combinations; no prediction changes. The last level of a column is its blank, which has no order.
    """
    additive, start = companion.additive.copy(), len(companion.category)
    for bins in curves:
        own = slice(start, start + len(bins.share) - 1)
        if bins.direction:
            weights = np.maximum(bins.share[:-1], _SURE / len(bins.share))
            additive[own] = isotonic_regression(additive[own], weights=weights, increasing=bins.direction > 0).x
        start = own.stop + 1
    return replace(companion, additive=additive)


def folds_of(group: Array, seed: int) -> Array:
    """(deal,) fold of each deal, at random; deals of one group are in one: readings of a deal, copies."""
    names, of = np.unique(group, return_inverse=True)
    order = np.random.default_rng([seed, 7]).permutation(len(names))
    return np.asarray((order % FOLDS)[of])


def _categories(level: Array, field_of_level: Array) -> Array:
    """(level,) category of each level within its field, the most frequent first; -1 for those too rare, or too many."""
    count = np.bincount(level[level >= 0], minlength=len(field_of_level))
    category = np.full(len(field_of_level), -1, dtype=np.int64)
    for field in range(level.shape[1]):
        common = np.flatnonzero((field_of_level == field) & (count >= _RARE))
        most = common[np.argsort(-count[common], kind="stable")[:_CATEGORIES]]
        category[most] = np.arange(len(most))
    return category


def _booster(
    inputs: Array, fields: int, won: Array, weight: Array, rows: Array, seed: int, signs: Sequence[int]
) -> list[Any]:
    """Two models whose mean log-odds are one booster's (decision 040).

    One splits the levels of a category into any two sets: it finds alike levels, and fits much noise where there are
    many. The other splits frequent levels from rarer ones: it needs more splits, and overfits less.
    """
    return [_grown(inputs, levels, won, weight, rows, [seed, place], signs) for place, levels in enumerate((fields, 0))]


def _grown(
    inputs: Array, levels: int, won: Array, weight: Array, rows: Array, seed: Sequence[int], signs: Sequence[int]
) -> Any:
    """Trees on these rows; the first ``levels`` columns are categories without an order."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(
        categorical_features=list(range(levels)),
        monotonic_cst=signs,
        random_state=int(np.random.SeedSequence(seed).generate_state(1)[0]),
        **_TREES,
    )
    # On a busy machine threads that wait for each other cost more than they gain.
    with threadpool_limits(1):
        return model.fit(inputs[rows], won[rows], sample_weight=weight[rows])


def _as_arrays(boosters: Sequence[Sequence[Any]], category: Array, fields: int, names: Sequence[str]) -> Companion:
    """The trees of all boosters end to end, in the categories of ``category``; of each the mean of its models."""
    nodes, roots, owner, splits = [], [], [], [np.zeros((0, _WORDS), dtype=np.int64)]
    size = rows = 0
    for booster, models in enumerate(boosters):
        for model, trees in ((one, trees[0]) for one in models for trees in one._predictors):
            own = trees.nodes
            split = own["is_leaf"] == 0
            on_levels = split & (own["feature_idx"] < fields)
            place = rows + np.cumsum(on_levels) - 1
            nodes.append(
                {
                    "feature": np.where(split, own["feature_idx"], -1),
                    "threshold": np.where(on_levels, place, _finite(own["num_threshold"])),
                    "blank_left": own["missing_go_to_left"].astype(np.int64),
                    "left": own["left"].astype(np.int64) + size,
                    "right": own["right"].astype(np.int64) + size,
                    "value": own["value"] / len(models),
                    "count": own["count"].astype(np.int64),
                }
            )
            roots.append(size)
            owner.append(booster)
            splits.append(_left_levels(model, trees, own[on_levels]))
            size += len(own)
            rows += len(splits[-1])
    arrays = {name: np.concatenate([one[name] for one in nodes]) for name in nodes[0]}
    return Companion(
        columns=tuple(names),
        category=category,
        fields=fields,
        booster=np.array(owner),
        root=np.array(roots),
        left_levels=np.concatenate(splits),
        start=np.array([np.mean([model._baseline_prediction for model in models]) for models in boosters]),
        middle=0.0,
        weight=(1.0, 1.0),  # until it is stacked
        additive=np.zeros(0),
        **arrays,
    )


def _finite(thresholds: Array) -> Array:
    """Thresholds as a model file takes them: a split of blanks from all numbers has an infinite one."""
    return np.minimum(thresholds, np.finfo(float).max)


def _left_levels(model: Any, trees: Any, nodes: Any) -> Array:
    """(split, word) categories that go left, as bits."""
    left = np.zeros((len(nodes), _WORDS * _WORD), dtype=bool)
    for split, node in zip(left, nodes, strict=True):
        if not node["is_categorical"]:
            split[:] = np.arange(len(split)) <= node["num_threshold"]
            continue
        words = trees.raw_left_cat_bitsets[node["bitset_idx"]]
        # The model numbers only the categories it has seen.
        seen = _seen(model, int(node["feature_idx"])).astype(int)
        at = np.arange(len(seen))
        split[seen] = words[at // _WORD] >> (at % _WORD) & 1
    return np.asarray(left.reshape(len(left), _WORDS, _WORD) @ (1 << np.arange(_WORD)))


def _seen(model: Any, field: int) -> Array:
    categories = model._preprocessor.named_transformers_["encoder"].categories_[field]
    return np.asarray(categories[~np.isnan(categories)])
