"""Learning curve: out-of-sample scores and interval widths by number of training deals."""

from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.evaluation.backtesting import OURS, Progress
from winprob.evaluation.baselines import baselines
from winprob.evaluation.folds import closed_rows, identical_rows
from winprob.evaluation.scores import score
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.model.prediction import predict_valid
from winprob.settings import Settings

SIZES = (0, 10, 30, 80, 200, 500)
COMPARED = ("logistic", "CRM stage default")
_TEST_SHARE = 1 / 3
_LEAST_TEST = 30
#: Below this exponent even a hundred times the deals would not halve an interval.
_LEAST_EXPONENT = 0.15
#: Smaller training sets are left out of the extrapolation.
_LEAST_SIZE = 30


def learning_curve(
    deals: pd.DataFrame,
    *,
    seed: int,
    settings: Settings | None = None,
    sizes: tuple[int, ...] = SIZES,
    repeats: int = 5,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Out-of-sample scores by training set size: 0, 10, 30, ... closed deals.

    In each repeat a random third of the deals is the test set; training sets are nested samples of the others.
    Identical deals stay on one side. With 0 deals winprob is its prior.

    Returns
    -------
    DataFrame with columns ``deals, model, log_loss, brier, calibration_slope, calibration_intercept`` and, for winprob,
    ``interval_width`` (mean width of the 90 % interval of the win probability) and ``prior_share``; repeats pooled

    Raises
    ------
    DealTableError
        Too few closed deals for a test set.
    """
    settings = settings or Settings()
    valid = validate_deals(deals, training=True)
    closed = valid.iloc[closed_rows(valid)]
    if len(closed) * _TEST_SHARE < _LEAST_TEST:
        least = int(_LEAST_TEST / _TEST_SHARE)
        raise DealTableError(
            gettext("a learning curve needs {want} closed deals, got {got}.", want=least, got=len(closed))
        )
    parts: list[pd.DataFrame] = []
    for repeat in range(repeats):
        train, test = _split(closed, np.random.default_rng([seed, repeat]))
        possible = [size for size in sizes if size <= len(train)]
        for at, size in enumerate(possible):
            if progress:
                done = (repeat + at / len(possible)) / repeats
                progress(gettext("learning curve: {size} deals, repeat {repeat}", size=size, repeat=repeat + 1), done)
            parts += _predicted(closed.iloc[train[:size]], closed.iloc[test], settings, seed + repeat)
    everything = pd.concat(parts, ignore_index=True)
    groups = everything.groupby(["deals", "model"], sort=False)
    return pd.DataFrame([_scored(group) for _, group in groups])


def deals_to_halve(curve: pd.DataFrame, deals: int) -> int | None:
    """Approximate number of additional closed deals that would halve winprob's interval width; None if none would.

    Extrapolates the power law between the two largest training sets.
    """
    ours = curve[(curve["model"] == OURS) & (curve["deals"] >= _LEAST_SIZE)].tail(2)
    if len(ours) < 2:
        return None
    exponent = -np.polyfit(np.log(ours["deals"]), np.log(ours["interval_width"]), 1)[0]
    return None if exponent < _LEAST_EXPONENT else round(deals * (2 ** (1 / exponent) - 1))


def _split(closed: pd.DataFrame, rng: np.random.Generator) -> tuple[Array, Array]:
    """Positions of the training rows, in random order, and of the test rows; identical rows on one side."""
    codes = identical_rows(closed)
    order = rng.permutation(codes.max() + 1)[codes]
    rows = np.argsort(order, kind="stable")
    cut = int(len(rows) * (1 - _TEST_SHARE))
    while cut and order[rows[cut]] == order[rows[cut - 1]]:
        cut -= 1
    return rows[:cut], rows[cut:]


def _predicted(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, seed: int) -> list[pd.DataFrame]:
    """Each model's predictions of the test deals; the regression needs both outcomes in training."""
    won = (test["outcome"] == "won").to_numpy(dtype=float)
    outcomes = (train["outcome"] == "won").nunique()
    chances = predict_valid(_fitted(train, settings, seed, outcomes), test)
    shared = {"deals": len(train), "won": won}
    width, share = chances["upper"] - chances["lower"], chances["prior_share"]
    ours = {"win_prob": chances["mean"].array, "interval_width": width.array, "prior_share": share.array}
    parts = [pd.DataFrame({**shared, "model": OURS, **ours})]
    known = baselines(test)
    groups = identical_rows(train) if len(train) else np.zeros(0, dtype=int)
    for name in (name for name in COMPARED if name in known and outcomes == 2):
        chance = known[name](train, test, settings, groups, seed)
        parts.append(pd.DataFrame({**shared, "model": name, "win_prob": chance}))
    return parts


def _scored(group: pd.DataFrame) -> dict[str, Any]:
    scores = score(group["won"].to_numpy(), group["win_prob"].to_numpy())
    names = ("log_loss", "brier", "calibration_slope", "calibration_intercept")
    means = {name: group[name].mean() for name in ("interval_width", "prior_share") if name in group}
    which = {name: group[name].iloc[0] for name in ("deals", "model")}
    return {**which, **{name: scores[name] for name in names}, **means}


def _fitted(train: pd.DataFrame, settings: Settings, seed: int, outcomes: int) -> Posterior:
    from winprob.model import inference

    if not len(train):
        return inference.fit_prior(seed=seed, settings=settings.for_refits())
    return inference.fit(train, seed=seed, settings=settings.for_refits(), one_outcome=outcomes < 2)
