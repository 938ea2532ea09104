"""Whose support can rise? Where each role of a deal stands, and how far one tier up would move it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.methodology import ROLES, STAGES, plays
from winprob.model.features import Features, describe
from winprob.model.posterior import Posterior
from winprob.model.win.lifts import steps_up
from winprob.model.win.terms import Coefficients, coefficients

CAN_RISE, TOP_TIER, NOT_YET = "can_rise", "top_tier", "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Deals ready for a lift of any role.

    Attributes
    ----------
    by : the learned draws, laid out for these deals
    steps : (deal, role) how far one tier up moves true support; 0 where it cannot rise
    state : (deal, role) ``can_rise``, ``top_tier``, or ``not_yet`` where the method has the role come in later
    """

    by: Coefficients
    features: Features
    steps: Array
    state: Array


def stand(posterior: Posterior, valid: pd.DataFrame) -> Standing:
    """Where the roles of valid deals stand.

    A role nobody reports stands at its expected level; a role the method has come in at a later stage cannot rise
    yet, unless its support is reported.
    """
    features = describe(valid, posterior.scaling)
    expected = posterior.flat["unknown_support"].mean(axis=0, dtype=float)
    steps = steps_up(features, posterior.scaling, expected)
    state = np.where(steps > 0, CAN_RISE, TOP_TIER)
    state[_not_yet(features)] = NOT_YET
    return Standing(
        by=coefficients(posterior.flat, features, seed=posterior.provenance.seed),
        features=features,
        steps=np.where(state == CAN_RISE, steps, 0),
        state=state,
    )


def role_of(column: str) -> str:
    """The role whose support a column holds."""
    return column.removesuffix("_support")


def _not_yet(features: Features) -> Array:
    waits = np.zeros((len(STAGES) + 1, len(ROLES)), dtype=bool)
    for play in plays("chain", "not_yet"):
        for column in play.columns:
            waits[STAGES.index(play.of), ROLES.index(role_of(column))] = True
    return np.asarray(waits[features.stage] & (features.readers == 0))
