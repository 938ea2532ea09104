"""WinProbClassifier: the win model as a scikit-learn estimator.

``X`` is a table of deals or any numbers; ``validate_data`` holds what scikit-learn expects of either. A column with a
canonical name is that fact of the method, every other column is a covariate.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import multiclass, validation

from winprob.arrays import Array, in_blocks
from winprob.data.schema import COLUMNS, ID, NAMES, READINGS
from winprob.frames import as_pandas
from winprob.methodology import canonical
from winprob.model.draws import MASS
from winprob.model.inference import fit
from winprob.model.prediction import BLOCK, draw_win_prob
from winprob.settings import Settings

_FACTS = frozenset((*COLUMNS, *READINGS, *NAMES, "known_until"))


class WinProbClassifier(ClassifierMixin, BaseEstimator):
    """Classifier with the win model's posterior: two classes, blanks allowed, intervals of the probability.

    Parameters
    ----------
    random_state : int
        The ``seed`` of `fit`: the same seed gives the same draws.
    settings : Settings or None
        Sampler, gates, priors and covariates; None for the defaults.
    won : label or None
        The class that means won. By default the label that the method's vocabulary knows as won (``won``, ``Won``,
        ``赢单``), else the larger one, as in scikit-learn (1 of 0 and 1).
    pseudonymous : bool
        Store pseudonyms of sellers and accounts instead of their names.

    Attributes
    ----------
    classes_ : the two labels, sorted
    won_ : the one that means won
    posterior_ : the fitted `Posterior`, for every function of `winprob`
    n_features_in_, feature_names_in_ : as in scikit-learn

    Notes
    -----
    ``X`` may be a frame of pandas, polars or pyarrow, or an array of numbers. Columns with canonical names
    (``stage``, ``approver_support``, ...) are the method's facts; ``deal_id`` is optional, and rows with the same one
    are readings of a deal, which add no weight beyond one. Every other column is a covariate: a number acts through a
    smooth curve, a word through partially pooled offsets. NaN and null are unknown.

    There are no sample weights: a row is a deal, and rows alike in everything count once (``copies_count_once``).
    Draws must pass the gates of ``settings``, as in `fit`.
    """

    def __init__(
        self,
        *,
        random_state: int = 1,
        settings: Settings | None = None,
        won: object = None,
        pseudonymous: bool = False,
    ) -> None:
        self.random_state = random_state
        self.settings = settings
        self.won = won
        self.pseudonymous = pseudonymous

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the win model to ``X`` (deal, column) and the outcomes ``y`` (deal,), two labels of any kind.

        Raises
        ------
        ValueError
            ``y`` has missing values, one label, more than two, or a label that means open.
        DealTableError
            A column of the method has a value that is not canonical.
        NotConvergedError
            The draws failed their gates.
        """
        deals = self._deals(X, reset=True)
        labels = _labels(y)
        validation.check_consistent_length(deals, labels)
        self.classes_ = np.unique(labels)
        self.won_ = _won(self.classes_, self.won)
        ended = deals.assign(outcome=np.where(labels == self.won_, "won", "lost"))
        seed = int(self.random_state)
        self.posterior_ = fit(ended, seed=seed, settings=self.settings, pseudonymous=self.pseudonymous)
        return self

    def predict(self, X: Any) -> Array:
        """(deal,) the likelier class of each deal."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def predict_proba(self, X: Any) -> Array:
        """(deal, class) posterior means of the probabilities, in the order of ``classes_``; rows sum to 1."""
        chance = self._summary(X, lambda draws: draws.mean(axis=1, dtype=np.float64))
        columns = [chance if label == self.won_ else 1 - chance for label in self.classes_]
        return np.stack(columns, axis=1)

    def predict_interval(self, X: Any, mass: float = MASS) -> Array:
        """(deal, 2) ends of the equal-tailed interval, of this mass, of the probability of ``won_``.

        The interval is of the probability and not of the outcome.

        Raises
        ------
        ValueError
            ``mass`` is not between 0 and 1.
        """
        if not 0 < mass < 1:
            raise ValueError(f"mass is {mass!r}, wanted between 0 and 1")
        tails = [(1 - mass) / 2, (1 + mass) / 2]
        return self._summary(X, lambda draws: np.quantile(draws, tails, axis=1).T)

    def _summary(self, X: Any, summarise: Callable[[Array], Array]) -> Array:
        """A summary of each deal's draws (deal, draw), in blocks that bound the memory."""
        validation.check_is_fitted(self)
        deals = self._deals(X, reset=False)

        def of_block(rows: slice) -> Array:
            return summarise(draw_win_prob(self.posterior_, deals.iloc[rows]))

        return np.concatenate(in_blocks(len(deals), BLOCK, of_block))

    def _deals(self, X: Any, *, reset: bool) -> pd.DataFrame:
        """``X`` as a deal table with ids, its covariates named in ``attrs``."""
        table = as_pandas(X)
        if isinstance(table, pd.DataFrame):
            validation.validate_data(self, table, reset=reset, skip_check_array=True)
        else:
            numbers = validation.validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")
            table = pd.DataFrame(np.asarray(numbers, dtype=float))
        deals = table.reset_index(drop=True)
        deals.columns = table.columns.map(lambda name: name if isinstance(name, str) else f"x{name}")
        if ID not in deals:
            # Ids in the order of the rows: a model learns from deals in the order of their ids.
            deals.insert(0, ID, [f"{at:012}" for at in range(len(deals))])
        deals.attrs = {**table.attrs, "covariates": _covariates(deals, table.attrs.get("covariates", {}))}
        return deals

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags


def _covariates(deals: pd.DataFrame, named: dict[str, Any]) -> dict[str, Any]:
    """The covariates that a mapping named, and every other column that the method does not know."""
    known = {*named.get("varying", ()), *(item["column"] for item in named.get("numeric", ()))}
    others = [name for name in deals.columns if name not in _FACTS | known]
    if days := [name for name in others if pd.api.types.is_datetime64_any_dtype(deals[name].dtype)]:
        raise ValueError(f"columns {', '.join(days)} hold dates: give a number of days since, or leave them out of X")
    numbers = [name for name in others if pd.api.types.is_numeric_dtype(deals[name].dtype)]
    return {
        **named,
        "varying": [*named.get("varying", ()), *(name for name in others if name not in numbers)],
        "numeric": [*named.get("numeric", ()), *({"column": name, "transform": "identity"} for name in numbers)],
    }


def _labels(y: Any) -> Array:
    """(deal,) the labels, of two kinds.

    Raises
    ------
    ValueError
        As ``WinProbClassifier.fit``.
    """
    labels = np.asarray(validation.column_or_1d(y, warn=True))
    if pd.isna(labels).any():
        raise ValueError("Input y contains NaN: a deal without an outcome is left out")
    validation.assert_all_finite(labels, input_name="y")
    multiclass.check_classification_targets(labels)
    kind = multiclass.type_of_target(labels, input_name="y", raise_unknown=True)
    classes = np.unique(labels)
    if still_open := [label for label in classes if _meaning(label) == "open"]:
        raise ValueError(f"y has the class {str(still_open[0])!r}: an open deal has no outcome yet, leave it out")
    if kind != "binary":
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {kind}, with the classes "
            f"{', '.join(map(str, classes[:5]))}. Every outcome but won is lost: y = (outcome == 'won')"
        )
    if len(classes) < 2:
        raise ValueError(f"y has only one class, {', '.join(map(str, classes))}: there is nothing to learn from")
    return labels


def _won(classes: Array, wanted: object) -> Any:
    """The class that means won."""
    if wanted is not None:
        if wanted not in classes.tolist():
            raise ValueError(f"won is {wanted!r}, which is none of the classes {classes.tolist()}")
        return classes[classes.tolist().index(wanted)]
    meant = [label for label in classes if _meaning(label) == "won"]
    return meant[0] if meant else classes[1]


def _meaning(label: object) -> str | None:
    """The outcome that a label means, None where it is a number or means none."""
    return canonical("outcome", label) if isinstance(label, str) else None
