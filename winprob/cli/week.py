"""The command ``week``: from the week's export to the review page, visit sheets, actions and a message."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import winprob
from winprob.cli import app, options
from winprob.cli.data import add_snapshot, in_zone, snapshot_sentences
from winprob.cli.defaults import defaults_of
from winprob.cli.options import Source
from winprob.cli.show import progress, stdout_for_tables, write_page
from winprob.errors import DealTableError
from winprob.i18n import gettext

if TYPE_CHECKING:
    from winprob.routine.first_model import ModelInUse
    from winprob.routine.project import Project

#: Exit code where all is written and something needs a look: warnings of the check, an alarm, no model yet.
TO_REVIEW = 3


@app.main.command()
@options.source(required=False)
@options.day("--as-of", help="The day of the export; by default that in its name, else its newest reading.")
@options.target("--out", help="Folder of the week's files; by default a folder for each day in the project's outputs.")
@click.option("--sheets", type=click.IntRange(0, 50), default=5, show_default=True, help="Visit sheets to write.")
@options.file("--model", help="A model file, where no registry is used.")
@options.target("--registry", type=options.KEPT_FOLDER, help="The registry of models; the first one is put into it.")
@options.target("--history", type=options.KEPT_FOLDER, help="The history of snapshots.")
@options.target("--log", type=options.KEPT_FOLDER, help="The folder of forecasts.")
@options.file("--rates", help="A dated table of exchange rates: currency, rate, from, to.")
@click.option("--currency", help="Of the reports.")
@options.file("--executives", help="A TOML file with the executives and their slots: adds a visit plan.")
@options.settings
@options.seed
@click.pass_context
def week(
    ctx: click.Context,
    source: Source | None,
    as_of: dt.date | None,
    out: Path | None,
    sheets: int,
    model: Path | None,
    registry: Path | None,
    history: Path | None,
    log: Path | None,
    rates: Path | None,
    currency: str | None,
    executives: Path | None,
    settings: Path | None,
    seed: int,
) -> None:
    """The weekly routine in a project folder (winprob init): snapshot, check, forecast, page, visit sheets, message.

    DEALS is the week's export; by default the newest file that the project's export names. Exit code 0: done. 3: done,
    and something needs a look: warnings of the check, an alarm of the monitor, no model yet. 1: a fault; the files of
    an earlier run stay as they were.
    """
    from winprob.data.tables import read_decisions, start_decisions
    from winprob.routine import export, message, pages, week

    project = _project(ctx)
    source = _export(project, source, ctx)
    deals = _read(source)
    day, found = (as_of, gettext("given")) if as_of else export.export_day(source.path, deals)
    folder = out or Path(project.place("outputs") or "reports", day.isoformat())
    pages.require_replaceable(folder)
    kept = project.folder / "decisions.csv"
    decisions = read_decisions(kept, encoding=source.encoding) if kept.exists() else None
    places = {"history": history or Path("history"), "log": log or Path("forecasts")}
    with progress() as follow:
        findings = export.of_a_snapshot(_checked(source), deals)
        snapshot = add_snapshot(in_zone(source, None), day, places["history"])
        chosen = options.load_settings(settings) if settings else None
        with stdout_for_tables():
            used = _model(model, registry, places["history"], deals, day, source, chosen, seed, follow)
            inputs = week.WeekInputs(
                day=day,
                history=places["history"],
                log=places["log"],
                posterior=used.posterior,
                registry=used.registry,
                missing=used.missing,
                findings=findings,
                target=project.target_in,
                currency=currency,
                rates=winprob.read_rates(rates, encoding=source.encoding) if rates else None,
                roster=winprob.read_executives(executives) if executives else None,
                decisions=decisions,
                settings=chosen or used.posterior.settings,
                seed=seed,
            )
            result = week.review_week(inputs, follow)
            follow(gettext("writing the page"), 0.8)
            company, people = project.config.company, source.people
            winprob.append_forecast(places["log"], result.forecast)
            start_decisions(kept)
            written = pages.write_week(
                result, folder, sheets=sheets, company=company, people=people, encoding=source.encoding
            )
    opening = gettext("Export: {path}, as of {day} ({found}).", path=source.path, day=day, found=found)
    count = len(list((folder / "visits").glob("*.md")))
    lines = message.summary_sentences(result, model=used.source, out=str(folder), written=written, sheets=count)
    write_page("\n".join([opening, *snapshot_sentences(snapshot), *lines]) + "\n", None)
    if result.to_review():
        ctx.exit(TO_REVIEW)


def _project(ctx: click.Context) -> "Project":
    """The project in force.

    Raises
    ------
    UsageError
        There is none.
    """
    defaults = defaults_of(ctx)
    if defaults is None or defaults.project is None:
        raise click.UsageError(
            gettext("neither this folder nor one above it has a winprob.toml. Make one: winprob init DIR --export FILE")
        )
    return defaults.project


def _export(project: "Project", source: Source | None, ctx: click.Context) -> Source:
    """The export given, else the newest one of the project, read as the project reads it."""
    from winprob.routine import export
    from winprob.routine import project as projects

    if source is not None:
        return source
    if not project.config.export:
        raise click.UsageError(
            gettext("the project names no export: give one as the argument, or add it to winprob.toml")
        )
    path = export.newest_export(project.folder, project.config.export)
    given = {key: ctx.params.get(key) for key in ("mapping", "people", "encoding")}
    plain = Source(
        path=projects.from_here(project.folder, str(path.relative_to(project.folder, walk_up=True))), **given
    )
    preset = ctx.params.get("preset")
    return plain if preset is None else plain.with_entries(preset=preset)


def _read(source: Source) -> options.Frame:
    if source.path.is_dir():
        raise click.UsageError(gettext("{path} is a folder: week takes the week's export.", path=source.path))
    return source.read_review()


def _checked(source: Source) -> options.Frame:
    """The findings of the check.

    Raises
    ------
    DealTableError
        It finds errors.
    """
    findings = source.check()
    errors = findings[findings["severity"] == "error"]
    if len(errors):
        listed = "; ".join(f"{row.column}: {row.message}" for row in errors.itertuples())
        raise DealTableError(gettext("winprob check finds errors to fix first: {errors}", errors=listed))
    return findings


def _model(
    model: Path | None,
    registry: Path | None,
    history: Path,
    deals: options.Frame,
    day: dt.date,
    source: Source,
    settings: "winprob.Settings | None",
    seed: int,
    follow: Any,
) -> "ModelInUse":
    from winprob.routine.first_model import first_model, model_in_use

    used = model_in_use(model, registry)
    if used is not None:
        return used
    return first_model(
        registry,
        history,
        deals,
        day=day,
        mapping=source.entries(),
        settings=settings or winprob.Settings(),
        seed=seed,
        progress=follow,
    )
