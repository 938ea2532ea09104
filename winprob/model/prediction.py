"""Posterior predictive win probabilities: a pure function of a fitted model and a deal table."""

import numpy as np
import pandas as pd

from winprob.arrays import Array, in_blocks
from winprob.data.schema import validate_deals
from winprob.model.draws import prior_share, sorted_tails, to_win_prob
from winprob.model.posterior import Posterior
from winprob.model.waiting import describe_waiting
from winprob.model.win.terms import coefficients, logits

#: Deals per block: large enough for the same reading, coach and method to occur many times.
BLOCK = 2048


def predict(posterior: Posterior, deals: pd.DataFrame) -> pd.DataFrame:
    """Win probability of every deal; where its ``outcome`` is open, given that it has stayed open since its reading.

    A deal is known to have been open until its ``known_until`` (see ``known_open_until``), or else until the day on
    which the knowledge of the model ended. An outcome that is not open changes nothing.

    Parameters
    ----------
    posterior : a fitted model
    deals : frame in canonical columns, one row per deal or reading

    Returns
    -------
    DataFrame, the index of ``deals``, with columns ``deal_id``; ``mean, lower, upper`` of the probability of winning
    eventually (0..1; 90 % equal-tailed interval of the probability, not of the outcome); ``unknowns``, the number of
    unknown facts among the nine of the method (stage, coach, decision method, approver coverage, five supports);
    ``prior_share``, posterior over prior variance of the deal's log-odds, at most 1 (1 = prior only).

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    """
    return predict_valid(posterior, validate_deals(deals))


def predict_valid(posterior: Posterior, deals: pd.DataFrame, *, threads: int | None = None) -> pd.DataFrame:
    """``predict`` of a table that has been validated; fewer ``threads`` take less memory."""
    features, seed = describe_waiting(posterior, deals), posterior.provenance.seed
    coefs, prior_coefs = (coefficients(draws, features, seed=seed) for draws in (posterior.flat, posterior.prior))

    def summarise_block(rows: slice) -> Array:
        block = features.take(rows)
        return _summary(logits(coefs, block), logits(prior_coefs, block))

    numbers = np.concatenate(in_blocks(len(features), BLOCK, summarise_block, threads=threads) or [np.empty((0, 4))])
    result = pd.DataFrame(numbers, columns=["mean", "lower", "upper", "prior_share"], index=deals.index)
    result.insert(0, "deal_id", deals["deal_id"])
    result.insert(4, "unknowns", features.unknowns)
    return result


def draw_win_prob(posterior: Posterior, deals: pd.DataFrame) -> Array:
    """(deal, draw) posterior draws of the win probability, float32, for contrasts and totals made draw by draw.

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    """
    return draw_valid_win_prob(posterior, validate_deals(deals))


def draw_valid_win_prob(posterior: Posterior, deals: pd.DataFrame) -> Array:
    """``draw_win_prob`` of a table that has been validated."""
    features = describe_waiting(posterior, deals)
    return to_win_prob(logits(coefficients(posterior.flat, features, seed=posterior.provenance.seed), features))


def _summary(log_odds: Array, prior_log_odds: Array) -> Array:
    """(deal, 4) mean, lower, upper of the probability, and the prior's share of the log-odds variance."""
    share = prior_share(log_odds.var(axis=1), prior_log_odds.var(axis=1))
    probability = to_win_prob(log_odds)
    mean = probability.mean(axis=1)
    lower, upper = sorted_tails(probability)
    return np.stack([mean, lower, upper, share], axis=1)
