"""Where the quick closers are not like the others: expected against observed wins, of folds and of open deals.

Folds: a rolling backtest, each fold fitted twice, to the closed deals alone and with the deals that were still open at
its origin. Open deals: those of one day of a team whose wins are quick, predicted by models of its history by quarter,
of its export of the day, and of one reading a deal in its first week, again with the closed rows alone and with open
ones too; the simulator knows how many of them are won.
"""

from __future__ import annotations

import argparse
import datetime as dt
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
#: Deals created in a quarter.
PER_QUARTER = 100
QUICK = ("quick wins", "quick wins, independent")
SIMULATED = ("slow wins", *QUICK)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--teams", type=int, default=4, help="simulated teams of each kind")
    parser.add_argument("--only", choices=["maven", *SIMULATED])
    parser.add_argument("--part", choices=["folds", "open deals"], help="both without it")
    asked = parser.parse_args()
    figures, tables = [], {}
    for part, records in (("folds", _every_fold), ("open deals", _every_open)):
        if asked.part in (None, part) and len(table := pd.DataFrame(records(asked))):
            rows = [tuple(map(_cell, row)) for row in table.itertuples(index=False)]
            print(f"{part}\n\n{timing.markdown(tuple(table), rows)}\n")
            figures += _figures(part, table)
            tables[part] = table.to_dict("records")
    print(f"Aim: within {AIM} of 0.\n\n{timing.figures_table(figures)}")
    timing.save("quick_closers", figures, **tables)


def _figures(part: str, table: pd.DataFrame) -> Iterator[timing.Figure]:
    for (name, learned), rows in table.groupby(["world", "learned from"], sort=False):
        off = float(np.average(rows["expected"] - rows["won"], weights=rows["deals"]))
        quantity = f"{part}: {name}, {learned}: expected minus won {off:+.3f}, absolute"
        yield timing.Figure(quantity=quantity, got=abs(off), aim=AIM)


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

    source = timing.real_data("maven", "sales_pipeline.csv") if only in (None, "maven") else None
    if source is not None:
        yield "maven", winprob.read_deals(source, MAPPING)
    for name in SIMULATED:
        for team in range(seed, seed + teams if only in (None, name) else seed):
            pipeline = simulate(name, team)
            truth = pipeline.deals.set_index("deal_id")
            rows = training_rows(monthly(pipeline))
            # Of the deals that the record leaves open the simulator knows the end: all can be scored.
            ends = truth.loc[rows["deal_id"]]
            rows["outcome"] = ends["outcome"].to_numpy()
            rows["closed_on"] = pd.to_datetime(ends["closed_on"].to_numpy())
            rows = rows[rows["as_of"] <= rows["as_of"].max() - pd.DateOffset(months=3)]
            yield name, rows.reset_index(drop=True)


def simulate(name: str, seed: int) -> object:
    """A team of one of ``SIMULATED``, through time."""
    from _world import simulate_world
    from _world_deals import Features

    from winprob.simulation import Pace, simulate_pipeline

    if name == "quick wins, independent":
        quick = Features.named("quick_wins")
        return simulate_world(seed=seed, quarters=QUARTERS + 2, per_quarter=PER_QUARTER, features=quick)
    won, lost, no_decision = (1.6, 0.6, 0.9) if name == "slow wins" else (0.5, 1.4, 1.8)
    pace = Pace(per_quarter=PER_QUARTER, won_days=won, lost_days=lost, no_decision_days=no_decision)
    return simulate_pipeline(seed=seed, quarters=QUARTERS + 2, pace=pace)


def monthly(pipeline: object) -> pd.DataFrame:
    """The exports of the first day of each month."""
    days = pd.date_range(pipeline.first_day, pipeline.last_day, freq="MS").date
    return pd.concat([pipeline.known_on(day) for day in days], ignore_index=True)


def _every_open(asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    for name in QUICK:
        for team in range(asked.seed, asked.seed + asked.teams if asked.only in (None, name) else asked.seed):
            for record in scored_open(simulate(name, team), seed=team):
                print(name, record, flush=True)
                yield {"world": name, "team": team, **record}


def first_readings(pipeline: object, day: dt.date) -> pd.DataFrame:
    """One reading a deal, of the first Monday on which it was open, and what was known of its end on ``day``."""
    mondays = pd.date_range(pipeline.first_day, day, freq="W-MON").date
    rows = pd.concat([pipeline.known_on(monday).query("outcome == 'open'") for monday in mondays])
    rows = rows[rows["opened_on"] >= pd.Timestamp(pipeline.first_day)].drop_duplicates("deal_id", ignore_index=True)
    now = pipeline.known_on(day).set_index("deal_id").loc[rows["deal_id"]]
    return rows.assign(outcome=now["outcome"].array, closed_on=now["closed_on"].array, known_until=pd.Timestamp(day))


def scored_open(pipeline: object, *, seed: int) -> Iterator[dict[str, object]]:
    """Mean expected and observed wins among the deals open on the last review, for each way to learn."""
    from winprob.data.history import review_table, training_rows
    from winprob.data.schema import is_closed
    from winprob.model.inference import fit
    from winprob.model.prediction import predict
    from winprob.settings import Settings

    history = monthly(pipeline)
    export = history[history["as_of"] == history["as_of"].max()].reset_index(drop=True)
    first = first_readings(pipeline, export["as_of"].iloc[0].date())
    won = pipeline.deals.set_index("deal_id")["won"]
    sources = {
        "history": (training_rows(history), review_table(history)),
        "export": (export, export),
        "first readings": (first, first),
    }
    for source, (rows, today) in sources.items():
        still = today[~is_closed(today)]
        for learned, some in (("closed deals", rows[is_closed(rows)]), ("open ones too", rows)):
            started = time.process_time()
            posterior = fit(some, seed=seed, settings=Settings().for_refits())
            yield {
                "learned from": f"{source}, {learned}",
                "rows": len(some),
                "deals": len(still),
                "expected": float(predict(posterior, still)["mean"].mean()),
                "won": float(won.loc[still["deal_id"]].mean()),
                "CPU seconds": time.process_time() - started,
            }


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
