"""Sampling by NUTS (nutpie) from the fused density, as a C function: no interpreter between two steps."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.i18n import gettext
from winprob.model.win.density import Density
from winprob.model.win.geometry import Geometry
from winprob.settings import SamplerSettings

#: Called with the current step, in words, and how much of it is done, 0..1.
Progress = Callable[[str, float], None]

#: Milliseconds between two looks at the chains.
_LOOK = 25
#: Seconds without a word after which the sampler is asked whether it has ended, as it has where it failed.
_PATIENCE = 5.0
#: Points of each chain that later chains may start at.
_STARTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Result of NUTS.

    Attributes
    ----------
    points : (chain, draw, unknown) standard unknowns
    statistics : the sampler's own, dims (chain, draw)
    starts : (start, unknown) some of the points of all chains, in the sampler's coordinates
    """

    points: Array
    statistics: Any
    starts: Array


def sample(
    density: Density,
    sampler: SamplerSettings,
    *,
    seed: int,
    progress: Progress,
    enough: Callable[[Draws], bool],
    starts: Array | None = None,
) -> Draws:
    """Draws from a density, the same for a seed on however many cores.

    Chains are looked at after ``draws`` draws and each time their number has grown by half; they end when ``enough``
    accepts them, or with ``retry_draws``.

    Parameters
    ----------
    starts : as in ``Draws``, of an earlier run: each chain starts at one of these, which its seed picks
    """
    # nutpie takes a second to import, the density half a minute to compile, once on a machine: a command that fails on
    # its input should not wait for them.
    progress(gettext("preparing the sampler (half a minute the first time)"), 0.0)
    import nutpie

    from winprob.model.inference.whitening import find_geometry

    geometry = find_geometry(density)
    chains = _Chains(sampler, progress)
    run = nutpie.sample(
        _as_compiled(density, geometry, starts),
        draws=sampler.retry_draws,
        tune=sampler.tune,
        chains=sampler.chains,
        cores=sampler.chains,  # all at once: a chain that waits for another to end would wait for its last draw
        seed=seed,
        target_accept=sampler.target_accept,
        progress_bar=False,
        progress_callback=chains.report,
        progress_rate=_LOOK,
        save_warmup=False,
        blocking=False,
    )
    try:
        while True:
            chains.wait(run)
            draws = _first(run, chains.wanted, geometry)
            if enough(draws) or chains.wanted == sampler.retry_draws:
                progress(gettext("sampling"), 1.0)
                return draws
            chains.go_on(run)
    finally:
        run.cancel()


class _Chains:
    """How far the chains of a run have come, and how far they have to go before the next look."""

    def __init__(self, sampler: SamplerSettings, progress: Progress) -> None:
        self._sampler, self._progress = sampler, progress
        self._there = threading.Event()
        self.wanted = sampler.draws

    def report(self, chains: Any) -> None:
        """Called by the sampler from a thread of its own."""
        goal = self._sampler.tune + self.wanted
        done = [min(chain.finished_draws, goal) for chain in chains]
        self._progress(gettext("sampling"), sum(done) / (goal * self._sampler.chains))
        if len(done) == self._sampler.chains and min(done) >= goal:
            self._there.set()

    def wait(self, run: Any) -> None:
        """Until every chain has as many draws as wanted; then the run pauses."""
        while not self._there.wait(timeout=_PATIENCE) and not _finished(run):
            pass
        if not _finished(run):
            run.pause()

    def go_on(self, run: Any) -> None:
        """Want half as many again."""
        self.wanted = min(self.wanted * 3 // 2, self._sampler.retry_draws)
        self._there.clear()
        if not _finished(run):
            run.resume()


def _finished(run: Any) -> bool:
    try:
        return bool(run.is_finished)
    except TimeoutError:
        # On a busy machine the sampler may be too busy to answer.
        return False


def _first(run: Any, draws: int, geometry: Geometry) -> Draws:
    """The first draws of every chain of a run: how far a chain has come beyond them depends on the machine."""
    from winprob.model.inference.native import standard_points

    tree = run.inspect()
    points = tree["posterior"]["point"].isel(draw=slice(draws)).to_numpy()
    statistics = tree["sample_stats"].to_dataset().isel(draw=slice(draws))
    starts = points[:, :: -(-draws // _STARTS)].reshape(-1, points.shape[-1])
    return Draws(points=standard_points(points, geometry), statistics=statistics, starts=starts)


def _as_compiled(density: Density, geometry: Geometry, starts: Array | None) -> Any:
    """The density as nutpie takes one that it has compiled itself."""
    from nutpie.compile_pymc import CompiledPyMCModel

    from winprob.model.inference.native import addresses, density_at, keep_point

    size = density.unknowns

    def start(seed: Any) -> Array:
        rng = np.random.default_rng(seed)
        return rng.standard_normal(size) if starts is None else starts[rng.integers(len(starts))]

    return CompiledPyMCModel(
        dims={},
        compiled_logp_func=density_at,
        compiled_expand_func=keep_point,
        initial_point_func=start,
        # Kept as long as the sampler runs: the addresses in `user_data` point into it.
        shared_data={"density": density, "geometry": geometry},
        shared_var_keys={},
        user_data=addresses(density, geometry),
        n_expanded=size,
        shape_info=(["point"], [slice(0, size)], [(size,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=size,
        _shapes={"point": (size,)},
        _coords={},
    )
