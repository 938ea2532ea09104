"""``winprob track``: how good the forecasts of a log were, beside the sellers and the stages."""

from pathlib import Path

import click

from winprob.cli.commands import main
from winprob.cli.options import FILE, deals_argument, idle_seed_option, reading, showing, spoken
from winprob.cli.show import show, tell


@main.command()
@click.argument("log", type=FILE)
@deals_argument
@click.option("--rates", type=FILE, help="A dated table of exchange rates: currency, rate, from, to.")
@reading
@idle_seed_option
@showing
@spoken
def track(
    log: Path,
    deals: Path,
    rates: Path | None,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    form: str,
    out: Path | None,
) -> None:
    """How good were the forecasts? A folder of forecasts (forecast --log), beside what DEALS say became of them."""
    from winprob.data.history import read_review
    from winprob.data.tables import read_rates
    from winprob.quarter import score_forecasts, track_record_sentences

    scores = score_forecasts(
        log, read_review(deals, mapping, people, encoding=encoding), rates=read_rates(rates) if rates else None
    )
    show(scores, form=form, out=out, percent=("prob_target",), digits=0)
    tell(*track_record_sentences(scores))
