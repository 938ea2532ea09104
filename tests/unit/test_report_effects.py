"""Charts of the learned effects: what is drawn, what a card does not name, ticks of the axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from winprob import Posterior, render_card
from winprob.i18n import use_language
from winprob.model.effects import Effect
from winprob.model.features import Field, Numeric
from winprob.report.effects import (
    _categories,
    _draw_numbers,
    _more_caption,
    _x_axis,
    effects_section,
    effects_sheet,
)
from winprob.report.sheet import to_markdown


def texts(svg: str) -> list[str]:
    """What a chart shows as text, of its marks and axes."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def rows_of(name: str, values: Sequence[float]) -> list[Effect]:
    """Effects of a number at these values, NaN for its blank."""
    draws = np.random.default_rng(1).normal(size=(len(values), 200))
    levels = ["(blank)" if np.isnan(value) else str(value) for value in values]
    rows = zip(levels, draws, values, strict=True)
    return [Effect(term=name, level=level, draws=own, value=value) for level, own, value in rows]


def number(name: str, transform: str = "identity") -> Numeric:
    return Numeric(name=name, transform=transform, mean=0.0, sd=1.0)


def test_the_section_has_facts_roles_numbers_and_categories(posterior: Posterior) -> None:
    section = effects_section(posterior)
    assert [chart.title for chart in section.charts] == [
        "Effects of the method's facts",
        "Effects of each role's support",
        "Effects of numeric columns",
        "Effects of categories and quarters",
    ]
    for chart in section.charts:
        assert chart.svg.count("<title>") == chart.svg.count("<desc>") == 1
    shown = texts(str(section.charts[0].svg))
    assert {"Buying stage", "Evaluation", "Validated coach", "Engaged"} <= set(shown)
    assert texts(str(section.charts[1].svg)).count("Champion") == 5
    assert section.grid is not None
    assert [row[0] for row in section.grid.rows][:1] == [_largest(posterior)]


def _largest(posterior: Posterior) -> str:
    return effects_sheet(posterior).lead[0].split(": ")[1].split(" (x")[0]


def test_a_card_does_not_name_people_but_counts_them(posterior: Posterior) -> None:
    (sellers,) = (field for field in posterior.scaling.fields if field.name == "seller")
    for form in ("md", "html"):
        card = render_card(posterior, form=form)
        assert not any(re.search(rf"\b{name}\b", card) for name in sellers.levels)
        assert f"Seller ({len(sellers.levels)} levels)" in card


def test_the_card_has_the_section_in_both_forms_and_languages(posterior: Posterior) -> None:
    assert "## Learned effects" in render_card(posterior)
    assert render_card(posterior, form="html").count("<figure>") == 4
    with use_language("zh"):
        card = render_card(posterior)
    assert "## 学到的效应" in card
    assert "各角色支持度的效应" in card


def test_a_card_without_deals_marks_the_effects_as_the_priors(believed: Posterior) -> None:
    section = effects_section(believed)
    assert len(section.charts) == 2
    assert any("the prior's" in words for words in section.words)
    assert section.grid is None


def test_in_markdown_the_typical_factors_remain(posterior: Posterior) -> None:
    text = to_markdown(effects_sheet(posterior))
    assert "typical factor on the odds" in text
    assert "×" in text


def test_the_twelve_most_frequent_levels_are_drawn_in_their_own_order(posterior: Posterior) -> None:
    levels = tuple(f"L{at:02}" for at in range(30))
    scaling = replace(posterior.scaling, fields=(Field(name="channel", levels=levels),))
    model = replace(posterior, scaling=scaling)
    share = np.random.default_rng(3).permutation(30) / 435
    rows = [
        Effect(term="channel", level=level, draws=np.zeros(5), share=float(part))
        for level, part in zip(levels, share, strict=True)
    ]
    (group,) = _categories(model, {"channel": rows}, {"channel": 1.0})
    assert [row["name"] for row in group.rows] == [levels[at] for at in np.sort(np.argsort(-share)[:12])]
    assert group.more == 18
    assert "channel: 18 more" in _more_caption([group])


def test_the_last_twelve_quarters_are_drawn(posterior: Posterior) -> None:
    quarters = [Effect(term="quarter", level=f"Q{at}", draws=np.zeros(5)) for at in range(15)]
    model = replace(posterior, scaling=replace(posterior.scaling, fields=()))
    (group,) = _categories(model, {"quarter": quarters}, {})
    assert [row["name"] for row in group.rows] == [f"Q{at}" for at in range(3, 15)]
    assert group.more == 3


@pytest.mark.parametrize(
    ("transform", "left", "right", "ticks"),
    [
        ("identity", -3.0, 41.0, [0, 20, 40]),
        ("log1p", 0.0, np.log1p(5e6), np.log1p([0, 100, 1e4, 1e6]).tolist()),
        ("logit", -3.0, 3.0, [-2.944, -1.386, 0, 1.386]),
    ],
)
def test_ticks_are_round_in_the_columns_own_units(
    transform: str, left: float, right: float, ticks: list[float]
) -> None:
    axis = _x_axis(transform, left, right).to_dict()
    assert axis["values"][: len(ticks)] == pytest.approx(ticks, abs=0.01)
    assert np.diff(axis["values"]).min() >= (right - left) / 6 - 1e-9


def test_a_panel_has_its_values_in_the_columns_own_units_and_the_blank_apart() -> None:
    rows = rows_of("Budget", [0.0, 1e3, 1e5, 1e6, np.nan])
    shown = texts(str(_draw_numbers([number("Budget", "log1p")], {"Budget": rows}, {}).svg))
    assert {"Budget", "0", "10", "1000", "100k", "blank"} <= set(shown)
    assert "undefined" not in " ".join(shown)


def test_columns_of_every_shape_are_drawn() -> None:
    """With one single value, with negative ones, and a chance of exactly 0."""
    of_term = {
        "a": rows_of("a", [5.0, np.nan]),
        "b": rows_of("b", [-1.0, 0.0, 1.0, np.nan]),
        "d": rows_of("d", [0.0, 0.3, 0.8, np.nan]),
    }
    columns = [number("a"), number("b"), number("d", "logit")]
    shown = texts(str(_draw_numbers(columns, of_term, {}).svg))
    assert {"a", "b", "d"} <= set(shown)
    assert shown.count("blank") == 3


def test_many_columns_are_cut_to_those_with_the_largest_spread() -> None:
    columns = [number(f"n{at}") for at in range(15)]
    of_term = {column.name: rows_of(column.name, [0.0, 1.0]) for column in columns}
    chart = _draw_numbers(columns, of_term, {column.name: float(at) for at, column in enumerate(columns)})
    shown = texts(str(chart.svg))
    assert "n3" in shown
    assert "n2" not in shown
    assert "3 more columns" in chart.caption


def test_names_in_a_chart_are_text_and_never_markup(posterior: Posterior) -> None:
    field = Field(name="<b>x</b>", levels=("<script>alert(1)</script>", "y"))
    model = replace(posterior, scaling=replace(posterior.scaling, fields=(field,)))
    svg = str(effects_section(model).charts[-1].svg)
    assert "<script" not in svg
    assert "<b>" not in svg
