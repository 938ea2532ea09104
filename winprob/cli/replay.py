"""Command ``replay``: forecast past quarters from what was known then, and learn to correct the forecast from it."""

import os
from dataclasses import replace
from pathlib import Path

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Output, load_settings
from winprob.cli.show import echo_notes, progress, require_writable, show
from winprob.errors import RegistryError
from winprob.i18n import gettext

#: Columns that are no amounts of money.
_PLAIN = ("quarter", "week", "as_of", "inside_80", "pit")
#: Columns that a narrow screen leaves out, least important first; PIT shows whether the actual is inside.
_LEAST = ("as_of", "inside_80", "p10_corrected", "p90_corrected", "last_year_error", "stage_weighted_error", "pit")


@app.main.command("replay")
@click.argument("history", type=options.FILE)
@click.option(
    "--quarters", type=click.IntRange(1, 100), default=8, show_default=True, help="Replay the last N full quarters."
)
@options.file("--model", help="A model file: keeps the correction, which winprob forecast then shows.")
@click.option("--currency", help="Of the amounts; by default that of most deals.")
@options.file("--rates", help="A dated table of exchange rates: currency, rate, from, to.")
@click.option(
    "--keep",
    type=options.TARGET,
    default=Path("reports/.replay"),
    show_default=True,
    help="Finished quarters: a replay that was stopped goes on from them.",
)
@options.settings
@options.seed
@options.output
def replay_command(
    history: Path,
    quarters: int,
    model: Path | None,
    currency: str | None,
    rates: Path | None,
    keep: Path,
    settings: Path | None,
    seed: int,
    output: Output,
) -> None:
    """What would have been forecast in past quarters, what came, and a correction learned from both.

    HISTORY is a history (winprob snapshot). Each of the last quarters is forecast in its weeks 1, 5 and 10 by a model
    fitted to what was known when it began, next to the sellers' commit, the stage-weighted pipeline and last year's
    conversion. From four quarters on the misses correct location and spread of the forecast.
    """
    from winprob.retrain.replay import replay_sentences

    posterior = _correctable(model) if model else None
    chosen = load_settings(settings) if settings or posterior is None else posterior.settings
    with progress() as follow:
        result = winprob.replay_forecasts(
            history,
            quarters=quarters,
            seed=seed,
            settings=chosen,
            currency=currency,
            rates=winprob.read_rates(rates) if rates else None,
            keep=keep,
            progress=follow,
        )
    money = [name for name in result.table.columns if name not in _PLAIN]
    show(result.table, output, money=money, least=(*_LEAST, "p50_corrected", "commit_error"))
    echo_notes(*replay_sentences(result))
    if posterior is None or model is None:
        return
    if result.correction is None:
        echo_notes(gettext("{path} is as it was.", path=model))
        return
    replace(posterior, correction=result.correction).save(model)
    echo_notes(gettext("The correction is in {path}: winprob forecast shows raw and corrected totals.", path=model))


def _correctable(model: Path) -> "winprob.Posterior":
    """The model of a file that may be written again.

    Raises
    ------
    RegistryError
        It is a registry, whose models are never altered.
    """
    if os.path.isdir(model):
        raise RegistryError(
            gettext(
                "{path} is a folder, and a model of a registry is never altered after it was added. Train a model file "
                "with winprob train --model FILE, and give that file to winprob replay and winprob forecast.",
                path=model,
            )
        )
    require_writable(model)
    return winprob.Posterior.load(model)
