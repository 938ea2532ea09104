"""Samples, or only evaluates, the hand-written NumPyro model. Arrays in, arrays out, both ``.npz``; needs no winprob.

``sample``: twice in one process, the second time on other rows of like shape with everything compiled. ``density``: of
given points.
"""

from __future__ import annotations

import time

START = time.perf_counter()

import argparse  # noqa: E402
from collections.abc import Iterator, Mapping  # noqa: E402
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
    """``<call>.seconds``, ``.once`` and ``.cpu``, unknowns and statistics, each (chain, draw, ...), for both calls.

    ``once`` is what a further call does not pay: imports, tracing, compiling.
    """
    data = _part(given, "first")
    run = _chains(asked).lower(_keys(asked, 0), data).compile()
    once = time.perf_counter() - START
    start, worked = START, 0.0
    found: Arrays = {}
    for at, call in enumerate(("first",) if asked.once else ("first", "second")):
        data = _part(given, call)
        samples, statistics = (_by_chain(drawn) for drawn in run(_keys(asked, at), data))
        result = {
            "seconds": time.perf_counter() - start,
            "cpu": time.process_time() - worked,
            "once": 0.0 if at else once,
            **_end_to_end(samples, data, asked),
            **statistics,
        }
        found |= {f"{call}.{name}": np.asarray(value) for name, value in result.items()}
        start, worked = time.perf_counter(), time.process_time()
    return found


def _keys(asked: argparse.Namespace, at: int) -> Any:
    return jax.random.split(jax.random.PRNGKey(asked.seed + at), asked.devices)


def _chains(asked: argparse.Namespace) -> Any:
    """Samples and statistics (device, chain, draw, ...) of a key for each device, and data.

    The mapping over devices is made once and kept: ``MCMC(chain_method="parallel")`` makes it anew at each run, and
    compiles anew. Chains of one device go in step, ``vectorized``.
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
    """``log_density`` (point,) at ``normal, half_normal, ratio`` (point, unknown) of the space the sampler walks in."""
    data = _part(given, "first")
    model = partial(win_model, fields=asked.fields, features=asked.features)
    potential = initialize_model(jax.random.PRNGKey(0), model, model_args=(data,)).potential_fn
    points = [dict(_apart(given, data, asked, at)) for at in range(len(given["normal"]))]
    return {"log_density": np.array([-float(potential(point)) for point in points])}


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
