"""Pairs of readings of one role: before and after a visit, and over the same time of roles that no one visited."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import as_text, column_or_missing
from winprob.methodology import COVERAGES, ROLES
from winprob.model.features import COACH_LEVELS

#: States of coverage; the last is a blank.
STATES = (*COVERAGES, "")
_UNKNOWN = COACH_LEVELS.index("unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of readings of a role, (pair,) each.

    Attributes
    ----------
    role : code into ``ROLES``
    before, after : tiers, from 0
    coach_before, coach_after : codes into ``COACH_LEVELS``
    state : coverage at the visit, a code into ``STATES``
    visited : whether the role was visited between the two readings
    weight : the pairs of one role that was not visited weigh one together, because they repeat the same readings
    """

    role: Array
    before: Array
    after: Array
    coach_before: Array
    coach_after: Array
    state: Array
    visited: Array
    weight: Array

    def __len__(self) -> int:
        return len(self.role)


def visit_pairs(visits: pd.DataFrame, readings: pd.DataFrame) -> Pairs:
    """The visits of a valid log of which both tiers are known.

    The coach is the log's, else that of the deal's last reading (in ``readings``) up to the visit, else unknown.
    """
    known = visits[visits["tier_before"].notna() & visits["tier_after"].notna()]
    coach = _coaches(known["coach"].where(known["coach"].notna(), _coach_at(known, readings)))
    state = pd.Index(COVERAGES).get_indexer(pd.Index(known["coverage"]))
    return Pairs(
        role=pd.Index(ROLES).get_indexer(pd.Index(known["role"])),
        before=known["tier_before"].to_numpy(dtype=int) - 1,
        after=known["tier_after"].to_numpy(dtype=int) - 1,
        coach_before=coach,
        coach_after=coach,
        state=np.where(state < 0, len(STATES) - 1, state),
        visited=np.ones(len(known), dtype=bool),
        weight=np.ones(len(known)),
    )


def comparison_pairs(visits: pd.DataFrame, readings: pd.DataFrame) -> Pairs:
    """Adjacent readings of the roles that the log does not name, in the time from its first to its last visit.

    Parameters
    ----------
    readings : valid deals; a deal with one reading has no pair
    """
    day = column_or_missing(readings, "as_of")
    dated = readings.assign(as_of=pd.to_datetime(day))[day.notna().to_numpy(dtype=bool)]
    ordered = dated.sort_values(["deal_id", "as_of"], kind="stable").reset_index(drop=True)
    seen = set(zip(visits["deal_id"], visits["role"], strict=True))
    blocks = [_adjacent(ordered, role, visits["date"], seen) for role in range(len(ROLES))]
    return _joined(blocks)


def join_pairs(one: Pairs, other: Pairs) -> Pairs:
    """Both, one after the other."""
    return _joined([one, other])


def _adjacent(ordered: pd.DataFrame, role: int, dates: pd.Series, seen: set[tuple[str, str]]) -> Pairs:
    """The pairs of one role; readings that lack a tier are passed over."""
    tier = column_or_missing(ordered, f"{ROLES[role]}_support")
    known = ordered[tier.notna().to_numpy(dtype=bool)]
    deal, day = known["deal_id"].to_numpy(), known["as_of"].to_numpy()
    tiers = column_or_missing(known, f"{ROLES[role]}_support").to_numpy(dtype=float).astype(int) - 1
    coach = _coaches(column_or_missing(known, "coach"))
    never = np.array([(name, ROLES[role]) not in seen for name in deal], dtype=bool)
    first = np.flatnonzero((deal[:-1] == deal[1:]) & never[:-1]) if len(deal) else np.zeros(0, dtype=int)
    in_time = (day[first + 1] >= dates.min().to_datetime64()) & (day[first] <= dates.max().to_datetime64())
    first = first[in_time & (day[first] < day[first + 1])]
    _, code, count = np.unique(deal[first].astype(str), return_inverse=True, return_counts=True)
    return Pairs(
        role=np.full(len(first), role),
        before=tiers[first],
        after=tiers[first + 1],
        coach_before=coach[first],
        coach_after=coach[first + 1],
        state=np.full(len(first), len(STATES) - 1),
        visited=np.zeros(len(first), dtype=bool),
        weight=1 / count[code],
    )


def _coach_at(visits: pd.DataFrame, readings: pd.DataFrame) -> pd.Series:
    """The coach of each visit's deal at its last reading up to the visit; missing where there is none."""
    table = pd.DataFrame(
        {
            "deal_id": readings["deal_id"].astype("object"),
            "date": pd.to_datetime(column_or_missing(readings, "as_of")).astype("datetime64[us]"),
            "told": column_or_missing(readings, "coach").astype("object"),
        }
    ).dropna()
    asked = visits[["deal_id", "date"]].assign(place=np.arange(len(visits)))
    asked = asked.astype({"deal_id": "object", "date": "datetime64[us]"}).sort_values("date")
    matched = pd.merge_asof(asked, table.sort_values("date"), on="date", by="deal_id").sort_values("place")
    return pd.Series(matched["told"].to_numpy(), visits.index)


def _coaches(words: pd.Series) -> Array:
    code = pd.Index(COACH_LEVELS).get_indexer(pd.Index(as_text(words)))
    return np.where(code < 0, _UNKNOWN, code)


def _joined(several: list[Pairs]) -> Pairs:
    return Pairs(**{name: np.concatenate([getattr(one, name) for one in several]) for name in Pairs.__slots__})
