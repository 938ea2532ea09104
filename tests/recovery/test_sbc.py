"""Is the inference right? Simulation-based calibration of the model, as ``benchmarks/sbc.py`` does it at length."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SIMULATIONS, DEALS = 200, 120


@pytest.fixture(scope="module")
def sbc():
    sys.path.insert(0, str(BENCHMARKS))
    yield import_module("sbc")
    sys.path.remove(str(BENCHMARKS))


def test_the_judge_passes_uniform_ranks_and_fails_others(sbc):
    rng = np.random.default_rng(1)
    step = 1 / sbc.RANKED
    uniform = pd.DataFrame(np.floor(rng.random((200, 40)) / (step / (1 + step))) * step).clip(upper=1)
    assert sbc.uniformity_tests(uniform)["p_adjusted"].min() > 0.01
    assert sbc.uniformity_tests(uniform.assign(low=uniform[0] ** 2))["p_adjusted"].min() < 0.001
    too_sure = uniform.assign(sure=np.where(rng.random(200) < 0.5, uniform[0] * 0.3, 1 - uniform[0] * 0.3))
    assert sbc.uniformity_tests(too_sure)["p_adjusted"].min() < 0.001


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_true_values_rank_anywhere_among_their_draws(sbc):
    """41 quantities with the log likelihood; outcomes from latent supports: the approximations are tried too."""
    table = sbc.uniformity_tests(sbc.rank_truths(SIMULATIONS, DEALS, seed=5, latent=True))
    print(sbc.results_table(table))
    assert table["p_adjusted"].min() > 0.01
    assert table["z"].abs().max() < 4
