"""The newest answers by concept; and of each section of the worksheet how many items hold, and which comes next."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob.data.schema import cell_text
from winprob.i18n import gettext
from winprob.methodology import Section, is_unknown, plays, worksheet_sections

#: Sections from which a fact of its own is derived, by function.
_OF_THEIR_OWN = (
    "signs",
    "contacts.coach",
    "contacts.known",
    "contacts.talks",
    "coach.validation",
    "support",
    "intelligence.fact",
)
#: The section whose items are mistakes: those that hold are the ones to act on.
_MISTAKES = "losses.without"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The newest answers of one concept about a deal or a person: values and days by item, and the newest day."""

    concept: str
    given: Mapping[str, Any]
    days: Mapping[str, pd.Timestamp]

    @property
    def day(self) -> pd.Timestamp:
        return max(self.days.values())

    def of(self, part: str) -> dict[str, Any]:
        """The values of the items of a part of the subject."""
        wanted = {play.id for play in plays(self.concept, part)}
        return {item: value for item, value in self.given.items() if item in wanted}


def answered(answers: pd.DataFrame) -> dict[str, Answered]:
    """The newest answer to each question about one deal or person, by concept; notes without an answer are left out."""
    known = answers[answers["value"].notna()].sort_values("day", kind="stable")
    newest = known.drop_duplicates(["concept", "item"], keep="last")
    return {
        str(concept): Answered(
            concept=str(concept),
            given=dict(zip(of_concept["item"], of_concept["value"], strict=True)),
            days=dict(zip(of_concept["item"], of_concept["day"], strict=True)),
        )
        for concept, of_concept in newest.groupby("concept", sort=False)
    }


def row(fact: str, derived: Any, stated: str | None, day: pd.Timestamp, reason: str) -> dict[str, Any]:
    """A derived fact of the deal itself; one of a role or person replaces both Nones."""
    return {
        "role": None,
        "person": None,
        "fact": fact,
        "derived": None if derived is None else str(derived),
        "stated": stated,
        "agrees": None if derived is None or stated is None else str(derived) == stated,
        "day": day,
        "reason": reason,
    }


def stated(deal: Mapping[Any, Any], column: str) -> str | None:
    """What the record states, as a text; None where it is unknown."""
    value = deal.get(column)
    return None if is_unknown(value) else cell_text(value)


def listed(items: Iterable[str]) -> str:
    return gettext("; ").join(items)


def section_facts(mine: Mapping[str, Answered], role: str | None) -> Iterator[dict[str, Any]]:
    """Of each answered section about a role's person, or the deal (None): how many items hold, what is next."""
    for section in worksheet_sections(role):
        concept = section.questions[0].concept
        if section.play.id in _OF_THEIR_OWN or concept not in mine:
            continue
        items = [question.item for question in section.questions]
        if any(item in mine[concept].given for item in items):
            yield _section(section, mine[concept])


def _section(section: Section, mine: Answered) -> dict[str, Any]:
    first = section.questions[0]
    if first.options:
        reached = int(mine.given["step"])
        ahead = [step.how.text() if step.how else "" for step in first.options[reached : reached + 1]]
        step = first.meanings[reached - 1]
        reason = gettext("{step}. Next: {next}", step=step, next=ahead[0]) if ahead else step
        return row(section.play.id, reached, None, mine.days["step"], reason)
    plays_of = {question.item: question.play for question in section.questions}
    holding = [item for item in plays_of if mine.given.get(item) is True]
    days = [mine.days[item] for item in plays_of if item in mine.days]
    wanted = holding if section.play.id == _MISTAKES else [item for item in plays_of if item not in holding]
    nearest = [plays_of[item] for item in wanted[:1]]
    texts = [listed([play.phrase.text(), *([play.how.text()] if play.how else [])]) for play in nearest]
    reason = gettext("Next: {next}", next=texts[0]) if texts else gettext("all hold")
    if section.play.id == _MISTAKES and not texts:
        reason = gettext("none at present")
    return row(section.play.id, f"{len(holding)}/{len(plays_of)}", None, max(days), reason)
