"""Simulated teams forecast quarter by quarter, each time with what was known then: do the intervals hold, is P50 close?

Every team has its own pipeline: deals are created, move, are pushed, won and lost over twelve quarters. ``--world own``
is that of ``simulate_pipeline``; ``--world independent`` is that of ``_world.py``, which shares nothing with the model,
with the ``--features`` named. At the start of each of the last quarters the model learns from all reviews before it; at
weeks 1, 5 and 10 it forecasts that quarter from the export of the day. What the quarter brought is known. Next to it:
the sellers' commit, the stage-weighted pipeline, last year's conversion, and the same chances without shared doubt.
Finished teams are kept, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Protocol

import _timing as timing
import numpy as np
import pandas as pd
from _quarter_scores import figures_of, markdown_tables, score
from _world import simulate_world
from _world_deals import ON, Features

import winprob
from winprob.data.fiscal import Quarter, previous_quarter, quarters_between
from winprob.data.history import deal_ends, review_table, training_rows
from winprob.methodology.vocabulary import STAGES
from winprob.settings import CalendarSettings, EvaluationSettings, Settings
from winprob.simulation import Pace, simulate_pipeline

WEEKS = (1, 5, 10)
CALENDAR = CalendarSettings()
#: Of the CRM's table, by stage: what a pipeline is weighted with where nothing is learned.
STAGE_WEIGHT = dict(zip(STAGES, EvaluationSettings().stage_default, strict=True))
#: Largest bias of the mean total that is aimed at, by world.
BIAS_AIM = {"own": 0.02, "independent": 0.05}


class Pipeline(Protocol):
    """A simulated team through time, of either world."""

    deals: pd.DataFrame
    first_day: dt.date
    last_day: dt.date

    def known_on(self, day: dt.date) -> pd.DataFrame:
        """The deal table exported on a day."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", choices=tuple(BIAS_AIM), default="own", help="which simulator")
    parser.add_argument(
        "--features",
        type=asked_features,
        default="all",
        metavar="LIST",
        help=f"of the independent world: all (without quick_wins), none, or some of {', '.join(ON)}; name=size too",
    )
    parser.add_argument("--teams", type=int, default=50)
    parser.add_argument("--quarters", type=int, default=12)
    parser.add_argument("--forecast", type=int, default=4, help="how many of the last quarters are forecast")
    parser.add_argument("--per-quarter", type=float, default=60.0, help="deals created in a quarter")
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams and one quarter, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked.teams, asked.forecast = 2, 1
    code = code_of(asked)
    teams = [cached_team(asked, seed, code) for seed in range(asked.seed, asked.seed + asked.teams)]
    table = score(pd.concat(teams, ignore_index=True))
    world = asked.world if asked.world == "own" else f"{asked.world} ({asked.features.label})"
    print(
        f"World: {world}. {asked.teams} teams of {asked.quarters} quarters of {asked.per_quarter:g} deals created, "
        f"the last {asked.forecast} forecast at weeks 1, 5 and 10; CPU seconds per team "
        f"{np.mean([team['cpu'].iloc[0] for team in teams]):.0f}.\n"
    )
    print(f"{markdown_tables(table)}\n")
    figures = list(figures_of(table, bias_aim=BIAS_AIM[asked.world]))
    print(timing.figures_table(figures))
    timing.save("quarters", figures, table=table.to_dict("records"), teams=asked.teams, world=world)


def asked_features(names: str) -> Features:
    """The features of the command line; an unknown name is an error of usage, with the names there are."""
    try:
        return Features.named(names)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def cached_team(asked: argparse.Namespace, seed: int, code: str) -> pd.DataFrame:
    """One team's forecasts, from disk where this code has made them before."""
    key = f"{code}-{seed}-{asked.quarters}-{asked.forecast}-{asked.per_quarter:g}"
    path = timing.out_dir() / "quarters" / f"{key}.json"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        started = time.process_time()
        records = list(run_team(simulate(asked, seed), seed, asked.forecast))
        records = [{**record, "cpu": time.process_time() - started} for record in records]
        path.write_text(json.dumps(records), encoding="utf-8")
        timing.progress(f"team {seed}: {time.process_time() - started:.0f} CPU seconds")
    return pd.DataFrame(json.loads(path.read_text(encoding="utf-8")))


def code_of(asked: argparse.Namespace) -> str:
    """Hash of the package, of the benchmark, and of the world where it is not the package's."""
    here = timing.ROOT / "benchmarks"
    files = [here / "quarters.py", *(sorted(here.glob("_world*.py")) if asked.world == "independent" else [])]
    label = asked.features.label if asked.world == "independent" else asked.world
    digest = hashlib.sha256(label.encode() + b"".join(path.read_bytes() for path in files))
    return f"{timing.code_hash()}-{digest.hexdigest()[:8]}"


def simulate(asked: argparse.Namespace, seed: int) -> Pipeline:
    """The team of a seed in the world that was asked for."""
    if asked.world == "own":
        return simulate_pipeline(seed=seed, quarters=asked.quarters, pace=Pace(per_quarter=asked.per_quarter))
    return simulate_world(seed=seed, quarters=asked.quarters, per_quarter=asked.per_quarter, features=asked.features)


def run_team(pipeline: Pipeline, seed: int, forecast: int) -> Iterator[dict[str, object]]:
    """A record for each quarter and week: interval, P50, realised bookings, and the rival forecasts."""
    every = list(quarters_between(pipeline.first_day, pipeline.last_day, CALENDAR))
    history = known_weekly(pipeline)
    for quarter in every[-forecast:]:
        known = history[history["as_of"] <= pd.Timestamp(quarter.start)]
        settings = Settings().for_refits()
        posterior = winprob.fit(
            training_rows(known, reviews="month"), seed=seed, settings=settings, ends=deal_ends(known)
        )
        actual = booked(pipeline, quarter)
        for week in WEEKS:
            day = quarter.start + dt.timedelta(weeks=week - 1)
            today = pd.concat([history[history["as_of"] < pd.Timestamp(day)], pipeline.known_on(day)])
            table = review_table(today)
            got = winprob.forecast_quarter(posterior, table, quarter, as_of=day)
            total = got.draws["total"]
            low, middle, high = np.quantile(total, (0.1, 0.5, 0.9))
            alone = apart(got, np.random.default_rng([seed, week]))
            yield {
                "team": seed,
                "quarter": quarter.name,
                "week": week,
                "actual": actual,
                "mean": float(total.mean()),
                "p10": low,
                "p50": middle,
                "p90": high,
                "new": float(got.draws["not_yet_created"].mean()),
                "new_actual": actual - booked(pipeline, quarter, table["deal_id"]),
                "by_end": got.deals["by_end"].tolist(),
                "expected": got.deals["expected_bookings"].tolist(),
                "won_in_quarter": won_in(pipeline, quarter, got.deals["deal_id"]),
                "amount": pipeline.deals.set_index("deal_id").loc[got.deals["deal_id"], "amount"].tolist(),
                "pit": float((total < actual).mean() + 0.5 * (total == actual).mean()),
                "apart_p10": float(np.quantile(alone, 0.1)),
                "apart_p90": float(np.quantile(alone, 0.9)),
                **rivals(pipeline, quarter, day, table),
            }


def won_in(pipeline: Pipeline, quarter: Quarter, deals: pd.Series) -> list[bool]:
    """Whether each deal was won in the quarter."""
    truth = pipeline.deals.set_index("deal_id").loc[deals]
    return (truth["won"] & between(truth["closed_on"], quarter)).tolist()


def known_weekly(pipeline: Pipeline) -> pd.DataFrame:
    """Every Monday's export and that of each quarter's first day."""
    days = set(pd.date_range(pipeline.first_day, pipeline.last_day, freq="W-MON").date)
    days |= {quarter.start for quarter in quarters_between(pipeline.first_day, pipeline.last_day, CALENDAR)}
    return pd.concat([pipeline.known_on(day) for day in sorted(days)], ignore_index=True)


def booked(pipeline: Pipeline, quarter: Quarter, among: pd.Series | None = None) -> float:
    """What the quarter brought, from all deals or from those ``among`` which it is asked."""
    deals = pipeline.deals
    counts = deals["won"] & between(deals["closed_on"], quarter)
    if among is not None:
        counts &= deals["deal_id"].isin(among)
    return float(deals.loc[counts, "amount"].sum())


def between(days: pd.Series, quarter: Quarter) -> pd.Series:
    return days.between(pd.Timestamp(quarter.start), pd.Timestamp(quarter.end))


def rivals(pipeline: Pipeline, quarter: Quarter, day: dt.date, table: pd.DataFrame) -> dict[str, float]:
    """Forecasts without a model, from the same export; last year's from that of the same day a year before."""
    won = closed_so_far(table, quarter)
    still = table[(table["outcome"] == "open") & between(table["expected_close_on"], quarter)]
    weight = still["stage"].map(STAGE_WEIGHT).fillna(0.3)
    year_ago = quarter
    for _ in range(4):
        year_ago = previous_quarter(year_ago, CALENDAR)
    then = pipeline.known_on(year_ago.start + (day - quarter.start))
    pipeline_then = then.loc[then["outcome"] == "open", "amount"].sum()
    came = booked(pipeline, year_ago) - closed_so_far(then, year_ago)
    return {
        "sellers' commit": won + still.loc[still["rep_category"] == "commit", "amount"].sum(),
        "stage-weighted pipeline": won + float(weight @ still["amount"]),
        "last year's conversion": won + came / pipeline_then * table.loc[table["outcome"] == "open", "amount"].sum(),
    }


def closed_so_far(table: pd.DataFrame, quarter: Quarter) -> float:
    won = (table["outcome"] == "won") & between(table["closed_on"], quarter)
    return float(table.loc[won, "amount"].sum())


def apart(forecast: object, rng: np.random.Generator) -> np.ndarray:
    """(draw,) totals of the same deals with the same mean chances, each by itself: no shared doubt."""
    deals, arrivals = forecast.deals, forecast.draws["not_yet_created"]
    wins = rng.random((len(arrivals), len(deals))) < deals["by_end"].to_numpy()
    amount = np.where(deals["by_end"] > 0, deals["expected_bookings"] / deals["by_end"].clip(lower=1e-9), 0.0)
    return forecast.draws["closed"] + wins @ amount + rng.permutation(arrivals)


if __name__ == "__main__":
    main()
