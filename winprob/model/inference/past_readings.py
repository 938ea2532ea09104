"""What a fitted model expected of its own past readings until the end of their quarter, and what came.

From many readings of each deal (a history) the time to close is recalibrated, see ``hazards.recalibration``.
"""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd

from winprob.arrays import Array, in_blocks
from winprob.data.schema import is_closed
from winprob.model.draws import to_win_prob
from winprob.model.features import describe
from winprob.model.hazards import BLOCK, NEVER, Hazards, days, hazards_of, observed_until
from winprob.model.hazards.recalibration import LOST, OPEN, WON, PastReadings, learn_recalibration
from winprob.model.hazards.spans import NO_SEASON, ordinal, spans_between
from winprob.model.posterior import Posterior
from winprob.model.win.terms import coefficients, logits
from winprob.settings import CalendarSettings

#: Readings, at most, evenly spaced: four numbers are learned.
_ROWS = 6000
#: Days; no quarter is longer.
_YEAR = 366


def recalibrated(posterior: Posterior, deals: pd.DataFrame, *, seed: int) -> Hazards | None:
    """The time-to-close model, recalibrated by the readings (valid, in order) of a history.

    As it is where every deal has one reading: without the readings of deals that were slow the past looks quick.
    """
    hazards = posterior.hazards
    if hazards is None or not deals["deal_id"].duplicated().any():
        return hazards
    known_on = ordinal(dt.date.fromisoformat(hazards.known_on))
    asked = quarter_ends(days(deals, "as_of"), hazards.calendar)
    came = came_to(deals, asked, known_on)
    rows = np.flatnonzero(came >= 0)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(_ROWS, len(rows))).astype(int))]
    some, ended = deals.iloc[rows], came[rows] != OPEN
    if some["deal_id"][ended].nunique() < posterior.settings.timing.least_closed:
        return hazards
    past = PastReadings(
        win_prob=np.clip(_win_prob(posterior, some), 1e-6, 1 - 1e-6),
        hazard=_hazard_until(hazards, some, asked[rows]),
        weeks=(asked[rows] - days(some, "as_of")) / 7,
        came=came[rows],
        deal=some["deal_id"].factorize()[0],
    )
    parts = learn_recalibration(past, len(hazards.draws["since"]), np.random.default_rng([seed, 8]))
    return replace(hazards, draws={**hazards.draws, "recalibration": parts}, recalibrated=True)


def _win_prob(posterior: Posterior, deals: pd.DataFrame) -> Array:
    """(row,) mean probability of being won eventually, whatever is known of the end."""
    features = describe(deals, posterior.scaling)
    coefs = coefficients(posterior.flat, features, seed=posterior.provenance.seed)

    def means(rows: slice) -> Array:
        return np.asarray(to_win_prob(logits(coefs, features.take(rows))).mean(axis=1, dtype=np.float64))

    return np.concatenate(in_blocks(len(deals), BLOCK, means))


def _hazard_until(hazards: Hazards, deals: pd.DataFrame, until: Array) -> Array:
    """(end, row) the cumulative hazard whose chance of an end is the mean over the draws."""
    table = hazards_of(hazards, deals, days(deals, "as_of"))

    def mean_survival(rows: slice) -> Array:
        return np.asarray(np.exp(-table.cumulative(rows, until[rows])).mean(axis=2, dtype=np.float64))

    survival = np.concatenate(in_blocks(len(deals), BLOCK, mean_survival), axis=1)
    return np.asarray(-np.log(np.clip(survival, 1e-9, 1 - 1e-9)))


def quarter_ends(read: Array, calendar: CalendarSettings) -> Array:
    """(row,) last day of the fiscal quarter of each reading (days since 1970), ``NEVER`` without a quarter."""
    known = read != NEVER
    if not known.any():
        return np.full(len(read), NEVER)
    spans = spans_between(int(read[known].min()), int(read.max()) + _YEAR, calendar)
    place, ends = spans.place(read), np.append(spans.starts[1:] - 1, NEVER)
    return np.where(known & (spans.seasons[place] != NO_SEASON), ends[place], NEVER)


def came_to(deals: pd.DataFrame, asked: Array, known_on: int) -> Array:
    """(row,) ``WON``, ``LOST`` or ``OPEN`` on the day asked about, -1 where that is not known."""
    closed_on = days(deals, "closed_on")
    ended = is_closed(deals) & (closed_on != NEVER)
    known = (asked != NEVER) & (asked <= known_on) & (asked > days(deals, "as_of"))
    won = (deals["outcome"] == "won").to_numpy()
    came = np.where(ended & (closed_on <= asked), np.where(won, WON, LOST), OPEN)
    seen = ended | (~is_closed(deals) & (observed_until(deals, known_on) >= asked))
    return np.where(known & seen, came, -1)
