"""How do we say it? Every sentence a user reads, in English and Chinese.

The English sentence is the key; ``locale/zh.po`` holds the Chinese. A language is chosen once, at the door
(command line, page), and holds for everything said within.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_language: ContextVar[Language] = ContextVar("language", default="en")


def language() -> Language:
    """The language now spoken."""
    return _language.get()


@contextmanager
def use_language(chosen: str) -> Iterator[None]:
    """Speak ``chosen`` ("en" or "zh") inside the block.

    Raises
    ------
    ValueError
        For any other language.
    """
    if chosen not in LANGUAGES:
        raise ValueError(f"language {chosen!r} is not one of {', '.join(LANGUAGES)}")
    token = _language.set(chosen)
    try:
        yield
    finally:
        _language.reset(token)


def gettext(sentence: str, /, **values: object) -> str:
    """``sentence`` in the language now spoken, its ``{fields}`` filled from ``values``.

    A sentence without a translation is said in English; a test holds ``zh.po`` to every sentence in the source.
    """
    text = _chinese().get(sentence, sentence) if language() == "zh" else sentence
    return text.format(**values) if values else text


@cache
def _chinese() -> dict[str, str]:
    # Imported here: an English session never needs it.
    from babel.messages.pofile import read_po

    with files("winprob").joinpath("locale/zh.po").open("rb") as file:
        catalog = read_po(file, locale="zh")
    return {str(m.id): str(m.string) for m in catalog if m.id and m.string}
