"""Audit rules on snapshots: later knowledge, copies, wrong days, gaps; deals under two ids, missing or entered late."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.data.history.days import OTHER_ZONE
from winprob.data.history.trail import ENOUGH, Trail, at, deals_in, learned
from winprob.data.schema import ID, Finding, Mask, mask_of, spot, whole
from winprob.i18n import gettext

#: Fewer deals than this may well not change for a while.
_DEALS = 20
_APART = pd.Timedelta(days=7)
#: This share of the facts that change again already has its final value in an earlier snapshot.
_AGREES = 0.8
#: This share of a snapshot's changes is undone in the next. Sellers who change their mind undo a third at most.
_UNDONE = 0.5
_LONG = pd.Timedelta(days=180)
#: A gap is longer than the usual distance by this factor.
_GAP, _SHORTEST_GAP = 2.5, pd.Timedelta(days=10)
#: Two deals with fewer known cells than this may be alike by chance.
_CELLS = 5
#: Columns that two deals rarely share unless they are one deal.
_MARKS = ("account", "opened_on", "amount", "seller", "product")
_SHORT_ID, _LONG_ID = 15, 18
_MORE_WON = 0.4


# ---- identity of deals ----------------------------------------------------------------------------------------------


def _one_deal_twice(trail: Trail) -> Iterator[Finding]:
    """Deals alike in every fact of their last row."""
    last = trail.rows[trail.last]
    facts = last[list(trail.facts)]
    copied = _spread(trail, facts.duplicated().to_numpy() & mask_of(facts.notna().sum(axis=1) >= _CELLS))
    if copied.any():
        where = spot(trail.rows, copied, trail.rows[ID])
        yield where.warning(
            gettext("{rows} deals are copies of another in all but 'deal_id', first deal {deal}", **where.fields)
        )
    yield from _same_marks(trail, copied)


def _same_marks(trail: Trail, copied: Mask) -> Iterator[Finding]:
    """Deals of one account, opened on one day, for one amount: one deal under two ids, perhaps one after the other."""
    if not set(_MARKS) <= set(trail.rows.columns):
        return
    begin = trail.rows[trail.first]
    marks = begin[list(_MARKS)]
    doubled = marks.duplicated().to_numpy() & mask_of(marks.notna().all(axis=1))
    rows = np.zeros(len(trail.rows), dtype=bool)
    rows[np.flatnonzero(trail.first)[doubled]] = True
    rows &= ~trail.of_deal(copied)
    if rows.any():
        where = at(trail, rows, ID)
        yield where.warning(
            gettext(
                "{rows} deals have the account, seller, product, amount and day of opening of another, first deal "
                "{deal}: apparently one deal under two ids",
                **where.fields,
            )
        )


def _spread(trail: Trail, of_last: Mask) -> Mask:
    """(row,) from a mask over the deals' last rows."""
    rows = np.zeros(len(trail.rows), dtype=bool)
    rows[np.flatnonzero(trail.last)[of_last]] = True
    return rows


def _long_and_short_ids(trail: Trail) -> Iterator[Finding]:
    names = trail.rows[ID]
    length = names.str.len()
    short = set(names[length == _SHORT_ID])
    twice = trail.first & mask_of(length == _LONG_ID) & mask_of(names.str.slice(0, _SHORT_ID).isin(short))
    if twice.any():
        where = spot(trail.rows, twice, names)
        yield where.warning(
            gettext(
                "{rows} deals have both an id of 18 characters and its first 15 as an id, first deal {deal}: "
                "each is one deal. Export one kind of id",
                **where.fields,
            )
        )


def _gone(trail: Trail) -> Iterator[Finding]:
    newest = len(trail.days) - 1
    gone = trail.last & (trail.snapshot < newest)
    missing = gone & ~trail.closed
    if missing.any():
        where = at(trail, missing, "as_of")
        yield _about_ids(
            where.warning(
                gettext(
                    "{rows} open deals are missing from later snapshots, first deal {deal}, last seen on {got}: "
                    "deleted, merged or left out of the export; they count as open until then",
                    **where.fields,
                )
            )
        )
    if (gone & trail.closed).any():
        count = deals_in(trail, gone & trail.closed)
        yield whole("note", ID, gettext("{count} closed deals are no longer in later snapshots", count=count))


def _away_in_between(trail: Trail) -> Iterator[Finding]:
    away = ~trail.first & (np.diff(trail.snapshot, prepend=0) > 1)
    if away.any():
        where = at(trail, away, "as_of")
        yield _about_ids(
            where.warning(
                gettext(
                    "missing from snapshots in between in {rows} rows, first deal {deal}, back on {got}: "
                    "apparently an export with another filter",
                    **where.fields,
                )
            )
        )


def _about_ids(finding: Finding) -> Finding:
    return Finding(
        severity=finding.severity, column=ID, rows=finding.rows, first_deal=finding.first_deal, message=finding.message
    )


def _all_of_one_kind(trail: Trail) -> Iterator[Finding]:
    """Deals closed when first seen have a far higher share of wins than deals seen open."""
    from_outset = trail.snapshot == 0
    came_closed = trail.first & trail.closed
    seen_open = trail.last & trail.closed & trail.of_deal(trail.open)
    won = mask_of(trail.rows["outcome"] == "won")
    for came, which in ((came_closed & from_outset, "first"), (came_closed & ~from_outset, "later")):
        if min(came.sum(), seen_open.sum()) < 2 * _CELLS:
            continue
        of_came, of_open = float(won[came].mean()), float(won[seen_open].mean())
        if of_came - of_open > _MORE_WON:
            where = at(trail, came, ID)
            yield where.warning(_entered_closed_message(which, of_came, of_open, where.fields))


def _entered_closed_message(which: str, of_came: float, of_open: float, fields: dict[str, object]) -> str:
    shares = {"came": f"{of_came:.0%}", "open": f"{of_open:.0%}"}
    if which == "first":
        return gettext(
            "{came} of the {rows} deals that were closed in the first snapshot are won, {open} of those seen open: "
            "apparently lost deals were deleted before",
            **fields,
            **shares,
        )
    return gettext(
        "{came} of the {rows} deals that first appear closed are won, {open} of those seen open, first deal {deal}: "
        "deals are entered after the win",
        **fields,
        **shares,
    )


# ---- order of snapshots ---------------------------------------------------------------------------------------------


def _knows_the_end(trail: Trail) -> Iterator[Finding]:
    late = trail.closed & mask_of(trail.rows["closed_on"] > trail.rows["as_of"] + OTHER_ZONE)
    if late.any():
        where = at(trail, late, "closed_on")
        yield where.warning(
            gettext(
                "after the day of the snapshot in {rows} rows, first deal {deal} has {got}: filled in later, "
                "not known then",
                **where.fields,
            )
        )


def _knows_the_beginning(trail: Trail) -> Iterator[Finding]:
    early = mask_of(trail.rows["opened_on"] > trail.rows["as_of"] + OTHER_ZONE)
    if early.any():
        where = at(trail, early, "opened_on")
        yield where.warning(
            gettext(
                "after the day of the snapshot in {rows} rows, first deal {deal} has {got}: a history from before the "
                "deal was created",
                **where.fields,
            )
        )


def _same_export_again(trail: Trail) -> Iterator[Finding]:
    seen: dict[bytes, int] = {}
    table = np.stack([trail.deal, *(trail.codes[name] for name in trail.facts)], axis=1)
    order = np.argsort(trail.snapshot, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(trail.snapshot[order])) + 1):
        if len(rows) < _DEALS:
            continue
        day = int(trail.snapshot[rows[0]])
        earlier = seen.setdefault(table[rows].tobytes(), day)
        if trail.days[day] - trail.days[earlier] >= _APART:
            message = gettext(
                "the snapshots of {earlier} and {later} are the same in all {deals} deals: one export under two days",
                earlier=f"{trail.days[earlier]:%Y-%m-%d}",
                later=f"{trail.days[day]:%Y-%m-%d}",
                deals=len(rows),
            )
            yield whole("warning", "as_of", message)


def _from_a_later_export(trail: Trail) -> Iterator[Finding]:
    """Facts with their final value, unlike in the next snapshot: taken from a later export."""
    agrees, differs = np.zeros((2, len(trail.days)))
    end = np.flatnonzero(trail.last)[trail.deal]
    going_on = ~trail.last & trail.open
    for column in learned(trail):
        codes = trail.codes[column]
        to_change = going_on & (np.roll(codes, -1) != codes[end])
        differs += np.bincount(trail.snapshot[to_change], minlength=len(trail.days))
        agrees += np.bincount(trail.snapshot[to_change & (codes == codes[end])], minlength=len(trail.days))
    for place in map(int, np.flatnonzero((differs >= _DEALS) & (agrees > _AGREES * differs))):
        message = gettext(
            "in the snapshot of {day}, {share} of the facts that change later have their final value, unlike in the "
            "next one: filled in from a later export, or out of order",
            day=f"{trail.days[place]:%Y-%m-%d}",
            share=f"{agrees[place] / differs[place]:.0%}",
        )
        yield whole("warning", "as_of", message)


def _older_than_its_day(trail: Trail) -> Iterator[Finding]:
    """Facts that change and change back: two snapshots with interchanged days."""
    back, moved = np.zeros((2, len(trail.days)))
    inner = ~trail.first & ~trail.last
    for column in learned(trail):
        codes = trail.codes[column]
        before, after = np.roll(codes, 1), np.roll(codes, -1)
        moves = inner & (codes != before)
        moved += np.bincount(trail.snapshot[moves], minlength=len(trail.days))
        back += np.bincount(trail.snapshot[moves & (after == before)], minlength=len(trail.days))
    for place in map(int, np.flatnonzero((moved >= _DEALS) & (back > _UNDONE * moved))):
        message = gettext(
            "the snapshot of {day} goes back: {share} of its changes are undone in the next one. "
            "It seems to be the export of another day",
            day=f"{trail.days[place]:%Y-%m-%d}",
            share=f"{back[place] / moved[place]:.0%}",
        )
        yield whole("warning", "as_of", message)


def _nothing_ever_changes(trail: Trail) -> Iterator[Finding]:
    goes_on = trail.open & trail.before(trail.open)
    if trail.days[-1] - trail.days[0] < _LONG or deals_in(trail, goes_on) < 3 * ENOUGH or not learned(trail):
        return
    if not any((trail.changed(column) & goes_on).any() for column in learned(trail)):
        message = gettext(
            "no fact of any open deal ever changes, in {days} snapshots over {span} days: all seem to be "
            "made from one export",
            days=len(trail.days),
            span=(trail.days[-1] - trail.days[0]).days,
        )
        yield whole("warning", "as_of", message)


def _gaps(trail: Trail) -> Iterator[Finding]:
    between: npt.NDArray[np.timedelta64] = np.diff(trail.days.to_numpy())
    if len(between) < 4:
        return
    usual = pd.Timedelta(np.median(between))
    long = np.flatnonzero((between > _GAP * usual.to_timedelta64()) & (between > _SHORTEST_GAP.to_timedelta64()))
    if len(long):
        longest = int(long[np.argmax(between[long])])
        message = gettext(
            "{count} gaps between snapshots, the longest from {start} to {end} ({days} days; usually {usual}): changes "
            "in between are not known",
            count=len(long),
            start=f"{trail.days[longest]:%Y-%m-%d}",
            end=f"{trail.days[longest + 1]:%Y-%m-%d}",
            days=(trail.days[longest + 1] - trail.days[longest]).days,
            usual=usual.days,
        )
        yield whole("warning", "as_of", message)


ORDER_RULES = (
    _knows_the_end,
    _knows_the_beginning,
    _same_export_again,
    _from_a_later_export,
    _older_than_its_day,
    _nothing_ever_changes,
    _gaps,
)
IDENTITY_RULES = (_one_deal_twice, _long_and_short_ids, _gone, _away_in_between, _all_of_one_kind)
