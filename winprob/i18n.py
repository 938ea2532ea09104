"""Words for a reader, in English and Chinese: translated sentences, amounts, and results that print what they are.

The English sentence is the key; ``locale/zh.po`` has the Chinese, and ``./dev words`` updates it. The language is set
once for a command or a page, and applies to all text inside.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from html import escape
from importlib.resources import files
from typing import IO, Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

_language: ContextVar[Language] = ContextVar("language", default="en")
#: The form and the values of each sentence that is made inside `recorded`.
Recorded = dict[str, tuple[str, dict[str, object]]]
_record: ContextVar[Recorded | None] = ContextVar("record", default=None)


def language() -> Language:
    """The current language."""
    return _language.get()


@contextmanager
def use_language(chosen: str) -> Iterator[None]:
    """Set the language to ``chosen`` ("en" or "zh") inside the block.

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


@contextmanager
def recorded() -> Iterator[Recorded]:
    """The sentences made inside the block, each with its form and values, so that several can be joined as one."""
    sentences: Recorded = {}
    token = _record.set(sentences)
    try:
        yield sentences
    finally:
        _record.reset(token)


def gettext(sentence: str, /, **values: object) -> str:
    """``sentence`` in the current language, its ``{fields}`` filled from ``values``.

    A sentence without a translation stays English; a test compares ``zh.po`` with every sentence in the source.
    """
    text = _chinese().get(sentence, sentence) if language() == "zh" else sentence
    made = text.format(**values) if values else text
    if (record := _record.get()) is not None:
        record[made] = text, values
    return made


def amount_text(amount: float) -> str:
    """An amount of money in whole units, ``1,234,567``; in Chinese ``123.5万`` or ``1.23亿``."""
    size = abs(amount)
    if language() == "en" or size < 9_999.5:
        # Adding zero turns a rounded -0 into 0.
        return f"{round(float(amount), 0) + 0.0:,.0f}"
    return f"{amount / 1e4:,.1f}万" if size < 99_995_000 else f"{amount / 1e8:,.2f}亿"


@cache
def _chinese() -> dict[str, str]:
    with files("winprob").joinpath("locale/zh.po").open("rb") as file:
        return read_translations(file)


def read_translations(file: IO[bytes]) -> dict[str, str]:
    """The translations of a .po file by English sentence, without empty and fuzzy ones."""
    # Imported here: an English session never needs it.
    from babel.messages.pofile import read_po

    catalog = read_po(file, locale="zh")
    return {str(m.id): str(m.string) for m in catalog if m.id and m.string and not m.fuzzy}


_LEFT = "text-align:left;vertical-align:top"
#: A list of facts is cut after this many.
_MOST = 20


class Described:
    """A result with a readable ``repr``. A subclass is a dataclass with ``repr=False`` and gives the words.

    Text comes from deal tables: what is not printable is replaced, so that a name cannot move a terminal's cursor, and
    HTML is escaped. The words are in the current language.
    """

    __slots__ = ()

    def described_as(self) -> str:
        """What it is, in one line."""
        raise NotImplementedError

    def facts(self) -> Iterator[tuple[str, str]]:
        """Names and values, most important first."""
        raise NotImplementedError

    def __repr__(self) -> str:
        facts = self._shown()
        width = max((text_width(name) for name, _ in facts), default=0)
        lines = [f"  {name}{' ' * (width - text_width(name))}  {value}" for name, value in facts]
        return "\n".join([_printable(self.described_as()), *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="{_LEFT}">{escape(name)}</th><td style="{_LEFT}">{escape(value)}</td></tr>'
            for name, value in self._shown()
        )
        title = escape(_printable(self.described_as()))
        return f'<table><caption style="{_LEFT};font-weight:bold">{title}</caption><tbody>{rows}</tbody></table>'

    def _shown(self) -> list[tuple[str, str]]:
        facts = [(_printable(name), _printable(value)) for name, value in self.facts()]
        more = len(facts) - _MOST
        return facts if more <= 0 else [*facts[:_MOST], ("…", f"+{more}")]


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def text_width(text: str) -> int:
    """Columns of a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
