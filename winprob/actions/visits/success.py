"""How likely does a visit move a role one tier up? A beta by role and coverage, updated from past visits."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.methodology import COVERAGES, ROLES, SUPPORT_TIERS
from winprob.settings import VisitSettings

#: The states of coverage; the last is a blank.
STATES = (*COVERAGES, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """What is believed of the chance that a visit moves a role one tier up.

    Attributes
    ----------
    wins, losses : (role, state) the two parameters of each beta
    counted : visits it was updated with
    unjudged : visits left out, because the tier before or after is blank
    at_top : visits left out, because the role was at the top tier and could not rise
    """

    wins: Array
    losses: Array
    counted: int
    unjudged: int
    at_top: int

    @property
    def mean(self) -> Array:
        """(role, state)."""
        return np.asarray(self.wins / (self.wins + self.losses))

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """(role, state, draw) chances, each cell on its own, float32."""
        shape = (*self.wins.shape, count)
        return rng.beta(self.wins[:, :, None], self.losses[:, :, None], shape).astype(np.float32)


def learn_success(visits: pd.DataFrame | None, settings: VisitSettings) -> Success:
    """The beta of each role and coverage after these visits (valid), in closed form.

    A success is a tier after above the tier before. A visit counts for the role at the coverage it was made at; where
    the log does not say that, for the role at every coverage: coverages then differ by what was believed before.
    """
    prior = np.array([getattr(settings, role) for role in ROLES])
    wins, losses = settings.prior_sample_size * prior, settings.prior_sample_size * (1 - prior)
    if visits is None or visits.empty:
        return Success(wins=wins, losses=losses, counted=0, unjudged=0, at_top=0)
    blank = visits["tier_before"].isna() | visits["tier_after"].isna()
    top = ~blank & (visits["tier_before"] == SUPPORT_TIERS[-1])
    told = visits[~blank & ~top]
    won = (told["tier_after"] > told["tier_before"]).to_numpy()
    return Success(
        wins=wins + _counts(told[won]),
        losses=losses + _counts(told[~won]),
        counted=len(told),
        unjudged=int(blank.sum()),
        at_top=int(top.sum()),
    )


def _counts(visits: pd.DataFrame) -> Array:
    """(role, state) how many visits tell of each."""
    counts = np.zeros((len(ROLES), len(STATES)))
    role = pd.Index(ROLES).get_indexer(pd.Index(visits["role"]))
    state = pd.Index(STATES[:-1]).get_indexer(pd.Index(visits["coverage"]))
    known = state >= 0
    np.add.at(counts, (role[known], state[known]), 1)
    np.add.at(counts, role[~known], 1)
    return counts
