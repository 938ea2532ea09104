"""What does the methodology say about this deal, as of a date?

``learn_scaling`` reads from the training deals what turns words into numbers (tier frequencies, levels, means);
``describe`` turns any valid deal table into arrays with it. *Unknown* has a code of its own everywhere.
"""

from winprob.model.features.columns import BLANK, NO_DATE
from winprob.model.features.description import Features, describe, effect_places
from winprob.model.features.learning import covariates, learn_scaling
from winprob.model.features.scaling import Field, Numeric, Scaling, empty_scaling

__all__ = [
    "BLANK",
    "NO_DATE",
    "Features",
    "Field",
    "Numeric",
    "Scaling",
    "covariates",
    "describe",
    "effect_places",
    "empty_scaling",
    "learn_scaling",
]
