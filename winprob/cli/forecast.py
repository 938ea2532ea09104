"""``winprob forecast``: what the quarter will bring, and why that is not what was said before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

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
from winprob.cli.show import show, tell
from winprob.i18n import gettext

if TYPE_CHECKING:
    import pandas as pd

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_MONEY = ("p10", "p50", "p90", "mean")


@main.command()
@deals_argument
@click.option("--quarter", required=True, help="Such as 2026Q4, FY27 Q2, or a name of the calendar table.")
@click.option("--target", type=float, help="Bookings to reach, in the report's currency.")
@click.option("--as-of", type=_DAY, help="The day knowledge ends; by default the latest in the table.")
@click.option("--currency", help="Of the report; by default the one most deals are in.")
@click.option("--rates", type=FILE, help="A dated table of exchange rates: currency, rate, from, to.")
@click.option("--by", help="The same lines for every level of this column: seller, segment, region, product.")
@click.option("--deals-out", type=FILE, help="Write the deals, their chances and shares of the risk to this CSV file.")
@click.option("--log", type=FILE, help="Keep the forecast in this folder, to be scored once the quarter is over.")
@click.option("--before", type=FILE, help="The deals of an earlier review: tells why P50 changed since.")
@click.option("--before-model", type=FILE, help="The model of that review, where it was another.")
@click.option("--before-as-of", type=_DAY, help="The day of that review; by default the latest in its table.")
@click.option("--bridge-out", type=FILE, help="Write the bridge from that review to this CSV file.")
@model_option
@reading
@settings_option
@seed_option
@showing
@spoken
def forecast(
    deals: Path,
    quarter: str,
    target: float | None,
    as_of: dt.datetime | None,
    currency: str | None,
    rates: Path | None,
    by: str | None,
    deals_out: Path | None,
    log: Path | None,
    before: Path | None,
    before_model: Path | None,
    before_as_of: dt.datetime | None,
    bridge_out: Path | None,
    model: Path,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    settings: Path | None,
    seed: int,
    form: str,
    out: Path | None,
) -> None:
    """What the quarter will bring: closed so far, open deals, and deals not yet created."""
    if before is None and (before_model or before_as_of or bridge_out):
        raise click.UsageError(gettext("--before-model, --before-as-of and --bridge-out need --before."))
    from winprob.cli.models import load_model
    from winprob.data.history import read_review
    from winprob.data.tables import read_rates, require_writable, write_table
    from winprob.quarter import (
        append_forecast,
        bridge_forecasts,
        bridge_sentences,
        forecast_quarter,
        forecast_sentences,
    )
    from winprob.settings import read_settings

    for path in (out, deals_out, bridge_out):
        if path:
            require_writable(path)
    chosen = read_settings(settings) if settings else None
    posterior = load_model(model, None)
    table = read_review(deals, mapping, people, encoding=encoding, as_of=_day(as_of))
    known_rates = read_rates(rates) if rates else None
    made = forecast_quarter(
        posterior,
        table,
        quarter,
        as_of=_day(as_of),
        target=target,
        currency=currency,
        rates=known_rates,
        by=by,
        calendar=chosen.calendar if chosen else None,
        settings=chosen.quarter if chosen else None,
        seed=seed,
    )
    bridge = before and bridge_forecasts(
        posterior,
        table,
        read_review(before, mapping, people, encoding=encoding, as_of=_day(before_as_of)),
        made.quarter,
        posterior_before=load_model(before_model, None) if before_model else None,
        as_of=made.as_of,
        as_of_before=_day(before_as_of),
        currency=made.currency or None,
        rates=known_rates,
        seed=seed,
    )
    lines = made.lines if made.groups is None else made.groups
    show(_shown(lines) if form == "table" else lines, form=form, out=out, percent=("prob_target",))
    tell(*forecast_sentences(made))
    if bridge:
        tell(*bridge_sentences(bridge))
        if bridge_out:
            write_table(bridge.steps, bridge_out, "csv")
    if deals_out:
        write_table(made.deals, deals_out, "csv")
    if log:
        tell(gettext("Kept as {path}.", path=append_forecast(log, made)))


def _day(given: dt.datetime | None) -> dt.date | None:
    return given.date() if given else None


def _shown(lines: pd.DataFrame) -> pd.DataFrame:
    """Money as people read it."""
    return lines.assign(**{name: lines[name].map("{:,.0f}".format) for name in _MONEY})
