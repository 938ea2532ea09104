"""Won by a day, still open on a day: probabilities draw by draw, from the win model and the hazards together.

With p the probability of winning, given that the deal was open when it was read, and S the chance of staying open so
long if it will be won or lost: a deal open on day D is won by day q with probability
``p (S_won(D) - S_won(q)) / (p S_won(D) + (1 - p) S_lost(D))``.
"""

import datetime as dt
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError, UndatedError
from winprob.i18n import gettext
from winprob.model.draws import to_win_prob
from winprob.model.features import Features, describe
from winprob.model.hazards import BLOCK, NEVER, Paces, days, lay_out
from winprob.model.posterior import Posterior
from winprob.model.win.terms import Coefficients, coefficients, logits

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Some deals on the days that matter, (deal, draw).

    Attributes
    ----------
    win_prob : probability of being won eventually, given that the deal is open on the day that knowledge ends
    ahead : (end, deal, draw) hazard cumulated from that day to the day asked for
    """

    win_prob: Array
    ahead: Array

    def won_by(self) -> Array:
        """Won by the day asked for."""
        return np.asarray(self.win_prob * -np.expm1(-self.ahead[0]))

    def still_open(self) -> Array:
        """Open at the end of the day asked for."""
        stays = np.exp(-self.ahead)
        return np.asarray(self.win_prob * stays[0] + (1 - self.win_prob) * stays[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """All that the outlook of a table's deals needs: each block of deals is then worked out on its own.

    Attributes
    ----------
    known, asked : (deal,) days since 1970: when knowledge ends, and what is asked for
    """

    coefficients: Coefficients
    features: Features
    paces: Paces
    known: Array
    asked: Array

    def of(self, rows: slice) -> Outlook:
        """The outlook of some deals."""
        read, known, asked = self.paces.read[rows], self.known[rows], self.asked[rows]
        log_odds = logits(self.coefficients, self.features.take(rows))
        if (known > read).any():
            won, lost = self.paces.cumulated(rows, read, known)
            log_odds += _matched(lost - won, log_odds.shape[1])
        ahead = self.paces.cumulated(rows, known, asked)
        return Outlook(win_prob=to_win_prob(log_odds), ahead=_matched(ahead, log_odds.shape[1]))


def _matched(values: Array, draws: int) -> Array:
    """As many draws as the win model has: they come from two posteriors, and any pairing is a draw of both."""
    had = values.shape[-1]
    return values if had == draws else np.take(values, np.arange(draws) % had, axis=-1)


def outlooks(posterior: Posterior, deals: pd.DataFrame, asked: Array, as_of: dt.date | None) -> Outlooks:
    """The outlook of deals (valid) on a day each (days since 1970).

    A reading counts from its own day; a deal is known to have stayed open until ``as_of``, or, where its reading is
    younger or no day is given, until its reading.

    Raises
    ------
    UndatedError
        The model has learned nothing of time.
    DealTableError
        A reading has no day.
    """
    if posterior.hazards is None:
        raise UndatedError(
            gettext(
                "this model predicts whether a deal is won, not by when: its training deals had too few reading "
                "dates ('as_of') and closing dates ('closed_on'). Train it on deals that have both."
            )
        )
    today = NEVER if as_of is None else (as_of - _EPOCH).days
    read = days(deals, "as_of")
    read = np.where(read == NEVER, today, read)
    _require_days(deals, read)
    features = describe(deals, posterior.scaling)
    return Outlooks(
        coefficients=coefficients(posterior.flat, features, seed=posterior.provenance.seed),
        features=features,
        paces=lay_out(
            posterior.hazards, deals.assign(as_of=read.astype("datetime64[D]").astype("datetime64[us]")), read
        ),
        known=np.maximum(read, today),
        asked=asked,
    )


def _require_days(deals: pd.DataFrame, read: Array) -> None:
    missing = read == NEVER
    if missing.any():
        raise DealTableError(
            gettext(
                "'as_of' (the reading date) is blank in {rows} rows, first deal {deal!r}. Fill it in, or give the "
                "day on which knowledge ends.",
                rows=int(missing.sum()),
                deal=deals["deal_id"].to_numpy()[missing][0],
            )
        )


def in_blocks(outlooks: Outlooks, work: Callable[[Outlook], Array]) -> Array:
    """``work`` on blocks of deals, on every core, laid end to end."""
    starts = range(0, len(outlooks.asked), BLOCK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(lambda start: work(outlooks.of(slice(start, start + BLOCK))), starts)))


def draw_win_prob_by(posterior: Posterior, deals: pd.DataFrame, day: dt.date, *, as_of: dt.date | None = None) -> Array:
    """(deal, draw) probability, float32, of being won by the end of ``day``, given that the deal is open on ``as_of``.

    Parameters
    ----------
    as_of : the day knowledge ends; a deal's reading by default, and where that is younger

    Raises
    ------
    DealTableError
        The frame is not a valid deal table, or a reading has no day.
    UndatedError
        The model has learned nothing of time.
    """
    return _drawn(posterior, deals, day, as_of, Outlook.won_by)


def draw_open_prob_at(
    posterior: Posterior, deals: pd.DataFrame, day: dt.date, *, as_of: dt.date | None = None
) -> Array:
    """(deal, draw) probability, float32, of being open at the end of ``day``; see ``draw_win_prob_by``."""
    return _drawn(posterior, deals, day, as_of, Outlook.still_open)


def _drawn(
    posterior: Posterior, deals: pd.DataFrame, day: dt.date, as_of: dt.date | None, work: Callable[[Outlook], Array]
) -> Array:
    valid = validate_deals(deals)
    if valid.empty:
        return np.empty((0, len(posterior.flat["intercept"])), dtype=np.float32)
    return in_blocks(outlooks(posterior, valid, same_day(valid, day), as_of), work)


def same_day(deals: pd.DataFrame, day: dt.date) -> Array:
    """(deal,) one day for all, days since 1970."""
    return np.full(len(deals), (dt.date(day.year, day.month, day.day) - _EPOCH).days)
