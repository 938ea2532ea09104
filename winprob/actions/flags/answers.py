"""Contradictions between the record and the answers of a worksheet: what they derive differs from what is stated."""

from collections.abc import Callable, Iterator

import pandas as pd

from winprob.actions.flags.record import Hit, Record, listed, where
from winprob.actions.worksheets import derive_facts
from winprob.data.schema import COVERAGE_COLUMNS, SUPPORTS, column_or_missing
from winprob.i18n import gettext
from winprob.methodology import ROLES, label

#: The facts that answers derive and a record states; a column ``answers.FACT`` holds what the answers derive.
FACTS = ("stage", "coach", *SUPPORTS, *COVERAGE_COLUMNS)
_MARK = "answers."
_DAY, _WHY = f"{_MARK}day", f"{_MARK}why"


def with_answers(deals: pd.DataFrame, answers: pd.DataFrame, stale_days: int) -> pd.DataFrame:
    """Valid deals, one row each, with what their worksheets derive otherwise than they state, for the rules below.

    Answers that are older than the deal's reading by more than ``stale_days`` are left out: the record is newer.
    """
    derived = derive_facts(answers[answers["deal_id"].isin(deals["deal_id"])], deals)
    read = dict(zip(deals["deal_id"], column_or_missing(deals, "as_of"), strict=True))
    age = (pd.to_datetime(derived["deal_id"].map(read)) - derived["day"]).dt.days
    odd = derived[derived["fact"].isin(FACTS) & derived["agrees"].isin([False]) & ~(age > stale_days)]
    added = {f"{_MARK}{fact}": of_fact.set_index("deal_id")["derived"] for fact, of_fact in odd.groupby("fact")}
    added[_DAY] = odd.groupby("deal_id")["day"].max().dt.strftime("%Y-%m-%d")
    added[_WHY] = odd[odd["fact"] == "stage"].set_index("deal_id")["reason"]
    return deals.assign(**{name: deals["deal_id"].map(values.to_dict()) for name, values in added.items()})


def stage_against_signs(record: Record) -> Iterator[Hit]:
    """The stage that the signs show is another one than the record's."""
    for at in where(_differs(record, "stage")):
        sides, why = _sides(record, at, "stage", "stage"), _text(record, _WHY, at)
        facts = gettext("Signs of {day}: {derived}; record: {stated}.", **sides)
        if why:
            facts = gettext("Signs of {day}: {derived}; record: {stated}. {why}.", why=why, **sides)
        yield Hit(at=at, facts=facts, fields={"stage": sides["derived"]})


def coach_against_tests(record: Record) -> Iterator[Hit]:
    """The coach's state by the tests is another one than the record's."""
    for at in where(_differs(record, "coach")):
        facts = gettext("Coach tests of {day}: {derived}; record: {stated}.", **_sides(record, at, "coach", "coach"))
        yield Hit(at=at, facts=facts, fields={})


def support_against_rubric(record: Record) -> Iterator[Hit]:
    """The support of a role by the rubric is another tier than the record's."""
    yield from _of_roles(record, "support")


def coverage_against_contacts(record: Record) -> Iterator[Hit]:
    """The coverage of a role by our contacts is another one than the record's."""
    yield from _of_roles(record, "coverage")


def _of_roles(record: Record, word: str) -> Iterator[Hit]:
    holds = {role: _differs(record, f"{role}_{word}") for role in ROLES}
    for at in where(pd.concat(holds.values(), axis=1).any(axis=1)):
        roles = [role for role in ROLES if holds[role].iloc[at]]
        both = [
            gettext(
                "{role}: {derived}, record: {stated}",
                role=label("role", role),
                **{side: text for side, text in _sides(record, at, f"{role}_{word}", word).items() if side != "day"},
            )
            for role in roles
        ]
        facts = gettext("Worksheet of {day}: {roles}.", day=_text(record, _DAY, at), roles=gettext("; ").join(both))
        yield Hit(at=at, facts=facts, fields={"roles": listed(label("role", role) for role in roles)})


def _differs(record: Record, fact: str) -> pd.Series:
    """(deal,) whether the answers derive another value of a fact than the record states."""
    derived = record.column(f"{_MARK}{fact}")
    stated = record.column(fact)
    return derived.notna() & stated.notna() & (derived.astype("str") != _as_word(stated))


def _as_word(stated: pd.Series) -> pd.Series:
    return stated.map(lambda value: str(int(value)) if isinstance(value, float) else str(value), na_action="ignore")


def _sides(record: Record, at: int, fact: str, word: str) -> dict[str, str]:
    derived = record.column(f"{_MARK}{fact}").iloc[at]
    return {
        "day": _text(record, _DAY, at),
        "derived": label(word, derived),
        "stated": label(word, record.column(fact).iloc[at]),
    }


def _text(record: Record, name: str, at: int) -> str:
    value = record.column(name).iloc[at]
    return "" if pd.isna(value) else str(value)


#: By the id of the flag in subject ``flags``.
AGAINST_ANSWERS: dict[str, Callable[[Record], Iterator[Hit]]] = {
    rule.__name__: rule
    for rule in (stage_against_signs, coach_against_tests, support_against_rubric, coverage_against_contacts)
}
