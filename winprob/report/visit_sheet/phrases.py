"""Phrases of the visit sheet: plays of the method, points of probability, and names of people."""

from collections.abc import Iterable
from functools import reduce

import pandas as pd

from winprob.actions.contacts import Contact
from winprob.i18n import gettext
from winprob.methodology import Play, is_unknown, label, plays
from winprob.report.numbers import percent, span
from winprob.report.sheet import Point
from winprob.report.visit_sheet.visit import Estimate

#: Facts with a vocabulary, and its name.
VOCABULARIES = {"stage": "stage", "decision_method": "decision_method", "coach": "coach"}


def point(name: str, *sentences: str) -> Point:
    """An item of a list, its label with a colon."""
    return Point(label=gettext("{label}:", label=name), text=together(*sentences))


def together(*sentences: str) -> str:
    """Join the sentences that are not empty."""
    parts = [sentence for sentence in sentences if sentence]
    return reduce(lambda first, second: gettext("{first} {second}", first=first, second=second), parts) if parts else ""


def listed(items: Iterable[str]) -> str:
    return gettext("; ").join(items)


def sentence(text: str) -> str:
    """A phrase as a sentence."""
    return gettext("{text}.", text=text)


def play_text(play: Play) -> str:
    """The phrase of a play, and how to do it."""
    return together(sentence(play.phrase.text()), play.how.text() if play.how else "")


def phrases(chosen: Iterable[Play]) -> list[str]:
    return [play.phrase.text() for play in chosen]


def title_of(subject: str, item: str) -> str:
    """The method's title of an item."""
    return _item(subject, item).phrase.text()


def how_of(subject: str, item: str) -> str:
    """How to do an item."""
    how = _item(subject, item).how
    return how.text() if how else ""


def _item(subject: str, item: str) -> Play:
    return next(play for play in plays(subject) if play.id == item)


def word(name: str, value: object) -> str:
    """The label of a canonical value, or of unknown."""
    return label(name, None if is_unknown(value) and name != "coverage" else value)


def chance_of(value: Estimate) -> str:
    """``41% (20–63%)``."""
    return gettext("{chance} ({interval})", chance=percent(value.mean), interval=span(value.lower, value.upper))


def points_of(value: Estimate) -> str:
    """``+7 (1 to 17)``, in points of win probability."""
    ends = {name: signed(getattr(value, name)) for name in ("mean", "lower", "upper")}
    return gettext("{mean} ({lower} to {upper})", **ends)


def signed(share: float) -> str:
    """A difference of probabilities in whole points with sign; 0 without."""
    points = round(100 * share)
    return f"{points:+d}" if points else "0"


def frequency(chance: float) -> tuple[int, int]:
    """A probability as a count of ten, or of a hundred where it is near 0 or 1."""
    of = 10 if 0.05 <= chance <= 0.95 else 100
    return min(max(round(of * chance), 1), of - 1), of


def support_and_coverage(facts: pd.Series, role: str) -> str:
    """The support and the coverage of a role."""
    return gettext(
        "support: {support}; coverage: {coverage}", support=support_of(facts, role), coverage=coverage_of(facts, role)
    )


def support_of(facts: pd.Series, role: str) -> str:
    return word("support", facts.get(f"{role}_support"))


def coverage_of(facts: pd.Series, role: str) -> str:
    return word("coverage", facts.get(f"{role}_coverage"))


def role_name(role: str) -> str:
    return label("role", role)


def named(contacts: Iterable[Contact]) -> str:
    """The first two people by name, and the number of the others."""
    names = [contact.person for contact in contacts if contact.person]
    if len(names) > 2:
        return gettext("{names} and {count} more", names=gettext(", ").join(names[:2]), count=len(names) - 2)
    return gettext(", ").join(names)


def who(contact: Contact | None, role: str) -> str:
    """A person with role and support; the role alone where no one is known in it."""
    return contact.text() if contact else gettext("the {role}", role=role_name(role))
