"""Many teams: a model for each, or one hierarchical model; paired log loss on the last quarter, by size.

Teams of 10 to 300 closed deals of earlier quarters, each with an intercept and role weights of its own. Every team is
scored on all of its 60 or so deals that were read in the last quarter, whatever its size, so that small teams count.
``common`` is one model with an intercept for each team and common role weights, in ``pooled`` they have role weights of
their own, about the common ones.

python benchmarks/teams_pooled.py --teams 10
"""

from __future__ import annotations

import argparse
import time

import _timing as timing
import numpy as np
import pandas as pd

import winprob
from winprob.evaluation import paired_difference
from winprob.evaluation.scores import log_losses
from winprob.model.draws import summarise
from winprob.scale.teams import pooled_fit, team_fits
from winprob.settings import Settings, settings_from
from winprob.simulation import Truth, simulate

SIZES = (10, 30, 100, 300)
#: Sds over teams: of the intercept, and of the log of each role's weight.
INTERCEPT_SD, ROLE_SD = 0.6, 0.4
DRAWN = 480
WAYS = ("separate", "common", "pooled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=10, help="of each size")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--role-sd", type=float, default=ROLE_SD, help="of the log of a role's weight over teams")
    parser.add_argument("--quick", action="store_true", help="two teams of two sizes, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked.teams, asked.sizes = 1, [10, 30]
    scored, spent, spread = score_teams(asked.teams, asked.sizes, asked.seed, asked.role_sd)
    table = compare(scored, seed=asked.seed)
    print(f"{asked.teams} teams of each size, seeds from {asked.seed}\n\n{results_table(table)}\n")
    figures = [
        timing.Figure(quantity=f"{name}, CPU seconds of all fits", got=got, unit="s") for name, got in spent.items()
    ]
    print(timing.figures_table(figures))
    mean, lower, upper = spread
    print(f"\nsd of log role weights over teams: learned {mean:.2f} ({lower:.2f} to {upper:.2f}), true {asked.role_sd}")
    known = {"teams": asked.teams, "sizes": asked.sizes, "role_sd": asked.role_sd, "learned": spread}
    timing.save("teams_pooled", figures, table=table.to_dict("records"), **known)


def make_team(size: int, seed: int, role_sd: float = ROLE_SD) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``size`` closed deals of the earlier quarters, and all of the last one, of a team with a truth of its own."""
    rng = np.random.default_rng([seed, size])
    weight = np.array(Truth().role_weight) * np.exp(role_sd * rng.standard_normal((len(Truth().role_weight), 1)))
    none = dict.fromkeys(("segment_sd", "region_sd", "product_sd", "competitor_sd", "drift_sd"), 0.0)
    truth = Truth(
        intercept=float(Truth().intercept + INTERCEPT_SD * rng.standard_normal()),
        role_weight=tuple(map(tuple, weight)),
        **none,
    )
    closed = simulate(DRAWN, 1, seed=seed, truth=truth).closed
    name = f"{size}-{seed}"
    closed = closed.assign(
        deal_id=name + "-" + closed["deal_id"],
        seller=name + "-" + closed["seller"],
        account=name + "-" + closed["account"],
    ).assign(team=name)
    last = closed["as_of"] >= closed["as_of"].dt.to_period("Q").max().start_time
    # What was known when the last quarter began.
    known = closed[~last & (closed["closed_on"] < closed.loc[last, "as_of"].min())]
    return known.sample(size, random_state=seed).sort_index(), closed[last]


def score_teams(
    teams: int, sizes: list[int], seed: int, role_sd: float
) -> tuple[pd.DataFrame, dict[str, float], list[float]]:
    """Held-out deals (``team, size, won`` and a column for each way), CPU seconds, and the learned sd with interval."""
    settings = settings_from({}).for_refits()
    made = {(size, at): make_team(size, at, role_sd) for size in sizes for at in range(seed, seed + teams)}
    known = pd.concat([train for train, _ in made.values()], ignore_index=True)
    spent = dict.fromkeys(WAYS, 0.0)
    task, whole = pooled_fit(known, "team", timing.out_dir(), settings=settings, seed=1), {}
    for name, how in (("common", settings), ("pooled", settings_from(dict(task.settings)))):
        start = timing.cpu_seconds()
        whole[name] = _fit(task.deals, how)
        spent[name] = timing.cpu_seconds() - start
        timing.progress(f"{name}: {spent[name]:.0f} CPU s, {len(known)} deals")
    fits = {fit.team: fit for fit in team_fits(known, "team", timing.out_dir(), settings=settings, seed=1)}
    scored = []
    for (size, _), (train, test) in made.items():
        team, start, began = train["team"].iloc[0], timing.cpu_seconds(), time.perf_counter()
        own = _fit(fits[team].deals, settings)
        spent["separate"] += timing.cpu_seconds() - start
        chances = {name: winprob.predict(model, test)["mean"] for name, model in {"separate": own, **whole}.items()}
        scored.append(pd.DataFrame({"team": team, "size": size, "won": test["outcome"] == "won", **chances}))
        timing.progress(f"team {team}: {time.perf_counter() - began:.0f} s")
    spread = [float(end) for end in summarise(whole["pooled"].flat["team_spread"][:, 0])]
    return pd.concat(scored, ignore_index=True), spent, spread


def _fit(deals: pd.DataFrame, settings: Settings) -> winprob.Posterior:
    return winprob.fit(deals, seed=1, settings=settings, one_outcome=True)


def compare(scored: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """A row for each size: log loss of each way; pooled minus the other two, 90 % intervals over teams."""
    records = []
    for size, rows in [*scored.groupby("size"), ("all", scored)]:
        won = rows["won"].to_numpy(dtype=float)
        losses = {name: log_losses(won, rows[name].to_numpy(dtype=float)) for name in WAYS}
        base, teams = log_losses(won, np.full(len(won), won.mean())), rows["team"].to_numpy()
        differences = {
            f"pooled minus {other}": paired_difference(losses["pooled"], losses[other], teams, seed=seed)
            for other in ("separate", "common")
        }
        records.append(
            {
                "size": size,
                "teams": rows["team"].nunique(),
                "deals": len(rows),
                **{name: float(loss.mean()) for name, loss in losses.items()},
                "one rate for all": float(base.mean()),
                **differences,
            }
        )
    return pd.DataFrame(records)


def results_table(table: pd.DataFrame) -> str:
    rows = [[_cell(value) for value in record.values()] for record in table.to_dict("records")]
    heads = {"size": "training deals of a team", "deals": "scored deals"}
    return timing.markdown([heads.get(str(name), str(name)) for name in table], rows)


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        mean, lower, upper = value
        return f"{mean:+.4f} ({lower:+.4f}, {upper:+.4f})"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
