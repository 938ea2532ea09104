"""How fits grow with the history: CPU seconds, draws a chain, and the number that is known least, by closed deals.

Each size is fitted in a process of its own, after a fit of forty deals that reads the compiled code. CPU seconds are
of all threads, the time to close and the trees included; decision 039 has those of the sampling alone, too.

python benchmarks/growth.py --sizes 300 3000 10000 30000
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from typing import Any

import _timing as timing

SIZES = (300, 3_000, 10_000, 30_000)
#: CPU seconds.
AIMS = {300: 6.0, 30_000: 300.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="closed deals")
    parser.add_argument("--data-seed", type=int, default=3)
    parser.add_argument("--seed", type=int, default=2, help="of the sampler")
    parser.add_argument("--quick", action="store_true", help="40 and 80 deals, to try it out")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.one, asked.data_seed, asked.seed)))
        return
    records = []
    for size in (40, 80) if asked.quick else asked.sizes:
        seeds = (f"--seed={asked.seed}", f"--data-seed={asked.data_seed}")
        records.append(timing.worker("growth.py", f"--one={size}", *seeds))
        timing.progress(f"  {records[-1]}")
    figures = figures_of(records)
    print(table(records), timing.figures_table(figures), sep="\n\n")
    timing.save("growth", figures, records=records)


def measure(size: int, data_seed: int, seed: int) -> dict[str, Any]:
    """CPU seconds of a fit, and what its last look at the chains found."""
    import winprob
    from winprob.model.inference import believable

    measure_gates, looks = believable.measure_gates, []

    def watched(parameters: Any, statistics: Any) -> Any:
        gates = measure_gates(parameters, statistics)
        looks.append((statistics.sizes["draw"], float(statistics["n_steps"].mean()), gates))
        return gates

    winprob.fit(winprob.simulate(40, 4, seed=data_seed).closed, seed=seed)
    closed = winprob.simulate(size, size // 10, seed=data_seed).closed
    believable.measure_gates, begun = watched, timing.cpu_seconds()
    try:
        winprob.fit(closed, seed=seed)
    except winprob.WinprobError as error:
        print(error, file=sys.stderr)
    spent, (draws, steps, gates) = timing.cpu_seconds() - begun, looks[-1]
    least = min(gates.each, key=lambda one: one.ess)
    return {
        "deals": size,
        "cpu": spent,
        "draws": draws,
        "steps": steps,
        "r_hat": gates.r_hat,
        "bulk_ess": gates.bulk_ess,
        "tail_ess": gates.tail_ess,
        "least": f"{least.name}[{least.at}]",
    }


def figures_of(records: list[dict[str, Any]]) -> list[timing.Figure]:
    """CPU seconds of each size, and from each size to the next relative to the growth of the deals."""
    figures = [
        timing.Figure(quantity=f"fit, {one['deals']:,} deals", got=one["cpu"], aim=AIMS.get(one["deals"]), unit="CPU s")
        for one in records
    ]
    for small, large in itertools.pairwise(records):
        quantity = f"CPU seconds, {large['deals']:,} / {small['deals']:,} deals"
        growth = {"got": large["cpu"] / small["cpu"], "aim": large["deals"] / small["deals"]}
        figures.append(timing.Figure(quantity=quantity, **growth))
    return figures


def table(records: list[dict[str, Any]]) -> str:
    """A row for each size."""
    header = ("deals", "CPU s", "draws a chain", "steps a draw", "R-hat", "bulk ESS", "tail ESS", "least known")
    rows = [
        (
            f"{one['deals']:,}",
            timing.number(one["cpu"]),
            one["draws"],
            timing.number(one["steps"]),
            timing.number(one["r_hat"], 4),
            *(timing.number(one[name]) for name in ("bulk_ess", "tail_ess")),
            one["least"],
        )
        for one in records
    ]
    return timing.markdown(header, rows)


if __name__ == "__main__":
    main()
