"""Prediction of 100,000 deals x 1,000 draws, next to the least NumPy work that could give as many probabilities.

The bound: one float32 matrix product (deals x 20) @ (20 x draws) and one ``scipy.special.expit`` of that size. It finds
no features, no levels, no intervals. The draws come from the prior on the scaling of a simulated team: time does not
depend on what the draws say.
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

CHAINS, PER_CHAIN, FEATURES = 4, 250, 20
RATIO = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deals", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5, help="takes of each, in turn")
    parser.add_argument("--quick", action="store_true", help="small, to try it out")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    deals, times = (5_000, 2) if asked.quick else (asked.deals, asked.times)
    if asked.worker:
        print(json.dumps(measure(asked.worker, deals, times)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder) / "model.nc")
        got = timing.worker("prediction.py", f"--deals={deals}", f"--times={times}", f"--worker={folder}/model.nc")
    figures = figures_of(got, deals)
    print(timing.figures_table(figures))
    timing.save("prediction", figures, deals=deals, draws=CHAINS * PER_CHAIN, **got)


def make_model(path: Path) -> None:
    """A model of exactly 1,000 draws with the levels, quarters and tiers of 300 simulated deals."""
    import winprob
    from winprob.data.schema import validate_deals
    from winprob.model.features import learn_scaling
    from winprob.model.win.parameters import sample_prior

    settings, rng = winprob.Settings(), np.random.default_rng(1)
    closed = validate_deals(winprob.simulate(300, 1, seed=1).closed, training=True)
    scaling = learn_scaling(closed, settings)
    flat = sample_prior(scaling.layout, settings.priors, CHAINS * PER_CHAIN, rng)
    draws = {name: v.reshape(CHAINS, PER_CHAIN, *v.shape[1:]).astype(np.float32) for name, v in flat.items()}
    prior = sample_prior(scaling.layout, settings.priors, settings.sampler.prior_draws, rng)
    believed = {name: values.astype(np.float32) for name, values in prior.items()}
    reference = {"base_rate_logit": draws["intercept"], "term_mean": np.zeros((CHAINS, PER_CHAIN, 0), np.float32)}
    empty = winprob.fit_prior(seed=1)
    replace(empty, draws={**draws, **reference}, prior=believed, terms=(), scaling=scaling).save(path)


def measure(model: Path, deals: int, times: int) -> dict[str, Any]:
    """Seconds and memory, in a process that does nothing else."""
    import winprob

    posterior = winprob.Posterior.load(model)
    table = winprob.simulate(1, deals, seed=2).open
    before = _peak()
    first = timing.seconds(lambda: winprob.predict(posterior, table))
    peak = _peak()
    works = {
        "predict": lambda: timing.seconds(lambda: winprob.predict(posterior, table)),
        "bound": _bound(deals),
    }
    return {**timing.medians(works, times), "first": first, "mib_before": before, "mib_peak": peak}


def _bound(deals: int) -> Any:
    from scipy.special import expit

    rng = np.random.default_rng(0)
    left = rng.standard_normal((deals, FEATURES), dtype=np.float32)
    right = rng.standard_normal((FEATURES, CHAINS * PER_CHAIN), dtype=np.float32) / np.float32(FEATURES**0.5)
    expit(left @ right)
    return lambda: timing.seconds(lambda: expit(left @ right))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def figures_of(got: dict[str, float], deals: int) -> list[timing.Figure]:
    return [
        timing.Figure(quantity="predict / NumPy bound", got=got["predict"] / got["bound"], aim=RATIO),
        timing.Figure(quantity=f"predict {deals:,} deals", got=got["predict"], unit="s"),
        timing.Figure(quantity="NumPy bound", got=got["bound"], unit="s"),
        timing.Figure(quantity="deals a second", got=deals / got["predict"]),
        timing.Figure(quantity="peak memory of the process", got=got["mib_peak"], unit="MiB"),
        timing.Figure(quantity="of it, by predict", got=got["mib_peak"] - got["mib_before"], unit="MiB"),
    ]


if __name__ == "__main__":
    main()
