"""Rolling backtest where the quick closers are not like the others: expected against observed wins.

Each fold is fitted twice: to the closed deals alone, and with the deals that were still open at its origin.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace

import _timing as timing
import numpy as np
import pandas as pd

MAPPING = timing.ROOT / "data" / "mappings" / "maven.toml"
AIM = 0.03
#: Quarters of a simulated team, and how many of its origins are scored, the latest.
QUARTERS, ORIGINS = 8, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--teams", type=int, default=4, help="simulated teams of each kind")
    parser.add_argument("--only", choices=["maven", "slow wins", "quick wins"])
    asked = parser.parse_args()
    folds = pd.DataFrame(_every_fold(asked))
    print(timing.markdown(tuple(folds), [tuple(map(_cell, row)) for row in folds.itertuples(index=False)]))
    figures = []
    for (name, learned), rows in folds.groupby(["world", "learned from"], sort=False):
        off = np.average(rows["expected"] - rows["won"], weights=rows["deals"])
        figures.append(timing.Figure(quantity=f"{name}, {learned}: expected minus won", got=float(off)))
    print(f"\nAim: within {AIM} of 0.\n\n{timing.figures_table(figures)}")
    timing.save("quick_closers", figures, folds=folds.to_dict("records"))


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _every_fold(asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    for name, deals in worlds(asked.teams, asked.seed, asked.only):
        for record in scored_folds(deals, seed=asked.seed):
            print(name, record, flush=True)
            yield {"world": name, **record}


def worlds(teams: int, seed: int, only: str | None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Deal tables by name: the practice CRM, and simulated teams whose wins take long, or whose losses do."""
    import winprob
    from winprob.data.history import training_rows
    from winprob.simulation import Pace, simulate_pipeline

    source = timing.real_data("maven", "sales_pipeline.csv") if only in (None, "maven") else None
    if source is not None:
        yield "maven", winprob.read_deals(source, MAPPING)
    paces = {
        "slow wins": Pace(per_quarter=100, won_days=1.6, lost_days=0.6, no_decision_days=0.9),
        "quick wins": Pace(per_quarter=100, won_days=0.5, lost_days=1.4, no_decision_days=1.8),
    }
    for name, pace in paces.items():
        for team in range(seed, seed + teams if only in (None, name) else seed):
            pipeline = simulate_pipeline(seed=team, quarters=QUARTERS + 2, pace=pace)
            days = pd.date_range(pipeline.first_day, pipeline.last_day, freq="MS").date
            history = pd.concat([pipeline.known_on(day) for day in days], ignore_index=True)
            truth = pipeline.deals.set_index("deal_id")
            rows = training_rows(history)
            # Of the deals that the record leaves open the simulator knows the end: all can be scored.
            ends = truth.loc[rows["deal_id"]]
            rows["outcome"] = ends["outcome"].to_numpy()
            rows["closed_on"] = pd.to_datetime(ends["closed_on"].to_numpy())
            rows = rows[rows["as_of"] <= rows["as_of"].max() - pd.DateOffset(months=3)]
            yield name, rows.reset_index(drop=True)


def scored_folds(deals: pd.DataFrame, *, seed: int) -> Iterator[dict[str, object]]:
    """Mean expected and observed wins of each fold, for both ways to learn."""
    from winprob.data.schema import validate_deals
    from winprob.evaluation.folds import plan_folds
    from winprob.settings import Settings

    valid, settings = validate_deals(deals, training=True), Settings()
    for fold in plan_folds(valid, settings, protocol="rolling", seed=seed).folds[-ORIGINS:]:
        for learned, chosen in (("closed deals", replace(fold, origin=None)), ("open ones too", fold)):
            yield {"fold": fold.name, "learned from": learned, **_score(valid, chosen, seed)}


def _score(valid: pd.DataFrame, fold: object, seed: int) -> dict[str, object]:
    from winprob.evaluation.folds import known_at_origin
    from winprob.evaluation.scores import log_losses
    from winprob.model.inference import fit
    from winprob.model.prediction import predict
    from winprob.settings import Settings

    started = time.process_time()
    test = valid.iloc[fold.test]
    posterior = fit(known_at_origin(valid, fold), seed=seed, settings=Settings().for_refits())
    chance, won = predict(posterior, test)["mean"].to_numpy(), (test["outcome"] == "won").to_numpy(dtype=float)
    return {
        "deals": len(test),
        "expected": float(chance.mean()),
        "won": float(won.mean()),
        "log loss": float(log_losses(won, chance).mean()),
        "CPU seconds": time.process_time() - started,
    }


if __name__ == "__main__":
    main()
