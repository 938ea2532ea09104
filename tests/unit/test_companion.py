"""The companion: trees as data, their cross-fitting, contributions of columns, and their weight."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import winprob
from winprob.model.explanation import fact
from winprob.model.features import tree_inputs
from winprob.model.features.companion import Companion, require_trees
from winprob.model.inference import boosting
from winprob.model.inference.stacking import _weight_of_second

ROWS = 800
FIELD_OF_LEVEL = np.repeat([0, 1], [5, 40])


def table(seed: int = 0) -> dict[str, Any]:
    """Two fields of 5 and 40 levels, two numbers with blanks; the first number counts at odd levels only."""
    rng = np.random.default_rng(seed)
    level = np.stack([rng.integers(0, 5, ROWS), 5 + rng.integers(0, 40, ROWS)], axis=1)
    numbers = rng.normal(size=(ROWS, 2))
    numbers[rng.random((ROWS, 2)) < 0.1] = np.nan
    log_odds = 2 * np.nan_to_num(numbers[:, 0]) * (level[:, 0] % 2) + (level[:, 1] % 3 == 0)
    won = (rng.random(ROWS) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return {"level": level, "numbers": numbers, "won": won}


@pytest.fixture(scope="module")
def grown() -> tuple[Any, Companion, np.ndarray]:
    given = table()
    category = boosting._categories(given["level"], FIELD_OF_LEVEL)
    inputs = tree_inputs(category, given["level"], given["numbers"])
    rows = np.random.default_rng(1).random(ROWS) < 0.8
    models = boosting._booster(inputs, 2, given["won"], np.ones(ROWS), rows, 1, [0] * inputs.shape[1])
    return models, boosting._as_arrays([models], category, 2, ("a", "b", "x", "y")), inputs


def test_log_odds_are_those_of_the_library_that_grew_the_trees(grown: tuple[Any, Companion, np.ndarray]) -> None:
    """Of its two models, one with categories and one with frequent levels before rarer ones, the mean."""
    models, companion, inputs = grown
    blank = inputs.copy()
    blank[::3, 0] = blank[1::3, 2] = np.nan
    for given in (inputs, blank):
        wanted = np.mean([model.decision_function(given) for model in models], axis=0)
        np.testing.assert_allclose(companion._raw(given)[:, 0], wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("leaves", [16, 60])
def test_log_odds_of_many_deals_are_those_of_each(leaves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many deals are read from tables of leaves, unless a tree has too many leaves for that; few walk the trees."""
    monkeypatch.setitem(boosting._TREES, "max_leaf_nodes", leaves)
    monkeypatch.setitem(boosting._TREES, "max_iter", 10)
    given = table()
    companion, _ = grow(given, given["won"])
    inputs = companion.inputs(given["level"], given["numbers"])
    inputs[::7, 1] = inputs[::5, 2] = np.nan
    each = np.concatenate([companion.log_odds(deal[None]) for deal in inputs])
    np.testing.assert_array_equal(companion.log_odds(inputs), each)


def test_trees_are_grown_on_few_values_of_a_number() -> None:
    """Order and blanks are kept, and each value is within its quantile; few values stay what they are."""
    numbers = np.column_stack([np.random.default_rng(2).lognormal(size=2000), np.arange(2000) % 7.0])
    numbers[::9] = np.nan
    few = boosting._coarse(numbers)
    np.testing.assert_array_equal(np.isnan(few), np.isnan(numbers))
    np.testing.assert_array_equal(few[:, 1], numbers[:, 1])
    known = ~np.isnan(numbers[:, 0])
    order = np.argsort(numbers[known, 0])
    assert len(np.unique(few[known, 0])) == boosting._VALUES
    assert (np.diff(few[known, 0][order]) >= 0).all()
    ranks = [np.searchsorted(np.sort(numbers[known, 0]), table[known, 0]) for table in (few, numbers)]
    assert np.abs(ranks[0] - ranks[1]).max() <= known.sum() / boosting._VALUES + 1


def test_a_split_of_blanks_from_numbers_has_a_threshold_that_a_file_takes() -> None:
    given = table()
    inputs = np.concatenate([given["level"] % 5, np.where(given["numbers"] > 0, np.nan, given["numbers"])], axis=1)
    won = np.isnan(inputs[:, 2]).astype(float)
    models = boosting._booster(inputs, 2, won, np.ones(ROWS), np.arange(ROWS), 1, [0] * inputs.shape[1])
    companion = boosting._as_arrays([models], np.arange(5), 2, ("a", "b", "x", "y"))
    thresholds = [trees[0].nodes["num_threshold"] for model in models for trees in model._predictors]
    assert np.isinf(np.concatenate(thresholds)).any()
    assert np.isfinite(companion.threshold).all()
    wanted = np.mean([model.decision_function(inputs) for model in models], axis=0)
    np.testing.assert_allclose(companion._raw(inputs)[:, 0], wanted, rtol=1e-12)


def test_contributions_are_shapley_values(grown: tuple[Any, Companion, np.ndarray]) -> None:
    """By brute force over all coalitions of the four columns."""
    _, companion, inputs = grown
    deal = inputs[3]

    def worth(known: frozenset[int]) -> float:
        return sum(_expected(companion, int(root), deal, known) for root in companion.root)

    wanted = np.zeros(4)
    for column in range(4):
        others = [one for one in range(4) if one != column]
        for size in range(4):
            chance = math.factorial(size) * math.factorial(3 - size) / math.factorial(4)
            for some in itertools.combinations(others, size):
                known = frozenset(some)
                wanted[column] += chance * (worth(known | {column}) - worth(known))
    np.testing.assert_allclose(companion.contributions(deal), wanted, atol=1e-10)


def _expected(companion: Companion, node: int, deal: np.ndarray, known: frozenset[int]) -> float:
    """A tree's value for a deal of which only some columns are known, by the deals that came by at each split."""
    column = int(companion.feature[node])
    if column < 0:
        return float(companion.value[node])
    left, right = int(companion.left[node]), int(companion.right[node])
    if column in known:
        return _expected(companion, left if companion._goes_left(node, deal[column]) else right, deal, known)
    shares = companion.count[[left, right]] / companion.count[node]
    return float(
        shares[0] * _expected(companion, left, deal, known) + shares[1] * _expected(companion, right, deal, known)
    )


def grow(given: dict[str, Any], won: np.ndarray) -> tuple[Companion, np.ndarray]:
    both = boosting.grow_companion(
        level=given["level"],
        field_of_level=FIELD_OF_LEVEL,
        bins=np.zeros((ROWS, 0), dtype=np.int64),
        bin_count=0,
        numbers=given["numbers"],
        won=won,
        weight=np.ones(ROWS),
        folds=boosting.folds_of(np.arange(ROWS), 3),
        names=("a", "b", "x", "y"),
        seed=3,
    )
    assert both is not None
    return both


def test_a_deal_is_described_by_trees_that_have_not_seen_it() -> None:
    """On pure noise cross-fitted log-odds know nothing of the outcome; those of trees that saw it do."""
    given = table()
    won = np.random.default_rng(5).integers(0, 2, ROWS).astype(float)
    companion, unseen = grow(given, won)
    seen = companion.log_odds(companion.inputs(given["level"], given["numbers"])).mean(axis=1)
    assert abs(np.corrcoef(unseen, won)[0, 1]) < 0.1
    assert np.corrcoef(seen, won)[0, 1] > 0.5


def test_the_part_of_single_columns_is_taken_off() -> None:
    given = table()
    companion, unseen = grow(given, given["won"])
    single = companion.single(given["level"], np.zeros((ROWS, 0), dtype=np.int64))
    beyond = unseen - single
    means = pd.Series(beyond).groupby(given["level"][:, 0]).mean()
    assert np.abs(means).max() < np.abs(pd.Series(unseen).groupby(given["level"][:, 0]).mean()).max() + 0.05
    assert beyond.std() < unseen.std()


def test_readings_of_a_deal_are_in_one_fold() -> None:
    group = np.repeat(np.arange(200), 4)
    folds = boosting.folds_of(group, 1)
    assert len(set(zip(group.tolist(), folds.tolist(), strict=True))) == 200
    assert np.bincount(folds[::4]).tolist() == [40] * 5


def test_the_weight_is_that_of_a_logistic_regression_and_small_for_noise() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(8)
    first, second = rng.normal(size=(2, 3000))
    won = (rng.random(3000) < 1 / (1 + np.exp(-(0.5 * first + 0.8 * second)))).astype(float)
    found, error = _weight_of_second(first, second, won, np.ones(3000))
    peer = LogisticRegression(C=1e6).fit(np.stack([first, second], axis=1), won).coef_[0, 1]
    assert found == pytest.approx(peer, abs=0.005)
    assert error == pytest.approx(0.045, abs=0.01)
    noise, error = _weight_of_second(first + second, rng.normal(size=3000), won, np.ones(3000))
    assert abs(noise) < 3 * error


@pytest.mark.parametrize("damage", ["left", "feature", "threshold", "booster"])
def test_damaged_trees_are_refused(grown: tuple[Any, Companion, np.ndarray], damage: str) -> None:
    from dataclasses import replace

    _, companion, _ = grown
    companion = replace(companion, additive=np.zeros(45))
    require_trees(companion, 45, 0, 4)
    values = getattr(companion, damage).copy()
    values[0] = {"left": 0, "feature": 9, "threshold": -1, "booster": 5}[damage]
    if damage == "threshold":
        values[:] = -1
    with pytest.raises(ValueError, match="trees"):
        require_trees(replace(companion, **{damage: values}), 45, 0, 4)


@pytest.mark.parametrize("weight", [(0.0, 0.1), (-0.5, 0.1), (0.5, 0.0)])
def test_a_weight_that_no_log_normal_has_is_refused(
    grown: tuple[Any, Companion, np.ndarray], weight: tuple[float, float]
) -> None:
    from dataclasses import replace

    companion = replace(grown[1], additive=np.zeros(45), weight=weight)
    with pytest.raises(ValueError, match="trees: weight"):
        require_trees(companion, 45, 0, 4)


def interacting(rows: int, seed: int) -> pd.DataFrame:
    """Deals whose chance depends on two columns together, on neither alone."""
    rng = np.random.default_rng(seed)
    one, two = rng.integers(0, 4, rows), rng.normal(size=rows)
    chance = 1 / (1 + np.exp(-2 * two * np.where(one % 2, 1, -1)))
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{at}" for at in range(rows)],
            "outcome": np.where(rng.random(rows) < chance, "won", "lost"),
            "kind": [f"k{value}" for value in one],
            "size": two,
        }
    )
    deals.attrs["covariates"] = {"varying": ["kind"], "numeric": [{"column": "size", "transform": None}]}
    return deals


@pytest.fixture(scope="module")
def fitted() -> winprob.Posterior:
    return winprob.fit(interacting(1200, 1), seed=1)


def test_what_columns_add_together_is_found(fitted: winprob.Posterior) -> None:
    """Neither column alone has any information; the entropy of a coin is .693, that of the true chances about .40."""
    fresh = interacting(2000, 2)
    chance = winprob.predict(fitted, fresh)["mean"].to_numpy()
    won = (fresh["outcome"] == "won").to_numpy()
    assert -np.log(np.where(won, chance, 1 - chance)).mean() < 0.50


def test_an_explanation_names_the_columns_behind_the_pattern(fitted: winprob.Posterior) -> None:
    fresh = interacting(10, 3)
    told = winprob.explain(fitted, fresh, "D3").set_index("term")
    assert "kind" in told.loc["companion", "text"]
    assert "size" in told.loc["companion", "text"]
    log_odds = told["log_odds"].sum()
    draws = winprob.draw_win_prob(fitted, fresh)[3]
    assert log_odds == pytest.approx(np.log(draws / (1 - draws)).mean(), abs=1e-3)


def test_the_pattern_is_named_alone_where_the_columns_behind_it_are_not_known(fitted: winprob.Posterior) -> None:
    """As on the review page, which has a deal's facts but not its trees."""
    assert fact("companion", interacting(10, 3).iloc[0]) == "Pattern of the other columns"


def test_a_model_file_keeps_the_trees(fitted: winprob.Posterior, tmp_path: Path) -> None:
    fresh = interacting(50, 4)
    fitted.save(tmp_path / "m.nc")
    again = winprob.Posterior.load(tmp_path / "m.nc")
    pd.testing.assert_frame_equal(winprob.predict(again, fresh), winprob.predict(fitted, fresh))
