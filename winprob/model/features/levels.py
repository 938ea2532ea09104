"""Levels of the model's facts, and the layout of its unknowns: how many of each, and where each block is."""

from dataclasses import dataclass

import numpy as np

from winprob.arrays import Array
from winprob.methodology import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES, STAGES

STAGE_STATES = (*STAGES, "unknown")
COACH_LEVELS = (*COACH_STATES, "unknown")
METHOD_LEVELS = (*DECISION_METHODS, "unknown")
COVERAGE_LEVELS = (*COVERAGES[1:], "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How many levels, fields, numeric features, pair components and quarters there are.

    Attributes
    ----------
    field_of_level : (level,) the field each level belongs to
    quarter_share : (quarter,) share of the training weight, sums to 1; all 0 where no deal has a date
    state_share : (state,) share of the training weight in each state of stage, coverage, coach and method, end to end
    level_share : (level,) the same for the levels of all fields
    unreported_share : (role, method) share in which the role's support is not reported
    fields, features, components : how many of each there are
    """

    field_of_level: Array
    quarter_share: Array
    state_share: Array
    level_share: Array
    unreported_share: Array
    fields: int
    features: int
    components: int

    @property
    def unit_blocks(self) -> dict[str, slice]:
        """Where each block of standard normal unknowns lies."""
        return block_slices(
            intercept=1,
            effect_scale=1,
            stage_unknown=1,
            coverage_unknown=1,
            coach=len(COACH_LEVELS),
            decision_method=len(METHOD_LEVELS),
            unknown_support=len(ROLES),
            deviation=len(ROLES) * len(METHOD_LEVELS),
            field_deviation=self.fields,
            offset=len(self.field_of_level),
            numeric=self.features,
            pair=self.components,
            drift=len(self.quarter_share),
        )

    @property
    def positive_blocks(self) -> dict[str, slice]:
        """Where each block of standard half-normal unknowns lies."""
        return block_slices(
            stage_step=len(STAGES) - 1,
            coverage_step=len(COVERAGES) - 2,
            role_weight=len(ROLES),
            method_spread=1,
            offset_scale=1,
            numeric_scale=1,
            pair_scale=1,
            drift_scale=1,
        )


def block_slices(**lengths: int) -> dict[str, slice]:
    ends = np.cumsum(list(lengths.values())).tolist()
    return {name: slice(end - length, end) for (name, length), end in zip(lengths.items(), ends, strict=True)}
