"""Calibration by effect size: teams whose deals hardly differ, and teams whose deals differ strongly.

Every effect of the simulator is multiplied by a strength. Fresh deals of the same quarters are predicted by the model
with a learned effect scale, and with the effect scale fixed at 1, as it was before decision 010.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import _timing as timing
import numpy as np
import pandas as pd

import winprob
from winprob.evaluation.scores import log_losses, paired_difference, recalibration
from winprob.settings import GateSettings, PriorSettings, Settings
from winprob.simulation import Truth, simulate

STRENGTHS = (0.0, 0.5, 1.0, 1.6)
SCALED = (
    *("stage_effect", "coach_effect", "method_effect", "coverage_effect", "role_weight", "amount_effect"),
    *("seller_sd", "segment_sd", "region_sd", "product_sd", "competitor_sd"),
)
PRIORS = {
    "learned": PriorSettings(),
    "held at 1": replace(PriorSettings(), effect_scale=(0.0, 1e-6), intercept=(-0.4, 1.0)),
}
#: Loose gates suffice, since only means are scored.
GATES = GateSettings(r_hat=1.2, bulk_ess=20, tail_ess=20, divergent_share=0.1, bfmi=0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=20)
    parser.add_argument("--deals", type=int, default=300)
    parser.add_argument("--fresh", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1001, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams, to try it out")
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + (2 if asked.quick else asked.teams))
    records = [record for k in STRENGTHS for record in of_strength(k, seeds, asked.deals, asked.fresh)]
    print(f"{len(seeds)} teams a strength, {asked.deals} closed deals to learn from\n\n{results_table(records)}")
    plain = next(r for r in records if r["strength"] == 1.0 and r["model"] == "learned")
    figure = timing.Figure(quantity="plain teams: slope's distance from 1", got=abs(plain["slope"] - 1), aim=0.05)
    print("\n" + timing.figures_table([figure]))
    timing.save("strength", [figure], table=records, teams=len(seeds), deals=asked.deals)


def of_strength(strength: float, seeds: range, deals: int, fresh: int) -> list[dict[str, float | str]]:
    """A record for each model: scores on all teams' fresh deals, and the paired difference of log loss."""
    parts = [predicted(strength, seed, deals, fresh) for seed in seeds]
    everything = pd.concat(parts, ignore_index=True)
    won, team = everything["won"].to_numpy(), everything["team"].factorize()[0]
    losses = {name: log_losses(won, everything[name].to_numpy()) for name in PRIORS}
    records: list[dict[str, float | str]] = []
    for name, loss in losses.items():
        slope, intercept = recalibration(won, everything[name].to_numpy())
        gap = paired_difference(losses["learned"], loss, team, seed=1)
        ends = dict(zip(("gap", "lower", "upper"), map(float, gap), strict=True))
        records.append(
            {
                "strength": strength,
                "model": name,
                "loss": float(loss.mean()),
                "slope": float(slope),
                "intercept": float(intercept),
                **ends,
            }
        )
    timing.progress(f"strength {strength}")
    return records


def predicted(strength: float, seed: int, deals: int, fresh: int) -> pd.DataFrame:
    """Outcomes of a team's fresh deals, and each model's predictions."""
    first = simulate(deals, 1, seed=seed, truth=of_size(strength))
    again = simulate(fresh, 1, seed=seed + 5000, truth=first.truth).closed
    chances = {}
    for name, priors in PRIORS.items():
        settings = replace(Settings(priors=priors).for_refits(), gates=GATES)
        posterior = winprob.fit(first.closed, seed=1, settings=settings)
        chances[name] = winprob.predict(posterior, again)["mean"].to_numpy(dtype=float)
    return pd.DataFrame({"team": seed, "won": (again["outcome"] == "won").to_numpy(dtype=float), **chances})


def of_size(strength: float) -> Truth:
    """The simulator's parameters with all effects times ``strength``; role weights stay positive."""
    plain = Truth()
    scaled = {name: np.multiply(getattr(plain, name), max(strength, 1e-3)).tolist() for name in SCALED}
    return replace(plain, **scaled)


def results_table(records: list[dict[str, float | str]]) -> str:
    rows = [
        (
            r["strength"],
            r["model"],
            f"{r['loss']:.4f}",
            "-" if r["model"] == "learned" else f"{r['gap']:+.4f} ({r['lower']:+.4f}, {r['upper']:+.4f})",
            f"{r['slope']:.3f}",
            f"{r['intercept']:+.3f}",
        )
        for r in records
    ]
    head = ("true strength", "model's strength", "log loss", "learned minus this, 90 %", "slope", "intercept")
    return timing.markdown(head, rows)


if __name__ == "__main__":
    main()
