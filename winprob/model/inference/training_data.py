"""Training data: closed deals and censored observations as the model sees them, with the scaling learned from them."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import is_censored, is_closed, row_order, validate_deals
from winprob.model import features as encoding
from winprob.model.hazards import Hazards, learn_hazards, waiting_odds
from winprob.model.inference.boosting import folds_of, grow_companion, kept_monotone
from winprob.model.inference.stacking import stacked_weight
from winprob.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Closed deals as the model sees them, and those still open, whose wait is a censored observation.

    Attributes
    ----------
    closed : the deals, valid
    available : how many deals were closed, with those left out of a long history
    won : (deal,) whether each was won, 0 or 1
    weight : (deal,) weight of each row
    waiting : the deals that are still open, None where their wait is not informative
    """

    closed: pd.DataFrame
    available: int
    scaling: encoding.Scaling
    features: encoding.Features
    won: Array
    weight: Array
    waiting: Waiting | None = None

    @property
    def read_often(self) -> bool:
        """See ``is_read_often``."""
        return is_read_often(self.closed)

    @property
    def counted(self) -> float:
        """Number of closed deals with exact copies counted once; not the sum of the weights, which open deals share."""
        deals = len(self.closed) if self.waiting is None else len(self.closed) + len(self.waiting.rows)
        names = self.rows["deal_id"].nunique()
        return float(self.closed["deal_id"].nunique() * (self.weight * deals / names).mean())

    @property
    def rows(self) -> pd.DataFrame:
        """Closed and waiting rows end to end, in the order of ``evidence``."""
        return self.closed if self.waiting is None else pd.concat([self.closed, self.waiting.rows])

    def evidence(self) -> dict[str, Any]:
        """Closed and waiting rows end to end: ``features, won, weight, waiting_odds``, as the density takes them.

        There the companion is all of the trees' log-odds: see ``fitting.apart``.
        """
        waiting = self.waiting
        if waiting is None:
            return {"features": self._whole(self.features), "won": self.won, "weight": self.weight}
        return {
            "features": self._whole(self.features.join(waiting.features)),
            "won": np.concatenate([self.won, np.full(len(waiting.odds), np.nan)]),
            "weight": np.concatenate([self.weight, waiting.weight]),
            "waiting_odds": np.concatenate([np.ones(len(self.won)), waiting.odds]),
        }

    def _whole(self, features: encoding.Features) -> encoding.Features:
        if self.scaling.companion is None:
            return features
        single = self.scaling.companion.single(features.level, features.bin)
        return replace(features, companion=features.companion + single[:, None])

    def hash(self) -> str:
        """SHA-256 of all arrays but the companion, which is learned from the others with a seed."""
        digest = hashlib.sha256(np.ascontiguousarray(self.won).tobytes() + self.weight.tobytes())
        parts = [self.features]
        if self.waiting:
            digest.update(self.waiting.odds.tobytes() + self.waiting.weight.tobytes())
            parts.append(self.waiting.features)
        for features in parts:
            for name in (name for name in features.ROW_ARRAYS if name != "companion"):
                digest.update(np.ascontiguousarray(getattr(features, name)).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Readings of deals that have stayed open since.

    Attributes
    ----------
    rows : the readings, valid
    deals : how many deals there are
    weight : (row,) weight of each reading
    odds : (row,) likelihood of such a wait if the deal will be won, over that if not
    """

    rows: pd.DataFrame
    deals: int
    features: encoding.Features
    weight: Array
    odds: Array


def read_training(
    deals: pd.DataFrame,
    settings: Settings,
    *,
    seed: int = 0,
    one_outcome: bool = False,
    waiting_odds: Array | None = None,
) -> Training:
    """The closed and the informative open deals of a table, described by a scaling learned from them.

    Of more than ``sampler.most_deals`` deals that many are drawn at random, by ``seed``: more deals cost more time than
    they add precision (decision 011).

    Parameters
    ----------
    waiting_odds : (row,) likelihood of an open row's wait if the deal will be won, over that if not; a row of even odds
        is not informative and is left out, and so are all open rows without this

    Raises
    ------
    DealTableError
        The deals are not valid, none is closed, or all ended alike.
    """
    valid = validate_deals(deals, training=True, one_outcome=one_outcome)
    order = row_order(valid)
    odds = None if waiting_odds is None else waiting_odds[order]
    return training_from(valid.iloc[order], settings, seed=seed, waiting_odds=odds)


def training_from(
    valid: pd.DataFrame, settings: Settings, *, seed: int, waiting_odds: Array | None, salt: str = ""
) -> Training:
    """``read_training`` of deals that are validated for training and ``in_order``; ``salt`` as in ``Scaling``."""
    closed = is_closed(valid)
    odds = np.ones(len(valid)) if waiting_odds is None else waiting_odds
    informative = closed | (is_censored(valid) & (odds != 1))
    rows = informative.copy()
    rows[informative] = at_most(settings.sampler.most_deals, valid["deal_id"][informative], seed)
    known, odds, ended = valid[rows], odds[rows], closed[rows]
    weight = encoding.deal_weights(known, copies_count_once=settings.covariates.copies_count_once)
    scaling = encoding.learn_scaling(known, settings, salt=salt)
    features = encoding.describe(known, scaling)
    if settings.covariates.companion:
        scaling, features = _with_companion(known, ended, scaling, features, weight, settings, seed)
    waiting = Waiting(
        rows=known[~ended],
        deals=int(known["deal_id"][~ended].nunique()),
        features=features.take(~ended),
        weight=weight[~ended],
        odds=odds[~ended],
    )
    return Training(
        closed=known[ended],
        available=int(valid["deal_id"][closed].nunique()),
        scaling=scaling,
        features=features.take(ended),
        won=(known["outcome"][ended] == "won").to_numpy(dtype=float),
        weight=weight[ended],
        waiting=waiting if waiting.deals else None,
    )


def _with_companion(
    known: pd.DataFrame,
    ended: Array,
    scaling: encoding.Scaling,
    features: encoding.Features,
    weight: Array,
    settings: Settings,
    seed: int,
) -> tuple[encoding.Scaling, encoding.Features]:
    """Scaling and features with a companion grown on the closed deals, each deal by a booster that has not seen it.

    An open deal has not been seen by any booster: it gets their mean.
    """
    numbers = encoding.numeric_values(encoding.as_known(known, scaling), scaling.numeric)
    own, won = features.take(ended), (known["outcome"][ended] == "won").to_numpy(dtype=float)
    folds = folds_of(encoding.alike_groups(known[ended]), seed)
    grown = grow_companion(
        level=own.level,
        field_of_level=scaling.layout.field_of_level,
        bins=own.bin,
        bin_count=scaling.layout.sizes["bin"],
        numbers=numbers[ended],
        won=won,
        weight=weight[ended],
        folds=folds,
        names=scaling.columns,
        seed=seed,
        directions=[column.bins.direction if column.bins else 0 for column in scaling.numeric],
    )
    if grown is None:
        return scaling, features
    companion, cross_fitted = grown
    companion = kept_monotone(companion, [column.bins for column in scaling.numeric if column.bins])
    priors = settings.priors.with_deals(read_often=is_read_often(known[ended]))
    stacked = stacked_weight(own, scaling.layout, priors, won, weight[ended], folds, cross_fitted)
    if stacked is None:
        return scaling, features
    log_odds = companion.log_odds(companion.inputs(features.level, numbers)).mean(axis=1)
    log_odds[ended] = cross_fitted
    beyond = log_odds - companion.single(features.level, features.bin)
    columns = np.repeat(beyond[:, None], companion.boosters, axis=1).astype(np.float32)
    return replace(scaling, companion=replace(companion, weight=stacked)), replace(features, companion=columns)


def is_read_often(deals: pd.DataFrame) -> bool:
    """Whether deals have twice as many rows as there are deals, or more: those of a history, not of an export."""
    return len(deals) >= 2 * max(deals["deal_id"].nunique(), 1)


def at_most(most: int, deal_ids: pd.Series, seed: int) -> Array:
    """(row,) whether to keep it: all readings of at most ``most`` deals, drawn at random."""
    names = deal_ids.unique()
    if len(names) <= most:
        return np.ones(len(deal_ids), dtype=bool)
    chosen = np.random.default_rng([seed, 2]).choice(len(names), most, replace=False)
    return deal_ids.isin(names[chosen]).to_numpy()


def learn_time(valid: pd.DataFrame, settings: Settings, seed: int) -> Hazards | None:
    """The time to close, with as many draws as the win model will have, from as many deals at most."""
    sampler = settings.sampler
    draws = sampler.chains * sampler.kept
    known = valid[at_most(sampler.most_deals, valid["deal_id"], seed)]
    return learn_hazards(known, settings, draws=draws, seed=seed)


def odds_of_waiting(hazards: Hazards | None, valid: pd.DataFrame) -> Array | None:
    """(row,) likelihood of an open deal's wait if it will be won, over that if not; None without a time to close."""
    if hazards is None:
        return None
    censored = is_censored(valid)
    odds = np.ones(len(valid))
    odds[censored] = waiting_odds(hazards, valid[censored], known_on=dt.date.fromisoformat(hazards.known_on))
    return odds
