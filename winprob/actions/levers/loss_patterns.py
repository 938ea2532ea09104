"""Loss patterns: the two classic losses of the method, by the decision method and by the approver.

The rules are this project's and use the record alone. *Effort* on a role: 1 for contact, 2 for deep contact, plus 1
where it supports us or 2 where it champions us; where coverage is blank, a reported support counts as contact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.actions.levers.eligibility import role_of
from winprob.data.schema import latest_places
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


# --- how frequent a pattern is among lost and won deals -------------------------------------------------------------

#: A pattern is named as a cause from this ratio on, where its 90 % interval is above 1.
CAUSE = 1.5
#: Lost and won deals needed to compare, and the most that are compared.
_ENOUGH, _COMPARED = 10, 1000
_Z90 = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRatio:
    """How much more frequent a loss pattern is among lost deals than among won ones.

    Attributes
    ----------
    lost, won : share of the lost and of the won deals that show it
    of_lost, of_won : number of those deals
    ratio, lower, upper : ratio of the shares with its 90 % interval
    """

    lost: float
    won: float
    of_lost: int
    of_won: int
    ratio: float
    lower: float
    upper: float

    @property
    def is_cause(self) -> bool:
        """Whether the pattern sets lost deals apart from won ones."""
        return self.ratio >= CAUSE and self.lower > 1


def pattern_ratio(valid: pd.DataFrame, pattern: str) -> PatternRatio | None:
    """How frequent a pattern is among lost deals relative to won ones; None where either are too few to compare.

    The interval is that of the log of the ratio, with half a deal added to each count (Katz et al. 1978,
    doi 10.2307/2530610; Walter 1975, doi 10.1093/biomet/62.2.371). Of many deals the last 1,000 count.

    Parameters
    ----------
    valid : valid deals; of several readings of a deal the last counts; no decision counts as lost
    """
    latest = valid.iloc[latest_places(valid)]
    counts = []
    for outcomes in (("lost", "no_decision"), ("won",)):
        deals = latest[latest["outcome"].isin(outcomes)].tail(_COMPARED)
        same = sum(any(shown.id == pattern for shown in loss_patterns(facts)) for _, facts in deals.iterrows())
        counts.append((same, len(deals)))
    (lost, of_lost), (won, of_won) = counts
    if min(of_lost, of_won) < _ENOUGH:
        return None
    ratio = ((lost + 0.5) / (of_lost + 0.5)) / ((won + 0.5) / (of_won + 0.5))
    spread = np.sqrt(1 / (lost + 0.5) - 1 / (of_lost + 0.5) + 1 / (won + 0.5) - 1 / (of_won + 0.5))
    return PatternRatio(
        lost=lost / of_lost,
        won=won / of_won,
        of_lost=of_lost,
        of_won=of_won,
        ratio=float(ratio),
        lower=float(ratio * np.exp(-_Z90 * spread)),
        upper=float(ratio * np.exp(_Z90 * spread)),
    )


def pattern_sentence(pattern: LossPattern, found: PatternRatio | None) -> str:
    """A pattern led by its ratio; below the threshold only that it is not named as a cause."""
    if found is None:
        return gettext(
            "{pattern} (Too few lost and won deals here to compare how frequent this is.)", pattern=pattern.sentence
        )
    fields = {
        "ratio": f"{found.ratio:.1f}",
        "lower": f"{found.lower:.1f}",
        "upper": f"{found.upper:.1f}",
        "lost": f"{found.lost:.0%}",
        "won": f"{found.won:.0%}",
        "of_lost": found.of_lost,
        "of_won": found.of_won,
    }
    if found.is_cause:
        return gettext(
            "{ratio} times as frequent among lost deals as among won ones ({lower} to {upper}; {lost} of {of_lost}, "
            "{won} of {of_won}): {pattern}",
            pattern=pattern.sentence,
            **fields,
        )
    (play,) = (play for play in plays("losses", "loss") if play.id == pattern.id)
    return gettext(
        "{ratio} times as frequent among lost deals as among won ones ({lower} to {upper}; {lost} of {of_lost}, "
        "{won} of {of_won}): {loss}. Too little to name it as the cause.",
        loss=play.phrase.text(),
        **fields,
    )


def described_patterns(valid: pd.DataFrame, facts: pd.Series) -> list[tuple[str, tuple[str, ...]]]:
    """The sentences on a deal's patterns, the largest ratio first, each with its terms.

    Without terms where the pattern is not named as a cause. A pattern that cannot be compared comes last.
    """
    found = [(pattern, pattern_ratio(valid, pattern.id)) for pattern in loss_patterns(facts)]
    found.sort(key=lambda one: -(one[1].ratio if one[1] else 0))
    return [
        (pattern_sentence(pattern, ratio), pattern.terms if ratio is None or ratio.is_cause else ())
        for pattern, ratio in found
    ]
