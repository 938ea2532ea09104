"""Do deals made by the model look like the deals there are? Before seeing them (prior) and after (posterior)."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.evaluation.leave_one_out import trained_on
from winprob.methodology import ROLES
from winprob.model.draws import TAILS
from winprob.model.inference import Training
from winprob.model.posterior import Posterior
from winprob.model.win.terms import coefficients, logits

_WORDS = ("stage", "decision_method", "coach", "approver_coverage", *(f"{role}_support" for role in ROLES))
_LEAST = 5
_SPREADS = ("seller", "segment")
#: Replicates further out than this are unlike the deals there are.
UNLIKE = 0.01


def check_predictions(posterior: Posterior, deals: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Win rates of the training deals beside those of deals drawn from the model with the same facts.

    Returns
    -------
    DataFrame with columns ``quantity`` (win rate of a level; spread of win rates over sellers, segments), ``deals``,
    ``observed``; ``lower, mean, upper`` of replicates from the posterior (90 %); ``prior_lower, prior_mean,
    prior_upper`` of replicates from the prior; ``p``, two-sided, of the observed among the posterior's replicates. They
    are the deals that were learned from: what does not fit here is wrong, what fits is not thereby proven.

    References
    ----------
    Gelman, Meng, Stern (1996), Posterior predictive assessment of model fitness via realized discrepancies.
    """
    training = trained_on(posterior, deals)
    rng = np.random.default_rng(seed)
    learned, believed = (_replicates(draws, posterior, training, rng) for draws in (posterior.flat, posterior.prior))
    records = []
    for quantity, count, rate in _quantities(training):
        observed, after, before = float(rate(training.won[:, None])[0]), rate(learned), rate(believed)
        records.append(
            {
                "quantity": quantity,
                "deals": count,
                "observed": observed,
                **_ends(after, ""),
                **_ends(before, "prior_"),
                "p": float(min(1, 2 * min((after >= observed).mean(), (after <= observed).mean()))),
            }
        )
    return pd.DataFrame(records)


def _replicates(
    draws: Mapping[str, Array], posterior: Posterior, training: Training, rng: np.random.Generator
) -> Array:
    """(deal, draw) outcomes drawn from the model."""
    by = coefficients(draws, training.features, seed=posterior.provenance.seed)
    chance = 1 / (1 + np.exp(-logits(by, training.features)))
    return np.asarray(rng.random(chance.shape) < chance, dtype=np.float32)


def _quantities(training: Training) -> Iterator[tuple[str, int, Any]]:
    """Name, deals and a function of (deal, draw) outcomes of everything that is compared."""
    weight = training.weight
    yield "win rate", len(weight), _rate_over(np.ones(len(weight), dtype=bool), weight)
    for word in _WORDS:
        if word in training.closed:
            for level, rows in _levels(training.closed[word]):
                yield f"win rate, {word}={level}", int(rows.sum()), _rate_over(rows, weight)
    for word in _SPREADS:
        if word in training.closed:
            groups = [rows for _, rows in _levels(training.closed[word])]
            if len(groups) > 1:
                yield f"spread of win rates, {word}", len(weight), _spread_over(groups, weight)


def _levels(values: pd.Series) -> Iterator[tuple[str, Array]]:
    text = values.astype("str").where(values.notna(), "unknown").str.removesuffix(".0").to_numpy()
    for level in np.unique(text):
        rows = text == level
        if rows.sum() >= _LEAST:
            yield str(level), rows


def _rate_over(rows: Array, weight: Array) -> Any:
    return lambda won: np.average(won[rows], axis=0, weights=weight[rows])


def _spread_over(groups: list[Array], weight: Array) -> Any:
    return lambda won: np.std([np.average(won[rows], axis=0, weights=weight[rows]) for rows in groups], axis=0)


def _ends(values: Array, prefix: str) -> dict[str, float]:
    lower, upper = np.quantile(values, TAILS)
    return {f"{prefix}lower": float(lower), f"{prefix}mean": float(values.mean()), f"{prefix}upper": float(upper)}
