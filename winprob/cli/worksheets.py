"""The command ``worksheets``: write the worksheets of the method, and derive facts from the answers."""

import datetime as dt
from pathlib import Path

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Source
from winprob.cli.show import echo_notes, require_writable, show
from winprob.i18n import gettext


@app.main.command()
@options.source()
@click.option("--deal", help="The worksheet of this deal only; by default of all open deals.")
@options.file("--answers", help="Filled worksheets: derive facts from them instead of writing worksheets.")
@options.day("--as-of", help="The last day on which an answer can have been given; by default today.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "csv", "json"]),
    help="Format of the table that --answers derives.",
)
@options.target("--out", help="The worksheet, .xlsx or .html; with --answers the table, as of other commands.")
@options.idle_seed
def worksheets(
    source: Source,
    deal: str | None,
    answers: Path | None,
    as_of: dt.date | None,
    output_format: str | None,
    out: Path | None,
) -> None:
    """Worksheets of the method for the open deals, to fill in; with --answers, what the answers derive.

    Stage, coach, support, coverage, completeness and next steps, next to what the record states. No number changes.
    """
    if answers:
        _derive(
            source,
            deal,
            winprob.read_answers(answers, source.read_review(), as_of=as_of or dt.date.today()),
            output_format,
            out,
        )
        return
    if out is None:
        raise click.UsageError(gettext("Missing option '--out': the worksheet to write, .xlsx or .html."))
    if output_format or as_of:
        raise click.UsageError(gettext("--format and --as-of go with --answers."))
    require_writable(out)
    count = winprob.write_worksheets(
        source.read_review(), out, deal_id=deal, people=source.people, encoding=source.encoding
    )
    echo_notes(
        gettext("Worksheets written to {path}; deals: {count}.", count=count, path=out),
        gettext("Once they are filled in: winprob worksheets DEALS --answers FILE"),
    )


def _derive(
    source: Source, deal: str | None, answers: options.Frame, output_format: str | None, out: Path | None
) -> None:
    """Show the facts that the answers derive."""
    from winprob.actions.worksheets import derived_sentences
    from winprob.data.schema import last_reading, validate_deals

    deals = validate_deals(source.read_review())
    if deal:
        deals = last_reading(deals, deal)
        answers = answers[answers["deal_id"] == deal]
    derived = winprob.derive_facts(answers, deals)
    output = options.table_output(output_format, out)
    if output.output_format == "table":
        derived = derived.assign(day=derived["day"].dt.strftime("%Y-%m-%d"))
    show(derived, output)
    echo_notes(*derived_sentences(derived))
