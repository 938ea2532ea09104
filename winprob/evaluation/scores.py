"""Scores of probability forecasts: log score, Brier score and its decomposition, AUC, calibration slope, bootstrap."""

import numpy as np
from scipy.stats import norm

from winprob.arrays import Array
from winprob.model.draws import TAILS

#: Probabilities are clipped this far from 0 and 1, so that the log loss is finite.
EDGE = 0.001
#: Log-odds within a range this small are equal up to rounding.
_ALIKE = 1e-9
#: Cells per bootstrap block, 32 MB, to bound the memory for many groups.
_AT_ONCE = 2**22


def score(won: Array, win_prob: Array) -> dict[str, float]:
    """All scores of one model's probabilities.

    Parameters
    ----------
    won : (deal,) 0 or 1
    win_prob : (deal,)

    Returns
    -------
    dict of ``n``; ``log_loss``; ``brier``, which is exactly ``miscalibration - discrimination + uncertainty``; ``auc``;
    ``sharpness``, the sd of the probabilities (not the variance); ``calibration_slope`` and ``calibration_intercept``
    (ideal 1 and 0), see ``recalibration``. NaN where a score is undefined: ``auc`` where all outcomes are equal, slope
    and intercept where all probabilities are equal or separate the won from the lost perfectly.

    References
    ----------
    Dimitriadis, Gneiting, Jordan (2021), Stable reliability diagrams, doi 10.1073/pnas.2016191118.
    """
    from sklearn.metrics import roc_auc_score

    won, win_prob = np.asarray(won, dtype=float), np.asarray(win_prob, dtype=float)
    miscalibration, discrimination, uncertainty = decompose(won, win_prob)
    slope, intercept = recalibration(won, win_prob)
    return {
        "n": float(len(won)),
        "log_loss": float(log_losses(won, win_prob).mean()),
        "brier": float(((win_prob - won) ** 2).mean()),
        "miscalibration": miscalibration,
        "discrimination": discrimination,
        "uncertainty": uncertainty,
        "auc": float(roc_auc_score(won, win_prob)) if 0 < won.mean() < 1 else float("nan"),
        "sharpness": float(np.std(win_prob)),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }


def log_losses(won: Array, win_prob: Array) -> Array:
    """(deal,) log score: minus the log of the probability of the observed outcome, clipped by ``EDGE``."""
    clipped = np.clip(win_prob, EDGE, 1 - EDGE)
    return np.asarray(-np.log(np.where(np.asarray(won, dtype=bool), clipped, 1 - clipped)))


def decompose(won: Array, win_prob: Array) -> tuple[float, float, float]:
    """Miscalibration, discrimination and uncertainty of the Brier score, by isotonic recalibration (CORP).

    All are non-negative, and ``miscalibration - discrimination + uncertainty`` is the Brier score.

    References
    ----------
    Dimitriadis, Gneiting, Jordan (2021), doi 10.1073/pnas.2016191118.
    """
    won, win_prob = np.asarray(won, dtype=float), np.asarray(win_prob, dtype=float)
    brier = ((win_prob - won) ** 2).mean()
    calibrated = ((isotonic(won, win_prob) - won) ** 2).mean()
    uncertainty = won.var()
    return float(brier - calibrated), float(uncertainty - calibrated), float(uncertainty)


def isotonic(won: Array, win_prob: Array) -> Array:
    """(deal,) isotonic regression of outcomes on probabilities."""
    from scipy.optimize import isotonic_regression

    _, place, deals = np.unique(win_prob, return_inverse=True, return_counts=True)
    rates = np.bincount(place, weights=won) / deals
    return np.asarray(isotonic_regression(rates, weights=deals).x[place])


def recalibration(won: Array, win_prob: Array) -> tuple[float, float]:
    """Calibration slope and intercept: logistic regression of outcomes on predicted log-odds, fitted jointly.

    Probabilities are clipped by ``EDGE``. A slope below 1 means overconfident (too extreme) probabilities. The
    intercept is that of the joint fit, not calibration-in-the-large at slope 1.

    Both are NaN where the maximum likelihood estimate does not exist: equal probabilities, equal outcomes, or perfect
    separation.

    References
    ----------
    Cox (1958), Two further applications of a model for binary regression, doi 10.1093/biomet/45.3-4.562.
    Albert, Anderson (1984), On the existence of maximum likelihood estimates in logistic regression models,
    doi 10.1093/biomet/71.1.1.
    """
    from sklearn.linear_model import LogisticRegression

    won, clipped = np.asarray(won, dtype=bool), np.clip(np.asarray(win_prob, dtype=float), EDGE, 1 - EDGE)
    log_odds = np.log(clipped / (1 - clipped))
    if not _overlap(log_odds, won):
        return float("nan"), float("nan")
    mean, sd = log_odds.mean(), log_odds.std()
    line = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
    line.fit(((log_odds - mean) / sd)[:, None], won)
    slope = float(line.coef_[0, 0] / sd)
    return slope, float(line.intercept_[0] - slope * mean)


def _overlap(log_odds: Array, won: Array) -> bool:
    """Whether won and lost overlap in log-odds; without overlap the maximum likelihood slope is infinite."""
    if won.all() or not won.any() or np.ptp(log_odds) < _ALIKE:
        return False
    high, low = log_odds[won], log_odds[~won]
    return bool(low.max() > high.min() and high.max() > low.min())


def paired_difference(
    losses: Array, others: Array, groups: Array, *, seed: int, draws: int = 4000
) -> tuple[float, float, float]:
    """Mean of ``losses - others`` and its 90 % cluster bootstrap interval, which resamples whole groups of rows.

    Parameters
    ----------
    losses, others : (row,) paired losses
    groups : (row,) cluster labels
    """
    labels, codes = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(codes, weights=losses - others), np.bincount(codes)
    rng = np.random.default_rng(seed)
    means, at_once = [], max(1, _AT_ONCE // len(labels))
    for done in range(0, draws, at_once):
        chosen = rng.integers(len(labels), size=(min(at_once, draws - done), len(labels)))
        means.append(sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1))
    lower, upper = np.quantile(np.concatenate(means), TAILS)
    return float((losses - others).mean()), float(lower), float(upper)


def auc_difference(
    won: Array, one: Array, other: Array, groups: Array, repeat: Array
) -> tuple[float, float, float, float, float]:
    """AUC of two forecasts of the same rows, and ``one - other`` with its 90 % interval; AUCs averaged over repeats.

    The standard error is that of DeLong's placements, summed over groups of rows that belong together. NaN where all
    outcomes are equal.

    Parameters
    ----------
    won : (row,) 0 or 1
    groups : (row,) cluster labels, the same in every repeat
    repeat : (row,) which repeat the row belongs to

    Returns
    -------
    AUC of ``one``, AUC of ``other``, difference, lower, upper

    References
    ----------
    DeLong, DeLong, Clarke-Pearson (1988), doi 10.2307/2531595; Obuchowski (1997), doi 10.2307/2533958.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    areas, influence, count = np.zeros(2), np.zeros(codes.max() + 1), 0
    for rows in (repeat == which for which in np.unique(repeat)):
        if 0 < won[rows].mean() < 1:
            ours, theirs = (_auc_influence(won[rows], chance[rows]) for chance in (one, other))
            areas += (ours[0], theirs[0])
            influence += np.bincount(codes[rows], weights=ours[1] - theirs[1], minlength=len(influence))
            count += 1
    if not count:
        return (float("nan"),) * 5
    used = max(len(influence), 2)
    reach = float(norm.ppf(TAILS[1]) * np.sqrt(used / (used - 1) * (influence**2).sum()) / count)
    first, second = (float(area) / count for area in areas)
    return first, second, first - second, first - second - reach, first - second + reach


def _auc_influence(won: Array, chance: Array) -> tuple[float, Array]:
    """AUC and what each row adds to it beyond its mean: the centred placement among the other outcome's rows."""
    is_won = np.asarray(won, dtype=bool)
    placement = np.empty(len(chance))
    for side in (True, False):
        rivals = np.sort(chance[is_won != side])
        mine = chance[is_won == side]
        below = (np.searchsorted(rivals, mine, "left") + np.searchsorted(rivals, mine, "right")) / 2 / len(rivals)
        placement[is_won == side] = below if side else 1 - below
    area = float(placement[is_won].mean())
    return area, (placement - area) / np.where(is_won, is_won.sum(), (~is_won).sum())
