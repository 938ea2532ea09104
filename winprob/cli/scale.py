"""Commands ``score`` and ``train-teams``: millions of deals, or many teams, in one process, on Spark or on Dask."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from winprob.cli import app, options
from winprob.cli.show import echo_notes, show
from winprob.i18n import gettext

_ENGINE_OPTIONS = (
    click.option(
        "--engine",
        type=click.Choice(["local", "spark", "dask"]),
        default="local",
        show_default=True,
        help="local: this machine. spark, dask: workers (winprob[spark], winprob[dask]).",
    ),
    click.option("--master", help="Spark's master; by default what spark-defaults names, else local[*]."),
    click.option("--conf", multiple=True, metavar="KEY=VALUE", help="A setting of the Spark session; repeatable."),
    click.option("--scheduler", help="Address of a Dask scheduler; by default worker processes on this machine."),
    click.option("--workers", type=click.IntRange(1), help="Processes on this machine; by default one for each core."),
)


def _engine_options(command: options.Command) -> options.Command:
    for option in reversed(_ENGINE_OPTIONS):
        command = option(command)
    return command


def _opened(engine: str, master: str | None, conf: tuple[str, ...], scheduler: str | None, workers: int | None) -> Any:
    """The engine, as a context that ends it."""
    from winprob.scale import dask, scoring, spark

    if engine == "spark":
        return spark.engine(master, dict(_pair(one) for one in conf))
    return dask.engine(scheduler, workers) if engine == "dask" else scoring.local_engine(workers)


def _pair(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not mark:
        raise click.UsageError(gettext("--conf {text}: write KEY=VALUE.", text=text))
    return key, value


@app.main.command()
@click.argument("source")
@options.model
@options.target("--out", required=True, help="The folder of the Parquet dataset that is written.")
@options.file("--mapping", help="A TOML file that names the columns; by default they are canonical.")
@options.day("--as-of", help="The day until which open deals are known to be open; by default the newest in SOURCE.")
@click.option("--overwrite", is_flag=True, help="Replace the dataset in --out.")
@click.option(
    "--read-as",
    type=click.Choice(["parquet", "delta", "iceberg", "table"]),
    default="parquet",
    show_default=True,
    help="What SOURCE is to Spark: files of this format, or a table of its catalog.",
)
@_engine_options
@options.unseen_seed
def score(
    source: str,
    model: Path,
    out: Path,
    mapping: Path | None,
    as_of: dt.date | None,
    overwrite: bool,
    read_as: str,
    seed: int | None,
    **engine: Any,
) -> None:
    """Score the deals of SOURCE, a Parquet file or folder, into a Parquet dataset with the columns of predict.

    A line of JSON on stderr has deals, seconds, and the processes with the deals that each scored.
    """
    from winprob.data.tables import mapping_table
    from winprob.scale import scoring

    if read_as != "parquet" and engine["engine"] != "spark":
        raise click.UsageError(gettext("--read-as {kind} is read by Spark: add --engine spark.", kind=read_as))
    scoring.require_new(out, overwrite=overwrite)
    posterior = options.load_model(model, seed)
    job = scoring.job_of(posterior, mapping_table(mapping) if mapping else None, as_of, read_as=read_as)
    content = scoring.model_bytes(posterior)
    with _opened(**engine) as opened:
        echo_notes(scoring.score_dataset(opened, job, content, source, out).line())


@app.main.command("train-teams")
@options.source()
@click.option("--by", required=True, help="The column that names the team.")
@options.target("--registry", type=options.KEPT_FOLDER, required=True, help="A folder: a registry in it for each team.")
@click.option(
    "--pooled", is_flag=True, help="Also one fit of all teams: intercepts and role weights about common ones."
)
@_engine_options
@options.settings
@options.seed
@options.output
def train_teams(
    source: options.Source,
    by: str,
    registry: Path,
    pooled: bool,
    settings: Path | None,
    seed: int,
    output: options.Output,
    **engine: Any,
) -> None:
    """Fit a model for each team in parallel, each into a registry of its own in --registry.

    A team whose data and settings are those of a model in its registry is skipped. Exit code 1: some fit failed, after
    all others are done.
    """
    from winprob.scale import teams

    chosen = options.load_settings(settings)
    known = _with_column(source, by)
    deals = known.read_past(settings=chosen, monthly=True)
    how: dict[str, Any] = {"settings": chosen, "seed": seed, "mapping": known.entries()}
    fits = teams.team_fits(deals, by, registry, **how)
    if pooled:
        fits.append(teams.pooled_fit(deals, by, registry, **how))
    registry.mkdir(parents=True, exist_ok=True)
    records = []
    with _opened(**engine) as opened:
        for record in opened.run(teams.fit_team, fits):
            records.append(record)
            team = record["team"] or teams.POOLED
            echo_notes(f"{len(records)}/{len(fits)} {team}: {record['verdict']}: {record['note']}")
    table = teams.results_table(records)
    show(table, output, least=("registry", "note"))
    failed = int((table["verdict"] == teams.FAILED).sum())
    if failed:
        echo_notes(
            gettext("{failed} of {fits} fits failed; the notes name the reasons.", failed=failed, fits=len(fits))
        )
        raise SystemExit(1)


def _with_column(source: options.Source, by: str) -> options.Source:
    """The source, whose mapping keeps the column of teams."""
    from winprob.data.schema import COLUMNS

    entries = source.entries()
    covariates = dict(entries.get("covariates", {}))
    if by in COLUMNS or by in covariates.get("varying", ()) or source.path.is_dir():
        return source
    covariates["varying"] = [*covariates.get("varying", ()), by]
    return replace(source, mapping={**entries, "covariates": covariates})
