"""Prediction of 100,000 deals x 1,000 draws, next to the least NumPy work that could give as many probabilities.

The bound: one float32 matrix product (deals x 20) @ (20 x draws) and one ``scipy.special.expit`` of that size. It finds
no features, no levels, no intervals. The draws come from the prior on the scaling of a simulated team: time does not
depend on what the draws say.

Three models: ``plain`` of the deals' own columns; ``trees``, of eight more covariates of 3,000 deals; ``pairs``, of 900
of these deals, with trees and with combinations of two levels. The bound of all three is the same: it finds no leaf of
a tree. How long scikit-learn, which grew them, takes for as many trees of that size on one core is shown with it.

CPU seconds of all threads: ours uses every core, NumPy one. The ratio of wall time is what a machine makes of it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd

CHAINS, PER_CHAIN, FEATURES = 4, 250, 20
RATIO = 3.0
#: Number of closed deals behind each model, and whether it has covariates of its own.
MODELS = {"plain": (300, False), "trees": (3_000, True), "pairs": (900, True)}
#: Levels of each made-up column of words, and the made-up numbers.
WORDS = {"industry": 17, "source": 12, "plan": 8, "size": 5, "country": 4}
NUMBERS = ("visits", "minutes", "age")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deals", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5, help="takes of each, in turn")
    parser.add_argument("--models", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    parser.add_argument("--quick", action="store_true", help="small, to try it out")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    deals, times = (5_000, 2) if asked.quick else (asked.deals, asked.times)
    if asked.worker:
        print(json.dumps(measure(asked.worker, deals, times)))
        return
    results, figures = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.models:
            make_model(Path(folder) / f"{name}.nc", name)
            options = (f"--deals={deals}", f"--times={times}", f"--worker={folder}/{name}.nc")
            # scikit-learn counts its threads by this; ours are those of the machine whatever it is.
            results[name] = timing.worker("prediction.py", *options, env={**os.environ, "OMP_NUM_THREADS": "1"})
            figures += figures_of(name, results[name], deals)
    print(timing.figures_table(figures))
    timing.save("prediction", figures, deals=deals, draws=CHAINS * PER_CHAIN, models=results)


def make_model(path: Path, name: str = "plain") -> None:
    """A model of exactly 1,000 draws with the levels, quarters and tiers of simulated deals, see ``MODELS``."""
    import winprob
    from winprob.data.schema import in_order, validate_deals
    from winprob.model.inference.training_data import training_from
    from winprob.model.win.parameters import sample_prior

    settings, rng = winprob.Settings(), np.random.default_rng(1)
    deals, covariates = MODELS[name]
    closed = winprob.simulate(deals, 1, seed=1).closed
    closed = with_covariates(closed, seed=1, decide=True) if covariates else closed
    valid = in_order(validate_deals(closed, training=True))
    scaling = training_from(valid, settings, seed=1, waiting_odds=None).scaling
    if covariates != (scaling.companion is not None):
        raise RuntimeError(f"{name}: the trees came out otherwise than meant")
    flat = sample_prior(scaling.layout, settings.priors, CHAINS * PER_CHAIN, rng)
    draws = {name: v.reshape(CHAINS, PER_CHAIN, *v.shape[1:]).astype(np.float32) for name, v in flat.items()}
    prior = sample_prior(scaling.layout, settings.priors, settings.sampler.prior_draws, rng)
    believed = {name: values.astype(np.float32) for name, values in prior.items()}
    reference = {"base_rate_logit": draws["intercept"], "term_mean": np.zeros((CHAINS, PER_CHAIN, 0), np.float32)}
    empty = winprob.fit_prior(seed=1)
    replace(empty, draws={**draws, **reference}, prior=believed, terms=(), scaling=scaling).save(path)


def with_covariates(deals: pd.DataFrame, *, seed: int, decide: bool = False) -> pd.DataFrame:
    """The deals with made-up covariates; to ``decide`` is to have their combinations, which trees find, decide all."""
    rng = np.random.default_rng(seed)
    words = {name: rng.integers(0, levels, len(deals)) for name, levels in WORDS.items()}
    numbers = {name: rng.lognormal(size=len(deals)) for name in NUMBERS}
    log_odds = 2.0 * np.log(numbers["visits"]) * (words["source"] % 3 - 1) + 2.0 * (
        words["plan"] % 2 - words["size"] % 2
    )
    blank = {name: np.where(rng.random(len(deals)) < 0.1, np.nan, values) for name, values in numbers.items()}
    columns = {name: pd.array([f"{name} {code}" for code in codes], dtype="str") for name, codes in words.items()}
    ended = np.where(rng.random(len(deals)) < 1 / (1 + np.exp(-log_odds)), "won", "lost")
    result = deals.assign(**columns, **blank, **({"outcome": pd.array(ended, dtype="str")} if decide else {}))
    numeric = [{"column": name, "transform": "log1p"} for name in NUMBERS]
    result.attrs["covariates"] = {"varying": list(WORDS), "numeric": numeric}
    return result


def measure(model: Path, deals: int, times: int) -> dict[str, Any]:
    """Seconds and memory, in a process that does nothing else."""
    import winprob

    posterior = winprob.Posterior.load(model)
    table = with_covariates(winprob.simulate(1, deals, seed=2).open, seed=2)
    before = _peak()
    first = timing.seconds(lambda: winprob.predict(posterior, table))
    peak = _peak()
    works = {"predict": lambda: winprob.predict(posterior, table), "bound": _bound(deals)}
    if posterior.scaling.companion is not None:
        works["trees"] = _trees(posterior, table)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(times):
        for name, work in works.items():
            spent[name].append(_both(work))
    wall = {f"{name}_wall": float(np.median([one[1] for one in takes])) for name, takes in spent.items()}
    cpu = {name: float(np.median([one[0] for one in takes])) for name, takes in spent.items()}
    return {**cpu, **wall, "first": first, "mib_before": before, "mib_peak": peak}


def _both(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of a call."""
    cpu = time.process_time()
    wall = timing.seconds(work)
    return time.process_time() - cpu, wall


def _bound(deals: int) -> Callable[[], object]:
    from scipy.special import expit

    rng = np.random.default_rng(0)
    left = rng.standard_normal((deals, FEATURES), dtype=np.float32)
    right = rng.standard_normal((FEATURES, CHAINS * PER_CHAIN), dtype=np.float32) / np.float32(FEATURES**0.5)
    expit(left @ right)
    return lambda: expit(left @ right)


def _trees(posterior: Any, table: pd.DataFrame) -> Callable[[], object]:
    """As many trees as the model has, of the same size and on as many columns, predicted by scikit-learn."""
    from winprob.data.schema import validate_deals
    from winprob.model.features import describe, numeric_values
    from winprob.model.inference import boosting

    companion, scaling = posterior.scaling.companion, posterior.scaling
    valid = validate_deals(table)
    numbers = numeric_values(valid, scaling.numeric)
    inputs = companion.inputs(describe(valid, replace(scaling, companion=None)).level, numbers)
    few = inputs[: MODELS["trees"][0]]
    won = (np.random.default_rng(0).random(len(few)) < 0.5).astype(float)
    model = boosting._grown(few, companion.fields, won, np.ones(len(few)), slice(None), 1, [0] * few.shape[1])

    def predict() -> None:
        for _ in range(companion.boosters):
            model._raw_predict(inputs, n_threads=1)

    return predict


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def figures_of(name: str, got: Mapping[str, float], deals: int) -> list[timing.Figure]:
    return [
        timing.Figure(quantity=f"{name}: predict / NumPy bound, CPU", got=got["predict"] / got["bound"], aim=RATIO),
        timing.Figure(quantity=f"{name}: predict / NumPy bound, wall", got=got["predict_wall"] / got["bound_wall"]),
        timing.Figure(quantity=f"{name}: predict {deals:,} deals", got=got["predict"], unit="CPU s"),
        timing.Figure(quantity=f"{name}: NumPy bound", got=got["bound"], unit="CPU s"),
        *_of_trees(name, got),
        timing.Figure(quantity=f"{name}: deals a CPU second", got=deals / got["predict"]),
        timing.Figure(quantity=f"{name}: peak memory of the process", got=got["mib_peak"], unit="MiB"),
        timing.Figure(quantity=f"{name}: of it, by predict", got=got["mib_peak"] - got["mib_before"], unit="MiB"),
    ]


def _of_trees(name: str, got: Mapping[str, float]) -> list[timing.Figure]:
    if "trees" not in got:
        return []
    return [timing.Figure(quantity=f"{name}: scikit-learn, as many trees alone", got=got["trees"], unit="CPU s")]


if __name__ == "__main__":
    main()
