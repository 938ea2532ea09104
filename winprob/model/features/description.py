"""Features: deals as arrays, by a scaling learned from the training deals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import SELLER_FORECAST, without_late_forecasts
from winprob.model.features import columns
from winprob.model.features.former import with_former
from winprob.model.features.interactions import interaction_features
from winprob.model.features.levels import WORDS
from winprob.model.features.readings import read_support, report_bias
from winprob.model.features.scaling import Scaling


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Deals as arrays, in the order of the table.

    Attributes
    ----------
    stage, coach, method, coverage : (deal,) codes, the last one *unknown*; coverage is the approver's
    readers : (deal, role) how many people's readings a support is based on, 0 = not reported
    reading, reading_variance : (deal, role) mean of a standard normal in the reported tiers, and what they hide
    report_bias : (deal,) how far the deal's seller reads above others, see ``unbiased``
    level : (deal, field) codes into all known levels end to end, then into ``unseen``; ``NO_LEVEL`` for none
    numeric : (deal, feature) of each column without bins the standardised value, then 1 where it is blank
    bin : (deal, column) codes into the bins of all columns end to end
    companion : (deal, booster) log-odds of each booster beyond what single covariates add
    pairs : (deal, component) coordinates of the deal's interactions of two facts
    waiting : (deal,) log-odds by how long the deal has been open since its reading, 0 where nothing is known of it
    quarter : (deal,) quarters since the first training quarter, ``NO_DATE`` without a date
    team : (deal, team column) codes into the teams that have role weights of their own, then into ``unseen_teams``
    unseen : (field, level) pairs that training never saw
    unseen_teams : the levels among them that are teams
    """

    stage: Array
    coach: Array
    method: Array
    coverage: Array
    readers: Array
    reading: Array
    reading_variance: Array
    report_bias: Array
    level: Array
    numeric: Array
    bin: Array
    pairs: Array
    companion: Array
    quarter: Array
    waiting: Array
    team: Array
    unseen: tuple[tuple[int, str], ...]
    unseen_teams: tuple[str, ...]
    ROW_ARRAYS: ClassVar[tuple[str, ...]] = (
        "stage",
        "coach",
        "method",
        "coverage",
        "readers",
        "reading",
        "reading_variance",
        "report_bias",
        "level",
        "numeric",
        "bin",
        "pairs",
        "companion",
        "quarter",
        "waiting",
        "team",
    )

    def __len__(self) -> int:
        return len(self.stage)

    def take(self, rows: Array | slice) -> Features:
        """The same description of some of the deals."""
        arrays = {name: getattr(self, name)[rows] for name in self.ROW_ARRAYS}
        return Features(**arrays, unseen=self.unseen, unseen_teams=self.unseen_teams)

    def join(self, other: Features) -> Features:
        """These deals, then the other ones; both described by one scaling, all levels known."""
        arrays = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.ROW_ARRAYS}
        return Features(**arrays, unseen=(), unseen_teams=())

    @property
    def team_code(self) -> Array:
        """(deal,) the code of its team; 0 where no column of teams is declared."""
        return np.asarray(self.team.sum(axis=1))

    @property
    def unbiased(self) -> Array:
        """(deal, role) readings without the seller's bias."""
        return np.asarray(self.reading - self.report_bias[:, None] * (self.readers > 0))

    @property
    def unknowns(self) -> Array:
        """(deal,) how many of nine facts are unknown: stage, coach, method, approver coverage, five supports."""
        words = [getattr(self, word.code) == len(word.levels) - 1 for word in WORDS]
        return np.asarray(np.sum(words, axis=0) + (self.readers == 0).sum(axis=1))


def as_known(deals: pd.DataFrame, scaling: Scaling) -> pd.DataFrame:
    """The deals with the names that the model knows, without sellers' forecasts of the day of the close or later.

    What was read under a former definition of a fact is a column of its own too, see ``former``.
    """
    # Without attributes: pandas copies them with every column that is taken from a frame.
    deals = deals.copy(deep=False)
    deals.attrs = {}
    used = {field.name for field in scaling.fields} | {column.name for column in scaling.numeric}
    known = without_late_forecasts(deals) if used.intersection(SELLER_FORECAST) else deals
    return with_former(columns.pseudonymise(known, scaling.salt), scaling.fields)


def describe(deals: pd.DataFrame, scaling: Scaling) -> Features:
    """Deals (valid, any outcome) as arrays."""
    deals = as_known(deals, scaling)
    readers, reading, variance = read_support(deals, scaling.tier_counts)
    level, unseen = columns.level_codes(deals, scaling.fields)
    team, unseen_teams = columns.team_codes(level, unseen, scaling.fields)
    numbers = columns.numeric_values(deals, scaling.numeric)
    return Features(
        **{word.code: columns.codes(deals, word.column, word.levels[:-1]) for word in WORDS},
        readers=readers,
        reading=reading,
        reading_variance=variance,
        report_bias=report_bias(deals, scaling.report_bias),
        level=level,
        numeric=columns.line_values(numbers, scaling.numeric),
        bin=(bins := columns.bin_codes(numbers, scaling.numeric)),
        pairs=_interactions(level, scaling),
        companion=_companion(level, bins, numbers, scaling),
        quarter=columns.quarter_codes(deals, scaling),
        waiting=np.zeros(len(deals), dtype=np.float32),
        team=team,
        unseen=unseen,
        unseen_teams=unseen_teams,
    )


def _companion(level: Array, bins: Array, numbers: Array, scaling: Scaling) -> Array:
    if scaling.companion is None:
        return np.zeros((len(level), 0), dtype=np.float32)
    return scaling.companion.beyond(level, bins, scaling.companion.inputs(level, numbers))


def _interactions(level: Array, scaling: Scaling) -> Array:
    if scaling.pairs is None:
        return np.zeros((len(level), 0), dtype=np.float32)
    return interaction_features(scaling.pairs, level, level < sum(len(field.levels) for field in scaling.fields))
