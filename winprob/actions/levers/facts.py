"""Levers beside the roles' support, in the same units: a validated coach, contact with the approver, the method known.

*Coach*: from its present state to validated. *Approver's coverage*: to contacted, or from contacted to engaged. Each is
the difference of the term's own effect; how the readings of support count stays as it is, because a confirmation may go
either way. *Decision method*, only where unknown: what knowing it adds to the lift of the role that is visited next,
because the best role differs by method (value of information, Raiffa and Schlaifer 1961). Its mean is never negative.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import logit

from winprob.actions.levers.eligibility import CAN_RISE, TOP_TIER, LeverEligibility, lever_eligibility
from winprob.actions.levers.evidence import e_values, is_rare, risk_ratios, verdicts
from winprob.actions.levers.ranking import BLOCK, COLUMNS, prob_best, rank_roles
from winprob.arrays import Array, in_blocks
from winprob.data.schema import validate_deals
from winprob.methodology import ROLES
from winprob.model.draws import sorted_tails, to_win_prob
from winprob.model.features import COACH_LEVELS, COVERAGE_LEVELS, METHOD_LEVELS, Features, split_words
from winprob.model.posterior import Posterior
from winprob.model.win.lifts import Lifts, lifts
from winprob.model.win.terms import attenuation, iter_terms, support_terms

#: Levers other than roles; in the table they are in the column ``role``.
FACTS = ("coach", "approver_coverage", "decision_method")
LEVERS = (*ROLES, *FACTS)
_VALIDATED, _UNKNOWN_METHOD = COACH_LEVELS.index("validated"), METHOD_LEVELS.index("unknown")
#: The code of the coverage one conversation on, by the present code.
_NEXT = tuple(
    COVERAGE_LEVELS.index("engaged" if level in ("contacted", "engaged") else "contacted") for level in COVERAGE_LEVELS
)
_FIGURES = ("log_odds_lift", "win_prob_lift", "lower", "upper", "prob_best")


def rank_levers(
    posterior: Posterior, deals: pd.DataFrame, *, rope: float | None = None, evidence: bool = False
) -> pd.DataFrame:
    """Rank coach, approver's coverage and decision method with the roles of every deal, in points of win probability.

    Parameters
    ----------
    deals, rope, evidence : as in ``rank_roles``

    Returns
    -------
    DataFrame as ``rank_roles`` returns it, with eight rows per deal: ``role`` is a role, ``coach``,
    ``approver_coverage`` or ``decision_method``; ``rank`` and ``prob_best`` are those among all eight. ``to`` is the
    state that the lever leads to: ``validated``, ``contacted``, ``engaged``, ``known``; for a role one tier up, blank.
    With ``evidence`` the grade of evidence is that of a role's weight, blank for the others; the value of knowing the
    method has no E-value.

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    """
    valid = validate_deals(deals)
    smallest = posterior.settings.levers.smallest_lift if rope is None else rope
    eligibility = lever_eligibility(posterior, valid)
    figures = np.full((len(valid), len(LEVERS), len(_FIGURES)), np.nan)

    def fill(rows: slice) -> None:
        figures[rows] = _block_figures(posterior, eligibility, rows)

    in_blocks(len(figures), BLOCK, fill)
    place = {name: at for at, name in enumerate(LEVERS)}
    roles = rank_roles(posterior, deals, rope=rope, evidence=evidence)
    table = pd.concat([roles.assign(to=None), _facts_table(posterior, deals, eligibility, figures, smallest, evidence)])
    deal = np.concatenate([np.repeat(np.arange(len(valid)), len(ROLES)), np.repeat(np.arange(len(valid)), len(FACTS))])
    lever = table["role"].map(place).to_numpy()
    table["prob_best"] = figures[deal, lever, 4]
    order = np.lexsort((lever, -np.nan_to_num(figures[deal, lever, 1], nan=-np.inf), deal))
    table = table.iloc[order]
    table["rank"] = np.tile(np.arange(1, len(LEVERS) + 1), len(valid))
    return table[[*COLUMNS, "to", *(name for name in table if name not in (*COLUMNS, "to"))]]


def _facts_table(
    posterior: Posterior,
    deals: pd.DataFrame,
    eligibility: LeverEligibility,
    figures: Array,
    rope: float,
    evidence: bool,
) -> pd.DataFrame:
    """Rows of the levers that are no roles, as ``rank_roles`` has them for roles."""
    of_facts = figures[:, len(ROLES) :].reshape(-1, len(_FIGURES))
    lift = of_facts[:, 0]
    table = pd.DataFrame(
        {
            "deal_id": validate_deals(deals)["deal_id"].repeat(len(FACTS)).array,
            "role": pd.array(list(FACTS) * len(figures), dtype="str"),
            "rank": 0,
            "log_odds_lift": lift,
            "odds_ratio": np.exp(lift),
            **{name: of_facts[:, at] for at, name in enumerate(_FIGURES) if at},
            "to": _targets(eligibility.features),
        },
        index=deals.index.repeat(len(FACTS)),
    )
    if not evidence:
        return table
    odds_ratio = table["odds_ratio"].where(table["role"] != "decision_method").to_numpy()
    rising = table["win_prob_lift"].notna()
    return table.assign(
        standing=pd.array(np.where(rising, CAN_RISE, TOP_TIER), dtype="str"),
        verdict=pd.array(verdicts(table["lower"].to_numpy(), table["upper"].to_numpy(), rope), dtype="str"),
        evidence=pd.array([None] * len(table), dtype="str"),
        e_value=e_values(risk_ratios(odds_ratio, rare=is_rare(posterior))),
        e_value_lower=np.nan,
    )


def _targets(features: Features) -> list[str | None]:
    """(deal x fact) the state that each lever leads to; None where there is nothing to move."""
    possible = _possible(features)
    named = [("validated", COVERAGE_LEVELS[_NEXT[code]], "known") for code in features.coverage]
    return [
        name if can else None
        for row, able in zip(named, possible, strict=True)
        for name, can in zip(row, able, strict=True)
    ]


def _possible(features: Features) -> Array:
    """(deal, fact) whether the fact can move."""
    return np.stack(
        [
            features.coach != _VALIDATED,
            features.coverage != COVERAGE_LEVELS.index("engaged"),
            features.method == _UNKNOWN_METHOD,
        ],
        axis=1,
    )


def _block_figures(posterior: Posterior, eligibility: LeverEligibility, rows: slice) -> Array:
    """(deal, lever, figure) of some deals; of roles only the mean and ``prob_best``: ``rank_roles`` has the others."""
    features = eligibility.features.take(rows)
    steps = eligibility.steps[rows]
    contrast = lifts(eligibility.coefs, features, steps)
    present = to_win_prob(contrast.log_odds.copy())
    by_role = to_win_prob(contrast.log_odds + contrast.log_odds_lift) - present
    possible = np.concatenate([contrast.possible, _possible(features)], axis=1)
    log_odds = _fact_log_odds(posterior, eligibility, features)
    win_prob = np.concatenate(
        [
            by_role,
            to_win_prob(contrast.log_odds + log_odds) - present,
            _value_of_method(posterior, eligibility, features, steps, contrast, by_role)[None],
        ]
    )
    after = np.clip(present + win_prob[-1], 1e-6, 1 - 1e-6)
    added = [*log_odds, logit(after) - contrast.log_odds]
    figures = np.full((*possible.shape, len(_FIGURES)), np.nan)
    figures[..., 4] = prob_best(np.where(possible.T[:, :, None], win_prob, -np.inf), possible)
    figures[..., 1] = win_prob.mean(axis=2).T
    for at, draws in enumerate(added, start=len(ROLES)):
        figures[:, at, 0] = draws.mean(axis=1)
        figures[:, at, 2], figures[:, at, 3] = sorted_tails(np.array(win_prob[at]))
    figures[~possible] = [np.nan, np.nan, np.nan, np.nan, 0]
    return figures


def _fact_log_odds(posterior: Posterior, eligibility: LeverEligibility, features: Features) -> Array:
    """(fact, deal, draw) what a validated coach and a conversation with the approver add to the log-odds."""
    coefs = eligibility.coefs
    moved = replace(
        features,
        coach=np.full_like(features.coach, _VALIDATED),
        coverage=np.array(_NEXT)[features.coverage].astype(features.coverage.dtype),
    )
    shrink = attenuation(support_terms(coefs, features)[1])
    now, then = (dict(iter_terms(coefs, one, posterior.scaling)) for one in (features, moved))
    return np.stack([shrink * (then[name] - now[name]) for name in FACTS[:2]])


def _value_of_method(
    posterior: Posterior, eligibility: LeverEligibility, features: Features, steps: Array, now: Lifts, by_role: Array
) -> Array:
    """(deal, draw) what knowing the method adds to the lift of the role visited next; 0 where it is known.

    Under each method the role with the largest mean lift would be visited, in place of the one that leads now.
    """
    value = np.zeros_like(now.log_odds)
    unknown = np.flatnonzero(features.method == _UNKNOWN_METHOD)
    if not len(unknown):
        return value
    counts = split_words(np.array(posterior.scaling.state_share) * posterior.provenance.counted)["decision_method"][:-1]
    leader, deal = by_role[:, unknown].mean(axis=2).argmax(axis=0), np.arange(len(unknown))
    for method, share in enumerate((counts + 1) / (counts + 1).sum()):
        settled = replace(features.take(unknown), method=np.full(len(unknown), method))
        contrast = lifts(eligibility.coefs, settled, steps[unknown])
        lift = to_win_prob(contrast.log_odds + contrast.log_odds_lift) - to_win_prob(contrast.log_odds.copy())
        best = lift.mean(axis=2).argmax(axis=0)
        value[unknown] += np.float32(share) * (lift[best, deal] - lift[leader, deal])
    return value
