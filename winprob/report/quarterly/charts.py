"""Charts of the quarterly review: predictive distribution, bridge from the last review, P50 by deal outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np

from winprob.arrays import Array
from winprob.i18n import gettext
from winprob.report.charts import GRID, INK, SOFT, Chart, _shorten, _svg, _width
from winprob.report.numbers import compact_money, signed_money

#: Bins: enough for the shape, few enough to hide the sampling noise.
_BINS = 34
#: Share of the draws cut off at either end.
_OUTSIDE = 0.004
_WIDE, _HIGH, _ROW = 690, 170, 27
_LETTER, _NAME_WIDTH = 6.9, 40
_UP, _DOWN = "#3c5a78", "#ffffff"
_DASHES = {"solid": [1, 0], "dashed": [7, 4], "dotted": [2, 3]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line across the distribution, and its label.

    Attributes
    ----------
    line : ``solid``, ``dashed`` or ``dotted``
    level : row of the label above the chart, 0 is the lowest
    align : side of the line on which the label is placed
    """

    at: float
    text: str
    line: str
    level: int = 0
    align: str = "center"


def draw_distribution(total: Array, marks: Sequence[Mark], *, target: float | None, currency: str) -> Chart:
    """Predictive distribution of the total; hollow below the target."""
    title = gettext("Distribution of the quarter's bookings")
    low, high = _domain(total, [mark.at for mark in marks])
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    layers = [_bars(total, scale, low, high, target), *_rules(marks, scale), *_ticks(scale, low, high, currency)]
    top = 22 + 18 * max((mark.level for mark in marks), default=0) + 14
    padding = {"left": 20, "right": 20, "top": top, "bottom": 30}
    chart = alt.layer(*layers, width=_WIDE, height=_HIGH, padding=padding)
    chart = chart.properties(autosize=alt.AutoSizeParams(type="none"))
    return Chart(
        svg=_svg(chart, title, gettext("; ").join(mark.text for mark in marks)),
        title=title,
        caption=gettext(
            "Bar height: probability density of the quarter's total bookings. Full bars reach the target, hollow bars "
            "fall short of it."
        )
        if target
        else gettext("Bar height: probability density of the quarter's total bookings."),
    )


def _domain(total: Array, marks: Sequence[float]) -> tuple[float, float]:
    ends = [*np.quantile(total, (_OUTSIDE, 1 - _OUTSIDE)), *marks]
    margin = max(max(ends) - min(ends), abs(max(ends)) * 0.02, 1e-9) * 0.03
    return max(min(ends) - margin, min(0.0, *ends)), max(ends) + margin


def _bars(total: Array, scale: alt.Scale, low: float, high: float, target: float | None) -> alt.Chart:
    edges = np.linspace(low, high, _BINS + 1)
    if target and low < target < high:
        edges = np.unique([*edges, target])
    height, edges = np.histogram(total, bins=edges, density=True)
    values = [
        {"from": float(left), "to": float(right), "height": float(tall), "short": bool(target and right <= target)}
        for left, right, tall in zip(edges[:-1], edges[1:], height, strict=True)
        if tall > 0
    ]
    fill = alt.Fill("short:N", scale=alt.Scale(domain=[False, True], range=["#9fb3c6", "#ffffff"]), legend=None)
    top = alt.Scale(domain=[0, float(height.max(initial=0)) or 1], nice=False)
    base = alt.Chart(alt.Data(values=values)).mark_bar(stroke="#5b7590", strokeWidth=0.8)
    return base.encode(
        x=alt.X("from:Q", scale=scale, axis=None),
        x2="to:Q",
        y=alt.Y("height:Q", scale=top, axis=None),
        y2=alt.datum(0),
        fill=fill,
    )


def _rules(marks: Sequence[Mark], scale: alt.Scale) -> list[alt.Chart]:
    """Lines first, then their labels on a white outline, so that no line crosses a label."""
    lines, labels = [], []
    for mark in marks:
        top = -8 - 18 * mark.level
        base = alt.Chart(alt.Data(values=[{"at": mark.at, "text": mark.text}]))
        base = base.encode(x=alt.X("at:Q", scale=scale, axis=None))
        line = base.mark_rule(strokeDash=_DASHES[mark.line], strokeWidth=1.7, color=INK)
        lines.append(line.encode(y=alt.value(top + 5), y2=alt.value(_HIGH)))
        style = {"align": mark.align, "baseline": "bottom", "dx": _shift(mark.align)}
        style["fontWeight"] = "bold" if mark.line == "solid" else "normal"
        for ground in ({"stroke": "#ffffff", "strokeWidth": 5}, {}):
            labels.append(base.mark_text(**style, **ground).encode(y=alt.value(top + 4), text="text:N"))
    return [*lines, *labels]


def _shift(align: str) -> int:
    return {"left": -2, "right": 2}.get(align, 0)


def _ticks(scale: alt.Scale, low: float, high: float, currency: str) -> list[alt.Chart]:
    values = [{"at": tick, "text": compact_money(tick, currency)} for tick in nice_ticks(low, high)]
    base = alt.Chart(alt.Data(values=values)).encode(x=alt.X("at:Q", scale=scale, axis=None))
    floor = alt.Chart(alt.Data(values=[{"from": low, "to": high}])).mark_rule(color=SOFT)
    return [
        floor.encode(x=alt.X("from:Q", scale=scale, axis=None), x2="to:Q", y=alt.value(_HIGH)),
        base.mark_rule(color=SOFT).encode(y=alt.value(_HIGH), y2=alt.value(_HIGH + 4)),
        base.mark_text(baseline="top", color=SOFT).encode(y=alt.value(_HIGH + 8), text="text:N"),
    ]


def nice_ticks(low: float, high: float, *, wanted: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, about ``wanted`` of them."""
    rough = max(high - low, 1e-9) / wanted
    size = 10.0 ** np.floor(np.log10(rough))
    step = size * next(nice for nice in (1, 2, 2.5, 5, 10) if nice * size >= rough * 0.999)
    first, last = np.ceil(low / step), np.floor(high / step)
    return [float(count * step) for count in np.arange(first, last + 1)]


def draw_bridge(
    steps: Sequence[tuple[str, float]], start: tuple[str, float], end: tuple[str, float], currency: str
) -> Chart:
    """Waterfall chart from the earlier P50 to the present one: full bars raise it, hollow bars lower it."""
    title = gettext("From the last review to this one")
    ends = start[1] + np.cumsum([0.0, *(amount for _, amount in steps)])
    values = [_point(0, start, currency)]
    for at, (name, amount) in enumerate(steps):
        low, high = sorted((float(ends[at]), float(ends[at + 1])))
        text = signed_money(amount, currency)
        values.append(
            _named(at + 1, name, text) | {"low": low, "high": high, "up": bool(amount >= 0), "end": float(ends[at + 1])}
        )
    values.append(_point(len(steps) + 1, end, currency))
    return Chart(
        svg=_svg(_waterfall(values), title, gettext("; ").join(f"{row['name']} {row['text']}" for row in values)),
        title=title,
        caption=gettext(
            "Full bars raise P50, hollow bars lower it; the steps sum exactly. The axis does not start at zero."
        ),
    )


def _point(place: int, end: tuple[str, float], currency: str) -> dict[str, Any]:
    return _named(place, end[0], compact_money(end[1], currency)) | {"at": end[1], "end": end[1]}


def _named(place: int, name: str, text: str) -> dict[str, Any]:
    return {"place": place + 0.5, "name": _shorten(name, _NAME_WIDTH), "text": text}


def _waterfall(values: list[dict[str, Any]]) -> alt.LayerChart:
    steps, points = [row for row in values if "low" in row], [row for row in values if "at" in row]
    spots = [row[name] for row in values for name in ("low", "high", "at") if name in row]
    scale, y = _padded(spots), _places(len(values))
    links = [
        {"end": row["end"], "from": row["place"] + 0.28, "to": after["place"] - 0.28} for row, after in pairwise(values)
    ]
    x = {"scale": scale, "axis": None}
    fill = alt.Fill("up:N", scale=alt.Scale(domain=[True, False], range=[_UP, _DOWN]), legend=None)
    bars = alt.Chart(alt.Data(values=steps)).mark_bar(size=15, stroke=_UP, strokeWidth=1.3)
    joints = alt.Chart(alt.Data(values=links)).mark_rule(strokeWidth=1, color=SOFT)
    dots = alt.Chart(alt.Data(values=points)).mark_point(shape="diamond", size=110, filled=True, opacity=1, color=INK)
    return _rows_chart(
        [
            joints.encode(x=alt.X("end:Q", **x), y=alt.Y("from:Q", scale=y, axis=None), y2="to:Q"),
            bars.encode(x=alt.X("low:Q", **x), x2="high:Q", y=alt.Y("place:Q", scale=y, axis=None), fill=fill),
            dots.encode(x=alt.X("at:Q", **x), y=alt.Y("place:Q", scale=y, axis=None)),
        ],
        values,
    )


def draw_swings(deals: Sequence[tuple[str, float, float]], middle: float, *, share: float, currency: str) -> Chart:
    """P50 given each deal won and not won, with lines at ``share`` below and above P50."""
    title = gettext("P50 if the deal is won, and if it is not")
    values = [
        _named(at, name, f"{compact_money(lost, currency)} – {compact_money(won, currency)}")
        | {"won": won, "lost": lost}
        for at, (name, won, lost) in enumerate(deals)
    ]
    lines = [
        {"at": middle, "text": gettext("P50"), "kind": "solid"},
        {"at": middle * (1 - share), "text": f"−{share:.0%}", "kind": "dashed"},
        {"at": middle * (1 + share), "text": f"+{share:.0%}", "kind": "dashed"},
    ]
    scale, y = (
        _padded([row[name] for row in values for name in ("won", "lost")] + [line["at"] for line in lines]),
        _places(len(values)),
    )
    x = {"scale": scale, "axis": None}
    base = alt.Chart(alt.Data(values=values)).encode(y=alt.Y("place:Q", scale=y, axis=None))
    marks = alt.Chart(alt.Data(values=lines)).encode(x=alt.X("at:Q", **x))
    dash = alt.StrokeDash("kind:N", scale=alt.Scale(domain=["solid", "dashed"], range=[[1, 0], [5, 4]]), legend=None)
    point = {"shape": "circle", "size": 62, "opacity": 1, "strokeWidth": 1.6}
    layers = [
        marks.mark_rule(color=SOFT).encode(y=alt.value(-4), y2=alt.value(_ROW * len(values)), strokeDash=dash),
        marks.mark_text(baseline="bottom", color=SOFT).encode(y=alt.value(-6), text="text:N"),
        base.mark_rule(size=2, color=_UP).encode(x=alt.X("lost:Q", **x), x2="won:Q"),
        base.mark_point(**point, fill=_DOWN).encode(x=alt.X("lost:Q", **x)),
        base.mark_point(**point, fill=INK).encode(x=alt.X("won:Q", **x)),
    ]
    description = gettext("; ").join(f"{row['name']}: {row['text']}" for row in values)
    return Chart(
        svg=_svg(_rows_chart(layers, values, top=24), title, description),
        title=title,
        caption=gettext(
            "Full dot: P50 if this deal is won in the quarter. Hollow dot: P50 if it is not. Dashed lines: P50 ± "
            "{share}.",
            share=f"{share:.0%}",
        ),
    )


def _padded(spots: Sequence[float]) -> alt.Scale:
    margin = max(max(spots) - min(spots), 1e-9) * 0.05
    return alt.Scale(domain=[min(spots) - margin, max(spots) + margin], nice=False, zero=False)


def _places(count: int) -> alt.Scale:
    return alt.Scale(domain=[0, max(count, 1)], reverse=True, nice=False)


def _rows_chart(layers: list[alt.Chart], values: list[dict[str, Any]], *, top: int = 4) -> alt.LayerChart:
    """Rows with a name to the left and a number to the right."""
    left, right = (max((_width(row[side]) for row in values), default=0) * _LETTER + 16 for side in ("name", "text"))
    span = max(736 - left - right, 220)
    base = alt.Chart(alt.Data(values=values)).encode(y=alt.Y("place:Q", scale=_places(len(values)), axis=None))
    grid = base.mark_rule(color=GRID, strokeWidth=1).encode(x=alt.value(0), x2=alt.value(span))
    names = base.mark_text(align="right", baseline="middle").encode(x=alt.value(-10), text="name:N")
    numbers = base.mark_text(align="right", baseline="middle").encode(x=alt.value(span + right - 6), text="text:N")
    padding = {"left": left, "right": right, "top": top, "bottom": 4}
    chart = alt.layer(grid, *layers, names, numbers, width=span, height=_ROW * len(values), padding=padding)
    return chart.properties(autosize=alt.AutoSizeParams(type="none"))
