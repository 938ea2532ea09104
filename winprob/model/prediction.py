"""How likely is a win? A pure function of a fitted model and a deal table."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.model.draws import sorted_tails, to_win_prob
from winprob.model.features import Features, describe
from winprob.model.posterior import Posterior
from winprob.model.win.terms import coefficients, logits

#: Deals worked on at a time: enough for the same report, coach and method to come back many times.
BLOCK = 1024


def predict(posterior: Posterior, deals: pd.DataFrame) -> pd.DataFrame:
    """Win probability of every deal, whatever its outcome column says.

    Parameters
    ----------
    posterior : a fitted model
    deals : frame in canonical columns, one row per deal or reading

    Returns
    -------
    DataFrame, the index of ``deals``, with columns ``deal_id``; ``mean, lower, upper`` of the probability of winning
    eventually (0..1; the interval is doubt about the probability, 90 %, equal-tailed); ``unknowns``, how many of the
    nine facts of the method are unknown (stage, coach, decision method, approver coverage, five supports);
    ``prior_share``, posterior over prior variance of the deal's log-odds, at most 1 (1 = all prior).

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    """
    valid = validate_deals(deals)
    features = describe(valid, posterior.scaling)
    numbers = _in_blocks(posterior, features, _summary)
    result = pd.DataFrame(numbers, columns=["mean", "lower", "upper", "prior_share"], index=deals.index)
    result.insert(0, "deal_id", valid["deal_id"])
    result.insert(4, "unknowns", features.unknowns)
    return result


def draw_win_prob(posterior: Posterior, deals: pd.DataFrame) -> Array:
    """(deal, draw) win probability, float32: for contrasts and totals that must be made draw by draw."""
    features = describe(validate_deals(deals), posterior.scaling)
    by = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    return to_win_prob(logits(by, features))


def _in_blocks(posterior: Posterior, features: Features, work: Callable[..., Array]) -> Array:
    """``work`` on blocks of deals, on every core: memory stays bounded however many deals there are."""
    seed = posterior.provenance.seed
    learned = coefficients(posterior.flat, features, seed=seed)
    believed = coefficients(posterior.prior, features, seed=seed)

    def one(rows: slice) -> Array:
        block = features.take(rows)
        return work(logits(learned, block), logits(believed, block))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(one, _blocks(len(features))))
    return np.concatenate(results) if results else np.empty((0, 4))


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))


def _summary(learned: Array, believed: Array) -> Array:
    """(deal, 4) mean, lower, upper of the probability, and the prior's share of the log-odds."""
    share = prior_share(learned.var(axis=1), believed.var(axis=1))
    probability = to_win_prob(learned)
    mean = probability.mean(axis=1)
    lower, upper = sorted_tails(probability)
    return np.stack([mean, lower, upper, share], axis=1)


def prior_share(posterior_variance: npt.ArrayLike, prior_variance: npt.ArrayLike) -> Array:
    """Posterior over prior variance, at most 1; 1 where the prior has no variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.divide(posterior_variance, prior_variance)
    return np.minimum(np.where(np.isfinite(share), share, 1.0), 1.0)
