"""Levels of the model's categorical facts, and the sizes that the training data give to the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from winprob.arrays import Array
from winprob.methodology import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES, STAGES
from winprob.model.features.curves import Curves

STAGE_STATES = (*STAGES, "unknown")
COACH_LEVELS = (*COACH_STATES, "unknown")
METHOD_LEVELS = (*DECISION_METHODS, "unknown")
COVERAGE_LEVELS = (*COVERAGES[1:], "unknown")


class Word(NamedTuple):
    """A categorical fact with a fixed set of levels.

    Attributes
    ----------
    column : its column in a deal table
    code : the array of ``Features`` that holds its codes
    dim : the dimension of its effects, and its word in the methodology
    levels : in the order of the codes, *unknown* last
    """

    column: str
    code: str
    dim: str
    levels: tuple[str, ...]


#: In the order in which ``Scaling.state_share`` holds their levels end to end.
WORDS = (
    Word("stage", "stage", "stage", STAGE_STATES),
    Word("approver_coverage", "coverage", "coverage", COVERAGE_LEVELS),
    Word("coach", "coach", "coach", COACH_LEVELS),
    Word("decision_method", "method", "decision_method", METHOD_LEVELS),
)


def split_words(shares: Array) -> dict[str, Array]:
    """The levels of all words, end to end, as an array for each word, by its column."""
    ends = np.cumsum([len(word.levels) for word in WORDS])[:-1]
    return dict(zip((word.column for word in WORDS), np.split(shares, ends), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Sizes and shares of the training data: how many levels, fields, numeric features, components and quarters.

    Attributes
    ----------
    field_of_level : (level,) the field each level belongs to
    quarter_share : (quarter,) share of the training weight, sums to 1; all 0 where no deal has a date
    state_share : (state,) share of the training weight in each level of the ``WORDS``, end to end
    level_share : (level,) the same for the levels of all fields
    unreported_share : (role, method) share in which the role's support is not reported
    curves : the bins of numeric columns, and the basis of their effects
    fields, features, components, companions : how many fields, numeric features in a straight line, components of
        interactions, and companions (0 or 1)
    companion_weight : mean and sd of its weight, which is positive
    teams, team_columns : how many teams have role weights of their own, and the columns that name them (0 or 1)
    """

    field_of_level: Array
    quarter_share: Array
    state_share: Array
    level_share: Array
    unreported_share: Array
    curves: Curves
    fields: int
    features: int
    components: int
    companions: int
    companion_weight: tuple[float, float]
    teams: int = 0
    team_columns: int = 0

    @property
    def sizes(self) -> dict[str, int]:
        """Length of every dimension of the parameters."""
        return {
            **{word.dim: len(word.levels) for word in WORDS},
            "role": len(ROLES),
            "level": len(self.field_of_level),
            "field": self.fields,
            "feature": self.features,
            "bin": len(self.curves.basis),
            "column": self.curves.columns,
            "companion": self.companions,
            "component": self.components,
            "quarter": len(self.quarter_share),
            "team": self.teams,
            "team_column": self.team_columns,
        }

    @property
    def shares(self) -> Mapping[str, Array]:
        """Share of the training weight in each level, by the array of ``Features`` that holds the codes."""
        words = split_words(self.state_share)
        return {"level": self.level_share, **{word.code: words[word.column] for word in WORDS}}
