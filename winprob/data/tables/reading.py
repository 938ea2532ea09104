"""Read deals and people: files in, canonical deal tables and findings out."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from winprob.data.schema import Finding, check_deals, findings_table, refuse, validate_deals, whole
from winprob.data.schema.findings import SEVERITIES
from winprob.data.tables import audit, presets, readiness
from winprob.data.tables.databases.queries import Day, database
from winprob.data.tables.mapping import DealMapping, read_mapping
from winprob.data.tables.people import is_people_header, merge_people, read_people
from winprob.data.tables.plan import plan_of
from winprob.data.tables.presets import Preset, read_preset
from winprob.data.tables.sheets.files import MappingSource, PeopleSource, parse_sheet, read_bytes
from winprob.data.tables.sheets.sheet import Sheet, frame_sheet
from winprob.errors import InputError, WinprobError
from winprob.i18n import gettext


def read_deals(
    path: str | Path,
    mapping: MappingSource | None = None,
    people: PeopleSource | None = None,
    *,
    encoding: str | None = None,
    query: str | Path | None = None,
    as_of: Day = None,
) -> pd.DataFrame:
    """Read a deal table from CSV, XLSX or Parquet, or from a database.

    Parameters
    ----------
    path : path
        The export. Its format is detected from its content, its encoding and delimiter from the header that they give.
    mapping : path, dict or None
        How its columns and values become canonical; without it, headers and values must be canonical or known aliases,
        Chinese or English.
    people : path, DataFrame or None
        The people table; where it has a role's support or coverage, it takes precedence over the deal table.
    encoding : str or None
        The export's text encoding, where detection fails.
    query : path or None
        A file with one SELECT; ``path`` is then the URL of the database, as of `database`, and ``people`` may be a
        query file too.
    as_of : date, ISO text or None
        The value of the query's parameter ``:as_of``.

    Returns
    -------
    DataFrame
        Canonical columns in canonical types, covariates under their source names, one row per deal and date.
        ``attrs["covariates"]`` lists the columns that the model may learn from: ``{"varying": [name, ...],
        "numeric": [{"column": name, "transform": "log1p" or None}, ...]}``, a number also with ``"monotone"`` where the
        mapping asks for it. Without a mapping other columns are kept as text; with one that maps columns, they are left
        out.

    Raises
    ------
    InputError
        A file cannot be read: missing, empty, damaged, ragged, of another format.
    MappingError
        The mapping is wrong in itself or does not fit the export.
    DealTableError
        The deals are wrong. Either message lists every error, of mapping and deals together.

    Notes
    -----
    What was repaired or left out (rows that are no deals, cells that cannot be meant) is logged as warnings of the
    logger ``winprob``; `check_file` returns these findings as a table.
    """
    if query is not None:
        with database(str(path), as_of=as_of):
            return read_deals(query, mapping, people, encoding=encoding)
    read = _read(read_bytes(path), str(path), read_mapping(mapping), people, encoding, remarks=False)
    refuse(read.findings, rows=len(read.deals), error=read.error)
    for finding in read.findings:
        if finding.severity == "warning" and not finding.remark:
            log_warning(finding.column, finding.message)
    return validate_deals(read.deals)


def log_warning(column: str, message: str) -> None:
    """Log a warning on a column of the deals, or on all of them."""
    text = gettext("warning: {column}: {text}", column=column, text=message) if column else message
    logging.getLogger("winprob").warning(text)


def read_export(
    path: str | Path,
    mapping: MappingSource | None = None,
    people: PeopleSource | None = None,
    *,
    encoding: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The deals as `read_deals` reads them, and the findings that are not errors.

    Returns
    -------
    deals : DataFrame
        As of `read_deals`, which lists the errors.
    findings : DataFrame
        ``severity, column, rows, first_deal, message``: warnings, and values that a preset does not cover.
    """
    read = _read(read_bytes(path), str(path), read_mapping(mapping), people, encoding)
    refuse(read.findings, rows=len(read.deals), error=read.error)
    return validate_deals(read.deals), findings_table(read.findings)


def check_file(
    path: str | Path,
    mapping: MappingSource | None = None,
    people: PeopleSource | None = None,
    *,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Findings on an export: errors that ``read_deals`` would raise, warnings, and notes.

    Returns
    -------
    DataFrame
        ``severity, column, rows, first_deal, message``; errors first. ``attrs["not_ready"]`` lists what the file
        cannot be used for.

    Raises
    ------
    InputError
        The export or the people table is missing, a folder, or not readable. What is wrong inside is a finding.
    MappingError
        The mapping is not TOML.
    """
    understood, faults = read_mapping(mapping)
    data = read_bytes(path)
    try:
        read = _read(data, str(path), (understood, faults), people, encoding)
    except InputError as fault:
        return findings_table([whole("error", "", message) for message in (*faults, str(fault))])
    lacking = list(readiness.not_ready(read.deals))
    table = findings_table(
        [
            *read.findings,
            *audit.suspect(read.deals, read.mapping),
            audit.describe(read.sheet, read.deals),
            *lacking,
            *readiness.column_notes(read.sheet, read.deals, read.mapping),
        ]
    )
    table.attrs["not_ready"] = [finding.message for finding in lacking]
    return table


def read_contact_roles(
    people: str | Path, mapping: MappingSource | None, *, encoding: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """A CRM's table of contact roles with the day each was entered on; None where ``people`` is not such a table.

    Returns
    -------
    roles : DataFrame
        ``deal_id, person, role, coverage, known_on``; `cover` merges those known by a day.
    findings : DataFrame
        ``severity, column, rows, first_deal, message``: rows left out, and roles that may mean something else.

    Raises
    ------
    InputError
        The file cannot be read, or is a table of sellers.
    """
    understood, _ = read_mapping(mapping)
    if understood.preset is None:
        return None
    preset = read_preset(understood.preset)
    sheet = _people_sheet(people, encoding, preset)
    if not presets.is_role_table(preset, map(str, sheet.cells.columns)):
        return None
    roles, findings = presets.read_roles(preset, sheet, understood.zone)
    return roles, findings_table(findings)


def read_people_table(people: PeopleSource, *, encoding: str | None = None) -> pd.DataFrame:
    """Read a people table by itself, as ``read_deals`` uses it.

    Returns
    -------
    DataFrame
        One row per deal, date, person and role: ``deal_id, as_of, person, role, tier, influence, coverage``, and the
        rubric's items and the notes (``known_by, last_contact, reports_to, coach, competitor``) that it has; missing
        where unknown.

    Raises
    ------
    InputError
        The file cannot be read.
    DealTableError
        The table is wrong. The message lists every error.
    """
    table, findings = read_people(_people_sheet(people, encoding))
    refuse(findings, rows=len(table))
    return table.drop(columns="row")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """An export as far as it could be read."""

    sheet: Sheet
    mapping: DealMapping
    deals: pd.DataFrame
    findings: list[Finding]
    error: type[WinprobError]


def _read(
    data: bytes,
    name: str,
    given: tuple[DealMapping, list[str]],
    people: PeopleSource | None,
    encoding: str | None,
    *,
    remarks: bool = True,
) -> _Read:
    plan = plan_of(*given)
    sheet = parse_sheet(
        data,
        name,
        encoding=encoding or plan.mapping.encoding,
        delimiter=plan.mapping.delimiter,
        known=plan.known,
        locate=plan.locate,
        page=plan.mapping.sheet,
    )
    sheet, mapping, reading = plan.read(sheet)
    deals, findings = reading.deals, [*sheet.notes, *reading.findings]
    if people is not None:
        table, of_people = _people(people, encoding, plan.preset)
        findings += [replace(finding, remark=True) for finding in of_people]
        if len(table) and not any(finding.severity == "error" for finding in of_people):
            deals, of_merge = merge_people(deals, table)
            findings += [replace(finding, remark=True) for finding in of_merge]
    findings += check_deals(deals, remarks=remarks)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return _Read(sheet=sheet, mapping=mapping, deals=deals, findings=findings, error=reading.error)


def _people(people: PeopleSource, encoding: str | None, preset: Preset | None) -> tuple[pd.DataFrame, list[Finding]]:
    sheet = _people_sheet(people, encoding, preset)
    if preset is None or not presets.is_role_table(preset, map(str, sheet.cells.columns)):
        table, of_table = read_people(presets.with_one_id(preset, sheet) if preset else sheet)
        return table, [*sheet.notes, *of_table]
    roles, findings = presets.read_roles(preset, sheet)
    if roles.empty:
        return pd.DataFrame(), [
            *sheet.notes,
            *findings,
            whole("warning", "role", gettext("people: no row has a role that the model uses")),
        ]
    table, of_people = read_people(_people_sheet(roles.drop(columns="known_on"), None, None))
    return table, [*sheet.notes, *findings, *of_people]


def _people_sheet(people: PeopleSource, encoding: str | None, preset: Preset | None = None) -> Sheet:
    if not isinstance(people, pd.DataFrame):
        known = presets.known_header(preset) if preset else is_people_header
        return parse_sheet(read_bytes(people), str(people), encoding=encoding, known=known)
    return frame_sheet(people, "people")
