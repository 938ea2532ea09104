"""What does the methodology say about this deal, as of a date?

``learn_scaling`` reads from the training deals what turns words into numbers (tier frequencies, levels, means);
``describe`` turns any valid deal table into arrays with it. *Unknown* has a code of its own everywhere.
"""

from winprob.features.columns import BLANK, NO_DATE
from winprob.features.description import Features, describe, effect_places
from winprob.features.learning import covariates, learn_scaling
from winprob.features.scaling import Field, Numeric, Scaling, empty_scaling

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
