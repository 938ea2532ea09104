"""Simulate deals from known parameters.

`simulate` draws the closed and open deals of a simulated team from the generative process of the win model:
latent support, readings whose reliability depends on the coach, role weights that depend on the decision method.
`simulate_pipeline` simulates such deals from creation to close, and exports them as of any day.
`Truth` contains the parameters; a few of them, neutral by default, introduce misspecification.
"""

from winprob.simulation.files import read_truth, write_simulation
from winprob.simulation.pace import Pace
from winprob.simulation.pipeline import Pipeline, simulate_pipeline
from winprob.simulation.team import AS_OF, Latent, Simulation, simulate
from winprob.simulation.truth import Truth

__all__ = [
    "AS_OF",
    "Latent",
    "Pace",
    "Pipeline",
    "Simulation",
    "Truth",
    "read_truth",
    "simulate",
    "simulate_pipeline",
    "write_simulation",
]
