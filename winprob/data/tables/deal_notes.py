"""Findings on the cells of a deal table being read: where they are, how many, and what to do."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from winprob.data.schema import ID, as_text
from winprob.data.schema.findings import Finding, Mask, Severity, shown_cell, whole
from winprob.data.tables.mapping import DealMapping, Source, accepted_values
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.money import meant_by
from winprob.data.tables.values.parsed import Parsed
from winprob.errors import DealTableError, MappingError, WinprobError
from winprob.i18n import gettext

#: A column that only a table of the report uses: words of its own are unknown.
BY_THE_WAY = ("rep_category",)


def called(target: str, header: str) -> str:
    if header == target:
        return f"'{target}'"
    return gettext("'{target}' (column {column})", target=target, column=repr(header))


@dataclass(slots=True, kw_only=True)
class Reading:
    """A deal table being read, and the findings so far; ``misfit`` is an error of the mapping."""

    deals: pd.DataFrame
    findings: list[Finding] = field(default_factory=list)
    mapped: bool = False
    misfit: bool = False

    @property
    def error(self) -> type[WinprobError]:
        """The class of an error: the mapping's or the deals'."""
        return MappingError if self.misfit else DealTableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The column being read: as canonical column, as messages call it, and its cells."""

    reading: Reading
    sheet: Sheet
    column: str
    what: str
    cells: pd.Series

    def note(self, mask: Mask, message_for: Callable[..., str], severity: Severity = "error") -> None:
        """Add a finding where ``mask`` holds a row; ``message_for`` formats its message."""
        if not mask.any():
            return
        first = int(np.flatnonzero(mask)[0])
        deal = self.reading.deals[ID].iloc[first]
        count = int(mask.sum())
        name = "" if pd.isna(deal) else str(deal)
        message = message_for(
            what=self.what,
            rows=count,
            row=int(self.sheet.rows[first]),
            deal=repr(name),
            got=shown_cell(self.cells.iloc[first]),
        )
        self.reading.findings.append(
            Finding(severity=severity, column=self.column, rows=count, first_deal=name, message=message)
        )


def note_days(place: Place, parsed: Parsed, mapping: DealMapping) -> None:
    """Errors on cells that are not days, or in doubt."""
    doubtful = parsed.refused & (
        np.zeros(len(parsed.refused), dtype=bool) if parsed.doubtful is None else parsed.doubtful
    )
    if mapping.day_first is None:
        place.note(
            doubtful,
            lambda **spot: gettext(
                "{what} is ambiguous, day/month or month/day, in {rows} rows, first row {row}, deal {deal}, has {got}: "
                'set day_first = true or false in mapping.toml, or date_format = "%y/%m/%d" where the year comes first',
                **spot,
            ),
        )
    else:
        place.note(
            doubtful,
            lambda **spot: gettext(
                "{what} contradicts day_first = {setting} in {rows} rows, first row {row}, deal {deal}, has {got}: "
                "correct the setting, or export the dates as YYYY-MM-DD",
                setting="true" if mapping.day_first else "false", **spot,
            ),
        )  # fmt: skip
    place.note(
        parsed.refused & ~doubtful,
        lambda **spot: gettext(
            "{what} does not read as a date in {rows} rows, first row {row}, deal {deal}, has {got}; "
            "accepted: {accepted}, or set date_format in mapping.toml",
            accepted="2026-06-30, 2026/6/30, 2026年6月30日, 31.03.2026, 30 Jun 2026, 46203 (Excel)", **spot,
        ),
    )  # fmt: skip


def note_numbers(place: Place, parsed: Parsed, mapping: DealMapping, *, percent: bool = False) -> None:
    """Errors on cells that are not numbers, or in doubt."""
    doubtful = parsed.refused & (
        np.zeros(len(parsed.refused), dtype=bool) if parsed.doubtful is None else parsed.doubtful
    )
    if percent:
        place.note(
            doubtful,
            lambda **spot: gettext(
                "{what} has percent = true, yet its numbers are at most 1 and some are fractions, in {rows} rows, "
                "first row {row}, deal {deal}, has {got}: set percent = false for shares of 1, or export 62 or 62%",
                **spot,
            ),
        )
    elif mapping.decimal_comma is None:
        place.note(
            doubtful,
            lambda **spot: gettext(
                "{what} is ambiguous, decimals or thousands, in {rows} rows, first row {row}, deal {deal}, has {got}: "
                "set decimal_comma = true or false in mapping.toml",
                **spot,
            ),
        )
    else:
        place.note(
            doubtful,
            lambda **spot: gettext(
                "{what} contradicts decimal_comma = {setting} in other cells, so {rows} rows are ambiguous, "
                "first row {row}, deal {deal}, has {got}: correct it, or export numbers without thousands marks",
                setting="true" if mapping.decimal_comma else "false", **spot,
            ),
        )  # fmt: skip
    place.note(
        parsed.refused & ~doubtful,
        lambda **spot: gettext(
            "{what} does not read as a number in {rows} rows, first row {row}, deal {deal}, has {got}; "
            "accepted: {accepted}",
            accepted="1200000, 1,200,000.50, 1.200.000,50, 1,200万, ¥3.5亿, 62%", **spot,
        ),
    )  # fmt: skip


def note_mixed(place: Place, mixed: Mask) -> None:
    """Errors on numbers without a percent sign, in a column where others have one."""
    place.note(
        mixed,
        lambda **spot: gettext(
            "{what} has percentages and numbers without a sign: {rows} rows are ambiguous, first row {row}, "
            "deal {deal}, has {got}: write all with a percent sign, or none",
            **spot,
        ),
    )


def note_log(place: Place, values: pd.Series) -> None:
    """Errors on a covariate that has no logarithm."""
    if not pd.api.types.is_numeric_dtype(values.dtype):
        message = gettext("'{column}' is not a column of numbers: log1p is for numbers only", column=place.column)
        place.reading.misfit = True
        place.reading.findings.append(whole("error", place.column, message))
        return
    place.note(
        (values <= -1).to_numpy(dtype=bool),
        lambda **spot: gettext(
            "'{column}' is -1 or less in {rows} rows, first row {row}, deal {deal}, has {got}: log1p is undefined",
            column=place.column, **spot,
        ),
    )  # fmt: skip


def note_values(place: Place, source: Source, refused: Mask) -> None:
    """Findings on words that are neither mapped nor canonical: errors where the model uses the column."""
    if not refused.any():
        return
    counts = as_text(place.cells)[refused].value_counts()
    values = ", ".join(f"{shown_cell(value)} ({count})" for value, count in counts.head(5).items())
    values += ", …" if len(counts) > 5 else ""
    if source.target in BY_THE_WAY:
        place.note(
            refused,
            lambda **spot: gettext(
                "{what} holds values neither mapped nor canonical in {rows} rows, read as unknown: {values}; "
                "the model does not use them. Map them for the lines of the forecast",
                values=values, **spot,
            ),
            "note",
        )  # fmt: skip
        return
    if source.target == "currency":
        shared = np.array([bool(meant_by(str(cell))) for cell in place.cells], dtype=bool) & refused
        place.note(
            refused & ~shared,
            lambda **spot: gettext(
                "{what} is not an ISO 4217 code such as CNY in {rows} rows, read as unknown: {values}",
                values=values, **spot,
            ),
            "warning",
        )  # fmt: skip
        refused = shared
    place.reading.misfit |= bool(refused.any() and place.reading.mapped)
    place.note(
        refused,
        lambda **spot: gettext(
            "{what} holds values neither mapped nor canonical in {rows} rows: {values}; first row {row}, "
            "deal {deal}, has {got}; accepted: {accepted}, or map them, or set other for the rest",
            values=values, accepted=", ".join(accepted_values(source.target)) or "ISO 4217", **spot,
        ),
    )  # fmt: skip


def note_errors(place: Place, errors: Mask) -> None:
    """A warning on a workbook's error cells, which are not blanks."""
    place.note(
        errors,
        lambda **spot: gettext(
            "{what} holds errors of the workbook in {rows} rows, read as unknown, first row {row}, deal {deal}, "
            "has {got}: repair the formula, or type the value",
            **spot,
        ),
        "warning",
    )
