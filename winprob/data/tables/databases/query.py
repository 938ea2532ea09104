"""The text of a query file: one SELECT, whose only parameter is the day ``:as_of``."""

import re
from dataclasses import dataclass
from pathlib import Path

from winprob.errors import InputError
from winprob.i18n import gettext

#: What is not code: comments, and quoted text, in which a colon or a semicolon has no meaning.
_COMMENT_OR_QUOTED = re.compile(
    r"""--[^\n]*|/\*.*?\*/|"""
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$""",
    re.DOTALL,
)
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w++)")
AS_OF = "as_of"


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
