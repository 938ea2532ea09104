"""Time to a posterior that may be believed: R-hat < 1.01 and smallest bulk ESS > 400.

Cold (nothing compiled yet on this machine) and warm (a new process that finds the compiled density) at the first
size; a refit (same process, nothing left to compile) at every size; and the peers: the same graph under PyMC's own
sampler, and the same model written by hand in NumPyro (``--numpyro`` names a Python that has it). All in one run, so
that their ratios mean something on a busy machine too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np

SIZES = (300, 3_000, 30_000)
ESS, R_HAT = 400.0, 1.01
#: From this many deals on the peers are run shorter and their time scaled up; from so many ours too.
LONG, HUGE = 1_000, 10_000
FULL = {"tune": 600, "draws": 1000, "chains": 4}
SHORT = {"tune": 150, "draws": 100, "chains": 2}
CORES = 2
TINY = {"tune": 100, "draws": 100, "chains": 2}
PYMC, NUMPYRO = "PyMC's sampler", "NumPyro"
#: What ours may take of a peer's time.
AIM = 0.5


def main() -> None:
    asked = _parse()
    if asked.worker == "ours":
        print(json.dumps(ours(asked.sizes, asked.seed)))
    elif asked.worker == "numpyro":
        print(json.dumps([numpyro_itself(size, asked.seed, asked.quick, asked.numpyro) for size in asked.sizes]))
    elif asked.worker == "pymc":
        print(json.dumps([pymc_itself(size, asked.seed, asked.quick) for size in asked.sizes]))
    else:
        results = measure(asked)
        figures = told(results)
        print(table(results), timing.figures_table(figures), sep="\n\n")
        timing.save("speed", figures, results=results)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="closed deals")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-pymc", action="store_true", help="leave PyMC's own sampler out: it takes the longest")
    parser.add_argument("--numpyro", type=Path, help="a Python that has NumPyro, in an environment of its own")
    parser.add_argument("--quick", action="store_true", help="300 deals, few draws of PyMC's sampler, to try it out")
    parser.add_argument("--worker", choices=("ours", "pymc", "numpyro"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.quick:
        asked.sizes = (300,)
    return asked


def measure(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A record for each size."""
    arguments = [f"--seed={asked.seed}", *(["--quick"] if asked.quick else []), "--sizes", *map(str, asked.sizes)]
    first = [f"--seed={asked.seed}", "--sizes", str(asked.sizes[0])]
    with tempfile.TemporaryDirectory() as folder:
        env = _empty_caches(Path(folder))
        runs = {}
        for name, sizes in (("cold", first), ("warm", arguments)):
            timing.progress(f"{name}: {asked.sizes}")
            runs[name] = timing.worker("speed.py", "--worker=ours", *sizes, env=env)
        peers = {}
        if not asked.no_pymc:
            timing.progress(PYMC)
            peers[PYMC] = timing.worker("speed.py", "--worker=pymc", *arguments, env=env)
        if asked.numpyro:
            timing.progress(NUMPYRO)
            peers[NUMPYRO] = timing.worker(
                "speed.py", "--worker=numpyro", f"--numpyro={asked.numpyro}", *arguments, env=env
            )
    records = []
    for at, size in enumerate(asked.sizes):
        of_size = {name: results[at] for name, results in peers.items()}
        new = {name: run[at]["first"] if at == 0 else None for name, run in runs.items()}
        records.append({"deals": size, **new, "refit": runs["warm"][at]["refit"], "peers": of_size})
    return records


def _empty_caches(folder: Path) -> dict[str, str]:
    """An environment whose compilers have seen nothing."""
    flags = [flag for flag in os.environ.get("PYTENSOR_FLAGS", "").split(",") if flag]
    caches = {"NUMBA_CACHE_DIR": str(folder / "numba"), "XDG_CACHE_HOME": str(folder / "cache")}
    return {**os.environ, **caches, "PYTENSOR_FLAGS": ",".join([*flags, f"base_compiledir={folder / 'pytensor'}"])}


def ours(sizes: list[int], seed: int) -> list[dict[str, Any]]:
    """The first fit of this process, with its imports, and a refit for each size."""
    start = time.perf_counter()
    import winprob

    records, first = [], None
    for size in sizes:
        tables = [winprob.simulate(size, 1, seed=seed + at).closed for at in range(2)]
        if first is None:
            begun = time.perf_counter() - start
            first = _one_fit(tables[0], seed)
            first["seconds"] += begun
        refit = _short_fit(tables[1], seed) if size >= HUGE else _one_fit(tables[1], seed)
        records.append({"first": first, "refit": refit})
        timing.progress(f"  {size} deals: {refit['seconds']:.1f} s; the process's first {first['seconds']:.1f} s")
    return records


def _one_fit(table: Any, seed: int) -> dict[str, float]:
    import winprob

    start = time.perf_counter()
    posterior = winprob.fit(table, seed=seed)
    seconds = time.perf_counter() - start
    # ``fit`` hands back only draws that passed these gates: its time is the time to a posterior.
    gates = posterior.provenance.gates
    return {"seconds": seconds, "r_hat": gates["r_hat"], "bulk_ess": gates["bulk_ess"]}


def _short_fit(table: Any, seed: int) -> dict[str, float]:
    """A run as short as the peers', its time scaled up as theirs is."""
    from winprob.model.inference import learn, read_training
    from winprob.settings import GateSettings, SamplerSettings, Settings

    loose = GateSettings(r_hat=9.0, bulk_ess=0.0, tail_ess=0.0, divergent_share=0.9, bfmi=0.0)
    settings = Settings(sampler=SamplerSettings(**SHORT, thin=1, target_accept=0.9), gates=loose)
    training = read_training(table, settings)
    start = time.perf_counter()
    gates = learn(training, settings, seed=seed).gates
    spent = time.perf_counter() - start
    warm = SHORT["tune"] / (SHORT["tune"] + SHORT["draws"])
    seconds = _seconds_to_ess(SHORT, compile=0.0, warm_up=spent * warm, drawing=spent * (1 - warm), ess=gates.bulk_ess)
    return {"seconds": seconds, "r_hat": float("nan"), "bulk_ess": ESS}


def pymc_itself(size: int, seed: int, quick: bool) -> dict[str, Any]:
    """The same graph and data under PyMC's own NUTS, compile and sampling told apart.

    Its chains run one after the other (side by side they would be forked); their time counts as if they had run on two
    cores without loss, as ours do.
    """
    import pymc as pm

    import winprob
    from winprob.model.win.graph import STANDARD, build_graph

    plan = TINY if quick else SHORT if size >= LONG else FULL
    settings = winprob.Settings()
    layout, data = _graph_inputs(winprob.simulate(size, 1, seed=seed).closed, settings)
    clock = Clock(tune=plan["tune"])
    with build_graph(layout, data):
        tree = pm.sample(
            **plan,
            nuts_sampler="pymc",
            cores=1,
            random_seed=seed,
            target_accept=settings.sampler.target_accept,
            progressbar=False,
            compute_convergence_checks=False,
            var_names=list(STANDARD),
            callback=clock,
        )
    standard = {name: tree["posterior"][name].to_numpy() for name in STANDARD}
    gates = _gates(standard, tree["sample_stats"], layout, settings)
    spent = {"compile": clock.compile, "warm_up": clock.warm_up / CORES, "drawing": clock.drawing / CORES}
    scaled = _seconds_to_ess(plan, **spent, ess=gates["bulk_ess"])
    timing.progress(f"  {size} deals: {sum(spent.values()):.1f} s, bulk ESS {gates['bulk_ess']:.0f}")
    return {"seconds": scaled, "scaled": plan is not FULL, **plan, **spent, **gates}


def numpyro_itself(size: int, seed: int, quick: bool, python: Path) -> dict[str, Any]:
    """The same model written by hand in NumPyro, double precision, four chains side by side on host devices.

    Its steps are one compiled loop: warm-up and draws are told apart by their number, a step of each taken as alike.
    """
    import winprob

    plan = TINY if quick else SHORT if size >= LONG else FULL
    settings = winprob.Settings()
    layout, data = _graph_inputs(winprob.simulate(size, 1, seed=seed).closed, settings)
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given.npz"), Path(folder, "found.npz")
        np.savez(given, **{f"first.{name}": values for name, values in data.items()})
        numbers = {
            **plan,
            "devices": plan["chains"],
            "seed": seed,
            "fields": layout.fields,
            "features": layout.features,
        }
        options = [f"--{name}={value}" for name, value in numbers.items()]
        worker = timing.ROOT / "benchmarks" / "peers" / "numpyro_worker.py"
        target = f"--target-accept={settings.sampler.target_accept}"
        command = [str(python), str(worker), "sample", str(given), str(found), *options, target, "--once"]
        subprocess.run(command, check=True)
        result = {name.removeprefix("first."): values for name, values in np.load(found).items()}
    standard = {name: result[name] for name in ("normal", "half_normal", "ratio")}
    gates = _gates(standard, _as_statistics(result), layout, settings)
    once, steps = float(result["once"]), float(result["seconds"]) - float(result["once"])
    warm = plan["tune"] / (plan["tune"] + plan["draws"])
    spent = {"compile": once, "warm_up": steps * warm, "drawing": steps * (1 - warm)}
    timing.progress(f"  {size} deals: {sum(spent.values()):.1f} s, bulk ESS {gates['bulk_ess']:.0f}")
    return {
        "seconds": _seconds_to_ess(plan, **spent, ess=gates["bulk_ess"]),
        "scaled": plan is not FULL,
        **plan,
        **spent,
        **gates,
    }


def _as_statistics(result: dict[str, Any]) -> Any:
    """NumPyro's statistics under the names that PyMC gives them."""
    import xarray as xr

    named = {"diverging": result["diverging"], "energy": result["energy"]}
    return xr.DataTree(xr.Dataset({name: (("chain", "draw"), values) for name, values in named.items()}))


class Clock:
    """Called by PyMC after every draw: seconds until the first one, of warm-up and of draws, over chains in turn."""

    def __init__(self, tune: int) -> None:
        self.tune, self.last = tune, time.perf_counter()
        self.compile = self.warm_up = self.drawing = 0.0

    def __call__(self, trace: Any, draw: Any) -> None:
        now = time.perf_counter()
        if not self.compile:
            self.compile = now - self.last
        elif draw.draw_idx < self.tune:
            self.warm_up += now - self.last
        else:
            self.drawing += now - self.last
        self.last = now


def _graph_inputs(table: Any, settings: Any) -> tuple[Any, dict[str, Any]]:
    """What ``winprob.fit`` gives to the graph."""
    from winprob.data.schema import validate_deals
    from winprob.model.features import describe, learn_scaling
    from winprob.model.features.learning import deal_weights
    from winprob.model.win.graph import model_data

    closed = validate_deals(table, training=True)
    scaling = learn_scaling(closed, settings)
    layout = scaling.layout
    won = (closed["outcome"] == "won").to_numpy(dtype=float)
    data = model_data(
        describe(closed, scaling), layout, settings.priors, won=won, weight=np.asarray(deal_weights(closed))
    )
    return layout, data


def _gates(standard: dict[str, Any], stats: Any, layout: Any, settings: Any) -> dict[str, float]:
    """Measured by the same function that judges ``fit``: over named parameters, not over the sampler's own."""
    from winprob.model.inference.gates import measure_gates
    from winprob.model.win.parameters import derive_parameters, prior_data

    gates = measure_gates(derive_parameters(np, standard, prior_data(layout, settings.priors), layout), stats)
    return {"r_hat": gates.r_hat, "bulk_ess": gates.bulk_ess}


def _seconds_to_ess(plan: dict[str, int], *, compile: float, warm_up: float, drawing: float, ess: float) -> float:
    """Seconds until the smallest bulk ESS is 400: compile, a full warm-up, and draws at the measured ESS a second.

    A full run that has reached 400 counts as it is, like ours. A short run's warm-up is scaled to full length.
    """
    if plan is FULL and ess > ESS:
        return compile + warm_up + drawing
    longer = FULL["tune"] * FULL["chains"] / (plan["tune"] * plan["chains"])
    return compile + warm_up * longer + drawing * ESS / max(ess, 1.0)


def told(results: list[dict[str, Any]]) -> list[timing.Figure]:
    """Ratios, and whether the gates held. Ours are measured as they are, even with more ESS than asked for."""
    figures = []
    for record in results:
        deals, refit = f"{record['deals']:,} deals", record["refit"]
        fits = {"warm": record["warm"], "refit": refit} if record["warm"] else {"refit": refit}
        for peer, took in record["peers"].items():
            note = " (scaled)" if took["scaled"] else ""
            for name, fit in fits.items():
                quantity = f"{name} / {peer}{note}, {deals}"
                figures.append(timing.Figure(quantity=quantity, got=fit["seconds"] / took["seconds"], aim=AIM))
        if record["deals"] < HUGE:
            worst = max(fit["r_hat"] for fit in fits.values())
            figures.append(timing.Figure(quantity=f"R-hat, {deals}", got=worst, aim=R_HAT))
    for small, large in itertools.pairwise(results):
        times = large["deals"] / small["deals"]
        of = [size["refit"]["seconds"] / size["refit"]["bulk_ess"] for size in (small, large)]
        quantity = f"refit, seconds an effective draw, {large['deals']:,} / {small['deals']:,} deals"
        figures.append(timing.Figure(quantity=quantity, got=of[1] / of[0], aim=times))
    return figures


def table(results: list[dict[str, Any]]) -> str:
    """Seconds and ESS of every run."""
    header = (
        "deals",
        "cold s",
        "warm s",
        "refit s",
        "refit ESS",
        "refit s for 400 ESS",
        f"{PYMC}, s for 400 ESS (ESS)",
        f"{NUMPYRO}, s for 400 ESS (ESS)",
    )
    rows = []
    for record in results:
        refit = record["refit"]
        per_ess = refit["seconds"] * min(1.0, ESS / refit["bulk_ess"])
        new = [timing.number(record[name]["seconds"]) if record[name] else "-" for name in ("cold", "warm")]
        cells = [timing.number(cell) for cell in (refit["seconds"], refit["bulk_ess"], per_ess)]
        peers = [_peer(record["peers"].get(name)) for name in (PYMC, NUMPYRO)]
        rows.append((f"{record['deals']:,}", *new, *cells, *peers))
    return (
        timing.markdown(header, rows)
        + "\n\n\\* a shorter run, scaled by ESS a second; so is ours from 10,000 deals on."
    )


def _peer(took: dict[str, Any] | None) -> str:
    if took is None:
        return "-"
    return timing.number(took["seconds"]) + "*" * took["scaled"] + f" ({timing.number(took['bulk_ess'])})"


if __name__ == "__main__":
    main()
