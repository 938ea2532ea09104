"""Reports on a role's support, combined, on the scale of true support; the seller's bias in them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from winprob.arrays import Array
from winprob.data.schema import as_text
from winprob.methodology import ROLES, SUPPORT_TIERS


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
    """Number of people's readings, their mean, and their variance within tiers, each (deal, role).

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


def learn_report_bias(
    deals: pd.DataFrame, readers: Array, reading: Array, weight: Array
) -> tuple[tuple[str, float], ...]:
    """How far each seller reads support above (or below) what sellers do, on the scale of readings; shrunk.

    A deal's readings go together, so a deal is one observation, its mean reading. Sellers differ by a normal whose
    variance is the moment estimate of a one-way layout: where they differ no more than chance makes them, every bias
    is 0. That some sellers may truly have friendlier customers is left to their own offset, which outcomes identify.

    Parameters
    ----------
    readers, reading : (deal, role) as ``read_support`` gives them
    weight : (deal,) how much each row counts

    References
    ----------
    Searle, Casella, McCulloch (1992), Variance Components, sections 3.5 and 3.7.
    """
    reports = (readers > 0).sum(axis=1)
    if "seller" not in deals or not reports.any():
        return ()
    mean = np.where(readers > 0, reading, 0).sum(axis=1) / np.maximum(reports, 1)
    seller, names = pd.factorize(as_text(deals["seller"]).where(reports > 0), sort=True)
    known = seller >= 0
    seller, mean, weight = seller[known], mean[known], weight[known]
    size = np.bincount(seller, weights=weight)
    middle = np.bincount(seller, weights=weight * mean) / size
    within, between = _variances(size, middle, float((weight * (mean - middle[seller]) ** 2).sum()))
    if not between > 0:
        return ()
    shrinkage = between / (between + within / size)
    bias = shrinkage * (middle - np.average(middle, weights=shrinkage))
    return tuple(zip(map(str, names), bias.tolist(), strict=True))


def _variances(size: Array, mean: Array, around: float) -> tuple[float, float]:
    """Variance within groups, and between them beyond that; 0 where chance suffices, or they are not identified.

    Parameters
    ----------
    around : sum of squares of all members about their group's mean
    """
    total, groups = size.sum(), len(size)
    if groups < 2 or total <= groups:
        return 0.0, 0.0
    within = around / (total - groups)
    spread = float((size * (mean - np.average(mean, weights=size)) ** 2).sum() / (groups - 1))
    balanced = float((total - (size**2).sum() / total) / (groups - 1))
    return within, max((spread - within) / balanced, 0.0)


def report_bias(deals: pd.DataFrame, learned: Sequence[tuple[str, float]]) -> Array:
    """(deal,) the bias of each deal's seller; 0 for an unknown seller."""
    if "seller" not in deals or not learned:
        return np.zeros(len(deals))
    bias = dict(learned)
    return np.array([bias.get(seller, 0.0) for seller in as_text(deals["seller"]).tolist()], dtype=float)


def _influence_by_tier(deals: pd.DataFrame, role: str) -> Array:
    """(deal, tier, person) influence of each person who reports that tier; a bare tier is one person."""
    support, several = f"{role}_support", f"{role}_readings"
    people = deals[several].fillna("").map(people_of).tolist() if several in deals else []
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


def people_of(text: str) -> tuple[tuple[int, float], ...]:
    """``"3*2 4*1"`` as ((3, 2.0), (4, 1.0)): tier and influence of each person."""
    pairs = (token.split("*") for token in text.split())
    return tuple((int(tier), float(influence)) for tier, influence in pairs)


def bin_moments(counts: Array) -> tuple[Array, Array]:
    """Mean and variance of a standard normal within each of the bins that hold these shares of it.

    Parameters
    ----------
    counts : (tier,) positive weights, lowest tier first

    Returns
    -------
    mean, variance : (tier,); means increase, variances are in (0, 1), and
        ``sum(share * (mean**2 + variance)) = 1``

    References
    ----------
    Johnson, Kotz, Balakrishnan (1994), Continuous Univariate Distributions 1, section 13.10.1.
    """
    share = counts / counts.sum()
    cut = ndtri(np.clip(np.cumsum(share)[:-1], 0, 1))
    density = np.exp(-(cut**2) / 2) / np.sqrt(2 * np.pi)
    at_edges = np.concatenate([[0.0], density, [0.0]])
    slope_at_edges = np.concatenate([[0.0], cut * density, [0.0]])
    mean = -np.diff(at_edges) / share
    # The variance of a very rare tier is a difference of large numbers: rounding must not make it negative.
    return mean, np.maximum(1 - np.diff(slope_at_edges) / share - mean**2, 0)
