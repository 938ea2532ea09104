"""A fitted model, as a command asks for it."""

from dataclasses import replace
from pathlib import Path

from winprob.model.posterior import Posterior


def load_model(path: Path, seed: int | None) -> Posterior:
    """The model in a file; with a ``seed``, what it must draw for things it never saw follows that one."""
    posterior = Posterior.load(path)
    return posterior if seed is None else replace(posterior, provenance=replace(posterior.provenance, seed=seed))
