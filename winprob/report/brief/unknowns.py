"""Which unknown facts are worth asking for? A plain stand-in until the information room ranks them by bits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from winprob.methodology import plays
from winprob.methodology.vocabulary import COVERAGES, DECISION_METHODS, ROLES, SUPPORT_TIERS
from winprob.posterior import Posterior
from winprob.report.brief.contrasts import draw_each, varied

#: The answers a fact may have.
_ANSWERS: dict[str, tuple[object, ...]] = {
    **{f"{role}_support": tuple(map(float, SUPPORT_TIERS)) for role in ROLES},
    "decision_method": DECISION_METHODS,
    "coach": ("none", "validated"),
    "approver_coverage": COVERAGES[1:],
}
#: What is open although something is recorded.
_OPEN = {"coach": "unvalidated", "approver_coverage": "unknown"}


def rank_unknown_facts(posterior: Posterior, deal: pd.DataFrame) -> pd.DataFrame:
    """The unknown and unvalidated facts of one deal (a valid row), the one whose answer shifts the forecast most first.

    The shift is the mean absolute change of the win probability over the possible answers: of a support weighted by how
    often each tier was reported in training, of all else each as likely as the others.

    Returns
    -------
    DataFrame with columns ``fact, rank, expected_shift, question``
    """
    facts = [fact for fact in _ANSWERS if _is_open(deal, fact)]
    variants = [varied(deal, {fact: answer}) for fact in facts for answer in _ANSWERS[fact]]
    now, *then = draw_each(posterior, [deal, *variants]).mean(axis=1)
    ends = np.cumsum([len(_ANSWERS[fact]) for fact in facts])[:-1]
    shifts = zip(facts, np.split(np.abs(np.array(then) - now), ends), strict=False)
    weighed = {fact: float(np.average(shift, weights=_shares(posterior, fact))) for fact, shift in shifts}
    ordered = sorted(facts, key=lambda fact: -weighed[fact])
    questions = {play.id: play.phrase.text() for play in plays("questions")}
    records = [(fact, at, weighed[fact], questions[fact]) for at, fact in enumerate(ordered, start=1)]
    return pd.DataFrame(records, columns=["fact", "rank", "expected_shift", "question"])


def _is_open(deal: pd.DataFrame, fact: str) -> bool:
    value = deal[fact].iloc[0] if fact in deal else None
    return bool(pd.isna(value)) or value == _OPEN.get(fact)


def _shares(posterior: Posterior, fact: str) -> list[float]:
    if fact.endswith("_support"):
        return list(posterior.scaling.tier_counts[ROLES.index(fact.removesuffix("_support"))])
    return [1.0] * len(_ANSWERS[fact])
