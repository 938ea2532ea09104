"""Audit rules on identity: deals under two ids, deals that go missing, deals entered once they are won."""

from collections.abc import Iterator

import numpy as np

from winprob.data.history.trail import Trail, at, deals_in
from winprob.data.schema import ID, Finding, Mask, mask_of, spot, whole
from winprob.i18n import gettext

#: Two deals with fewer known cells than this may be alike by chance.
_CELLS = 5
#: Columns that two deals rarely share unless they are one deal.
_MARKS = ("account", "opened_on", "amount", "seller", "product")
_SHORT, _LONG = 15, 18
_MORE_WON = 0.4


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
    short = set(names[length == _SHORT])
    twice = trail.first & mask_of(length == _LONG) & mask_of(names.str.slice(0, _SHORT).isin(short))
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


IDENTITY_RULES = (_one_deal_twice, _long_and_short_ids, _gone, _away_in_between, _all_of_one_kind)
