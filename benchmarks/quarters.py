"""Simulated teams forecast quarter by quarter, each time with what was known then: do the intervals hold, is P50 close?

Every team has its own pipeline (``simulate_pipeline``): deals are created, move, are pushed, won and lost, week by week
over twelve quarters. At the start of each of the last quarters the model learns from all reviews before it; at weeks
1, 5 and 10 it forecasts that quarter from the export of the day. What the quarter brought is known. Next to it: the
sellers' commit, the stage-weighted pipeline, last year's conversion, and the same chances without shared doubt.
Finished teams are kept, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Iterator

import _timing as timing
import numpy as np
import pandas as pd

import winprob
from winprob.data.fiscal import Quarter, previous_quarter, quarters_between
from winprob.data.history import deal_ends, review_table, training_rows
from winprob.evaluation.scores import recalibration
from winprob.methodology.vocabulary import STAGES
from winprob.settings import CalendarSettings, EvaluationSettings, Settings
from winprob.simulation import Pace, Pipeline, simulate_pipeline

WEEKS = (1, 5, 10)
CALENDAR = CalendarSettings()
#: Of the CRM's table, by stage: what a pipeline is weighted with where nothing is learned.
STAGE_WEIGHT = dict(zip(STAGES, EvaluationSettings().stage_default, strict=True))
RIVALS = ("sellers' commit", "stage-weighted pipeline", "last year's conversion")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=50)
    parser.add_argument("--quarters", type=int, default=12)
    parser.add_argument("--forecast", type=int, default=4, help="how many of the last quarters are forecast")
    parser.add_argument("--per-quarter", type=float, default=60.0, help="deals created in a quarter")
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--quick", action="store_true", help="two teams and one quarter, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked.teams, asked.forecast = 2, 1
    forecasts = pd.concat([cached_team(asked, seed) for seed in range(asked.seed, asked.seed + asked.teams)])
    table = score(forecasts)
    print(
        f"{asked.teams} teams of {asked.quarters} quarters, the last {asked.forecast} forecast at weeks 1, 5 and 10\n"
    )
    print(f"{markdown_table(table)}\n")
    figures = list(figures_of(table))
    print(timing.figures_table(figures))
    timing.save("quarters", figures, table=table.to_dict("records"), teams=asked.teams)


def cached_team(asked: argparse.Namespace, seed: int) -> pd.DataFrame:
    """One team's forecasts, from disk where this code has made them before."""
    key = f"{timing.code_hash()}-{seed}-{asked.quarters}-{asked.forecast}-{asked.per_quarter:g}"
    path = timing.out_dir() / "quarters" / f"{key}.json"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        pace = Pace(per_quarter=asked.per_quarter)
        records = list(run_team(seed, asked.quarters, asked.forecast, pace))
        path.write_text(json.dumps(records), encoding="utf-8")
        timing.progress(f"team {seed}")
    return pd.DataFrame(json.loads(path.read_text(encoding="utf-8")))


def run_team(seed: int, quarters: int, forecast: int, pace: Pace) -> Iterator[dict[str, object]]:
    """A record for each quarter and week: interval, P50, realised bookings, and the rival forecasts."""
    pipeline = simulate_pipeline(seed=seed, quarters=quarters, pace=pace)
    every = list(quarters_between(pipeline.first_day, pipeline.last_day, CALENDAR))
    history = known_weekly(pipeline)
    for quarter in every[-forecast:]:
        known = history[history["as_of"] <= pd.Timestamp(quarter.start)]
        settings = Settings().for_refits()
        posterior = winprob.fit(
            training_rows(known),
            seed=seed,
            settings=settings,
            readings=training_rows(known, reviews="month"),
            ends=deal_ends(known),
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
                "p10": low,
                "p50": middle,
                "p90": high,
                "by_end": got.deals["by_end"].tolist(),
                "won_in_quarter": won_in(pipeline, quarter, got.deals["deal_id"]),
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


def booked(pipeline: Pipeline, quarter: Quarter) -> float:
    """What the quarter brought."""
    deals = pipeline.deals
    return float(deals.loc[deals["won"] & between(deals["closed_on"], quarter), "amount"].sum())


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


def score(forecasts: pd.DataFrame) -> pd.DataFrame:
    """A row a week: coverage with its standard error over teams, and mean absolute errors over the mean total."""
    records = []
    for week, rows in forecasts.groupby("week"):
        inside = rows["actual"].between(rows["p10"], rows["p90"])
        apart_inside = rows["actual"].between(rows["apart_p10"], rows["apart_p90"])
        error = {"winprob": (rows["p50"] - rows["actual"]).abs()}
        error |= {name: (rows[name] - rows["actual"]).abs() for name in RIVALS}
        records.append(
            {
                "week": week,
                "forecasts": len(rows),
                "coverage_80": inside.mean(),
                "deals": (gap := calibration(rows))[0],
                "deals_slope": gap[1],
                "coverage_se": clustered(inside.astype(float), rows["team"]),
                "below": (rows["actual"] < rows["p10"]).mean(),
                "above": (rows["actual"] > rows["p90"]).mean(),
                "apart_80": apart_inside.mean(),
                "width": (rows["p90"] - rows["p10"]).mean() / rows["actual"].mean(),
                "bias": (rows["p50"] - rows["actual"]).mean() / rows["actual"].mean(),
                **{name: values.mean() / rows["actual"].mean() for name, values in error.items()},
            }
        )
    return pd.DataFrame(records)


def calibration(rows: pd.DataFrame) -> tuple[float, float]:
    """Of single deals won by the end of the quarter: predicted less realised share; slope of a recalibration."""
    by_end, won = (np.concatenate(rows[name].tolist()).astype(float) for name in ("by_end", "won_in_quarter"))
    slope, _ = recalibration(won, by_end)
    return float(by_end.mean() - won.mean()), float(slope)


def clustered(values: pd.Series, team: pd.Series) -> float:
    """Standard error of the mean where rows of one team belong together."""
    means = values.groupby(team).mean()
    return float(means.std() / np.sqrt(len(means)))


def figures_of(table: pd.DataFrame) -> Iterator[timing.Figure]:
    for _, row in table.iterrows():
        week = f"week {row['week']:.0f}"
        yield timing.Figure(
            quantity=f"80 % coverage, distance from .80, {week}", got=abs(row["coverage_80"] - 0.8), aim=0.05
        )
        best = min(RIVALS, key=lambda name: row[name])
        yield timing.Figure(
            quantity=f"error of P50 over that of {best}, {week}", got=row["winprob"] / row[best], aim=1.0
        )


def markdown_table(table: pd.DataFrame) -> str:
    head = (
        "week",
        "coverage (aim .80) ± se",
        "below P10",
        "above P90",
        "without shared doubt",
        "width",
        "bias of P50",
        "deals: predicted less won",
        "deals: slope",
    )
    rows = [
        (
            f"{r['week']:.0f}",
            f"{r['coverage_80']:.3f} ± {r['coverage_se']:.3f}",
            *(f"{r[name]:.3f}" for name in ("below", "above", "apart_80", "width")),
            f"{r['bias']:+.3f}",
            f"{r['deals']:+.3f}",
            f"{r['deals_slope']:.2f}",
            *(f"{r[name]:.3f}" for name in ("winprob", *RIVALS)),
        )
        for _, r in table.iterrows()
    ]
    return timing.markdown((*head, *(f"error, {name}" for name in ("winprob", *RIVALS))), rows)


if __name__ == "__main__":
    main()
