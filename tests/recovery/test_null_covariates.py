"""A column with many levels that tells nothing must not be learned from. Real sampling."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from winprob import fit, predict, simulate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LEVELS = 80


def with_noise(deals, seed):
    noisy = deals.assign(noise=[f"N{n}" for n in np.random.default_rng(seed).integers(0, LEVELS, len(deals))])
    noisy.attrs["covariates"] = {"varying": ["noise"], "numeric": []}
    return noisy


def test_eighty_levels_of_noise_cost_next_to_nothing_out_of_sample():
    team = simulate(500, 1, seed=5)
    fresh = simulate(4000, 1, seed=6, truth=team.truth).closed
    won = (fresh["outcome"] == "won").to_numpy()
    plain, noisy = fit(team.closed, seed=1), fit(with_noise(team.closed, 1), seed=1)
    without = log_loss(won, predict(plain, fresh)["mean"])
    with_it = log_loss(won, predict(noisy, with_noise(fresh, 2))["mean"])
    assert with_it < without + 0.005
    # The field's scale is pulled below what is believed of it at an effect scale of one.
    field = noisy.coords["field"].index("noise")
    scale = noisy.sel("offset_scale", field="noise")
    believed = noisy.prior["offset_scale"][:, field] / noisy.prior["effect_scale"]
    assert scale.mean() < 0.7 * believed.mean()
