"""Click's own error messages in the chosen language: usage, missing arguments, unknown options, invalid values.

Click passes each of its messages through the standard library's ``gettext`` under the name ``_``; ``translate_click``
binds that name to winprob's catalog instead. The language is taken from the command line before Click parses it, so
that an error of the parsing itself is translated too.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from types import ModuleType

import click
import click.core
import click.exceptions
import click.formatting
import click.parser
import click.types

from winprob.cli.databases import without_passwords
from winprob.i18n import LANGUAGES, Language, gettext, language, use_language

_MODULES: tuple[ModuleType, ...] = (click.core, click.exceptions, click.formatting, click.parser, click.types)


def requested_language(arguments: Sequence[str], otherwise: Language = "en") -> Language:
    """The language that ``--lang`` names on a command line; ``otherwise`` where it is absent or names another one."""
    options = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    values = [after for option, after in pairwise(options) if option == "--lang"]
    values += [option.removeprefix("--lang=") for option in options if option.startswith("--lang=")]
    return next((known for known in LANGUAGES if known in values), otherwise)


def translate_click() -> None:
    """Let Click take its messages from winprob's catalog, and repeat no password of a URL in them."""
    setattr(click.exceptions, "echo", lambda message, **how: click.echo(without_passwords(message), **how))  # noqa: B010
    for module in _MODULES:
        for name, function in (("_", _translate), ("ngettext", _translate_count)):
            if hasattr(module, name):
                setattr(module, name, function)


def _translate(message: str) -> str:
    return _sentences_in(language()).get(message, message)


def _translate_count(one: str, several: str, count: int) -> str:
    return _translate(one if count == 1 else several)


@cache
def _sentences_in(chosen: Language) -> dict[str, str]:
    """Click's messages in a language by their English text."""
    with use_language("en"):
        english = _sentences()
    with use_language(chosen):
        return dict(zip(english, _sentences(), strict=True))


def _sentences(**fields: str) -> tuple[str, ...]:
    """Click's messages in the current language; without ``fields`` their fields stay open, and Click fills them."""
    return (
        gettext("Usage:"),
        gettext("Try '{command} {option}' for help.", **fields),
        gettext("Error: {message}", **fields),
        gettext("Aborted!"),
        gettext("Missing command."),
        gettext("Missing argument"),
        gettext("Missing option"),
        gettext("Missing parameter"),
        gettext("Missing parameter: {param_name}", **fields),
        gettext("No such command {name!r}.", **fields),
        gettext("No such option {name!r}.", **fields),
        gettext("Did you mean {possibility}?", **fields),
        gettext("(Did you mean one of: {possibilities}?)", **fields),
        gettext("Got unexpected extra argument ({args})", **fields),
        gettext("Got unexpected extra arguments ({args})", **fields),
        gettext("Option {name!r} does not take a value.", **fields),
        gettext("Option {name!r} requires an argument.", **fields),
        gettext("Invalid value: {message}", **fields),
        gettext("Invalid value for {param_hint}: {message}", **fields),
        gettext("{value!r} is not {choice}.", **fields),
        gettext("{value!r} is not one of {choices}.", **fields),
        gettext("Choose from:\n\t{choices}", **fields),
        gettext("{value!r} does not match the format {format}.", **fields),
        gettext("{value} is not in the range {range}.", **fields),
        gettext("{value!r} is not a valid {number_type}.", **fields),
        gettext("{value!r} is not a valid boolean. Recognized values: {states}", **fields),
        gettext("Could not open file {filename!r}: {message}", **fields),
    )
