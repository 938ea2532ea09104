"""Where do the pages' shapes come from? Jinja templates beside this file, everything in them escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


@cache
def template(name: str) -> Template:
    """A template by its file's name."""
    room = Environment(
        loader=PackageLoader("winprob", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return room.get_template(name)
