"""Baseline models that a user would otherwise rely on, fitted to the same rows and columns as winprob."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import column_or_missing, is_closed, without_late_forecasts
from winprob.evaluation.scores import log_losses
from winprob.methodology import STAGES
from winprob.model import features
from winprob.settings import Settings

#: Of training deals, test deals, settings, groups, seed: (test deal,) probabilities, NaN where it has none.
Baseline = Callable[[pd.DataFrame, pd.DataFrame, Settings, Array, int], Array]

#: Inverse penalties of the logistic regression, chosen by cross-validation within each training set.
_PENALTIES = np.logspace(-3, 1, 9)
_INNER_FOLDS = 5
_DEFAULT_PENALTY = 0.1
#: Pseudo-deals at the base rate by which the win rate of a stage is smoothed.
_SMOOTHING = 2.0

#: The column that a baseline is computed from; without it the baseline would be another one under a second name.
NEEDS = {"stage win rate": "stage", "CRM stage default": "stage", "rep_probability": "rep_probability"}


def baselines(deals: pd.DataFrame) -> Mapping[str, Baseline]:
    """Baselines by name, without those whose column no closed deal of the table has, or not from before its close."""
    every: dict[str, Baseline] = {
        "base rate": _base_rate,
        "stage win rate": _stage_rate,
        "CRM stage default": _stage_default,
        "logistic": _logistic,
        "boosting": _boosting,
        "rep_probability": _rep_probability,
    }
    closed = without_late_forecasts(deals[is_closed(deals)])
    absent = {column for column in NEEDS.values() if column_or_missing(closed, column).isna().all()}
    return {name: baseline for name, baseline in every.items() if NEEDS.get(name) not in absent}


def _base_rate(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    return np.full(len(test), _won(train).mean())


def _stage_rate(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    won, base = _won(train), _won(train).mean()
    known, asked = _stages(train), _stages(test)
    wins, deals = (
        np.bincount(known, weights=w, minlength=len(features.STAGE_STATES)) for w in (won, np.ones(len(won)))
    )
    rate: Array = (wins + _SMOOTHING * base) / (deals + _SMOOTHING)
    return rate[asked]


def _stage_default(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    table = np.array([*settings.evaluation.stage_default, _won(train).mean()])
    return table[_stages(test)]


def _rep_probability(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    return without_late_forecasts(test)["rep_probability"].to_numpy(dtype=float)


def _logistic(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    from sklearn.linear_model import LogisticRegression

    learned, asked = _designs(train, test, settings)
    penalty = _best_penalty(learned, _won(train), groups, seed)
    return np.asarray(LogisticRegression(C=penalty, max_iter=5000).fit(learned, _won(train)).predict_proba(asked)[:, 1])


def _best_penalty(design: Array, won: Array, groups: Array, seed: int) -> float:
    """Chosen by cross-validated log loss on inner folds; a default where outcomes are too few for folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    least = int(min(won.sum(), len(won) - won.sum()))
    if least < 2:
        return _DEFAULT_PENALTY
    folds = list(
        StratifiedGroupKFold(min(_INNER_FOLDS, least), shuffle=True, random_state=seed).split(design, won, groups)
    )
    if any(np.ptp(won[train]) == 0 for train, _ in folds):
        return _DEFAULT_PENALTY

    def loss(penalty: float) -> float:
        model = LogisticRegression(C=penalty, max_iter=5000)
        chances = cross_val_predict(model, design, won, cv=folds, method="predict_proba")[:, 1]
        return float(log_losses(won, chances).mean())

    return min(_PENALTIES.tolist(), key=loss)


def _boosting(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    from sklearn.ensemble import HistGradientBoostingClassifier

    learned, asked = _designs(train, test, settings)
    trees = HistGradientBoostingClassifier(random_state=seed).fit(learned, _won(train))
    return np.asarray(trees.predict_proba(asked)[:, 1])


def _designs(train: pd.DataFrame, test: pd.DataFrame, settings: Settings) -> tuple[Array, Array]:
    """Design matrices of winprob's own features: indicators of states and levels, support and whether it is known."""
    scaling = features.learn_scaling(train, settings)
    learned, asked = (_design(features.describe(deals, scaling), scaling) for deals in (train, test))
    return learned, asked


def _design(described: features.Features, scaling: features.Scaling) -> Array:
    states = (
        (described.stage, len(features.STAGE_STATES)),
        (described.coach, len(features.COACH_LEVELS)),
        (described.method, len(features.METHOD_LEVELS)),
        (described.coverage, len(features.COVERAGE_LEVELS)),
    )
    levels = len(scaling.layout.field_of_level)
    # A level absent from training has a code beyond the known ones, so that every indicator is zero.
    known = (described.level[:, :, None] == np.arange(levels)).any(axis=1)
    indicators = [*(code[:, None] == np.arange(count) for code, count in states), known]
    numbers = [described.reading, described.readers == 0, described.numeric]
    return np.concatenate([*indicators, *numbers], axis=1).astype(float)


def _won(deals: pd.DataFrame) -> Array:
    return (deals["outcome"] == "won").to_numpy(dtype=float)


def _stages(deals: pd.DataFrame) -> Array:
    """(deal,) codes, unknown last."""
    codes = pd.Index(STAGES).get_indexer(pd.Index(column_or_missing(deals, "stage")))
    return np.where(codes < 0, len(STAGES), codes)
