"""``winprob levers``: whose support would raise the odds most."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from winprob.cli.commands import main
from winprob.cli.options import (
    deals_argument,
    model_option,
    reading,
    settings_option,
    showing,
    spoken,
    unseen_seed_option,
)
from winprob.cli.show import show, tell
from winprob.i18n import gettext

if TYPE_CHECKING:
    import pandas as pd

GROUPS = click.Choice(["decision_method", "stage", "segment", "region", "seller"])
EVIDENCE = ("standing", "verdict", "evidence", "e_value", "e_value_lower")
PERCENT = ("win_prob_lift", "lower", "upper", "prob_best")
_HIDDEN_BY = ("log_odds_lift", "bookings_lower", "bookings_upper", "evidence")


@main.command()
@deals_argument
@click.option("--deal", help="The levers of this deal only, each in words.")
@click.option("--by", type=GROUPS, help="Averaged over the open deals of each group, with what that adds in bookings.")
@click.option("--rope", type=click.FloatRange(0, 1), help="The smallest lift that is worth it; 0.02 is two points.")
@click.option("--evidence", is_flag=True, help="More columns: verdict, what a lever rests on, E-values.")
@reading
@model_option
@settings_option
@unseen_seed_option
@showing
@spoken
def levers(
    deals: Path,
    deal: str | None,
    by: str | None,
    rope: float | None,
    evidence: bool,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    model: Path,
    settings: Path | None,
    seed: int | None,
    form: str,
    out: Path | None,
) -> None:
    """Whose support would raise the odds most: each role of each deal, one tier up."""
    from winprob.actions.levers import bound_sentence, deal_sentences, group_sentences, rank_roles, table_sentences
    from winprob.cli.models import load_model
    from winprob.data.history import read_known
    from winprob.data.schema import last_reading, validate_deals

    if deal and by:
        raise click.UsageError(gettext("Give --deal or --by, not both."))
    posterior, table = load_model(model, seed), read_known(deals, mapping, people, encoding=encoding)
    rope = _rope(rope, settings)
    if by:
        ranked = rank_roles(posterior, table, by=by, rope=rope)
        show(_by_shown(ranked) if form == "table" else ranked, form=form, out=out, percent=PERCENT)
        tell(*group_sentences(ranked, by))
        return
    if deal:
        table = last_reading(validate_deals(table), deal)
    ranked = rank_roles(posterior, table, rope=rope, evidence=True)
    shown = ranked if evidence else ranked.drop(columns=list(EVIDENCE))
    show(shown, form=form, out=out, percent=PERCENT)
    tell(*(deal_sentences(ranked) if deal else table_sentences(ranked)))
    if deal or evidence:
        tell(bound_sentence(posterior))
    if posterior.provenance.prior_only:
        tell(gettext("This model has seen no deal: every figure here is prior."))


def _rope(rope: float | None, settings: Path | None) -> float | None:
    """The option, or what the settings file says; None leaves it to the model."""
    from winprob.settings import read_settings

    return read_settings(settings).levers.smallest_lift if rope is None and settings else rope


def _by_shown(ranked: pd.DataFrame) -> pd.DataFrame:
    """What fits a screen: the rest is in CSV and JSON."""
    whole = ranked.drop(columns=list(_HIDDEN_BY))
    return whole.assign(bookings_lift=whole["bookings_lift"].map("{:,.0f}".format, na_action="ignore"))
