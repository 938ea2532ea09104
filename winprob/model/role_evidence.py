"""Was a role's weight learned from the training deals? Its readings there, and what remains of the prior's doubt.

The one meaning of "learned from your deals", for every sentence and chart that claims it. Doubt is the width of the log
weight's interval, against the prior's given the effect scale. Variances of the weight will not do: that of its
heavy-tailed prior is in the tail, and the effect scale, learned from other facts, narrows a weight without a reading.
"""

from typing import TYPE_CHECKING

import numpy as np

from winprob.arrays import Array
from winprob.methodology import ROLES, SUPPORT_TIERS, label
from winprob.model.draws import TAILS, prior_share

if TYPE_CHECKING:
    from winprob.model.posterior import Posterior

LEARNED, MOSTLY_PRIOR, NOT_IN_DEALS = "learned", "mostly_prior", "not_in_deals"
#: With fewer readings of a role its weight is not called learned, however narrow.
FEWEST_READINGS = 10
#: A weight below this has no logarithm of use: single precision may round it to zero.
_LEAST_WEIGHT = float(np.finfo(np.float32).tiny)


def role_readings(posterior: "Posterior") -> Array:
    """(role,) number of readings of the role's support among the training rows.

    A model file without this count has the tiers' frequencies, which are zero where it is zero.
    """
    counted = posterior.provenance.readings
    if counted is not None:
        return np.array([counted.get(f"{role}_support", 0) for role in ROLES])
    # Each tier's count is smoothed by one in the model.
    weights = np.array([sum(counts) - len(SUPPORT_TIERS) for counts in posterior.scaling.tier_counts])
    return np.ceil(np.round(weights, 6)).astype(int)


def weight_grades(posterior: "Posterior") -> Array:
    """(role, method) the grade of the role's weight under each decision method, the unknown one last."""
    return _grades(posterior, "role_weight")


def population_grades(posterior: "Posterior") -> Array:
    """(role,) the grade of the role's weight over all decision methods."""
    return _grades(posterior, "role_weight_population")


def roles_by_grade(posterior: "Posterior") -> dict[str, str]:
    """By grade, the roles whose weight over all decision methods has it, in words; no grade that no role has."""
    grades = population_grades(posterior)
    named = {
        grade: ", ".join(label("role", role) for role, own in zip(ROLES, grades, strict=True) if own == grade)
        for grade in (LEARNED, MOSTLY_PRIOR, NOT_IN_DEALS)
    }
    return {grade: roles for grade, roles in named.items() if roles}


def weight_prior_share(posterior: "Posterior", name: str) -> Array:
    """What remains of the prior's doubt about ``role_weight`` or ``role_weight_population``, at most 1.

    The squared ratio of the widths of 90 % intervals of the log weight: of the posterior, over the prior given the
    effect scale. Like a ratio of variances it is 0 where the weight is known, and 1 where the deals tell at most the
    effect scale. The prior is alike for all roles: the mean of their widths has less noise than that of one.
    """
    believed = _log(posterior.prior[name]).T - _log(posterior.prior["effect_scale"])
    return prior_share(_width(_log(posterior.flat[name])) ** 2, _width(believed.T).mean(axis=0) ** 2)


def _log(weight: Array) -> Array:
    return np.asarray(np.log(np.maximum(weight.astype(float), _LEAST_WEIGHT)))


def _width(draws: Array) -> Array:
    lower, upper = np.quantile(draws, TAILS, axis=0)
    return np.asarray(upper - lower)


def _grades(posterior: "Posterior", name: str) -> Array:
    share, readings = weight_prior_share(posterior, name), role_readings(posterior)
    readings = readings.reshape(-1, *[1] * (share.ndim - 1))
    narrow = share < posterior.settings.levers.learned_below
    grades = np.full(share.shape, MOSTLY_PRIOR, dtype=object)
    if posterior.provenance.prior_only:
        return grades
    grades[narrow & (readings >= FEWEST_READINGS)] = LEARNED
    grades[np.broadcast_to(readings == 0, grades.shape)] = NOT_IN_DEALS
    return grades
