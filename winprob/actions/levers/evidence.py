"""Evidence for a lever: region of practical equivalence, share of the prior, and E-value for unmeasured confounding.

A lift is an association. The columns report whether it was learned from the deals or comes from the prior, and how
strong an unrecorded common cause would have to be to explain all of it. The model constrains role weights to be
non-negative, so an interval never includes an odds ratio of 1; ``winprob diagnose`` refits with unconstrained weights.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.draws import to_win_prob
from winprob.model.posterior import Posterior
from winprob.model.role_evidence import weight_grades

TESTED = "tested"
WORTH_IT, NOT_WORTH_IT, CANNOT_TELL = "worth_it", "not_worth_it", "cannot_tell"
#: Below this win rate the odds ratio approximates the risk ratio (VanderWeele and Ding 2017).
RARE = 0.15


def evidence_columns(
    table: pd.DataFrame,
    posterior: Posterior,
    state: Array,
    least: Array,
    method: Array,
    *,
    rope: float,
    tested: Collection[str],
) -> pd.DataFrame:
    """A table of levers with the evidence for each.

    Parameters
    ----------
    state, least, method : (row,) eligibility, lower end of the log-odds lift, code of the decision method
    rope : the smallest lift of win probability that matters, 0..1 (region of practical equivalence)
    tested : roles whose lift an intervention has tested

    Returns
    -------
    DataFrame with ``standing``; ``verdict`` (``worth_it``: the interval is above ``rope``, a posterior probability of
    95 % or more that the lift exceeds it; ``not_worth_it``: below, 5 % or less; else ``cannot_tell``); ``evidence``
    (``learned``, ``mostly_prior``, ``not_in_deals``, ``tested``); ``e_value`` of the odds ratio and ``e_value_lower``
    of the interval's end closest to 1
    """
    can_rise = table["win_prob_lift"].notna().to_numpy()
    role = pd.Index(ROLES).get_indexer(pd.Index(table["role"]))
    grade = evidence_grades(posterior, tested)[role, method]
    rare = is_rare(posterior)
    labels = {
        "standing": state,
        "verdict": verdicts(table["lower"].to_numpy(), table["upper"].to_numpy(), rope),
        "evidence": _or_none(grade, can_rise),
    }
    numbers = {
        "e_value": e_values(risk_ratios(table["odds_ratio"].to_numpy(), rare=rare)),
        "e_value_lower": e_values(risk_ratios(np.exp(least), rare=rare)),
    }
    return table.assign(**{name: pd.array(values, dtype="str") for name, values in labels.items()}, **numbers)


def verdicts(lower: Array, upper: Array, rope: float) -> Array:
    """(row,) position of a lift's interval relative to the region of practical equivalence; None without a lift."""
    verdict = np.where(lower > rope, WORTH_IT, np.where(upper < rope, NOT_WORTH_IT, CANNOT_TELL))
    return _or_none(verdict, ~np.isnan(lower))


def _or_none(labels: Array, known: Array) -> Array:
    """The labels, None where nothing is known."""
    result = labels.astype(object)
    result[~known] = None
    return result


def evidence_grades(posterior: Posterior, tested: Collection[str] = ()) -> Array:
    """(role, method) the grade of a role's weight under a method (see ``weight_grades``), or that it was tested."""
    grades = weight_grades(posterior)
    for role in tested:
        grades[ROLES.index(role)] = TESTED
    return grades


def is_rare(posterior: Posterior) -> bool:
    """Whether wins are rare enough that odds ratios approximate risk ratios."""
    return bool(to_win_prob(posterior.flat["base_rate_logit"].astype(float)).mean() < RARE)


def risk_ratios(odds_ratio: Array, *, rare: bool) -> Array:
    """Approximate risk ratios of odds ratios: equal for a rare outcome, else the square root.

    References
    ----------
    VanderWeele (2017), On a square-root transformation of the odds ratio for a common outcome, Epidemiology 28.
    """
    return odds_ratio if rare else np.sqrt(odds_ratio)


def e_values(risk_ratio: Array) -> Array:
    """E-values of risk ratios: the least association, as risk ratios, that an unmeasured common cause needs with both
    support and winning to explain the risk ratio away.

    References
    ----------
    VanderWeele and Ding (2017), Sensitivity analysis in observational research: introducing the E-value,
    Annals of Internal Medicine 167, doi 10.7326/M16-2607.
    """
    above_one = np.maximum(risk_ratio, 1 / risk_ratio)
    return np.asarray(above_one + np.sqrt(above_one * (above_one - 1)))
