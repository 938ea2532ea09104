"""Scores of the quarterly benchmark on forecasts made by hand: coverage, biases, errors by team, fourth quarters."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def scores() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        yield import_module("_quarter_scores")


@pytest.fixture(scope="module")
def forecasts(scores: Any) -> pd.DataFrame:
    """Two weeks of four teams and two quarters; the forecast is 10 % high in the first, 20 % low in fourth quarters."""
    rng = np.random.default_rng(3)
    records = []
    for team in range(4):
        for quarter, factor in (("2026Q1", 1.1), ("2026Q4", 0.8)):
            for week in (1, 5):
                won = rng.random(200) < 0.3
                records.append(
                    {
                        **{"team": team, "quarter": quarter, "week": week, "actual": 100.0},
                        **{"mean": 100 * factor, "p10": 90 * factor, "p50": 98 * factor, "p90": 115 * factor},
                        **{"apart_p10": 99.0, "apart_p90": 101.0},
                        **dict.fromkeys(scores.RIVALS, 150.0),
                        **{"by_end": np.full(200, 0.3).tolist(), "won_in_quarter": won.tolist()},
                        **{"new": 20.0, "new_actual": 15.0},
                        **{"expected": np.full(200, 0.25).tolist(), "amount": np.ones(200).tolist()},
                    }
                )
    return pd.DataFrame(records)


def test_scores_are_those_of_the_forecasts(scores: Any, forecasts: pd.DataFrame) -> None:
    table = scores.score(forecasts).set_index(["quarters", "week"])
    every, fourth = table.loc[("all", 1)], table.loc[("fourth", 1)]
    assert (every["forecasts"], fourth["forecasts"]) == (8, 4)
    assert (every["coverage"], fourth["coverage"]) == (0.5, 0.0)  # 99..126.5 holds 100, 72..92 does not
    assert (every["bias_mean"], fourth["bias_mean"]) == pytest.approx((-0.05, -0.2))
    assert fourth["bias_p50"] == pytest.approx(0.98 * 0.8 - 1)
    assert (every["above"], every["below"]) == (0.5, 0.0)
    assert every["winprob"] == pytest.approx((0.078 + 0.216) / 2)
    assert every["sellers' commit"] == pytest.approx(0.5)


def test_a_bias_is_of_new_deals_of_chances_and_of_amounts(scores: Any, forecasts: pd.DataFrame) -> None:
    """Where nothing was closed on the day, the three add up to the bias of the mean."""
    open_deals = forecasts["expected"].map(sum)
    actual = forecasts["won_in_quarter"].map(sum) + forecasts["new_actual"]
    table = scores.score(forecasts.assign(mean=open_deals + forecasts["new"], actual=actual))
    parts = table[["bias_new", "bias_chances", "bias_amounts"]]
    np.testing.assert_allclose(parts.sum(axis=1), table["bias_mean"])
    first = forecasts["week"] == 1
    assert parts["bias_new"].iloc[0] == pytest.approx(5 / actual[first].mean())
    assert parts["bias_amounts"].iloc[0] == pytest.approx(-10 / actual[first].mean())  # 200 deals, .25 in place of .3


def test_standard_errors_are_by_team(scores: Any) -> None:
    """Of the mean of teams of one size the jackknife is the textbook's error of a mean of team means."""
    rng = np.random.default_rng(1)
    team = np.repeat(np.arange(12), 5)
    rows = pd.DataFrame({"team": team, "value": rng.normal(size=12)[team] + 0.1 * rng.normal(size=60)})
    means = rows.groupby("team")["value"].mean()
    got = scores.jackknife(rows, lambda some: some["value"].mean())
    assert got == pytest.approx(means.std() / np.sqrt(12))
    assert got > 3 * rows["value"].std() / np.sqrt(60) / np.sqrt(5)
    assert np.isnan(scores.jackknife(rows[rows["team"] == 0], lambda some: some["value"].mean()))


def test_the_slope_of_chances_too_cautious_is_above_one(scores: Any, forecasts: pd.DataFrame) -> None:
    rng = np.random.default_rng(2)
    chance = rng.uniform(0.05, 0.95, (len(forecasts), 200))
    odds = (chance / (1 - chance)) ** 1.5
    won = rng.random(chance.shape) < odds / (1 + odds)
    rows = forecasts.assign(by_end=chance.tolist(), won_in_quarter=won.tolist())
    assert scores.score(rows)["slope"].iloc[0] == pytest.approx(1.5, abs=0.25)


def test_aims_are_of_the_world(scores: Any, forecasts: pd.DataFrame) -> None:
    figures = {figure.quantity: figure for figure in scores.figures_of(scores.score(forecasts), bias_aim=0.02)}
    assert figures["bias of the mean, absolute, week 1"].verdict == "missed"
    assert figures["bias of the mean, absolute, week 1"].aim == 0.02
    assert figures["bias of the mean, absolute, week 5, fourth quarters"].got == pytest.approx(0.2)
    assert figures["error of P50 over that of sellers' commit, week 1"].verdict == "met"
