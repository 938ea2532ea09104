"""Does a column give the outcome away? By its name, by being filled, or by telling won from lost too well."""

from collections.abc import Iterator

import numpy as np

from winprob.data.history.audit.columns import at, covariates, ends_closed, ends_won, last_open, learned
from winprob.data.history.trail import Trail
from winprob.data.schema import Finding
from winprob.data.tables import TOO_GOOD_AUC, derived_covariates, filled_for_won, filled_late, predicts_alone
from winprob.i18n import gettext

#: With so many deals of either outcome a covariate that tells them apart this well is too good to be true.
_COVARIATE_AUC, _MANY = 0.9, 50


def _derived(trail: Trail) -> Iterator[Finding]:
    yield from derived_covariates(covariates(trail))


def _filled_once_closed(trail: Trail) -> Iterator[Finding]:
    """Each deal as it stood when last open, against each closed deal as it stands at last."""
    closed, is_open = trail.last & trail.closed, last_open(trail)
    for column in learned(trail):
        filled = trail.rows[column].notna().to_numpy()
        yield from filled_late(column, filled, closed, is_open)


def _filled_by_outcome(trail: Trail) -> Iterator[Finding]:
    won = ends_won(trail)
    for rows in (trail.last & trail.closed, last_open(trail) & ends_closed(trail)):
        found = [
            finding
            for column in learned(trail)
            for finding in filled_for_won(column, trail.rows[column].notna().to_numpy(), rows & won, rows & ~won)
        ]
        if found:
            # What tells while deals are open tells afterwards too: once is enough.
            yield from found
            return


def _tells_before(trail: Trail) -> Iterator[Finding]:
    """What is known while deals are open tells their end: known too well to be true."""
    rows = last_open(trail) & ends_closed(trail)
    yield from _telling(trail, rows, learned(trail))


def _tells_afterwards(trail: Trail) -> Iterator[Finding]:
    """What tells the end only in closed deals: not in training rows, but in a table of closed deals."""
    before = {found.column for found in _tells_before(trail)}
    rows = trail.last & trail.closed
    yield from _telling(trail, rows, tuple(name for name in learned(trail) if name not in before))


def _telling(trail: Trail, rows: np.ndarray, columns: tuple[str, ...]) -> Iterator[Finding]:
    places = np.flatnonzero(rows)
    won = ends_won(trail)[places]
    added = covariates(trail) if min(won.sum(), (~won).sum()) >= _MANY else ()
    for column in columns:
        limit = _COVARIATE_AUC if column in added else TOO_GOOD_AUC
        everyone = np.ones(len(places), dtype=bool)
        yield from predicts_alone(column, trail.rows[column].iloc[places], won, everyone, limit=limit)


def _open_yet_closed(trail: Trail) -> Iterator[Finding]:
    odd = trail.open & trail.rows["closed_on"].notna().to_numpy()
    if odd.any():
        found = at(trail, odd, "closed_on")
        yield found.warning(
            gettext(
                "given for open deals in {rows} rows, first deal {deal} has {got}: the end is known", **found.fields
            )
        )


GIVEAWAY_RULES = (
    _derived,
    _filled_once_closed,
    _filled_by_outcome,
    _tells_before,
    _tells_afterwards,
    _open_yet_closed,
)
