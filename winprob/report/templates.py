"""Render Jinja templates from this folder, with autoescaping and a strict content security policy."""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from winprob.i18n import language

#: Control characters, and those that reverse the writing direction: in a name they would show another one.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def render(name: str, *, styles: Sequence[str] = ("style.css",), script: str | None = None, **values: object) -> str:
    """Render a complete document without external resources; its policy allows only its own script and style.

    Parameters
    ----------
    name : of the template
    styles, script : files in the same folder, inlined; the policy lists their hashes
    values : variables of the template
    """
    style = "\n".join(_text(file) for file in styles)
    program = _text(script) if script else ""
    page = (
        _environment()
        .get_template(name)
        .render(
            lang="zh-CN" if language() == "zh" else "en",
            policy=_policy(style, program),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(program),  # noqa: S704 - our own file
            **values,
        )
    )
    return _CONTROL.sub("\ufffd", page)


def _policy(style: str, program: str) -> Markup:
    """A strict content security policy: no connections, only this style and script."""
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
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("winprob", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
