"""Lever eligibility: which roles of a deal can rise, and by how much one tier up moves their true support."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.methodology import ROLES, STAGES, plays
from winprob.model.features import Features
from winprob.model.posterior import Posterior
from winprob.model.waiting import describe_waiting
from winprob.model.win.lifts import steps_up
from winprob.model.win.terms import Coefficients, coefficients

CAN_RISE, TOP_TIER, NOT_YET = "can_rise", "top_tier", "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverEligibility:
    """Deals described for the model, with the step that each role can rise.

    Attributes
    ----------
    coefs : posterior draws of the coefficients, laid out for these deals
    features : the deals as arrays
    steps : (deal, role) change of true support by one tier up; 0 where the role cannot rise
    state : (deal, role) ``can_rise``, ``top_tier``, or ``not_yet`` where the method involves the role at a later stage
    """

    coefs: Coefficients
    features: Features
    steps: Array
    state: Array


def lever_eligibility(posterior: Posterior, valid: pd.DataFrame) -> LeverEligibility:
    """Which roles of valid deals can rise.

    An unreported role is taken at its posterior mean level. A role that the method involves at a later stage cannot
    rise yet, unless its support is reported.
    """
    features = describe_waiting(posterior, valid)
    expected = posterior.flat["unknown_support"].mean(axis=0, dtype=float)
    steps = steps_up(features, posterior.scaling, expected)
    state = np.where(steps > 0, CAN_RISE, TOP_TIER)
    state[_not_yet(features)] = NOT_YET
    return LeverEligibility(
        coefs=coefficients(posterior.flat, features, seed=posterior.provenance.seed),
        features=features,
        steps=np.where(state == CAN_RISE, steps, 0),
        state=state,
    )


def role_of(column: str) -> str:
    """The role of a support column."""
    return column.removesuffix("_support")


def _not_yet(features: Features) -> Array:
    """(deal, role) whether the method involves the role at a later stage and its support is unreported."""
    late = np.zeros((len(STAGES) + 1, len(ROLES)), dtype=bool)
    for play in plays("chain", "not_yet"):
        for column in play.columns:
            late[STAGES.index(play.of), ROLES.index(role_of(column))] = True
    return np.asarray(late[features.stage] & (features.readers == 0))
