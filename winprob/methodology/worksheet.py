"""The questions of a worksheet: sections of the method's items, whom each is about, how it is answered; the version."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from winprob.methodology.lookups import plays
from winprob.methodology.records import Play

#: Whom a section is about, and the roles to whose people the questions about executives are put.
DEAL, PERSON, EXECUTIVE = "deal", "person", "executive"
_EXECUTIVE_ROLES = ("approver", "decision_maker")
#: How a question is answered.
YES_NO, RATING, STEP, COUNT = "yes_no", "rating", "step", "count"
#: The form of the files; it changes when files of an earlier form can no longer be read.
_FORM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question of a worksheet.

    Attributes
    ----------
    concept, item
        Subject and item of the method; where the answer is a step, the item is ``step``.
    kind
        ``yes_no``, ``rating`` (1 to 4), ``step`` (1 to the number of ``options``) or ``count``.
    play
        The item asked about; for a step, the section.
    options
        What the numbers of a rating or a step mean.
    """

    concept: str
    item: str
    kind: str
    play: Play
    options: tuple[Play, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.concept}.{self.item}"

    @property
    def meanings(self) -> tuple[str, ...]:
        """The meaning of each number in the current language; empty where it needs none."""
        if self.kind == STEP:
            return tuple(step.phrase.text() for step in self.options)
        return tuple(anchor.text() for anchor in self.play.anchors) if self.kind == RATING else ()

    @property
    def numbers(self) -> range:
        """The whole numbers that answer it; empty for yes or no."""
        most = {YES_NO: 0, COUNT: 1000}.get(self.kind, len(self.meanings))
        return range(0 if self.kind == COUNT else 1, most + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section: its title and instruction (``play``), whom it is about (``scope``), and its questions."""

    play: Play
    questions: tuple[Question, ...]

    @property
    def scope(self) -> str:
        return self.play.part


def worksheet_sections(role: str | None) -> tuple[Section, ...]:
    """The sections about a person of a role, or about the deal itself (None), in order."""
    executive = {EXECUTIVE} if role in _EXECUTIVE_ROLES else set()
    wanted = {DEAL} if role is None else {PERSON} | executive
    return tuple(section for section in _sections() if section.scope in wanted)


def _sections() -> tuple[Section, ...]:
    return tuple(Section(play=play, questions=tuple(_questions(play))) for play in plays("worksheets"))


def _questions(section: Play) -> Iterator[Question]:
    subject, _, part = section.id.partition(".")
    items = plays(subject, part or None)
    if section.of == STEP:
        yield Question(concept=subject, item="step", kind=STEP, play=section, options=items)
        return
    for item in items:
        yield Question(concept=subject, item=item.id, kind=section.of, play=item)


def worksheet_questions(role: str | None) -> dict[str, Question]:
    """The questions of these sections by id."""
    return {each.id: each for section in worksheet_sections(role) for each in section.questions}


def worksheet_version() -> str:
    """The version of the questions: the form of the files, and a digest of ids, scopes and kinds of answers."""
    return _version(tuple(_signature()))


def _signature() -> Iterator[str]:
    for section in _sections():
        for each in section.questions:
            yield f"{section.scope}:{each.id}:{each.kind}:{len(each.options)}"


@cache
def _version(signature: tuple[str, ...]) -> str:
    return f"{_FORM}-{hashlib.sha256('|'.join(signature).encode()).hexdigest()[:8]}"
