"""Shared parts of the pages: number formats, the nine facts, the breakdown of a win probability, role weights."""

from __future__ import annotations

import pandas as pd
import pytest

from winprob import Posterior, explain, predict, simulate
from winprob.i18n import use_language
from winprob.report.charts import _shorten, draw_role_weights
from winprob.report.numbers import FACTS, Money, compact_money, missing_facts, percent, span
from winprob.report.quarterly.plots import BLUE, PAPER
from winprob.report.quarterly.risk import SHOWN, break_down


@pytest.fixture(scope="module")
def open_deals() -> pd.DataFrame:
    return simulate(30, 12, seed=3).open


def test_the_facts_named_unknown_are_those_counted(believed: Posterior, open_deals: pd.DataFrame) -> None:
    chances = predict(believed, open_deals)
    assert len(FACTS) == 9
    assert missing_facts(open_deals).sum(axis=1).to_list() == chances["unknowns"].to_list()


def test_bars_run_from_the_base_rate_to_the_deal(believed: Posterior, open_deals: pd.DataFrame) -> None:
    chances = predict(believed, open_deals).drop(columns="deal_id")
    review = open_deals.join(chances)
    deal = str(review["deal_id"].iloc[0])
    terms = explain(believed, open_deals, deal)
    (breakdown,) = break_down(review, {deal: terms, "not there": terms}, Money.of(1e6, "CNY"))
    first, *steps, last = (bar.plot for bar in breakdown.bars)
    assert [bar.kind for bar in breakdown.bars] == ["point", *["step"] * len(steps), "point"]
    assert len(steps) <= SHOWN + 2
    at = first.dots[0].x
    for plot in steps:
        ((box,), (link,)) = plot.boxes, plot.strokes
        left, right = sorted((at, link.x1))
        assert (box.x, box.x + box.width) == pytest.approx((left, right), abs=0.02)
        assert box.fill == (BLUE if link.x1 >= at else PAPER)
        at = link.x1
    assert all(0 <= plot.boxes[0].x <= plot.boxes[0].x + plot.boxes[0].width <= 100 for plot in steps)
    assert all(0 <= plot.strokes[0].x1 <= plot.strokes[0].x2 <= 100 for plot in (first, last))


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (0.001, "<1%"), (0.237, "24%"), (0.999, ">99%"), (1.0, "100%")]
)
def test_percent_claims_no_certainty(share: float, text: str) -> None:
    assert percent(share) == text


def test_numbers_in_words() -> None:
    assert span(0.41, 0.8) == "41–80%"
    with use_language("zh"):
        assert compact_money(123_456_789, "CNY") == "¥1.2亿"
    assert compact_money(123_456_789, "CNY") == "CN¥123.5M"
    assert _shorten("华东区域电力公司总部数据中心", 10) == "华东区域…"
    assert len(_shorten("A" * 40, 30)) == 30


def test_the_chart_of_role_weights_has_a_name_and_a_description(posterior: Posterior) -> None:
    svg = draw_role_weights(posterior).svg
    assert svg.count("<title>") == svg.count("<desc>") == 1
    assert 'role="img"' in svg
