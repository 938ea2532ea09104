"""What would deals with known truth look like?

`simulate` draws the closed and open deals of a made-up team by exactly the process that the win model assumes:
latent support, readings whose reliability the coach decides, role weights that depend on the decision method.
`Truth` holds the parameters; a few of them, neutral by default, break the model's assumptions on purpose.
"""

from __future__ import annotations

from winprob.simulation.files import read_truth, write_simulation
from winprob.simulation.team import AS_OF, Latent, Simulation, simulate
from winprob.simulation.truth import Truth

__all__ = ["AS_OF", "Latent", "Simulation", "Truth", "read_truth", "simulate", "write_simulation"]
