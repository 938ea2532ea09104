"""Null test (Maven, a fictitious CRM): facts known when a deal opens have no predictive value out of time.

The model is fitted to the first 70 % of closed deals by opening day and predicts the rest. A calibrated model predicts
close to the base rate, with wide intervals.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd
from _scores import baselines, log_losses, scores

MAPPING = timing.ROOT / "data" / "mappings" / "maven.toml"
TRAINED = 0.7
LOG_LOSS_AIM = 0.670
FACTS = ["sales_agent", "product", "account"]
TEAM = ["manager", "regional_office"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--settings", type=Path, default=timing.FOLDS_SETTINGS, help="winprob settings, TOML")
    parser.add_argument("--team", action="store_true", help="learn from the agent's manager and office too")
    parser.add_argument("--quick", action="store_true", help="from 600 deals, to try it out")
    asked = parser.parse_args()
    source = timing.real_data("maven", "sales_pipeline.csv")
    if source is None:
        return
    train, test = read_split(source, team=asked.team)
    if asked.quick:
        train, test = train.tail(600), test.head(600)
    got = measure(train, test, seed=asked.seed, settings=asked.settings)
    print(
        f"{len(train)} deals to learn from, {len(test)} to predict, won {got['observed']:.3f}\n\n{results_table(got)}\n"
    )
    figures = [
        timing.Figure(quantity="null test, log loss", got=got["scores"]["winprob"]["log_loss"], aim=LOG_LOSS_AIM),
        timing.Figure(quantity="mean predicted minus observed rate", got=got["mean"] - got["observed"]),
        timing.Figure(quantity="sd of predicted means", got=got["spread"]),
        timing.Figure(quantity="mean width of the 90 % interval", got=got["width"]),
        timing.Figure(quantity="agents' rates outside their interval, share", got=got["outside"]),
    ]
    print(timing.figures_table(figures))
    timing.save("maven", figures, **got)


def read_split(source: Path, *, team: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Closed deals in the order they opened, cut at 70 %."""
    import winprob

    deals = winprob.read_deals(source, MAPPING)
    if team:
        deals = _with_team(deals, source.with_name("sales_teams.csv"))
    closed = deals[deals["outcome"].isin(["won", "lost"])].sort_values("as_of", kind="stable")
    cut = int(TRAINED * len(closed))
    return closed.iloc[:cut], closed.iloc[cut:]


def _with_team(deals: pd.DataFrame, teams: Path) -> pd.DataFrame:
    known = pd.read_csv(teams, dtype=str).set_index("sales_agent")[TEAM]
    joined = deals.join(known, on="sales_agent")
    named = deals.attrs["covariates"]
    joined.attrs["covariates"] = {**named, "varying": [*named["varying"], *TEAM]}
    return joined


def measure(train: pd.DataFrame, test: pd.DataFrame, *, seed: int, settings: Path | None) -> dict[str, Any]:
    """Scores of winprob, baselines and the base rate, and width and coverage of winprob's intervals."""
    import winprob

    learned, won = _won(train), _won(test)
    chosen = winprob.read_settings(settings) if settings else None
    posterior = winprob.fit(train, seed=seed, settings=chosen)
    chances = winprob.predict(posterior, test)
    by_model = {"base rate": np.full(len(test), learned.mean()), "winprob": chances["mean"].to_numpy()}
    for name in ("logistic C=0.1", "logistic C=1"):
        learn = baselines()[name]
        columns = [name for name in (*FACTS, *TEAM) if name in train]
        facts = [frame[columns].astype("str").fillna("") for frame in (train, test)]
        by_model[name] = learn(facts[0], learned, np.arange(len(train)), facts[1], seed)
    return {
        "observed": float(won.mean()),
        "scores": {name: scores(won, win_prob) for name, win_prob in by_model.items()},
        "loss_sd": float(log_losses(won, by_model["winprob"]).std() / np.sqrt(len(won))),
        "mean": float(chances["mean"].mean()),
        "spread": float(chances["mean"].std()),
        "width": float((chances["upper"] - chances["lower"]).mean()),
        "outside": _outside(chances, test, won),
    }


def _won(deals: pd.DataFrame) -> np.ndarray:
    return (deals["outcome"] == "won").to_numpy()


def _outside(chances: pd.DataFrame, test: pd.DataFrame, won: np.ndarray) -> float:
    """Share of agents with a win rate outside their mean interval by more than its 90 % sampling error."""
    frame = chances[["lower", "upper"]].assign(won=won, agent=test["sales_agent"].to_numpy())
    agents = frame.groupby("agent").agg(
        lower=("lower", "mean"), upper=("upper", "mean"), rate=("won", "mean"), deals=("won", "size")
    )
    error = 1.645 * np.sqrt(agents["rate"] * (1 - agents["rate"]) / agents["deals"])
    outside = (agents["rate"] + error < agents["lower"]) | (agents["rate"] - error > agents["upper"])
    return float(outside.mean())


def results_table(got: dict[str, Any]) -> str:
    """The scores as a Markdown table. The calibration slope is uninformative without predictive value."""
    shown = ("log_loss", "brier", "auc", "slope", "intercept")
    rows = [(name, *(f"{score[s]:.3f}" for s in shown)) for name, score in got["scores"].items()]
    return timing.markdown(("model", *shown), rows)


if __name__ == "__main__":
    main()
