"""R-hat and effective sample size of many parameters at once, against ArviZ's of one."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from winprob.model.inference.convergence import rank_diagnostics

TAILS = (0.05, 0.95)


def draws_of(name: str, draws: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((4, draws, 70))
    if name == "independent":
        return noise
    if name == "heavy tails":
        return np.tan(noise)
    if name == "few values":
        return np.round(noise)
    walk = np.zeros_like(noise)
    keep = -0.6 if name == "antithetic" else 0.9
    for at in range(1, draws):
        walk[:, at] = keep * walk[:, at - 1] + noise[:, at]
    return walk + 2 * np.arange(4)[:, None, None] if name == "chains apart" else walk


@pytest.mark.parametrize("draws", [500, 374, 40])
@pytest.mark.parametrize("name", ["independent", "heavy tails", "few values", "sticky", "antithetic", "chains apart"])
def test_figures_are_those_of_arviz(name: str, draws: int) -> None:
    values = draws_of(name, draws)
    r_hat, bulk, tail = rank_diagnostics(values, TAILS)
    axes = {"chain_axis": 0, "draw_axis": 1}
    np.testing.assert_allclose(r_hat, array_stats.rhat(values, **axes), rtol=1e-9)
    np.testing.assert_allclose(bulk, array_stats.ess(values, method="bulk", **axes), rtol=1e-6)
    np.testing.assert_allclose(tail, array_stats.ess(values, method="tail", prob=TAILS, **axes), rtol=1e-6)


def test_an_odd_draw_is_left_out() -> None:
    values = draws_of("sticky", 401)
    for one, same in zip(rank_diagnostics(values, TAILS), rank_diagnostics(values[:, :400], TAILS), strict=True):
        np.testing.assert_array_equal(one, same)
