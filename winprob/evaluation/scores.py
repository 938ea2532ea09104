"""How good are probabilities, once we know what happened?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: A probability of 0 or 1 that fails would cost infinitely much: for the log loss, none is nearer to them than this.
EDGE = 0.001
_NEWTON_STEPS = 50
_SETTLED = 1e-10


def score(won: Array, win_prob: Array) -> dict[str, float]:
    """Every score of one model's probabilities.

    Parameters
    ----------
    won : (deal,) 0 or 1
    win_prob : (deal,)

    Returns
    -------
    dict of ``n``; ``log_loss``; ``brier``, which is exactly ``miscalibration - discrimination + uncertainty``; ``auc``;
    ``sharpness``, the sd of the probabilities; ``calibration_slope`` and ``calibration_intercept`` (ideal 1 and 0). NaN
    where a score means nothing: outcomes that are all alike, probabilities that are all the same.

    References
    ----------
    Dimitriadis, Gneiting, Jordan (2021), Stable reliability diagrams, doi 10.1073/pnas.2016191118.
    """
    from sklearn.metrics import roc_auc_score

    won = np.asarray(won, dtype=float)
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
    """(deal,) minus the log of the probability given to what happened, kept within ``EDGE`` of 0 and 1."""
    clipped = np.clip(win_prob, EDGE, 1 - EDGE)
    return np.asarray(-np.log(np.where(np.asarray(won, dtype=bool), clipped, 1 - clipped)))


def decompose(won: Array, win_prob: Array) -> tuple[float, float, float]:
    """Miscalibration, discrimination and uncertainty of the Brier score, by isotonic recalibration (CORP)."""
    won = np.asarray(won, dtype=float)
    brier = ((win_prob - won) ** 2).mean()
    calibrated = ((isotonic(won, win_prob) - won) ** 2).mean()
    uncertainty = won.var()
    return float(brier - calibrated), float(uncertainty - calibrated), float(uncertainty)


def isotonic(won: Array, win_prob: Array) -> Array:
    """(deal,) win rates that never fall as the probability rises and lie closest to what happened."""
    from sklearn.isotonic import IsotonicRegression

    return np.asarray(IsotonicRegression().fit(win_prob, won).predict(win_prob), dtype=float)


def recalibration(won: Array, win_prob: Array) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of outcomes on predicted log-odds (Cox 1958), by Newton's method.

    NaN where all probabilities or all outcomes are alike.
    """
    clipped = np.clip(win_prob, EDGE, 1 - EDGE)
    design = np.column_stack([np.log(clipped / (1 - clipped)), np.ones(len(won))])
    if np.ptp(design[:, 0]) < _SETTLED or np.ptp(won) == 0:
        return float("nan"), float("nan")
    beta = np.array([1.0, 0.0])
    for _ in range(_NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-design @ beta))
        hessian = (design * (fitted * (1 - fitted))[:, None]).T @ design
        step = np.linalg.lstsq(hessian, design.T @ (won - fitted), rcond=None)[0]
        beta += step
        if np.abs(step).max() < _SETTLED:
            break
    return float(beta[0]), float(beta[1])


def paired_difference(
    losses: Array, others: Array, groups: Array, *, seed: int, draws: int = 4000
) -> tuple[float, float, float]:
    """Mean of ``losses - others`` and its 90 % bootstrap interval, whole groups of rows drawn together.

    Parameters
    ----------
    losses, others : (row,) of the same rows
    groups : (row,) codes 0, 1, ... of rows that belong together
    """
    sums = np.bincount(groups, weights=losses - others)
    counts = np.bincount(groups)
    chosen = np.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    lower, upper = np.quantile(means, [0.05, 0.95])
    return float((losses - others).mean()), float(lower), float(upper)
