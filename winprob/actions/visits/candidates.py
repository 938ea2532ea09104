"""Candidate deals of a plan: the open deals with the value of a win, and what was left out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import column_or_missing, is_open, latest_places
from winprob.errors import PlanError
from winprob.i18n import gettext

GOALS = ("bookings", "quarter", "wins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Open deals, one row each, and what was left out.

    Attributes
    ----------
    deals : the last reading of each open deal (valid)
    place : (deal,) position of its row in the table
    worth : (deal,) value of a win in ``unit``
    unit : the currency, ``""`` where the deals name none, None where wins are counted
    notes : sentences on what was left out
    """

    deals: pd.DataFrame
    place: Array
    worth: Array
    unit: str | None
    notes: tuple[str, ...]


def pick_candidates(deals: pd.DataFrame, goal: str) -> Candidates:
    """The open deals (of a valid table) that a plan for ``goal`` can rank.

    Raises
    ------
    PlanError
        No deal is left, or amounts are in several currencies.
    """
    if goal not in GOALS:
        raise PlanError(gettext("goal {goal!r} is not one of {accepted}", goal=goal, accepted=", ".join(GOALS)))
    rows = latest_places(deals)
    still_open = is_open(deals.iloc[rows])
    notes = [] if still_open.all() else [_left_out(gettext("closed already"), deals, rows[~still_open])]
    rows = rows[still_open]
    worth, unit = np.ones(len(rows)), None
    if goal != "wins":
        known, unit = _priced(deals.iloc[rows])
        notes += [_left_out(why, deals, rows[lacks]) for why, lacks in _unpriced(deals.iloc[rows], known)]
        rows = rows[known]
        worth = deals["amount"].to_numpy(dtype=float)[rows] if known.any() else worth[known]
    if not len(rows):
        raise PlanError(
            " ".join([gettext("there is no deal to plan for: none of {rows} rows is left.", rows=len(deals)), *notes])
        )
    return Candidates(deals=deals.iloc[rows], place=rows, worth=worth, unit=unit, notes=tuple(notes))


def _priced(deals: pd.DataFrame) -> tuple[Array, str]:
    """(deal,) whether the value of a win is known, and the currency."""
    amount = column_or_missing(deals, "amount").notna().to_numpy(dtype=bool)
    currency = column_or_missing(deals, "currency")
    named = currency[amount].dropna()
    counts = named.value_counts()
    if len(counts) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise PlanError(
            gettext(
                "amounts are in several currencies (deals: {listed}) and cannot be added up. "
                "Convert them to one, plan each currency by itself, or plan for wins (--goal wins).",
                listed=listed,
            )
        )
    if named.empty:
        return amount, ""
    return amount & currency.notna().to_numpy(dtype=bool), str(named.iloc[0])


def _unpriced(deals: pd.DataFrame, known: Array) -> Iterator[tuple[str, Array]]:
    """Reasons why the value of a win is unknown, with the deals concerned (deal,)."""
    amount = column_or_missing(deals, "amount").notna().to_numpy(dtype=bool)
    if not amount.all():
        yield gettext("without an amount"), ~amount
    if (amount & ~known).any():
        yield gettext("with an amount and no currency"), amount & ~known


def _left_out(why: str, deals: pd.DataFrame, rows: Array) -> str:
    named = ", ".join(deals["deal_id"].iloc[rows[:3]]) + (", ..." if len(rows) > 3 else "")
    return gettext("Left out, {why}: {count} deals ({named}).", why=why, count=len(rows), named=named)
