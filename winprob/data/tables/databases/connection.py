"""Run a query read-only through SQLAlchemy: the password, the transaction, the time limit, and what went wrong.

No message holds a password: every text of a driver passes `_masked`.
"""

import datetime as dt
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from winprob.data.tables.databases import copying, rows
from winprob.errors import InputError
from winprob.extras import require
from winprob.i18n import gettext

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

#: Rows that are fetched at a time.
_ROWS = 20_000
#: Seconds to wait for a server to answer at all.
_CONNECT_SECONDS = 10
PASSWORD, SERVICE = "WINPROB_DATABASE_PASSWORD", "winprob"
#: Options of a URL that may be secrets.
_SECRET = re.compile("pass|pwd|secret|token|odbc", re.IGNORECASE)
#: Statements by which a transaction only reads, where SQLAlchemy has no option for it.
_READ_ONLY = dict.fromkeys(("mysql", "mariadb", "oracle"), "SET TRANSACTION READ ONLY")
#: What a database says of a query that would write.
_WRITES = ("read-only transaction", "readonly database", "data-modifying", "INTO is not allowed")

type Chunks = Iterator[Any]


@contextmanager
def rows_of(
    address: str, query: str, name: str, *, as_of: dt.date | None, timeout: float
) -> Iterator[tuple[list[str], Chunks]]:
    """The names of the columns of a query's result, and its rows as Arrow tables, some at a time.

    Parameters
    ----------
    name : str
        Of the query, for messages.
    as_of : date or None
        The value of ``:as_of``; None where the query has no parameter.
    timeout : float
        Seconds until the query is given up.

    Raises
    ------
    InputError
        The URL is wrong, a package is missing, the server cannot be reached or refuses the password or the query, or
        the time is over.
    """
    url = _parsed(address)
    password = _password(url)
    import sqlalchemy

    with _translated(sqlalchemy.exc.SQLAlchemyError, url, password, name, timeout):
        place = _prepared(url if password is None else url.set(password=password))
        engine = sqlalchemy.create_engine(place, poolclass=sqlalchemy.NullPool, hide_parameters=True)
        statement = sqlalchemy.text(query)
        if as_of is not None:
            statement = statement.bindparams(sqlalchemy.bindparam("as_of", as_of, sqlalchemy.Date))
        deadline = time.monotonic() + timeout
        with engine.connect() as plain:
            connection = plain.execution_options(postgresql_readonly=True)
            _begin(connection, timeout, deadline)
            if connection.dialect.driver == "psycopg":
                compiled = statement.compile(dialect=connection.dialect)
                own = connection.connection.driver_connection
                names, tables = copying.copied(own, str(compiled), compiled.params, _ROWS)
            else:
                # Rows in chunks: a cursor on the server, where there are such.
                result = connection.execute(statement, execution_options={"yield_per": _ROWS})
                names, tables = list(result.keys()), map(rows.table_of, result.partitions(_ROWS))
            yield names, _until(tables, deadline)


def _until(chunks: Any, deadline: float) -> Chunks:
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise TimeoutError
        yield chunk


# ---- the transaction -------------------------------------------------------------------------------------------------


def _prepared(url: "URL") -> "URL":
    """The URL by which SQLite opens the file for reading only, and a server of PostgreSQL answers in time or fails."""
    if url.get_driver_name() == "pysqlite":
        return url.set(database=f"file:{quote(url.database or '')}", query={"mode": "ro", "uri": "true"})
    if url.get_driver_name() in ("psycopg", "psycopg2") and "connect_timeout" not in url.query:
        return url.update_query_dict({"connect_timeout": str(_CONNECT_SECONDS)})
    return url


def _begin(connection: "Connection", timeout: float, deadline: float) -> None:
    """Make the transaction read-only and limit its time; of PostgreSQL, have days written as ISO texts."""
    dialect, own = connection.dialect.name, connection.connection.driver_connection
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        if (watch := getattr(own, "set_progress_handler", None)) is not None:
            watch(lambda: time.monotonic() > deadline, 10_000)
    elif dialect == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(int(timeout * 1000), 1)}")
        connection.exec_driver_sql("SET LOCAL datestyle = 'ISO, YMD'")
    elif dialect in _READ_ONLY:
        connection.exec_driver_sql(_READ_ONLY[dialect])


# ---- the password ----------------------------------------------------------------------------------------------------


def _password(url: "URL") -> str | None:
    """The password: of the URL, the environment or the keyring; None leaves it to the driver."""
    if url.password or url.get_backend_name() == "sqlite":
        return None if url.password is None else str(url.password)
    return os.environ.get(PASSWORD) or _from_keyring(url)


def _from_keyring(url: "URL") -> str | None:
    """The password that the keyring has for this user, server and database, if there is a keyring."""
    if os.environ.get("PGPASSWORD"):
        return None
    keyring = require("keyring", "sql")
    try:
        secret: str | None = keyring.get_password(SERVICE, keyring_name(url))
    except keyring.errors.KeyringError:
        return None
    return secret


def keyring_name(url: "URL") -> str:
    """The name of the password in the keyring: ``user@host/database``."""
    return f"{url.username or ''}@{url.host or url.query.get('host') or 'localhost'}/{url.database or ''}"


def shown(url: "URL") -> str:
    """The URL for a message: without password and options."""
    host = url.host or url.query.get("host") or ""
    port = f":{url.port}" if url.port else ""
    user = f"{url.username}@" if url.username else ""
    return f"{url.drivername}://{user}{host}{port}/{url.database or ''}"


def _masked(text: str, url: "URL", password: str | None) -> str:
    """``text`` without the password, however it is written, and without secrets among the URL's options."""
    given = {password or "", str(url.password or ""), os.environ.get("PGPASSWORD", "")}
    given |= {str(value) for key, value in url.query.items() if _SECRET.search(key)}
    secrets = {form(secret) for secret in given if secret for form in (str, quote, quote_plus)}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


# ---- what went wrong -------------------------------------------------------------------------------------------------


def _parsed(address: str) -> "URL":
    """The URL; the message for a wrong one does not repeat it.

    Raises
    ------
    MissingExtraError
        SQLAlchemy is not installed.
    InputError
        The URL does not name a database.
    """
    sqlalchemy = require("sqlalchemy", "sql")
    try:
        url: URL = sqlalchemy.make_url(address)
        url.get_dialect()
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InputError(
            gettext(
                "the database URL is not one that SQLAlchemy knows. Write DIALECT+DRIVER://USER@HOST:PORT/NAME, such "
                "as postgresql+psycopg://reader@crm.example/crm or sqlite:///crm.db; special characters of a "
                "password are written as %40 for @."
            )
        ) from None
    except ImportError as fault:
        raise InputError(_no_driver(sqlalchemy.make_url(address), fault)) from None
    if url.get_backend_name() == "sqlite" and not url.database:
        raise InputError(gettext("the database URL names no file: write sqlite:///crm.db."))
    return url


def _no_driver(url: "URL", fault: ImportError) -> str:
    return gettext(
        "the driver of {database} is not installed ({reason}). 'winprob[sql]' brings psycopg for PostgreSQL; others "
        "are installed by their own name.",
        database=url.drivername,
        reason=fault,
    )


@contextmanager
def _translated(kind: type[Exception], url: "URL", password: str | None, name: str, timeout: float) -> Iterator[None]:
    """Turn what SQLAlchemy (``kind``) and drivers raise into an `InputError` with a remedy and without a password."""
    try:
        yield
    except ImportError as fault:
        raise InputError(_no_driver(url, fault)) from None
    except Exception as fault:
        if not isinstance(fault, (kind, TimeoutError)) and not hasattr(fault, "sqlstate"):
            raise
        # psycopg's own errors have an SQLSTATE.
        cause = getattr(fault, "orig", None) or fault
        # psycopg's text repeats the query, behind the name of a cursor.
        primary = getattr(getattr(cause, "diag", None), "message_primary", None)
        reason = _masked(" ".join(str(primary or cause).split()), url, password).strip(" .?")
        fields = {"name": name, "database": _masked(shown(url), url, password), "reason": reason}
        raise InputError(_sentence(cause, reason)(seconds=f"{timeout:g}", **fields)) from None


def _sentence(cause: BaseException, reason: str) -> Callable[..., str]:
    """The message for a fault, by its SQLSTATE, else by its words."""
    state = str(getattr(cause, "sqlstate", None) or "")
    signs: Mapping[Callable[..., str], bool] = {
        _too_slow: state == "57014" or isinstance(cause, TimeoutError) or reason == "interrupted",
        _wrong_password: state.startswith("28") or "authentication failed" in reason or "no password" in reason,
        _writes: state == "25006" or any(sign in reason for sign in _WRITES),
        _unreachable: state.startswith("08") or "connection" in reason or "unable to open" in reason,
    }
    return next((sentence for sentence, applies in signs.items() if applies), _refused)


def _too_slow(**fields: str) -> str:
    return gettext(
        "{name} took more than {seconds} s on {database} and was given up. Make the query faster, or allow more with "
        "--query-timeout.",
        **fields,
    )


def _wrong_password(**fields: str) -> str:
    return gettext(
        "{database} does not accept the user or the password: {reason}. The password is read from "
        "WINPROB_DATABASE_PASSWORD, PGPASSWORD, .pgpass or the keyring (service winprob).",
        **fields,
    )


def _writes(**fields: str) -> str:
    return gettext("{name} tries to change {database}: {reason}. Only queries that read are run.", **fields)


def _unreachable(**fields: str) -> str:
    return gettext(
        "{database} cannot be reached: {reason}. Check host, port and name, and that the server is running.", **fields
    )


def _refused(**fields: str) -> str:
    return gettext("{database} refuses the query {name}: {reason}. Correct the query.", **fields)
