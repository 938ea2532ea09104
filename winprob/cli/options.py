"""Options that many commands share, spelled once."""

import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from winprob.cli.show import tell
from winprob.i18n import LANGUAGES, use_language

Command = Callable[..., Any]


class _NotesOnStderr(logging.Handler):
    """Prints the library's warnings, such as a setting under its old name, as one line each on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(f"winprob: {record.getMessage()}")


logging.getLogger("winprob").addHandler(_NotesOnStderr(logging.WARNING))

FILE = click.Path(path_type=Path)

deals_argument = click.argument("deals", type=FILE)
model_argument = click.argument("model", type=FILE)
model_option = click.option("--model", type=FILE, required=True, help="The fitted model, a NetCDF file.")
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Of every draw."
)
unseen_seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Of draws for sellers, regions, quarters the model never saw."
)
#: Every command takes a seed, so that scripts need not know which of them draw.
idle_seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    expose_value=False,
    help="Accepted as everywhere; nothing is drawn here.",
)
settings_option = click.option("--settings", type=FILE, help="A TOML file with settings: priors, sampler, gates.")


def reading(command: Command) -> Command:
    """The options with which deals are read."""
    command = click.option("--encoding", help="Text encoding of the export, where it is read wrong.")(command)
    command = click.option("--people", type=FILE, help="A people table: who holds which role.")(command)
    command = click.option("--mapping", type=FILE, help="A TOML file that names the export's columns.")(command)
    return click.option("--preset", help="The CRM: salesforce, dynamics, hubspot, or a copy of one, edited.")(
        _preset_in_mapping(command)
    )


def _preset_in_mapping(command: Command) -> Command:
    """A preset travels inside the mapping, so that no command need know of it."""

    @wraps(command)
    def wrapped(*args: Any, preset: str | None, mapping: Path | None, **kwargs: Any) -> Any:
        given: Path | dict[str, Any] | None = mapping
        if preset is not None:
            from winprob.data.tables import mapping_table

            given = {**(mapping_table(mapping) if mapping else {}), "preset": preset}
        return command(*args, mapping=given, **kwargs)

    return wrapped


def showing(command: Command) -> Command:
    """The options with which a table is shown."""
    command = click.option("--out", type=FILE, help="Write the table to this file instead of the screen.")(command)
    kinds = click.Choice(["table", "csv", "json"])
    return click.option("--format", "form", type=kinds, default="table", show_default=True)(command)


def spoken(command: Command) -> Command:
    """The language of everything the command says."""

    @click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language.")
    @wraps(command)
    def wrapped(*args: Any, lang: str, **kwargs: Any) -> Any:
        with use_language(lang):
            return command(*args, **kwargs)

    return wrapped
