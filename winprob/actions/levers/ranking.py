"""Whose support would raise a deal's odds most? Every role of every deal, one tier up, draw by draw."""

import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from winprob.actions.levers.eligibility import Standing, stand
from winprob.actions.levers.evidence import evidence_columns
from winprob.actions.levers.portfolio import rank_by
from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.methodology import ROLES
from winprob.model.draws import sorted_tails, to_win_prob
from winprob.model.posterior import Posterior
from winprob.model.win.lifts import lifts

#: Deals worked on at a time: enough for reports, coach and method to come back, few enough to keep memory small.
BLOCK = 512
COLUMNS = ("deal_id", "role", "rank", "log_odds_lift", "odds_ratio", "win_prob_lift", "lower", "upper", "prob_best")
#: What a block of deals gives for each role; the last is the lower end of the log-odds lift.
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
    """The roles of every deal, by how much one tier more of their support, verified, would lift the win probability.

    A lift is an association that the model learned, from the deal's present state (from unknown: from the expected
    level), all else as it is; both sides of each contrast share all draws.

    Parameters
    ----------
    deals : frame in canonical columns, one row per deal or reading
    by : ``decision_method``, ``stage``, ``segment``, ``region`` or ``seller``: the open deals' lifts averaged within
        each, see ``portfolio``
    rope : the smallest lift of win probability that is worth it, 0..1; by default the model's setting
    evidence : add ``standing``, ``verdict``, ``evidence``, ``e_value``, ``e_value_lower``, see ``evidence``
    tested : roles whose lift an intervention has tested, as a visit log would say

    Returns
    -------
    DataFrame, a row per deal and role, deals in the table's order (their index repeated), roles by ``rank``:
    ``deal_id``, ``role``, ``rank`` (1 = largest mean ``win_prob_lift``), ``log_odds_lift`` (mean), ``odds_ratio``,
    ``win_prob_lift`` with ``lower, upper`` (90 %, equal-tailed) and ``prob_best``, the share of draws in which the
    role leads; it sums to 1 over the roles that can rise. Roles that cannot rise (at the top tier, or not in play
    yet) come last, their numbers missing and their ``prob_best`` 0.

    ``odds_ratio`` is ``exp`` of the mean lift, the geometric mean over draws. The arithmetic mean of an odds ratio is
    not finite under the prior: of 2,000 draws one alone would set it.

    Raises
    ------
    DealTableError
        The frame is not a valid deal table, or has no column ``by``.
    """
    valid = validate_deals(deals)
    smallest = posterior.settings.levers.smallest_lift if rope is None else rope
    if by is not None:
        return rank_by(posterior, valid, by, rope=smallest, tested=tested)
    standing = stand(posterior, valid)
    figures = _in_blocks(standing, least=evidence)
    order = _order(figures)
    table = _table(valid, figures, order)
    if evidence:
        rests_on = _in_order(standing, figures, order)
        table = evidence_columns(table, posterior, *rests_on, rope=smallest, tested=tested)
    return table.set_axis(deals.index.repeat(len(ROLES)))


def _in_order(standing: Standing, figures: Array, order: Array) -> tuple[Array, Array, Array]:
    """Of each row of the table: standing, lower end of the log-odds lift, code of the decision method."""
    rows = np.arange(len(order))[:, None]
    method = np.broadcast_to(standing.features.method[:, None], order.shape)
    return standing.state[rows, order].ravel(), figures[..., 5][rows, order].ravel(), method.ravel()


def _in_blocks(standing: Standing, *, least: bool) -> Array:
    """(deal, role, figure), in blocks of deals on every core."""
    count = len(standing.features)
    figures = np.full((count, len(ROLES), len(_FIGURES)), np.nan)

    def one(start: int) -> None:
        rows = slice(start, start + BLOCK)
        figures[rows] = _figures(standing, rows, least=least)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(one, range(0, count, BLOCK)):
            pass
    return figures


def _figures(standing: Standing, rows: slice, *, least: bool) -> Array:
    found = lifts(standing.by, standing.features.take(rows), standing.steps[rows])
    figures = np.full((*found.possible.shape, len(_FIGURES)), np.nan)
    figures[..., 4] = prob_best(found.log_odds_lift, found.possible)
    now = to_win_prob(found.log_odds.copy())
    for role, added in enumerate(found.log_odds_lift):
        moved = to_win_prob(found.log_odds + added)
        moved -= now
        figures[:, role, 0] = added.mean(axis=1)
        figures[:, role, 1] = moved.mean(axis=1)
        figures[:, role, 2], figures[:, role, 3] = sorted_tails(moved)
        if least:
            figures[:, role, 5] = sorted_tails(added)[0]
    figures[~found.possible] = [np.nan, np.nan, np.nan, np.nan, 0, np.nan]
    return figures


def prob_best(lift: Array, possible: Array) -> Array:
    """(deal, role) share of draws in which the role's lift (role, deal, draw) leads among those that can rise.

    The order of log-odds lifts is that of lifts of win probability, draw by draw. Roles alike in a draw share it.
    """
    top = lift.max(axis=0)
    leads = np.stack([np.count_nonzero(one >= top, axis=1) for one in lift], axis=1) * possible
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
