"""Samples, or only evaluates, the hand-written NumPyro model. Arrays in, arrays out, both ``.npz``; needs no winprob.

``sample``: twice in one process, the second time on other rows of like shape with everything compiled. ``density``: of
given points.
"""

from __future__ import annotations

import time

START = time.perf_counter()

import argparse  # noqa: E402
from collections.abc import Callable, Iterator, Mapping  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
import numpyro  # noqa: E402
from numpyro.infer import MCMC, NUTS  # noqa: E402
from numpyro.infer.util import initialize_model  # noqa: E402
from numpyro_model import Data, sites, win_model  # noqa: E402

Arrays = dict[str, np.ndarray]

#: JAX tells each of these when it has traced, lowered or compiled.
_COMPILING = "/jax/core/compile/"
_STATISTICS = ("diverging", "energy", "num_steps")


def main() -> None:
    asked = _parse()
    numpyro.set_platform("cpu")
    numpyro.enable_x64()
    numpyro.set_host_device_count(asked.devices)
    given = dict(np.load(asked.given))
    found = densities(given, asked) if asked.what == "density" else sample(given, asked)
    np.savez(asked.found, **found)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("density", "sample"))
    parser.add_argument("given", type=Path, help=".npz: first.* and second.*, the data of two fits; points of density")
    parser.add_argument("found", type=Path, help=".npz to write")
    parser.add_argument("--fields", type=int, required=True)
    parser.add_argument("--features", type=int, required=True)
    parser.add_argument("--tune", type=int, default=600)
    parser.add_argument("--draws", type=int, default=1500)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--target-accept", type=float, default=0.9)
    parser.add_argument("--devices", type=int, default=4, help="host devices, side by side; they share the chains")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="leave the second call out")
    return parser.parse_args()


def sample(given: Arrays, asked: argparse.Namespace) -> Arrays:
    """``<call>.seconds``, ``.compile``, unknowns and statistics, each (chain, draw, ...), for both calls.

    The first call's seconds begin with the imports.
    """
    spent = _listen()
    chains = _chains(asked)
    found: Arrays = {}
    start = START
    for at, call in enumerate(("first",) if asked.once else ("first", "second")):
        data, before = _part(given, call), sum(spent)
        keys = jax.random.split(jax.random.PRNGKey(asked.seed + at), asked.devices)
        samples, statistics = (_by_chain(found) for found in chains(keys, data))
        seconds = time.perf_counter() - start
        result = {"seconds": seconds, "compile": sum(spent) - before, **_end_to_end(samples, data, asked), **statistics}
        found |= {f"{call}.{name}": np.asarray(value) for name, value in result.items()}
        start = time.perf_counter()
    return found


def _chains(asked: argparse.Namespace) -> Callable[[Any, Data], Any]:
    """Samples and statistics (device, chain, draw, ...) of a key for each device, and data.

    The mapping over devices is made once and kept: ``MCMC(chain_method="parallel")`` makes it anew at each run, and with
    it compiles anew. Chains of one device go in step, ``vectorized``.
    """
    model = partial(win_model, fields=asked.fields, features=asked.features)

    def run(key: Any, data: Data) -> Any:
        mcmc = MCMC(
            NUTS(model, target_accept_prob=asked.target_accept, dense_mass=False),
            num_warmup=asked.tune,
            num_samples=asked.draws,
            num_chains=asked.chains // asked.devices,
            chain_method="vectorized",
            progress_bar=False,
        )
        mcmc.run(key, data, extra_fields=_STATISTICS)
        return mcmc.get_samples(group_by_chain=True), mcmc.get_extra_fields(group_by_chain=True)

    return jax.pmap(run, in_axes=(0, None))


def _by_chain(found: Mapping[str, Any]) -> Arrays:
    return {name: np.asarray(values).reshape(-1, *values.shape[2:]) for name, values in found.items()}


def densities(given: Arrays, asked: argparse.Namespace) -> Arrays:
    """``log_density`` (point,) at ``unit, positive, ratio`` (point, unknown) of the space the sampler walks in."""
    data = _part(given, "first")
    model = partial(win_model, fields=asked.fields, features=asked.features)
    potential = initialize_model(jax.random.PRNGKey(0), model, model_args=(data,)).potential_fn
    points = [dict(_apart(given, data, asked, at)) for at in range(len(given["unit"]))]
    return {"log_density": np.array([-float(potential(point)) for point in points])}


def _listen() -> list[float]:
    """Seconds JAX says it spent on compiling, as it says them. Tracing within tracing would be told twice: left out."""
    spent: list[float] = []

    def note(event: str, seconds: float, **_: Any) -> None:
        if event.startswith(_COMPILING) and "trace" not in event:
            spent.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(note)
    return spent


def _part(given: Mapping[str, np.ndarray], call: str) -> dict[str, Any]:
    return {name.removeprefix(f"{call}."): value for name, value in given.items() if name.startswith(f"{call}.")}


def _end_to_end(drawn: Arrays, data: Data, asked: argparse.Namespace) -> Arrays:
    """Sites of a block laid end to end, as winprob has them: (chain, draw, unknown)."""
    blocks = sites(data, asked.fields, asked.features)
    return {
        block: np.concatenate([drawn[name] for name, length in lengths.items() if length], axis=-1)
        for block, lengths in blocks.items()
    }


def _apart(given: Arrays, data: Data, asked: argparse.Namespace, at: int) -> Iterator[tuple[str, np.ndarray]]:
    for block, lengths in sites(data, asked.fields, asked.features).items():
        ends = np.cumsum(list(lengths.values()))
        pieces = np.split(given[block][at], ends[:-1])
        yield from ((name, piece) for name, piece in zip(lengths, pieces, strict=True) if len(piece))


if __name__ == "__main__":
    main()
