"""What would deals with known truth look like?

`simulate` draws the closed and open deals of a made-up team by exactly the process that the win model assumes:
latent support, readings whose reliability the coach decides, role weights that depend on the decision method.
`simulate_pipeline` lets such deals live from creation to close, as exports of any day would show them.
`Truth` holds the parameters; a few of them, neutral by default, break the model's assumptions on purpose.
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
