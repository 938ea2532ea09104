"""Charts that fit any width: shapes placed in percent across and in pixels down, drawn as SVG without a script.

Text keeps its size at every width, so a chart reads on a telephone as on paper. Colours are those of the light page;
the style sheet replaces them in dark mode.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

#: Ink, soft ink, lines, fill, ground: the style sheet replaces each of these in dark mode.
INK, SOFT, LINE, FILL, BLUE, PAPER = "#1b2733", "#4a5763", "#d9dee3", "#9fb3c6", "#3c5a78", "#ffffff"
_DASHES = {"solid": "", "dashed": "7 4", "dotted": "2 3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line from (x1, y1) to (x2, y2)."""

    x1: float
    x2: float
    y1: float
    y2: float
    color: str = INK
    width: float = 1.0
    dash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    x: float
    y: float
    r: float
    fill: str = INK
    color: str = INK


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle: ``x`` and ``width`` in percent, ``y`` and ``height`` in pixels."""

    x: float
    width: float
    y: float
    height: float
    fill: str
    color: str = BLUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text; with ``halo`` a ground around it hides what it crosses."""

    x: float
    y: float
    text: str
    anchor: str = "middle"
    color: str = INK
    bold: bool = False
    halo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawn chart: its shapes, ``grid`` behind all others, ``height`` in pixels, and its words."""

    title: str
    caption: str
    description: str
    height: float
    grid: tuple[Stroke, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    boxes: tuple[Box, ...] = ()
    dots: tuple[Dot, ...] = ()
    labels: tuple[Label, ...] = ()


#: Height and middle of a bar in a row of a table.
ROW_HIGH, ROW_MIDDLE = 20, 10


def row_plot(**shapes: Any) -> Plot:
    """A bar in a row of a table, whose numbers describe it."""
    return Plot(title="", caption="", description="", height=ROW_HIGH, **shapes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From ``low`` to ``high`` onto ``start`` to ``end``: percent across, or pixels down."""

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def padded(values: Iterable[float], *, share: float, start: float = 0.0, end: float = 100.0) -> Scale:
    """A scale over the values with a margin on both sides; below zero only where a value is."""
    known = [float(value) for value in values if np.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    margin = max(high - low, abs(high) * 0.02, 1e-9) * share
    return Scale(low=max(low - margin, min(0.0, low)), high=high + margin, start=start, end=end)


def anchor_of(x: float) -> str:
    """The side of a label on which it stays inside the chart."""
    return "start" if x < 16 else "end" if x > 84 else "middle"


def dash_of(line: str) -> str:
    return _DASHES[line]


def nice_ticks(low: float, high: float, *, wanted: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, about ``wanted`` of them."""
    rough = max(high - low, 1e-9) / wanted
    size = 10.0 ** np.floor(np.log10(rough))
    step = size * next(nice for nice in (1, 2, 2.5, 5, 10) if nice * size >= rough * 0.999)
    first, last = np.ceil(low / step), np.floor(high / step)
    return [float(count * step) for count in np.arange(first, last + 1)]


def spread(places: Sequence[float], apart: float) -> list[float]:
    """The places moved as little as needed to be ``apart`` from each other, in their order."""
    order = sorted(range(len(places)), key=lambda at: places[at])
    moved = list(places)
    for before, at in pairwise(order):
        moved[at] = max(moved[at], moved[before] + apart)
    return moved
