"""Audit rules on columns that give the outcome away: derived, filled by outcome or seller, too predictive."""

from collections.abc import Iterator
from math import comb

import numpy as np
import pandas as pd

from winprob.data import tables
from winprob.data.history.trail import Trail, at, covariates, ends_closed, ends_won, filled, last_open, learned
from winprob.data.schema import ID, Finding, Mask, mask_of
from winprob.i18n import gettext

#: Largest plausible AUC of a covariate, for at least this number of deals of either outcome.
_COVARIATE_AUC, _MANY = 0.9, 50
_LEAST_DEALS, _LEAST_WON = 12, 5
#: Filled less often than by the others by this share, and by this number of standard errors.
_GAP, _SIGMAS = 0.5, 4.5
#: This share of a seller's won deals first appears won, with less than this probability by chance.
_LATE, _CHANCE = 0.5, 1e-4


def _derived(trail: Trail) -> Iterator[Finding]:
    yield from tables.derived_covariates(covariates(trail))


def _filled_once_closed(trail: Trail) -> Iterator[Finding]:
    """Filled in closed deals, compared with each deal's last open row."""
    closed, is_open = trail.last & trail.closed, last_open(trail)
    for column in learned(trail):
        filled = trail.rows[column].notna().to_numpy()
        yield from tables.filled_late(column, filled, closed, is_open)


def _filled_by_outcome(trail: Trail) -> Iterator[Finding]:
    won = ends_won(trail)
    for rows in (trail.last & trail.closed, last_open(trail) & ends_closed(trail)):
        findings = [
            finding
            for column in learned(trail)
            for finding in tables.filled_for_won(column, trail.rows[column].notna().to_numpy(), rows & won, rows & ~won)
        ]
        if findings:
            # A column that gives the outcome away in open rows does so in closed rows too: report it once.
            yield from findings
            return


def _predicts_while_open(trail: Trail) -> Iterator[Finding]:
    """Columns whose values in open deals predict the outcome too well."""
    rows = last_open(trail) & ends_closed(trail)
    yield from _too_predictive(trail, rows, learned(trail))


def _predicts_once_closed(trail: Trail) -> Iterator[Finding]:
    """Columns that predict the outcome too well in closed deals only: not in training rows."""
    before = {finding.column for finding in _predicts_while_open(trail)}
    rows = trail.last & trail.closed
    yield from _too_predictive(trail, rows, tuple(name for name in learned(trail) if name not in before))


def _too_predictive(trail: Trail, rows: Mask, columns: tuple[str, ...]) -> Iterator[Finding]:
    places = np.flatnonzero(rows)
    won = ends_won(trail)[places]
    added = covariates(trail) if min(won.sum(), (~won).sum()) >= _MANY else ()
    for column in columns:
        limit = _COVARIATE_AUC if column in added else tables.TOO_GOOD_AUC
        everyone = np.ones(len(places), dtype=bool)
        yield from tables.predicts_alone(column, trail.rows[column].iloc[places], won, everyone, limit=limit)


def _forecast_set_at_close(trail: Trail) -> Iterator[Finding]:
    """A seller's forecast that holds the outcome while the deal is still open."""
    yield from tables.forecast_set_at_close(trail.rows, last_open(trail) & ends_closed(trail))


def _open_yet_closed(trail: Trail) -> Iterator[Finding]:
    odd = trail.open & trail.rows["closed_on"].notna().to_numpy()
    if odd.any():
        where = at(trail, odd, "closed_on")
        yield where.warning(
            gettext(
                "given for open deals in {rows} rows, first deal {deal} has {got}: an open deal has no closing day",
                **where.fields,
            )
        )


# ---- by seller -------------------------------------------------------------------------------------------------------


def _left_blank(trail: Trail) -> Iterator[Finding]:
    for seller, his, others in _by_seller(trail, last_open(trail)):
        if min(his.sum(), others.sum()) < _LEAST_DEALS:
            continue
        for column in (name for name in learned(trail) if name != "seller"):
            known = filled(trail, column)
            if _far_less(known[his], known[others]):
                yield Finding(
                    severity="warning",
                    column=column,
                    rows=int((his & ~known).sum()),
                    first_deal=_first_deal(trail, his & ~known),
                    message=gettext(
                        "seller {seller} fills it in for {his} of the deals, the others for {others}: a blank "
                        "identifies the seller",
                        seller=repr(seller),
                        his=f"{known[his].mean():.0%}",
                        others=f"{known[others].mean():.0%}",
                    ),
                )


def _far_less(his: Mask, others: Mask) -> bool:
    gap = others.mean() - his.mean()
    both = np.concatenate([his, others]).mean()
    chance = np.sqrt(both * (1 - both) * (1 / len(his) + 1 / len(others)))
    return bool(gap > _GAP and gap > _SIGMAS * chance)


def _entered_once_won(trail: Trail) -> Iterator[Finding]:
    won = mask_of(trail.rows["outcome"] == "won")
    # When a deal was entered is unknown for those closed before the history began.
    began = trail.of_deal(trail.first & (trail.snapshot == 0))
    came_won = trail.of_deal(trail.first & won)
    for seller, his, others in _by_seller(trail, trail.last & won & ~began):
        if his.sum() < _LEAST_WON or not others.any():
            continue
        share, rest = came_won[his].mean(), came_won[others].mean()
        late = his & came_won
        if share > _LATE and _at_least(int(late.sum()), int(his.sum()), float(rest)) < _CHANCE:
            yield Finding(
                severity="warning",
                column="seller",
                rows=int(late.sum()),
                first_deal=_first_deal(trail, late),
                message=gettext(
                    "{late} of {count} deals that seller {seller} won first appear won ({rest} of the others'): "
                    "entered after the win, so what was known before is not recorded",
                    late=int(late.sum()),
                    count=int(his.sum()),
                    seller=repr(seller),
                    rest=f"{rest:.0%}",
                ),
            )


def _at_least(hits: int, tries: int, chance: float) -> float:
    """Binomial probability of at least ``hits``."""
    return sum(comb(tries, k) * chance**k * (1 - chance) ** (tries - k) for k in range(hits, tries + 1))


def _by_seller(trail: Trail, rows: Mask) -> Iterator[tuple[str, Mask, Mask]]:
    """Each seller, the mask of his rows among ``rows``, and that of the other known sellers' rows."""
    if "seller" not in trail.rows:
        return
    codes, names = pd.factorize(trail.rows["seller"])
    known = rows & (codes >= 0)
    for code, name in enumerate(names):
        yield str(name), known & (codes == code), known & (codes != code)


def _first_deal(trail: Trail, rows: Mask) -> str:
    return str(trail.rows[ID].iloc[int(np.flatnonzero(rows)[0])])


GIVEAWAY_RULES = (
    _derived,
    _filled_once_closed,
    _filled_by_outcome,
    _predicts_while_open,
    _predicts_once_closed,
    _forecast_set_at_close,
    _open_yet_closed,
    _left_blank,
    _entered_once_won,
)
