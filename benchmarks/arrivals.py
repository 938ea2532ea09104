"""Coverage of the number of deals not yet created, with and without growth: one quarter ahead of a simulated record.

Counts of a quarter are Poisson about a gamma rate with a season; teams grow by a fixed rate, or their level is a random
walk. The stationary predictive distribution, used for models without a day of their last quarter, is shown next to it.
"""

from __future__ import annotations

import argparse

import _timing as timing
import numpy as np
import pandas as pd

DRAWS = 1000
SEASON = np.array([0.8, 1.0, 0.95, 1.25])
#: Growth per quarter and sd of the steps of the level.
WORLDS = {"no growth": (0.0, 0.0), "8 % growth": (0.08, 0.0), "8 % decline": (-0.08, 0.0), "random walk": (0.0, 0.1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--teams", type=int, default=100, help="of each world and length of the record")
    parser.add_argument("--mean", type=float, default=25.0, help="deals a quarter at the middle of the record")
    asked = parser.parse_args()
    rows = []
    for world in WORLDS:
        for quarters in (4, 8, 12):
            rows += measure(world, quarters, asked)
    table = pd.DataFrame(rows)
    print(timing.markdown(tuple(table), [tuple(map(_cell, row)) for row in table.itertuples(index=False)]))
    figures = [
        timing.Figure(quantity=f"{r['world']}, {r['quarters']} quarters, {r['method']}: above P90", got=r["above P90"])
        for r in rows
    ]
    timing.save("arrivals", figures, table=rows)


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def measure(world: str, quarters: int, asked: argparse.Namespace) -> list[dict[str, object]]:
    """Shares of coming quarters above P90, below P10, and the width, for both distributions."""
    from winprob.model.arrival_rate import draw_growing_counts
    from winprob.model.arrivals import draw_counts

    pits: dict[str, list[float]] = {"local level": [], "stationary": []}
    widths: dict[str, list[float]] = {"local level": [], "stationary": []}
    for team in range(asked.teams):
        rng = np.random.default_rng([asked.seed, team, quarters])
        of_year = (np.arange(quarters + 1) + team) % 4
        seen = simulate(rng, of_year, asked.mean, *WORLDS[world])
        past, seasons, uniforms = seen[:-1].astype(float), of_year[:-1], rng.random((4, DRAWS))
        both = {
            "local level": draw_growing_counts(past, seasons, int(of_year[-1]), uniforms, rng),
            "stationary": draw_counts(past, seasons, int(of_year[-1]), uniforms),
        }
        for name, drawn in both.items():
            ties = (drawn == seen[-1]).mean()
            pits[name].append(float((drawn < seen[-1]).mean() + rng.random() * ties))
            widths[name].append(float(np.subtract(*np.quantile(drawn, [0.9, 0.1])) / asked.mean))
    return [
        {
            "world": world,
            "quarters": quarters,
            "method": name,
            "above P90": float(np.mean(np.array(pit) > 0.9)),
            "below P10": float(np.mean(np.array(pit) < 0.1)),
            "width": float(np.mean(widths[name])),
        }
        for name, pit in pits.items()
    ]


def simulate(rng: np.random.Generator, of_year: np.ndarray, mean: float, growth: float, step: float) -> np.ndarray:
    """(quarter,) counts, the level equal to ``mean`` in the middle of the record."""
    quarters = len(of_year)
    level = np.cumsum(np.full(quarters, growth) + step * rng.standard_normal(quarters))
    rate = mean * np.exp(level - level[quarters // 2]) * SEASON[of_year]
    return rng.poisson(rate * rng.gamma(1 / 0.15**2, 0.15**2, quarters))


if __name__ == "__main__":
    main()
