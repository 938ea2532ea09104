"""Commands ``backtest``, ``diagnose`` and ``learning-curve``: how good is a model, and what would make it better?"""

import datetime as dt
from pathlib import Path

import click

import winprob
from winprob.cli import app, options
from winprob.cli.model import page_option, training_table
from winprob.cli.options import Output, Source, load_model, load_settings
from winprob.cli.show import echo_notes, progress, require_writable, show, write_page
from winprob.i18n import gettext

#: Columns of scores that a narrow screen leaves out, least important first; never the number of deals.
SCORES_LEAST = ("auc", "calibration_intercept", "brier", "coverage_90", "calibration_slope")


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
    show(result.table(), output, digits=3, least=SCORES_LEAST)
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
    show(curve, output, digits=3, least=SCORES_LEAST)
    more = curves.deals_to_halve(curve, int(is_closed(table).sum()))
    if more is None:
        echo_notes(gettext("More closed deals alone would hardly narrow these intervals: learn more about each deal."))
    else:
        echo_notes(gettext("You need about {more} more closed deals to halve these intervals.", more=more))
    echo_notes(*remarks)
