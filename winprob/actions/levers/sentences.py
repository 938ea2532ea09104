"""What do levers come to, in words? Never more than their intervals allow, and never a cause for an association."""

from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd

from winprob.actions.levers.eligibility import NOT_YET, TOP_TIER
from winprob.actions.levers.evidence import CANNOT_TELL, LEARNED, MOSTLY_PRIOR, NOT_WORTH_IT, TESTED, WORTH_IT, is_rare
from winprob.i18n import gettext
from winprob.methodology import label, plays
from winprob.model.posterior import Posterior

#: A role that leads in more draws than this stands out; without one, the levers are called tied.
CLEAR = 0.5


def deal_sentences(table: pd.DataFrame) -> list[str]:
    """What the levers of one deal, with evidence, come to: which leads, then a line for each role."""
    rows = list(table.to_dict("records"))
    return [f"{rows[0]['deal_id']}: {_leader(rows)}", *(_lever(row) for row in rows)]


def table_sentences(table: pd.DataFrame) -> list[str]:
    """What the levers of many deals, with evidence, come to."""
    best = table.groupby("deal_id", sort=False)["prob_best"].max()
    able = best[best > 0]
    lines = [
        gettext(
            "In {clear} of {deals} deals one role stands out; in the other {tied} the levers are tied.",
            clear=int((able > CLEAR).sum()),
            deals=len(able),
            tied=int((able <= CLEAR).sum()),
        )
    ]
    first = table[(table["rank"] == 1) & table["win_prob_lift"].notna()]
    counts = first["verdict"].value_counts()
    lines.append(
        gettext(
            "First levers: {worth} worth it, {not_worth} not, {unclear} cannot be told yet.",
            worth=counts.get(WORTH_IT, 0),
            not_worth=counts.get(NOT_WORTH_IT, 0),
            unclear=counts.get(CANNOT_TELL, 0),
        )
    )
    return [*lines, *_standing(table), *_grades(first), association()]


def group_sentences(table: pd.DataFrame, by: str) -> list[str]:
    """What the levers of each group come to."""
    lines = []
    for _, rows in table.drop_duplicates([by, "role"]).groupby(by, sort=False, dropna=False):
        records = list(rows.to_dict("records"))
        name = records[0][by]
        title = gettext("unknown") if pd.isna(name) else label(by, name) if by in ("decision_method", "stage") else name
        lines.append(f"{title}: {_leader(records)}")
    unpriced = table.groupby(["role"])["no_amount"].sum().max()
    if unpriced:
        lines.append(
            gettext("Deals without an amount count for nothing in bookings: up to {count} a role.", count=unpriced)
        )
    if len(table["currency"].unique()) > 1:
        lines.append(gettext("Currencies are not added up: a row each."))
    return [*lines, association()]


def bound_sentence(posterior: Posterior) -> str:
    """How the E-values of this model's levers are meant."""
    if is_rare(posterior):
        return gettext("E-values are on the scale of risk ratios; wins are rare, so odds ratios are taken for them.")
    return gettext(
        "E-values are on the scale of risk ratios, taken as the square root of odds ratios: wins are not rare."
    )


def association() -> str:
    """What a lift is, and is not."""
    return gettext(
        "A lift is what goes with more support in the deals learned from; whether a visit brings it, only a test tells."
    )


def _leader(rows: list[dict[Hashable, Any]]) -> str:
    able = [row for row in rows if not pd.isna(row["win_prob_lift"])]
    if not able:
        return gettext("no role can be raised.")
    first, second = able[0], able[1] if len(able) > 1 else None
    if first["prob_best"] > CLEAR or second is None:
        return gettext(
            "the {role} is the best lever with {chance:.0%}: {lift:+.1f} points "
            "({lower:+.1f} to {upper:+.1f}), {verdict}.",
            role=label("role", first["role"]),
            chance=first["prob_best"],
            verdict=_verdict(first["verdict"]),
            **_points(first),
        )
    leading = sorted(able, key=lambda row: -row["prob_best"])[:2]
    return gettext(
        "a tie: no role stands out. {role} leads with {chance:.0%}, {other} with {rest:.0%}.",
        role=label("role", leading[0]["role"]),
        chance=leading[0]["prob_best"],
        other=label("role", leading[1]["role"]),
        rest=leading[1]["prob_best"],
    )


def _lever(row: dict[Hashable, Any]) -> str:
    role = label("role", row["role"])
    if row["standing"] == TOP_TIER:
        return gettext("{role}: at the top tier already, nothing to raise.", role=role)
    if row["standing"] == NOT_YET:
        return gettext("{role}: cannot be raised yet. {why}.", role=role, why=_why_not_yet(row["role"]))
    return gettext(
        "{role}: one tier up goes with {lift:+.1f} points ({lower:+.1f} to {upper:+.1f}), odds x{odds:.2f}; {verdict}; "
        "{grade}. A hidden common cause could explain it away if it made both this support and a win {e:.1f} times as "
        "likely ({least:.1f} times for the interval's lower end); a weaker one could not.",
        role=role,
        odds=row["odds_ratio"],
        verdict=_verdict(row["verdict"]),
        grade=_grade(row["evidence"]),
        e=row["e_value"],
        least=row["e_value_lower"],
        **_points(row),
    )


def _why_not_yet(role: str) -> str:
    return next(play.phrase.text() for play in plays("chain", "not_yet") if f"{role}_support" in play.columns)


def _points(row: dict[Hashable, Any]) -> dict[str, float]:
    return {"lift": 100 * row["win_prob_lift"], "lower": 100 * row["lower"], "upper": 100 * row["upper"]}


def _verdict(word: str) -> str:
    return {
        WORTH_IT: gettext("worth it"),
        NOT_WORTH_IT: gettext("not worth it"),
        CANNOT_TELL: gettext("cannot tell yet whether it is worth it"),
    }[word]


def _grade(word: str) -> str:
    return {
        LEARNED: gettext("learned from your deals"),
        MOSTLY_PRIOR: gettext("mostly prior, your deals say little of it"),
        TESTED: gettext("tested by visits"),
    }[word]


def _standing(table: pd.DataFrame) -> Iterator[str]:
    counts = table["standing"].value_counts()
    if counts.get(TOP_TIER, 0):
        yield gettext("{count} roles are at the top tier already: nothing to raise (-).", count=counts[TOP_TIER])
    for role, late in table[table["standing"] == NOT_YET].groupby("role", sort=False):
        yield gettext(
            "{role}: in {count} deals not in play yet (-). {why}.",
            role=label("role", role),
            count=len(late),
            why=_why_not_yet(str(role)),
        )


def _grades(first: pd.DataFrame) -> Iterator[str]:
    counts = first["evidence"].value_counts()
    if counts.get(MOSTLY_PRIOR, 0):
        yield gettext(
            "{count} of {deals} first levers are mostly prior: the deals learned from say little of that role's "
            "weight.",
            count=counts[MOSTLY_PRIOR],
            deals=len(first),
        )
