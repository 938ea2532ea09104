"""Sampling by NUTS (nutpie) from the fused density, as a C function: no interpreter between two steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.i18n import gettext
from winprob.model.win.density import Density
from winprob.settings import SamplerSettings

#: Called with the current step, in words, and how much of it is done, 0..1.
Progress = Callable[[str, float], None]

_START_HALF_NORMAL = -0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Result of NUTS.

    Attributes
    ----------
    points : (chain, draw, unknown) in the unconstrained space
    statistics : the sampler's own, dims (chain, draw)
    """

    points: Array
    statistics: Any


def sample(density: Density, sampler: SamplerSettings, *, seed: int, progress: Progress) -> Draws:
    """Draws from a density, the same for a seed on however many cores."""
    # nutpie takes a second to import, the density half a minute to compile, once on a machine: a command that fails on
    # its input should not wait for them.
    progress(gettext("preparing the sampler (half a minute the first time)"), 0.0)
    import nutpie

    total = sampler.chains * (sampler.tune + sampler.draws)

    def report(chains: Any) -> None:
        progress(gettext("sampling"), sum(chain.finished_draws for chain in chains) / total)

    compiled = _as_compiled(density)
    progress(gettext("sampling"), 0.0)
    tree = nutpie.sample(
        compiled,
        draws=sampler.draws,
        tune=sampler.tune,
        chains=sampler.chains,
        seed=seed,
        target_accept=sampler.target_accept,
        progress_bar=False,
        progress_callback=report,
        save_warmup=False,
    )
    progress(gettext("sampling"), 1.0)
    return Draws(points=tree["posterior"]["point"].to_numpy(), statistics=tree["sample_stats"])


def _as_compiled(density: Density) -> Any:
    """The density as nutpie takes one that it has compiled itself."""
    from nutpie.compile_pymc import CompiledPyMCModel

    from winprob.model.inference.native import addresses, density_at, keep_point

    size = density.unknowns
    return CompiledPyMCModel(
        dims={},
        compiled_logp_func=density_at,
        compiled_expand_func=keep_point,
        initial_point_func=_start(density),
        # Kept as long as the sampler runs: the addresses in `user_data` point into it.
        shared_data={"density": density},
        shared_var_keys={},
        user_data=addresses(density),
        n_expanded=size,
        shape_info=(["point"], [slice(0, size)], [(size,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=size,
        _shapes={"point": (size,)},
        _coords={},
    )


def _start(density: Density) -> Callable[[int], Array]:
    """Initial points of the chains, near the middle of the prior."""
    halves = np.full(len(density.half_normal_sd), _START_HALF_NORMAL)
    middle = np.concatenate([np.zeros(len(density.normal_sd)), halves, np.log(density.ratio_a / density.ratio_b)])

    def start(seed: int) -> Array:
        return middle + np.random.default_rng(seed).uniform(-1, 1, len(middle))

    return start
