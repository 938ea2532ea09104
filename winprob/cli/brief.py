"""The visit sheet as a command: one page of Markdown, on the screen or in a file."""

from pathlib import Path

import click

from winprob.cli.commands import main
from winprob.cli.options import FILE, deals_argument, model_option, reading, spoken, unseen_seed_option
from winprob.cli.show import show_text, tell
from winprob.i18n import gettext


@main.command()
@deals_argument
@click.option("--deal", required=True, help="The deal's id.")
@reading
@model_option
@click.option("--role", help="Whom to visit; by default the role whose support has the largest lift.")
@click.option("--before", type=FILE, help="The export as it was before the last visit: compare then and now.")
@click.option("--people-before", type=FILE, help="The people table of that time.")
@click.option("--out", type=FILE, help="Write the page to this file instead of the screen.")
@unseen_seed_option
@spoken
def brief(
    deals: Path,
    deal: str,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    model: Path,
    role: str | None,
    before: Path | None,
    people_before: Path | None,
    out: Path | None,
    seed: int | None,
) -> None:
    """The visit sheet of one deal: where it stands, whom to see, what to ask for; after the visit, then and now.

    Where DEALS holds several readings of the deal, the last two are compared without --before.
    """
    from winprob.cli.models import load_model
    from winprob.data.history import read_known
    from winprob.data.tables import replacing, require_writable
    from winprob.report.visit_sheet import render_brief

    if people_before and not before:
        raise click.UsageError(gettext("--people-before goes with --before."))
    if out:
        require_writable(out)
    page = render_brief(
        load_model(model, seed),
        read_known(deals, mapping, people, encoding=encoding),
        deal,
        role=role,
        people=people,
        before=read_known(before, mapping, people_before, encoding=encoding) if before else None,
        encoding=encoding,
    )
    if out is None:
        show_text(page)
        return
    with replacing(out) as scratch:
        scratch.write_text(page, encoding="utf-8")
    tell(gettext("The visit sheet is in {path}.", path=out))
