"""Lever ranking: the roles of each deal by the lift in win probability of one tier more support, draw by draw."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from winprob.actions.levers.eligibility import LeverEligibility, lever_eligibility
from winprob.actions.levers.evidence import evidence_columns
from winprob.actions.levers.portfolio import rank_by
from winprob.arrays import Array, in_blocks
from winprob.data.schema import validate_deals
from winprob.methodology import ROLES
from winprob.model.draws import sorted_tails, to_win_prob
from winprob.model.posterior import Posterior
from winprob.model.win.lifts import lifts

#: Deals in a block: enough for patterns of report, coach and method to repeat, few enough to bound memory.
BLOCK = 512
COLUMNS = ("deal_id", "role", "rank", "log_odds_lift", "odds_ratio", "win_prob_lift", "lower", "upper", "prob_best")
#: Figures of each role of a deal; the last is the lower end of the log-odds lift.
_FIGURES = ("log_odds_lift", "win_prob_lift", "lower", "upper", "prob_best", "least")


def rank_roles(
    posterior: Posterior,
    deals: pd.DataFrame,
    *,
    by: str | None = None,
    rope: float | None = None,
    evidence: bool = False,
    tested: Collection[str] = (),
) -> pd.DataFrame:
    """Rank the roles of every deal by the lift in win probability of one tier more of verified support.

    A lift is an association that the model learned, from the deal's present state (if unreported, from the expected
    level), all else equal; both sides of each contrast share all draws.

    Parameters
    ----------
    deals : frame in canonical columns, one row per deal or reading
    by : ``decision_method``, ``stage``, ``segment``, ``region`` or ``seller``: the open deals' lifts averaged within
        each, see ``portfolio``
    rope : the smallest lift of win probability that matters, 0..1 (region of practical equivalence); by default the
        model's setting
    evidence : add ``standing``, ``verdict``, ``evidence``, ``e_value``, ``e_value_lower``, see ``evidence``
    tested : roles whose lift an intervention has tested, such as by a visit log

    Returns
    -------
    DataFrame, a row per deal and role, deals in the table's order (their index repeated), roles by ``rank``:
    ``deal_id``, ``role``, ``rank`` (1 = largest mean ``win_prob_lift``), ``log_odds_lift`` (mean), ``odds_ratio``,
    ``win_prob_lift`` with ``lower, upper`` (90 %, equal-tailed) and ``prob_best``, the share of draws in which the
    role leads; it sums to 1 over the roles that can rise. Roles that cannot rise (at the top tier, or involved later
    by the method) come last, with missing numbers and ``prob_best`` 0.

    ``odds_ratio`` is ``exp`` of the mean lift, the geometric mean over draws. The arithmetic mean of an odds ratio is
    not finite under the prior: a single draw of 2,000 would dominate it.

    Raises
    ------
    DealTableError
        The frame is not a valid deal table, or has no column ``by``.
    """
    valid = validate_deals(deals)
    smallest = posterior.settings.levers.smallest_lift if rope is None else rope
    if by is not None:
        return rank_by(posterior, valid, by, rope=smallest, tested=tested)
    eligibility = lever_eligibility(posterior, valid)
    figures = _role_figures(eligibility, lower_end=evidence)
    order = _order(figures)
    table = _table(valid, figures, order)
    if evidence:
        grounds = _in_order(eligibility, figures, order)
        table = evidence_columns(table, posterior, *grounds, rope=smallest, tested=tested)
    return table.set_axis(deals.index.repeat(len(ROLES)))


def _in_order(eligibility: LeverEligibility, figures: Array, order: Array) -> tuple[Array, Array, Array]:
    """Of each row of the table: eligibility, lower end of the log-odds lift, code of the decision method."""
    rows = np.arange(len(order))[:, None]
    method = np.broadcast_to(eligibility.features.method[:, None], order.shape)
    return eligibility.state[rows, order].ravel(), figures[..., 5][rows, order].ravel(), method.ravel()


def _role_figures(eligibility: LeverEligibility, *, lower_end: bool) -> Array:
    """(deal, role, figure); the last figure is missing without ``lower_end``."""
    figures = np.full((len(eligibility.features), len(ROLES), len(_FIGURES)), np.nan)

    def fill(rows: slice) -> None:
        figures[rows] = _block_figures(eligibility, rows, lower_end=lower_end)

    in_blocks(len(figures), BLOCK, fill)
    return figures


def _block_figures(eligibility: LeverEligibility, rows: slice, *, lower_end: bool) -> Array:
    contrast = lifts(eligibility.coefs, eligibility.features.take(rows), eligibility.steps[rows])
    figures = np.full((*contrast.possible.shape, len(_FIGURES)), np.nan)
    figures[..., 4] = prob_best(contrast.log_odds_lift, contrast.possible)
    present = to_win_prob(contrast.log_odds.copy())
    for role, log_odds_lift in enumerate(contrast.log_odds_lift):
        win_prob_lift = to_win_prob(contrast.log_odds + log_odds_lift)
        win_prob_lift -= present
        figures[:, role, 0] = log_odds_lift.mean(axis=1)
        figures[:, role, 1] = win_prob_lift.mean(axis=1)
        figures[:, role, 2], figures[:, role, 3] = sorted_tails(win_prob_lift)
        if lower_end:
            figures[:, role, 5] = sorted_tails(log_odds_lift)[0]
    figures[~contrast.possible] = [np.nan, np.nan, np.nan, np.nan, 0, np.nan]
    return figures


def prob_best(lift: Array, possible: Array) -> Array:
    """(deal, role) share of draws in which the role's lift (role, deal, draw) is the largest of those that can rise.

    Log-odds lifts have the same order as lifts of win probability in every draw. Ties in a draw share it.
    """
    top = lift.max(axis=0)
    leads = np.stack([np.count_nonzero(of_role >= top, axis=1) for of_role in lift], axis=1) * possible
    total = leads.sum(axis=1, keepdims=True)
    shares: Array = np.divide(leads, total, out=np.zeros(leads.shape), where=total > 0)
    return shares


def _order(figures: Array) -> Array:
    """(deal, place) roles from the largest lift to the smallest; those that cannot rise (NaN) last, as listed."""
    return np.argsort(-figures[..., 1], axis=1, kind="stable")


def _table(valid: pd.DataFrame, figures: Array, order: Array) -> pd.DataFrame:
    ordered = np.take_along_axis(figures, order[..., None], axis=1).reshape(-1, len(_FIGURES))
    lift = ordered[:, 0]
    columns = {
        "deal_id": valid["deal_id"].repeat(len(ROLES)).array,
        "role": pd.array(list(ROLES), dtype="str").take(order.ravel()),
        "rank": np.tile(np.arange(1, len(ROLES) + 1), len(order)),
        "log_odds_lift": lift,
        "odds_ratio": np.exp(lift),
        "win_prob_lift": ordered[:, 1],
        "lower": ordered[:, 2],
        "upper": ordered[:, 3],
        "prob_best": ordered[:, 4],
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))
