"""winprob.plot: the charts of the pages as Altair objects, in their numbers, drawn by Vega, and safe in a page."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

import winprob
from tests.unit.test_described import backtest, monitored
from winprob import Posterior, effects, plot, predict
from winprob.evaluation.backtesting import Backtest
from winprob.i18n import use_language
from winprob.quarter import Bridge, Forecast
from winprob.simulation import Simulation


@pytest.fixture(scope="module")
def made(posterior: Posterior, team: Simulation, make_forecast: Any) -> tuple[Forecast, Bridge]:
    forecast, bridge = make_forecast(team.open, predict(posterior, team.open))
    return forecast, bridge


def drawn(chart: Any) -> str:
    """The chart as SVG, by Vega, without network."""
    assert isinstance(chart, alt.TopLevelMixin)
    return str(vl_convert.vegalite_to_svg(chart.to_dict(validate=False), allowed_base_urls=[]))


def values(chart: Any) -> list[dict[str, Any]]:
    """The rows of all data of a chart."""
    text = json.dumps(chart.to_dict(validate=False))
    return [row for rows in re.findall(r'"values": (\[\{.*?\}\])', text) for row in json.loads(rows)]


def test_every_chart_is_drawn_in_both_languages(posterior: Posterior, made: tuple[Forecast, Bridge]) -> None:
    forecast, bridge = made
    charts = [
        plot.roles(posterior),
        plot.effects(posterior, "categories"),
        plot.forecast(forecast),
        plot.bridge(bridge),
        plot.monitoring(monitored_with_signs()),
    ]
    with use_language("zh"):
        chinese = [plot.roles(posterior), plot.effects(posterior), plot.forecast(forecast), plot.bridge(bridge)]
    for chart in charts:
        assert not re.search(r"[\u4e00-\u9fff]", drawn(chart))
    for chart in chinese:
        assert re.search(r"[\u4e00-\u9fff]", drawn(chart))


def test_the_effects_have_their_parts(posterior: Posterior) -> None:
    parts = [plot.effects(posterior, part) for part in ("facts", "roles", "numbers", "categories")]
    first = effects(posterior)
    names = [{row.get("name") for row in values(part)} for part in parts]
    assert "Champion" in names[1]
    for part in (0, 1, 3):
        assert len(names[part]) > 4
    rows = {row["name"]: row["mean"] for row in values(parts[0]) if "mean" in row}
    stage = first[(first["term"] == "stage") & (first["level"] == "decision")]
    assert rows["Purchase decision"] == pytest.approx(stage["mean"].iloc[0], abs=1e-6)


def monitored_with_signs() -> Any:
    result = monitored()
    return replace(result, table=result.table.assign(early_sign=1.1))


def test_the_forecast_is_its_draws(made: tuple[Forecast, Bridge]) -> None:
    forecast = made[0]
    rows = values(plot.forecast(forecast))
    bars = [row for row in rows if "share" in row]
    assert sum(bar["share"] for bar in bars) > 0.99
    reached = sum(bar["share"] for bar in bars if not bar["short"])
    assert reached == pytest.approx(forecast.lines["prob_target"].iloc[-1], abs=0.01)
    marks = {row["name"]: row["at"] for row in rows if "at" in row}
    assert marks == {
        "P10": forecast.lines["p10"].iloc[-1],
        "P50": forecast.p50,
        "P90": forecast.lines["p90"].iloc[-1],
        "Target": forecast.target,
    }


def test_the_bridge_begins_and_ends_at_its_medians(made: tuple[Forecast, Bridge]) -> None:
    bridge = made[1]
    bars = [row for row in values(plot.bridge(bridge)) if "amount" in row]
    assert bars[0]["from"] == pytest.approx(bridge.p50_before)
    assert bars[-1]["to"] == pytest.approx(bridge.p50_now)
    assert all(one["to"] == pytest.approx(other["from"]) for one, other in itertools.pairwise(bars))


def scored() -> Backtest:
    rng = np.random.default_rng(1)
    chance = rng.random(60)
    names = [f"</script><script>alert({at})</script>" for at in range(3)]
    deals = pd.DataFrame({"deal_id": range(60), "fold": 0, "repeat": 0, "segment": np.repeat(names, 20)})
    return replace(
        backtest(),
        deals=deals,
        groups=np.arange(60),
        won=(rng.random(60) < chance).astype(int),
        win_prob={"winprob": chance},
    )


def test_calibration_is_the_reliability_curve() -> None:
    drawn_at = {(row["win_prob"], row["observed"]) for row in values(plot.calibration(scored())) if "lower" in row}
    curve = scored().reliability()
    assert drawn_at == set(zip(curve["win_prob"], curve["observed"], strict=True))


def test_no_name_can_close_a_script() -> None:
    chart = plot.groups(scored())
    page = chart.to_html()
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "</script><" not in page
    assert "<script>" not in drawn(chart)


def test_a_part_that_a_model_lacks_is_named(believed: Posterior) -> None:
    with pytest.raises(ValueError, match="part is 'numbers'; this model has facts, roles"):
        plot.effects(believed, "numbers")


def test_a_chart_can_be_changed_as_any_other(posterior: Posterior) -> None:
    spec = winprob.plot.effects(posterior).properties(title="Ours").configure_axis(labelFontSize=9).to_dict()
    assert spec["title"] == "Ours"
    assert spec["config"]["axis"]["labelFontSize"] == 9
