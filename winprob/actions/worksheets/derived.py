"""Derive a deal's facts from the answers of its worksheet, next to what the record states, with the reason of each."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import pandas as pd

from winprob.actions.worksheets.people import role_facts
from winprob.actions.worksheets.sections import Answered, answered, listed, row, section_facts, stated
from winprob.data.schema import last_reading, validate_deals
from winprob.i18n import gettext
from winprob.methodology import coach_status, derive_stage, intelligence_completeness, plays

#: Signs are those of the last four weeks before the newest answer about signs.
_SIGN_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One derived fact, as a row of the table."""

    deal_id: str
    role: str | None
    person: str | None
    fact: str
    derived: str | None
    stated: str | None
    agrees: bool | None
    day: pd.Timestamp
    reason: str


def derive_facts(answers: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """What the answers of the worksheets show, next to what the record states.

    A later answer to the same question replaces an earlier one; of the signs of the stage those of the last four weeks
    before the newest count. Nothing is written into the deals: no probability changes.

    Parameters
    ----------
    answers : as `read_answers` returns them
    deals : frame in canonical columns that holds the deals; of several readings of a deal the last one counts

    Returns
    -------
    DataFrame with columns ``deal_id, role, person, fact, derived, stated, agrees, day, reason``, a fact a row, deals in
    the order of the answers. ``fact`` is a column of the deal table (``stage``, ``coach``, ``approver_support``, ...),
    ``completeness`` of the intelligence and of each kind, a person's ``support`` and ``influence``, a section of the
    worksheet with the number of its items that hold, or ``next_step``. ``agrees`` is missing where either side is
    unknown, or the answers leave open what would decide it.

    Raises
    ------
    DealTableError
        The deals are not valid, or do not hold a deal that is answered about.
    """
    valid = validate_deals(deals)
    facts = [fact for deal_id, of_deal in answers.groupby("deal_id", sort=False) for fact in _facts(of_deal, valid)]
    table = pd.DataFrame(map(astuple, facts), columns=[field.name for field in fields(Fact)], dtype=object)
    return table.astype({"day": "datetime64[us]"})


def _facts(of_deal: pd.DataFrame, valid: pd.DataFrame) -> Iterator[Fact]:
    deal_id = str(of_deal["deal_id"].iloc[0])
    deal = last_reading(valid, deal_id).iloc[0].to_dict()
    for each in _of_deal(of_deal, deal):
        if each["fact"] == "stage":
            # The next steps are those of the stage that the customer shows.
            deal["stage"] = each["derived"] or deal.get("stage")
        yield Fact(deal_id=deal_id, **each)
    yield from (Fact(deal_id=deal_id, **each) for each in role_facts(of_deal, deal))


def _of_deal(of_deal: pd.DataFrame, deal: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    mine = answered(of_deal[of_deal["role"].isna()])
    yield from _stage(mine, deal)
    yield from _coach(mine, deal)
    if "intelligence" in mine:
        yield from _completeness(mine["intelligence"], deal)
    yield from section_facts(mine, None)


def _stage(mine: dict[str, Answered], deal: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    """The stage by the signs of the last four weeks."""
    if "signs" not in mine:
        return
    signs = mine["signs"]
    since = signs.day - pd.Timedelta(days=_SIGN_DAYS)
    seen = [item for item, value in signs.given.items() if value is True and signs.days[item] >= since]
    reading = derive_stage(seen)
    names = {play.id: play.phrase.text() for play in plays("signs")}
    evidence = gettext("; ").join(names[item] for entry in reading.evidence for item in entry.signs[:2])
    reason = gettext("{why}. Seen: {signs}", why=reading.why, signs=evidence) if evidence else reading.why
    yield row("stage", reading.stage, stated(deal, "stage"), signs.day, reason)


def _coach(mine: dict[str, Answered], deal: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    """The coach's state by the tests, and by whether there is one."""
    tests, exists = mine.get("coach"), mine.get("contacts")
    evidence = tests.of("validation") if tests else {}
    there = exists.given.get("coach_exists") if exists else None
    if not evidence and there is None:
        return
    # Tests of an earlier day are those of a coach that we have no longer.
    reading = coach_status({} if there is False else evidence, exists=None if there is None else bool(there))
    names = {play.id: play.phrase.text() for play in plays("coach", "validation")}
    parts = [
        gettext("{what}: {value}", what=what, value=listed(names[test] for test in which))
        for what, which in (
            (gettext("passed"), reading.passed),
            (gettext("failed"), reading.failed),
            (gettext("not tested"), reading.missing if there is not False else ()),
        )
        if which
    ]
    day = max(each.day for each in (tests, exists) if each)
    yield row("coach", reading.state, stated(deal, "coach"), day, gettext("; ").join(parts))


def _completeness(facts: Answered, deal: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    """The share of the wanted facts that is known, in all and by kind; what is missing first."""
    known = [item for item, value in facts.given.items() if value is True]
    reading = intelligence_completeness(known, deal=deal)
    names = {play.id: play.phrase.text() for play in plays("intelligence")}
    yield row("completeness", f"{reading.share:.2f}", None, facts.day, "")
    for kind in reading.kinds:
        missing = listed(names[item] for item in kind.missing[:3])
        reason = (
            gettext("{kind}. Missing: {facts}", kind=names[kind.kind], facts=missing) if missing else names[kind.kind]
        )
        yield row(f"completeness.{kind.kind}", f"{kind.share:.2f}", None, facts.day, reason)


def derived_sentences(derived: pd.DataFrame) -> list[str]:
    """How many deals were answered about, and where what was derived differs from the record."""
    odd = derived[[value is False for value in derived["agrees"]]]
    verdict = gettext(
        "Answers about {deals} deals. Derived facts that differ from the record: {count}.",
        deals=derived["deal_id"].nunique(),
        count=len(odd),
    )
    if odd.empty:
        return [verdict]
    return [verdict, gettext("Correct the record, or the answers: winprob flags --answers lists both sides.")]
