"""Records of the methodology: words with labels and aliases, and plays, the items of its subjects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from winprob.i18n import gettext, language
from winprob.toml import Name, Wanted, record


def _anchors_wanted() -> str:
    return gettext("four tables with en and zh")


@record
class Phrase:
    """One text in both languages."""

    en: Name
    zh: Name

    def text(self, lang: str | None = None) -> str:
        """The text in ``lang`` ("en" or "zh"), or in the current language."""
        return {"en": self.en, "zh": self.zh}[lang or language()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A canonical value, its label, and the other spellings in use."""

    value: str
    label: Phrase
    aliases: tuple[str, ...] = ()


@record
class Play:
    """One item of a subject.

    Attributes
    ----------
    id
        Unique within its subject.
    en, zh
        The item's text in both languages; together its ``phrase``.
    origin
        ``"method"`` if the source method names it, ``"ours"`` if the method gives only its number or leaves it open.
    part
        Section of the subject, such as ``"says"`` or ``"validation"``; empty where there is only one.
    of
        The stage or the kind of intelligence it belongs to; empty where it belongs to none.
    how
        How it is done; always ours.
    anchors
        Meaning of the ratings 1 to 4; empty unless it is rated.
    knows
        Kinds of intelligence that a channel is likely to know.
    columns
        Columns of the deal table that hold the fact.
    when
        The situation in which a rule holds: facts, each with the values that fit.
    points_to
        The plays that a rule points to, each as ``subject.item``.
    """

    id: Name
    en: Name
    zh: Name
    origin: Literal["method", "ours"]
    part: Annotated[str, Field(min_length=1)] = ""
    of: Annotated[str, Field(min_length=1)] = ""
    how: Phrase | None = None
    anchors: Annotated[tuple[Phrase, ...], Field(min_length=4, max_length=4), Wanted(_anchors_wanted)] = ()
    knows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    points_to: tuple[str, ...] = ()

    @property
    def phrase(self) -> Phrase:
        return Phrase(en=self.en, zh=self.zh)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Methodology:
    """Everything read from the files: words and their aliases by word, plays by subject."""

    words: Mapping[str, Mapping[str, Word]]
    aliases: Mapping[str, Mapping[str, str]]
    plays: Mapping[str, tuple[Play, ...]]
