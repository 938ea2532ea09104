"""Conditions of the gate besides the paired difference: calibration, and coverage of groups, on unseen deals.

Both tests hold their level whatever the number of deals: one is robust to clusters of deals, the other simulates what
the model itself expects of the same groups.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import chi2

from winprob.arrays import Array
from winprob.evaluation.calibration import GROUPINGS, LEAST_GROUP, count_cdf
from winprob.evaluation.scores import EDGE, log_losses, recalibration
from winprob.model.draws import TAILS

#: Simulated sets of outcomes behind the p-value of the coverage of groups.
_SETS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Recalibration of a model on unseen deals: log-odds of winning = intercept + slope * predicted log-odds.

    Attributes
    ----------
    p_value : of slope 1 and intercept 0 together (score test, robust to clusters); NaN where it cannot be computed
    loss : log loss that recalibration would save, in nats per deal; NaN likewise
    expected, won : mean predicted probability, and share won
    """

    slope: float
    intercept: float
    p_value: float
    loss: float
    expected: float
    won: float


def calibrate(won: Array, win_prob: Array, clusters: Array) -> Calibration:
    """Slope and intercept of a model's probabilities, and the test of both.

    Parameters
    ----------
    won : (deal,) 0 or 1
    win_prob : (deal,)
    clusters : (deal,) labels

    References
    ----------
    Cox (1958), doi 10.1093/biomet/45.3-4.562; Liang, Zeger (1986), doi 10.1093/biomet/73.1.13.
    """
    slope, intercept = recalibration(won, win_prob)
    summary = {"slope": slope, "intercept": intercept, "expected": float(win_prob.mean()), "won": float(won.mean())}
    if not np.isfinite(slope):
        return Calibration(p_value=float("nan"), loss=float("nan"), **summary)
    clipped = np.clip(win_prob, EDGE, 1 - EDGE)
    log_odds = np.log(clipped / (1 - clipped))
    saved = log_losses(won, clipped) - log_losses(won, expit(intercept + slope * log_odds))
    summary["loss"] = float(saved.mean())
    design = np.column_stack([np.ones(len(won)), log_odds])
    score = design * (won - clipped)[:, None]
    codes = np.unique(clusters, return_inverse=True)[1]
    sums = np.stack([np.bincount(codes, weights=column) for column in score.T], axis=1)
    total, spread = sums.sum(axis=0), sums.T @ sums
    if np.linalg.matrix_rank(spread) < 2:
        return Calibration(p_value=float("nan"), **summary)
    return Calibration(p_value=float(chi2.sf(total @ np.linalg.solve(spread, total), 2)), **summary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Share of groups whose number of wins is within its 90 % predictive interval, and how rare so low a share is.

    Attributes
    ----------
    p_value : how often outcomes simulated from the model give the same groups so low a share; NaN without groups
    """

    share: float
    groups: int
    p_value: float


def cover(won: Array, draws: Array, deals: pd.DataFrame, *, seed: int) -> Coverage:
    """Coverage of groups of unseen deals by segment, stage, decision method and seller.

    Groups share deals, and a model's doubt is joint over deals: each simulated set of outcomes takes one draw of the
    posterior for all deals.

    Parameters
    ----------
    won : (deal,) 0 or 1
    draws : (deal, draw)
    """
    groups = list(_groups(deals))
    if not groups:
        return Coverage(share=float("nan"), groups=0, p_value=float("nan"))
    rng = np.random.default_rng([seed, 5])
    chances = draws[:, rng.integers(draws.shape[1], size=_SETS)]
    simulated = rng.random(chances.shape) < chances
    observed, expected = np.empty(len(groups)), np.empty((len(groups), _SETS))
    for at, rows in enumerate(groups):
        covered = _covered_by_count(count_cdf(draws[rows]))
        observed[at] = covered[int(won[rows].sum())]
        expected[at] = covered[simulated[rows].sum(axis=0)]
    share = float(observed.mean())
    rarer = int((expected.mean(axis=0) <= share + 1e-12).sum())
    return Coverage(share=share, groups=len(groups), p_value=(1 + rarer) / (1 + _SETS))


def _groups(deals: pd.DataFrame) -> list[Array]:
    """Positions of the deals of every group that is large enough."""
    groups = []
    for name in GROUPINGS:
        if name in deals:
            codes = pd.factorize(deals[name], use_na_sentinel=False)[0]
            groups += [np.flatnonzero(codes == code) for code in np.unique(codes)]
    return [rows for rows in groups if len(rows) >= LEAST_GROUP]


def _covered_by_count(below: Array) -> Array:
    """(count,) share of the randomised PIT of each count within the central 90 %, see ``group_calibration``."""
    before = np.concatenate([[0.0], below[:-1]])
    mass = below - before
    inside = np.clip(np.minimum(below, TAILS[1]) - np.maximum(before, TAILS[0]), 0, None)
    point = ((below >= TAILS[0]) & (below <= TAILS[1])).astype(float)
    return np.where(mass > 0, inside / np.where(mass > 0, mass, 1), point)
