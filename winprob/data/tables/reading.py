"""Where do deals come from and go to? Files in, canonical deal tables out, and tables of results written back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.data.schema import ID, Finding, check_deals, findings_table, refuse, validate_deals, whole
from winprob.data.schema.findings import SEVERITIES
from winprob.data.tables.audit import describe, suspect
from winprob.data.tables.change_logs import changes_on, log_headers
from winprob.data.tables.deals import Reading, looked_for, read_sheet
from winprob.data.tables.files import Sheet, parse_sheet, read_bytes
from winprob.data.tables.instants import is_zone
from winprob.data.tables.mapping import DealMapping, no_zone, read_mapping
from winprob.data.tables.people import is_people_header, merge_people, read_people
from winprob.data.tables.presets import (
    Preset,
    fit_preset,
    is_role_table,
    known_header,
    read_preset,
    read_roles,
    settle,
    stage_notes,
    with_one_id,
)
from winprob.data.tables.rates import rate_column, rates_on
from winprob.data.tables.visits import visit_column, visits_on
from winprob.errors import InputError, MappingError, WinprobError
from winprob.i18n import gettext

FilePath = str | Path


def read_deals(
    path: FilePath,
    mapping: FilePath | Mapping[str, Any] | None = None,
    people: FilePath | pd.DataFrame | None = None,
    *,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read a deal table from CSV, XLSX or Parquet.

    Parameters
    ----------
    path : path
        The export. Its kind is told by its content, its encoding and delimiter by what its header then says.
    mapping : path, dict or None
        How its columns and values become canonical; without it, headers and values must be canonical or known aliases,
        Chinese or English.
    people : path, DataFrame or None
        The people table; where it knows a role's support or coverage, it counts before the deal table.
    encoding : str or None
        The export's text encoding, where the ladder gets it wrong.

    Returns
    -------
    DataFrame
        Canonical columns in canonical types, covariates under their source names, one row per deal and date.
        ``attrs["covariates"]`` says which columns the model may learn from: ``{"varying": [name, ...],
        "numeric": [{"column": name, "transform": "log1p" or None}, ...]}``. Without a mapping other columns are kept
        as text; with one that maps columns, they are left out.

    Raises
    ------
    InputError
        When a file cannot be read: missing, empty, damaged, ragged, of another kind.
    MappingError
        When the mapping is wrong in itself or does not fit the export.
    DealTableError
        When the deals are wrong. Either message lists every offence, of mapping and deals together.
    """
    return read_export(path, mapping, people, encoding=encoding)[0]


def read_export(
    path: FilePath,
    mapping: FilePath | Mapping[str, Any] | None = None,
    people: FilePath | pd.DataFrame | None = None,
    *,
    encoding: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The deals as `read_deals` reads them, and what was found that does not stand in the way.

    Returns
    -------
    deals : DataFrame
        As of `read_deals`, which says what is raised.
    findings : DataFrame
        ``severity, column, rows, first_deal, message``: warnings, and what a preset could not place.
    """
    read = _read(read_bytes(path), str(path), read_mapping(mapping), people, encoding)
    refuse(read.findings, rows=len(read.deals), error=read.error)
    return validate_deals(read.deals), findings_table(read.findings)


def read_visits(path: FilePath, *, encoding: str | None = None) -> pd.DataFrame:
    """Read a log of past visits from CSV, XLSX or Parquet.

    Returns
    -------
    DataFrame
        ``deal_id, role, executive, date, tier_before, tier_after, coverage``, a row a visit; missing where blank.

    Raises
    ------
    InputError
        When the file cannot be read.
    PlanError
        When a column is missing or a cell holds what it may not: every offence at once.
    """
    sheet = parse_sheet(
        read_bytes(path), str(path), encoding=encoding, known=lambda name: visit_column(name) is not None
    )
    return visits_on(sheet)


def read_rates(path: FilePath, *, encoding: str | None = None) -> pd.DataFrame:
    """A dated rate table from CSV, XLSX or Parquet.

    Columns ``currency, rate, from`` and, if it ends, ``to`` (its last day): one unit of ``currency`` is ``rate`` units
    of the report's currency. Salesforce's ``IsoCode, ConversionRate, StartDate, NextStartDate`` is understood: there
    one unit of the corporate currency is ``ConversionRate`` units of the other.

    Returns
    -------
    DataFrame with ``currency, rate, valid_from, valid_to``, all rates the same way round; ``valid_to`` may be missing

    Raises
    ------
    InputError
        The file cannot be read.
    ForecastError
        A column is missing or a cell is wrong: every offence at once.
    """
    sheet = parse_sheet(
        read_bytes(path), str(path), encoding=encoding, known=lambda name: rate_column(name) is not None
    )
    return rates_on(sheet)


def read_changes(
    path: FilePath,
    mapping: FilePath | Mapping[str, Any] | None = None,
    *,
    zone: str = "UTC",
    encoding: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a log of changes: a CRM's, or the plain ``deal_id, changed_on, field, old, new``.

    Parameters
    ----------
    mapping : path, dict or None
        As the deals are read with: the same columns, values and preset.
    zone : str
        Where the reviews are held: timestamps with an offset are told in it.

    Returns
    -------
    changes : DataFrame
        ``deal_id, changed_at, field, old, new, has_old, kind, order``: a row a change of one of our columns.
    findings : DataFrame
        ``severity, column, rows, first_deal, message``: what was left out, and what is odd.

    Raises
    ------
    InputError
        When the file cannot be read or is no log of changes.
    MappingError, DealTableError
        When the mapping, the zone, a day or a value is wrong: every offence at once.
    """
    understood, faults = read_mapping(mapping)
    if not is_zone(zone):
        faults = [*faults, no_zone(zone)]
    refuse([whole("error", "", fault) for fault in faults], rows=0, error=MappingError)
    preset = read_preset(understood.preset) if understood.preset else None
    chosen = encoding or understood.encoding
    sheet = parse_sheet(
        read_bytes(path), str(path), encoding=chosen, delimiter=understood.delimiter, known=log_headers(preset)
    )
    changes, findings = changes_on(sheet, understood, preset, zone)
    return changes, findings_table(findings)


def check_file(
    path: FilePath,
    mapping: FilePath | Mapping[str, Any] | None = None,
    people: FilePath | pd.DataFrame | None = None,
    *,
    encoding: str | None = None,
) -> pd.DataFrame:
    """All there is to say about an export: errors that ``read_deals`` would refuse, warnings, and notes.

    Returns
    -------
    DataFrame
        ``severity, column, rows, first_deal, message``; errors first.

    Raises
    ------
    InputError
        When the export or the people table is missing, a folder, or may not be read. What is wrong inside is told.
    MappingError
        When the mapping is no TOML.
    """
    understood, faults = read_mapping(mapping)
    data = read_bytes(path)
    try:
        read = _read(data, str(path), (understood, faults), people, encoding)
    except InputError as fault:
        return findings_table([whole("error", "", message) for message in (*faults, str(fault))])
    findings = [*read.findings, *suspect(read.deals, read.mapping), *describe(read.sheet, read.deals)]
    return findings_table(findings)


def read_contact_roles(
    people: FilePath, mapping: FilePath | Mapping[str, Any] | None, *, encoding: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """A CRM's table of contact roles with the day each was entered on; None where ``people`` is no such table.

    Returns
    -------
    roles : DataFrame
        ``deal_id, person, role, coverage, known_on``; `cover` merges those known by a day.
    findings : DataFrame
        ``severity, column, rows, first_deal, message``: what was left out, and what the crosswalk had to guess.

    Raises
    ------
    InputError
        The file cannot be read, or is of sellers.
    """
    understood, _ = read_mapping(mapping)
    if understood.preset is None:
        return None
    preset = read_preset(understood.preset)
    sheet = _people_sheet(people, encoding, preset)
    if not is_role_table(preset, map(str, sheet.cells.columns)):
        return None
    roles, findings = read_roles(preset, sheet, understood.zone)
    return roles, findings_table(findings)


def cover(deals: pd.DataFrame, roles: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """``deals`` with the coverage that roles known by the end of ``day`` give them; one without a day is left out."""
    known = roles[(roles["known_on"] <= day) & roles[ID].isin(deals[ID])]
    if known.empty:
        return deals
    table, findings = read_people(_people_sheet(known.drop(columns="known_on"), None))
    refuse(findings, rows=len(table))
    covered, findings = merge_people(deals, table)
    refuse(findings, rows=len(covered))
    blank = [name for name in covered if name not in deals and covered[name].isna().all()]
    return covered.drop(columns=blank)


def read_people_table(people: FilePath | pd.DataFrame, *, encoding: str | None = None) -> pd.DataFrame:
    """The people table by itself: who holds which role, as ``read_deals`` would take it.

    Returns
    -------
    DataFrame
        One row per deal, date, person and role: ``deal_id, as_of, person, role, tier, influence, coverage`` and the
        rubric's items that it rates; missing where unknown.

    Raises
    ------
    InputError
        When the file cannot be read.
    DealTableError
        When the table is wrong. The message lists every offence.
    """
    table, findings = read_people(_people_sheet(people, encoding))
    refuse(findings, rows=len(table))
    return table.drop(columns="row")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """An export read as far as it goes."""

    sheet: Sheet
    mapping: DealMapping
    deals: pd.DataFrame
    findings: list[Finding]
    error: type[WinprobError]


def _read(
    data: bytes,
    name: str,
    given: tuple[DealMapping, list[str]],
    people: FilePath | pd.DataFrame | None,
    encoding: str | None,
) -> _Read:
    mapping, faults = given
    preset = read_preset(mapping.preset) if mapping.preset else None
    sheet = parse_sheet(
        data,
        name,
        encoding=encoding or mapping.encoding,
        delimiter=mapping.delimiter,
        known=known_header(preset) if preset else looked_for(mapping),
    )
    if preset:
        sheet, mapping, reading = _read_by_preset(preset, sheet, mapping)
    else:
        reading = read_sheet(sheet, mapping, faults)
    deals, findings = reading.deals, reading.findings
    if people is not None:
        table, of_people = _people(people, encoding, preset)
        findings = [*findings, *of_people]
        if len(table) and not any(found.severity == "error" for found in of_people):
            deals, of_merge = merge_people(deals, table)
            findings += of_merge
    findings = sorted((*findings, *check_deals(deals)), key=lambda found: SEVERITIES.index(found.severity))
    return _Read(sheet=sheet, mapping=mapping, deals=deals, findings=findings, error=reading.error)


def _read_by_preset(preset: Preset, sheet: Sheet, own: DealMapping) -> tuple[Sheet, DealMapping, Reading]:
    """The deals as the preset reads them, where the user's own mapping goes before it."""
    fitted = fit_preset(preset, sheet, own.own)
    mapping, faults = read_mapping(fitted.table)
    reading = read_sheet(fitted.sheet, mapping, [*fitted.faults, *faults])
    reading.deals = settle(reading.deals, fitted)
    reading.findings += [*fitted.notes, *stage_notes(fitted, reading.deals)]
    return fitted.sheet, mapping, reading


def _people(
    people: FilePath | pd.DataFrame, encoding: str | None, preset: Preset | None
) -> tuple[pd.DataFrame, list[Finding]]:
    sheet = _people_sheet(people, encoding, preset)
    if preset is None:
        return read_people(sheet)
    if not is_role_table(preset, map(str, sheet.cells.columns)):
        return read_people(with_one_id(preset, sheet))
    roles, findings = read_roles(preset, sheet)
    if roles.empty:
        return pd.DataFrame(), [*findings, whole("warning", "role", gettext("people: no row names a role that counts"))]
    table, of_people = read_people(_people_sheet(roles.drop(columns="known_on"), None, None))
    return table, [*findings, *of_people]


def _people_sheet(people: FilePath | pd.DataFrame, encoding: str | None, preset: Preset | None = None) -> Sheet:
    if not isinstance(people, pd.DataFrame):
        known = known_header(preset) if preset else is_people_header
        return parse_sheet(read_bytes(people), str(people), encoding=encoding, known=known)
    cells = people.reset_index(drop=True).rename(columns=str)
    return Sheet(name="people", cells=cells, rows=np.arange(1, len(cells) + 1), kind="frame")
