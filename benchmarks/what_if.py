"""Small calls from a loaded model and a loaded table of 60 deals: a what-if, and the levers of one deal and of all.

The bound: the bare NumPy arithmetic of the same size, one ``scipy.special.expit`` over an array (scenario, draw) or
(deal and role, draw) in float32, on one core. Beyond it, a call validates, describes and tabulates. The draws come from
the prior on the scaling of a simulated team: time does not depend on the values of the draws. Models as in
``prediction``, one without trees, one with trees, one with trees and combinations of levels. CPU time, so that it means
something on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import _timing as timing
import numpy as np
import prediction

from winprob.methodology.vocabulary import ROLES

DRAWS = prediction.CHAINS * prediction.PER_CHAIN
DEALS = 60
CHANGES = {"approver_support": 3, "coach": "validated"}
#: The present, each change alone, and both.
SCENARIOS = len(CHANGES) + 2
#: Milliseconds.
WHAT_IF, LEVERS = 15.0, 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=31, help="takes of each, in turn")
    parser.add_argument("--models", nargs="+", choices=tuple(prediction.MODELS), default=list(prediction.MODELS))
    parser.add_argument("--quick", action="store_true", help="few takes, to try it out")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    times = 3 if asked.quick else asked.times
    if asked.worker:
        print(json.dumps(measure(asked.worker, times)))
        return
    results, figures = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.models:
            prediction.make_model(Path(folder) / f"{name}.nc", name)
            results[name] = timing.worker("what_if.py", f"--times={times}", f"--worker={folder}/{name}.nc")
            figures += figures_of(name, results[name])
    print(timing.figures_table(figures))
    timing.save("what_if", figures, deals=DEALS, draws=DRAWS, models=results)


def measure(model: Path, times: int) -> dict[str, float]:
    """Median CPU seconds of each call, in a process that does nothing else."""
    import winprob

    posterior = winprob.Posterior.load(model)
    table = prediction.with_covariates(winprob.simulate(1, DEALS, seed=2).open, seed=2)
    deal = str(table["deal_id"].iloc[7])
    one = table[table["deal_id"] == deal]
    calls: dict[str, Callable[[], object]] = {
        "what_if": lambda: winprob.what_if(posterior, table, deal, CHANGES),
        "levers_one": lambda: winprob.rank_roles(posterior, one, evidence=True),
        "levers_all": lambda: winprob.rank_roles(posterior, table),
        "bound_what_if": _bound(SCENARIOS),
        "bound_one": _bound(len(ROLES)),
        "bound_all": _bound(DEALS * len(ROLES)),
    }
    for call in calls.values():
        call()
    return timing.medians({name: _clock(call) for name, call in calls.items()}, times)


def _clock(call: Callable[[], object]) -> Callable[[], float]:
    def clocked() -> float:
        start = time.process_time()
        call()
        return time.process_time() - start

    return clocked


def _bound(rows: int) -> Callable[[], object]:
    from scipy.special import expit

    log_odds = np.random.default_rng(0).standard_normal((rows, DRAWS), dtype=np.float32)
    return lambda: expit(log_odds)


def figures_of(model: str, got: dict[str, float]) -> list[timing.Figure]:
    ms = {name: 1000 * seconds for name, seconds in got.items()}
    quantities = (
        ("what-if of one deal, two changes", "what_if", "bound_what_if", WHAT_IF),
        ("levers of one deal, with evidence", "levers_one", "bound_one", LEVERS),
        (f"levers of {DEALS} deals", "levers_all", "bound_all", LEVERS),
    )
    figures = []
    for quantity, name, bound, aim in quantities:
        figures.append(timing.Figure(quantity=f"{model}: {quantity}", got=ms[name], aim=aim, unit="CPU ms"))
        figures.append(timing.Figure(quantity=f"{model}: {quantity} / NumPy bound", got=ms[name] / ms[bound]))
    return figures


if __name__ == "__main__":
    main()
