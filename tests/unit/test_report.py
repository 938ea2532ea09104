"""Shared parts of the pages: number formats, the nine facts, the breakdown of a win probability, role weights."""

from __future__ import annotations

import pandas as pd
import pytest

from winprob import Posterior, explain, predict, simulate
from winprob.i18n import use_language
from winprob.report.charts import _shorten, draw_role_weights
from winprob.report.numbers import FACTS, compact_money, missing_facts, percent, span
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
    (breakdown,) = break_down(review, {deal: terms, "not there": terms})
    first, *steps, last = breakdown.bars
    assert (first.kind, last.kind) == ("point", "point")
    assert len(steps) <= SHOWN + 2
    at = first.at
    for bar in steps:
        left, right = sorted((at, bar.at))
        assert (bar.start, bar.start + bar.width) == pytest.approx((left, right), abs=0.02)
        assert bar.kind == ("up" if bar.at >= at else "down")
        at = bar.at
    assert all(0 <= bar.start <= bar.start + bar.width <= 100 for bar in breakdown.bars)


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
