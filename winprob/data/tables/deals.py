"""Read a sheet as a deal table, column by column; errors are collected, and none stops the reading."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from winprob.data.schema import (
    CHOICES,
    COLUMNS,
    COVERAGE_COLUMNS,
    DATES,
    ID,
    NAMES,
    NUMBERS,
    READINGS,
    SUPPORTS,
    as_text,
)
from winprob.data.schema.findings import Finding, Mask, shown_cell, whole
from winprob.data.tables.cells import Parsed, by_value, parse_days, parse_numbers
from winprob.data.tables.instants import days_in_zone
from winprob.data.tables.mapping import UNKNOWN, DealMapping, Source, accepted_values, nearest
from winprob.data.tables.sheet import Sheet
from winprob.errors import DealTableError, MappingError, WinprobError
from winprob.i18n import gettext
from winprob.methodology import canonical, canonical_column, is_unknown

#: ISO 4217 codes by common spelling. A bare $ is left out: it may be any of twenty currencies.
_CURRENCIES = {
    "RMB": "CNY", "人民币": "CNY", "¥": "CNY", "\uffe5": "CNY", "元": "CNY", "€": "EUR", "欧元": "EUR", "£": "GBP",
    "英镑": "GBP", "US$": "USD", "美元": "USD", "港币": "HKD", "港元": "HKD", "日元": "JPY",
}  # fmt: skip
_EITHER_WAY = re.compile(r"(?:0?[1-9]|1[0-2])([/-])(?:0?[1-9]|1[0-2])\1\d{4}.*")


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


def looked_for(mapping: DealMapping) -> Callable[[str], bool]:
    """Whether a header is one that the mapping names, or without a mapping that of a canonical column."""
    named = mapping.columns
    if mapping.sources:
        return lambda header: header in named
    return lambda header: header in named or _target(header) is not None


def located(mapping: DealMapping, headers: list[str]) -> dict[str, str]:
    """The header of each canonical column: as the mapping names it, without a mapping as it is recognised."""
    if mapping.sources:
        return {source.target: source.column for source in mapping.sources if source.column in headers}
    if mapping.preset:
        return {}
    return {target: header for header in reversed(headers) if (target := _target(header)) is not None}


def _target(header: str) -> str | None:
    """The deal table's column that a header means."""
    target = header if header in (*READINGS, *NAMES) else canonical_column(header)
    return target if target in (*COLUMNS, *READINGS, *NAMES) else None


def read_sheet(sheet: Sheet, mapping: DealMapping, faults: list[str]) -> Reading:
    """The deals on ``sheet``, read by ``mapping``, or by their headers where it maps no column.

    Parameters
    ----------
    faults : list of str
        Errors of the mapping itself, reported together with all others.
    """
    reading = Reading(
        deals=pd.DataFrame(index=sheet.cells.index),
        findings=[whole("error", "", fault) for fault in faults],
        mapped=bool(mapping.sources),
        misfit=bool(faults),
    )
    sources = mapping.sources or tuple(_sources_by_header(sheet, reading))
    sources = tuple(_present(sources, sheet, reading))
    columns = _read_ids(sheet, sources, reading)
    for source in sources:
        if source.target != ID:
            columns[source.target] = _read_column(sheet, source, mapping, reading)
    ordered = {name: columns[name] for name in (*COLUMNS, *READINGS, *NAMES) if name in columns}
    ordered |= _read_covariates(sheet, mapping, ordered, reading)
    if not mapping.sources:
        used = {source.column for source in sources}
        rest = [header for header in sheet.cells.columns if header not in used and header not in ordered]
        ordered |= {header: _untouched(sheet, header) for header in rest}
    reading.deals = pd.DataFrame(ordered, index=sheet.cells.index)
    reading.deals.attrs["covariates"] = mapping.covariates
    return reading


def _untouched(sheet: Sheet, header: str) -> pd.Series:
    cells = sheet.cells[header]
    return cells if sheet.kind == "parquet" else as_text(cells)


def _sources_by_header(sheet: Sheet, reading: Reading) -> Iterator[Source]:
    taken: dict[str, str] = {}
    for header in sheet.cells.columns:
        target = _target(header)
        if target is None:
            continue
        if target in taken:
            reading.findings.append(
                whole(
                    "error",
                    target,
                    gettext(
                        "columns {first} and {second} both mean '{target}': rename one, or map one in mapping.toml",
                        first=repr(taken[target]),
                        second=repr(header),
                        target=target,
                    ),
                )
            )
            continue
        taken[target] = header
        yield Source(target=target, column=header)
    if ID not in taken:
        columns = ", ".join(map(repr, sheet.cells.columns[:12]))
        message = gettext(
            "no column is 'deal_id' (the columns are {columns}): map one in mapping.toml", columns=columns
        )
        reading.findings.append(whole("error", ID, message))


def _present(sources: tuple[Source, ...], sheet: Sheet, reading: Reading) -> Iterator[Source]:
    for source in sources:
        if source.row_number or source.column in sheet.cells:
            yield source
        else:
            _note_absent(reading, sheet, source.target, source.column)


def _note_absent(reading: Reading, sheet: Sheet, target: str, column: str) -> None:
    headers = list(sheet.cells.columns)
    message = gettext(
        "'{target}' is mapped to column {column}, which the file lacks{hint}; its columns are {columns}",
        target=target,
        column=repr(column),
        hint=nearest(column, headers),
        columns=", ".join(map(repr, headers[:30])) + (", …" if len(headers) > 30 else ""),
    )
    reading.misfit = True
    reading.findings.append(whole("error", target, message))


def _read_ids(sheet: Sheet, sources: tuple[Source, ...], reading: Reading) -> dict[str, pd.Series]:
    numbers = pd.Series(np.arange(1, len(sheet.cells) + 1), index=sheet.cells.index).astype("str")
    source = next((source for source in sources if source.target == ID), None)
    ids = numbers if source is None or source.row_number else as_text(sheet.cells[source.column])
    reading.deals[ID] = ids
    blank = ids.isna().to_numpy(dtype=bool)
    if blank.any():
        first = int(np.flatnonzero(blank)[0])
        count = int(blank.sum())
        message = gettext("'deal_id' is blank in {rows} rows, first in row {row}", rows=count, row=sheet.rows[first])
        reading.findings.append(Finding(severity="error", column=ID, rows=count, first_deal="", message=message))
        # A placeholder, so that other messages give the row and the check of ids does not repeat this one.
        ids = ids.fillna(pd.Series([f"#{row}" for row in sheet.rows], index=ids.index, dtype="str"))
        reading.deals[ID] = ids
    return {ID: ids}


def _read_column(sheet: Sheet, source: Source, mapping: DealMapping, reading: Reading) -> pd.Series:
    cells = sheet.cells[source.column]
    what = f"'{source.target}'"
    if source.column != source.target:
        what = gettext("'{target}' (column {column})", target=source.target, column=repr(source.column))
    parsed = read_cells(cells, source, mapping)
    if source.target in DATES:
        _note_days(reading, sheet, source.target, what, cells, parsed.refused)
    elif source.target in NUMBERS and source.target not in SUPPORTS:
        _note_numbers(reading, sheet, source.target, what, cells, parsed.refused)
    else:
        _note_values(reading, sheet, source, what, cells, parsed.refused)
    return parsed.read


def read_cells(cells: pd.Series, source: Source, mapping: DealMapping) -> Parsed:
    """The canonical values in ``cells``, of a column of the export or of a log of its changes."""
    if source.target in DATES:
        parsed = parse_days(cells, day_first=mapping.day_first)
        zone = mapping.zone
        return replace(parsed, read=days_in_zone(cells, parsed.read, zone)) if zone else parsed
    if source.target in NUMBERS and source.target not in SUPPORTS:
        return _parse_share(cells) if source.percent else parse_numbers(cells)
    values, refused = by_value(cells, _reader(source))
    return Parsed(read=values.astype("float64") if source.target in SUPPORTS else values, refused=refused)


def _parse_share(cells: pd.Series) -> Parsed:
    """Percentages without their sign: 62 is 0.62, and so is 62%."""
    parsed = parse_numbers(cells)
    signed = as_text(cells).str.endswith(("%", "\uff05")).fillna(False).to_numpy(dtype=bool)
    return replace(parsed, read=parsed.read.where(signed, parsed.read / 100))


def _reader(source: Source) -> Callable[[str], str | None]:
    """From a cell's text to the canonical value, "" for unknown, ``None`` for a value that is not recognised."""
    folded = {text.casefold(): value for text, value in source.lookup.items()}

    def read(text: str) -> str | None:
        value = source.lookup.get(text, folded.get(text.casefold()))
        if value is None:
            value = _canonical(source.target, text)
        if value is None:
            value = source.other
        if value == UNKNOWN and source.target not in COVERAGE_COLUMNS:
            return ""
        return value

    return read


def _canonical(target: str, text: str) -> str | None:
    if target in SUPPORTS:
        return canonical("support", text) or ("" if is_unknown(text) else _number_text(text))
    if target in COVERAGE_COLUMNS:
        return canonical("coverage", text) or ("" if is_unknown(text) else None)
    if target in CHOICES:
        return canonical(target, text) or ("" if is_unknown(text) else None)
    if target == "currency":
        return _CURRENCIES.get(text.upper(), "" if is_unknown(text) else text.upper())
    # Free text is not interpreted: NA may be North America.
    return text


def _number_text(text: str) -> str | None:
    """A support that is a number but not a tier is kept for the check of its range."""
    return text if re.fullmatch(r"[+-]?\d+(?:\.\d+)?", text) else None


def _read_covariates(
    sheet: Sheet, mapping: DealMapping, columns: dict[str, pd.Series], reading: Reading
) -> dict[str, pd.Series]:
    covariates: dict[str, pd.Series] = {}
    for name in dict.fromkeys((*mapping.varying, *(item.column for item in mapping.numeric))):
        if name not in sheet.cells:
            _note_absent(reading, sheet, gettext("covariate {name}", name=name), name)
        elif name in columns:
            continue
        elif name in mapping.varying:
            covariates[name] = as_text(sheet.cells[name])
        else:
            parsed = parse_numbers(sheet.cells[name])
            _note_numbers(reading, sheet, name, f"'{name}'", sheet.cells[name], parsed.refused)
            covariates[name] = parsed.read
    known = columns | covariates
    for item in mapping.numeric:
        if item.transform == "log1p" and item.column in known:
            _note_log(reading, sheet, item.column, known[item.column])
    return covariates


def _note(
    reading: Reading, sheet: Sheet, column: str, mask: Mask, cells: pd.Series, message_for: Callable[..., str]
) -> None:
    """Add an error where ``mask`` holds a row; ``message_for`` formats its message."""
    if not mask.any():
        return
    first = int(np.flatnonzero(mask)[0])
    deal = reading.deals[ID].iloc[first]
    count = int(mask.sum())
    name = "" if pd.isna(deal) else str(deal)
    message = message_for(rows=count, row=int(sheet.rows[first]), deal=repr(name), got=shown_cell(cells.iloc[first]))
    reading.findings.append(Finding(severity="error", column=column, rows=count, first_deal=name, message=message))


def _note_days(reading: Reading, sheet: Sheet, column: str, what: str, cells: pd.Series, refused: Mask) -> None:
    if not refused.any():
        return
    either = refused & as_text(cells).str.fullmatch(_EITHER_WAY.pattern).fillna(False).to_numpy(dtype=bool)
    _note(
        reading, sheet, column, either, cells,
        lambda **spot: gettext(
            "{what} is ambiguous, day/month or month/day, in {rows} rows, first row {row}, deal {deal}, has {got}: "
            "set day_first = true or false in mapping.toml",
            what=what, **spot,
        ),
    )  # fmt: skip
    _note(
        reading, sheet, column, refused & ~either, cells,
        lambda **spot: gettext(
            "{what} does not read as a date in {rows} rows, first row {row}, deal {deal}, has {got}; "
            "accepted: {accepted}",
            what=what, accepted="2026-06-30, 2026/6/30, 2026年6月30日, 31.03.2026, 30 Jun 2026, 46203 (Excel)", **spot,
        ),
    )  # fmt: skip


def _note_numbers(reading: Reading, sheet: Sheet, column: str, what: str, cells: pd.Series, refused: Mask) -> None:
    _note(
        reading, sheet, column, refused, cells,
        lambda **spot: gettext(
            "{what} does not read as a number in {rows} rows, first row {row}, deal {deal}, has {got}; "
            "accepted: {accepted}",
            what=what, accepted="1200000, 1,200,000.50, 1.200.000,50, 1,200万, ¥3.5亿, 62%", **spot,
        ),
    )  # fmt: skip


def _note_log(reading: Reading, sheet: Sheet, column: str, values: pd.Series) -> None:
    _note(
        reading, sheet, column, (values <= -1).to_numpy(dtype=bool), values,
        lambda **spot: gettext(
            "'{column}' is -1 or less in {rows} rows, first row {row}, deal {deal}, has {got}: log1p is undefined",
            column=column, **spot,
        ),
    )  # fmt: skip


def _note_values(reading: Reading, sheet: Sheet, source: Source, what: str, cells: pd.Series, refused: Mask) -> None:
    counts = as_text(cells)[refused].value_counts()
    values = ", ".join(f"{shown_cell(value)} ({count})" for value, count in counts.head(5).items())
    reading.misfit |= bool(refused.any() and reading.mapped)
    _note(
        reading, sheet, source.target, refused, cells,
        lambda **spot: gettext(
            "{what} holds values neither mapped nor canonical in {rows} rows: {values}; first row {row}, "
            "deal {deal}, has {got}; accepted: {accepted}, or map them, or set other for the rest",
            what=what, values=values + (", …" if len(counts) > 5 else ""),
            accepted=", ".join(accepted_values(source.target)), **spot,
        ),
    )  # fmt: skip
