"""Which columns are looked at, and how is what was found told?"""

import numpy as np
import pandas as pd

from winprob.data.history.trail import Trail
from winprob.data.schema import COVERAGE_COLUMNS, DATES, Mask, mask_of, shown_cell, spot
from winprob.data.schema.findings import Spot

#: What the seller says, what the calendar says, and how it ended: no facts that a win model learns from.
NOT_LEARNED = frozenset((*DATES, "outcome", "rep_probability", "rep_category", "currency"))
#: Fewer deals than this may look alike by chance.
ENOUGH = 10


def learned(trail: Trail) -> tuple[str, ...]:
    """The facts that a win model learns from."""
    return tuple(name for name in trail.facts if name not in NOT_LEARNED)


def covariates(trail: Trail) -> list[str]:
    """The columns that a mapping named beside the canonical ones."""
    said = trail.rows.attrs.get("covariates", {})
    names = dict.fromkeys((*said.get("varying", ()), *(item["column"] for item in said.get("numeric", ()))))
    return [name for name in names if name in trail.rows]


def filled(trail: Trail, column: str) -> Mask:
    """(row,) whether the fact is known; a coverage called unknown is not."""
    values = trail.rows[column]
    known = mask_of(values.notna())
    return known & ~mask_of(values == "unknown") if column in COVERAGE_COLUMNS else known


def last_open(trail: Trail) -> Mask:
    """(row,) each deal's last row in which it is open."""
    places = pd.Series(np.flatnonzero(trail.open)).groupby(trail.deal[trail.open]).last()
    chosen = np.zeros(len(trail.rows), dtype=bool)
    chosen[places.to_numpy()] = True
    return chosen


def closing(trail: Trail) -> Mask:
    """(row,) the first row in which a deal that was seen open has ended."""
    return np.asarray(trail.closed & trail.before(trail.open))


def ends_won(trail: Trail) -> Mask:
    """(row,) whether its deal has been won, by its last row."""
    won = mask_of(trail.rows["outcome"] == "won")
    return np.asarray(won[np.flatnonzero(trail.last)][trail.deal])


def ends_closed(trail: Trail) -> Mask:
    """(row,) whether its deal has ended, by its last row."""
    return np.asarray(trail.closed[np.flatnonzero(trail.last)][trail.deal])


def share(part: Mask, whole: Mask) -> float:
    """How much of the rows in ``whole`` are in ``part`` too; 0 where there are none."""
    return float((part & whole).sum()) / max(int(whole.sum()), 1)


def at(trail: Trail, mask: Mask, column: str) -> Spot:
    return spot(trail.rows, mask, trail.rows[column])


def was(trail: Trail, mask: Mask, column: str) -> str:
    """What stood in the deal's snapshot before the first row of ``mask``."""
    cell = trail.rows[column].iloc[int(np.flatnonzero(mask)[0]) - 1]
    return "-" if pd.isna(cell) else shown_cell(cell)


def deals_in(trail: Trail, mask: Mask) -> int:
    return int(np.unique(trail.deal[mask]).size)
