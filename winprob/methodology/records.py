"""What does the methodology consist of? Words with labels and aliases, and plays: the items of its subjects."""

from collections.abc import Mapping
from dataclasses import dataclass

from winprob.i18n import language


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One text in both languages."""

    en: str
    zh: str

    def text(self, lang: str | None = None) -> str:
        """The text in ``lang`` ("en" or "zh"), or in the language now spoken."""
        return {"en": self.en, "zh": self.zh}[lang or language()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A canonical value: its label, and what else people write for it."""

    value: str
    label: Phrase
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One item of a subject.

    Attributes
    ----------
    id
        Unique within its subject.
    phrase
        What it says.
    origin
        ``"method"`` if the source method names it, ``"ours"`` if the method only counts it or leaves it open.
    part
        Section of the subject, such as ``"says"`` or ``"validation"``; empty where there is only one.
    of
        What it belongs to: a stage, a kind of intelligence; empty where it belongs to nothing.
    how
        How it is done; always ours.
    anchors
        What the ratings 1 to 4 mean; empty unless it is rated.
    knows
        Kinds of intelligence that a channel is likely to know.
    columns
        Columns of the deal table that hold the fact.
    when
        The situation in which a rule holds: facts, each with the values that fit.
    points_to
        The plays that a rule points to, each as ``subject.item``.
    """

    id: str
    phrase: Phrase
    origin: str
    part: str = ""
    of: str = ""
    how: Phrase | None = None
    anchors: tuple[Phrase, ...] = ()
    knows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()
    points_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Methodology:
    """Everything read from the files: words and their aliases by word, plays by subject."""

    words: Mapping[str, Mapping[str, Word]]
    aliases: Mapping[str, Mapping[str, str]]
    plays: Mapping[str, tuple[Play, ...]]
