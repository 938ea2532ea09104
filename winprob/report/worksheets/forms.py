"""Content of a worksheet, the same for workbook and form: blocks about deal and people, questions, facts on record."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from winprob import methodology as method
from winprob.data.schema import is_open, last_reading, latest_places, validate_deals
from winprob.i18n import gettext
from winprob.report.numbers import full_money, name_of, named_with_id, whole

#: Columns whose values have labels, and their word; of each role ``support`` and ``coverage``.
_WORDS = {"stage": "stage", "coach": "coach", "decision_method": "decision_method"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A question, its text and help, the kind of it before the text, and what the record holds (empty if nothing)."""

    question: method.Question
    text: str
    help: str
    on_record: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Questions under a heading of their own; without one it is empty."""

    heading: str
    help: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A section of the worksheet: title, instruction, groups of questions."""

    title: str
    help: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """All sections about the deal (no role), or about one person of a role; ``person`` is empty where unnamed."""

    title: str
    help: str
    on_record: str
    role: str
    person: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The worksheet of one deal."""

    deal_id: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


def worksheet_forms(deals: pd.DataFrame, people: pd.DataFrame | None, deal_id: str | None) -> list[Form]:
    """The worksheets of all open deals, or of one deal, whatever its outcome, in the current language.

    Parameters
    ----------
    deals : frame in canonical columns; of several readings of a deal the last one counts
    people : as ``tables.read_people_table`` returns it
    deal_id : None for all open deals

    Raises
    ------
    DealTableError
        The frame is not valid, or the deal is not in it.
    """
    valid = validate_deals(deals)
    chosen = valid.iloc[latest_places(valid)]
    chosen = chosen[is_open(chosen)] if deal_id is None else last_reading(valid, deal_id)
    return [_form(deal, _of_deal(people, deal)) for deal in chosen.to_dict("records")]


def _of_deal(people: pd.DataFrame | None, deal: Mapping[Any, Any]) -> pd.DataFrame:
    """The people of a deal on the day of its reading; people without a day count on every day."""
    if people is None:
        return pd.DataFrame(columns=["person", "role"])
    mine: pd.DataFrame = people[people["deal_id"] == deal["deal_id"]]
    day = deal.get("as_of")
    return mine if day is None or pd.isna(day) else mine[mine["as_of"].isna() | (mine["as_of"] == day)]


def _form(deal: Mapping[Any, Any], people: pd.DataFrame) -> Form:
    blocks = [_block(gettext("The deal"), "", "", "", deal, {})]
    for role in method.ROLES:
        holders = people[people["role"] == role].sort_values("person").to_dict("records")
        for holder in holders or [{}]:
            person = str(holder.get("person", ""))
            title = gettext(
                "{role}: {person}", role=method.label("role", role), person=person or gettext("name not known")
            )
            state = gettext("; ").join(_state_of(role, deal))
            blocks.append(_block(title, state, role, person, deal, holder))
    facts = [_fact(deal, name) for name in ("stage", "decision_method", "coach", "expected_close_on", "as_of")]
    lead = gettext(" · ").join(
        gettext("{what}: {value}", what=method.column_label(name), value=text)
        for name, text in zip(("stage", "decision_method", "coach", "expected_close_on", "as_of"), facts, strict=True)
        if text
    )
    title = gettext("Worksheet: {deal}", deal=named_with_id(deal))
    return Form(deal_id=str(deal["deal_id"]), title=title, lead=lead or name_of(deal), blocks=tuple(blocks))


def _block(
    title: str,
    on_record: str,
    role: str,
    person: str,
    deal: Mapping[Any, Any],
    holder: Mapping[Any, Any],
) -> Block:
    parts = tuple(
        Part(
            title=section.play.phrase.text(),
            help=section.play.how.text() if section.play.how else "",
            groups=tuple(_groups(section, role, deal, holder)),
        )
        for section in method.worksheet_sections(role or None)
    )
    weight = gettext("; ").join(_weight_of(role, deal))
    return Block(title=title, help=weight, on_record=on_record, role=role, person=person, parts=parts)


def _groups(section: method.Section, role: str, deal: Mapping[Any, Any], holder: Mapping[Any, Any]) -> Iterator[Group]:
    """The questions of a section, under a heading for each stage or kind of intelligence that they belong to."""
    by_owner: dict[str, list[Row]] = {}
    for question in section.questions:
        own = question.play.of if question.concept in _HEADINGS else ""
        by_owner.setdefault(own, []).append(_row(question, role, deal, holder))
    for owner, rows in by_owner.items():
        heading, instruction = _HEADINGS[section.questions[0].concept](owner) if owner else ("", "")
        yield Group(heading=heading, help=instruction, rows=tuple(rows))


def _of_stage(stage: str) -> tuple[str, str]:
    state, cares, do = method.plays("stages", of=stage)
    heading = gettext("{stage}: {state}", stage=method.label("stage", stage), state=state.phrase.text())
    what = gettext(
        "The customer cares about: {cares}. What we do: {do}.", cares=cares.phrase.text(), do=do.phrase.text()
    )
    return heading, gettext("{first} {second}", first=what, second=do.how.text() if do.how else "")


def _of_kind(kind: str) -> tuple[str, str]:
    (own,) = (play for play in method.plays("intelligence", "kind") if play.id == kind)
    fact = method.plays("intelligence", "fact", of=kind)[0]
    sources = gettext(", ").join(channel.phrase.text() for channel in method.channels_for(fact.id))
    return own.phrase.text(), gettext(
        "{how} Channels: {channels}.", how=own.how.text() if own.how else "", channels=sources
    )


_HEADINGS = {"signs": _of_stage, "intelligence": _of_kind}


def _row(question: method.Question, role: str, deal: Mapping[Any, Any], holder: Mapping[Any, Any]) -> Row:
    play = question.play
    text = play.phrase.text()
    if question.concept == "signs":
        text = gettext("{kind} · {sign}", kind=_kind_of_sign(play), sign=text)
    known = _on_record(question, role, deal, holder)
    shown_help = play.how.text() if play.how and not question.options else _ask(play)
    return Row(question=question, text=text, help=shown_help, on_record=known)


def _ask(fact: method.Play) -> str:
    """How to ask for a fact of the deal table; empty for any other item."""
    asked = [play.phrase.text() for play in method.plays("questions") if set(play.columns) & set(fact.columns)]
    return gettext("Ask: {question}", question=asked[0]) if asked else ""


def _kind_of_sign(sign: method.Play) -> str:
    kinds = {"says": gettext("says"), "does": gettext("does"), "asks": gettext("asks")}
    return kinds.get(sign.part, sign.part)


def _on_record(question: method.Question, role: str, deal: Mapping[Any, Any], holder: Mapping[Any, Any]) -> str:
    """What the record holds about a question: the columns that hold the fact, the coach, coverage, or a rating."""
    if question.concept == "intelligence":
        return gettext("; ").join(filter(None, (_fact(deal, column) for column in question.play.columns)))
    if question.id == "contacts.coach_exists":
        return _fact(deal, "coach")
    if question.concept == "contacts":
        coverage = holder.get("coverage")
        return _fact(deal, f"{role}_coverage") if method.is_unknown(coverage) else method.label("coverage", coverage)
    rating = holder.get(question.item) if question.concept == "support" else None
    return "" if method.is_unknown(rating) else str(int(str(rating).removesuffix(".0")))


def _state_of(role: str, deal: Mapping[Any, Any]) -> Iterator[str]:
    for word in ("support", "coverage"):
        if text := _fact(deal, f"{role}_{word}"):
            yield gettext("{what}: {value}", what=method.column_label(f"{role}_{word}"), value=text)


def _weight_of(role: str, deal: Mapping[Any, Any]) -> Iterator[str]:
    """What the deal's decision method and stage mean for a role: that it decides, or is not in play yet."""
    for part, fact in (("decides", "decision_method"), ("not_yet", "stage")):
        for play in method.plays("chain", part, of=str(deal.get(fact))):
            if f"{role}_support" in play.columns:
                yield play.phrase.text()


def _fact(deal: Mapping[Any, Any], column: str) -> str:
    """The value of a column in words; empty where it is unknown."""
    value = deal.get(column)
    word = _WORDS.get(column, column.rpartition("_")[2] if column.endswith(("_support", "_coverage")) else "")
    if value is None or pd.isna(value) or (method.is_unknown(value) and word != "coverage"):
        return ""
    if word:
        return method.label(word, value)
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    if column == "amount":
        currency = deal.get("currency")
        return whole(float(value)) if method.is_unknown(currency) else full_money(float(value), str(currency))
    return str(value)
