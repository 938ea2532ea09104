"""Was a role's weight learned from the training deals? Its readings there, and the prior's share in it.

The one meaning of "learned from your deals", for every sentence that claims it. The share of the prior alone does not
decide: all weights share one scale, so that a weight without a single reading may be narrower than its prior.
"""

import numpy as np

from winprob.arrays import Array
from winprob.methodology import ROLES, SUPPORT_TIERS
from winprob.model.posterior import Posterior
from winprob.model.prediction import prior_share

LEARNED, MOSTLY_PRIOR, NOT_IN_DEALS = "learned", "mostly_prior", "not_in_deals"
#: With fewer readings of a role its weight is not called learned, however narrow.
FEWEST_READINGS = 10


def role_readings(posterior: Posterior) -> Array:
    """(role,) number of readings of the role's support among the training rows.

    A model file without this count has the tiers' frequencies, which are zero where it is zero.
    """
    counted = posterior.provenance.readings
    if counted is not None:
        return np.array([counted.get(f"{role}_support", 0) for role in ROLES])
    # Each tier's count is smoothed by one in the model.
    weights = np.array([sum(counts) - len(SUPPORT_TIERS) for counts in posterior.scaling.tier_counts])
    return np.ceil(np.round(weights, 6)).astype(int)


def weight_grades(posterior: Posterior) -> Array:
    """(role, method) the grade of the role's weight under each decision method, the unknown one last."""
    return _grades(posterior, "role_weight")


def population_grades(posterior: Posterior) -> Array:
    """(role,) the grade of the role's weight over all decision methods."""
    return _grades(posterior, "role_weight_population")


def weight_prior_share(posterior: Posterior, name: str) -> Array:
    """Posterior over prior variance of the role weights ``role_weight`` or ``role_weight_population``, at most 1."""
    weight, prior_weight = (draws[name].astype(float) for draws in (posterior.flat, posterior.prior))
    return prior_share(weight.var(axis=0), prior_weight.var(axis=0))


def _grades(posterior: Posterior, name: str) -> Array:
    share, readings = weight_prior_share(posterior, name), role_readings(posterior)
    readings = readings.reshape(-1, *[1] * (share.ndim - 1))
    narrow = share < posterior.settings.levers.learned_below
    grades = np.full(share.shape, MOSTLY_PRIOR, dtype=object)
    if posterior.provenance.prior_only:
        return grades
    grades[narrow & (readings >= FEWEST_READINGS)] = LEARNED
    grades[np.broadcast_to(readings == 0, grades.shape)] = NOT_IN_DEALS
    return grades
