"""Results that a person can read: ``repr`` is a title and facts in words, and a table in a notebook."""

import unicodedata
from collections.abc import Iterator
from html import escape

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
