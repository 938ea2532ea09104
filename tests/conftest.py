"""Models and deals that many tests share. Only ``learned`` samples; it belongs to the slow lane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import hypothesis
import numpy as np
import pandas as pd
import pytest

from winprob.features import Scaling, describe, learn_scaling
from winprob.inference import fit, fit_prior
from winprob.inference.fitting import _posterior, versions
from winprob.parameters import sample_prior
from winprob.posterior import Posterior, Provenance
from winprob.schema import validate_deals
from winprob.settings import Settings
from winprob.simulation import Simulation, simulate

hypothesis.settings.register_profile("winprob", derandomize=True, deadline=None, database=None, max_examples=40)
hypothesis.settings.load_profile("winprob")

#: A deal of which everything is known.
KNOWN = {
    "stage": "evaluation",
    "coach": "unvalidated",
    "decision_method": "executive",
    "approver_coverage": "contacted",
    "approver_support": 3.0,
    "decision_maker_support": 2.0,
    "evaluator_support": 3.0,
    "influencer_support": 4.0,
    "procurement_support": 1.0,
    "amount": 2e6,
    "segment": "finance",
    "seller": "S02",
    "as_of": "2026-05-04",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A real fit, the deals it learned from, and what is true of them."""

    team: Simulation
    posterior: Posterior


@pytest.fixture(scope="session")
def table() -> Callable[..., pd.DataFrame]:
    """``table(coach=["none", None])``: deals alike but for the columns named; None is blank."""

    def make(**columns: list[object]) -> pd.DataFrame:
        rows = max((len(values) for values in columns.values()), default=1)
        plain = {name: [value] * rows for name, value in KNOWN.items()}
        return pd.DataFrame({"deal_id": [f"D{at}" for at in range(rows)], **plain, **columns})

    return make


@pytest.fixture(scope="session")
def team() -> Simulation:
    return simulate(600, 40, seed=2026)


@pytest.fixture(scope="session")
def scaling(team: Simulation) -> Scaling:
    return learn_scaling(validate_deals(team.closed), Settings())


@pytest.fixture(scope="session")
def believed() -> Posterior:
    """The model that has seen no deal."""
    return fit_prior(seed=1)


@pytest.fixture(scope="session")
def posterior(team: Simulation, scaling: Scaling) -> Posterior:
    """Made by hand: a trained scaling with sellers, amounts and quarters; its draws come from the prior."""
    return make_posterior(team.closed, scaling)


def make_posterior(deals: pd.DataFrame, scaling: Scaling) -> Posterior:
    priors, rng = Settings().priors, np.random.default_rng(7)
    valid = validate_deals(deals)
    draws = sample_prior(scaling.layout, priors, 1000, rng)
    return _posterior(
        draws={name: values.reshape(4, 250, *values.shape[1:]) for name, values in draws.items()},
        prior=sample_prior(scaling.layout, priors, 500, rng),
        reference=(describe(valid, scaling), np.ones(len(valid))),
        scaling=scaling,
        settings=Settings(),
        provenance=Provenance(
            deals=len(valid),
            rows=len(valid),
            available=len(valid),
            counted=float(len(valid)),
            won=float((valid["outcome"] == "won").sum()),
            first_day="2024-07-01",
            last_day="2026-06-30",
            data_hash="0" * 64,
            seed=7,
            versions=versions(),
            gates={},
        ),
    )


@pytest.fixture(scope="session")
def learned() -> Learned:
    """The one real fit: a simulated team of 3,000 closed deals."""
    team = simulate(3000, 60, seed=11)
    return Learned(team=team, posterior=fit(team.closed, seed=3))
