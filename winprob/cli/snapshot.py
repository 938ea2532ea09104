"""``winprob snapshot``: keep what an export says of a day, for good, or what a change log says of the days before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winprob.cli.commands import main
from winprob.cli.options import FILE, deals_argument, idle_seed_option, reading, settings_option, showing, spoken
from winprob.cli.show import show, tell
from winprob.i18n import gettext

if TYPE_CHECKING:
    from winprob.data.history import Every, Snapshot


@main.command()
@deals_argument
@click.option("--as-of", required=True, help="The day of the export, YYYY-MM-DD.")
@click.option("--history", type=FILE, required=True, help="The history's folder; made where there is none.")
@reading
@click.option("--changes", type=FILE, multiple=True, help="A CRM's log of changes: a snapshot per review day instead.")
@click.option("--every", type=click.Choice(["quarter", "month", "week"]), default="quarter", show_default=True)
@click.option("--zone", help="Where the reviews are held: which day a time is on. Default: UTC.")
@click.option("--static", multiple=True, help="A further column of DEALS that holds from a deal's first day on.")
@settings_option
@idle_seed_option
@showing
@spoken
def snapshot(
    deals: Path,
    as_of: str,
    history: Path,
    mapping: Path | dict[str, Any] | None,
    people: Path | None,
    encoding: str | None,
    changes: tuple[Path, ...],
    every: Every,
    zone: str | None,
    static: tuple[str, ...],
    settings: Path | None,
    form: str,
    out: Path | None,
) -> None:
    """Add an export to a history of what was known when, or replay a log of changes. Nothing is ever rewritten."""
    import pandas as pd

    from winprob.cli.replay import Export, keep, keep_replay
    from winprob.settings import Settings, read_settings

    export = Export(deals=deals, mapping=_in_zone(mapping, zone), people=people, encoding=encoding)
    if changes:
        calendar = (read_settings(settings) if settings else Settings()).calendar
        kept = keep_replay(export, changes, history, as_of=as_of, every=every, calendar=calendar, static=static)
    else:
        kept = [keep(export, as_of, history)]
    rows = [{"as_of": f"{one.as_of:%Y-%m-%d}", "deals": one.deals, "added": one.added} for one in kept]
    show(pd.DataFrame(rows), form=form, out=out)
    tell(*(_sentences(kept[0]) if not changes else _of_many(kept)))


def _in_zone(mapping: Path | dict[str, Any] | None, zone: str | None) -> dict[str, Any]:
    from winprob.data.tables import mapping_table

    table = mapping_table(mapping) if isinstance(mapping, Path) else (mapping or {})
    return {**table, "zone": zone or table.get("zone", "UTC")}


def _of_many(kept: list[Snapshot]) -> Iterator[str]:
    added = sum(one.added for one in kept)
    path = kept[0].place.parent
    yield gettext(
        "{added} snapshots added to {path}, {same} were there already.", added=added, path=path, same=len(kept) - added
    )


def _sentences(kept: Snapshot) -> Iterator[str]:
    words = {"deals": kept.deals, "day": f"{kept.as_of:%Y-%m-%d}", "path": kept.place.parent}
    if kept.added:
        yield gettext("{deals} deals as of {day} are in {path}.", **words)
    else:
        yield gettext("The same export is in {path} already, as of {day}: nothing to add.", **words)
    if kept.next_day:
        yield gettext(
            "{count} deals closed on the day after {day}: taken for a clock in another zone.",
            count=kept.next_day,
            day=words["day"],
        )
    if kept.left_out:
        yield gettext(
            "Not kept, being neither canonical nor covariates: {columns}. Name them in mapping.toml to keep them.",
            columns=", ".join(map(repr, kept.left_out)),
        )
