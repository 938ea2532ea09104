"""Commands of the data wing: ``simulate``, ``check``, ``preset`` and ``snapshot``."""

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Frame, Output, Source, load_settings
from winprob.cli.show import echo_notes, progress, show, write_page
from winprob.errors import HistoryError, SettingsError
from winprob.i18n import gettext

if TYPE_CHECKING:
    from winprob.data.history import Every, Snapshot

#: More than any team has; a slip of the finger must not fill the memory.
COUNT = click.IntRange(0, 100_000_000)


@app.main.command()
@click.option("--deals", type=COUNT, default=300, show_default=True, help="Closed deals.")
@click.option("--open", "open_deals", type=COUNT, default=60, show_default=True, help="Open deals.")
@options.target("--out", type=options.KEPT_FOLDER, required=True, help="Folder to write to.")
@click.option("--format", "output_format", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option(
    "--quarters",
    type=click.IntRange(1, 40),
    help="Write a history of that many quarters, one export every Monday, instead of the two tables.",
)
@options.day("--until", help="The last day of such a history.")
@options.seed
def simulate(
    deals: int,
    open_deals: int,
    out: Path,
    output_format: Literal["csv", "parquet"],
    quarters: int | None,
    until: dt.date | None,
    seed: int,
) -> None:
    """Simulate the deals of a team with known truth: closed, open, people, truth.nc; or its history, week by week."""
    if quarters is not None:
        _simulate_history(out, quarters, until, seed)
        return
    from winprob.simulation import write_simulation

    with progress() as follow:
        write_simulation(
            out,
            deals,
            open_deals,
            seed=seed,
            format=output_format,
            progress=lambda done, total: follow(gettext("simulating"), done / max(total, 1)),
        )
    echo_notes(
        gettext("{deals} closed and {open_deals} open deals are in {out}.", deals=deals, open_deals=open_deals, out=out)
    )


def _simulate_history(out: Path, quarters: int, until: dt.date | None, seed: int) -> None:
    """Write the export of every Monday, and of each quarter's first day, to the history ``out``.

    Raises
    ------
    SettingsError
        ``until`` is before the first export.
    HistoryError, OutputError
        ``out`` is not a history, or cannot be written to.
    """
    from winprob.simulation import simulate_pipeline

    pipeline = simulate_pipeline(seed=seed, quarters=quarters)
    first, last = pipeline.first_day, min(until, pipeline.last_day) if until else pipeline.last_day
    days = _export_days(first, last)
    if not days:
        raise SettingsError(
            gettext("the history begins on {first}, after {last}: nothing to write", first=first, last=last)
        )
    with progress() as follow:
        for done, day in enumerate(days):
            follow(gettext("simulating"), done / len(days))
            winprob.write_snapshot(pipeline.known_on(day), day, out)
    echo_notes(
        gettext(
            "{count} exports from {first} to {last} are in {out}.", count=len(days), first=days[0], last=last, out=out
        )
    )


def _export_days(first: dt.date, last: dt.date) -> list[dt.date]:
    """Every Monday, the first day of each calendar quarter, and the last day."""
    every = (first + dt.timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in every if day.weekday() == 0 or (day.day == 1 and day.month % 3 == 1) or day == last]


@app.main.command()
@options.source()
@options.idle_seed
@options.output
def check(source: Source, output: Output) -> None:
    """Check an export or a history: list all errors and warnings. Exit code 1 if there is an error."""
    findings = source.check()
    show(findings, output, least=("rows",))
    errors = int((findings["severity"] == "error").sum())
    warnings = int((findings["severity"] == "warning").sum())
    if errors:
        echo_notes(
            gettext("{errors} errors to fix before training, {warnings} warnings.", errors=errors, warnings=warnings)
        )
        raise SystemExit(1)
    lacking = findings.attrs.get("not_ready", [])
    if not lacking:
        echo_notes(gettext("Ready to use: no errors, {warnings} warnings.", warnings=warnings))
        return
    echo_notes(
        gettext("No errors, {warnings} warnings. Ready to read, but not for every use:", warnings=warnings),
        *(f"  - {reason}" for reason in lacking),
    )


@app.main.command()
@click.argument("name", type=options.PRESET)
@options.target("--out", help="Write the file here instead of to the screen.")
def preset(name: str, out: Path | None) -> None:
    """Print the preset of a CRM (salesforce, hubspot, ...), to edit: --preset takes the edited file."""
    from winprob.data.tables import preset_text

    write_page(preset_text(name), out)


@app.main.command()
@options.source()
@click.option("--as-of", help="The day of the export, YYYY-MM-DD; with --changes, by default the last day of the log.")
@options.target(
    "--history", type=options.KEPT_FOLDER, required=True, help="The history's folder; made if it does not exist."
)
@click.option(
    "--changes", type=options.FILE, multiple=True, help="A CRM's change log: write a snapshot for each review day."
)
@click.option("--every", type=click.Choice(["quarter", "month", "week"]), default="quarter", show_default=True)
@click.option("--zone", help="The time zone of the reviews, which decides the day of a time. Default: UTC.")
@click.option("--static", multiple=True, help="A further column of DEALS that never changes after a deal's first day.")
@options.settings
@options.idle_seed
@options.output
def snapshot(
    source: Source,
    as_of: str | None,
    history: Path,
    changes: tuple[Path, ...],
    every: "Every",
    zone: str | None,
    static: tuple[str, ...],
    settings: Path | None,
    output: Output,
) -> None:
    """Add an export to a history of what was known when, or replay a change log. Snapshots are never rewritten."""
    from pandas import DataFrame

    from winprob.data.history import export_day

    if as_of is None and not changes:
        raise click.UsageError(gettext("Missing option '--as-of': the day of the export, YYYY-MM-DD."))
    day = None if as_of is None else export_day(as_of)
    source = in_zone(source, zone)
    if changes:
        chosen = load_settings(settings)
        snapshots = _replay(source, changes, history, day, every=every, settings=chosen, static=static)
    else:
        snapshots = [add_snapshot(source, day, history)]
    rows = [{"as_of": f"{one.as_of:%Y-%m-%d}", "deals": one.deals, "added": one.added} for one in snapshots]
    show(DataFrame(rows), output)
    echo_notes(*(_replay_sentences(snapshots) if changes else snapshot_sentences(snapshots[0])))


def in_zone(source: Source, zone: str | None) -> Source:
    """The source with a time zone in its mapping: the option's, else the mapping's own, else UTC."""
    return source.with_entries(zone=zone or source.entries().get("zone", "UTC"))


def add_snapshot(source: Source, day: Any, history: Path) -> "Snapshot":
    """One snapshot of what the export knows; a contact role entered after ``day`` is not known yet."""
    roles = _read_contact_roles(source)
    table = _read_export(source, source.people if roles is None else None)
    # A role without a day is as old as the export.
    known = None if roles is None else roles.fillna({"known_on": day})
    return winprob.write_snapshot(_defined(_cover(table, known, day), source), day, history)


def _defined(table: Frame, source: Source) -> Frame:
    """The table with hashes of what its facts mean by the source's mapping, which its snapshot keeps."""
    from winprob.retrain.candidate import define

    table.attrs["definitions"] = define(source.entries()).digests
    return table


def _replay(
    source: Source,
    logs: Iterable[Path],
    history: Path,
    last: Any,
    *,
    every: "Every",
    settings: "winprob.Settings",
    static: Iterable[str],
) -> "list[Snapshot]":
    """A snapshot for each review day on which there was a deal."""
    from winprob.data.history import FIRST_DAY, review_days

    roles = _read_contact_roles(source)
    if source.people and roles is None:
        raise HistoryError(
            gettext(
                "{people} has no dates from which its people are known: a replay takes a CRM's table of contact roles",
                people=source.people,
            )
        )
    current, log = _read_export(source), _read_change_logs(source, logs)
    last = _last_day(log) if last is None else last
    first = current["opened_on"].min() if "opened_on" in current else None
    calendar = settings.calendar
    first = max(first, FIRST_DAY) if first is not None and first == first else None
    days = review_days(first, last, every=every, calendar=calendar) if first is not None else []
    replayed, findings = winprob.replay_changes(current, log, days, static=static)
    _echo_findings(findings)
    frames = ((day, _cover(known, roles, day)) for day, known in replayed)
    snapshots = [winprob.write_snapshot(_defined(frame, source), day, history) for day, frame in frames if len(frame)]
    if not snapshots:
        raise HistoryError(gettext("no review day up to --as-of on which there was a deal: nothing was added"))
    return snapshots


def _last_day(log: options.Frame) -> Any:
    """The last day of a change log.

    Raises
    ------
    HistoryError
        The log has no change.
    """
    if log.empty:
        raise HistoryError(gettext("the change log has no change of a column that is read: give --as-of"))
    return log["changed_at"].max().normalize()


def _read_export(source: Source, people: Path | None = None) -> options.Frame:
    from winprob.data.tables import read_export

    table, findings = read_export(source.path, source.mapping, people, encoding=source.encoding)
    _echo_findings(findings)
    return table


def _read_contact_roles(source: Source) -> options.Frame | None:
    from winprob.data.tables import read_contact_roles

    read = read_contact_roles(source.people, source.mapping, encoding=source.encoding) if source.people else None
    if read is None:
        return None
    roles, findings = read
    _echo_findings(findings)
    return roles


def _cover(deals: options.Frame, roles: options.Frame | None, day: Any) -> options.Frame:
    """The deals with the contact roles known on a day; unchanged where there is no table of roles."""
    from winprob.data.tables import cover

    return deals if roles is None else cover(deals, roles, day)


def _read_change_logs(source: Source, logs: Iterable[Path]) -> options.Frame:
    from pandas import concat

    zone = str(source.entries()["zone"])
    parts = []
    for log in logs:
        changes, findings = winprob.read_changes(log, source.mapping, zone=zone, encoding=source.encoding)
        _echo_findings(findings)
        parts.append(changes)
    return concat(parts, ignore_index=True)


def _echo_findings(findings: options.Frame) -> None:
    """Print findings as notes, each distinct one once."""
    distinct = findings[["severity", "column", "message"]].drop_duplicates()
    for severity, column, message in distinct.itertuples(index=False):
        echo_notes(f"{severity}: {column}: {message}" if column else f"{severity}: {message}")


def _replay_sentences(snapshots: "list[Snapshot]") -> Iterator[str]:
    added = sum(one.added for one in snapshots)
    yield gettext(
        "{added} snapshots added to {path}, {same} were there already.",
        added=added,
        path=snapshots[0].place.parent,
        same=len(snapshots) - added,
    )


def snapshot_sentences(one: "Snapshot") -> Iterator[str]:
    values = {"deals": one.deals, "day": f"{one.as_of:%Y-%m-%d}", "path": one.place.parent}
    if one.added:
        yield gettext("{deals} deals as of {day} are in {path}.", **values)
    else:
        yield gettext("The same export is in {path} already, as of {day}: nothing to add.", **values)
    if one.next_day:
        yield gettext(
            "{count} deals closed on the day after {day}: treated as a time-zone difference.",
            count=one.next_day,
            day=values["day"],
        )
    if one.left_out:
        yield gettext(
            "Not kept, being neither canonical nor covariates: {columns}. Name them in mapping.toml to keep them.",
            columns=", ".join(map(repr, one.left_out)),
        )
