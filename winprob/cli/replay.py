"""How do exports and change logs become snapshots? The work behind ``winprob snapshot``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winprob.cli.show import tell
from winprob.errors import HistoryError
from winprob.i18n import gettext

if TYPE_CHECKING:
    import pandas as pd

    from winprob.data.history import Every, Snapshot
    from winprob.settings import CalendarSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The files of an export, and how they are read. ``mapping`` names the zone."""

    deals: Path
    mapping: dict[str, Any]
    people: Path | None
    encoding: str | None


def keep(export: Export, as_of: str, history: Path) -> Snapshot:
    """One snapshot of what the export knows; a contact role entered after ``as_of`` is not known yet."""
    from winprob.data.history import as_day, write_snapshot
    from winprob.data.tables import cover, read_export

    day, roles = as_day(as_of), _roles(export)
    people = export.people if roles is None else None
    table, found = read_export(export.deals, export.mapping, people, encoding=export.encoding)
    _report(found)
    if roles is not None:
        # Without a day a role is as old as the export.
        table = cover(table, roles.fillna({"known_on": day}), day)
    return write_snapshot(table, day, history)


def keep_replay(
    export: Export,
    logs: Iterable[Path],
    history: Path,
    *,
    as_of: str,
    every: Every,
    calendar: CalendarSettings,
    static: Iterable[str],
) -> list[Snapshot]:
    """A snapshot for each review day on which there was a deal."""
    from winprob.data.history import as_day, replay_changes, review_days, write_snapshot
    from winprob.data.tables import cover, read_export

    last, roles = as_day(as_of), _roles(export)
    if export.people and roles is None:
        raise HistoryError(
            gettext(
                "{people} does not say since when its people are known: a replay takes a CRM's table of contact roles",
                people=export.people,
            )
        )
    current, found = read_export(export.deals, export.mapping, encoding=export.encoding)
    _report(found)
    first = current["opened_on"].min() if "opened_on" in current else None
    days = review_days(first, last, every=every, calendar=calendar) if first is not None and first == first else []
    told, findings = replay_changes(current, _changes(export, logs), days, static=static)
    _report(findings)
    frames = ((day, known if roles is None else cover(known, roles, day)) for day, known in told)
    kept = [write_snapshot(frame, day, history) for day, frame in frames if len(frame)]
    if not kept:
        raise HistoryError(gettext("no review day up to --as-of on which there was a deal: nothing was added"))
    return kept


def _roles(export: Export) -> pd.DataFrame | None:
    from winprob.data.tables import read_contact_roles

    if export.people is None:
        return None
    read = read_contact_roles(export.people, export.mapping, encoding=export.encoding)
    if read is None:
        return None
    _report(read[1])
    return read[0]


def _changes(export: Export, logs: Iterable[Path]) -> pd.DataFrame:
    import pandas as pd

    from winprob.data.tables import read_changes

    parts = []
    for log in logs:
        changes, found = read_changes(log, export.mapping, zone=str(export.mapping["zone"]), encoding=export.encoding)
        _report(found)
        parts.append(changes)
    return pd.concat(parts, ignore_index=True)


def _report(findings: pd.DataFrame) -> None:
    """What was found on the way, on stderr, the same thing once."""
    said = findings[["severity", "column", "message"]].drop_duplicates()
    for severity, column, message in said.itertuples(index=False):
        tell(f"{severity}: {column}: {message}" if column else f"{severity}: {message}")
