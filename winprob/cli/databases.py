"""Databases on the command line: a URL as DEALS with ``--query``, and query files wherever a table is read."""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from winprob.errors import InputError
from winprob.i18n import gettext

#: The user and the password of a URL.
_PASSWORD = re.compile(r"(://[^:@/\s]*):[^@\s]*@")


def is_url(value: object) -> bool:
    """Whether an argument is the URL of a database."""
    return isinstance(value, str) and "://" in value


def without_passwords(text: str) -> str:
    """``text`` with each URL in it without its password."""
    return _PASSWORD.sub(r"\1:***@", text)


class FilePath(click.Path):
    """A path; a URL is refused without being repeated, since it may hold a password."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if is_url(value):
            self.fail(gettext("a database URL is accepted as DEALS only; write its query file here"), param, ctx)
        return super().convert(value, param, ctx)


class DealsPath(FilePath):
    """A path or the URL of a database, which stays a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if is_url(value) else super().convert(value, param, ctx)


def query_options() -> tuple[Any, ...]:
    """``--query`` and ``--query-timeout``, next to the argument DEALS."""
    return (
        click.option(
            "--query",
            type=FilePath(),
            help="A file with one SELECT, where DEALS is the URL of a database (sqlite:///crm.db).",
        ),
        click.option(
            "--query-timeout",
            type=click.FloatRange(min=0, min_open=True),
            help="Seconds that a query may take. Default: 60.",
        ),
    )


@contextmanager
def database_of(ctx: click.Context, project: str | None, timeout: float | None) -> Iterator[None]:
    """The database of a command: the URL given as DEALS, in whose place comes its query; else that of the project.

    Parameters
    ----------
    project, timeout : str, float or None
        URL and seconds for a query of the project folder.

    Raises
    ------
    InputError
        A URL has no query, or a query no URL.
    """
    values = ctx.params
    url, query = values.get("deals"), values.get("query")
    if is_url(url) and query is None:
        raise InputError(
            gettext("DEALS is the URL of a database: give the query too, as --query FILE.sql with one SELECT.")
        )
    if query is not None and not is_url(url):
        raise InputError(
            gettext(
                "--query goes with the URL of a database as DEALS. With database in winprob.toml the query file itself "
                "is DEALS."
            )
        )
    if query is not None:
        values["deals"] = query
    else:
        url = values.get("database") or project
    if not url:
        yield
        return
    from winprob.cli.show import echo_notes
    from winprob.data.tables.databases.queries import TIMEOUT, database

    seconds = values.get("query_timeout") or timeout or TIMEOUT
    with database(str(url), as_of=_day(values.get("as_of")), timeout=seconds, progress=echo_notes):
        yield


def _day(as_of: object) -> dt.date:
    """The day of ``--as-of``, else today: what the database holds now."""
    if isinstance(as_of, dt.date):
        return as_of
    try:
        return dt.date.fromisoformat(str(as_of))
    except ValueError:
        # Missing, or refused by the command that takes it.
        return dt.date.today()
