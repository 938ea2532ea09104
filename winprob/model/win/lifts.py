"""Lift of one tier more of a role's support, draw by draw, for every deal and role.

A visit moves the true support itself, not what is reported of it: a step counts in full whatever the coach, and what
doubt there is about the level stays. Both sides of every contrast share all draws.
"""

from dataclasses import dataclass

import numpy as np

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.features import Features, Scaling, bin_moments
from winprob.model.win.terms import Coefficients, logits_and_attenuation, weight_of_role

#: A role closer to the top tier than this is at the top.
_AT_TOP = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifts:
    """Log-odds of deals, and the lift of one tier more support from each role.

    Attributes
    ----------
    log_odds : (deal, draw) of winning, now
    log_odds_lift : (role, deal, draw), 0 where a role cannot rise
    possible : (deal, role) whether the role can rise
    """

    log_odds: Array
    log_odds_lift: Array
    possible: Array


def steps_up(features: Features, scaling: Scaling, unknown_level: Array) -> Array:
    """(deal, role) how far one tier up moves a role's true support; 0 at the top tier.

    From the middle of the reported tier to that of the next; people in several tiers are between. A role that is
    not reported is at ``unknown_level`` (role,), the expected support of such roles.
    """
    steps = np.empty(features.reading.shape)
    for at in range(len(ROLES)):
        middle, _ = bin_moments(np.array(scaling.tier_counts[at]))
        now = np.where(features.readers[:, at] > 0, features.reading[:, at], unknown_level[at])
        # Below the lowest tier's middle, where only an expected level can be, the step is the lowest tier's.
        rise = np.interp(now, middle, np.append(middle[1:], middle[-1])) - np.maximum(now, middle[0])
        steps[:, at] = np.where(rise > _AT_TOP, rise, 0)
    return steps


def lifts(coefs: Coefficients, features: Features, steps: Array) -> Lifts:
    """What each role's step adds to the log-odds, all else as it is.

    Parameters
    ----------
    steps : (deal, role) as ``steps_up`` gives them
    """
    log_odds, shrink = logits_and_attenuation(coefs, features)
    added = np.stack([weight_of_role(coefs, features, role) for role in range(len(ROLES))])
    added *= shrink
    added *= steps.T[:, :, None].astype(np.float32)
    return Lifts(log_odds=log_odds, log_odds_lift=added, possible=steps > 0)
