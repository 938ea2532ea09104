"""How is a record shown: headings, sentences, tables, pictures? One content, as a web page and as Markdown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.i18n import gettext
from winprob.report.charts import Chart
from winprob.report.grids import Column, Grid
from winprob.report.numbers import BLANK
from winprob.report.templates import render

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#$])")
#: What steers a terminal or turns the direction of writing round.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINK = re.compile(r"(?<=\w)(?=://)|(?<=www)(?=\.)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An item of a list: what it is about, and what there is to say."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: str
    words: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    grid: Grid | None = None
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]


def to_html(sheet: Sheet) -> str:
    """A whole document that loads nothing."""
    return render("sheet.html.j2", sheet=sheet, scroll_hint=gettext("scrolls sideways"))


def to_markdown(sheet: Sheet) -> str:
    """The same without its pictures; their captions stay."""
    return "\n\n".join(_paragraphs(sheet)) + "\n"


def grid_of(frame: pd.DataFrame, *, digits: int = 3) -> Grid:
    """A frame as a grid: numbers to the right, a dash where there is none."""
    numeric = [pd.api.types.is_numeric_dtype(values) for _, values in frame.items()]
    columns = [Column(title=str(name), number=number) for name, number in zip(frame.columns, numeric, strict=True)]
    return Grid(
        columns=columns, rows=[[_cell(value, digits) for value in row] for row in frame.itertuples(index=False)]
    )


def _cell(value: object, digits: int) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return BLANK
    if isinstance(value, float | np.floating):
        return f"{round(float(value), digits) + 0.0:.{digits}f}"
    return str(value)


def _paragraphs(sheet: Sheet) -> Iterator[str]:
    yield f"# {_escaped(sheet.title)}"
    yield from map(_escaped, sheet.lead)
    for section in sheet.sections:
        yield f"## {_escaped(section.title)}"
        yield from map(_escaped, section.words)
        if section.points:
            yield "\n".join(f"- **{_escaped(point.label)}** {_escaped(point.text)}" for point in section.points)
        for chart in section.charts:
            yield f"*{_escaped(chart.title)}.* {_escaped(chart.caption)}"
        if section.grid:
            yield _table(section.grid)


def _table(grid: Grid) -> str:
    heads = [_escaped(column.title) for column in grid.columns]
    rules = ["---:" if column.number else "---" for column in grid.columns]
    rows = [heads, rules, *([_escaped(cell) for cell in row] for row in grid.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _escaped(text: str) -> str:
    """Text that Markdown, and the HTML it may become, shows as it stands: on one line, nothing in it a sign."""
    tame = _CONTROL.sub("\ufffd", " ".join(text.split()))
    return (
        _LINK.sub(r"\\", _MARKDOWN.sub(r"\\\1", tame))
        .replace("&", "&amp;")
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
    )
