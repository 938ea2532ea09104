"""Defaults of the options from the project folder: the nearest ``winprob.toml`` at or above the working directory."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from winprob.cli.options import TargetPath
from winprob.errors import WinprobError
from winprob.i18n import Language

if TYPE_CHECKING:
    from winprob.routine.project import Project

#: As in ``routine.project``, which is only imported where such a file exists: ``--help`` stays light.
PROJECT_FILE = "winprob.toml"
_TEXTS = ("encoding", "currency")
_PATHS = ("mapping", "people", "rates", "executives", "settings", "model", "registry", "history", "log")
#: Options of which one on the command line replaces the project's value of the other.
_INSTEAD = {"mapping": ("preset",), "preset": ("mapping",), "model": ("registry",), "registry": ("model",)}
#: The options of ``writeback`` and their keys in its table.
_WRITEBACK = {"crm": "target", "external_id": "external_id", "fields": "fields", "out": "out"}
#: How an export is read; a history has been read already.
_READING = ("preset", "mapping", "people", "encoding")


class Defaults:
    """The project in force, or the error in its file, which every command but those that repair it reports."""

    def __init__(self) -> None:
        self.project: Project | None = None
        self.fault: WinprobError | None = None
        path = find_project_file()
        if path is None:
            return
        from winprob.routine.project import read_project

        try:
            self.project = read_project(path)
        except WinprobError as fault:
            self.fault = fault

    @property
    def language(self) -> Language:
        return self.project.config.language if self.project else "en"

    def of(self, command: str | None, parameters: Sequence[click.Parameter]) -> dict[str, Any]:
        """Click's default map for a command: the project's values of its options."""
        if self.project is None:
            return {}
        project, values = self.project, {}
        for option in parameters:
            if isinstance(option, click.Option) and option.name and _takes_default(option):
                values[option.name] = _value(project, option)
        if command == "writeback":
            values |= _of_writeback(project)
        if {"registry", "model"} <= set(values):
            # One of the two: a model file where the project names one, else the registry.
            del values["registry" if project.config.model else "model"]
        return {name: value for name, value in values.items() if value is not None}


def _takes_default(option: click.Option) -> bool:
    """Whether an option may have the project's value: never a file that the command writes."""
    if isinstance(option.type, TargetPath) and not option.type.kept:
        return False
    return option.name in (*_TEXTS, *_PATHS, "preset", "lang")


def _of_writeback(project: "Project") -> dict[str, Any]:
    keys = project.config.writeback
    places = {key: project.place(f"writeback.{key}") for key in ("fields", "out")}
    return {option: places.get(key) or getattr(keys, key) or None for option, key in _WRITEBACK.items()}


def _value(project: "Project", option: click.Option) -> Any:
    name = option.name
    if name == "lang":
        return project.config.language
    if name == "preset":
        return project.preset
    if name in _TEXTS:
        return getattr(project.config, str(name)) or None
    if name == "model":
        return project.place("model") or project.place("registry")
    place = project.place(str(name))
    # A log that is read must be there; one that is written is made.
    readable = place is None or isinstance(option.type, TargetPath) or name != "log" or place.is_dir()
    return place if readable else None


def find_project_file() -> Path | None:
    """The nearest project file from the working directory upwards, as far as the home folder or the root."""
    try:
        here = Path.cwd()
    except OSError:
        return None
    home = Path.home()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
        if folder == home:
            break
    return None


def defaults_of(ctx: click.Context) -> Defaults | None:
    """What the program found when it began."""
    found = ctx.find_root().obj
    return found if isinstance(found, Defaults) else None


def settle_defaults(ctx: click.Context) -> None:
    """Drop the project's values that an option on the command line, or a history as DEALS, replaces."""
    replaced = {
        name for given, others in _INSTEAD.items() if _is(ctx, given, ParameterSource.COMMANDLINE) for name in others
    }
    deals = ctx.params.get("deals")
    if isinstance(deals, Path) and deals.is_dir():
        replaced |= set(_READING)
    if _is(ctx, "crm", ParameterSource.COMMANDLINE) and _names_other(ctx):
        # The id field of one CRM is not a field of another.
        replaced.add("external_id")
    for name in replaced:
        if _is(ctx, name, ParameterSource.DEFAULT_MAP):
            ctx.params[name] = None


def _names_other(ctx: click.Context) -> bool:
    """Whether the project names a CRM, and the command line another."""
    found = defaults_of(ctx)
    own = found.project.config.writeback.target if found and found.project else ""
    return own not in ("", ctx.params["crm"])


def _is(ctx: click.Context, name: str, source: ParameterSource) -> bool:
    return ctx.get_parameter_source(name) is source
