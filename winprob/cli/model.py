"""Commands ``train`` and ``priors``, and the training deals that other commands learn from."""

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Output, Source, load_settings
from winprob.cli.show import echo_notes, progress, require_writable, show
from winprob.errors import DealTableError, NotConvergedError, OutputError
from winprob.i18n import gettext

page_option = options.target("--page", help="Write an HTML page with charts to this file.")


@app.main.command()
@options.source(required=False)
@options.day("--as-of", help="Learn only from what was closed by this day.")
@options.target("--model", required=True, help="The fitted model, a NetCDF file.")
@click.option("--prior-only", is_flag=True, help="A model that has seen no deal; DEALS is not needed.")
@click.option("--one-outcome", is_flag=True, help="Accept closed deals that all have the same outcome.")
@click.option("--pseudonymous", is_flag=True, help="Store pseudonyms of sellers and accounts instead of their names.")
@click.option("--resume", is_flag=True, help="Go on from the draws of a run that did not converge.")
@click.option("--parameters", is_flag=True, help="Print every parameter too; --out and --format csv or json do so.")
@options.settings
@options.seed
@options.output
def train(
    source: Source | None,
    as_of: dt.date | None,
    model: Path,
    prior_only: bool,
    one_outcome: bool,
    pseudonymous: bool,
    resume: bool,
    parameters: bool,
    settings: Path | None,
    seed: int,
    output: Output,
) -> None:
    """Fit the win model to closed deals and save it, with its verdict in words."""
    from winprob.model.inference import Unfinished, cost_sentences
    from winprob.model.summary import posterior_sentences, seller_forecast_sentences

    if (source is None) != prior_only:
        raise click.UsageError(gettext("Give DEALS to learn from, or --prior-only, not both."))
    if resume and prior_only:
        raise click.UsageError(gettext("--resume goes on with sampling, and --prior-only does not sample."))
    chosen = load_settings(settings)
    # Before the sampling, not after it.
    require_writable(model)
    remarks: list[str] = []
    left = model.with_name(f"{model.name}.unfinished.npz")
    how: dict[str, Any] = {"settings": chosen, "one_outcome": one_outcome, "pseudonymous": pseudonymous}
    if resume:
        how["unfinished"] = Unfinished.load(left)
    if source is None:
        posterior = winprob.fit_prior(seed=seed, settings=chosen)
    else:
        table, remarks = training_table(source, chosen, as_of, monthly=True)
        remarks += seller_forecast_sentences(table, chosen)
        echo_notes(*cost_sentences(table, chosen, one_outcome=one_outcome))
        with progress() as follow, _kept_for_resume(left):
            how |= {"ends": winprob.deal_ends(source.path, as_of=as_of)} if os.path.isdir(source.path) else {}
            posterior = winprob.fit(table, seed=seed, progress=follow, **how)
    posterior.save(model)
    if resume:
        left.unlink(missing_ok=True)
    echo_notes(*posterior_sentences(posterior), *remarks, gettext("The model is in {path}.", path=model))
    if parameters or output.chosen:
        show(winprob.summarise_posterior(posterior), output, percent=("prior_share",))


@contextmanager
def _kept_for_resume(left: Path) -> Iterator[None]:
    """Write the draws of a run that did not converge to a file, for ``--resume``."""
    try:
        yield
    except NotConvergedError as error:
        if error.unfinished is None:
            raise
        try:
            error.unfinished.save(left)
            how = gettext("Its draws are in {path}: the same command with --resume goes on from them.", path=left)
        except OutputError as fault:
            how = str(fault)
        raise NotConvergedError(f"{error} {how}") from error


def training_table(
    source: Source, settings: "winprob.Settings", as_of: dt.date | None = None, *, monthly: bool = False
) -> tuple[options.Frame, list[str]]:
    """An export's deals with remarks for after the work, or a history's training rows with a note on their outcomes.

    Raises
    ------
    WinprobError
        They cannot be read, or nothing of them was known on ``as_of``.
    """
    table = source.read_past(as_of, settings, monthly=monthly)
    if not os.path.isdir(source.path):
        known = _closed_by(table, as_of)
        return known, list(_export_remarks(table, known, as_of))
    from winprob.data.history import label_sentences

    echo_notes(*label_sentences(table))
    return table, []


def _export_remarks(deals: options.Frame, known: options.Frame, day: dt.date | None) -> Iterator[str]:
    """How many closed deals were left out by ``day``, and what in the others is hindsight."""
    from winprob.data.schema import is_closed
    from winprob.data.tables import closed_only, hindsight

    closed, kept = (int(some["deal_id"][is_closed(some)].nunique()) for some in (deals, known))
    if kept < closed:
        yield gettext(
            "{later} of {closed} closed deals are left out: closed or read after {day}, or without a day of closing.",
            later=closed - kept,
            closed=closed,
            day=day,
        )
    for finding in (*hindsight(known), *closed_only(known)):
        yield gettext("warning: {column}: {text}", column=finding.column, text=finding.message)


def _closed_by(deals: options.Frame, day: dt.date | None) -> options.Frame:
    """The deals closed and read by a day; a deal without these dates is left out.

    Raises
    ------
    DealTableError
        There is no column ``closed_on``, or no deal is left.
    """
    if day is None:
        return deals
    if "closed_on" not in deals:
        raise DealTableError(gettext("--as-of needs the column 'closed_on', and the deals have none."))
    last = f"{day:%Y-%m-%d}"
    by_then = deals["closed_on"] <= last
    if "as_of" in deals:
        by_then &= deals["as_of"] <= last
    known = deals[by_then]
    if known.empty:
        raise DealTableError(gettext("no deal was closed by {day:%Y-%m-%d}.", day=day))
    return known


@app.main.command()
@options.settings
@options.idle_seed
@options.output
def priors(settings: Path | None, output: Output) -> None:
    """The prior sheet: what the model assumes before it sees any deal."""
    show(winprob.prior_sheet(load_settings(settings)), output, least=("setting",))
