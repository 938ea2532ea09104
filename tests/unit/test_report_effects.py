"""Charts of the learned effects: what is drawn, what a card does not name, where bins are on the axis."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from winprob import Posterior, render_card
from winprob.i18n import use_language
from winprob.model.effects import Effect, binned
from winprob.model.features import Bins, Field, Numeric
from winprob.report.effects import (
    _categories,
    _draw_numbers,
    _more_caption,
    _places,
    _x_axis,
    effects_section,
    effects_sheet,
)
from winprob.report.sheet import to_markdown


def column_of(
    name: str, *, transform: str = "identity", edges: tuple[float, ...] = (), heaps: tuple[float, ...] = ()
) -> Numeric:
    levels = len(edges) + len(heaps) + 2
    bins = Bins(edges=edges, heaps=heaps, middle=(0.0,) * (levels - 1), share=(1 / levels,) * levels)
    return Numeric(name=name, transform=transform, mean=0.0, sd=1.0, bins=bins)


def texts(svg: str) -> list[str]:
    """What a chart shows as text, of its marks and axes."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def drawn(*columns: Numeric) -> str:
    bins = np.random.default_rng(1).normal(size=(200, sum(len(column.levels) for column in columns)))
    rows = list(binned(columns, bins))
    of_term: dict[str, list[Effect]] = {column.name: [] for column in columns}
    for one in rows:
        of_term[one.term].append(one)
    return str(_draw_numbers(columns, of_term, {}).svg)


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


def test_bins_are_at_their_middles_and_open_ones_half_a_width_outside() -> None:
    ends = [(np.nan, 10.0), (10.0, 20.0), (20.0, 30.0), (30.0, np.nan), (0.0, 0.0), (np.nan, np.nan)]
    places = _places("identity", ends)
    assert [place for place, _ in places] == pytest.approx([5, 15, 25, 35, 0, np.nan], nan_ok=True)
    assert [line for _, line in places] == [True, True, True, True, False, False]
    logs = [place for place, _ in _places("log1p", [(0.0, np.e - 1), (np.e - 1, np.e**3 - 1)])]
    assert logs == pytest.approx([0.5, 2])


def test_points_without_bins_are_the_line() -> None:
    assert [line for _, line in _places("identity", [(1.0, 1.0), (2.0, 2.0), (np.nan, np.nan)])] == [True, True, False]
    assert [line for _, line in _places("identity", [(1.0, 1.0), (np.nan, np.nan)])] == [False, False]


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
    column = column_of("Budget", transform="log1p", edges=tuple(np.log1p([1e3, 1e4, 1e5, 1e6])), heaps=(0.0,))
    shown = texts(drawn(column))
    assert {"Budget", "0", "10k", "1M", "blank"} <= set(shown)
    assert "undefined" not in " ".join(shown)


def test_columns_of_every_shape_are_drawn() -> None:
    """Without inner edges, with one single value, and a chance of exactly 0."""
    shapes = [column_of("a"), column_of("b", heaps=(5.0,)), column_of("c", edges=(1.0,))]
    chance = column_of("d", transform="logit", edges=(-1.0, 0.5), heaps=(-np.inf,))
    shown = texts(drawn(*shapes, chance))
    assert {"a", "b", "c", "d"} <= set(shown)
    assert shown.count("other") == 2
    assert shown.count("blank") == 4


def test_many_columns_are_cut_to_those_with_the_largest_spread(posterior: Posterior) -> None:
    columns = [column_of(f"n{at}", edges=(1.0,)) for at in range(15)]
    of_term = {column.name: list(binned([column], np.zeros((3, 3)))) for column in columns}
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
