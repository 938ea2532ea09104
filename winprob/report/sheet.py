"""Content of a page: sections of sentences, tables and charts, rendered as HTML or as Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.data.schema import COLUMNS
from winprob.i18n import gettext
from winprob.methodology import column_label
from winprob.report.charts import Chart
from winprob.report.headings import heading
from winprob.report.labels import cell_text
from winprob.report.numbers import BLANK, text_of, whole
from winprob.report.templates import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column heading, and whether its cells are right-aligned numbers."""

    title: str
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table for display.

    Attributes
    ----------
    keys : sort keys in the layout of ``rows``, None where the text is the key; None without any
    """

    columns: list[Column]
    rows: list[list[str]]
    keys: Sequence[Sequence[float | str | None]] | None = None


def findings_grid(findings: pd.DataFrame) -> Grid:
    """Findings of the data check as a table."""
    severities = {"error": gettext("Error"), "warning": gettext("Warning"), "note": gettext("Note")}
    return Grid(
        columns=[
            Column(title=gettext("Severity")),
            Column(title=gettext("Column")),
            Column(title=gettext("Rows"), number=True),
            Column(title=gettext("First deal")),
            Column(title=gettext("Finding")),
        ],
        rows=[
            [
                severities.get(str(row["severity"]), str(row["severity"])),
                column_label(row["column"]) if row["column"] in COLUMNS else text_of(row["column"]) or BLANK,
                whole(row["rows"]) if row["rows"] else BLANK,
                text_of(row["first_deal"]) or BLANK,
                str(row["message"]),
            ]
            for _, row in findings.iterrows()
        ],
    )


_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#$])")
#: Control characters of terminals and of the writing direction.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_LINK = re.compile(r"(?<=\w)(?=://)|(?<=www)(?=\.)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An item of a list: label and text."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a page; a wide one spans the columns of a dense page."""

    title: str
    words: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    grid: Grid | None = None
    charts: tuple[Chart, ...] = ()
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page; a dense one is set in two narrow columns on paper, so that it fits one A4 page."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    dense: bool = False


def to_html(sheet: Sheet) -> str:
    """The sheet as a complete HTML document without external resources."""
    styles = ("style.css", "sheet.css") if sheet.dense else ("style.css",)
    return render("sheet.html.j2", styles=styles, sheet=sheet, scroll_hint=gettext("scrolls sideways"))


def to_markdown(sheet: Sheet) -> str:
    """The sheet as Markdown, charts replaced by their captions."""
    return "\n\n".join(_paragraphs(sheet)) + "\n"


def grid_of(frame: pd.DataFrame, *, digits: int = 3) -> Grid:
    """A frame as a grid in the reader's language: numbers right-aligned, a dash for a missing value."""
    numeric = [pd.api.types.is_numeric_dtype(values) for _, values in frame.items()]
    names = [str(name) for name in frame.columns]
    columns = [Column(title=heading(name), number=number) for name, number in zip(names, numeric, strict=True)]
    rows = (dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False))
    return Grid(columns=columns, rows=[[_shown(name, row, digits) for name in names] for row in rows])


def pairs_grid(rows: Sequence[tuple[object, object]]) -> Grid:
    """Names and values as a table."""
    return grid_of(pd.DataFrame(rows, columns=[gettext("what"), gettext("value")]).map(str))


def _shown(name: str, row: Mapping[str, object], digits: int) -> str:
    return cell_text(name, row) if isinstance(row[name], str) else _cell(row[name], digits)


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
    """Escape text for Markdown and the HTML made from it: one line, no active markup."""
    tame = _CONTROL.sub("\ufffd", " ".join(text.split()))
    return (
        _LINK.sub(r"\\", _MARKDOWN.sub(r"\\\1", tame))
        .replace("&", "&amp;")
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
    )
