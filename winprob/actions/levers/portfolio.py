"""Lever ranking by group: lifts of the open deals averaged by decision method, stage, segment, region or seller.

Averages and sums are taken draw by draw, over the deals in which the role can rise, each deal by its last reading.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from winprob.actions.levers.eligibility import LeverEligibility, lever_eligibility
from winprob.actions.levers.evidence import evidence_grades, verdicts
from winprob.arrays import Array, in_blocks
from winprob.data.schema import column_or_missing, is_open, latest_places
from winprob.errors import DealTableError
from winprob.i18n import gettext
from winprob.methodology import DECISION_METHODS, ROLES, STAGES
from winprob.model.draws import sorted_tails, to_win_prob
from winprob.model.posterior import Posterior
from winprob.model.win.lifts import lifts

GROUPINGS = ("decision_method", "stage", "segment", "region", "seller")
_WORDS = {"decision_method": DECISION_METHODS, "stage": STAGES}
_BLOCK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Totals:
    """Sums over deals.

    Attributes
    ----------
    log_odds_lift, win_prob_lift : (group, role, draw)
    bookings : (purse, role, draw); a purse is the deals of one group in one currency
    """

    log_odds_lift: Array
    win_prob_lift: Array
    bookings: Array

    def add(self, other: _Totals) -> None:
        """Add other deals' sums in place."""
        for name in ("log_odds_lift", "win_prob_lift", "bookings"):
            into = getattr(self, name)
            into += getattr(other, name)


def rank_by(
    posterior: Posterior, valid: pd.DataFrame, by: str, *, rope: float, tested: Collection[str] = ()
) -> pd.DataFrame:
    """Rank the roles by their average lift in each group of open deals.

    Returns
    -------
    DataFrame, a row per group, role and currency, roles by rank: ``by`` (missing = unknown), ``role``, ``rank``,
    ``deals`` (in which the role can rise; the averages are over them), ``log_odds_lift``, ``odds_ratio``,
    ``win_prob_lift`` with ``lower, upper``, ``prob_best``, ``verdict``, ``evidence`` (``learned`` if so for most of the
    deals), ``currency``, ``bookings_lift`` with ``bookings_lower, bookings_upper`` (sum of the role's lifts times the
    amounts in that currency, expected bookings) and ``no_amount``, the number of deals left out of it for want of an
    amount.

    Raises
    ------
    DealTableError
        No such grouping or column, or no open deal.
    """
    deals = _open_deals(valid, by)
    eligibility = lever_eligibility(posterior, deals)
    group, labels = _codes(deals, by)
    amount = column_or_missing(deals, "amount").to_numpy(dtype=float)
    purse, purses = _purses(deals, group, ~np.isnan(amount))
    totals = _totals(eligibility, group, len(labels), purse, len(purses), amount)
    able = eligibility.steps > 0
    learned = evidence_grades(posterior, tested)[:, eligibility.features.method].T
    records = [
        record
        for at, label in enumerate(labels)
        for record in _records(at, label, totals, able, group, purse, purses, amount, learned)
    ]
    table = pd.DataFrame.from_records(records).rename(columns={"group": by})
    table["verdict"] = pd.array(verdicts(table["lower"].to_numpy(), table["upper"].to_numpy(), rope), dtype="str")
    return table


def _open_deals(valid: pd.DataFrame, by: str) -> pd.DataFrame:
    """The last reading of each deal that has not ended."""
    if by not in GROUPINGS:
        raise DealTableError(
            gettext("levers cannot be grouped by {by!r}; accepted: {accepted}.", by=by, accepted=", ".join(GROUPINGS))
        )
    if by not in valid:
        raise DealTableError(
            gettext("column {by!r} is missing: levers cannot be grouped by it. Map it, or choose another.", by=by)
        )
    last = valid.iloc[latest_places(valid)]
    last = last[is_open(last)]
    if last.empty:
        raise DealTableError(gettext("no deal of the {rows} rows is open, so none has a lever.", rows=len(valid)))
    return last


def _codes(deals: pd.DataFrame, by: str) -> tuple[Array, list[Any]]:
    """(deal,) code of the group, and the groups' labels: the method's in its order, others sorted, unknown last."""
    present = list(dict.fromkeys(deals[by].dropna()))
    labels: list[Any] = [word for word in _WORDS.get(by, tuple(sorted(present))) if word in present]
    code = pd.Index(labels).get_indexer(pd.Index(deals[by]))
    if (code < 0).any():
        code = np.where(code < 0, len(labels), code)
        labels.append(None)
    return code, labels


def _purses(deals: pd.DataFrame, group: Array, has_amount: Array) -> tuple[Array, list[tuple[int, Any]]]:
    """(deal,) code of group and currency, and the pair of each code. Deals without an amount need no currency."""
    currency = column_or_missing(deals, "currency").fillna("")
    keys = list(zip(group.tolist(), currency, strict=True))
    priced = {key for key, known in zip(keys, has_amount, strict=True) if known}
    first = {at: (at, currency) for at, currency in sorted(priced, reverse=True)}
    # A deal without an amount is counted in its currency's row, or in the group's first where there is none.
    homes = [key if key in priced else first.get(key[0], (key[0], "")) for key in keys]
    purses = sorted(set(homes))
    place = {key: at for at, key in enumerate(purses)}
    return np.array([place[key] for key in homes]), purses


def _totals(
    eligibility: LeverEligibility, group: Array, groups: int, purse: Array, purses: int, amount: Array
) -> _Totals:
    """Sums over all deals. Each thread adds up blocks of its own, so memory does not grow with the number of deals."""
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(group), _BLOCK)]
    threads = min(os.cpu_count() or 1, len(blocks))
    priced = np.nan_to_num(amount)

    def add_up(thread: slice) -> _Totals:
        total = _zeros(groups, purses, eligibility.coefs.intercept.size)
        for rows in blocks[thread.start :: threads]:
            total.add(_block_totals(eligibility, rows, group, groups, purse, purses, priced))
        return total

    first, *others = in_blocks(threads, 1, add_up)
    for other in others:
        first.add(other)
    return first


def _zeros(groups: int, purses: int, draws: int) -> _Totals:
    shapes = {"log_odds_lift": groups, "win_prob_lift": groups, "bookings": purses}
    return _Totals(**{name: np.zeros((rows, len(ROLES), draws)) for name, rows in shapes.items()})


def _block_totals(
    eligibility: LeverEligibility, rows: slice, group: Array, groups: int, purse: Array, purses: int, priced: Array
) -> _Totals:
    contrast = lifts(eligibility.coefs, eligibility.features.take(rows), eligibility.steps[rows])
    present = to_win_prob(contrast.log_odds.copy())
    sum_by_group = _adder(group[rows], groups, np.ones(len(present)))
    sum_by_purse = _adder(purse[rows], purses, priced[rows])
    log_odds_lift, win_prob_lift, bookings = [], [], []
    for added in contrast.log_odds_lift:
        lift = to_win_prob(contrast.log_odds + added) - present
        log_odds_lift.append(sum_by_group @ added)
        win_prob_lift.append(sum_by_group @ lift)
        bookings.append(sum_by_purse @ lift)
    return _Totals(
        log_odds_lift=np.stack(log_odds_lift, axis=1),
        win_prob_lift=np.stack(win_prob_lift, axis=1),
        bookings=np.stack(bookings, axis=1),
    )


def _adder(code: Array, count: int, amount: Array) -> Any:
    """A sparse matrix (code, deal) that sums deals by code, each times its amount."""
    return csr_array((amount, (code, np.arange(len(code)))), shape=(count, len(code)))


def _records(
    at: int,
    label: Any,
    totals: _Totals,
    able: Array,
    group: Array,
    purse: Array,
    purses: list[tuple[int, Any]],
    amount: Array,
    learned: Array,
) -> Iterator[dict[str, Any]]:
    """A group's rows, the role of the largest average lift first."""
    members = group == at
    counts = able[members].sum(axis=0)
    average = totals.win_prob_lift[at] / np.maximum(counts, 1)[:, None]
    mean = np.where(counts > 0, average.mean(axis=1), np.nan)
    lower, upper = sorted_tails(average.copy())
    leads = np.bincount(np.where(counts[:, None] > 0, average, -1).argmax(axis=0), minlength=len(ROLES))
    chance = leads / average.shape[1] * (counts.any())
    for rank, role in enumerate(np.argsort(-mean, kind="stable"), start=1):
        some = counts[role] > 0
        lift = totals.log_odds_lift[at, role].mean() / counts[role] if some else np.nan
        plain = {
            "group": label,
            "role": ROLES[role],
            "rank": rank,
            "deals": int(counts[role]),
            "log_odds_lift": lift,
            "odds_ratio": np.exp(lift),
            "win_prob_lift": mean[role],
            "lower": lower[role] if some else np.nan,
            "upper": upper[role] if some else np.nan,
            "prob_best": chance[role] if some else 0.0,
            "verdict": None,
            "evidence": _most(learned[members & able[:, role], role]) if some else None,
        }
        for place, (_, currency) in ((p, key) for p, key in enumerate(purses) if key[0] == at):
            here = (purse == place) & able[:, role]
            yield plain | _bookings(totals.bookings[place, role], currency, np.isnan(amount[here]))


def _most(grades: Array) -> str:
    values, counts = np.unique(grades.astype(str), return_counts=True)
    return str(values[counts.argmax()])


def _bookings(draws: Array, currency: str, unpriced: Array) -> dict[str, Any]:
    """Sum of a role's lifts times the amounts in one currency, expected bookings; missing where no amount is known."""
    known = len(unpriced) > int(unpriced.sum())
    lower, upper = sorted_tails(draws[None].copy())
    return {
        "currency": currency or None,
        "bookings_lift": float(draws.mean()) if known else np.nan,
        "bookings_lower": float(lower[0]) if known else np.nan,
        "bookings_upper": float(upper[0]) if known else np.nan,
        "no_amount": int(unpriced.sum()),
    }
