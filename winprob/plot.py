"""Charts as Altair objects: learned effects, role weights, calibration, the quarter's bookings and its bridge.

They are those of the pages, for a notebook: change them as any Altair chart, or save them (``chart.save("x.svg")``).
Words are in the current language. No text in a chart, a deal's name included, can close a script of the page around it.
"""

import json
import re
from typing import Any

import altair as alt
import numpy as np

from winprob.evaluation.backtesting import OURS, Backtest
from winprob.i18n import gettext
from winprob.model.effects import effect_draws
from winprob.model.posterior import Posterior
from winprob.quarter import Bridge, Forecast, step_name
from winprob.report.backtest import draw_groups, draw_reliability, first_repeat
from winprob.report.charts import INK, SOFT, Chart, _config, draw_role_weights
from winprob.report.effects import effect_charts
from winprob.report.monitoring import draw_e_process
from winprob.report.quarterly.charts import binned, bulk
from winprob.report.retraining import draw_difference
from winprob.retrain.candidate import Retraining
from winprob.retrain.monitoring import Monitoring

#: What a tag begins with. Altair writes text into a script as it is.
_TAG = re.compile(r"<(?=[/!?A-Za-z])")
_WIDE, _HIGH, _BLUE, _PAPER = 560, 200, "#3c5a78", "#ffffff"


def roles(posterior: Posterior) -> Any:
    """Odds ratio of each role's support, a panel for each decision method, with 90 % intervals."""
    return _altair(draw_role_weights(posterior))


def effects(posterior: Posterior, part: str = "facts") -> Any:
    """Learned effects in log-odds, with 90 % intervals: of ``facts``, ``roles``, ``numbers`` or ``categories``.

    Raises
    ------
    ValueError
        The model has no such part.
    """
    charts = effect_charts(posterior, effect_draws(posterior))
    if part not in charts:
        raise ValueError(f"part is {part!r}; this model has {', '.join(charts)}")
    return _altair(charts[part])


def calibration(backtest: Backtest, model: str = OURS) -> Any:
    """Reliability curve of a backtest, with the 90 % band of a calibrated model and a histogram of predictions."""
    return _altair(draw_reliability(backtest.reliability(model)))


def groups(backtest: Backtest, model: str = OURS) -> Any:
    """Observed win rate of each group of a backtest, with its 90 % predictive interval."""
    records: list[Any] = backtest.groups_of(model).to_dict("records")
    return _altair(draw_groups(first_repeat(records)))


def monitoring(result: Monitoring) -> Any:
    """E-value of a model's calibration after each quarter, with the line of alarm."""
    return _altair(draw_e_process(result))


def retraining(result: Retraining) -> Any:
    """Log loss of a candidate less the current model's, on the new deals."""
    return _altair(draw_difference(result.gate))


def forecast(forecast: Forecast) -> Any:
    """Histogram of a quarter's simulated bookings, with P10, P50, P90 and target; bars below the target are hollow."""
    total, target, ends = forecast.draws["total"], forecast.target, forecast.lines.iloc[-1]
    low, high = bulk(total)
    # One bin's room on either side, since the edges move to the target.
    room = 0.03 * (high - low)
    edges, share, short = binned(total, low - room, high + room, target)
    bars = [
        {"from": float(left), "to": float(right), "share": float(part), "short": bool(below)}
        for left, right, part, below in zip(edges[:-1], edges[1:], share, short, strict=True)
    ]
    marks = [{"at": float(ends[name]), "name": name.upper(), "row": -6} for name in ("p10", "p50", "p90")]
    if target is not None:
        marks.append({"at": float(target), "name": gettext("Target"), "row": -22})
    x = {"axis": alt.Axis(title=forecast.currency or gettext("bookings"), format="~s", grid=False)}
    fill = alt.Fill("short:N", scale=alt.Scale(domain=[False, True], range=[_BLUE, _PAPER]), legend=None)
    drawn = alt.Chart(alt.Data(values=bars)).mark_bar(stroke=_BLUE, strokeWidth=1)
    height = alt.Y("share:Q", axis=alt.Axis(title=gettext("share of simulated quarters"), format=".0%", tickCount=4))
    lines = alt.Chart(alt.Data(values=marks))
    layers = [
        drawn.encode(
            x=alt.X("from:Q", scale=alt.Scale(zero=False), **x), x2="to:Q", y=height, y2=alt.datum(0), fill=fill
        ),
        lines.mark_rule(color=INK, strokeWidth=1.7).encode(x=alt.X("at:Q", **x)),
        lines.mark_text(dy=alt.expr("datum.row"), baseline="bottom").encode(
            x=alt.X("at:Q", **x), y=alt.value(0), text="name:N"
        ),
    ]
    title = gettext("Distribution of the quarter's bookings")
    spec = alt.layer(*layers, width=_WIDE, height=_HIGH)
    return _altair(Chart(spec=spec, title=title, description=title, caption=""))


def bridge(bridge: Bridge) -> Any:
    """Waterfall from the P50 of an earlier forecast to the present one; full bars raise it, hollow bars lower it."""
    amounts = bridge.steps["amount"].to_numpy(dtype=float)
    ends = bridge.p50_before + np.cumsum([0.0, *amounts])
    rows = [
        {"step": step_name(str(step)), "from": float(left), "to": float(right), "amount": float(amount)}
        for step, left, right, amount in zip(bridge.steps["step"], ends[:-1], ends[1:], amounts, strict=True)
    ]
    points = [
        {"step": gettext("P50 on {day}", day=day), "at": float(at)}
        for day, at in ((bridge.before, bridge.p50_before), (bridge.now, bridge.p50_now))
    ]
    order = [points[0]["step"], *(row["step"] for row in rows), points[1]["step"]]
    y = alt.Y("step:N", sort=order, title=None, scale=alt.Scale(domain=order))
    x = {"scale": alt.Scale(zero=False), "axis": alt.Axis(title=bridge.currency or None, format="~s", tickCount=6)}
    raised = alt.condition("datum.amount < 0", alt.value(_PAPER), alt.value(_BLUE))
    bars = alt.Chart(alt.Data(values=rows)).mark_bar(stroke=_BLUE, strokeWidth=1, size=14)
    dots = alt.Chart(alt.Data(values=points)).mark_point(filled=True, color=SOFT, size=70, opacity=1)
    layers = [
        bars.encode(x=alt.X("from:Q", **x), x2="to:Q", y=y, fill=raised),
        dots.encode(x=alt.X("at:Q", **x), y=y),
    ]
    title = gettext("Bridge of P50 from {before} to {now}", before=bridge.before, now=bridge.now)
    spec = alt.layer(*layers, width=_WIDE, height=28 * len(order))
    return _altair(Chart(spec=spec, title=title, description=title, caption=""))


def _altair(chart: Chart) -> Any:
    """The chart in the pages' style, described for a screen reader; no text in it begins a tag."""
    style = {name: value for name, value in _config().items() if name != "aria"}
    whole = chart.spec.to_dict(validate=False) | {"config": style, "description": chart.description}
    return type(chart.spec).from_dict(json.loads(_TAG.sub("‹", json.dumps(whole))), validate=False)
