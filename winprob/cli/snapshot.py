"""``winprob snapshot``: keep what an export says of a day, for good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from winprob.catalog import say
from winprob.cli.commands import main
from winprob.cli.options import FILE, deals_argument, idle_seed_option, reading, showing, spoken
from winprob.cli.show import show, tell

if TYPE_CHECKING:
    from winprob.history import Snapshot


@main.command()
@deals_argument
@click.option("--as-of", required=True, help="The day of the export, YYYY-MM-DD.")
@click.option("--history", type=FILE, required=True, help="The history's folder; made where there is none.")
@reading
@idle_seed_option
@showing
@spoken
def snapshot(
    deals: Path,
    as_of: str,
    history: Path,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    form: str,
    out: Path | None,
) -> None:
    """Add an export to a history of what was known when. Nothing in it is ever rewritten."""
    import pandas as pd

    from winprob.history import write_snapshot
    from winprob.tables import read_deals

    kept = write_snapshot(read_deals(deals, mapping, people, encoding=encoding), as_of, history)
    show(pd.DataFrame([{"as_of": kept.as_of, "deals": kept.deals, "added": kept.added}]), form=form, out=out)
    tell(*_sentences(kept))


def _sentences(kept: Snapshot) -> Iterator[str]:
    words = {"deals": kept.deals, "day": f"{kept.as_of:%Y-%m-%d}", "path": kept.place.parent}
    if kept.added:
        yield say("{deals} deals as of {day} are in {path}.", **words)
    else:
        yield say("The same export is in {path} already, as of {day}: nothing to add.", **words)
    if kept.next_day:
        yield say(
            "{count} deals closed on the day after {day}: taken for a clock in another zone.",
            count=kept.next_day,
            day=words["day"],
        )
    if kept.left_out:
        yield say(
            "Not kept, being neither canonical nor covariates: {columns}. Name them in mapping.toml to keep them.",
            columns=", ".join(map(repr, kept.left_out)),
        )
