"""Loss patterns: the two classic losses of the method, by the decision method and by the approver.

The rules are this project's and use the record alone. *Effort* on a role: 1 for contact, 2 for deep contact, plus 1
where it supports us or 2 where it champions us; where coverage is blank, a reported support counts as contact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.levers.eligibility import role_of
from winprob.i18n import gettext
from winprob.methodology import ROLES, label, plays

BY_METHOD, BY_APPROVER = "decision_method", "approver"
#: The tier from which a role supports us.
SUPPORTIVE = 3.0
_CONTACT = {"contacted": 1, "engaged": 2}
#: Effort went elsewhere if the mean effort on the other roles exceeds that on the deciders by at least this.
_LEAD = 1.0
_OPPOSED = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPattern:
    """A classic loss that a deal's record shows.

    Attributes
    ----------
    id : of the loss in subject ``losses``
    sentence : description and remedy, for a review
    terms : names of the model's terms that use the facts concerned
    """

    id: str
    sentence: str
    terms: tuple[str, ...]


def loss_patterns(facts: pd.Series) -> list[LossPattern]:
    """The classic losses that the record of a deal (a row) shows: none, one or both."""
    patterns: list[LossPattern] = []
    if behind := _behind(facts):
        why = _by_method(facts, behind)
        terms = tuple(f"{role}_support" for role in behind)
        patterns.append(LossPattern(id=BY_METHOD, sentence=_with_remedy(BY_METHOD, why), terms=terms))
    if why := _by_approver(facts):
        terms = ("approver_support", "approver_coverage")
        patterns.append(LossPattern(id=BY_APPROVER, sentence=_with_remedy(BY_APPROVER, why), terms=terms))
    return patterns


def effort(facts: pd.Series, role: str) -> int:
    """Effort spent on a role, 0 to 4."""
    coverage, tier = facts.get(f"{role}_coverage"), tier_of(facts, role)
    contact = int(not np.isnan(tier)) if pd.isna(coverage) else _CONTACT.get(str(coverage), 0)
    return contact + (0 if np.isnan(tier) else int(np.clip(round(tier) - SUPPORTIVE + 1, 0, 2)))


def tier_of(facts: pd.Series, role: str) -> float:
    """A role's reported tier, the mean weighted by influence over several people; NaN if unreported."""
    people = facts.get(f"{role}_readings")
    if isinstance(people, str):
        readings = [tuple(map(float, token.split("*"))) for token in people.split()]
        return sum(tier * influence for tier, influence in readings) / sum(influence for _, influence in readings)
    tier = facts.get(f"{role}_support")
    return float("nan") if pd.isna(tier) else float(tier)


def deciders(method: str) -> tuple[str, ...]:
    """The roles that decide under a decision method."""
    roles = [role_of(column) for play in plays("chain", "decides", of=method) for column in play.columns]
    return tuple(dict.fromkeys(roles))


def _behind(facts: pd.Series) -> tuple[str, ...]:
    """Deciding roles that do not support us, where effort went to roles that do not decide under this method."""
    method = facts.get("decision_method")
    if pd.isna(method):
        return ()
    decide = deciders(str(method))
    on_deciders, elsewhere = ([effort(facts, role) for role in roles] for roles in (decide, _others(decide)))
    if float(np.mean(elsewhere)) < float(np.mean(on_deciders)) + _LEAD:
        return ()
    return tuple(role for role in decide if not tier_of(facts, role) >= SUPPORTIVE)


def _others(decide: Sequence[str]) -> list[str]:
    return [role for role in ROLES if role not in decide]


def _by_method(facts: pd.Series, behind: Sequence[str]) -> str:
    method = facts["decision_method"]
    decide = deciders(str(method))
    spent = {role: effort(facts, role) for role in _others(decide)}
    busy = [role for role, much in spent.items() if much >= max(spent.values())]
    return gettext(
        "under this method ({method}) {deciders} decide; {behind} did not support us, while our effort went to "
        "{others}",
        method=label("decision_method", method),
        deciders=_names(decide),
        behind=_names(behind),
        others=_names(busy),
    )


def _by_approver(facts: pd.Series) -> str:
    """Why the approver explains the loss: never covered, or opposed; empty otherwise."""
    coverage, tier = facts.get("approver_coverage"), tier_of(facts, "approver")
    if tier < _OPPOSED:
        return gettext("the approver was opposed, and no one changed that")
    if coverage == "identified":
        return gettext("we knew who approves, and no one ever spoke with that person")
    if np.isnan(tier) and (pd.isna(coverage) or coverage == "unknown"):
        return gettext("the approver was never covered: neither person nor support is on record")
    return ""


def _with_remedy(name: str, why: str) -> str:
    (play,) = (play for play in plays("losses", "loss") if play.id == name)
    remedy = play.how.text() if play.how else ""
    return gettext("{loss}: {why}. Next time: {remedy}", loss=play.phrase.text(), why=why, remedy=remedy)


def _names(roles: Sequence[str]) -> str:
    return ", ".join(label("role", role) for role in roles)
