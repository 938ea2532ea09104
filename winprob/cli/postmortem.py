"""``winprob postmortem``: what a lost deal lacked."""

from pathlib import Path

import click

from winprob.cli.commands import main
from winprob.cli.options import deals_argument, model_option, reading, showing, spoken, unseen_seed_option
from winprob.cli.show import show, tell


@main.command()
@deals_argument
@click.option("--deal", required=True, help="The lost deal's id.")
@reading
@model_option
@unseen_seed_option
@showing
@spoken
def postmortem(
    deals: Path,
    deal: str,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    model: Path,
    seed: int | None,
    form: str,
    out: Path | None,
) -> None:
    """What a lost deal lacked: its terms against the same deal covered, and the classic losses."""
    from winprob.actions.levers import post_mortem, post_mortem_sentences
    from winprob.cli.models import load_model
    from winprob.data.history import read_past

    posterior, table = load_model(model, seed), read_past(deals, mapping, people, encoding=encoding)
    costs = post_mortem(posterior, table, deal)
    show(costs, form=form, out=out)
    tell(*post_mortem_sentences(posterior, table, deal, costs))
