"""Where do the pages' shapes come from? Jinja templates beside this file, everything in them escaped."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from winprob.i18n import language


def render(name: str, *, styles: Sequence[str] = ("style.css",), script: str | None = None, **values: object) -> str:
    """A whole document that loads nothing, and lets a browser run and apply nothing but what stands in it.

    Parameters
    ----------
    name : of the template
    styles, script : files beside it, laid into the document; its policy names them by their hashes
    values : what the template asks for
    """
    style = "\n".join(_text(file) for file in styles)
    program = _text(script) if script else ""
    return (
        _room()
        .get_template(name)
        .render(
            lang="zh-CN" if language() == "zh" else "en",
            policy=_policy(style, program),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(program),  # noqa: S704 - our own file
            **values,
        )
    )


def _policy(style: str, program: str) -> Markup:
    """A strict content security policy: no connection, and no style or script but these."""
    rules = [
        "default-src 'none'",
        f"style-src {_hash(style)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if program:
        rules.insert(1, f"script-src {_hash(program)}")
    return Markup("; ".join(rules))  # noqa: S704 - quotes, and Base64


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _text(name: str) -> str:
    return files("winprob.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _room() -> Environment:
    return Environment(
        loader=PackageLoader("winprob", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
