"""Commands on a model file alone: what it learned, and its card."""

from pathlib import Path

import click

import winprob
from winprob.cli import app, options
from winprob.cli.model import page_option
from winprob.cli.options import Output, load_model
from winprob.cli.show import echo_notes, require_writable, show, write_page
from winprob.errors import InputError
from winprob.i18n import gettext


@app.main.command()
@options.model_argument
@click.option("--term", "terms", multiple=True, help="Only this term, such as stage or amount; may be repeated.")
@page_option
@options.idle_seed
@options.output
def effects(model: Path, terms: tuple[str, ...], page: Path | None, output: Output) -> None:
    """Every learned effect: facts, roles, categories and numbers, relative to the average training deal."""
    from winprob.model.effects import effect_sentences

    require_writable(page)
    posterior = load_model(model)
    table = winprob.effects(posterior)
    _require_terms(terms, table["term"].unique().tolist())
    show(table[table["term"].isin(terms)] if terms else table, output)
    echo_notes(*effect_sentences(posterior, terms))
    if page:
        from winprob.report.effects import effects_sheet
        from winprob.report.sheet import to_html

        html = to_html(effects_sheet(posterior))
        write_page(html, page, gettext("The page is in {path}. Open it in a browser.", path=page))


def _require_terms(terms: tuple[str, ...], known: list[str]) -> None:
    """Check the terms that were asked for.

    Raises
    ------
    InputError
        The model has no such term: every one at once.
    """
    from winprob.toml import suggestion

    faults = [
        gettext("the model has no term {term!r}; {hint}", term=term, hint=suggestion(term, known))
        for term in terms
        if term not in known
    ]
    if faults:
        raise InputError("; ".join(faults))


@app.main.command()
@options.model_argument
@click.option(
    "--record", type=options.FILE, help="The calibration record: the file that winprob backtest --record wrote."
)
@options.file("--monitor", help="A history: adds whether the model is still calibrated, with a chart over time.")
@click.option("--format", "output_format", type=click.Choice(["md", "html"]), help="Default: by --out, else md.")
@options.target("--out", help="Write the card to this file instead of the screen.")
@options.idle_seed
def card(model: Path, record: Path | None, monitor: Path | None, output_format: str | None, out: Path | None) -> None:
    """The model card: purpose, training data, calibration, and what is not proven."""
    from winprob.report.card import read_record

    require_writable(out)
    chosen = output_format or ("html" if out and out.suffix.lower() in (".html", ".htm") else "md")
    posterior = load_model(model)
    monitoring = winprob.monitor_model(posterior, monitor) if monitor else None
    known = read_record(record, posterior.provenance) if record else None
    text = winprob.render_card(posterior, known, form=chosen, monitoring=monitoring)
    write_page(text, out, gettext("The model card is in {path}.", path=out))
