"""``winprob snapshot``: keep what is known today, or replay a change log into what was known on past review days."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import click

from winprob.catalog import say
from winprob.cli.commands import main
from winprob.cli.options import FILE, deals_argument, idle_seed_option, reading, settings_option, showing, spoken
from winprob.cli.show import show, tell


@main.command()
@deals_argument
@reading
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The day of the export.")
@click.option("--history", type=FILE, required=True, help="The folder of snapshots; made where there is none.")
@click.option(
    "--changes", type=FILE, multiple=True, help="A log of changes: one snapshot per review day until --as-of."
)
@click.option("--every", type=click.Choice(["quarter", "month", "week"]), default="quarter", show_default=True)
@click.option("--zone", default="UTC", show_default=True, help="Where the reviews are held: which day a time is on.")
@click.option("--static", multiple=True, help="A further column of DEALS that holds from a deal's first day on.")
@settings_option
@idle_seed_option
@showing
@spoken
def snapshot(
    deals: Path,
    mapping: Path | dict[str, Any] | None,
    people: Path | None,
    encoding: str | None,
    as_of: datetime,
    history: Path,
    changes: tuple[Path, ...],
    every: Literal["quarter", "month", "week"],
    zone: str,
    static: tuple[str, ...],
    settings: Path | None,
    form: str,
    out: Path | None,
) -> None:
    """Keep what an export knows, for good; or, with --changes, what was known on every review day before."""
    from winprob.cli.replay import keep, keep_replay
    from winprob.history import review_days
    from winprob.settings import Settings, read_settings

    given = _in_zone(mapping, zone)
    if not changes:
        shown = keep(deals, given, people, encoding, as_of, history)
    else:
        calendar = (read_settings(settings) if settings else Settings()).calendar
        shown = keep_replay(
            deals,
            given,
            people,
            encoding,
            history,
            logs=changes,
            zone=zone,
            static=static,
            days=lambda first: review_days(first, as_of, every=every, calendar=calendar),
        )
    show(shown, form=form, out=out)
    added = int(shown["added"].sum())
    tell(
        say(
            "{added} snapshots added to {history}, {same} were there already.",
            added=added,
            history=history,
            same=len(shown) - added,
        )
    )


def _in_zone(mapping: Path | dict[str, Any] | None, zone: str) -> dict[str, Any]:
    from winprob.tables.mapping import mapping_table

    table = mapping_table(mapping) if isinstance(mapping, Path) else (mapping or {})
    return {"zone": zone, **table}
