"""A role whose column is blank throughout never counts as learned, by its weight alone; a reported one may.

Real sampling of simulated teams; a different role is blanked in each.
"""

from __future__ import annotations

import numpy as np
import pytest

from winprob.methodology import ROLES
from winprob.model.inference import fit
from winprob.model.posterior import Posterior
from winprob.model.role_evidence import population_grades, role_readings, weight_prior_share
from winprob.settings import Settings
from winprob.simulation import simulate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
TEAMS = range(20)
LEARNED_BELOW = Settings().levers.learned_below


def without(role: str, *, deals: int, seed: int) -> Posterior:
    return fit(simulate(deals, 0, seed=seed).closed.assign(**{f"{role}_support": np.nan}), seed=seed)


@pytest.mark.long
def test_no_blanked_role_of_twenty_teams_counts_as_learned():
    """Not even without the rule that a role needs readings: by variances one weight in seven would have."""
    for seed in TEAMS:
        at = seed % len(ROLES)
        posterior = without(ROLES[at], deals=80, seed=seed)
        assert role_readings(posterior)[at] == 0
        assert population_grades(posterior)[at] == "not_in_deals"
        assert weight_prior_share(posterior, "role_weight_population")[at] > LEARNED_BELOW
        assert (weight_prior_share(posterior, "role_weight")[at] > LEARNED_BELOW).all()


def test_of_three_hundred_deals_reported_roles_are_learned_and_the_blanked_one_is_not():
    grades = [population_grades(without(ROLES[0], deals=300, seed=seed)) for seed in range(100, 103)]
    assert all(of_team[0] == "not_in_deals" for of_team in grades)
    assert 3 <= sum((of_team == "learned").sum() for of_team in grades) <= 12
