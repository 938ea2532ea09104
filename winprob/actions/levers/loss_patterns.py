"""Which of the two classic losses is this? By the decision method, or by the approver; the method names both.

The rules are ours, and look at the record alone. *Effort* on a role: 1 for contact, 2 for deep contact, 1 more where it
supports us, 2 where it champions us; where coverage is blank, a reported support counts as contact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.levers.covered import SUPPORTIVE, tier_of
from winprob.actions.levers.eligibility import role_of
from winprob.i18n import gettext
from winprob.methodology import ROLES, label, plays

BY_METHOD, BY_APPROVER = "decision_method", "approver"
_CONTACT = {"contacted": 1, "engaged": 2}
#: Effort went elsewhere when that on the others leads by a whole step on average.
_LEAD = 1.0
_OPPOSED = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPattern:
    """A classic loss that a deal's record shows.

    Attributes
    ----------
    id : of the loss in subject ``losses``
    sentence : what a reviewer would write
    terms : of the model, which look at the facts concerned
    """

    id: str
    sentence: str
    terms: tuple[str, ...]


def loss_patterns(facts: pd.Series) -> list[LossPattern]:
    """The classic losses that the record of a deal (a row) shows: none, one or both."""
    found: list[LossPattern] = []
    if behind := _behind(facts):
        why = _by_method(facts, behind)
        terms = tuple(f"{role}_support" for role in behind)
        found.append(LossPattern(id=BY_METHOD, sentence=_with_remedy(BY_METHOD, why), terms=terms))
    if why := _by_approver(facts):
        terms = ("approver_support", "approver_coverage")
        found.append(LossPattern(id=BY_APPROVER, sentence=_with_remedy(BY_APPROVER, why), terms=terms))
    return found


def effort(facts: pd.Series, role: str) -> int:
    """How much went into a role, 0 to 4."""
    coverage, tier = facts.get(f"{role}_coverage"), tier_of(facts, role)
    contact = int(not np.isnan(tier)) if pd.isna(coverage) else _CONTACT.get(str(coverage), 0)
    return contact + (0 if np.isnan(tier) else int(np.clip(round(tier) - SUPPORTIVE + 1, 0, 2)))


def deciders(method: str) -> tuple[str, ...]:
    """The roles that decide under a decision method."""
    found = [role_of(column) for play in plays("chain", "decides", of=method) for column in play.columns]
    return tuple(dict.fromkeys(found))


def _behind(facts: pd.Series) -> tuple[str, ...]:
    """Those who decide and do not support us, where effort went to roles that this method does not let decide."""
    method = facts.get("decision_method")
    if pd.isna(method):
        return ()
    decide = deciders(str(method))
    mine, theirs = ([effort(facts, role) for role in roles] for roles in (decide, _others(decide)))
    if float(np.mean(theirs)) < float(np.mean(mine)) + _LEAD:
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
        "under this method ({method}) {deciders} decide; {behind} did not stand behind us, while our effort went to "
        "{others}",
        method=label("decision_method", method),
        deciders=_names(decide),
        behind=_names(behind),
        others=_names(busy),
    )


def _by_approver(facts: pd.Series) -> str:
    """Never covered, or opposed."""
    coverage, tier = facts.get("approver_coverage"), tier_of(facts, "approver")
    if tier < _OPPOSED:
        return gettext("the approver was opposed, and nobody turned that")
    if coverage == "identified":
        return gettext("we knew who approves, and nobody ever spoke with that person")
    if np.isnan(tier) and (pd.isna(coverage) or coverage == "unknown"):
        return gettext("the approver was never covered: neither person nor support is on record")
    return ""


def _with_remedy(name: str, why: str) -> str:
    (play,) = (play for play in plays("losses", "loss") if play.id == name)
    remedy = play.how.text() if play.how else ""
    return gettext("{loss}: {why}. Next time: {remedy}", loss=play.phrase.text(), why=why, remedy=remedy)


def _names(roles: Sequence[str]) -> str:
    return ", ".join(label("role", role) for role in roles)
