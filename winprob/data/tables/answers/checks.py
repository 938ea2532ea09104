"""Check the cells of an answer file against questions, deals and days, and convert them: every fault at once."""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob.data.schema import shown_cell
from winprob.data.tables.answers.raw import RawAnswers
from winprob.data.tables.values.columns import parse_days
from winprob.i18n import gettext
from winprob.methodology import ROLES, Question, canonical, worksheet_questions, worksheet_version
from winprob.toml import suggestion

#: Answers of yes and no in both languages, lower case.
YES, NO = ("yes", "是", "y", "true"), ("no", "否", "n", "false")
_LONGEST = {"deal_id": 500, "person": 200, "note": 2000}
_WHOLE = re.compile(r"\d{1,4}(?:\.0+)?")
#: Questions by id: those about the deal (None), and those about a person of each role.
_Questions = Mapping[str | None, Mapping[str, Question]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A cell that is wrong: where it is, in which column, what it holds, and what to do."""

    place: str
    column: str
    got: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One valid answer; ``value`` is None where only a note was given."""

    place: str
    deal_id: str
    role: str | None
    person: str | None
    question: Question
    value: bool | int | None
    day: dt.datetime
    note: str | None


def check_answers(
    raw: RawAnswers, known: Collection[str] | None, as_of: dt.date | None
) -> tuple[list[Answer], list[Fault]]:
    """The valid answers of a file, and the faults of all others; a row without a value and a note is no answer.

    Parameters
    ----------
    known : ids of the deals that may be answered about; None for any
    as_of : the last day on which an answer can have been given; None for any
    """
    questions: _Questions = {role: worksheet_questions(role) for role in (None, *ROLES)}
    days = parse_days(pd.Series([row["day"] for row in raw.rows], dtype="str")).read
    faults = [*_of_file(raw)]
    answers: list[Answer] = []
    for row, place, day in zip(raw.rows, raw.places, days, strict=True):
        if not (row["value"] or row["note"]):
            continue
        role = canonical("role", row["role"])
        question, wrong = _question(row, role, questions)
        value, odd = _value(row["value"], question)
        found = [*_deal(row["deal_id"], known), *wrong, *odd, *_day(row["day"], day, as_of), *_too_long(row)]
        faults += [Fault(place=place, column=name, got=shown_cell(row[name]), remedy=remedy) for name, remedy in found]
        if question and not found:
            answers.append(
                Answer(
                    place=place,
                    deal_id=row["deal_id"],
                    role=role,
                    person=row["person"] or None,
                    question=question,
                    value=value,
                    day=day.to_pydatetime(),
                    note=row["note"] or None,
                )
            )
    return answers, [*faults, *_repeated(answers), *_coach_denied(answers)]


#: The column at fault, and what to do.
_Found = tuple[str, str]


def _of_file(raw: RawAnswers) -> Iterator[Fault]:
    today = worksheet_version()
    for version in sorted(raw.versions - {today}):
        remedy = gettext(
            "the questions are those of version {version} now; write the worksheet again and copy the answers over",
            version=repr(today),
        )
        yield Fault(place=gettext("the file"), column="worksheet", got=shown_cell(version), remedy=remedy)
    for place, column in raw.formulas:
        remedy = gettext("put the value in its place; a text that begins with = needs an apostrophe before it")
        yield Fault(place=place, column=column, got=gettext("a formula"), remedy=remedy)


def _deal(deal: str, known: Collection[str] | None) -> Iterator[_Found]:
    if not deal:
        yield "deal_id", gettext("give the deal's id")
    elif known is not None and deal not in known:
        yield (
            "deal_id",
            gettext("give a deal of the table; {hint}", hint=suggestion(deal, known, most=5)),
        )


def _question(row: Mapping[str, str], role: str | None, questions: _Questions) -> tuple[Question | None, list[_Found]]:
    """The question that a row answers, and what is wrong with it or its role."""
    name = row["question"]
    if row["role"] and role is None:
        return None, [("role", suggestion(row["role"], ROLES))]
    if question := questions[role].get(name):
        return question, []
    roles = [each for each in ROLES if name in questions[each]]
    if name in questions[None]:
        return questions[None][name], [("role", gettext("leave it blank: the question is about the deal"))]
    if roles:
        return questions[roles[0]][name], [("role", gettext("accepted: {accepted}", accepted=", ".join(roles)))]
    every = list(dict.fromkeys(each for of_role in questions.values() for each in of_role))
    return None, [("question", suggestion(name, every, most=3))]


def _value(text: str, question: Question | None) -> tuple[bool | int | None, list[_Found]]:
    if question is None or not text:
        return None, []
    word = text.lower()
    if not question.numbers:
        if word in (*YES, *NO):
            return word in YES, []
        return None, [("value", gettext("accepted: {accepted}", accepted="yes, no, 是, 否"))]
    if _WHOLE.fullmatch(word) and int(float(word)) in question.numbers:
        return int(float(word)), []
    accepted = gettext(
        "accepted: whole numbers from {first} to {last}", first=question.numbers[0], last=question.numbers[-1]
    )
    return None, [("value", accepted)]


def _day(text: str, day: Any, as_of: dt.date | None) -> Iterator[_Found]:
    if pd.isna(day):
        yield "day", gettext("give the day on which it was seen or heard, YYYY-MM-DD")
    elif as_of is not None and day.date() > as_of:
        yield "day", gettext("it is after {day}: give the day on which it was seen or heard", day=as_of)
    elif day.year < 2000:
        yield "day", gettext("give the day on which it was seen or heard, YYYY-MM-DD")


def _too_long(row: Mapping[str, str]) -> Iterator[_Found]:
    for column, most in _LONGEST.items():
        if len(row[column]) > most:
            yield column, gettext("shorten it to {most} characters", most=most)


def _repeated(answers: Sequence[Answer]) -> Iterator[Fault]:
    """Answers to the same question about the same person on the same day."""
    first: dict[tuple[Any, ...], str] = {}
    for one in answers:
        key = (one.deal_id, one.role, one.person, one.question.id, one.day)
        place = first.setdefault(key, one.place)
        if place != one.place:
            remedy = gettext("the same question is answered at {place} for the same day: keep one", place=place)
            yield Fault(place=one.place, column="question", got=shown_cell(one.question.id), remedy=remedy)


def _coach_denied(answers: Sequence[Answer]) -> Iterator[Fault]:
    """Coach tests answered on a day on which there was no coach."""
    denied = {
        (one.deal_id, one.day) for one in answers if one.question.id == "contacts.coach_exists" and one.value is False
    }
    tests = (one for one in answers if one.question.id.startswith("coach.validation.") and one.value is not None)
    for one in tests:
        if (one.deal_id, one.day) in denied:
            remedy = gettext("leave the tests of the coach blank, or answer that there is a coach")
            yield Fault(place=one.place, column="question", got=shown_cell(one.question.id), remedy=remedy)
