"""Commands of the project folder: ``init`` writes ``winprob.toml``, ``config`` shows what is in force, and whence."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from winprob.cli import app, options
from winprob.cli.defaults import defaults_of
from winprob.cli.options import Output
from winprob.cli.show import echo_notes, show, write_page
from winprob.errors import InputError, SettingsError
from winprob.i18n import LANGUAGES, gettext, language, use_language

if TYPE_CHECKING:
    from winprob.routine.export import Understood
    from winprob.settings import CalendarSettings

_KEYS = ("preset", "mapping", "people", "rates", "executives", "settings", "model", "registry", "history", "log")
_INPUTS = ("mapping", "people", "rates", "executives", "settings", "model")
#: Settings that name a file or a folder.
_PLACES = (*_KEYS[1:], "outputs", "writeback.fields", "writeback.out")
MONTH = click.IntRange(1, 12)


def _inputs(command: options.Command) -> options.Command:
    """The options that name what a project reads and keeps, alike for the command that writes it and the one that shows
    it.
    """
    for option in reversed(
        (
            options.file("--history", help="The history of snapshots; made by the first week if it does not exist."),
            click.option(
                "--preset", type=options.PRESET, help="The CRM; by default detected from the headers of the export."
            ),
            options.file("--mapping", help="A TOML file that names the export's columns."),
            options.file("--people", help="A people table: who holds which role."),
            click.option("--encoding", help="Text encoding of the export, where the automatic choice is wrong."),
            options.file("--rates", help="A dated table of exchange rates: currency, rate, from, to."),
            click.option("--currency", help="Of the reports; by default that of most deals."),
            options.file("--executives", help="A TOML file with the executives and their slots."),
            options.file("--registry", help="The registry of models; made by the first week if it does not exist."),
            options.file("--model", help="A model file, where no registry is used."),
            options.file("--log", help="The folder of weekly forecasts."),
            options.file("--settings", help="A TOML file with settings: priors, sampler, fiscal calendar."),
        )
    ):
        command = option(command)
    return command


@app.main.command(standalone=True)
@click.argument("folder", metavar="DIR", type=options.FILE)
@click.option("--export", help="The weekly export: a file, or a pattern of file names of which the newest counts.")
@click.option("--database", help="The URL, without a password, of the database in which query files (.sql) are run.")
@_inputs
@click.option("--target", "targets", multiple=True, help='Bookings to reach, such as "2026Q4=12000000"; repeatable.')
@click.option(
    "--fiscal-year-start-month", type=MONTH, help="Kept in the settings file, which is made if none is given."
)
@click.option("--language", "chosen", type=click.Choice(LANGUAGES), help="Of pages and messages; by default --lang.")
@click.option("--company", help="The name of the company, for the message.")
@options.file("--outputs", help="The folder of the weekly pages.")
@click.option("--force", is_flag=True, help="Replace an existing winprob.toml.")
@options.idle_seed
def init(folder: Path, targets: tuple[str, ...], chosen: str | None, force: bool, **given: Any) -> None:
    """Make a project folder: winprob.toml, from which every command run in DIR or below takes its defaults.

    Every answer is an option. On a terminal, init asks for the export, the company and the target where they are
    missing.
    """
    with use_language(chosen or language()):
        _init(folder, targets, force, given)


def _init(folder: Path, targets: tuple[str, ...], force: bool, given: dict[str, Any]) -> None:
    from winprob.data.fiscal import find_quarter
    from winprob.routine import export, project_file
    from winprob.routine import project as projects

    asks = on_terminal()
    if faults := list(projects.password_faults(given["database"] or "")):
        raise SettingsError(". ".join(faults))
    if given["export"] is None and asks:
        given["export"] = _ask(gettext("The weekly export (a file, or a pattern such as exports/*.csv)"))
    _require_files(given)
    month = given.pop("fiscal_year_start_month")
    calendar = project_file.calendar_settings(folder, month, given["settings"]) if month else None
    understood = _understand(given)
    if given["company"] is None and asks:
        given["company"] = _ask(gettext("The name of the company"))
    wanted = dict(map(_target, targets)) or (_ask_target(understood, month, given["settings"]) if asks else {})
    values: dict[str, Any] = {key: given[key] for key in ("currency", "encoding", "company") if given[key]}
    for key in (*_KEYS, "outputs"):
        if given[key]:
            named = key == "preset" and not str(given[key]).endswith(".toml")
            values[key] = given[key] if named else project_file.relative_to(folder, given[key])
    if given["database"]:
        values["database"] = projects.with_file(given["database"], lambda file: project_file.relative_to(folder, file))
    if given["export"]:
        values["export"] = export.export_pattern(project_file.relative_to(folder, given["export"]))
    if month and "settings" not in values:
        values["settings"] = project_file.SETTINGS_FILE
    project = projects.ProjectSettings(**values, language=language(), targets=wanted)
    quarters = [find_quarter(name, _calendar(month, given["settings"])) for name in wanted]
    path = project_file.write_project(folder, project, force=force)
    if calendar:
        write_page(calendar, folder / project_file.SETTINGS_FILE)
    if understood is not None:
        echo_notes(*export.understood_sentences(understood))
    for quarter, amount in zip(quarters, wanted.values(), strict=True):
        fields = {"quarter": quarter.name, "start": quarter.start, "end": quarter.end, "amount": f"{amount:,.15g}"}
        echo_notes(gettext("Target of {quarter} ({start} to {end}): {amount}.", **fields))
    echo_notes(*_closing(path, project.preset, project.export, project.targets, understood))


def _understand(given: dict[str, Any]) -> "Understood | None":
    """The first export as it is read; its preset is detected where neither a preset nor a mapping is given."""
    from winprob.data.tables import detect_preset, mapping_table
    from winprob.routine import export as exports

    if not given["export"]:
        return None
    export = exports.newest_export(Path(), given["export"])
    if given["preset"] is None and given["mapping"] is None:
        given["preset"] = detect_preset(export, encoding=given["encoding"])
    mapping: Any = given["mapping"]
    if given["preset"]:
        mapping = {**(mapping_table(mapping) if mapping else {}), "preset": given["preset"]}
    return exports.understand(export, mapping, given["people"], given["encoding"])


def _require_files(given: dict[str, Any]) -> None:
    """Refuse files that do not exist, all at once.

    Raises
    ------
    InputError
    """
    missing = [f"--{key} {given[key]}" for key in _INPUTS if given[key] and not given[key].is_file()]
    if missing:
        raise InputError(gettext("these files do not exist: {files}.", files=", ".join(missing)))


def on_terminal() -> bool:
    """Whether there is someone to ask."""
    return bool(sys.stdin and sys.stdin.isatty())


def _ask(question: str) -> str | None:
    answer: str = click.prompt(f"{question} {gettext('(Enter: none)')}", default="", show_default=False, err=True)
    return answer.strip() or None


def _ask_target(understood: "Understood | None", month: int | None, settings: Path | None) -> dict[str, float]:
    """The target of the quarter in which the export was made, or of the next one on its last day."""
    from winprob.data.fiscal import quarter_of

    day = understood.next_day() if understood else None
    if day is None:
        return {}
    quarter = quarter_of(day, _calendar(month, settings)).name
    answer = _ask(gettext("Bookings to reach in {quarter}", quarter=quarter))
    return dict([_target(f"{quarter}={answer}")]) if answer else {}


def _calendar(month: int | None, settings: Path | None) -> "CalendarSettings":
    """The fiscal calendar of the settings file, else that of a year that begins in ``month``."""
    calendar = options.load_settings(settings).calendar
    return calendar if settings or not month else replace(calendar, fiscal_year_start_month=month)


def _target(text: str) -> tuple[str, float]:
    """``2026Q4=12000000`` as quarter and amount.

    Raises
    ------
    UsageError
        It is not of that form.
    """
    quarter, _, amount = text.partition("=")
    try:
        value = float(amount.replace(",", "").replace("_", ""))
    except ValueError:
        value = float("nan")
    if not quarter.strip() or not 0 < value < float("inf"):
        raise click.UsageError(
            gettext("--target {text!r} is not a quarter and an amount, such as 2026Q4=12000000.", text=text)
        )
    return quarter.strip(), value


def _closing(path: Path, preset: str, export: str, targets: Any, understood: "Understood | None") -> Iterator[str]:
    if preset:
        yield gettext("Preset: {preset}.", preset=preset)
    yield gettext("The project file is in {path}.", path=path)
    if not export:
        yield gettext("No export is named yet: winprob week needs one as its argument.")
    elif understood is not None and understood.deals is None:
        yield gettext("Next: fix the errors, then run winprob check {path}", path=understood.path)
        return
    if not targets:
        yield gettext('No target is set: add one under [targets], such as "2026Q4" = 12000000.')
    yield (
        gettext("Next: cd {folder} && winprob week", folder=path.parent)
        if export
        else gettext("Next: cd {folder} && winprob week EXPORT", folder=path.parent)
    )


@app.main.command()
@_inputs
@options.idle_seed
@options.output
def config(output: Output, **given: Any) -> None:
    """The settings in force: each with its value, and whether an option, winprob.toml or the default gives it."""
    import pandas as pd

    from winprob.routine import project as projects
    from winprob.routine import project_file

    ctx = click.get_current_context()
    defaults = defaults_of(ctx)
    project = defaults.project if defaults else None
    values = project.config if project else projects.ProjectSettings(registry="", history="", log="", outputs="")
    rows: list[tuple[str, str | None, str]] = []
    for name, value in project_file.setting_rows(values):
        parameter = "lang" if name == "language" else name
        if ctx.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
            rows.append((name, language() if name == "language" else str(given[name]), "flag"))
            continue
        key = "targets" if name.startswith("target ") else name
        known = project is not None and key in project.given
        shown = project.place(name) if project and name in _PLACES else value
        rows.append((name, None if shown in ("", None) else _text(shown), "winprob.toml" if known else "default"))
    month = project.calendar().fiscal_year_start_month if project else 1
    of_file = project is not None and project.config.settings
    rows.append(("fiscal_year_start_month", str(month), project.config.settings if project and of_file else "default"))
    show(pd.DataFrame(rows, columns=["setting", "value", "source"]), output)
    where = project.path if project else None
    echo_notes(
        gettext("Project file: {path}.", path=where)
        if where
        else gettext("Neither this folder nor one above it has a winprob.toml: winprob init DIR makes one.")
    )


def _text(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
