"""Learning curve of long histories: log loss and interval width by number of closed deals, for one simulated team.

Motivates ``sampler.most_deals``: how much a longer history would reduce log loss and interval width.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import _timing as timing

import winprob
from winprob.evaluation.scores import log_losses
from winprob.settings import GateSettings, Settings

SIZES = (1_000, 3_000, 10_000, 30_000)
GATES = GateSettings(r_hat=1.2, bulk_ess=20, tail_ess=20, divergent_share=0.1, bfmi=0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--fresh", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    first = winprob.simulate(max(asked.sizes), 1, seed=asked.seed)
    fresh = winprob.simulate(asked.fresh, 1, seed=asked.seed + 5000, truth=first.truth).closed
    won = (fresh["outcome"] == "won").to_numpy(dtype=float)
    settings = replace(Settings().for_refits(), gates=GATES)
    rows = []
    for size in asked.sizes:
        start = time.perf_counter()
        posterior = winprob.fit(first.closed.sample(size, random_state=asked.seed), seed=1, settings=settings)
        spent = time.perf_counter() - start
        chances = winprob.predict(posterior, fresh)
        loss, width = log_losses(won, chances["mean"].to_numpy()).mean(), (chances["upper"] - chances["lower"]).mean()
        ess = posterior.provenance.gates["bulk_ess"]
        rows.append((f"{size:,}", f"{loss:.4f}", f"{width:.3f}", f"{spent:.0f}", f"{ess:.0f}", f"{spent / ess:.3f}"))
        timing.progress(f"{size} deals: {spent:.0f} s")
    header = (
        "closed deals",
        "log loss",
        "interval width",
        "seconds, 2 x 800 steps",
        "bulk ESS",
        "seconds an effective draw",
    )
    print(timing.markdown(header, rows))


if __name__ == "__main__":
    main()
