"""What does calibration look like? The reliability curve, and groups of deals against what was expected of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from winprob.i18n import gettext
from winprob.methodology import column_label, label
from winprob.report.charts import INK, SOFT, Chart, _shorten, _svg, _width

_SIDE, _BARS, _BINS = 360, 50, 20
#: A curve of more points looks the same; one of few has its points drawn.
_POINTS, _FEW = 300, 12
_ROW, _SPAN, _NAME_WIDTH, _LETTER = 20, 420, 30, 6.6
_TICKS = [0, 0.25, 0.5, 0.75, 1]


def draw_reliability(curve: pd.DataFrame) -> Chart:
    """Observed win rate at each predicted chance, the band in which a calibrated model's curve would lie, and how many
    deals had which chance.

    Parameters
    ----------
    curve : ``win_prob, observed, lower, upper, deals``, as ``evaluation.reliability_curve`` gives it
    """
    scale, ticks = alt.Scale(domain=[0, 1], nice=False), {"values": _TICKS, "format": ".0%", "grid": True}
    x = alt.X("win_prob:Q", scale=scale, axis=alt.Axis(**ticks, title=gettext("predicted chance of winning")))
    y = alt.Y("observed:Q", scale=scale, axis=alt.Axis(**ticks, title=gettext("share won")))
    base = alt.Chart(alt.Data(values=_thinned(curve).to_dict("records")))
    band = base.mark_area(opacity=0.2, color=SOFT, interpolate="linear").encode(x=x, y="lower:Q", y2="upper:Q")
    ideal = alt.Chart(alt.Data(values=[{"win_prob": 0, "observed": 0}, {"win_prob": 1, "observed": 1}]))
    diagonal = ideal.mark_line(strokeDash=[4, 3], color=SOFT, strokeWidth=1).encode(x=x, y=y)
    line = base.mark_line(interpolate="linear", color=INK, strokeWidth=2).encode(x=x, y=y)
    layers = [band, diagonal, line]
    if len(curve) <= _FEW:
        # A single chance has no line and no area; with a few, dots say where the chances are.
        ends = base.mark_rule(opacity=0.3, color=SOFT, strokeWidth=5).encode(x=x, y="lower:Q", y2="upper:Q")
        layers = [ends, *layers, base.mark_point(filled=True, size=40, opacity=1, color=INK).encode(x=x, y=y)]
    curve_part = alt.layer(*layers, width=_SIDE, height=_SIDE)
    counts = (
        alt.Chart(alt.Data(values=_bars(curve)))
        .mark_bar(color=SOFT)
        .encode(
            x=alt.X("from:Q", scale=scale, axis=None),
            x2="to:Q",
            y=alt.Y("deals:Q", axis=alt.Axis(title=gettext("deals"), tickCount=2)),
            y2=alt.datum(0),
        )
    )
    title = gettext("Are the chances right?")
    words = gettext("Predicted chances beside the shares won. On the dashed line every chance is right.")
    return Chart(
        svg=_svg(alt.vconcat(counts.properties(width=_SIDE, height=_BARS), curve_part, spacing=6), title, words),
        title=title,
        caption=gettext(
            "Line: the share won at each predicted chance. Grey: where the line of a model whose chances are all right "
            "would lie, nine times in ten. Bars: how many deals had which chance."
        ),
    )


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """A picture's worth of points: every corner of the line, and of the others as many as the eye can tell apart."""
    if len(curve) <= _POINTS:
        return curve
    steps = curve["observed"].diff().ne(0)
    corners = steps | steps.shift(-1, fill_value=True)
    spread = np.unique(np.linspace(0, len(curve) - 1, _POINTS).astype(int))
    kept = np.union1d(np.flatnonzero(corners), spread)
    return curve.iloc[kept]


def _bars(curve: pd.DataFrame) -> list[dict[str, float]]:
    deals, ends = np.histogram(curve["win_prob"], bins=_BINS, range=(0, 1), weights=curve["deals"])
    return [
        {"from": float(low), "to": float(high), "deals": float(count)}
        for low, high, count in zip(ends[:-1], ends[1:], deals, strict=True)
    ]


def draw_groups(groups: Sequence[Mapping[str, Any]]) -> Chart:
    """Share won in each group, a dot, on the 90 % interval that was expected for it.

    Parameters
    ----------
    groups : records of ``evaluation.group_calibration``
    """
    values = [_group_mark(place, group) for place, group in enumerate(groups)]
    height = max(_ROW * len(values), _ROW)
    names = max((_width(str(row["name"])) for row in values), default=0)
    y = alt.Y("place:Q", scale=alt.Scale(domain=[0, max(len(values), 1)], reverse=True, nice=False), axis=None)
    axis = alt.Axis(values=_TICKS, format=".0%", orient="top", grid=True, title=gettext("share won"))
    x = alt.X("won:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)
    base = alt.Chart(alt.Data(values=values)).encode(y=y)
    text = base.mark_text(align="right", baseline="middle").encode(x=alt.value(-10), text="name:N")
    line = base.mark_rule(size=5, color="#b8c2cc").encode(x=alt.X("lower:Q", axis=axis), x2="upper:Q")
    dots = base.mark_point(shape="circle", size=48, opacity=1, filled=True, color=INK).encode(x=x)
    padding = {"left": _LETTER * names + 16, "right": 14, "top": 44, "bottom": 6}
    chart = alt.layer(line, dots, text, width=_SPAN, height=height, padding=padding)
    title = gettext("Group by group")
    return Chart(
        svg=_svg(
            chart.properties(autosize=alt.AutoSizeParams(type="none")),
            title,
            gettext("The share won in each group beside the interval expected for it."),
        ),
        title=title,
        caption=gettext("Dot: the share won. Bar: where it was expected to lie, nine times in ten, luck included."),
    )


def _group_mark(place: int, group: Mapping[str, Any]) -> dict[str, Any]:
    deals = group["n"]
    name = f"{column_label(group['grouping'])} · {_level(group['grouping'], group['level'])} ({deals})"
    shares = {end: group[end] / deals for end in ("won", "lower", "upper")}
    return {"place": place + 0.5, "name": _shorten(name, _NAME_WIDTH + 12), **shares}


def _level(grouping: str, level: str) -> str:
    if not level:
        return gettext("unknown")
    return label(grouping, level) if grouping in ("stage", "decision_method") else level
