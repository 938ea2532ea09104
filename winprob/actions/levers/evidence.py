"""How far may a lever be believed? What its size rests on, and what could explain it away.

A lift is an association. Whether the deals taught it or the prior, and how strong a common cause nobody recorded would
have to be to make all of it, stands beside it. The model allows no negative weight, so an interval never reaches an
odds ratio of 1: ``winprob diagnose`` says what the deals say when weights are free.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.draws import to_win_prob
from winprob.model.posterior import Posterior
from winprob.model.prediction import prior_share

LEARNED, MOSTLY_PRIOR, TESTED = "learned", "mostly_prior", "tested"
WORTH_IT, NOT_WORTH_IT, CANNOT_TELL = "worth_it", "not_worth_it", "cannot_tell"
#: An outcome rarer than this has risk ratios like its odds ratios (VanderWeele and Ding 2017).
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
    """A table of levers with what each rests on.

    Parameters
    ----------
    state, least, method : (row,) standing, lower end of the log-odds lift, code of the decision method

    Returns
    -------
    DataFrame with ``standing``; ``verdict`` (``worth_it``: the interval lies above ``rope``, which is a posterior
    probability of 95 % or more that the lift exceeds it; ``not_worth_it``: below, 5 % or less; else
    ``cannot_tell``); ``evidence`` (``learned``, ``mostly_prior``, ``tested``); ``e_value`` of the odds ratio and
    ``e_value_lower`` of the interval's end closest to 1
    """
    can_rise = table["win_prob_lift"].notna().to_numpy()
    role = pd.Index(ROLES).get_indexer(pd.Index(table["role"]))
    grade = evidence_grades(posterior, tested)[role, method]
    rare = is_rare(posterior)
    words = {
        "standing": state,
        "verdict": verdicts(table["lower"].to_numpy(), table["upper"].to_numpy(), rope),
        "evidence": _where(can_rise, grade),
    }
    numbers = {
        "e_value": e_values(risk_ratios(table["odds_ratio"].to_numpy(), rare=rare)),
        "e_value_lower": e_values(risk_ratios(np.exp(least), rare=rare)),
    }
    return table.assign(**{name: pd.array(values, dtype="str") for name, values in words.items()}, **numbers)


def verdicts(lower: Array, upper: Array, rope: float) -> Array:
    """(row,) the interval of a lift against the smallest that is worth it; None where there is no lift."""
    said = np.where(lower > rope, WORTH_IT, np.where(upper < rope, NOT_WORTH_IT, CANNOT_TELL))
    return _where(~np.isnan(lower), said)


def _where(known: Array, words: Array) -> Array:
    """The words, None where nothing is known."""
    kept = words.astype(object)
    kept[~known] = None
    return kept


def evidence_grades(posterior: Posterior, tested: Collection[str] = ()) -> Array:
    """(role, method) what a role's weight under a method rests on."""
    weight, believed = (draws["role_weight"].astype(float) for draws in (posterior.flat, posterior.prior))
    share = prior_share(weight.var(axis=0), believed.var(axis=0))
    learned = (share < posterior.settings.levers.learned_below) & (not posterior.provenance.prior_only)
    grades = np.where(learned, LEARNED, MOSTLY_PRIOR)
    for role in tested:
        grades[ROLES.index(role)] = TESTED
    return grades.astype(object)


def is_rare(posterior: Posterior) -> bool:
    """Whether winning is so rare that odds ratios are risk ratios."""
    return bool(to_win_prob(posterior.flat["base_rate_logit"].astype(float)).mean() < RARE)


def risk_ratios(odds_ratio: Array, *, rare: bool) -> Array:
    """What an odds ratio is as a risk ratio: itself for a rare outcome, else about its square root.

    References
    ----------
    VanderWeele (2017), On a square-root transformation of the odds ratio for a common outcome, Epidemiology 28.
    """
    return odds_ratio if rare else np.sqrt(odds_ratio)


def e_values(risk_ratio: Array) -> Array:
    """How strongly, as risk ratios, a hidden common cause would have to go with support and with winning to explain a
    risk ratio away.

    References
    ----------
    VanderWeele and Ding (2017), Sensitivity analysis in observational research: introducing the E-value,
    Annals of Internal Medicine 167, doi 10.7326/M16-2607.
    """
    apart = np.maximum(risk_ratio, 1 / risk_ratio)
    return np.asarray(apart + np.sqrt(apart * (apart - 1)))
