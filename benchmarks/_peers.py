"""The models that winprob is compared with on real data: logistic regressions, trees, boosting, and their stack.

Facts are a frame whose numeric columns are numbers and whose other columns are categories, with "" for a blank. One-hot
levels with fewer than five training rows are pooled, and a blank number is 0 (without this the boosters on one-hot
columns are .006 to .012 worse on the grants); boosters with native categories get blank numbers as they are.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _scores import EDGE, Baseline, inner_folds, search_c, tuned
from scipy.special import logit
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

BASE_RATE, STACK = "base rate", "stack of logistic and boosting"
EXPLAINABLE = "explainable boosting machine"
#: Levels with fewer training rows are pooled.
LEAST_ROWS = 5
#: The most categories that scikit-learn's boosting takes.
MOST_LEVELS = 255
BINS = 15
SMALL: dict[str, Any] = {"max_iter": 150, "learning_rate": 0.06, "max_leaf_nodes": 16}

# Heaped values leave fewer bins than asked for, which is meant.
warnings.filterwarnings("ignore", "Bins whose width are too small", UserWarning)

Encode = Callable[[pd.DataFrame], ColumnTransformer]


def peers(facts: pd.DataFrame) -> dict[str, Baseline]:
    """The models by name; bins of numbers only where there are numbers, the explainable one only where installed."""
    numbers = len(_numbers(facts)) > 0
    boosters = {
        "boosting": _boosting(),
        "boosting, small": _boosting(**SMALL),
        "boosting, one-hot": _on(dense, lambda seed: HistGradientBoostingClassifier(random_state=seed)),
        "boosting, one-hot, small": _on(dense, lambda seed: HistGradientBoostingClassifier(random_state=seed, **SMALL)),
    }
    models = {
        BASE_RATE: _base_rate,
        "logistic": tuned(lines),
        **({"logistic, numbers in bins": tuned(bins)} if numbers else {}),
        "random forest 300": _on(dense, lambda seed: RandomForestClassifier(300, random_state=seed)),
        "random forest 200, leaf 5": _on(
            dense, lambda seed: RandomForestClassifier(200, min_samples_leaf=5, random_state=seed)
        ),
        "extra trees 500, leaf 3": _on(
            dense, lambda seed: ExtraTreesClassifier(500, min_samples_leaf=3, random_state=seed)
        ),
        **boosters,
        EXPLAINABLE: _explainable,
        STACK: _stack(bins if numbers else lines, list(boosters.values())),
    }
    return {name: learn for name, learn in models.items() if name != EXPLAINABLE or find_spec("interpret")}


def peers_mark(model: str) -> str:
    """Cache key of a peer: the code, and the versions of what it is made with."""
    folder = Path(__file__).parent
    code = b"".join((folder / name).read_bytes() for name in ("_peers.py", "_scores.py"))
    libraries = ["scikit-learn", "numpy", *(["interpret-core"] if model == EXPLAINABLE else [])]
    return hashlib.sha256(code + " ".join(map(version, libraries)).encode()).hexdigest()[:12]


def lines(facts: pd.DataFrame) -> ColumnTransformer:
    """One-hot categories, standardised numbers."""
    return _one_hot(facts, make_pipeline(_blank_is_zero(), StandardScaler()))


def bins(facts: pd.DataFrame) -> ColumnTransformer:
    """One-hot categories, and numbers one-hot in quantile bins."""
    cut = KBinsDiscretizer(BINS, strategy="quantile", quantile_method="averaged_inverted_cdf")
    return _one_hot(facts, make_pipeline(_blank_is_zero(), cut))


def dense(facts: pd.DataFrame) -> ColumnTransformer:
    """One-hot categories and plain numbers as a dense array, for trees."""
    return _one_hot(facts, _blank_is_zero(), sparse=False)


def codes(facts: pd.DataFrame) -> ColumnTransformer:
    """Codes of the categories first, then plain numbers, blanks kept: for native categorical splits."""
    encoder = OrdinalEncoder(
        min_frequency=LEAST_ROWS,
        max_categories=MOST_LEVELS,
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
    )
    return ColumnTransformer([("categories", encoder, _categories(facts)), ("numbers", "passthrough", _numbers(facts))])


def _one_hot(facts: pd.DataFrame, numbers: Any, *, sparse: bool = True) -> ColumnTransformer:
    encoder = OneHotEncoder(
        min_frequency=LEAST_ROWS, handle_unknown="infrequent_if_exist", sparse_output=sparse, dtype=np.float64
    )
    return ColumnTransformer([("categories", encoder, _categories(facts)), ("numbers", numbers, _numbers(facts))])


def _blank_is_zero() -> SimpleImputer:
    return SimpleImputer(strategy="constant", fill_value=0.0)


def _numbers(facts: pd.DataFrame) -> list[str]:
    return list(facts.select_dtypes("number").columns)


def _categories(facts: pd.DataFrame) -> list[str]:
    return list(facts.select_dtypes(exclude="number").columns)


def _base_rate(_: pd.DataFrame, won: np.ndarray, __: np.ndarray, others: pd.DataFrame, ___: int) -> np.ndarray:
    return np.full(len(others), won.mean())


def _on(encode: Encode, make: Callable[[int], Any]) -> Baseline:
    def learn(facts: pd.DataFrame, won: np.ndarray, _: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
        return make_pipeline(encode(facts), make(seed)).fit(facts, won).predict_proba(others)[:, 1]

    return learn


def _boosting(**how: Any) -> Baseline:
    """Boosting with native categories."""

    def learn(facts: pd.DataFrame, won: np.ndarray, _: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
        native = list(range(len(_categories(facts))))
        booster = HistGradientBoostingClassifier(categorical_features=native, random_state=seed, **how)
        return make_pipeline(codes(facts), booster).fit(facts, won).predict_proba(others)[:, 1]

    return learn


def _explainable(facts: pd.DataFrame, won: np.ndarray, _: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
    """Without interactions, as in the figures to beat: with them a fit of the grants takes minutes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from interpret.glassbox import ExplainableBoostingClassifier

        numbers = set(_numbers(facts))
        kinds = ["continuous" if name in numbers else "nominal" for name in facts]
        # One process, so that the CPU time of this one is all of it.
        model = ExplainableBoostingClassifier(interactions=0, feature_types=kinds, n_jobs=1, random_state=seed)
        return model.fit(facts, won).predict_proba(others)[:, 1]


def _stack(encode: Encode, boosters: Sequence[Baseline]) -> Baseline:
    """Logistic regression on the log-odds of cross-fitted members: a logistic regression and the boosters.

    C of the logistic member is chosen once, on all training rows; everything else is refitted in each inner fold.
    """

    def learn(facts: pd.DataFrame, won: np.ndarray, groups: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
        best = search_c(encode(facts), facts, won, groups, seed).best_params_["logisticregression__C"]
        members = [_on(encode, lambda _: LogisticRegression(C=best, max_iter=5000)), *boosters]
        crossed = np.empty((len(facts), len(members)))
        for train, test in inner_folds(seed).split(facts, won, groups):
            rows = facts.iloc[train], won[train], groups[train], facts.iloc[test], seed
            crossed[test] = np.column_stack([_log_odds(member(*rows)) for member in members])
        whole = np.column_stack([_log_odds(member(facts, won, groups, others, seed)) for member in members])
        return LogisticRegression(C=1.0).fit(crossed, won).predict_proba(whole)[:, 1]

    return learn


def _log_odds(win_prob: np.ndarray) -> np.ndarray:
    return logit(np.clip(win_prob, EDGE, 1 - EDGE))
