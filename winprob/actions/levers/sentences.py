"""Lever sentences: a ranking of roles in words, within its intervals, as associations rather than causal effects."""

from collections.abc import Hashable, Iterator
from typing import Any

import pandas as pd

from winprob.actions.levers.eligibility import NOT_YET, TOP_TIER
from winprob.actions.levers.evidence import CANNOT_TELL, NOT_WORTH_IT, TESTED, WORTH_IT, is_rare
from winprob.i18n import gettext
from winprob.methodology import label, plays
from winprob.model.posterior import Posterior
from winprob.model.role_evidence import LEARNED, MOSTLY_PRIOR, NOT_IN_DEALS

#: A role with ``prob_best`` above this is a clear best lever; without one, the levers are called tied.
CLEAR = 0.5
#: Levers that are no roles, see ``facts``.
_OTHERS = ("coach", "approver_coverage", "decision_method")


def deal_sentences(table: pd.DataFrame) -> list[str]:
    """The levers of one deal, with evidence, in sentences: which role leads, then a line for each role."""
    rows = list(table.to_dict("records"))
    return [f"{rows[0]['deal_id']}: {_leader_sentence(rows)}", *(_role_sentence(row) for row in rows)]


def table_sentences(table: pd.DataFrame) -> list[str]:
    """The levers of many deals, with evidence, in sentences."""
    prob_best = table.groupby("deal_id", sort=False)["prob_best"].max()
    prob_best = prob_best[prob_best > 0]
    lines = [
        gettext(
            "In {clear} of {deals} deals one lever is clearly the best; in the other {tied} the levers are tied.",
            clear=int((prob_best > CLEAR).sum()),
            deals=len(prob_best),
            tied=int((prob_best <= CLEAR).sum()),
        )
    ]
    first = table[(table["rank"] == 1) & table["win_prob_lift"].notna()]
    counts = first["verdict"].value_counts()
    lines.append(
        gettext(
            "First levers: {worth} worth it, {not_worth} not, {unclear} not yet known.",
            worth=counts.get(WORTH_IT, 0),
            not_worth=counts.get(NOT_WORTH_IT, 0),
            unclear=counts.get(CANNOT_TELL, 0),
        )
    )
    return [*lines, *_eligibility_sentences(table), *_grade_sentences(first), association_sentence()]


def group_sentences(table: pd.DataFrame, by: str) -> list[str]:
    """The levers of each group in sentences."""
    lines = []
    for _, rows in table.drop_duplicates([by, "role"]).groupby(by, sort=False, dropna=False):
        records = list(rows.to_dict("records"))
        name = records[0][by]
        title = gettext("unknown") if pd.isna(name) else label(by, name) if by in ("decision_method", "stage") else name
        lines.append(f"{title}: {_leader_sentence(records)}")
    unpriced = table.groupby(["role"])["no_amount"].sum().max()
    if unpriced:
        lines.append(gettext("Deals without an amount add nothing to bookings: up to {count} a role.", count=unpriced))
    if len(table["currency"].unique()) > 1:
        lines.append(gettext("Amounts are not added across currencies: each has its own row."))
    return [*lines, association_sentence()]


def bound_sentence(posterior: Posterior) -> str:
    """The scale of the E-values of this model's levers."""
    if is_rare(posterior):
        return gettext("E-values are on the scale of risk ratios, approximated by odds ratios, because wins are rare.")
    return gettext(
        "E-values are on the scale of risk ratios, approximated by the square root of odds ratios, because wins are "
        "not rare."
    )


def association_sentence() -> str:
    """A lift is an association, not a causal effect."""
    return gettext(
        "A lift is an association with support in the training deals; whether a visit brings it, only a test can show."
    )


def _leader_sentence(rows: list[dict[Hashable, Any]]) -> str:
    rising = [row for row in rows if not pd.isna(row["win_prob_lift"])]
    if not rising:
        return gettext("nothing can be raised.")
    first, second = rising[0], rising[1] if len(rising) > 1 else None
    if first["prob_best"] > CLEAR or second is None:
        return gettext(
            "{lever} is the best lever with {chance:.0%}: {lift:+.1f} points "
            "({lower:+.1f} to {upper:+.1f}), {verdict}.",
            lever=_named(first["role"]),
            chance=first["prob_best"],
            verdict=_verdict(first["verdict"]),
            **_points(first),
        )
    leading = sorted(rising, key=lambda row: -row["prob_best"])[:2]
    return gettext(
        "a tie: no lever is clearly the best. {role} leads with {chance:.0%}, {other} with {rest:.0%}.",
        role=lever_label(leading[0]["role"]),
        chance=leading[0]["prob_best"],
        other=lever_label(leading[1]["role"]),
        rest=leading[1]["prob_best"],
    )


def lever_label(name: str) -> str:
    """The name of a lever: of a role, or of one of the other levers."""
    others = {
        "coach": gettext("Coach validation"),
        "approver_coverage": gettext("Contact with the approver"),
        "decision_method": gettext("Knowing the decision method"),
    }
    return others.get(name) or label("role", name)


def _named(name: str) -> str:
    return lever_label(name) if name in _OTHERS else gettext("the {role}", role=label("role", name))


def _role_sentence(row: dict[Hashable, Any]) -> str:
    if row["role"] in _OTHERS:
        return _fact_sentence(row)
    role = label("role", row["role"])
    if row["standing"] == TOP_TIER:
        return gettext("{role}: already at the top tier.", role=role)
    if row["standing"] == NOT_YET:
        return gettext("{role}: cannot be raised yet. {why}.", role=role, why=_why_not_yet(row["role"]))
    return gettext(
        "{role}: one tier up goes with {lift:+.1f} points ({lower:+.1f} to {upper:+.1f}), odds x{odds:.2f}; {verdict}; "
        "{grade}. A hidden common cause could explain it away if it made both this support and a win {e:.1f} times as "
        "likely ({lower_e:.1f} times for the interval's lower end); a weaker one could not.",
        role=role,
        odds=row["odds_ratio"],
        verdict=_verdict(row["verdict"]),
        grade=_grade(row["evidence"]),
        e=row["e_value"],
        lower_e=row["e_value_lower"],
        **_points(row),
    )


def _fact_sentence(row: dict[Hashable, Any]) -> str:
    name = lever_label(row["role"])
    if row["standing"] == TOP_TIER:
        return gettext("{lever}: nothing left to do.", lever=name)
    fields = {"lever": name, "verdict": _verdict(row["verdict"]), **_points(row)}
    if row["role"] == "decision_method":
        return gettext(
            "{lever}: adds {lift:+.1f} points ({lower:+.1f} to {upper:+.1f}) by aiming the next visit; {verdict}.",
            **fields,
        )
    return gettext(
        "{lever}: {state} goes with {lift:+.1f} points ({lower:+.1f} to {upper:+.1f}), odds x{odds:.2f}; {verdict}.",
        state=label("coach" if row["role"] == "coach" else "coverage", row["to"]),
        odds=row["odds_ratio"],
        **fields,
    )


def _why_not_yet(role: str) -> str:
    return next(play.phrase.text() for play in plays("chain", "not_yet") if f"{role}_support" in play.columns)


def _points(row: dict[Hashable, Any]) -> dict[str, float]:
    return {"lift": 100 * row["win_prob_lift"], "lower": 100 * row["lower"], "upper": 100 * row["upper"]}


def _verdict(word: str) -> str:
    return {
        WORTH_IT: gettext("worth it"),
        NOT_WORTH_IT: gettext("not worth it"),
        CANNOT_TELL: gettext("not yet known whether it is worth it"),
    }[word]


def _grade(word: str) -> str:
    return {
        LEARNED: gettext("learned from your deals"),
        MOSTLY_PRIOR: gettext("mostly prior, with little evidence from your deals"),
        NOT_IN_DEALS: gettext("not in your deals, all prior"),
        TESTED: gettext("tested by visits"),
    }[word]


def _eligibility_sentences(table: pd.DataFrame) -> Iterator[str]:
    table = table[~table["role"].isin(_OTHERS)]
    counts = table["standing"].value_counts()
    if counts.get(TOP_TIER, 0):
        yield gettext("{count} roles are already at the top tier (-).", count=counts[TOP_TIER])
    for role, late in table[table["standing"] == NOT_YET].groupby("role", sort=False):
        yield gettext(
            "{role}: not yet involved in {count} deals (-). {why}.",
            role=label("role", role),
            count=len(late),
            why=_why_not_yet(str(role)),
        )


def _grade_sentences(first: pd.DataFrame) -> Iterator[str]:
    counts = first["evidence"].value_counts()
    if counts.get(MOSTLY_PRIOR, 0):
        yield gettext(
            "{count} of {deals} first levers are mostly prior: the training deals hold little evidence on that role's "
            "weight.",
            count=counts[MOSTLY_PRIOR],
            deals=len(first),
        )
    if counts.get(NOT_IN_DEALS, 0):
        yield gettext(
            "{count} of {deals} first levers are all prior: no training deal has a reading of that role's support.",
            count=counts[NOT_IN_DEALS],
            deals=len(first),
        )
