"""How do exports and change logs become snapshots? The work behind ``winprob snapshot``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from winprob.catalog import say
from winprob.cli.show import tell
from winprob.errors import HistoryError

if TYPE_CHECKING:
    import pandas as pd

    from winprob.history import Snapshot


def keep(
    deals: Path, mapping: dict[str, Any], people: Path | None, encoding: str | None, as_of: datetime, history: Path
) -> pd.DataFrame:
    """One snapshot of what the export knows; a contact role entered after ``as_of`` is not known yet."""
    import pandas as pd

    from winprob.history import write_snapshot
    from winprob.tables import cover, read_contact_roles, read_export

    roles = read_contact_roles(people, mapping, encoding=encoding) if people else None
    table, found = read_export(deals, mapping, None if roles else people, encoding=encoding)
    _report(found)
    if roles:
        _report(roles[1])
        # Without a day a role is as old as the export.
        known = roles[0].fillna({"known_on": pd.Timestamp(as_of)})
        table = cover(table, known, pd.Timestamp(as_of))
    return _rows([(write_snapshot(table, as_of, history), table)])


def keep_replay(
    deals: Path,
    mapping: dict[str, Any],
    people: Path | None,
    encoding: str | None,
    history: Path,
    *,
    logs: Iterable[Path],
    zone: str,
    static: Iterable[str],
    days: Callable[[pd.Timestamp], list[pd.Timestamp]],
) -> pd.DataFrame:
    """A snapshot for each review day on which there was a deal."""
    import pandas as pd

    from winprob.history import replay_changes, write_snapshot
    from winprob.tables import cover, read_changes, read_contact_roles, read_export

    roles = read_contact_roles(people, mapping, encoding=encoding) if people else None
    if people and not roles:
        raise HistoryError(
            say(
                "{people} does not say since when its people are known: a replay takes a CRM's table of contact roles",
                people=people,
            )
        )
    current, found = read_export(deals, mapping, encoding=encoding)
    read = [read_changes(log, mapping, zone=zone, encoding=encoding) for log in logs]
    log = pd.concat([changes for changes, _ in read], ignore_index=True)
    first = current["opened_on"].min() if "opened_on" in current else pd.NaT
    told, findings = replay_changes(current, log, [] if pd.isna(first) else days(first), static=static)
    _report(pd.concat([found, *(odd for _, odd in read), *([roles[1]] if roles else []), findings]))
    kept = []
    for day, known in told:
        frame = cover(known, roles[0], day) if roles else known
        if len(frame):
            kept.append((write_snapshot(frame, day, history), frame))
    if not kept:
        raise HistoryError(say("no review day up to --as-of on which there was a deal: nothing was added"))
    return _rows(kept)


def _report(findings: pd.DataFrame) -> None:
    """What was found on the way, on stderr, the same thing once."""
    for severity, column, message in (
        findings[["severity", "column", "message"]].drop_duplicates().itertuples(index=False)
    ):
        tell(f"{severity}: {column}: {message}" if column else f"{severity}: {message}")


def _rows(kept: list[tuple[Snapshot, pd.DataFrame]]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "as_of": f"{snapshot.as_of:%Y-%m-%d}",
            "deals": snapshot.deals,
            "open": _count(table, open_ones=True),
            "closed": _count(table, open_ones=False),
            "added": snapshot.added,
        }
        for snapshot, table in kept
    ]
    return pd.DataFrame(rows)


def _count(table: pd.DataFrame, *, open_ones: bool) -> int:
    if "outcome" not in table:
        return 0
    known = table["outcome"].notna()
    return int((known & ((table["outcome"] == "open") == open_ones)).sum())
