"""What would users trust otherwise? Plain models, on the same rows and the same columns."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.evaluation.scores import log_losses
from winprob.methodology import STAGES
from winprob.model.features import (
    COACH_LEVELS,
    COVERAGE_LEVELS,
    METHOD_LEVELS,
    STAGE_STATES,
    Features,
    Scaling,
    describe,
    learn_scaling,
)
from winprob.settings import Settings

#: Learns from the first deals, gives (deal,) probabilities of the second; NaN where it has none.
Baseline = Callable[[pd.DataFrame, pd.DataFrame, Settings, Array, int], Array]

#: How strongly a regression is held back, tried inside each training fold.
_PENALTIES = np.logspace(-3, 1, 9)
_INNER_FOLDS = 5
_MIDDLING = 0.1
#: A stage's win rate starts as that of so many average deals.
_SMOOTHING = 2.0


def baselines(deals: pd.DataFrame) -> Mapping[str, Baseline]:
    """By the name they are told under; the rep's own number where the table has it."""
    known: dict[str, Baseline] = {
        "base rate": _base_rate,
        "stage win rate": _stage_rate,
        "CRM stage default": _stage_default,
        "logistic": _logistic,
        "boosting": _boosting,
    }
    if "rep_probability" in deals and deals["rep_probability"].notna().any():
        known["rep_probability"] = _rep_probability
    return known


def _base_rate(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    return np.full(len(test), _won(train).mean())


def _stage_rate(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    won, base = _won(train), _won(train).mean()
    known, asked = _stages(train), _stages(test)
    wins, deals = (np.bincount(known, weights=w, minlength=len(STAGE_STATES)) for w in (won, np.ones(len(won))))
    rate: Array = (wins + _SMOOTHING * base) / (deals + _SMOOTHING)
    return rate[asked]


def _stage_default(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    table = np.array([*settings.evaluation.stage_default, _won(train).mean()])
    return table[_stages(test)]


def _rep_probability(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    return test["rep_probability"].to_numpy(dtype=float)


def _logistic(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, groups: Array, seed: int) -> Array:
    from sklearn.linear_model import LogisticRegression

    learned, asked = _designs(train, test, settings)
    penalty = _best_penalty(learned, _won(train), groups, seed)
    return np.asarray(LogisticRegression(C=penalty, max_iter=5000).fit(learned, _won(train)).predict_proba(asked)[:, 1])


def _best_penalty(design: Array, won: Array, groups: Array, seed: int) -> float:
    """The one that predicts best across inner folds; where outcomes are too few for folds, a middling one."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    least = int(min(won.sum(), len(won) - won.sum()))
    if least < 2:
        return _MIDDLING
    folds = list(
        StratifiedGroupKFold(min(_INNER_FOLDS, least), shuffle=True, random_state=seed).split(design, won, groups)
    )
    if any(np.ptp(won[train]) == 0 for train, _ in folds):
        return _MIDDLING

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
    """What winprob itself sees: states and levels one by one, support as a number and whether it is known."""
    scaling = learn_scaling(train, settings)
    learned, asked = (_design(describe(deals, scaling), scaling) for deals in (train, test))
    return learned, asked


def _design(features: Features, scaling: Scaling) -> Array:
    words = (
        (features.stage, len(STAGE_STATES)),
        (features.coach, len(COACH_LEVELS)),
        (features.method, len(METHOD_LEVELS)),
        (features.coverage, len(COVERAGE_LEVELS)),
    )
    levels = len(scaling.layout.field_of_level)
    # A level that training never saw has a code of its own beyond the known ones: it is none of them.
    shown = [(features.level[:, :, None] == np.arange(levels)).any(axis=1)]
    states = [code[:, None] == np.arange(count) for code, count in words]
    numbers = [features.reading, features.readers == 0, features.numeric]
    return np.concatenate([*states, *shown, *numbers], axis=1).astype(float)


def _won(deals: pd.DataFrame) -> Array:
    return (deals["outcome"] == "won").to_numpy(dtype=float)


def _stages(deals: pd.DataFrame) -> Array:
    """(deal,) codes, unknown last."""
    if "stage" not in deals:
        return np.full(len(deals), len(STAGES))
    codes = pd.Index(STAGES).get_indexer(pd.Index(deals["stage"]))
    return np.where(codes < 0, len(STAGES), codes)
