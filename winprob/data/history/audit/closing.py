"""Was it rewritten when the end was known? Facts that change at the close or after it."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.data.history.audit.columns import (
    ENOUGH,
    at,
    closing,
    deals_in,
    ends_won,
    filled,
    last_open,
    learned,
    share,
    was,
)
from winprob.data.history.days import OTHER_ZONE
from winprob.data.history.trail import Trail
from winprob.data.schema import COVERAGE_COLUMNS, SUPPORTS, Finding, Mask, mask_of, whole
from winprob.data.tables import auc
from winprob.i18n import gettext
from winprob.methodology import COACH_STATES, COVERAGES

#: A field is filled, or changed, this much more often at the close than from one open snapshot to the next.
_FILLED_MORE, _CHANGED_MORE = 0.5, 0.25
#: How well the direction of a change tells the outcome before it is taken for hindsight.
_TELLS = 0.8
_OFTEN_LATE = 0.05
#: A date that was right so long before, and for so many deals, was not the seller's.
_LONG_BEFORE, _RIGHT = pd.Timedelta(days=28), 0.5


def _after_the_close(trail: Trail) -> Iterator[Finding]:
    still_closed = trail.closed & trail.before(trail.closed)
    for column in learned(trail):
        late = still_closed & trail.changed(column)
        if late.any():
            found = at(trail, late, column)
            yield found.warning(
                gettext(
                    "changed after the deal had closed in {rows} rows, first deal {deal} from {was} to {got}: "
                    "hindsight. Learn from training rows, which know only the days before",
                    was=was(trail, late, column),
                    **found.fields,
                )
            )


def _filled_at_the_close(trail: Trail) -> Iterator[Finding]:
    ends, goes_on = closing(trail), trail.open & trail.before(trail.open)
    for column in learned(trail):
        known = filled(trail, column)
        blank = ~trail.first & ~trail.before(known)
        at_close, before = share(known, ends & blank), share(known, goes_on & blank)
        if (ends & blank & known).sum() >= ENOUGH and at_close - before > _FILLED_MORE:
            found = at(trail, ends & blank & known, column)
            yield found.warning(
                gettext(
                    "blank until the close and filled with it: {at_close} of the blanks at the close, {before} from "
                    "one open snapshot to the next; first deal {deal}",
                    at_close=f"{at_close:.0%}",
                    before=f"{before:.0%}",
                    **found.fields,
                )
            )


def _steps(trail: Trail, column: str) -> pd.Series:
    """(row,) the fact on a scale, missing where unknown."""
    if column in SUPPORTS:
        return trail.rows[column]
    scale = COACH_STATES if column == "coach" else COVERAGES
    return trail.rows[column].map({value: float(place) for place, value in enumerate(scale)}).astype("float64")


def _rewritten_at_the_close(trail: Trail) -> Iterator[Finding]:
    ends, goes_on, won = closing(trail), trail.open & trail.before(trail.open), ends_won(trail)
    for column in (name for name in (*SUPPORTS, *COVERAGE_COLUMNS, "coach") if name in trail.rows):
        step = np.diff(_steps(trail, column).to_numpy(), prepend=np.nan)
        changed = ends & (np.nan_to_num(step) != 0)
        often = share(changed, ends) - share(np.nan_to_num(step) != 0, goes_on) > _CHANGED_MORE
        labels = won[changed]
        if not often or min(labels.sum(), (~labels).sum()) < ENOUGH // 2:
            continue
        tells = auc(step[changed], labels)
        if tells > _TELLS:
            found = at(trail, changed, column)
            yield found.warning(
                gettext(
                    "rewritten as the deal closed in {rows} rows, up for the won and down for the others; first deal "
                    "{deal} from {was} to {got}: hindsight",
                    was=was(trail, changed, column),
                    **found.fields,
                )
            )


def _amount_tells(trail: Trail) -> Iterator[Finding]:
    """The amount of deals that were not won goes to zero or blank when they close."""
    if "amount" not in trail.rows:
        return
    nothing = ~mask_of(trail.rows["amount"] > 0)
    ends = closing(trail) & trail.before(~nothing)
    won = ends_won(trail)
    emptied = ends & nothing & ~won
    if emptied.sum() >= ENOUGH and share(nothing, ends & ~won) - share(nothing, ends & won) > _FILLED_MORE:
        found = at(trail, emptied, "amount")
        yield found.warning(
            gettext(
                "zero or blank once a deal is not won, in {rows} rows, first deal {deal}: it tells the outcome. "
                "Learn from training rows, which hold the amount known before",
                **found.fields,
            )
        )


def _other_outcome(trail: Trail) -> Iterator[Finding]:
    flipped = trail.closed & trail.before(trail.closed) & trail.changed("outcome")
    if flipped.any():
        found = at(trail, flipped, "outcome")
        yield found.warning(
            gettext(
                "another outcome after the close in {rows} rows, first deal {deal} from {was} to {got}; "
                "the last one counts",
                was=was(trail, flipped, "outcome"),
                **found.fields,
            )
        )
    again = trail.open & trail.before(trail.closed)
    if again.any():
        found = at(trail, again, "outcome")
        yield found.warning(
            gettext(
                "open again after a close in {rows} rows, first deal {deal}, which was {was}: reopened, or a snapshot "
                "older than its day",
                was=was(trail, again, "outcome"),
                **found.fields,
            )
        )


def _other_day(trail: Trail) -> Iterator[Finding]:
    moved = trail.closed & trail.before(trail.closed) & trail.changed("closed_on")
    if moved.any():
        found = at(trail, moved, "closed_on")
        yield found.warning(
            gettext(
                "rewritten after the close in {rows} rows, first deal {deal} from {was} to {got}; the last one counts",
                was=was(trail, moved, "closed_on"),
                **found.fields,
            )
        )
    days = trail.rows["opened_on"]
    begun = trail.changed("opened_on") & mask_of(days.notna()) & trail.before(mask_of(days.notna()))
    if begun.any():
        found = at(trail, begun, "opened_on")
        yield found.warning(
            gettext(
                "another day than before in {rows} rows, first deal {deal} from {was} to {got}: a deal is opened once",
                was=was(trail, begun, "opened_on"),
                **found.fields,
            )
        )


def _closed_before_seen_open(trail: Trail) -> Iterator[Finding]:
    ends = closing(trail)
    seen = pd.Series(trail.rows["as_of"].shift())
    late = ends & mask_of(trail.rows["closed_on"] < seen - OTHER_ZONE)
    if late.any():
        found = at(trail, late, "closed_on")
        often = share(late, ends) > _OFTEN_LATE and late.sum() >= ENOUGH // 2
        yield found.finding(
            "warning" if often else "note",
            gettext(
                "before a snapshot that still has the deal open in {rows} rows, first deal {deal} has {got}: "
                "closes are entered late, or dated back",
                **found.fields,
            ),
        )


def _hoped_for_day_is_right(trail: Trail) -> Iterator[Finding]:
    """Open rows whose expected close date is the very day on which the deal closed, weeks before."""
    end = trail.rows["closed_on"].array[np.flatnonzero(trail.last)][trail.deal]
    ended = pd.Series(end).where(trail.open)
    early = _earliest(trail, mask_of(ended - trail.rows["as_of"] >= _LONG_BEFORE))
    right = early & mask_of(trail.rows["expected_close_on"] == ended)
    if early.sum() >= 2 * ENOUGH and share(right, early) > _RIGHT:
        found = at(trail, right, "expected_close_on")
        yield found.warning(
            gettext(
                "the very day of the close, four weeks before or more, for {share} of the deals, first deal {deal} has "
                "{got}: overwritten with 'closed_on'",
                share=f"{share(right, early):.0%}",
                **found.fields,
            )
        )


def _earliest(trail: Trail, mask: Mask) -> Mask:
    """(row,) of each deal the first row in ``mask``."""
    places = np.flatnonzero(mask)
    kept = np.zeros_like(mask)
    kept[places[np.unique(trail.deal[places], return_index=True)[1]]] = True
    return kept


def _undated(trail: Trail) -> Iterator[Finding]:
    undated = trail.last & trail.closed & mask_of(trail.rows["closed_on"].isna())
    if undated.any():
        count = deals_in(trail, undated)
        yield whole("note", "closed_on", gettext("{count} closed deals have no day of closing", count=count))


def _only_once_closed(trail: Trail) -> Iterator[Finding]:
    """Values of a choice or a category that deals take on when they close and never before."""
    ends, won = closing(trail), ends_won(trail)
    for column in learned(trail):
        if pd.api.types.is_numeric_dtype(trail.rows[column].dtype) or column.endswith("_readings"):
            continue
        codes = trail.codes[column]
        while_open = np.unique(codes[last_open(trail) | trail.open])
        new = ends & trail.changed(column) & (codes >= 0) & ~np.isin(codes, while_open)
        for value in np.unique(codes[new]):
            rows = new & (codes == value)
            if rows.sum() >= ENOUGH // 2:
                found = at(trail, rows, column)
                yield found.warning(
                    gettext(
                        "{got} is only ever seen once a deal has closed ({rows} deals, {won} of them won, first deal "
                        "{deal}): it stands for the outcome",
                        won=int((rows & won).sum()),
                        **found.fields,
                    )
                )


CLOSING_RULES = (
    _after_the_close,
    _filled_at_the_close,
    _rewritten_at_the_close,
    _amount_tells,
    _other_outcome,
    _other_day,
    _closed_before_seen_open,
    _hoped_for_day_is_right,
    _only_once_closed,
    _undated,
)
