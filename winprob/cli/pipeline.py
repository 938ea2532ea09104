"""A simulated team's exports, week by week, as a history."""

from datetime import date, datetime, timedelta
from pathlib import Path

from winprob.cli.show import progress, tell
from winprob.errors import SettingsError
from winprob.i18n import gettext


def simulate_history(out: Path, quarters: int, until: datetime | None, seed: int) -> None:
    """Write the export of every Monday, and of each quarter's first day, to the history ``out``.

    Raises
    ------
    SettingsError
        ``until`` lies before the first export.
    HistoryError, OutputError
        ``out`` is something else than a history, or cannot be written to.
    """
    from winprob.data.history import write_snapshot
    from winprob.simulation import simulate_pipeline

    pipeline = simulate_pipeline(seed=seed, quarters=quarters)
    last = min(until.date(), pipeline.last_day) if until else pipeline.last_day
    days = export_days(pipeline.first_day, last)
    if not days:
        raise SettingsError(
            gettext(
                "the history begins on {first}, after {last}: nothing to write", first=pipeline.first_day, last=last
            )
        )
    with progress() as follow:
        for done, day in enumerate(days):
            follow(gettext("simulating"), done / len(days))
            write_snapshot(pipeline.known_on(day), day, out)
    tell(
        gettext(
            "{count} exports from {first} to {last} are in {out}.", count=len(days), first=days[0], last=last, out=out
        )
    )


def export_days(first: date, last: date) -> list[date]:
    """Every Monday, the first day of each calendar quarter, and the last day."""
    every = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in every if day.weekday() == 0 or (day.day == 1 and day.month % 3 == 1) or day == last]
