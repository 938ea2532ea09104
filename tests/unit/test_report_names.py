"""Names in place of ids: pages show them, the model does not see them, and the id is still there."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import pytest

from winprob import Posterior, predict, render_brief
from winprob.quarter import Bridge, Forecast
from winprob.report.numbers import name_of, named_with_id, shown
from winprob.report.quarterly import render_review
from winprob.settings import ReviewSettings
from winprob.simulation import Simulation


@pytest.fixture(scope="module")
def named(team: Simulation) -> pd.DataFrame:
    deals = team.open
    return deals.assign(
        deal_name="Rollout " + deals["deal_id"].str[::-1],
        account_name="The " + deals["account"].fillna("x"),
        seller_name="Ms " + deals["seller"].fillna("x"),
    )


def test_names_are_no_facts_of_the_model(posterior: Posterior, team: Simulation, named: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(predict(posterior, named), predict(posterior, team.open))


def test_a_name_is_shown_and_else_the_id() -> None:
    deal = pd.Series({"deal_id": "006A", "account": "001A", "deal_name": "Rollout", "account_name": None})
    assert (shown(deal, "deal_id"), shown(deal, "account"), shown(deal, "seller")) == ("Rollout", "001A", "–")
    assert (name_of(deal), named_with_id(deal)) == ("Rollout · 001A", "Rollout (006A)")
    bare = pd.Series({"deal_id": "006A", "account": None})
    assert (name_of(bare), named_with_id(bare)) == ("006A", "006A")


def test_the_review_shows_names_and_lists_every_id_once_more(
    posterior: Posterior, named: pd.DataFrame, make_forecast: Callable[..., tuple[Forecast, Bridge]]
) -> None:
    forecast, bridge = make_forecast(named, predict(posterior, named))
    html = render_review(posterior, named, forecast, bridge=bridge, settings=ReviewSettings(deals=4))
    ids = list(named["deal_id"])
    for number, name in zip(forecast.deals["deal_id"], "Rollout " + forecast.deals["deal_id"].str[::-1], strict=True):
        assert f"{name} ({number})" in html
    # Next to its name, in brackets or on a line of its own; nowhere instead of it.
    rest = re.sub(r"\((?:" + "|".join(ids) + r")\)", "", html)
    rest = re.sub(r'<span class="sub">(?:' + "|".join(ids) + ")</span>", "", rest)
    assert not [number for number in ids if re.search(rf">[^<]*\b{number}\b[^<]*<", rest)]
    assert html.count("The ") > 4
    assert "Ms " in html


def test_a_brief_is_headed_by_name_and_id(posterior: Posterior, named: pd.DataFrame) -> None:
    deal = named.iloc[0]
    head = render_brief(posterior, named, deal["deal_id"]).split("\n", 4)
    assert head[0] == f"# Visit sheet: {deal['deal_name']} ({deal['deal_id']})"
    assert f"{deal['account_name']}" in "\n".join(head)
    assert f"{deal['seller_name']}" in "\n".join(head)
