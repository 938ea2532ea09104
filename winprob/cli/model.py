"""Commands of the model wing and of its evaluation, from ``train`` to ``learning-curve``."""

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Output, Source, load_model, load_settings
from winprob.cli.show import echo_notes, progress, require_writable, show, write_page
from winprob.errors import DealTableError, NotConvergedError, OutputError, WinprobError
from winprob.i18n import gettext

CHANCE = ("mean", "lower", "upper", "prior_share")
page_option = options.target("--page", help="Write an HTML page with charts to this file.")


@app.main.command()
@options.source(required=False)
@options.day("--as-of", help="Learn only from what was closed by this day.")
@options.target("--model", required=True, help="The fitted model, a NetCDF file.")
@click.option("--prior-only", is_flag=True, help="A model that has seen no deal; DEALS is not needed.")
@click.option("--one-outcome", is_flag=True, help="Accept closed deals that all have the same outcome.")
@click.option("--pseudonymous", is_flag=True, help="Store pseudonyms of sellers and accounts instead of their names.")
@click.option("--resume", is_flag=True, help="Go on from the draws of a run that did not converge.")
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
    settings: Path | None,
    seed: int,
    output: Output,
) -> None:
    """Fit the win model to closed deals and save it, with a summary of what it learned."""
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
    show(winprob.summarise_posterior(posterior), output, percent=("prior_share",))
    echo_notes(*posterior_sentences(posterior), *remarks, gettext("The model is in {path}.", path=model))


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
    show(winprob.prior_sheet(load_settings(settings)), output)


@app.main.command()
@options.source(waiting=True)
@options.model
@options.day("--by", help="Add the probability that the deal is won by this day.")
@click.option("--flags", is_flag=True, help="Add the red flags of each open deal; they do not change a number.")
@options.unseen_seed
@options.output
def predict(source: Source, model: Path, by: dt.date | None, flags: bool, seed: int | None, output: Output) -> None:
    """The win probability of every deal, with its interval."""
    posterior = load_model(model, seed)
    if flags or not _predict_in_blocks(posterior, source, by, output):
        table = source.read_known()
        chances = _chances(posterior, table, by)
        if flags:
            from winprob.actions.flags import with_flags

            chances = with_flags(chances, table, posterior.settings.flags)
        show(chances, output, percent=(*CHANCE, "won_by", "won_by_lower", "won_by_upper", "slip_prob"))
    if posterior.provenance.prior_only:
        echo_notes(gettext("This model has seen no deal: every figure here is prior."))
    if posterior.hazards is not None and not posterior.hazards.still_open:
        echo_notes(gettext("Learned from closed deals alone: if wins are quick, long-open deals are rated too high."))


def _chances(
    posterior: "winprob.Posterior", table: options.Frame, by: dt.date | None, threads: int | None = None
) -> options.Frame:
    from winprob.data.schema import validate_deals
    from winprob.model.prediction import predict_valid
    from winprob.model.timing import add_timing

    chances = predict_valid(posterior, validate_deals(table), threads=threads)
    return add_timing(chances, posterior, table, by) if by else chances


def _predict_in_blocks(posterior: "winprob.Posterior", source: Source, by: dt.date | None, output: Output) -> bool:
    """Predict a large file in bounded memory; false where it must be read at once, as for a message with all errors."""
    from winprob.data.tables import BLOCK_FORMATS, NotInBlocksError, deal_blocks, is_large, write_blocks
    from winprob.model.waiting import known_open_until

    if output.out is None or output.output_format not in BLOCK_FORMATS or source.people or not is_large(source.path):
        return False
    blocks = deal_blocks(source.path, source.mapping, encoding=source.encoding)
    try:
        # Each thread holds the draws of a thousand deals.
        known = (known_open_until(block, source.open_until) if source.open_until else block for block in blocks)
        frames = (_chances(posterior, block, by, threads=2) for block in known)
        write_blocks(frames, output.out, output.output_format)
    except OutputError:
        raise
    except (NotInBlocksError, WinprobError):
        return False
    return True


@app.main.command()
@options.source(waiting=True)
@options.deal
@options.model
@options.unseen_seed
@options.output
def explain(source: Source, deal: str, model: Path, seed: int | None, output: Output) -> None:
    """Explain a deal's win probability: its log-odds term by term, from the base rate."""
    from winprob.data.schema import last_reading

    posterior, table = load_model(model, seed), source.read_known()
    terms = winprob.explain(posterior, table, deal)
    show(terms, output)
    chance = winprob.predict(posterior, last_reading(table, deal)).iloc[0]
    echo_notes(
        gettext(
            "Together {log_odds:+.2f} log-odds: {mean:.0%} to win ({lower:.0%} to {upper:.0%}).",
            log_odds=terms["log_odds"].sum(),
            mean=chance["mean"],
            lower=chance["lower"],
            upper=chance["upper"],
        )
    )


@app.main.command()
@options.source()
@click.option("--protocol", type=click.Choice(["auto", "rolling", "k-fold"]), default="auto", show_default=True)
@options.file("--model", "previous", help="A fitted model to compare with, such as last quarter's.")
@click.option(
    "--keep", type=options.TARGET, default=Path("reports/.backtest"), show_default=True, help="Cache of fitted folds."
)
@page_option
@options.target("--record", help="Write the whole result as JSON to this file, for winprob card.")
@options.settings
@options.seed
@options.output
def backtest(
    source: Source,
    protocol: str,
    previous: Path | None,
    keep: Path,
    page: Path | None,
    record: Path | None,
    settings: Path | None,
    seed: int,
    output: Output,
) -> None:
    """Backtest: refit on what was known, score what came after, next to the scores of simpler forecasts."""
    from winprob.evaluation.sentences import backtest_sentences

    chosen = load_settings(settings)
    table, remarks = training_table(source, chosen)
    require_writable(page, record)
    model = load_model(previous) if previous else None
    with progress() as follow:
        result = winprob.run_backtest(
            table, seed=seed, settings=chosen, previous=model, protocol=protocol, keep=keep, progress=follow
        )
    show(result.table(), output, digits=3)
    sentences = [*backtest_sentences(result), *remarks]
    echo_notes(*sentences)
    if record is None and page is None:
        return
    from winprob.model.inference import versions
    from winprob.report.backtest import backtest_sheet

    content = result.record(versions=versions(), made_on=dt.date.today().isoformat())
    if record:
        import json

        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        write_page(text, record, gettext("The record is in {path}; winprob card takes it with --record.", path=record))
    if page:
        from winprob.report.sheet import to_html

        html = to_html(backtest_sheet(content, sentences))
        write_page(html, page, gettext("The page is in {path}. Open it in a browser.", path=page))


@app.main.command()
@options.source()
@options.model
@page_option
@options.seed
@options.output
def diagnose(source: Source, model: Path, page: Path | None, seed: int, output: Output) -> None:
    """Check a model against its training deals: posterior predictive checks, prior sensitivity, prior-data conflict."""
    from winprob.evaluation.diagnosis import diagnose as diagnose_model
    from winprob.evaluation.sentences import diagnosis_sentences

    require_writable(page)
    posterior = load_model(model)
    table, remarks = training_table(source, posterior.settings)
    result = diagnose_model(posterior, table, seed=seed)
    show(result.table(), output)
    sentences = [*diagnosis_sentences(result), *remarks]
    echo_notes(*sentences)
    if page:
        from winprob.report.diagnosis import diagnosis_sheet
        from winprob.report.sheet import to_html

        html = to_html(diagnosis_sheet(result, sentences))
        write_page(html, page, gettext("The page is in {path}. Open it in a browser.", path=page))


@app.main.command("learning-curve")
@options.source()
@click.option("--repeats", type=click.IntRange(1, 100), default=5, show_default=True, help="Test sets to score.")
@options.settings
@options.seed
@options.output
def learning_curve(source: Source, repeats: int, settings: Path | None, seed: int, output: Output) -> None:
    """How much more closed deals would help: scores and intervals after learning from 0, 10, 30, ... deals."""
    from winprob.data.schema import is_closed
    from winprob.evaluation import learning_curve as curves

    chosen = load_settings(settings)
    table, remarks = training_table(source, chosen)
    with progress() as follow:
        curve = curves.learning_curve(table, seed=seed, settings=chosen, repeats=repeats, progress=follow)
    show(curve, output, digits=3)
    more = curves.deals_to_halve(curve, int(is_closed(table).sum()))
    if more is None:
        echo_notes(gettext("More closed deals alone would hardly narrow these intervals: learn more about each deal."))
    else:
        echo_notes(gettext("You need about {more} more closed deals to halve these intervals.", more=more))
    echo_notes(*remarks)
