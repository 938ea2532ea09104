"""What do the reports on a role's support say together, on the scale of true support?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.methodology.vocabulary import ROLES, SUPPORT_TIERS
from winprob.tiers import bin_moments

Array = npt.NDArray[Any]


def count_tiers(deals: pd.DataFrame, weight: Array) -> tuple[tuple[float, ...], ...]:
    """(role, tier) weight of the deals that report each tier, smoothed by one, so that no tier has none."""
    return tuple(_tier_counts(deals, role, weight) for role in ROLES)


def _tier_counts(deals: pd.DataFrame, role: str, weight: Array) -> tuple[float, ...]:
    counts = np.ones(len(SUPPORT_TIERS))
    column = f"{role}_support"
    if column in deals:
        support = deals[column].to_numpy(dtype=float)
        known = ~np.isnan(support)
        np.add.at(counts, support[known].astype(int) - 1, weight[known])
    return tuple(counts.tolist())


def read_support(deals: pd.DataFrame, tier_counts: Sequence[Sequence[float]]) -> tuple[Array, Array, Array]:
    """How many people's readings a role's support stands on, their mean, and what tiers hide of it, each (deal, role).

    People are weighed by influence within the role; their number counts as Kish's effective one, so that one person
    is one reading whatever the influence. 0 readers: not reported.

    Parameters
    ----------
    tier_counts : (role, tier) as ``count_tiers`` gives them in training
    """
    shape = (len(deals), len(ROLES))
    readers, reading, variance = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for at, role in enumerate(ROLES):
        mean, hidden = bin_moments(np.array(tier_counts[at]))
        influence = _influence_by_tier(deals, role)
        total = influence.sum(axis=2).sum(axis=1)
        known = total > 0
        share = influence[known] / total[known, None, None]
        squared = (share**2).sum(axis=2)
        readers[known, at] = 1 / squared.sum(axis=1)
        reading[known, at] = share.sum(axis=2) @ mean
        variance[known, at] = squared @ hidden
    return readers, reading, variance


def _influence_by_tier(deals: pd.DataFrame, role: str) -> Array:
    """(deal, tier, person) influence of each person who reports that tier; a bare tier is one person."""
    support, several = f"{role}_support", f"{role}_readings"
    people = deals[several].fillna("").map(_people).tolist() if several in deals else []
    width = max((len(p) for p in people), default=0)
    influence = np.zeros((len(deals), len(SUPPORT_TIERS), max(width, 1)))
    if support in deals:
        tiers = deals[support].to_numpy(dtype=float)
        known = np.flatnonzero(~np.isnan(tiers))
        influence[known, tiers[known].astype(int) - 1, 0] = 1
    for row, readings in enumerate(people):
        if readings:
            influence[row] = 0
        for person, (tier, weight) in enumerate(readings):
            influence[row, tier - 1, person] = weight
    return influence


def _people(text: str) -> tuple[tuple[int, float], ...]:
    """``"3*2 4*1"`` as ((3, 2.0), (4, 1.0)): tier and influence of each person."""
    pairs = (token.split("*") for token in text.split())
    return tuple((int(tier), float(influence)) for tier, influence in pairs)
