"""Features of a deal as of a date, and the scaling that training deals fix for them.

``learn_scaling`` reads from the training deals what turns words into numbers (tier frequencies, levels, means);
``describe`` turns any valid deal table into arrays with it. *Unknown* has a code of its own everywhere.
"""

from winprob.model.features.columns import BLANK, NAMES, NO_DATE, numeric_values
from winprob.model.features.companion import TREE_DIMS, Companion, additive_part, require_trees, tree_inputs
from winprob.model.features.curves import TRANSFORMS, Bins, Curves
from winprob.model.features.description import Features, as_known, describe
from winprob.model.features.former import FORMER, former_column, read_between, with_former, without_former
from winprob.model.features.interactions import InteractionBasis
from winprob.model.features.learning import (
    alike_groups,
    covariates,
    deal_weights,
    learn_scaling,
    uses_seller_forecast,
)
from winprob.model.features.levels import (
    COACH_LEVELS,
    COVERAGE_LEVELS,
    METHOD_LEVELS,
    STAGE_STATES,
    WORDS,
    Layout,
    Word,
    split_words,
)
from winprob.model.features.readings import bin_moments
from winprob.model.features.scaling import Field, Numeric, Scaling, empty_scaling

__all__ = [
    "BLANK",
    "Bins",
    "COACH_LEVELS",
    "COVERAGE_LEVELS",
    "Companion",
    "Curves",
    "Features",
    "FORMER",
    "Field",
    "Layout",
    "METHOD_LEVELS",
    "NAMES",
    "NO_DATE",
    "Numeric",
    "InteractionBasis",
    "STAGE_STATES",
    "TRANSFORMS",
    "TREE_DIMS",
    "Scaling",
    "WORDS",
    "Word",
    "additive_part",
    "alike_groups",
    "as_known",
    "bin_moments",
    "covariates",
    "deal_weights",
    "describe",
    "empty_scaling",
    "former_column",
    "learn_scaling",
    "numeric_values",
    "read_between",
    "require_trees",
    "tree_inputs",
    "split_words",
    "uses_seller_forecast",
    "with_former",
    "without_former",
]
