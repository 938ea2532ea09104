"""The command ``monitor``: is the current model still calibrated?"""

import datetime as dt
import os
from pathlib import Path

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Output, Source, load_model, load_settings
from winprob.cli.show import echo_notes, require_writable, show
from winprob.i18n import gettext

#: Exit code of an alarm, for a scheduler; 0 is calibrated so far, 1 an error.
ALARM = 3


@app.main.command()
@options.source()
@options.file("--registry", help="The registry of models, whose current model is monitored.")
@options.file("--model", help="A model file instead of a registry.")
@options.day("--since", help="Leave out quarters that began before this day; by default the end of the training data.")
@options.day("--as-of", help="The last day of what is known; by default the newest reading.")
@options.target("--segments-out", help="Write wins and expected wins by stage, category and other facts to this file.")
@options.settings
@options.idle_seed
@options.output
@click.pass_context
def monitor(
    ctx: click.Context,
    source: Source,
    registry: Path | None,
    model: Path | None,
    since: dt.date | None,
    as_of: dt.date | None,
    segments_out: Path | None,
    settings: Path | None,
    output: Output,
) -> None:
    """Is the model still calibrated? A test that may be repeated after every quarter.

    DEALS is a history (winprob snapshot). Each quarter that began after the training data ended, and is over, adds one
    cohort: all deals open when it began. An e-value of 20 is an alarm. Exit code 0: calibrated so far; 3: alarm; 1:
    error.
    """
    from winprob.data.tables import resolve_format
    from winprob.retrain.monitoring import monitoring_sentences

    chosen = registry or model
    if chosen is None or (registry and model):
        raise click.UsageError(gettext("give either --registry or --model."))
    if segments_out:
        resolve_format(segments_out)
    require_writable(segments_out)
    posterior = load_model(chosen)
    result = winprob.monitor_model(
        posterior,
        monitored_deals(source),
        since=since,
        as_of=as_of,
        settings=load_settings(settings) if settings else None,
    )
    show(result.table, output)
    echo_notes(*monitoring_sentences(result))
    if segments_out:
        winprob.write_table(result.segments, segments_out)
    if result.alarm_since is not None:
        ctx.exit(ALARM)


def monitored_deals(source: Source) -> "Path | options.Frame":
    """The folder of a history, or the table of readings in a file."""
    if not os.path.isdir(source.path):
        return source.read_review()
    from winprob.data.history import require_plain

    return require_plain(source.path, source.mapping, source.people, source.encoding)
