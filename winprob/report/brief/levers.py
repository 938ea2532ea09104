"""Whose support would go with the largest gain in this deal?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from winprob.features import describe
from winprob.intervals import summarise
from winprob.lifts import lifts, steps_up
from winprob.methodology.vocabulary import ROLES
from winprob.posterior import Posterior
from winprob.terms import coefficients

Array = npt.NDArray[Any]


def rank_levers(posterior: Posterior, deal: pd.DataFrame) -> pd.DataFrame:
    """The roles of one deal (a valid row), the largest mean lift first.

    Returns
    -------
    DataFrame with columns ``role, rank, win_prob_lift, lower, upper, prob_best``; a role at the top tier cannot rise:
    its lift is 0 and it is never the best.
    """
    features = describe(deal, posterior.scaling)
    by = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    expected = posterior.flat["unknown_support"].mean(axis=0)
    found = lifts(by, features, steps_up(features, posterior.scaling, expected))
    log_odds, added = found.log_odds[0].astype(float), found.log_odds_lift[:, 0].astype(float)
    gain = expit(log_odds + added) - expit(log_odds)
    mean, lower, upper = summarise(gain, axis=1)
    table = pd.DataFrame({"role": ROLES, "win_prob_lift": mean, "lower": lower, "upper": upper})
    table["prob_best"] = _prob_best(added, found.possible[0])
    table = table.sort_values("win_prob_lift", ascending=False, kind="stable", ignore_index=True)
    table.insert(1, "rank", np.arange(1, len(table) + 1))
    return table


def _prob_best(added: Array, possible: Array) -> Array:
    """(role,) the share of draws in which each role that can rise leads."""
    if not possible.any():
        return np.zeros(len(possible))
    best = np.where(possible[:, None], added, -np.inf).argmax(axis=0)
    return np.asarray(np.bincount(best, minlength=len(possible)) / added.shape[1])
