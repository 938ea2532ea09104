"""CPU time to a posterior that may be believed, next to PyMC and NumPyro with the same terms on the same deals.

Every sampler gets the same graph, data and priors (``build_graph`` over what ``fit`` learns from), and is judged by the
same measure: the smallest bulk ESS of everything that a model reports. ``nutpie`` is the sampler that ours is built on,
over the gradient that PyTensor derives; PyMC's own NUTS and NumPyro's (``--numpyro``, where the Python that runs this
has NumPyro) sample the same graph. Compiling and sampling are told apart, and the aim is on sampling alone: ours
compiles once on a machine, PyTensor once for each table.

CPU seconds of all threads, so that a busy machine matters less; ``fit`` as a whole too, with the time to close and
the growing of trees.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import prediction

SIZES = (40, 300, 3_000)
ESS, R_HAT = 400.0, 1.01
#: From this many deals on the peers are run shorter, and their time is scaled up.
LONG = 1_000
FULL = {"tune": 600, "draws": 1000, "chains": 4}
SHORT = {"tune": 300, "draws": 200, "chains": 2}
TINY = {"tune": 100, "draws": 100, "chains": 2}
PYMC, NUTPIE, NUMPYRO = "PyMC's NUTS", "nutpie on the graph", "NumPyro"
#: What ours may take of a peer's time, and CPU seconds of a whole fit.
AIM, FITS = 0.5, {40: 3.0, 300: 6.0}


def main() -> None:
    asked = _parse()
    if asked.worker:
        print(json.dumps(_WORKERS[asked.worker](asked)))
        return
    results = measure(asked)
    figures = figures_of(results)
    print(table(results), timing.figures_table(figures), sep="\n\n")
    timing.save("speed", figures, results=results, covariates=asked.covariates)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="closed deals")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--covariates", action="store_true", help="with eight more columns, which combine")
    parser.add_argument("--no-pymc", action="store_true", help="leave PyMC's own sampler out: it takes the longest")
    parser.add_argument("--numpyro", action="store_true", help="NumPyro too, which this Python must have")
    parser.add_argument("--cold", action="store_true", help="also a first fit with nothing compiled")
    parser.add_argument("--quick", action="store_true", help="40 deals, few draws of the peers, to try it out")
    parser.add_argument("--worker", choices=("ours", PYMC, NUTPIE, NUMPYRO), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.numpyro and find_spec("numpyro") is None:
        parser.error("this Python has no NumPyro; run the benchmark with one that has winprob and NumPyro")
    if asked.quick:
        asked.sizes = (40,)
    return asked


def measure(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A record for each size; each sampler in a process of its own, size by size in turn."""
    flags = [f"--{name}" for name in ("covariates", "quick") if getattr(asked, name)]
    names = [NUTPIE, *([] if asked.no_pymc else [PYMC]), *([NUMPYRO] if asked.numpyro else [])]
    records = []
    for size in asked.sizes:
        options = [f"--seed={asked.seed}", *flags, "--sizes", str(size)]
        ours = timing.worker("speed.py", "--worker=ours", *options)
        timing.progress(f"  {size} deals, ours: {ours}")
        peers = {}
        for name in names:
            peers[name] = timing.worker("speed.py", f"--worker={name}", *options)
            timing.progress(f"  {size} deals, {name}: {peers[name]}")
        records.append({"deals": size, **ours, "peers": peers})
    if asked.cold:
        with tempfile.TemporaryDirectory() as folder:
            first = [f"--seed={asked.seed}", *flags, "--sizes", str(asked.sizes[0])]
            records[0]["cold"] = timing.worker("speed.py", "--worker=ours", *first, env=_empty_caches(Path(folder)))
    return records


def _empty_caches(folder: Path) -> dict[str, str]:
    """An environment whose compilers have seen nothing."""
    return {**os.environ, "NUMBA_CACHE_DIR": str(folder / "numba"), "XDG_CACHE_HOME": str(folder / "cache")}


def ours(asked: argparse.Namespace) -> dict[str, Any]:
    """CPU and wall seconds of the process's first fit, of a second one, and of sampling alone, until the gates pass."""
    import winprob
    from winprob.model.inference import learn

    fits = []
    for _ in range(2):
        begun = time.process_time(), time.perf_counter()
        posterior = winprob.fit(_deals(asked), seed=asked.seed)
        fits.append({"cpu": time.process_time() - begun[0], "wall": time.perf_counter() - begun[1]})
    gates = dict(posterior.provenance.gates)
    settings, training = winprob.Settings(), _training(asked)
    begun_at = time.process_time()
    learn(training, settings, seed=asked.seed)
    sampling = {"cpu": time.process_time() - begun_at, "bulk_ess": gates["bulk_ess"], "r_hat": gates["r_hat"]}
    terms = {"trees": training.scaling.companion is not None, "pairs": training.scaling.pairs is not None}
    return {"first": fits[0], "fit": fits[1], "sampling": sampling, **terms}


def pymc_itself(asked: argparse.Namespace) -> dict[str, Any]:
    """PyMC's own NUTS, its chains one after the other, compile, warm-up and draws told apart."""
    import pymc as pm

    plan, target = _plan(asked), _target()
    model, judge = _graph(asked)
    clock = Clock(tune=plan["tune"])
    with model:
        tree = pm.sample(
            **plan,
            nuts_sampler="pymc",
            cores=1,
            random_seed=asked.seed,
            target_accept=target,
            progressbar=False,
            compute_convergence_checks=False,
            var_names=[variable.name for variable in model.free_RVs],
            callback=clock,
        )
    return _record(plan, judge(tree), compile=clock.compile, warm_up=clock.warm_up, drawing=clock.drawing)


def nutpie_itself(asked: argparse.Namespace) -> dict[str, Any]:
    """nutpie over the gradient that PyTensor derives; a step of warm-up and of drawing taken as alike."""
    import nutpie

    plan = _plan(asked)
    model, judge = _graph(asked)
    begun = time.process_time()
    compiled = nutpie.compile_pymc_model(model)
    compiling, begun = time.process_time() - begun, time.process_time()
    tree = nutpie.sample(compiled, **plan, seed=asked.seed, target_accept=_target(), progress_bar=False)
    spent = time.process_time() - begun
    return _record(plan, judge(tree), compile=compiling, **_halves(plan, spent))


def numpyro_itself(asked: argparse.Namespace) -> dict[str, Any]:
    """NumPyro's NUTS on the graph; a short run first, whose time, tracing and compiling mostly, is taken off."""
    import pymc as pm

    plan = _plan(asked)
    model, judge = _graph(asked)
    spent = []
    with model:
        for some in ({**plan, "tune": 1, "draws": 1}, plan):
            begun = time.process_time()
            tree = pm.sample(
                **some,
                nuts_sampler="numpyro",
                random_seed=asked.seed,
                target_accept=_target(),
                progressbar=False,
                compute_convergence_checks=False,
                var_names=[variable.name for variable in model.free_RVs],
            )
            spent.append(time.process_time() - begun)
    return _record(plan, judge(tree), compile=spent[0], **_halves(plan, max(spent[1] - spent[0], 0.0)))


_WORKERS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "ours": ours,
    PYMC: pymc_itself,
    NUTPIE: nutpie_itself,
    NUMPYRO: numpyro_itself,
}


class Clock:
    """Called by PyMC after every draw: CPU seconds to the first one, of warm-up and of draws, over chains in turn."""

    def __init__(self, tune: int) -> None:
        self.tune, self.last = tune, time.process_time()
        self.compile = self.warm_up = self.drawing = 0.0

    def __call__(self, trace: Any, draw: Any) -> None:
        now = time.process_time()
        if not self.compile:
            self.compile = now - self.last
        elif draw.draw_idx < self.tune:
            self.warm_up += now - self.last
        else:
            self.drawing += now - self.last
        self.last = now


def _deals(asked: argparse.Namespace) -> Any:
    import winprob

    closed = winprob.simulate(asked.sizes[0], 1, seed=asked.seed).closed
    return prediction.with_covariates(closed, seed=asked.seed, decide=True) if asked.covariates else closed


def _training(asked: argparse.Namespace) -> Any:
    """What ``winprob.fit`` learns from; all these deals are closed."""
    import winprob
    from winprob.model.inference import read_training

    return read_training(_deals(asked), winprob.Settings(), seed=asked.seed)


def _graph(asked: argparse.Namespace) -> tuple[Any, Callable[[Any], dict[str, float]]]:
    """The PyMC model over what ``fit`` learns from, with the same terms, and the judge of its draws."""
    import winprob
    from winprob.model.win.graph import build_graph, model_data
    from winprob.model.win.parameters import derive_parameters, prior_data

    training, priors = _training(asked), winprob.Settings().priors.with_deals()
    layout = training.scaling.layout
    model = build_graph(layout, model_data(layout=layout, priors=priors, **training.evidence()))

    def judge(tree: Any) -> dict[str, float]:
        """By the function that judges ``fit``: over named parameters, not over the sampler's own."""
        from winprob.model.inference.gates import measure_gates

        drawn = tree["posterior"]
        standard = {name: drawn[name].to_numpy() for name in ("normal", "half_normal", "ratio")}
        named = derive_parameters(np, standard, prior_data(layout, priors), layout)
        gates = measure_gates(named, tree["sample_stats"].to_dataset())
        return {"r_hat": gates.r_hat, "bulk_ess": gates.bulk_ess}

    return model, judge


def _plan(asked: argparse.Namespace) -> dict[str, int]:
    return TINY if asked.quick else SHORT if asked.sizes[0] >= LONG else FULL


def _target() -> float:
    import winprob

    return winprob.Settings().sampler.target_accept


def _halves(plan: dict[str, int], spent: float) -> dict[str, float]:
    warm = plan["tune"] / (plan["tune"] + plan["draws"])
    return {"warm_up": spent * warm, "drawing": spent * (1 - warm)}


def _record(plan: dict[str, int], gates: dict[str, float], **spent: float) -> dict[str, Any]:
    sampling = _seconds_to_ess(plan, **{**spent, "compile": 0.0}, ess=gates["bulk_ess"])
    return {"cpu": sampling, "run": spent["warm_up"] + spent["drawing"], "scaled": plan is not FULL, **spent, **gates}


def _seconds_to_ess(plan: dict[str, int], *, compile: float, warm_up: float, drawing: float, ess: float) -> float:
    """Seconds until the smallest bulk ESS is 400: compile, a full warm-up, and draws at the measured ESS a second.

    A full run that has reached 400 counts as it is, like ours. A short run's warm-up is scaled to full length.
    """
    if plan is FULL and ess > ESS:
        return compile + warm_up + drawing
    longer = FULL["tune"] * FULL["chains"] / (plan["tune"] * plan["chains"])
    return compile + warm_up * longer + drawing * ESS / max(ess, 1.0)


def figures_of(results: list[dict[str, Any]]) -> list[timing.Figure]:
    """Ratios, and whether the gates held. Ours are measured as they are, even with more ESS than asked for."""
    figures = []
    for record in results:
        deals, sampling = f"{record['deals']:,} deals", record["sampling"]
        for peer, took in record["peers"].items():
            note = " (scaled)" if took["scaled"] else ""
            ratio, even = sampling["cpu"] / took["cpu"], _an_ess(sampling) / _an_ess(took, "run")
            figures.append(timing.Figure(quantity=f"ours / {peer}{note}, {deals}", got=ratio, aim=AIM))
            quantity = f"ours / {peer}, a run's CPU seconds over its ESS, {deals}"
            figures.append(timing.Figure(quantity=quantity, got=even, aim=AIM))
        figures.append(timing.Figure(quantity=f"R-hat, {deals}", got=sampling["r_hat"], aim=R_HAT))
        whole = {"quantity": f"fit as a whole, {deals}", "got": record["fit"]["cpu"], "unit": "CPU s"}
        figures.append(timing.Figure(**whole, aim=FITS.get(record["deals"])))
        if "cold" in record:
            cold = record["cold"]["first"]["wall"]
            figures.append(timing.Figure(quantity=f"first fit, nothing compiled, {deals}", got=cold, unit="s"))
    for small, large in itertools.pairwise(results):
        quantity = f"CPU seconds an effective draw, {large['deals']:,} / {small['deals']:,} deals"
        got = _an_ess(large["sampling"]) / _an_ess(small["sampling"])
        figures.append(timing.Figure(quantity=quantity, got=got, aim=large["deals"] / small["deals"]))
    return figures


def _an_ess(took: dict[str, float], spent: str = "cpu") -> float:
    return took[spent] / max(took["bulk_ess"], 1.0)


def table(results: list[dict[str, Any]]) -> str:
    """CPU seconds, R-hat and ESS of every run."""
    header = (
        "deals",
        "sampler",
        "compile CPU s",
        "run CPU s",
        "bulk ESS",
        "R-hat",
        "CPU s for 400 ESS",
    )
    rows = []
    for record in results:
        own = {**record["sampling"], "compile": float("nan"), "run": record["sampling"]["cpu"], "scaled": False}
        for name, took in {"winprob": own, **record["peers"]}.items():
            cells = [timing.number(took[key]) for key in ("compile", "run", "bulk_ess")]
            last = timing.number(took["cpu"]) + "*" * took["scaled"]
            rows.append((f"{record['deals']:,}", name, *cells, timing.number(took["r_hat"], 4), last))
    return timing.markdown(header, rows) + "\n\n\\* a shorter run, scaled by ESS a second."


if __name__ == "__main__":
    main()
