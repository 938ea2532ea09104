"""Whose support would raise the odds most across the open deals? Lifts averaged by decision method, stage, seller ...

Averages and sums are made draw by draw, over the deals in which the role can rise, each deal by its last reading.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from winprob.actions.levers.eligibility import Standing, stand
from winprob.actions.levers.evidence import evidence_grades, verdicts
from winprob.arrays import Array
from winprob.data.schema import latest_places
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
    bookings : (purse, role, draw), a purse being the deals of one group in one currency
    """

    log_odds_lift: Array
    win_prob_lift: Array
    bookings: Array

    def add(self, other: _Totals) -> None:
        for mine, theirs in (
            (self.log_odds_lift, other.log_odds_lift),
            (self.win_prob_lift, other.win_prob_lift),
            (self.bookings, other.bookings),
        ):
            mine += theirs


def rank_by(
    posterior: Posterior, valid: pd.DataFrame, by: str, *, rope: float, tested: Collection[str] = ()
) -> pd.DataFrame:
    """The roles by their average lift in each group of open deals.

    Returns
    -------
    DataFrame, a row per group, role and currency, roles by rank: ``by`` (missing = unknown), ``role``, ``rank``,
    ``deals`` (in which the role can rise; the averages are over them), ``log_odds_lift``, ``odds_ratio``,
    ``win_prob_lift`` with ``lower, upper``, ``prob_best``, ``verdict``, ``evidence`` (``learned`` if so for most of the
    deals), ``currency``, ``bookings_lift`` with ``bookings_lower, bookings_upper`` (expected bookings that the role's
    lifts add up to in that currency) and ``no_amount``, deals in it whose amount is unknown and counts for nothing.

    Raises
    ------
    DealTableError
        There is no such grouping or column, or no open deal.
    """
    deals = _open_deals(valid, by)
    standing = stand(posterior, deals)
    group, labels = _codes(deals, by)
    purse, purses = _purses(deals, group)
    totals = _totals(standing, group, len(labels), purse, len(purses), _amounts(deals))
    able = standing.steps > 0
    learned = evidence_grades(posterior, tested)[:, standing.features.method].T
    records = [
        record
        for at, label in enumerate(labels)
        for record in _records(at, label, totals, able, group, purse, purses, _amounts(deals), learned)
    ]
    table = pd.DataFrame.from_records(records).rename(columns={"group": by})
    table["verdict"] = pd.array(verdicts(table["lower"].to_numpy(), table["upper"].to_numpy(), rope), dtype="str")
    return table


def _open_deals(valid: pd.DataFrame, by: str) -> pd.DataFrame:
    """The last reading of each deal that has not ended."""
    if by not in GROUPINGS:
        raise DealTableError(
            gettext("levers by {by!r} are not known; accepted: {accepted}.", by=by, accepted=", ".join(GROUPINGS))
        )
    if by not in valid:
        raise DealTableError(
            gettext("column {by!r} is missing: levers cannot be told by it. Map it, or choose another.", by=by)
        )
    last = valid.iloc[latest_places(valid)]
    if "outcome" in last:
        last = last[~last["outcome"].isin(["won", "lost", "no_decision"])]
    if last.empty:
        raise DealTableError(gettext("no deal of the {rows} rows is open: there is no lever to pull.", rows=len(valid)))
    return last


def _codes(deals: pd.DataFrame, by: str) -> tuple[Array, list[Any]]:
    """(deal,) group, and what the groups are called: words of the method in its order, others sorted, unknown last."""
    present = list(dict.fromkeys(deals[by].dropna()))
    labels: list[Any] = [word for word in _WORDS.get(by, tuple(sorted(present))) if word in present]
    code = pd.Index(labels).get_indexer(pd.Index(deals[by]))
    if (code < 0).any():
        code = np.where(code < 0, len(labels), code)
        labels.append(None)
    return code, labels


def _purses(deals: pd.DataFrame, group: Array) -> tuple[Array, list[tuple[int, Any]]]:
    """(deal,) group and currency as one code, and what the codes stand for. Deals without an amount need none."""
    currency = deals["currency"].fillna("") if "currency" in deals else pd.Series("", index=deals.index)
    keys = list(zip(group.tolist(), currency, strict=True))
    priced = {key for key, known in zip(keys, ~np.isnan(_amounts(deals)), strict=True) if known}
    first = {at: (at, currency) for at, currency in sorted(priced, reverse=True)}
    # A deal without an amount is told in its currency's row, or where there is none in the group's first.
    homes = [key if key in priced else first.get(key[0], (key[0], "")) for key in keys]
    purses = sorted(set(homes))
    place = {key: at for at, key in enumerate(purses)}
    return np.array([place[key] for key in homes]), purses


def _amounts(deals: pd.DataFrame) -> Array:
    return deals["amount"].to_numpy(dtype=float) if "amount" in deals else np.full(len(deals), np.nan)


def _totals(standing: Standing, group: Array, groups: int, purse: Array, purses: int, amount: Array) -> _Totals:
    """Sums over all deals. Each core adds up blocks of its own, so memory does not grow with their number."""
    count, cores = len(group), os.cpu_count() or 1
    priced = np.nan_to_num(amount)

    def some(first: int) -> _Totals:
        total = _nothing(groups, purses, standing.by.intercept.size)
        for rows in _blocks(count, first, cores):
            total.add(_block_totals(standing, rows, group, groups, purse, purses, priced))
        return total

    with ThreadPoolExecutor(cores) as pool:
        first, *others = pool.map(some, range(cores))
    for other in others:
        first.add(other)
    return first


def _nothing(groups: int, purses: int, draws: int) -> _Totals:
    shapes = {"log_odds_lift": groups, "win_prob_lift": groups, "bookings": purses}
    return _Totals(**{name: np.zeros((rows, len(ROLES), draws)) for name, rows in shapes.items()})


def _blocks(count: int, first: int, cores: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(first * _BLOCK, count, cores * _BLOCK))


def _block_totals(
    standing: Standing, rows: slice, group: Array, groups: int, purse: Array, purses: int, priced: Array
) -> _Totals:
    found = lifts(standing.by, standing.features.take(rows), standing.steps[rows])
    now = to_win_prob(found.log_odds.copy())
    into_groups = _adder(group[rows], groups, np.ones(len(now)))
    into_purses = _adder(purse[rows], purses, priced[rows])
    sums: tuple[list[Array], ...] = ([], [], [])
    for added in found.log_odds_lift:
        moved = to_win_prob(found.log_odds + added) - now
        for into, total, values in zip(
            sums, (into_groups, into_groups, into_purses), (added, moved, moved), strict=True
        ):
            into.append(total @ values)
    stacked = [np.stack(parts, axis=1) for parts in sums]
    return _Totals(log_odds_lift=stacked[0], win_prob_lift=stacked[1], bookings=stacked[2])


def _adder(code: Array, count: int, amount: Array) -> Any:
    """A matrix that adds up deals, each times its amount, by code."""
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
    mine = group == at
    counts = able[mine].sum(axis=0)
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
            "evidence": _most(learned[mine & able[:, role], role]) if some else None,
        }
        for place, (_, currency) in ((p, key) for p, key in enumerate(purses) if key[0] == at):
            here = (purse == place) & able[:, role]
            yield plain | _bookings(totals.bookings[place, role], currency, np.isnan(amount[here]))


def _most(grades: Array) -> str:
    values, counts = np.unique(grades.astype(str), return_counts=True)
    return str(values[counts.argmax()])


def _bookings(draws: Array, currency: str, unpriced: Array) -> dict[str, Any]:
    """What a role's lifts add to the expected bookings in one currency; missing where no amount is known."""
    known = len(unpriced) > int(unpriced.sum())
    lower, upper = sorted_tails(draws[None].copy())
    return {
        "currency": currency or None,
        "bookings_lift": float(draws.mean()) if known else np.nan,
        "bookings_lower": float(lower[0]) if known else np.nan,
        "bookings_upper": float(upper[0]) if known else np.nan,
        "no_amount": int(unpriced.sum()),
    }
