"""Levers of 10,000 open deals x 5 roles x 1,000 draws, next to the least NumPy work that could give as many lifts.

The bound: one ``scipy.special.expit`` over an array (deal and role, draw) in float32, on one core. It knows no deal, no
weight, no interval and no leader. The draws come from the prior on the scaling of a simulated team: time does not
depend on what the draws say. Memory: of the call, and of a call on ten times the deals.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import prediction

from winprob.methodology.vocabulary import ROLES

DRAWS = prediction.CHAINS * prediction.PER_CHAIN
RATIO = 3.0
TIMES_MORE = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deals", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5, help="takes of each, in turn")
    parser.add_argument("--quick", action="store_true", help="small, to try it out")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    deals, times = (2_000, 2) if asked.quick else (asked.deals, asked.times)
    if asked.worker:
        print(json.dumps(measure(asked.worker, deals, times)))
        return
    with tempfile.TemporaryDirectory() as folder:
        prediction.make_model(Path(folder) / "model.nc")
        got = timing.worker("levers.py", f"--deals={deals}", f"--times={times}", f"--worker={folder}/model.nc")
    figures = told(got, deals)
    print(timing.figures_table(figures))
    timing.save("levers", figures, deals=deals, draws=DRAWS, **got)


def measure(model: Path, deals: int, times: int) -> dict[str, Any]:
    """Seconds and memory, in a process that does nothing else."""
    import winprob

    posterior = winprob.Posterior.load(model)
    table = winprob.simulate(1, deals, seed=2).open
    more = winprob.simulate(1, TIMES_MORE * deals, seed=2).open
    before = prediction._peak()
    first = timing.seconds(lambda: winprob.rank_roles(posterior, table))
    peak = prediction._peak()
    works = {
        "levers": lambda: timing.seconds(lambda: winprob.rank_roles(posterior, table)),
        "by_seller": lambda: timing.seconds(lambda: winprob.rank_roles(posterior, table, by="seller")),
        "bound": _bound(deals),
    }
    medians = timing.medians(works, times)
    start = prediction._peak()
    many = timing.seconds(lambda: winprob.rank_roles(posterior, more))
    grown = prediction._peak() - start
    return {**medians, "first": first, "mib": peak - before, "many": many, "mib_grown": grown}


def _bound(deals: int) -> Callable[[], float]:
    from scipy.special import expit

    log_odds = np.random.default_rng(0).standard_normal((deals * len(ROLES), DRAWS), dtype=np.float32)
    expit(log_odds)
    return lambda: timing.seconds(lambda: expit(log_odds))


def told(got: dict[str, float], deals: int) -> list[timing.Figure]:
    return [
        timing.Figure(quantity="levers / NumPy bound", got=got["levers"] / got["bound"], aim=RATIO),
        timing.Figure(quantity=f"levers of {deals:,} deals", got=got["levers"], unit="s"),
        timing.Figure(quantity="the same by seller", got=got["by_seller"], unit="s"),
        timing.Figure(quantity="NumPy bound", got=got["bound"], unit="s"),
        timing.Figure(quantity=f"{TIMES_MORE} times the deals, times the time", got=got["many"] / got["levers"]),
        timing.Figure(quantity="memory of the call", got=got["mib"], unit="MiB"),
        timing.Figure(quantity=f"more with {TIMES_MORE} times the deals", got=got["mib_grown"], unit="MiB"),
    ]


if __name__ == "__main__":
    main()
