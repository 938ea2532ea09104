"""Where do deals come from and go to? Files in, canonical deal tables out, and tables of results written back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winprob.errors import InputError, WinprobError
from winprob.schema import Finding, check_deals, refuse, validate_deals
from winprob.schema.findings import SEVERITIES, findings_table, whole
from winprob.tables.audit import describe, suspect
from winprob.tables.deals import looked_for, read_sheet
from winprob.tables.files import Sheet, parse_sheet, read_bytes
from winprob.tables.mapping import DealMapping, read_mapping
from winprob.tables.people import is_people_header, merge_people, read_people
from winprob.tables.rates import rate_column, rates_on
from winprob.tables.visits import visit_column, visits_on
from winprob.tables.write import FORMATS, replacing, require_writable, write_table

__all__ = [
    "FORMATS",
    "check_file",
    "read_deals",
    "read_people_table",
    "read_rates",
    "read_visits",
    "replacing",
    "require_writable",
    "write_table",
]

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
    understood, faults = read_mapping(mapping)
    read = _read(read_bytes(path), str(path), understood, faults, people, encoding)
    refuse(read.findings, rows=len(read.deals), error=read.error)
    return validate_deals(read.deals)


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
        read = _read(data, str(path), understood, faults, people, encoding)
    except InputError as fault:
        return findings_table([whole("error", "", message) for message in (*faults, str(fault))])
    findings = [*read.findings, *suspect(read.deals, understood), *describe(read.sheet, read.deals)]
    return findings_table(findings)


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
    deals: pd.DataFrame
    findings: list[Finding]
    error: type[WinprobError]


def _read(
    data: bytes,
    name: str,
    mapping: DealMapping,
    faults: list[str],
    people: FilePath | pd.DataFrame | None,
    encoding: str | None,
) -> _Read:
    sheet = parse_sheet(
        data,
        name,
        encoding=encoding or mapping.encoding,
        delimiter=mapping.delimiter,
        known=looked_for(mapping),
    )
    reading = read_sheet(sheet, mapping, faults)
    deals, findings = reading.deals, reading.findings
    if people is not None:
        table, of_people = read_people(_people_sheet(people, encoding))
        findings = [*findings, *of_people]
        if not any(found.severity == "error" for found in of_people):
            deals, of_merge = merge_people(deals, table)
            findings += of_merge
    findings = sorted((*findings, *check_deals(deals)), key=lambda found: SEVERITIES.index(found.severity))
    return _Read(sheet=sheet, deals=deals, findings=findings, error=reading.error)


def _people_sheet(people: FilePath | pd.DataFrame, encoding: str | None) -> Sheet:
    if not isinstance(people, pd.DataFrame):
        return parse_sheet(read_bytes(people), str(people), encoding=encoding, known=is_people_header)
    cells = people.reset_index(drop=True).rename(columns=str)
    return Sheet(name="people", cells=cells, rows=np.arange(1, len(cells) + 1), kind="frame")
