"""When a deal closes: probability of being won by a day, still open on a day, and slipped past the seller's date.

Combines the win model and the hazards draw by draw. With p the probability of winning given that the deal was open at
its reading, and S the survival function of each end: a deal open on day D is won by day q with probability
``p (S_won(D) - S_won(q)) / (p S_won(D) + (1 - p) S_lost(D))``.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array, in_blocks
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError, UndatedError
from winprob.i18n import gettext
from winprob.model.draws import sorted_tails, to_win_prob
from winprob.model.features import Features, describe
from winprob.model.hazards import BLOCK, NEVER, DealHazards, days, hazards_of
from winprob.model.posterior import Posterior
from winprob.model.win.terms import Coefficients, coefficients, logits

_EPOCH = dt.date(1970, 1, 1)
_COLUMNS = ("mean", "lower", "upper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Posterior draws for some deals, (deal, draw).

    Attributes
    ----------
    win_prob : probability of being won eventually, given that the deal is open on the day that knowledge ends
    ahead : (end, deal, draw) cumulative hazard from that day to the day asked about
    """

    win_prob: Array
    ahead: Array

    def won_by(self) -> Array:
        """Probability of being won by the day asked about."""
        return np.asarray(self.win_prob * -np.expm1(-self.ahead[0]))

    def still_open(self) -> Array:
        """Probability of being open at the end of the day asked about."""
        survival = np.exp(-self.ahead)
        return np.asarray(self.win_prob * survival[0] + (1 - self.win_prob) * survival[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """Inputs of the outlook of all deals in a table, computed in blocks of deals.

    Attributes
    ----------
    known, asked : (deal,) days since 1970: the day that knowledge ends, and the day asked about
    """

    coefs: Coefficients
    features: Features
    hazards: DealHazards
    known: Array
    asked: Array

    def of(self, rows: slice) -> Outlook:
        """The outlook of some deals."""
        known, asked = self.known[rows], self.asked[rows]
        log_odds = logits(self.coefs, self.features.take(rows))
        ahead = self.hazards.cumulative(rows, np.maximum(asked, known))
        if (known > self.hazards.read[rows]).any():
            behind = self.hazards.cumulative(rows, known)
            log_odds += _recycled(behind[1] - behind[0], log_odds.shape[1])
            ahead = np.maximum(ahead - behind, 0)
        return Outlook(win_prob=to_win_prob(log_odds), ahead=_recycled(ahead, log_odds.shape[1]))

    def map_blocks(self, summarise: Callable[[Outlook], Array]) -> Array:
        """``summarise`` of every deal, over threads; the table must not be empty."""
        return np.concatenate(in_blocks(len(self.asked), BLOCK, lambda rows: summarise(self.of(rows))))


def _recycled(values: Array, draws: int) -> Array:
    """Draws recycled to the number of the win model's; the two posteriors are independent, so any pairing is valid."""
    count = values.shape[-1]
    return values if count == draws else np.take(values, np.arange(draws) % count, axis=-1)


def outlooks(posterior: Posterior, deals: pd.DataFrame, asked: Array, as_of: dt.date | None) -> Outlooks:
    """The outlook of valid deals at a day each (days since 1970).

    A deal is known to have been open from its reading until ``as_of``; until its reading where that is later, or where
    no day is given.

    Raises
    ------
    UndatedError
        The model has no time-to-close part.
    DealTableError
        A reading has no date.
    """
    if posterior.hazards is None:
        raise UndatedError(
            gettext(
                "this model predicts whether a deal is won, not by when: its training deals had too few reading dates "
                "('as_of') and closing dates ('closed_on'). Train it on deals that have both."
            )
        )
    today = NEVER if as_of is None else (as_of - _EPOCH).days
    read = days(deals, "as_of")
    read = np.where(read == NEVER, today, read)
    _require_days(deals, read)
    features = describe(deals, posterior.scaling)
    dated = deals.assign(as_of=read.astype("datetime64[D]").astype("datetime64[us]"))
    return Outlooks(
        coefs=coefficients(posterior.flat, features, seed=posterior.provenance.seed),
        features=features,
        hazards=hazards_of(posterior.hazards, dated, read),
        known=np.maximum(read, today),
        asked=asked,
    )


def _require_days(deals: pd.DataFrame, read: Array) -> None:
    missing = read == NEVER
    if missing.any():
        raise DealTableError(
            gettext(
                "'as_of' (the reading date) is blank in {rows} rows, first deal {deal!r}. Fill it in, or give the day "
                "on which knowledge ends.",
                rows=int(missing.sum()),
                deal=deals["deal_id"].to_numpy()[missing][0],
            )
        )


def draw_win_prob_by(posterior: Posterior, deals: pd.DataFrame, day: dt.date, *, as_of: dt.date | None = None) -> Array:
    """(deal, draw) probability, float32, of being won by the end of ``day``, given that the deal is open on ``as_of``.

    Parameters
    ----------
    as_of : the day that knowledge ends; the date of the deal's reading by default, and where that is later

    Raises
    ------
    DealTableError
        The frame is not a valid deal table, or a reading has no date.
    UndatedError
        The model has no time-to-close part.
    """
    return _draw(posterior, deals, day, as_of, Outlook.won_by)


def draw_open_prob_at(
    posterior: Posterior, deals: pd.DataFrame, day: dt.date, *, as_of: dt.date | None = None
) -> Array:
    """(deal, draw) probability, float32, of being open at the end of ``day``; see ``draw_win_prob_by``."""
    return _draw(posterior, deals, day, as_of, Outlook.still_open)


def _draw(
    posterior: Posterior, deals: pd.DataFrame, day: dt.date, as_of: dt.date | None, quantity: Callable[[Outlook], Array]
) -> Array:
    valid = validate_deals(deals)
    if valid.empty:
        return np.empty((0, len(posterior.flat["intercept"])), dtype=np.float32)
    return outlooks(posterior, valid, same_day(valid, day), as_of).map_blocks(quantity)


def same_day(deals: pd.DataFrame, day: dt.date) -> Array:
    """(deal,) the same day for all deals, in days since 1970."""
    return np.full(len(deals), (dt.date(day.year, day.month, day.day) - _EPOCH).days)


def win_prob_by(
    posterior: Posterior, deals: pd.DataFrame, day: dt.date, *, as_of: dt.date | None = None
) -> pd.DataFrame:
    """Probability that each deal is won by the end of ``day``, given that it is open on ``as_of``.

    Returns
    -------
    DataFrame, the index of ``deals``, with columns ``deal_id, mean, lower, upper`` (0..1; 90 % equal-tailed interval of
    the probability)

    Raises
    ------
    DealTableError
        The frame is not a valid deal table, or a reading has no date and ``as_of`` is not given.
    UndatedError
        The model has no time-to-close part.
    """
    valid = validate_deals(deals)
    result = pd.DataFrame(_won_by(posterior, valid, day, as_of), columns=_COLUMNS, index=deals.index)
    result.insert(0, "deal_id", valid["deal_id"])
    return result


def _won_by(posterior: Posterior, valid: pd.DataFrame, day: dt.date, as_of: dt.date | None) -> Array:
    """(deal, 3) mean, lower, upper."""
    if valid.empty:
        return np.empty((0, 3))
    return outlooks(posterior, valid, same_day(valid, day), as_of).map_blocks(_won_by_summary)


def _won_by_summary(outlook: Outlook) -> Array:
    chance = outlook.won_by()
    mean = chance.mean(axis=1, dtype=np.float64)
    lower, upper = sorted_tails(chance)
    return np.stack([mean, lower, upper], axis=1)


def slip_prob(posterior: Posterior, deals: pd.DataFrame, *, as_of: dt.date | None = None) -> pd.Series:
    """(deal,) probability that a deal is open after the seller's ``expected_close_on``; 1 where that has passed.

    Missing where the seller gave no date. The index of ``deals``; raises as ``win_prob_by``.
    """
    return pd.Series(_slips(posterior, validate_deals(deals), as_of), index=deals.index, name="slip_prob")


def _slips(posterior: Posterior, valid: pd.DataFrame, as_of: dt.date | None) -> Array:
    expected = days(valid, "expected_close_on")
    slips = np.full(len(valid), np.nan)
    dated = np.flatnonzero(expected != NEVER)
    if len(dated):
        table = outlooks(posterior, valid.iloc[dated], expected[dated], as_of)
        slips[dated] = table.map_blocks(lambda outlook: outlook.still_open().mean(axis=1, dtype=np.float64))
    return slips


def add_timing(chances: pd.DataFrame, posterior: Posterior, deals: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """Predictions of the same deals extended by ``won_by, won_by_lower, won_by_upper`` and ``slip_prob``."""
    valid = validate_deals(deals)
    mean, lower, upper = _won_by(posterior, valid, day, None).T
    slips = _slips(posterior, valid, None)
    return chances.assign(won_by=mean, won_by_lower=lower, won_by_upper=upper, slip_prob=slips)
