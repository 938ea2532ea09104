"""Read a sheet as a deal table, column by column; errors are collected, and none stops the reading."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from winprob.data.schema import COLUMNS, DATES, ID, NAMES, NUMBERS, READINGS, SUPPORTS, TEXTS, as_text, mask_of
from winprob.data.schema.findings import Finding, whole
from winprob.data.tables import deal_cells, deal_notes
from winprob.data.tables.currencies import fill_currency
from winprob.data.tables.mapping import DealMapping, Source, nearest
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.conventions import Convention, Evidence
from winprob.data.tables.values.instants import crossings
from winprob.data.tables.values.nulls import null_cells
from winprob.data.tables.values.parsed import Parsed
from winprob.data.tables.values.spelling import misspelt, spellings, unify
from winprob.i18n import gettext
from winprob.methodology import canonical_column


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


def read_sheet(
    sheet: Sheet, mapping: DealMapping, faults: list[str], *, convention: Convention | None = None
) -> deal_notes.Reading:
    """The deals on ``sheet``, read by ``mapping``, or by their headers where it maps no column.

    Parameters
    ----------
    faults : list of str
        Errors of the mapping itself, reported together with all others.
    convention : Convention or None
        That of the whole file, where ``sheet`` is a block of it; ``None`` settles it from the sheet (`evidence_on`).
    """
    reading = deal_notes.Reading(
        deals=pd.DataFrame(index=sheet.cells.index),
        findings=[whole("error", "", fault) for fault in faults],
        mapped=bool(mapping.sources),
        misfit=bool(faults),
    )
    sources = mapping.sources or tuple(_sources_by_header(sheet, reading))
    sources = tuple(_present(sources, sheet, reading))
    sheet, errors = _without_nulls(sheet, sources, mapping)
    columns = _read_ids(sheet, sources, reading)
    _note_errors(reading, sheet, errors, sources)
    convention = convention or deal_cells.settle_by(mapping, deal_cells.evidence_of(sheet.cells, sources, mapping))
    clocks: dict[str, pd.Series] = {}
    for source in sources:
        if source.target != ID:
            columns[source.target] = _read_column(sheet, source, mapping, convention, reading, clocks)
    if mapping.zone is None and clocks:
        reading.findings.append(_note_clocks(pd.concat(list(clocks.values()))))
    fill_currency(sheet, sources, convention.currencies, columns, reading)
    covariates = _read_covariates(sheet, mapping, sources, convention, columns, reading)
    _unify(columns | covariates, unified(mapping), convention, columns, covariates, reading)
    ordered = {name: columns[name] for name in (*COLUMNS, *READINGS, *NAMES) if name in columns} | covariates
    if not mapping.sources:
        used = {source.column for source in sources}
        rest = [header for header in sheet.cells.columns if header not in used and header not in ordered]
        reading.findings += misspelt(rest, {name: name for name in COLUMNS if name not in columns})
        ordered |= {header: _untouched(sheet, header) for header in rest}
    reading.deals = pd.DataFrame(ordered, index=sheet.cells.index)
    reading.deals.attrs["covariates"] = mapping.covariates
    return reading


def evidence_on(sheet: Sheet, mapping: DealMapping) -> Evidence:
    """What a sheet, or a block of a file, gives away about its conventions; evidence of blocks adds up.

    `settle_by` makes the convention of it with which `read_sheet` then reads every block.
    """
    cells, sources = meant(sheet, mapping)
    return deal_cells.evidence_of(cells, sources, mapping)


def meant(sheet: Sheet, mapping: DealMapping) -> tuple[pd.DataFrame, tuple[Source, ...]]:
    """The cells of a sheet without null words, and which of its columns is which."""
    reading = deal_notes.Reading(deals=pd.DataFrame(index=sheet.cells.index))
    sources = mapping.sources or tuple(_sources_by_header(sheet, reading))
    sources = tuple(_present(sources, sheet, reading))
    return _without_nulls(sheet, sources, mapping)[0].cells, sources


def unified(mapping: DealMapping) -> set[str]:
    """The columns whose levels have one spelling each."""
    return {*TEXTS, *mapping.varying} - {"currency"}


def _untouched(sheet: Sheet, header: str) -> pd.Series:
    cells = sheet.cells[header]
    return cells if sheet.kind == "parquet" else as_text(cells)


# ---- which column is which -----------------------------------------------------------------------------------------


def _sources_by_header(sheet: Sheet, reading: deal_notes.Reading) -> Iterator[Source]:
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


def _present(sources: tuple[Source, ...], sheet: Sheet, reading: deal_notes.Reading) -> Iterator[Source]:
    for source in sources:
        if source.row_number or source.column in sheet.cells:
            yield source
        else:
            _note_absent(reading, sheet, source.target, source.column)


def _note_absent(reading: deal_notes.Reading, sheet: Sheet, target: str, column: str) -> None:
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


# ---- before a cell is read -----------------------------------------------------------------------------------------


def _without_nulls(
    sheet: Sheet, sources: tuple[Source, ...], mapping: DealMapping
) -> tuple[Sheet, dict[str, pd.Series]]:
    """The sheet with null words blank in every column, and the workbook's errors in the columns that are read."""
    own: dict[str, list[Callable[[str], bool]]] = {}
    for source in sources:
        own.setdefault(source.column, []).append(deal_cells.has_meaning(source))
    changed, errors = {}, {}
    for header in sheet.cells.columns:
        meanings = own.get(header, [])
        null, wrong = null_cells(sheet.cells[header], mapping.null, meanings)
        if null.any():
            changed[header] = sheet.cells[header].mask(null)
        if wrong.any() and (header in own or header in mapping.columns):
            errors[header] = sheet.cells[header].where(wrong)
    return replace(sheet, cells=sheet.cells.assign(**changed)) if changed else sheet, errors


def _note_errors(
    reading: deal_notes.Reading, sheet: Sheet, errors: dict[str, pd.Series], sources: tuple[Source, ...]
) -> None:
    targets = {source.column: source.target for source in sources}
    for header, cells in errors.items():
        target = targets.get(header, header)
        place = deal_notes.Place(
            reading=reading, sheet=sheet, column=target, what=deal_notes.called(target, header), cells=cells
        )
        deal_notes.note_errors(place, mask_of(cells.notna()))


def _read_ids(sheet: Sheet, sources: tuple[Source, ...], reading: deal_notes.Reading) -> dict[str, pd.Series]:
    # In a block of a file the index goes on from the block before.
    numbers = pd.Series(sheet.cells.index + 1, index=sheet.cells.index).astype("str")
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


# ---- columns -------------------------------------------------------------------------------------------------------


def _read_column(
    sheet: Sheet,
    source: Source,
    mapping: DealMapping,
    convention: Convention,
    reading: deal_notes.Reading,
    clocks: dict[str, pd.Series],
) -> pd.Series:
    cells = sheet.cells[source.column]
    what = deal_notes.called(source.target, source.column)
    place = deal_notes.Place(reading=reading, sheet=sheet, column=source.target, what=what, cells=cells)
    parsed = deal_cells.read_cells(cells, source, mapping, convention)
    if source.target in DATES:
        deal_notes.note_days(place, parsed, mapping)
        clocks |= {} if parsed.clocks is None else {source.column: parsed.clocks}
    elif source.target in NUMBERS and source.target not in SUPPORTS:
        deal_notes.note_numbers(place, parsed, mapping, percent=source.percent)
        if source.percent:
            return _without_impossible(place, parsed)
    else:
        deal_notes.note_values(place, source, parsed.refused)
    return parsed.read


def _without_impossible(place: deal_notes.Place, parsed: Parsed) -> pd.Series:
    """Percentages, without those outside 0 to 100."""
    outside = mask_of((parsed.read < 0) | (parsed.read > 1))
    place.note(
        outside,
        lambda **spot: gettext(
            "{what} is outside 0..100 % in {rows} rows, read as unknown, first row {row}, deal {deal}, has {got}",
            **spot,
        ),
        "warning",
    )
    return parsed.read.mask(outside)


def _note_clocks(clocks: pd.Series) -> Finding:
    """The note on moments whose day depends on the time zone that is not set."""
    found = crossings(clocks)
    message = gettext(
        "{count} dates have a clock with an offset and are read in UTC; in offices from California to China up to "
        "{days} of them are another day and {quarters} another quarter: set zone in mapping.toml",
        count=found.moments,
        days=found.days,
        quarters=found.quarters,
    )
    return Finding(severity="note", column="", rows=found.moments, first_deal="", message=message)


def _read_covariates(
    sheet: Sheet,
    mapping: DealMapping,
    sources: tuple[Source, ...],
    convention: Convention,
    columns: dict[str, pd.Series],
    reading: deal_notes.Reading,
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
            place = deal_notes.Place(
                reading=reading, sheet=sheet, column=name, what=f"'{name}'", cells=sheet.cells[name]
            )
            parsed = deal_cells.parse_covariate(sheet.cells[name], convention)
            deal_notes.note_numbers(place, parsed, mapping)
            deal_notes.note_mixed(place, deal_cells.without_percent_sign(place.cells, parsed))
            covariates[name] = parsed.read
    known = columns | covariates
    amounts = {source.column for source in sources if source.target == "amount"}
    for item in mapping.numeric:
        if item.column in amounts and item.column in covariates:
            # Negative amounts are unknown here too; the check of the deals counts them.
            known[item.column] = covariates[item.column] = covariates[item.column].mask(covariates[item.column] < 0)
        if item.transform == "log1p" and item.column in known and item.column != "amount":
            values = known[item.column]
            deal_notes.note_log(
                deal_notes.Place(reading=reading, sheet=sheet, column=item.column, what=item.column, cells=values),
                values,
            )
    return covariates


def _unify(
    known: dict[str, pd.Series],
    names: set[str],
    convention: Convention,
    columns: dict[str, pd.Series],
    covariates: dict[str, pd.Series],
    reading: deal_notes.Reading,
) -> None:
    """Give levels that differ by case or blanks the spelling that is most frequent."""
    for name in sorted(names & set(known)):
        chosen = spellings(known[name]) if convention.spellings is None else convention.spellings.get(name, {})
        if not chosen or not (changed := mask_of(known[name].isin(list(chosen)))).any():
            continue
        (columns if name in columns else covariates)[name] = unify(known[name], chosen)
        shown = ", ".join(f"{old!r} = {new!r}" for old, new in sorted(chosen.items())[:5])
        message = gettext(
            "'{column}' has levels that differ by case or blanks only; {rows} rows take the more frequent one: "
            "{levels}",
            column=name,
            rows=int(changed.sum()),
            levels=shown + (", …" if len(chosen) > 5 else ""),
        )
        first = str(reading.deals[ID].iloc[int(np.flatnonzero(changed)[0])])
        reading.findings.append(
            Finding(severity="note", column=name, rows=int(changed.sum()), first_deal=first, message=message)
        )
