"""Charts of the quarterly review: quantile dot plot, histogram, trend, bridge, and P50 by deal outcome."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.fiscal import Quarter
from winprob.i18n import gettext
from winprob.quarter import PRECISION
from winprob.report.numbers import Money
from winprob.report.quarterly import plots

#: Dots of the quantile dot plot, and columns across the bulk of them.
DOTS, _COLUMNS = 50, 15
#: Pixels: of the dots' area, of a row of labels, below the axis, of the trend.
_DOTS_HIGH, _ROW, _FOOT, _TREND_HIGH = 100, 15, 20, 128
#: Width of a narrow screen's chart, on which dots must not overlap.
_NARROW = 340
#: Bins of the histogram: enough for the shape, few enough to hide the sampling noise; share of draws cut off.
_BINS, _OUTSIDE, _BARS_HIGH = 34, 0.004, 100
#: Percent across for the axis of the trend; to its right are the names of the lines.
_TREND_LEFT, _TREND_RIGHT = 15.0, 68.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line across a distribution and its label, ``level`` rows above the lowest one."""

    at: float
    text: str
    line: str
    level: int = 0


def dots_reaching(total: Array, target: float) -> int:
    """How many of the dots reach the target."""
    return int((quantile_dots(total) >= target * (1 - PRECISION)).sum())


def quantile_dots(total: Array) -> Array:
    """The quantiles that the dots represent, one for each fiftieth of the probability (Kay et al. 2016)."""
    return np.asarray(np.quantile(total, (np.arange(DOTS) + 0.5) / DOTS))


def draw_dots(total: Array, marks: Sequence[Mark], *, target: float | None, money: Money) -> plots.Plot:
    """Quantile dot plot of the total: each dot is one of fifty equally likely quarters; full dots reach the target."""
    values = quantile_dots(total)
    scale = plots.padded([*values, *(mark.at for mark in marks)], share=0.04, start=2, end=98)
    step = max((values[-2] - values[1]) / _COLUMNS, (scale.high - scale.low) / 34, 1e-9)
    origin = float(values[0]) if target is None else target
    column = [int(np.floor((value - origin) / step + PRECISION)) for value in values]
    tallest = max(Counter(column).values())
    radius = min(6.0, 0.47 * _NARROW * step / (scale.high - scale.low), _DOTS_HIGH / (2.1 * tallest))
    high = max(2.1 * radius * tallest, 40.0)
    top = _ROW * (1 + max((mark.level for mark in marks), default=0)) + 6
    base, seen, dots = top + high, Counter[int](), []
    for value, place in zip(values, column, strict=True):
        full = target is None or value >= target * (1 - PRECISION)
        y = base - (2 * seen[place] + 1) * 1.03 * radius
        x = scale.at(origin + (place + 0.5) * step)
        dots.append(
            plots.Dot(
                x=x, y=round(y, 1), r=round(radius, 1), fill=plots.BLUE if full else plots.PAPER, color=plots.BLUE
            )
        )
        seen[place] += 1
    strokes, labels = _rules(marks, scale, base)
    ticks = _money_axis(scale, base, money)
    title = gettext("Fifty equally likely quarters")
    return plots.Plot(
        title=title,
        caption=_dots_caption(total, target, money),
        description=gettext("; ").join(mark.text for mark in marks),
        height=base + _FOOT,
        strokes=(*ticks[0], *strokes),
        dots=tuple(dots),
        labels=(*ticks[1], *labels),
    )


def _dots_caption(total: Array, target: float | None, money: Money) -> str:
    if target is None:
        return gettext("Each dot is one of {dots} equally likely results of the quarter.", dots=DOTS)
    return gettext(
        "{count} of {dots} dots reach the target of {target}: these are full.",
        count=dots_reaching(total, target),
        dots=DOTS,
        target=money.text(target),
    )


def _rules(marks: Sequence[Mark], scale: plots.Scale, base: float) -> tuple[list[plots.Stroke], list[plots.Label]]:
    """Vertical lines and their labels above."""
    highest = max((mark.level for mark in marks), default=0)
    strokes, labels = [], []
    for mark in marks:
        x, y = scale.at(mark.at), _ROW * (highest - mark.level) + 12
        strokes.append(plots.Stroke(x1=x, x2=x, y1=y + 4, y2=base, width=1.7, dash=plots.dash_of(mark.line)))
        labels.append(
            plots.Label(x=x, y=y, text=mark.text, anchor=plots.anchor_of(x), bold=mark.line == "solid", halo=True)
        )
    return strokes, labels


def _money_axis(scale: plots.Scale, base: float, money: Money) -> tuple[list[plots.Stroke], list[plots.Label]]:
    """The axis below, with round amounts."""
    ticks = [tick for tick in plots.nice_ticks(scale.low, scale.high, wanted=4) if 5 <= scale.at(tick) <= 95]
    strokes = [plots.Stroke(x1=0, x2=100, y1=base, y2=base, color=plots.SOFT)]
    strokes += [
        plots.Stroke(x1=scale.at(tick), x2=scale.at(tick), y1=base, y2=base + 4, color=plots.SOFT) for tick in ticks
    ]
    return strokes, [
        plots.Label(x=scale.at(tick), y=base + 16, text=money.text(tick), color=plots.SOFT) for tick in ticks
    ]


def bulk(total: Array) -> Array:
    """The ends of nearly all simulated totals."""
    return np.asarray(np.quantile(total, (_OUTSIDE, 1 - _OUTSIDE)))


def binned(total: Array, low: float, high: float, target: float | None) -> tuple[Array, Array, Array]:
    """Edges of the bins, one of them at the target; of each bin the share of totals, and whether it falls short."""
    edges = np.linspace(low, high, _BINS + 1)
    if target is not None and low < target < high:
        edges += target - edges[np.argmin(np.abs(edges - target))]
    share = np.histogram(total, bins=edges)[0] / len(total)
    short = np.zeros(_BINS, dtype=bool) if target is None else edges[1:] <= target * (1 + PRECISION)
    return edges, share, short


def draw_histogram(total: Array, marks: Sequence[Mark], *, target: float | None, money: Money) -> plots.Plot:
    """Histogram of the simulated totals with a scale of shares; hollow below the target."""
    scale = plots.padded([*bulk(total), *(mark.at for mark in marks)], share=0.03, start=5, end=98)
    edges, share, short = binned(total, scale.low, scale.high, target)
    top = _ROW * (1 + max((mark.level for mark in marks), default=0)) + 6
    base = top + _BARS_HIGH
    down = plots.Scale(low=0.0, high=max(float(share.max()), 1e-9), start=base, end=top + 4)
    boxes = []
    for left, right, part, below in zip(edges[:-1], edges[1:], share, short, strict=True):
        if part > 0:
            x, y = scale.at(left), down.at(part)
            width = round(scale.at(right) - x, 2)
            boxes.append(plots.Box(x=x, width=width, y=y, height=base - y, fill=plots.PAPER if below else plots.FILL))
    levels = [level for level in plots.nice_ticks(0.0, down.high, wanted=3) if level > 0]
    grid = [plots.Stroke(x1=5, x2=100, y1=down.at(level), y2=down.at(level), color=plots.LINE) for level in levels]
    shares = [
        plots.Label(x=0, y=down.at(level) + 4, text=f"{100 * level:.3g}%", anchor="start", color=plots.SOFT)
        for level in levels
    ]
    strokes, labels = _rules(marks, scale, base)
    ticks = _money_axis(scale, base, money)
    step = gettext(
        "Bar height: share of the simulated quarters, in steps of {step}.", step=money.text(float(edges[1] - edges[0]))
    )
    halves = gettext("Full bars reach the target, hollow bars fall short of it.")
    return plots.Plot(
        title=gettext("Distribution of the quarter's bookings"),
        caption=step if target is None else gettext("{first} {second}", first=step, second=halves),
        description=gettext("; ").join(mark.text for mark in marks),
        height=base + _FOOT,
        grid=tuple(grid),
        strokes=(*ticks[0], *strokes),
        boxes=tuple(boxes),
        labels=(*shares, *ticks[1], *labels),
    )


def draw_trend(trend: pd.DataFrame, quarter: Quarter, money: Money) -> plots.Plot:
    """P50 with its interval, commit, closed and target over the weeks of the quarter."""
    days = [day.toordinal() for day in trend["as_of"]]
    weeks = plots.Scale(
        low=min(days[0], quarter.start.toordinal()),
        high=quarter.end.toordinal(),
        start=_TREND_LEFT,
        end=_TREND_RIGHT,
    )
    names = {
        "p50": gettext("P50"),
        "commit": gettext("Commit"),
        "closed": gettext("Closed"),
        "target": gettext("Target"),
    }
    shown = [name for name in names if trend[name].notna().any()]
    values = trend[["p10", "p90", *shown]].to_numpy(dtype=float)
    base = 8 + _TREND_HIGH
    down = plots.padded([0.0, *values[np.isfinite(values)]], share=0.03, start=base, end=8)
    levels = plots.nice_ticks(0.0, down.high, wanted=3)
    grid = [plots.Stroke(x1=0, x2=_TREND_RIGHT, y1=down.at(at), y2=down.at(at), color=plots.LINE) for at in levels]
    strokes = []
    labels = [
        plots.Label(x=0, y=down.at(at) - 3, text=money.text(at), anchor="start", color=plots.SOFT)
        for at in levels
        if at
    ]
    for day, low, high in zip(days, trend["p10"], trend["p90"], strict=True):
        if np.isfinite(low):
            x = weeks.at(day)
            strokes.append(plots.Stroke(x1=x, x2=x, y1=down.at(low), y2=down.at(high), color=plots.FILL, width=5))
    dots = []
    for name in shown:
        line, points = _trend_line(name, trend[name].to_numpy(dtype=float), days, weeks, down)
        strokes += line
        dots += points
    ends = [(name, float(trend[name].dropna().iloc[-1])) for name in shown]
    places = plots.spread([down.at(value) + 4 for _, value in ends], 14)
    over = max(0.0, max(places) - base - 4)
    for (name, value), y in zip(ends, places, strict=True):
        text = gettext("{name} {amount}", name=names[name], amount=money.text(value))
        labels.append(
            plots.Label(x=_TREND_RIGHT + 1.5, y=round(y - over, 1), text=text, anchor="start", bold=name == "p50")
        )
    return plots.Plot(
        title=gettext("The quarter so far"),
        caption=_trend_caption(trend),
        description=gettext("; ").join(
            label.text for label in labels if label.anchor == "start" and label.x > _TREND_RIGHT
        ),
        height=base + _FOOT,
        grid=tuple(grid),
        strokes=tuple(strokes),
        dots=tuple(dots),
        labels=(*labels, *_week_labels(quarter, weeks, base)),
    )


def _trend_line(
    name: str, values: Array, days: Sequence[int], weeks: plots.Scale, down: plots.Scale
) -> tuple[list[plots.Stroke], list[plots.Dot]]:
    """A line through the days with a value; the target reaches to the end of the quarter."""
    places = [(weeks.at(day), down.at(value)) for day, value in zip(days, values, strict=True) if np.isfinite(value)]
    if name == "target":
        places = [(places[0][0], places[0][1]), *places, (_TREND_RIGHT, places[-1][1])]
    style = {
        "p50": (plots.INK, 2.2, "solid"),
        "commit": (plots.INK, 1.4, "dashed"),
        "closed": (plots.BLUE, 1.4, "solid"),
    }
    color, width, line = style.get(name, (plots.INK, 1.6, "dotted"))
    strokes = [
        plots.Stroke(x1=x, x2=right, y1=y, y2=below, color=color, width=width, dash=plots.dash_of(line))
        for (x, y), (right, below) in pairwise(places)
    ]
    fill = {"p50": plots.INK, "closed": plots.BLUE}.get(name, plots.PAPER)
    dots = [] if name == "target" else [plots.Dot(x=x, y=y, r=3.2, fill=fill, color=color) for x, y in places]
    return strokes, dots


def _trend_caption(trend: pd.DataFrame) -> str:
    if trend["p50"].notna().sum() > 1:
        return gettext("Thick line: P50; bars: its 80% interval. Dashed: the sellers' closed and commit.")
    return gettext("The line of P50 begins with the second logged forecast. Dashed: the sellers' closed and commit.")


def _week_labels(quarter: Quarter, weeks: plots.Scale, base: float) -> list[plots.Label]:
    """The first week, and every sixth after it."""
    numbers = range(1, quarter.weeks + 1, 6)
    return [
        plots.Label(
            x=weeks.at((quarter.start + dt.timedelta(days=7 * (week - 1))).toordinal()),
            y=base + 16,
            text=gettext("week {number}", number=week),
            anchor="start" if week == 1 else "middle",
            color=plots.SOFT,
        )
        for week in numbers
    ]


def bridge_bars(steps: Sequence[float], before: float, now: float) -> list[plots.Plot]:
    """A waterfall, a bar for each row of the bridge's table: full bars raise P50, hollow bars lower it."""
    ends = before + np.cumsum([0.0, *steps])
    scale = plots.padded([*ends, before, now], share=0.06, start=2, end=98)
    bars = [_point(scale.at(before))]
    for left, right in pairwise(ends):
        one, other = sorted((scale.at(left), scale.at(right)))
        fill = plots.BLUE if right >= left else plots.PAPER
        box = plots.Box(x=one, width=round(other - one, 2), y=4, height=12, fill=fill)
        link = plots.Stroke(
            x1=scale.at(right), x2=scale.at(right), y1=plots.ROW_MIDDLE, y2=plots.ROW_HIGH, color=plots.SOFT
        )
        bars.append(plots.row_plot(boxes=(box,), strokes=(link,)))
    return [*bars, _point(scale.at(now))]


def swing_bars(deals: Sequence[tuple[float, float]], middle: float, *, share: float) -> list[plots.Plot]:
    """P50 if each deal is won (full dot) and if it is not (hollow), with lines at P50 and ``share`` around it."""
    guides = {middle: "solid", middle * (1 - share): "dashed", middle * (1 + share): "dashed"}
    scale = plots.padded([*guides, *(end for deal in deals for end in deal)], share=0.04, start=2, end=98)
    lines = tuple(
        plots.Stroke(
            x1=scale.at(at), x2=scale.at(at), y1=0, y2=plots.ROW_HIGH, color=plots.SOFT, dash=plots.dash_of(line)
        )
        for at, line in guides.items()
    )
    return [
        plots.row_plot(
            strokes=(
                *lines,
                plots.Stroke(
                    x1=scale.at(lost),
                    x2=scale.at(won),
                    y1=plots.ROW_MIDDLE,
                    y2=plots.ROW_MIDDLE,
                    color=plots.BLUE,
                    width=2,
                ),
            ),
            dots=(
                plots.Dot(x=scale.at(lost), y=plots.ROW_MIDDLE, r=4, fill=plots.PAPER),
                plots.Dot(x=scale.at(won), y=plots.ROW_MIDDLE, r=4),
            ),
        )
        for won, lost in deals
    ]


def _point(x: float) -> plots.Plot:
    return plots.row_plot(dots=(plots.Dot(x=x, y=plots.ROW_MIDDLE, r=5),))
