"""A quarter of 10,000 open deals x 2,000 draws, next to the least NumPy work that could give such a total.

The bound: one float32 matrix product (deals x 20) @ (20 x draws), ``scipy.special.expit`` of it, as many uniform
numbers, a comparison, and the amounts summed over the deals won. It knows no features, no time, no categories, no
intervals, no share of any deal. The draws come from the prior on the scaling of a simulated team: time does not depend
on what they say.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd

CHAINS, PER_CHAIN, FEATURES = 4, 500, 20
RATIO, MEMORY = 5.0, 2048.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deals", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=100_000, help="deals for the memory it takes; 0 leaves it out")
    parser.add_argument("--times", type=int, default=5, help="takes of each, in turn")
    parser.add_argument("--quick", action="store_true", help="small, to try it out")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    deals, many, times = (1_000, 0, 2) if asked.quick else (asked.deals, asked.many, asked.times)
    if asked.worker:
        print(json.dumps(measure(asked.worker, deals, times)))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = []
        for dated in (False, True):
            path = Path(folder) / f"model-{dated}.nc"
            make_model(path, dated=dated)
            name = "with time to close" if dated else "without"
            figures += figures_of(worker(path, deals, times), deals, name)
            if many:
                got = worker(path, many, 0)
                figures.append(
                    timing.Figure(quantity=f"peak, {many:,} deals, {name}", got=got["mib_peak"], aim=MEMORY, unit="MiB")
                )
    print(timing.figures_table(figures))
    timing.save("forecast", figures, deals=deals, draws=CHAINS * PER_CHAIN)


def worker(path: Path, deals: int, times: int) -> Any:
    return timing.worker("forecast.py", f"--deals={deals}", f"--times={times}", f"--worker={path}")


def make_model(path: Path, *, dated: bool) -> None:
    """A model of exactly 2,000 draws with the levels of simulated deals, with and without a time to close."""
    import winprob
    from winprob.data.schema import validate_deals
    from winprob.model.amounts import ClosingAmounts
    from winprob.model.arrivals import learn_arrivals
    from winprob.model.features import learn_scaling
    from winprob.model.hazards import learn_hazards
    from winprob.model.win.parameters import sample_prior

    settings, rng = winprob.Settings(), np.random.default_rng(1)
    closed = validate_deals(winprob.simulate(300, 1, seed=1).closed, training=True)
    scaling = learn_scaling(closed, settings)
    flat = sample_prior(scaling.layout, settings.priors, CHAINS * PER_CHAIN, rng)
    draws = {name: v.reshape(CHAINS, PER_CHAIN, *v.shape[1:]).astype(np.float32) for name, v in flat.items()}
    hazards = learn_hazards(closed, settings, draws=CHAINS * PER_CHAIN, seed=1) if dated else None
    if hazards is not None:
        # As after a history: what is recalibrated is added up span by span.
        parts = rng.normal(0.2, 0.2, (CHAINS * PER_CHAIN, 2, 2)).astype(np.float32)
        hazards = replace(hazards, draws={**hazards.draws, "recalibration": parts}, recalibrated=True)
    reference = {"base_rate_logit": draws["intercept"], "term_mean": np.zeros((CHAINS, PER_CHAIN, 0), np.float32)}
    replace(
        winprob.fit_prior(seed=1),
        draws={**draws, **reference},
        prior={name: values.astype(np.float32) for name, values in flat.items()},
        terms=(),
        scaling=scaling,
        hazards=hazards,
        arrivals=learn_arrivals(closed, settings.calendar),
        amounts=ClosingAmounts(deals=200.0, changed=80.0, mean=-0.05, variance=0.03),
    ).save(path)


def measure(model: Path, deals: int, times: int) -> dict[str, Any]:
    """Seconds and memory, in a process that does nothing else."""
    import winprob

    posterior = winprob.Posterior.load(model)
    table: pd.DataFrame = winprob.simulate(1, deals, seed=2).open
    before = _peak()
    first = timing.seconds(lambda: winprob.forecast_quarter(posterior, table, "2026Q4"))
    peak = _peak()
    works = {
        "forecast": lambda: timing.seconds(lambda: winprob.forecast_quarter(posterior, table, "2026Q4")),
        "bound": _bound(deals) if times else float,
    }
    return {**(timing.medians(works, times) if times else {}), "first": first, "mib_before": before, "mib_peak": peak}


def _bound(deals: int) -> Any:
    from scipy.special import expit

    rng = np.random.default_rng(0)
    left = rng.standard_normal((deals, FEATURES), dtype=np.float32)
    right = rng.standard_normal((FEATURES, CHAINS * PER_CHAIN), dtype=np.float32) / np.float32(FEATURES**0.5)
    amount = np.exp(rng.standard_normal(deals, dtype=np.float32))

    def work() -> None:
        won = rng.random((deals, CHAINS * PER_CHAIN), dtype=np.float32) < expit(left @ right)
        np.quantile(amount @ won, (0.1, 0.5, 0.9))

    return lambda: timing.seconds(work)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def figures_of(got: dict[str, float], deals: int, name: str) -> list[timing.Figure]:
    return [
        timing.Figure(quantity=f"forecast / NumPy bound, {name}", got=got["forecast"] / got["bound"], aim=RATIO),
        timing.Figure(quantity=f"forecast of {deals:,} deals, {name}", got=got["forecast"], unit="s"),
        timing.Figure(quantity="NumPy bound", got=got["bound"], unit="s"),
        timing.Figure(quantity=f"peak, {deals:,} deals, {name}", got=got["mib_peak"], unit="MiB"),
    ]


if __name__ == "__main__":
    main()
