"""Findings on people whose deals are not in the deal table, with the spelling of the ids that would match.

A people table may cover more deals than the deal table, and the other way round. So what counts is the share of the
smaller of the two that is matched: below half of it the tables do not belong together, or spell their ids differently.
"""

import re
from collections.abc import Callable, Iterator

import pandas as pd

from winprob.data.schema import ID, Finding
from winprob.i18n import gettext

_LEAST_SHARE = 0.5


def unmatched_people(deals: pd.DataFrame, people: pd.DataFrame, matched: pd.DataFrame) -> Iterator[Finding]:
    """An error where fewer than half of the deals match, else a warning with the number of rows left out.

    Parameters
    ----------
    matched : the rows of ``people`` that have a deal and date of ``deals``
    """
    stray = people[~people["row"].isin(matched["row"])]
    if stray.empty:
        return
    first, rows = stray.iloc[0], len(stray)
    of_deals, of_people = set(deals[ID].dropna()), set(people[ID])
    count, smaller = matched[ID].nunique(), min(len(of_deals), len(of_people))
    if count < _LEAST_SHARE * smaller:
        message = gettext(
            "people table: of its {people} deals only {count} match one of the {deals} deals in the deal table, "
            "first row {row}, deal {deal}: {cause}",
            people=len(of_people),
            count=count,
            deals=len(of_deals),
            row=int(first["row"]),
            deal=repr(str(first[ID])),
            cause=_cause(deals, stray, of_deals, of_people, _LEAST_SHARE * smaller),
        )
        yield Finding(severity="error", column=ID, rows=rows, first_deal=str(first[ID]), message=message)
        return
    message = gettext(
        "people table: {rows} rows match no deal and date of the deal table and are left out, "
        "first row {row}, deal {deal}",
        rows=rows,
        row=int(first["row"]),
        deal=repr(str(first[ID])),
    )
    yield Finding(severity="warning", column=ID, rows=rows, first_deal=str(first[ID]), message=message)


def _cause(deals: pd.DataFrame, stray: pd.DataFrame, of_deals: set[str], of_people: set[str], least: float) -> str:
    """Why so few match: other days, another spelling of the ids, or other deals."""
    if len(of_deals & of_people) >= least:
        return _other_days(deals, stray)
    for spelling, normal in _spellings():
        by_spelling = {normal(deal): deal for deal in sorted(of_deals, reverse=True)}
        pairs = [(deal, by_spelling[normal(deal)]) for deal in sorted(of_people) if normal(deal) in by_spelling]
        if pairs and len(pairs) >= least:
            person, deal = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
            return gettext(
                "{count} would match if {spelling} ({people} here, {deals} in the deal table). Write the ids alike in "
                "both tables",
                count=len(pairs),
                spelling=spelling,
                people=repr(person),
                deals=repr(deal),
            )
    return gettext(
        "their ids are others ({people} here, {deals} in the deal table). Give the people of these deals, with the ids "
        "of the deal table, or leave --people out",
        people=", ".join(map(repr, sorted(of_people - of_deals)[:3])),
        deals=", ".join(map(repr, sorted(of_deals - of_people)[:3])),
    )


def _other_days(deals: pd.DataFrame, stray: pd.DataFrame) -> str:
    same = stray[stray[ID].isin(deals[ID]) & stray["as_of"].notna()].iloc[0]
    days = deals.loc[(deals[ID] == same[ID]).to_numpy(dtype=bool, na_value=False), "as_of"].dropna()
    return gettext(
        "the deals are the same and the days differ (deal {deal} is of {people} here, of {deals} in the deal table). "
        "Give the people as of the deal table's day, or without 'as_of' where they hold on every day",
        deal=repr(str(same[ID])),
        people=f"{same['as_of']:%Y-%m-%d}",
        deals=", ".join(f"{day:%Y-%m-%d}" for day in days[:3]),
    )


def _spellings() -> tuple[tuple[str, Callable[[str], str]], ...]:
    """Differences in the spelling of one id, the harmless ones first, each with what undoes it."""
    return (
        (gettext("blanks in the ids did not count"), _without_blanks),
        (gettext("upper and lower case were alike"), str.casefold),
        (gettext("leading zeros did not count"), _without_zeros),
        (gettext("a decimal '.0' did not count"), lambda text: text.removesuffix(".0")),
        (gettext("ids of 15 and of 18 characters were alike"), _of_fifteen),
        (gettext("signs other than letters and digits did not count"), _plain),
        (
            gettext("case, leading zeros, blanks and signs did not count"),
            lambda text: _without_zeros(_plain(_of_fifteen(text.removesuffix(".0"))).casefold()),
        ),
    )


def _without_blanks(text: str) -> str:
    return re.sub(r"\s", "", text)


def _without_zeros(text: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def _of_fifteen(text: str) -> str:
    return text[:15] if re.fullmatch(r"[A-Za-z0-9]{18}", text) else text


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())
