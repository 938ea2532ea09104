"""Query files: a file that ends in ``.sql`` is a table, the result of its one SELECT in the database in force."""

import datetime as dt
import re
import tempfile
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

from winprob.errors import InputError
from winprob.i18n import gettext

#: Seconds that a query may take, where nothing else is given.
TIMEOUT = 60.0
#: A URL, also one whose two slashes became one in a `Path`; a drive of Windows has one letter.
_URL = re.compile(r"[A-Za-z][\w+.-]+:/")
_SUFFIX = ".sql"
#: Rows between two reports of progress.
_EVERY = 200_000
#: What is not code: comments, and quoted text, in which a colon or a semicolon has no meaning.
_COMMENT_OR_QUOTED = re.compile(
    r"""--[^\n]*|/\*.*?\*/|"""
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$""",
    re.DOTALL,
)
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w++)")
AS_OF = "as_of"


type Day = str | dt.date | None
type Rows = Sized


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where queries are run, and what they gave: each is run once.

    Attributes
    ----------
    url : with or without a password
    as_of : the value of ``:as_of``
    timeout : seconds that one query may take
    progress : called with a sentence now and then
    folder : for the results
    results : the result of each query file and day
    """

    url: str
    as_of: dt.date | None
    timeout: float
    progress: Callable[[str], None]
    folder: Path
    results: dict[tuple[Path, dt.date | None], Path] = field(default_factory=dict, repr=False)


_IN_FORCE: ContextVar[Database | None] = ContextVar("database", default=None)


@contextmanager
def database(
    url: str,
    *,
    as_of: Day = None,
    timeout: float = TIMEOUT,
    progress: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Read query files from a database: in the block, a path that ends in ``.sql`` is accepted wherever a table is.

    Each query is run once, in a read-only transaction, when its table is first read.

    Parameters
    ----------
    url : str
        As SQLAlchemy takes it: ``postgresql+psycopg://user@host/name``, ``sqlite:///crm.db``. Without a password it is
        that of the environment (``WINPROB_DATABASE_PASSWORD``, then what the driver looks for, such as ``PGPASSWORD``)
        or of the keyring (service ``winprob``).
    as_of : date, ISO text or None
        The value of the parameter ``:as_of`` of the queries.
    timeout : float
        Seconds that one query may take.
    progress : callable or None
        Called with a sentence while rows are read.
    """
    day = dt.date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    with tempfile.TemporaryDirectory(prefix="winprob_", ignore_cleanup_errors=True) as folder:
        made = Database(url=url, as_of=day, timeout=timeout, progress=progress or (lambda _: None), folder=Path(folder))
        former = _IN_FORCE.set(made)
        try:
            yield
        finally:
            _IN_FORCE.reset(former)


@contextmanager
def on_day(as_of: dt.date | None) -> Iterator[None]:
    """In the block ``:as_of`` is another day, as for the deals of an earlier review."""
    current = _IN_FORCE.get()
    former = _IN_FORCE.set(current and replace(current, as_of=as_of))
    try:
        yield
    finally:
        _IN_FORCE.reset(former)


def is_query(path: str | Path) -> bool:
    """Whether a path is that of a query file."""
    return Path(path).suffix.lower() == _SUFFIX


def refuse_url(path: str | Path) -> None:
    """Refuse a database URL in the place of a file; the message does not repeat it, since it may hold a password.

    Raises
    ------
    InputError
    """
    if _URL.match(str(path)):
        raise InputError(
            gettext(
                "a database URL is given where a file is read. Give the query as well: DEALS is the URL, with --query "
                "FILE.sql; in Python read_deals(URL, query=...). Any other table of the database is a query file, "
                "such as --people people.sql."
            )
        )


def table_file(path: str | Path) -> Path:
    """The file that holds a table: the path itself; of a query file, its result, which is a Parquet file.

    Raises
    ------
    InputError
        No database is in force, the query is not one SELECT, or the database refuses it.
    """
    refuse_url(path)
    path = Path(path)
    if not is_query(path):
        return path
    source = _IN_FORCE.get()
    if source is None:
        raise InputError(
            gettext(
                "{name} is a query, and no database is named. Give its URL as DEALS and the query as --query {name}, "
                "or set database in winprob.toml; in Python use winprob.database(URL).",
                name=path,
            )
        )
    key = (path.absolute(), source.as_of)
    if key not in source.results:
        source.results[key] = _run(source, path)
    return source.results[key]


def _run(source: Database, path: Path) -> Path:
    from winprob.data.tables.databases.connection import rows_of
    from winprob.data.tables.databases.rows import write_rows

    query = read_query(path)
    if query.dated and source.as_of is None:
        raise InputError(
            gettext(
                "{name} has the parameter :as_of, and no day is given. Add --as-of, or --before-as-of for the deals of "
                "--before.",
                name=path,
            )
        )
    target = source.folder / f"{len(source.results)}.parquet"
    day = source.as_of if query.dated else None
    with rows_of(source.url, query.text, str(path), as_of=day, timeout=source.timeout) as (names, chunks):
        count = write_rows(_counted(chunks, path, source.progress), names, target)
    if not count:
        raise InputError(
            gettext("{name} gave no rows for :as_of = {day}. Check its conditions.", name=path, day=day)
            if day
            else gettext("{name} gave no rows. Check its conditions.", name=path)
        )
    rows = f"{count:,}"
    source.progress(
        gettext("{name}: {rows} rows, for :as_of = {day}", name=path, rows=rows, day=day)
        if day
        else gettext("{name}: {rows} rows", name=path, rows=rows)
    )
    return target


def _counted(chunks: Iterator[Rows], path: Path, progress: Callable[[str], None]) -> Iterator[Rows]:
    """The chunks; the number of rows so far is reported now and then."""
    count = 0
    for chunk in chunks:
        yield chunk
        count += len(chunk)
        if count % _EVERY < len(chunk):
            progress(gettext("{name}: {rows} rows so far", name=path, rows=f"{count:,}"))


# ---- the text of a query ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query as SQLAlchemy's ``text`` takes it; ``dated`` is whether it has the parameter ``:as_of``."""

    text: str
    dated: bool


def read_query(path: Path) -> Query:
    """The query in a file.

    Raises
    ------
    InputError
        The file is missing or no UTF-8, is not one SELECT, or has another parameter than ``:as_of``.
    """
    try:
        return parse_query(path.read_bytes().decode("utf-8-sig"), str(path))
    except FileNotFoundError:
        raise InputError(gettext("{name} does not exist. Check the path.", name=path)) from None
    except UnicodeDecodeError:
        raise InputError(gettext("{name} is not UTF-8. Save the query as UTF-8.", name=path)) from None
    except OSError as fault:
        raise InputError(gettext("{name} cannot be read: {fault}.", name=path, fault=fault.strerror)) from None


def parse_query(text: str, name: str) -> Query:
    """The query ``text``; a semicolon at its end is dropped.

    Raises
    ------
    InputError
        It is not one SELECT, or has another parameter than ``:as_of``.
    """
    text = _COMMENT_OR_QUOTED.sub(_without_comment, text).strip().removesuffix(";")
    code = _COMMENT_OR_QUOTED.sub("''", text)
    first = re.match(r"[\s(]*(\w*)", code)
    if ";" in code or first is None or first[1].lower() not in ("select", "with"):
        raise InputError(
            gettext(
                "{name} is not one SELECT. A query file holds one statement that begins with SELECT or WITH, and only "
                "reads.",
                name=name,
            )
        )
    parameters = set(_PARAMETER.findall(code))
    if other := sorted(parameters - {AS_OF}):
        raise InputError(
            gettext(
                "{name} has the parameters {parameters}; the only one is :as_of, the day of --as-of. Write \\: for a "
                "colon that is no parameter.",
                name=name,
                parameters=", ".join(f":{each}" for each in other),
            )
        )
    text = re.sub(f"{_COMMENT_OR_QUOTED.pattern}|::", _escaped, text, flags=re.DOTALL)
    return Query(text=text, dated=bool(parameters))


def _without_comment(found: re.Match[str]) -> str:
    """Nothing in place of a comment but its line ends, so that the lines of a message are those of the file."""
    return " " + "\n" * found[0].count("\n") if found[0].startswith(("--", "/*")) else found[0]


def _escaped(found: re.Match[str]) -> str:
    """Quoted text, or the sign of a cast, with its colons escaped, so that they name no parameter."""
    return found[0].replace(":", "\\:")
