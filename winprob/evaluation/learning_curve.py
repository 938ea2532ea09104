"""How much do more closed deals help? Fits on few and on many, each scored on deals it has not seen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.evaluation.backtesting import OURS
from winprob.evaluation.baselines import baselines
from winprob.evaluation.folds import closed_rows, identical_rows
from winprob.evaluation.scores import score
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.settings import Settings

Progress = Callable[[str, float], None]

SIZES = (0, 10, 30, 80, 200, 500)
BESIDE = ("logistic", "CRM stage default")
_TEST_SHARE = 1 / 3
_LEAST_TEST = 30
#: Below this exponent, not even a hundred times the deals would halve an interval.
_FLAT = 0.15
_MANY = 30


def learning_curve(
    deals: pd.DataFrame,
    *,
    seed: int,
    settings: Settings | None = None,
    sizes: tuple[int, ...] = SIZES,
    repeats: int = 5,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Scores after learning from 0, 10, 30, ... closed deals.

    A third of the deals is kept apart to be scored, anew in each repeat; the others are drawn from, each larger set
    with the smaller ones inside it. Deals alike stay together. With 0 deals winprob is its prior.

    Returns
    -------
    DataFrame with columns ``deals, model, log_loss, brier, calibration_slope, calibration_intercept`` and, for winprob,
    ``interval_width`` (mean width of the 90 % interval of the chance) and ``prior_share``; all repeats' deals together

    Raises
    ------
    DealTableError
        Too few closed deals to keep some apart.
    """
    settings = settings or Settings()
    valid = validate_deals(deals, training=True)
    closed = valid.iloc[closed_rows(valid)]
    if len(closed) * _TEST_SHARE < _LEAST_TEST:
        wanted = int(_LEAST_TEST / _TEST_SHARE)
        raise DealTableError(
            gettext("a learning curve needs {want} closed deals, got {got}.", want=wanted, got=len(closed))
        )
    parts: list[pd.DataFrame] = []
    for repeat in range(repeats):
        train, test = _apart(closed, np.random.default_rng([seed, repeat]))
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
    """About how many more closed deals would halve the width of winprob's interval; None if none seem to.

    Widths are taken to go on falling as they do between the two largest sizes, as a power of the number of deals.
    """
    ours = curve[(curve["model"] == OURS) & (curve["deals"] >= _MANY)].tail(2)
    if len(ours) < 2:
        return None
    exponent = -np.polyfit(np.log(ours["deals"]), np.log(ours["interval_width"]), 1)[0]
    return None if exponent < _FLAT else round(deals * (2 ** (1 / exponent) - 1))


def _apart(closed: pd.DataFrame, rng: np.random.Generator) -> tuple[Array, Array]:
    """Positions to learn from, in random order, and to score; groups of rows alike on one side."""
    codes = identical_rows(closed)
    order = rng.permutation(codes.max() + 1)[codes]
    rows = np.argsort(order, kind="stable")
    cut = int(len(rows) * (1 - _TEST_SHARE))
    while cut and order[rows[cut]] == order[rows[cut - 1]]:
        cut -= 1
    return rows[:cut], rows[cut:]


def _predicted(train: pd.DataFrame, test: pd.DataFrame, settings: Settings, seed: int) -> list[pd.DataFrame]:
    """What each model says of the deals kept apart; the regression is silent where all it saw ended alike."""
    from winprob.model.prediction import predict

    won = (test["outcome"] == "won").to_numpy(dtype=float)
    outcomes = (train["outcome"] == "won").nunique()
    chances = predict(_learned(train, settings, seed, outcomes), test)
    told = {"deals": len(train), "won": won}
    width, share = chances["upper"] - chances["lower"], chances["prior_share"]
    ours = {"win_prob": chances["mean"].array, "interval_width": width.array, "prior_share": share.array}
    parts = [pd.DataFrame({**told, "model": OURS, **ours})]
    known = baselines(test)
    groups = identical_rows(train) if len(train) else np.zeros(0, dtype=int)
    for name in BESIDE if outcomes == 2 else ():
        chance = known[name](train, test, settings, groups, seed)
        parts.append(pd.DataFrame({**told, "model": name, "win_prob": chance}))
    return parts


def _scored(group: pd.DataFrame) -> dict[str, Any]:
    found = score(group["won"].to_numpy(), group["win_prob"].to_numpy())
    kept = ("log_loss", "brier", "calibration_slope", "calibration_intercept")
    means = {name: group[name].mean() for name in ("interval_width", "prior_share") if name in group}
    which = {name: group[name].iloc[0] for name in ("deals", "model")}
    return {**which, **{name: found[name] for name in kept}, **means}


def _learned(train: pd.DataFrame, settings: Settings, seed: int, outcomes: int) -> Posterior:
    from winprob.model import inference

    if not len(train):
        return inference.fit_prior(seed=seed, settings=settings.for_refits())
    return inference.fit(train, seed=seed, settings=settings.for_refits(), one_outcome=outcomes < 2)
