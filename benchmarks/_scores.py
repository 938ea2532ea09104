"""How good are probabilities? Scores of pooled predictions, and the baselines that every benchmark compares with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

EDGE = 0.001
SCORES = ("auc", "log_loss", "brier", "accuracy", "slope", "intercept")
INNER = {"logisticregression__C": np.logspace(-3, 1, 9)}

#: Learns from facts, outcomes and groups of rows that belong together; gives probabilities of other facts.
Baseline = Callable[[pd.DataFrame, np.ndarray, np.ndarray, pd.DataFrame, int], np.ndarray]


def scores(won: np.ndarray, win_prob: np.ndarray) -> dict[str, float]:
    """AUC, log loss, Brier, accuracy, and slope and intercept of a logistic recalibration (ideal: 1 and 0)."""
    clipped = np.clip(win_prob, EDGE, 1 - EDGE)
    slope, intercept = recalibration(won, clipped)
    return {
        "auc": float(roc_auc_score(won, clipped)),
        "log_loss": float(log_losses(won, clipped).mean()),
        "brier": float(((clipped - won) ** 2).mean()),
        "accuracy": float(((clipped >= 0.5) == won).mean()),
        "slope": slope,
        "intercept": intercept,
    }


def log_losses(won: np.ndarray, win_prob: np.ndarray) -> np.ndarray:
    """(deal,) minus the log of the probability given to what happened."""
    clipped = np.clip(win_prob, EDGE, 1 - EDGE)
    return -np.log(np.where(won, clipped, 1 - clipped))


def recalibration(won: np.ndarray, win_prob: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of outcomes on predicted log-odds, by Newton's method."""
    design = np.column_stack([np.log(win_prob / (1 - win_prob)), np.ones(len(won))])
    beta = np.array([1.0, 0.0])
    for _ in range(50):
        fitted = 1 / (1 + np.exp(-design @ beta))
        hessian = (design * (fitted * (1 - fitted))[:, None]).T @ design
        # The least-squares step stands where all predictions are alike and the slope means nothing.
        step = np.linalg.lstsq(hessian, design.T @ (won - fitted), rcond=None)[0]
        beta += step
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[0]), float(beta[1])


def paired_difference(
    losses: np.ndarray, others: np.ndarray, groups: np.ndarray, *, seed: int, draws: int = 4000
) -> tuple[float, float, float]:
    """Mean of ``losses - others`` and its 90 % bootstrap interval, whole groups of rows drawn together."""
    sums = np.bincount(groups, weights=losses - others)
    counts = np.bincount(groups)
    chosen = np.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    lower, upper = np.quantile(means, [0.05, 0.95])
    return float((losses - others).mean()), float(lower), float(upper)


def baselines() -> dict[str, Baseline]:
    """Plain models on one-hot facts, by the name they are told under."""
    return {
        "logistic C=0.1": _plain(lambda _: LogisticRegression(C=0.1, max_iter=5000)),
        "logistic C=1": _plain(lambda _: LogisticRegression(C=1.0, max_iter=5000)),
        "logistic, C from inside": _tuned,
        "random forest 300": _plain(lambda seed: RandomForestClassifier(300, random_state=seed)),
        "extra trees 500, leaf 3": _plain(
            lambda seed: ExtraTreesClassifier(500, min_samples_leaf=3, random_state=seed),
        ),
        "HistGradientBoosting": _plain(lambda seed: HistGradientBoostingClassifier(random_state=seed)),
    }


def _plain(make: Callable[[int], Any]) -> Baseline:
    def learn(facts: pd.DataFrame, won: np.ndarray, _: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
        return make_pipeline(_one_hot(), make(seed)).fit(facts, won).predict_proba(others)[:, 1]

    return learn


def _tuned(facts: pd.DataFrame, won: np.ndarray, groups: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
    inner = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    pipeline = make_pipeline(_one_hot(), LogisticRegression(max_iter=5000))
    search = GridSearchCV(pipeline, INNER, scoring="neg_log_loss", cv=inner)
    return search.fit(facts, won, groups=groups).predict_proba(others)[:, 1]


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)
