"""Scores of pooled predictions, and the baseline models of the benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from winprob.evaluation.scores import EDGE, log_losses, paired_difference, score

__all__ = [
    "EDGE",
    "SCORES",
    "Baseline",
    "baselines",
    "inner_folds",
    "log_losses",
    "paired_difference",
    "scores",
    "search_c",
    "tuned",
]

SCORES = ("auc", "log_loss", "brier", "accuracy", "slope", "intercept")
INNER = {"logisticregression__C": np.logspace(-3, 1, 9)}

#: Of training facts, outcomes and groups of rows, test facts and seed: probabilities of the test facts.
Baseline = Callable[[pd.DataFrame, np.ndarray, np.ndarray, pd.DataFrame, int], np.ndarray]


def scores(won: np.ndarray, win_prob: np.ndarray) -> dict[str, float]:
    """AUC, log loss, Brier, accuracy, and slope and intercept of a logistic recalibration (ideal: 1 and 0; NaN where
    all probabilities are equal).
    """
    clipped = np.clip(win_prob, EDGE, 1 - EDGE)
    values = score(won, clipped)
    return {
        **{name: values[name] for name in ("auc", "log_loss", "brier")},
        "accuracy": float(((clipped >= 0.5) == won).mean()),
        "slope": values["calibration_slope"],
        "intercept": values["calibration_intercept"],
    }


def baselines() -> dict[str, Baseline]:
    """Baseline models on one-hot facts, by name."""
    return {
        "logistic C=0.1": _plain(lambda _: LogisticRegression(C=0.1, max_iter=5000)),
        "logistic C=1": _plain(lambda _: LogisticRegression(C=1.0, max_iter=5000)),
        "logistic, C from inside": tuned(lambda _: _one_hot()),
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


def tuned(encode: Callable[[pd.DataFrame], Any]) -> Baseline:
    """Logistic regression on encoded facts, C chosen by cross-validation of the training rows."""

    def learn(facts: pd.DataFrame, won: np.ndarray, groups: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
        return search_c(encode(facts), facts, won, groups, seed).predict_proba(others)[:, 1]

    return learn


def search_c(encoder: Any, facts: pd.DataFrame, won: np.ndarray, groups: np.ndarray, seed: int) -> GridSearchCV:
    """The fitted search over C; ``best_estimator_`` is the pipeline refitted to all training rows."""
    pipeline = make_pipeline(encoder, LogisticRegression(max_iter=5000))
    search = GridSearchCV(pipeline, INNER, scoring="neg_log_loss", cv=inner_folds(seed))
    return search.fit(facts, won, groups=groups)


def inner_folds(seed: int) -> StratifiedGroupKFold:
    """Folds of training rows; rows of one group stay in one fold."""
    return StratifiedGroupKFold(5, shuffle=True, random_state=seed)


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)
