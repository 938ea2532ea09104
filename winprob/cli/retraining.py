"""Commands of the retrain wing: ``winprob models``, the registry of models."""

from pathlib import Path

import click

from winprob.cli import app, options
from winprob.cli.options import Output
from winprob.cli.show import echo_notes, show
from winprob.i18n import gettext

which_argument = click.argument("which", metavar="N")
read_registry = options.file("--registry", required=True, help="The registry's folder.")
changed_registry = options.target(
    "--registry", type=options.KEPT_FOLDER, required=True, help="The registry's folder, which the command changes."
)
reason_option = click.option("--reason", default="", help="Why, for the log; required for a model that the gate held.")
by_option = click.option("--by", help="Who, for the log: any pseudonym; by default the login name.")


@app.main.group()
def models() -> None:
    """The registry of models: which there are, which is current, and what was current before.

    N is a model's number or name, such as 7 or 0007-3fa9c1.
    """


@models.command("list")
@read_registry
@options.idle_seed
@options.output
def list_models(registry: Path, output: Output) -> None:
    """Every model: its training data, whether it is current, and the verdict of the gate."""
    from winprob.retrain import models_table

    show(
        models_table(options.existing_registry(registry)),
        output,
        percent=("win_rate",),
        least=("number", "win_rate", "deals"),
    )


@models.command("show")
@which_argument
@read_registry
@options.idle_seed
@options.output
def show_model(which: str, registry: Path, output: Output) -> None:
    """What happened to a model; what it learned, and the verdict of the gate."""
    from winprob.model.summary import posterior_sentences
    from winprob.retrain import moves_table, verdict_text
    from winprob.retrain.candidate import definition_sentences

    models = options.existing_registry(registry)
    entry = models.entry(which)
    posterior, verdict = entry.load(), verdict_text(entry)
    show(moves_table(models, entry), output, least=("from",))
    echo_notes(*posterior_sentences(posterior))
    if verdict:
        echo_notes(gettext("Verdict of the gate: {verdict}", verdict=verdict))
    if isinstance(gate := entry.gate().get("gate"), dict):
        echo_notes(*definition_sentences(gate))
    echo_notes(gettext("Its files are in {path}.", path=entry.path))


@models.command()
@which_argument
@changed_registry
@reason_option
@by_option
@options.idle_seed
def promote(which: str, registry: Path, reason: str, by: str | None) -> None:
    """Make a model the current one, from now on used wherever --model names the registry."""
    entry = options.existing_registry(registry).promote(which, reason, by=by)
    echo_notes(gettext("{name} is the current model of {path}.", name=entry.name, path=registry))


@models.command()
@changed_registry
@reason_option
@by_option
@options.idle_seed
def revert(registry: Path, reason: str, by: str | None) -> None:
    """Make the model current again that was current before the last promotion."""
    entry = options.existing_registry(registry).revert(reason, by=by)
    echo_notes(gettext("{name} is the current model of {path}.", name=entry.name, path=registry))


@models.command()
@click.argument("first", metavar="N")
@click.argument("second", metavar="M")
@read_registry
@options.idle_seed
@options.output
def compare(first: str, second: str, registry: Path, output: Output) -> None:
    """What differs between two models: settings, mapping, definitions, training data, and the roles' weights."""
    from winprob.retrain import compare_models

    models = options.existing_registry(registry)
    one, other = models.entry(first), models.entry(second)
    table = compare_models(one, other)
    show(table, output)
    changed = int(table["part"].isin(["settings", "mapping", "definitions"]).sum())
    echo_notes(
        gettext(
            "first is {first}, second is {second}: {changed} settings and definitions differ.",
            first=one.name,
            second=other.name,
            changed=changed,
        ),
        gettext("role_weight: log-odds per standard deviation of true support, mean and 90% interval."),
    )


@models.command()
@read_registry
@options.idle_seed
@options.output
def verify(registry: Path, output: Output) -> None:
    """Look for altered, missing and added files, and for altered lines of the log. Exit code 1 if there is any."""
    import pandas as pd

    models = options.existing_registry(registry)
    faults = models.verify()
    show(pd.DataFrame({"fault": faults}, dtype=object), output)
    if faults:
        echo_notes(gettext("{faults} faults in {path}.", faults=len(faults), path=registry))
        raise SystemExit(1)
    entries, lines = len(models.entries()), len(models.log())
    echo_notes(
        gettext(
            "{path} is whole: {models} models, {lines} lines of the log.", path=registry, models=entries, lines=lines
        )
    )
