"""What would the win probability be otherwise? One deal beside variants of itself, draw by draw on the same draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.methodology import ROLES
from winprob.model.draws import summarise
from winprob.model.posterior import Posterior
from winprob.model.prediction import draw_win_prob


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A quantity with its 90 % interval."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A win probability, and how far it lies from that of the deal as it stands."""

    chance: Estimate
    change: Estimate


def estimate(draws: Array) -> Estimate:
    """What (draw,) draws say."""
    mean, lower, upper = summarise(draws)
    return Estimate(mean=float(mean), lower=float(lower), upper=float(upper))


def contrasts(posterior: Posterior, deal: pd.DataFrame, others: Sequence[pd.DataFrame]) -> list[Contrast]:
    """Each of ``others`` (one row each) against ``deal`` (one row): its win probability, and the change to there."""
    now, *then = draw_each(posterior, [deal, *others])
    return [Contrast(chance=estimate(draws), change=estimate(draws - now)) for draws in then]


def draw_each(posterior: Posterior, deals: Sequence[pd.DataFrame]) -> Array:
    """(deal, draw) win probability of rows that may be readings of one deal, on common draws."""
    table = pd.concat(deals, ignore_index=True)
    # They are told apart by an id each: a deal table holds a deal once a day.
    table["deal_id"] = [str(at) for at in range(len(table))]
    return np.asarray(draw_win_prob(posterior, table), dtype=float)


def varied(deal: pd.DataFrame, facts: Mapping[str, object]) -> pd.DataFrame:
    """The deal with some facts otherwise. A support stands for all that is reported of its role."""
    readings = {f"{role}_readings": None for role in ROLES if f"{role}_support" in facts}
    new = {**facts, **{name: value for name, value in readings.items() if name in deal}}
    return deal.assign(**{name: pd.Series([value], index=deal.index) for name, value in new.items()})
