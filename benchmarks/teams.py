"""Backtests of many simulated teams: log loss against every baseline, and calibration.

Every team has its own sellers, accounts and history, drawn from the simulator, not from the model's prior. Completed
folds are cached, so that an interrupted run resumes.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import _timing as timing
import numpy as np
import pandas as pd
from scipy.special import expit, logit

from winprob.evaluation import paired_difference, run_backtest
from winprob.evaluation.backtesting import OURS
from winprob.evaluation.scores import EDGE, log_losses, recalibration
from winprob.settings import EvaluationSettings, Settings
from winprob.simulation import simulate

#: Ends of the rows of slopes by deals that had closed before.
LEARNED_FROM = (120, 180, 240)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=60)
    parser.add_argument("--deals", type=int, default=300)
    parser.add_argument("--protocol", choices=("rolling", "k-fold"), default="rolling")
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked.teams = 2
    scored, groups = backtest_teams(asked.teams, asked.deals, asked.protocol, asked.seed)
    table = compare(scored, groups, seed=asked.seed)
    print(f"{asked.teams} teams of {asked.deals} closed deals, {asked.protocol}\n\n{results_table(table)}\n")
    if asked.protocol == "rolling":
        print(f"{learned_table(scored, asked.deals)}\n")
    ours = table.set_index("model").loc[OURS]
    rivals = table[table["model"] != OURS]
    figures = [
        timing.Figure(
            quantity="log loss minus the best baseline's", got=ours["log_loss"] - rivals["log_loss"].min(), aim=0.0
        ),
        timing.Figure(quantity="calibration slope, distance from 1", got=abs(ours["slope"] - 1), aim=0.05),
        timing.Figure(quantity="90 % group coverage, distance from 0.90", got=abs(ours["coverage_90"] - 0.9), aim=0.03),
    ]
    print(timing.figures_table(figures))
    timing.save(f"teams_{asked.protocol}", figures, table=table.to_dict("records"), teams=asked.teams)


def backtest_teams(teams: int, deals: int, protocol: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All scored deals (``team, fold, won`` and a column per model), and all groups (``team, model, covered``)."""
    settings = Settings(evaluation=EvaluationSettings(repeats=1))
    scored, groups = [], []
    for at in range(seed, seed + teams):
        team = simulate(deals, 60, seed=at)
        table = pd.concat([team.closed, team.open], ignore_index=True)
        keep = timing.out_dir() / "teams"
        result = run_backtest(table, seed=1, settings=settings, protocol=protocol, keep=keep, seller=False)
        fold = result.deals["fold"].to_numpy()
        scored.append(pd.DataFrame({"team": at, "fold": fold, "won": result.won, **result.win_prob}))
        for model in result.win_prob:
            calibration = result.groups_of(model)
            groups.append(calibration[["grouping", "covered"]].assign(team=at, model=model))
        timing.progress(f"team {at - seed + 1} of {teams}")
    return pd.concat(scored, ignore_index=True), pd.concat(groups, ignore_index=True)


def compare(scored: pd.DataFrame, groups: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """One row per model: log loss over all teams' deals; winprob's minus it, 90 % interval over teams; calibration
    slope and intercept of the pooled deals; slope within a team's quarter, which does not depend on the win rate;
    coverage over all teams' groups with its standard error over teams.
    """
    won, team = scored["won"].to_numpy(), scored["team"].factorize()[0]
    fold = scored.groupby(["team", "fold"]).ngroup().to_numpy()
    losses = {name: log_losses(won, scored[name].to_numpy()) for name in scored.columns[3:]}
    by_team = groups.pivot_table(index="model", columns="team", values="covered")
    records = []
    for name, loss in losses.items():
        slope, intercept = recalibration(won, scored[name].to_numpy())
        difference = paired_difference(losses[OURS], loss, team, seed=seed) if name != OURS else (np.nan,) * 3
        records.append(
            {
                "model": name,
                "log_loss": loss.mean(),
                **dict(zip(("difference", "lower", "upper"), difference, strict=True)),
                "slope": slope,
                "intercept": intercept,
                "slope_within": slope_within(won, scored[name].to_numpy(), fold),
                "coverage_90": groups.loc[groups["model"] == name, "covered"].mean(),
                "coverage_se": by_team.loc[name].std() / np.sqrt(by_team.shape[1]),
            }
        )
    return pd.DataFrame(records)


def slope_within(won: np.ndarray, win_prob: np.ndarray, group: np.ndarray) -> float:
    """Calibration slope with an intercept for each group; NaN where all probabilities are equal."""
    x, slope, level = logit(np.clip(win_prob, EDGE, 1 - EDGE)), 1.0, np.zeros(group.max() + 1)
    if np.ptp(x - (np.bincount(group, x) / np.bincount(group))[group]) < 1e-9:
        return float("nan")
    for _ in range(50):  # Newton steps, group intercepts profiled out; a small ridge where all outcomes are equal
        chance = expit(level[group] + slope * x)
        spread, off = chance * (1 - chance), won - chance
        own, mixed = np.bincount(group, spread) + 1e-3, np.bincount(group, spread * x)
        pull = np.bincount(group, off) - 1e-3 * level
        step = (off @ x - (mixed / own) @ pull) / (spread @ x**2 - (mixed**2 / own).sum())
        level, slope = level + (pull - mixed * step) / own, slope + step
    return float(slope)


def learned_table(scored: pd.DataFrame, deals: int) -> str:
    """Calibration slopes by how many deals had closed before a fold; folds are in time order."""
    size = scored.groupby(["team", "fold"], sort=False)["won"].transform("size")
    team = scored["team"]
    scored_before = (~scored.duplicated(["team", "fold"]) * size).groupby(team).cumsum() - size
    learned = deals - team.map(team.value_counts()) + scored_before
    ends = (0, *LEARNED_FROM, deals)
    rows = []
    for low, high in pairwise(ends):
        some = scored[(learned >= low) & (learned < high)]
        if len(some):
            slopes = (recalibration(some["won"].to_numpy(), some[name].to_numpy())[0] for name in (OURS, "logistic"))
            rows.append((f"{low} to {high - 1}", f"{len(some):,}", *(f"{slope:.2f}" for slope in slopes)))
    return timing.markdown(("deals closed before", "predictions", "slope, winprob", "slope, logistic"), rows)


def results_table(table: pd.DataFrame) -> str:
    rows = [
        (
            r["model"],
            f"{r['log_loss']:.4f}",
            "-" if np.isnan(r["lower"]) else f"{r['difference']:+.4f} ({r['lower']:+.4f}, {r['upper']:+.4f})",
            f"{r['slope']:.3f}",
            f"{r['intercept']:+.3f}",
            f"{r['slope_within']:.3f}",
            f"{r['coverage_90']:.3f} ± {r['coverage_se']:.3f}",
        )
        for _, r in table.iterrows()
    ]
    head = (
        "model",
        "log loss",
        "winprob's minus this, 90 %",
        "slope",
        "intercept",
        "slope within quarters",
        "group coverage (aim .90) ± se",
    )
    return timing.markdown(head, rows)


if __name__ == "__main__":
    main()
