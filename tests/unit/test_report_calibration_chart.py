"""The calibration charts draw what they are given: every deal in a bar, every corner of the line, every group a dot."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from winprob.evaluation.calibration import group_calibration, reliability_curve
from winprob.i18n import use_language
from winprob.report.backtest import _bars, _thinned, draw_groups, draw_reliability


def curve_of(win_prob: np.ndarray) -> pd.DataFrame:
    won = np.random.default_rng(1).random(len(win_prob)) < win_prob
    return reliability_curve(won, win_prob, seed=2, draws=50)


@pytest.fixture(scope="module")
def long_curve() -> pd.DataFrame:
    return curve_of(np.random.default_rng(3).beta(1, 2, 5000))


@pytest.fixture(scope="module")
def groups() -> list[dict[str, object]]:
    rng = np.random.default_rng(4)
    deals = pd.DataFrame(
        {
            "segment": rng.choice(["finance", "<b>&", None], 120),
            "stage": rng.choice(["evaluation", "decision"], 120),
            "decision_method": "executive",
        }
    )
    draws = rng.random((120, 1)) * rng.uniform(0.8, 1, 30)
    records: list[dict[str, object]] = group_calibration(rng.random(120) < 0.4, draws, deals).to_dict("records")
    return records


def test_a_picture_has_a_name_and_a_description(long_curve: pd.DataFrame, groups: list[dict[str, object]]) -> None:
    for chart in (draw_reliability(long_curve), draw_groups(groups)):
        root = ElementTree.fromstring(str(chart.svg))
        assert root.get("aria-label") == chart.title
        assert [part.tag.split("}")[-1] for part in root[:2]] == ["title", "desc"]
        assert chart.caption


def test_every_deal_is_in_one_bar() -> None:
    curve = curve_of(np.array([0.0, 0.05, 0.05, 0.5, 0.999, 1.0]))
    bars = _bars(curve)
    assert sum(bar["deals"] for bar in bars) == 6
    assert [bars[0]["deals"], bars[1]["deals"], bars[-1]["deals"]] == [1, 2, 2]


def test_bars_stand_on_nothing(long_curve: pd.DataFrame) -> None:
    """The tallest bar fills its height; without a base line Vega draws a dash at the top of each."""
    found = draw_reliability(long_curve)
    paths = re.findall(r'd="M[^"]*h([\d.]+)v([\d.]+)h-', str(found.svg))
    heights = [float(tall) for wide, tall in paths if math.isclose(float(wide), 360 / 20, rel_tol=0.1)]
    deals = [bar["deals"] for bar in _bars(long_curve)]
    assert len(heights) == len(deals)
    np.testing.assert_allclose(np.array(heights) / max(heights), np.array(deals) / max(deals), atol=0.01)


def test_a_long_curve_loses_points_and_no_corner(long_curve: pd.DataFrame) -> None:
    thin = _thinned(long_curve)
    assert len(thin) < 500 < len(long_curve)
    assert thin.iloc[[0, -1]].equals(long_curve.iloc[[0, -1]])
    line = np.interp(long_curve["win_prob"], thin["win_prob"], thin["observed"])
    np.testing.assert_allclose(line, long_curve["observed"], atol=1e-12)
    for end in ("lower", "upper"):
        edge = np.interp(long_curve["win_prob"], thin["win_prob"], thin[end])
        assert np.abs(edge - long_curve[end]).mean() < 0.01


def test_a_short_curve_keeps_all_points() -> None:
    curve = curve_of(np.repeat([0.2, 0.4, 0.9], 30))
    assert _thinned(curve).equals(curve)


def test_a_single_chance_is_a_dot() -> None:
    specs = [draw_reliability(curve_of(chance)).spec for chance in (np.full(50, 0.4), np.linspace(0.1, 0.9, 50))]
    few, many = ([layer["mark"]["type"] for layer in spec.to_dict()["vconcat"][1]["layer"]] for spec in specs)
    assert few == ["rule", "area", "line", "line", "point"]
    assert many == ["area", "line", "line"]


def test_a_group_is_a_dot_on_its_interval(groups: list[dict[str, object]]) -> None:
    values = draw_groups(groups).spec.to_dict()["data"]["values"]
    table = pd.DataFrame(groups)
    for column in ("won", "lower", "upper"):
        np.testing.assert_allclose([value[column] for value in values], table[column] / table["n"])
    assert len(values) == len(groups) == 6


def test_groups_are_named_in_the_readers_words(groups: list[dict[str, object]]) -> None:
    names = []
    for lang, unknown in (("en", "unknown"), ("zh", "未知")):
        with use_language(lang):
            chart = draw_groups(groups)
        svg = str(chart.svg)
        names.append({value["name"] for value in chart.spec.to_dict()["data"]["values"]})
        assert unknown in svg
        assert "<b>" not in svg
    assert names[0].isdisjoint(names[1])


def test_no_groups_make_an_empty_picture() -> None:
    assert draw_groups([]).svg
