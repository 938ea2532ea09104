"""Draws of a density that passed the convergence gates, or a refusal that keeps them for a later run."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from winprob.arrays import Array
from winprob.errors import NotConvergedError
from winprob.model.features import Scaling
from winprob.model.inference.columns_at_fault import not_converged
from winprob.model.inference.gates import Gates, measure_gates
from winprob.model.inference.sampling import Draws, Progress, sample
from winprob.model.inference.unfinished import Unfinished, checksum
from winprob.model.win.density import Density
from winprob.settings import SamplerSettings, Settings


def believable_draws(
    density: Density,
    parameters: Callable[[Array], dict[str, Array]],
    scaling: Scaling,
    settings: Settings,
    seed: int,
    progress: Progress,
    unfinished: Unfinished | None,
) -> tuple[Array, Gates]:
    """Points (chain, draw, unknown) that passed the gates; where some diverged, of a second run in shorter steps.

    Parameters
    ----------
    parameters : named parameters (chain, draw, *dims) of points
    unfinished : draws of an earlier run, which count too

    Raises
    ------
    InputError
        The unfinished run was over another density.
    NotConvergedError
        The draws failed their gates.
    """
    first = settings.sampler
    runs = [first, replace(first, target_accept=first.retry_target_accept, tune=2 * first.tune)]
    if unfinished:
        unfinished.require(density, first.chains)
        runs = [replace(first, target_accept=unfinished.target_accept)]
    for sampler in runs:
        draws, gates = _extended(density, sampler, parameters, settings, seed, progress, unfinished)
        if not gates.failures(settings.gates):
            step = draws.points.shape[1] // sampler.kept
            return draws.points[:, ::step][:, : sampler.kept], gates
        left = Unfinished(draws=draws, target_accept=sampler.target_accept, density=checksum(density))
        if curable := gates.curable(settings.gates):
            break
    raise NotConvergedError(not_converged(gates, settings, scaling), unfinished=left if curable else None)


def _extended(
    density: Density,
    sampler: SamplerSettings,
    parameters: Callable[[Array], dict[str, Array]],
    settings: Settings,
    seed: int,
    progress: Progress,
    unfinished: Unfinished | None,
) -> tuple[Draws, Gates]:
    """A run, with more draws of the same chains as long as these may pass the gates; after those of an earlier run."""
    measured: list[Gates] = []
    starts = None
    if unfinished:
        # Random numbers of its own: with those of the earlier run it would draw the same again.
        seed = int(np.random.SeedSequence([seed, unfinished.draws.points.shape[1]]).generate_state(1)[0])
        starts = unfinished.draws.starts

    def enough(draws: Draws) -> bool:
        whole = unfinished.joined(draws) if unfinished else draws
        measured.append(measure_gates(parameters(whole.points), whole.statistics))
        return not measured[-1].curable(settings.gates)

    draws = sample(density, sampler, seed=seed, progress=progress, enough=enough, starts=starts)
    return unfinished.joined(draws) if unfinished else draws, measured[-1]
