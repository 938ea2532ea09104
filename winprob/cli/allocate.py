"""A plan of visits as a command gives it: table, and what should be read beside it."""

from pathlib import Path

import click

from winprob.cli.commands import main
from winprob.cli.options import (
    FILE,
    deals_argument,
    model_option,
    reading,
    seed_option,
    settings_option,
    showing,
    spoken,
)
from winprob.cli.show import progress, show, stdout_for_tables, tell


@main.command()
@deals_argument
@click.option("--executives", type=FILE, required=True, help="A TOML file: who has how many slots, and may go where.")
@model_option
@click.option("--visits", type=FILE, help="A log of past visits, to learn how often one moves a role.")
@click.option("--goal", type=click.Choice(["bookings", "wins"]), default="bookings", show_default=True)
@click.option(
    "--risk",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Plan for the mean of the worst draws: 0.9 looks at the worst tenth.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(0, 86400, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds for the search of the plan.",
)
@reading
@settings_option
@seed_option
@showing
@spoken
def allocate(
    deals: Path,
    executives: Path,
    model: Path,
    visits: Path | None,
    goal: str,
    risk: float | None,
    time_limit: float,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    settings: Path | None,
    seed: int,
    form: str,
    out: Path | None,
) -> None:
    """Where the executives go: the visits that add most expected bookings, within slots and limits."""
    from winprob.actions.visits import plan_sentences, plan_visits, read_executives
    from winprob.cli.models import load_model
    from winprob.data.history import read_known
    from winprob.data.tables import read_visits, require_writable
    from winprob.settings import read_settings

    if out:
        require_writable(out)
    roster = read_executives(executives)
    with stdout_for_tables(), progress() as follow:
        plan = plan_visits(
            load_model(model, None),
            read_known(deals, mapping, people, encoding=encoding),
            roster,
            visits=read_visits(visits) if visits else None,
            settings=read_settings(settings).visits if settings else None,
            goal=goal,
            risk=risk,
            time_limit=time_limit,
            seed=seed,
            follow=follow,
        )
    show(plan.visits, form=form, out=out, percent=("prob_in_best",), digits=3 if plan.unit is None else 0)
    tell(*plan_sentences(plan))
