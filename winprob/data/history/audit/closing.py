"""Audit rules on the close: facts that are filled in, rewritten or dated back once the outcome is known."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.data.history.days import OTHER_ZONE
from winprob.data.history.trail import ENOUGH, Trail, at, closing, ends_won, filled, last_open, learned, share, was
from winprob.data.schema import COVERAGE_COLUMNS, SUPPORTS, Finding, Mask, mask_of, whole
from winprob.data.tables import auc
from winprob.i18n import gettext
from winprob.methodology import COACH_STATES, COVERAGES

#: A field is filled, or changed, this much more often at the close than from one open snapshot to the next.
_FILLED_MORE, _CHANGED_MORE = 0.5, 0.25
#: AUC of the direction of a change for the outcome from which it counts as hindsight.
_HINDSIGHT_AUC = 0.8
_OFTEN_LATE = 0.05
#: An expected close date that is exact this long before, for this share of deals, was overwritten.
_LONG_BEFORE, _RIGHT = pd.Timedelta(days=28), 0.5


def _after_the_close(trail: Trail) -> Iterator[Finding]:
    still_closed = trail.closed & trail.before(trail.closed)
    for column in learned(trail):
        late = still_closed & trail.changed(column)
        if late.any():
            where = at(trail, late, column)
            yield where.warning(
                gettext(
                    "changed after the deal had closed in {rows} rows, first deal {deal} from {was} to {got}: "
                    "hindsight. Train on training rows, which hold only what was known before",
                    was=was(trail, late, column),
                    **where.fields,
                )
            )


def _filled_at_the_close(trail: Trail) -> Iterator[Finding]:
    ends, goes_on = closing(trail), trail.open & trail.before(trail.open)
    for column in learned(trail):
        known = filled(trail, column)
        blank = ~trail.first & ~trail.before(known)
        at_close, before = share(known, ends & blank), share(known, goes_on & blank)
        if (ends & blank & known).sum() >= ENOUGH and at_close - before > _FILLED_MORE:
            where = at(trail, ends & blank & known, column)
            yield where.warning(
                gettext(
                    "blank until the close and filled in at it: {at_close} of the blanks at the close, {before} from "
                    "one open snapshot to the next; first deal {deal}",
                    at_close=f"{at_close:.0%}",
                    before=f"{before:.0%}",
                    **where.fields,
                )
            )


def _steps(trail: Trail, column: str) -> pd.Series:
    """(row,) the fact on an ordinal scale, missing where unknown."""
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
        score = auc(step[changed], labels)
        if score > _HINDSIGHT_AUC:
            where = at(trail, changed, column)
            yield where.warning(
                gettext(
                    "rewritten as the deal closed in {rows} rows, up for the won and down for the others; first deal "
                    "{deal} from {was} to {got}: hindsight",
                    was=was(trail, changed, column),
                    **where.fields,
                )
            )


def _amount_reveals_outcome(trail: Trail) -> Iterator[Finding]:
    """The amount of deals that were not won becomes zero or blank when they close."""
    if "amount" not in trail.rows:
        return
    nothing = ~mask_of(trail.rows["amount"] > 0)
    ends = closing(trail) & trail.before(~nothing)
    won = ends_won(trail)
    emptied = ends & nothing & ~won
    if emptied.sum() >= ENOUGH and share(nothing, ends & ~won) - share(nothing, ends & won) > _FILLED_MORE:
        where = at(trail, emptied, "amount")
        yield where.warning(
            gettext(
                "zero or blank once a deal is not won, in {rows} rows, first deal {deal}: it reveals the outcome. "
                "Train on training rows, which hold the amount known before",
                **where.fields,
            )
        )


def _other_outcome(trail: Trail) -> Iterator[Finding]:
    flipped = trail.closed & trail.before(trail.closed) & trail.changed("outcome")
    if flipped.any():
        where = at(trail, flipped, "outcome")
        yield where.warning(
            gettext(
                "changed after the close in {rows} rows, first deal {deal} from {was} to {got}; "
                "the last outcome is used",
                was=was(trail, flipped, "outcome"),
                **where.fields,
            )
        )
    again = trail.open & trail.before(trail.closed)
    if again.any():
        where = at(trail, again, "outcome")
        yield where.warning(
            gettext(
                "open again after a close in {rows} rows, first deal {deal}, which was {was}: reopened, or a snapshot "
                "older than its day",
                was=was(trail, again, "outcome"),
                **where.fields,
            )
        )


def _other_day(trail: Trail) -> Iterator[Finding]:
    moved = trail.closed & trail.before(trail.closed) & trail.changed("closed_on")
    if moved.any():
        where = at(trail, moved, "closed_on")
        yield where.warning(
            gettext(
                "rewritten after the close in {rows} rows, first deal {deal} from {was} to {got}; the last day is used",
                was=was(trail, moved, "closed_on"),
                **where.fields,
            )
        )
    days = trail.rows["opened_on"]
    begun = trail.changed("opened_on") & mask_of(days.notna()) & trail.before(mask_of(days.notna()))
    if begun.any():
        where = at(trail, begun, "opened_on")
        yield where.warning(
            gettext(
                "changed in {rows} rows, first deal {deal} from {was} to {got}: a deal is opened once",
                was=was(trail, begun, "opened_on"),
                **where.fields,
            )
        )


def _closed_before_seen_open(trail: Trail) -> Iterator[Finding]:
    ends = closing(trail)
    seen = pd.Series(trail.rows["as_of"].shift())
    late = ends & mask_of(trail.rows["closed_on"] < seen - OTHER_ZONE)
    if late.any():
        where = at(trail, late, "closed_on")
        often = share(late, ends) > _OFTEN_LATE and late.sum() >= ENOUGH // 2
        yield where.finding(
            "warning" if often else "note",
            gettext(
                "before a snapshot that still has the deal open in {rows} rows, first deal {deal} has {got}: "
                "closes are entered late, or dated back",
                **where.fields,
            ),
        )


def _expected_day_is_exact(trail: Trail) -> Iterator[Finding]:
    """Open rows whose expected close date is exactly the day on which the deal closed, weeks before."""
    end = trail.rows["closed_on"].array[np.flatnonzero(trail.last)][trail.deal]
    ended = pd.Series(end).where(trail.open)
    early = _earliest(trail, mask_of(ended - trail.rows["as_of"] >= _LONG_BEFORE))
    right = early & mask_of(trail.rows["expected_close_on"] == ended)
    if early.sum() >= 2 * ENOUGH and share(right, early) > _RIGHT:
        where = at(trail, right, "expected_close_on")
        yield where.warning(
            gettext(
                "equal to the day of the close four weeks or more before it, for {share} of the deals, first deal "
                "{deal} has {got}: overwritten with 'closed_on'",
                share=f"{share(right, early):.0%}",
                **where.fields,
            )
        )


def _earliest(trail: Trail, mask: Mask) -> Mask:
    """(row,) of each deal the first row in ``mask``."""
    places = np.flatnonzero(mask)
    earliest = np.zeros_like(mask)
    earliest[places[np.unique(trail.deal[places], return_index=True)[1]]] = True
    return earliest


def _undated(trail: Trail) -> Iterator[Finding]:
    undated = trail.last & trail.closed & mask_of(trail.rows["closed_on"].isna())
    if undated.any():
        count = int(undated.sum())
        yield whole("note", "closed_on", gettext("{count} closed deals have no day of closing", count=count))


def _only_once_closed(trail: Trail) -> Iterator[Finding]:
    """Values of a category that deals take on when they close and never before."""
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
                where = at(trail, rows, column)
                yield where.warning(
                    gettext(
                        "{got} occurs only once a deal has closed ({rows} deals, {won} of them won, first deal "
                        "{deal}): it encodes the outcome",
                        won=int((rows & won).sum()),
                        **where.fields,
                    )
                )


CLOSING_RULES = (
    _after_the_close,
    _filled_at_the_close,
    _rewritten_at_the_close,
    _amount_reveals_outcome,
    _other_outcome,
    _other_day,
    _closed_before_seen_open,
    _expected_day_is_exact,
    _only_once_closed,
    _undated,
)
