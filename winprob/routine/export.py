"""The weekly export: the newest file of a pattern, the day of which it is, and what a first one was understood as."""

import datetime as dt
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.schema import COLUMNS, is_closed, is_open
from winprob.data.tables import check_file, closed_only, forecast_set_at_close, hindsight, read_export
from winprob.data.tables.databases.queries import is_query
from winprob.errors import InputError, WinprobError
from winprob.i18n import gettext

_DAY = re.compile(r"(?<!\d)(20\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_MARKS = "*?["


def export_pattern(path: str) -> str:
    """A path in which the day of the file's name is any text: the file of every later week matches it too."""
    folder, name = os.path.split(path)
    return os.path.join(folder, name if any(mark in name for mark in _MARKS) else _DAY.sub("*", name))


def newest_export(folder: Path, pattern: str) -> Path:
    """The newest file that matches: by the days in the names, where all have one, else by the time of its last change.

    Raises
    ------
    InputError
        No file matches.
    """
    path = Path(pattern)
    base, wanted = (Path(path.anchor), str(path.relative_to(path.anchor))) if path.anchor else (folder, pattern)
    found = [each for each in base.glob(wanted) if each.is_file()] if wanted else []
    if not found:
        raise InputError(
            gettext(
                "no file matches the export {pattern!r} of the project folder {folder}. Put the week's export there, "
                "or name it: winprob week EXPORT",
                pattern=pattern,
                folder=folder,
            )
        )
    days = {each: day_in_name(each) for each in found}
    if all(days.values()):
        return max(found, key=lambda each: (str(days[each]), str(each)))
    return max(found, key=lambda each: (each.stat().st_mtime_ns, str(each)))


def day_in_name(path: Path) -> dt.date | None:
    """The last day in a file's name: ``crm_2026-09-30.csv``, ``20260930.xlsx``."""
    for year, _, month, day in reversed(_DAY.findall(path.name)):
        try:
            return dt.date(int(year), int(month), int(day))
        except ValueError:
            continue
    return None


def export_day(path: Path, deals: pd.DataFrame) -> tuple[dt.date, str]:
    """The day of an export and where it was found: in its name, its newest reading, or the file's last change.

    A query has none of a file's days: what it reads is today's, unless it has readings.
    """
    if not is_query(path) and (named := day_in_name(path)) is not None:
        return named, gettext("from the file's name")
    if "as_of" in deals and deals["as_of"].notna().any():
        return deals["as_of"].max().date(), gettext("its newest reading")
    if is_query(path):
        return dt.date.today(), gettext("read from the database today")
    changed = dt.datetime.fromtimestamp(path.stat().st_mtime).date()
    return changed, gettext("the day on which the file was last changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A first export as it was read.

    Attributes
    ----------
    deals : in canonical columns; None where it has errors
    findings : of the check
    """

    path: Path
    deals: pd.DataFrame | None
    findings: pd.DataFrame

    def day(self) -> dt.date | None:
        """The day of the export; None where it could not be read."""
        return None if self.deals is None else export_day(self.path, self.deals)[0]

    def next_day(self) -> dt.date | None:
        """The day after it, whose quarter is the coming one."""
        day = self.day()
        return None if day is None else day + dt.timedelta(days=1)

    def errors(self) -> list[str]:
        """Its errors, by column."""
        rows = self.findings[self.findings["severity"] == "error"]
        return [_line(row) for row in rows.to_dict("records")]


def _line(finding: Mapping[Hashable, Any]) -> str:
    """A finding's message, after its column where it has one."""
    return f"{finding['column']}: {finding['message']}" if finding["column"] else str(finding["message"])


def understand(
    path: Path, mapping: dict[str, Any] | Path | None, people: Path | None, encoding: str | None
) -> Understood:
    """Read a first export with its findings.

    Raises
    ------
    InputError, MappingError
        A file is missing or cannot be read at all.
    """
    findings = check_file(path, mapping, people, encoding=encoding)
    try:
        deals = read_export(path, mapping, people, encoding=encoding)[0]
    except WinprobError:
        # Its errors are among the findings.
        deals = None
    return Understood(path=path, deals=deals, findings=findings)


def of_a_snapshot(findings: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """The findings without those on closed deals as training data: the routine learns from the history."""
    of_training = (*hindsight(deals), *closed_only(deals), *forecast_set_at_close(deals, is_closed(deals)))
    messages = {finding.message for finding in of_training}
    return findings[~findings["message"].isin(messages)].reset_index(drop=True)


def understood_sentences(understood: Understood) -> Iterator[str]:
    """How many deals there are, which columns became what, what is missing, and what to fix."""
    deals = understood.deals
    if deals is None:
        errors = understood.errors()
        yield gettext("{path} cannot be used yet, errors to fix: {count}", path=understood.path, count=len(errors))
        yield from (f"  - {error}" for error in errors)
        return
    yield gettext(
        "{path}: {deals} deals, {open} open, {closed} closed, as of {day}.",
        path=understood.path,
        deals=len(deals),
        open=int(is_open(deals).sum()),
        closed=int(is_closed(deals).sum()),
        day=understood.day(),
    )
    notes = understood.findings[understood.findings["severity"] == "note"]
    yield from (f"  {_line(row)}" for row in notes.to_dict("records") if row["column"] in (*COLUMNS, ""))
    warnings = int((of_a_snapshot(understood.findings, deals)["severity"] == "warning").sum())
    if warnings:
        yield gettext("{warnings} warnings: winprob check lists them.", warnings=warnings)
