"""``winprob intel``: what is worth finding out."""

from pathlib import Path

import click

from winprob.cli.commands import main
from winprob.cli.options import deals_argument, model_option, reading, showing, spoken, unseen_seed_option
from winprob.cli.show import show, tell
from winprob.i18n import gettext

COLUMNS = ("deal_id", "fact", "rank", "bits", "expected_shift", "changes_lever", "question")


@main.command()
@deals_argument
@click.option("--deal", help="The questions about this deal only.")
@click.option("--top", type=click.IntRange(1), help="The questions worth most over all deals, so many.")
@click.option("--more", is_flag=True, help="More columns: the channel to ask, and how sure the bits are.")
@reading
@model_option
@unseen_seed_option
@showing
@spoken
def intel(
    deals: Path,
    deal: str | None,
    top: int | None,
    more: bool,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    model: Path,
    seed: int | None,
    form: str,
    out: Path | None,
) -> None:
    """What is worth finding out: the open facts of each open deal, by what the answer would tell of its outcome."""
    from winprob.actions.questions import plan_questions, plan_sentences, rank_unknowns, ranking_sentences
    from winprob.cli.models import load_model
    from winprob.data.history import read_known
    from winprob.data.schema import is_open, last_reading, validate_deals

    posterior, table = load_model(model, seed), read_known(deals, mapping, people, encoding=encoding)
    # A deal that is named is looked at however it ended.
    table = last_reading(validate_deals(table), deal).assign(outcome="open") if deal else table[is_open(table)]
    if top:
        questions = plan_questions(posterior, table, top)
        said = plan_sentences(questions)
    else:
        questions = rank_unknowns(posterior, table)
        said = ranking_sentences(questions)
    shown = questions if more else questions[list(COLUMNS)]
    show(shown, form=form, out=out, percent=("expected_shift", "changes_lever"), digits=4)
    tell(*said)
    if posterior.provenance.prior_only:
        tell(gettext("This model has seen no deal: every figure here is prior."))
