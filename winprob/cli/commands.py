"""The commands, each a thin call into the library."""

from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from winprob.cli.group import House
from winprob.cli.options import (
    FILE,
    deals_argument,
    idle_seed_option,
    model_argument,
    model_option,
    reading,
    seed_option,
    settings_option,
    showing,
    spoken,
    unseen_seed_option,
)
from winprob.cli.show import progress, show, show_text, tell
from winprob.i18n import gettext

#: More than anyone has; a slip of the finger must not fill the memory.
COUNT = click.IntRange(0, 100_000_000)
CHANCE = ("mean", "lower", "upper", "prior_share")


@click.group(cls=House, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="winprob")
def main() -> None:
    """Calibrated win probabilities for large B2B deals, read through the customer's decision chain."""


@main.command()
@click.option("--out", type=FILE, default=Path("reports"), show_default=True, help="Folder for the page and the data.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=2026, show_default=True, help="2026 is the embedded sample."
)
@spoken
def demo(out: Path, seed: int) -> None:
    """The whole story on the embedded sample, a simulated team: simulate, check, train, predict, explain."""
    from winprob.cli.demo import run_demo

    run_demo(out, seed)


@main.command()
@click.option("--deals", type=COUNT, default=300, show_default=True, help="Closed deals.")
@click.option("--open", "open_deals", type=COUNT, default=60, show_default=True, help="Open deals.")
@click.option("--out", type=FILE, required=True, help="Folder to write to.")
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option(
    "--quarters",
    type=click.IntRange(1, 40),
    help="Instead of the two tables a history of that many quarters: the export of every Monday, as they came.",
)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day of such a history.")
@seed_option
@spoken
def simulate(
    deals: int,
    open_deals: int,
    out: Path,
    form: Literal["csv", "parquet"],
    quarters: int | None,
    until: datetime | None,
    seed: int,
) -> None:
    """Deals of a simulated team with known truth: closed, open, people, truth.nc; or its history, week by week."""
    if quarters is not None:
        from winprob.cli.pipeline import simulate_history

        simulate_history(out, quarters, until, seed)
        return
    from winprob.simulation import write_simulation

    with progress() as follow:
        write_simulation(
            out,
            deals,
            open_deals,
            seed=seed,
            format=form,
            progress=lambda done, total: follow(gettext("simulating"), done / max(total, 1)),
        )
    tell(
        gettext("{deals} closed and {open_deals} open deals are in {out}.", deals=deals, open_deals=open_deals, out=out)
    )


@main.command()
@deals_argument
@reading
@idle_seed_option
@showing
@spoken
def check(
    deals: Path, mapping: Path | None, people: Path | None, encoding: str | None, form: str, out: Path | None
) -> None:
    """Say everything that is wrong, or odd, with an export or a history. Exit 1 if anything must be mended."""
    from winprob.data.history import check_history, require_plain
    from winprob.data.tables import check_file

    if deals.is_dir():
        findings = check_history(require_plain(deals, mapping, people, encoding))
    else:
        findings = check_file(deals, mapping, people, encoding=encoding)
    show(findings, form=form, out=out)
    errors = int((findings["severity"] == "error").sum())
    warnings = int((findings["severity"] == "warning").sum())
    if errors:
        tell(gettext("{errors} errors to mend before training, {warnings} warnings.", errors=errors, warnings=warnings))
        raise SystemExit(1)
    tell(gettext("Ready to use: no errors, {warnings} warnings.", warnings=warnings))


@main.command()
@click.argument("deals", type=FILE, required=False)
@reading
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Learn only from what was closed by this day.")
@model_option
@click.option("--prior-only", is_flag=True, help="A model that has seen no deal; DEALS is not needed.")
@click.option("--one-outcome", is_flag=True, help="Accept closed deals that all ended alike.")
@settings_option
@seed_option
@showing
@spoken
def train(
    deals: Path | None,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    as_of: datetime | None,
    model: Path,
    prior_only: bool,
    one_outcome: bool,
    settings: Path | None,
    seed: int,
    form: str,
    out: Path | None,
) -> None:
    """Learn the win model from closed deals and save it; say in words what to make of it."""
    from winprob.cli.training import past_beside, past_deals
    from winprob.data.tables import require_writable
    from winprob.model.summary import posterior_sentences, summarise_posterior
    from winprob.settings import Settings, read_settings

    if (deals is None) != prior_only:
        raise click.UsageError(gettext("Give DEALS to learn from, or --prior-only, not both."))
    chosen = read_settings(settings) if settings else Settings()
    for place in filter(None, (model, out)):
        # Now rather than after the sampling.
        require_writable(place)
    if deals is None:
        from winprob.model.inference import fit_prior

        posterior = fit_prior(seed=seed, settings=chosen)
    else:
        table = past_deals(deals, mapping, people, encoding, settings=chosen, as_of=as_of)
        from winprob.model.inference import fit

        with progress() as follow:
            beside = past_beside(deals, as_of)
            posterior = fit(table, seed=seed, settings=chosen, one_outcome=one_outcome, progress=follow, **beside)
    posterior.save(model)
    show(summarise_posterior(posterior), form=form, out=out, percent=("prior_share",))
    tell(*posterior_sentences(posterior), gettext("The model is in {path}.", path=model))


@main.command()
@settings_option
@idle_seed_option
@showing
@spoken
def priors(settings: Path | None, form: str, out: Path | None) -> None:
    """The prior sheet: what is believed before any deal is seen."""
    from winprob.model.summary import prior_sheet
    from winprob.settings import Settings, read_settings

    show(prior_sheet(read_settings(settings) if settings else Settings()), form=form, out=out)


@main.command()
@deals_argument
@reading
@model_option
@click.option("--by", type=click.DateTime(["%Y-%m-%d"]), help="Beside it, how likely it is to be won by this day.")
@unseen_seed_option
@showing
@spoken
def predict(
    deals: Path,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    model: Path,
    by: datetime | None,
    seed: int | None,
    form: str,
    out: Path | None,
) -> None:
    """The win probability of every deal, with its interval."""
    from winprob.cli.models import load_model
    from winprob.data.history import read_known
    from winprob.model.prediction import predict as predict_deals

    posterior, table = load_model(model, seed), read_known(deals, mapping, people, encoding=encoding)
    chances = predict_deals(posterior, table)
    if by:
        from winprob.model.timing import add_timing

        chances = add_timing(chances, posterior, table, by.date())
    show(chances, form=form, out=out, percent=(*CHANCE, "won_by", "won_by_lower", "won_by_upper", "slip_prob"))
    if posterior.provenance.prior_only:
        tell(gettext("This model has seen no deal: every figure here is prior."))


@main.command()
@deals_argument
@click.option("--deal", required=True, help="The deal's id.")
@reading
@model_option
@unseen_seed_option
@showing
@spoken
def explain(
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
    """Why this probability: the deal's log-odds from the base rate, term by term."""
    from winprob.cli.models import load_model
    from winprob.data.history import read_known
    from winprob.data.schema import last_reading
    from winprob.model.explanation import explain as explain_deal
    from winprob.model.prediction import predict as predict_deals

    posterior, table = load_model(model, seed), read_known(deals, mapping, people, encoding=encoding)
    terms = explain_deal(posterior, table, deal)
    show(terms, form=form, out=out)
    chance = predict_deals(posterior, last_reading(table, deal)).iloc[0]
    tell(
        gettext(
            "Together {log_odds:+.2f} log-odds: {mean:.0%} to win ({lower:.0%} to {upper:.0%}).",
            log_odds=terms["log_odds"].sum(),
            mean=chance["mean"],
            lower=chance["lower"],
            upper=chance["upper"],
        )
    )


@main.command()
@deals_argument
@reading
@click.option("--protocol", type=click.Choice(["auto", "rolling", "k-fold"]), default="auto", show_default=True)
@click.option("--model", "previous", type=FILE, help="A fitted model to compare with, such as last quarter's.")
@click.option("--keep", type=FILE, default=Path("reports/.backtest"), show_default=True, help="For finished folds.")
@click.option("--page", type=FILE, help="Write a page with pictures to this file.")
@click.option("--record", type=FILE, help="Write all of it as JSON to this file, for winprob card.")
@settings_option
@seed_option
@showing
@spoken
def backtest(
    deals: Path,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    protocol: str,
    previous: Path | None,
    keep: Path,
    page: Path | None,
    record: Path | None,
    settings: Path | None,
    seed: int,
    form: str,
    out: Path | None,
) -> None:
    """Was it right? Refit on what was known, score what came after, beside what you would trust otherwise."""
    from winprob.cli.backtest import run
    from winprob.cli.training import past_deals
    from winprob.settings import Settings, read_settings

    chosen = read_settings(settings) if settings else Settings()
    run(
        past_deals(deals, mapping, people, encoding, settings=chosen),
        settings=chosen,
        seed=seed,
        protocol=protocol,
        previous=previous,
        keep=keep,
        page=page,
        record=record,
        form=form,
        out=out,
    )


@main.command()
@deals_argument
@reading
@model_option
@click.option("--page", type=FILE, help="Write a page with pictures to this file.")
@seed_option
@showing
@spoken
def diagnose(
    deals: Path,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    model: Path,
    page: Path | None,
    seed: int,
    form: str,
    out: Path | None,
) -> None:
    """Check a model against the deals it learned from: does it fit, what does the prior decide, do data fight it?"""
    from winprob.cli.models import load_model
    from winprob.cli.training import past_deals
    from winprob.data.tables import replacing, require_writable
    from winprob.evaluation.diagnosis import diagnose as diagnose_model
    from winprob.evaluation.sentences import diagnosis_sentences
    from winprob.report.diagnosis import diagnosis_sheet
    from winprob.report.sheet import to_html

    for place in filter(None, (page, out)):
        require_writable(place)
    posterior = load_model(model, None)
    table = past_deals(deals, mapping, people, encoding, settings=posterior.settings)
    found = diagnose_model(posterior, table, seed=seed)
    show(found.table(), form=form, out=out)
    verdict = diagnosis_sentences(found)
    tell(*verdict)
    if page:
        with replacing(page) as scratch:
            scratch.write_text(to_html(diagnosis_sheet(found, verdict)), encoding="utf-8")
        tell(gettext("The page is in {path}. Open it in a browser.", path=page))


@main.command("learning-curve")
@deals_argument
@reading
@click.option(
    "--repeats", type=click.IntRange(1, 100), default=5, show_default=True, help="Sets kept apart and scored."
)
@settings_option
@seed_option
@showing
@spoken
def learning_curve(
    deals: Path,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    repeats: int,
    settings: Path | None,
    seed: int,
    form: str,
    out: Path | None,
) -> None:
    """How much more closed deals would help: scores and intervals after learning from 0, 10, 30, ... of yours."""
    from winprob.cli.training import past_deals
    from winprob.evaluation.learning_curve import deals_to_halve
    from winprob.evaluation.learning_curve import learning_curve as curve_of
    from winprob.settings import Settings, read_settings

    chosen = read_settings(settings) if settings else Settings()
    table = past_deals(deals, mapping, people, encoding, settings=chosen)
    with progress() as follow:
        curve = curve_of(table, seed=seed, settings=chosen, repeats=repeats, progress=follow)
    show(curve, form=form, out=out, digits=3)
    closed = int(table["outcome"].isin(["won", "lost", "no_decision"]).sum())
    more = deals_to_halve(curve, closed)
    if more is None:
        tell(gettext("More closed deals alone would hardly narrow these intervals: find out more about each deal."))
    else:
        tell(gettext("You need about {more} more closed deals to halve these intervals.", more=more))


@main.command()
@model_argument
@click.option("--record", type=FILE, help="What winprob backtest --record wrote: the calibration record.")
@click.option("--format", "form", type=click.Choice(["md", "html"]), help="Default: by the name of --out, else md.")
@click.option("--out", type=FILE, help="Write the card to this file instead of the screen.")
@idle_seed_option
@spoken
def card(model: Path, record: Path | None, form: str | None, out: Path | None) -> None:
    """The model card: what the model is for, what it learned from, how well it is calibrated, what is not proven."""
    from winprob.data.tables import replacing, require_writable
    from winprob.model.posterior import Posterior
    from winprob.report.card import read_record, render_card

    if out:
        require_writable(out)
    wanted = form or ("html" if out and out.suffix.lower() in (".html", ".htm") else "md")
    text = render_card(Posterior.load(model), read_record(record) if record else None, form=wanted)
    if out is None:
        show_text(text)
        return
    with replacing(out) as scratch:
        scratch.write_text(text, encoding="utf-8")
    tell(gettext("The model card is in {path}.", path=out))
