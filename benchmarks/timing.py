"""Calibration of "won by the end of the quarter" in simulated pipelines, predicted at weeks 1, 5 and 10 of a quarter.

Every team has its own pipeline (``simulate_pipeline``). At the start of each of the last quarters the time to close is
learned from the reviews before it (open deals every four weeks, ``--every``, with their outcomes so far); at weeks 1, 5
and 10 the probability of being won by the end of the quarter is predicted for every open deal and compared with the
outcome. The eventual win probability comes from a regression on other teams' truth, so that only the time to close is
evaluated; ``--fits`` uses a fitted win model instead. Smoothness over the turn of the quarter: the same deals with the
same facts, predicted 90 days ahead on its last day and on the next.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Iterator

import _timing as timing
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

import winprob
from winprob.data.fiscal import quarters_between
from winprob.data.schema import validate_deals
from winprob.evaluation.scores import score
from winprob.methodology.vocabulary import STAGES
from winprob.model.hazards import Hazards, days, hazards_of, learn_hazards
from winprob.model.timing import Outlook
from winprob.settings import CalendarSettings, Settings
from winprob.simulation import Pace, Pipeline, simulate_pipeline

WEEKS = (1, 5, 10)
CALENDAR = CalendarSettings()
TEACHERS = 6
DRAWS = 500
WinProb = Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=20)
    parser.add_argument("--quarters", type=int, default=12)
    parser.add_argument("--forecast", type=int, default=4, help="how many of the last quarters are asked about")
    parser.add_argument("--per-quarter", type=float, default=60.0, help="deals created in a quarter")
    parser.add_argument("--every", type=int, default=28, help="days from one review to the next")
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--fits", action="store_true", help="eventual probabilities of a fitted win model")
    parser.add_argument("--quick", action="store_true", help="two teams and one quarter, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked.teams, asked.forecast = 2, 1
    pace = Pace(per_quarter=asked.per_quarter)
    regression = None if asked.fits else fit_regression(asked.quarters, pace)
    results = []
    for seed in range(asked.seed, asked.seed + asked.teams):
        results.append(pd.concat(run_team(seed, asked, pace, regression)).assign(team=seed))
        timing.progress(f"team {seed}")
    table = pd.concat(results, ignore_index=True)
    report(table, asked)


def report(table: pd.DataFrame, asked: argparse.Namespace) -> None:
    summary = score_weeks(table)
    print(f"{asked.teams} teams, the last {asked.forecast} of {asked.quarters} quarters\n")
    print(f"{timing.markdown(list(summary), summary.astype(str).values)}\n")
    deciles = reliability(table)
    print(f"{timing.markdown(list(deciles), deciles.astype(str).values)}\n")
    figures = list(figures_of(table))
    print(timing.figures_table(figures))
    timing.save("timing", figures, table=summary.to_dict("records"), deciles=deciles.to_dict("records"))


def run_team(
    seed: int, asked: argparse.Namespace, pace: Pace, regression: LogisticRegression | None
) -> Iterator[pd.DataFrame]:
    pipeline = simulate_pipeline(seed=seed, quarters=asked.quarters, pace=pace)
    every = list(quarters_between(pipeline.first_day, pipeline.last_day, CALENDAR))
    review_days = pd.date_range(pipeline.first_day, pipeline.last_day, freq=f"{asked.every}D")
    history = reviews(pipeline, [day.date() for day in review_days])
    for quarter in every[-asked.forecast :]:
        known = as_known(history, pipeline, quarter.start)
        settings = Settings().for_refits()
        posterior = winprob.fit(known, seed=seed, settings=settings) if regression is None else None
        hazards = posterior.hazards if posterior else learn_hazards(known, settings, draws=DRAWS, seed=seed)
        for week in WEEKS:
            day = quarter.start + dt.timedelta(weeks=week - 1)
            table = reviews(pipeline, [day])
            chance = winprob.draw_win_prob(posterior, table) if posterior else eventual(regression, table, pipeline)
            came = pipeline.deals.set_index("deal_id").loc[table["deal_id"]]
            by_end = asked_on(hazards, table, chance, day, quarter.end)
            yield pd.DataFrame(
                {
                    "quarter": quarter.name,
                    "week": week,
                    "by_end": by_end.mean(axis=1, dtype=np.float64),
                    "won": (came["won"] & (came["closed_on"] <= pd.Timestamp(quarter.end))).to_numpy(),
                    "jump": jumps(hazards, table, chance, quarter.end) if week == WEEKS[-1] else np.nan,
                }
            )


def reviews(pipeline: Pipeline, on: list[dt.date]) -> pd.DataFrame:
    """The deals open on each of these days, from the export of the day."""
    tables = []
    for day in on:
        table = pipeline.known_on(day)
        table["pushes"] = pipeline.pushes_on(day).reindex(table["deal_id"]).to_numpy(dtype=float)
        tables.append(table[table["outcome"] == "open"])
    return validate_deals(pd.concat(tables, ignore_index=True))


def as_known(history: pd.DataFrame, pipeline: Pipeline, day: dt.date) -> pd.DataFrame:
    """Reviews before a day, with the outcome of each deal known by then."""
    rows = history[history["as_of"] <= pd.Timestamp(day)]
    came = pipeline.deals.set_index("deal_id").loc[rows["deal_id"]]
    closed = (came["closed_on"] <= pd.Timestamp(day)).to_numpy()
    return rows.assign(
        outcome=np.where(closed, came["outcome"].to_numpy(), "open"),
        closed_on=came["closed_on"].where(closed).to_numpy(),
    )


def fit_regression(quarters: int, pace: Pace) -> LogisticRegression:
    """Regression of the eventual outcome on the truth of other teams."""
    facts, won = [], []
    for seed in range(900_001, 900_001 + TEACHERS):
        pipeline = simulate_pipeline(seed=seed, quarters=quarters, pace=pace)
        on = pd.date_range(pipeline.first_day, pipeline.last_day, periods=3 * quarters)
        table = reviews(pipeline, [day.date() for day in on])
        facts.append(predictors(table, pipeline))
        won.append(pipeline.deals.set_index("deal_id").loc[table["deal_id"], "won"].to_numpy())
    return LogisticRegression(max_iter=2000).fit(np.vstack(facts), np.concatenate(won))


def predictors(table: pd.DataFrame, pipeline: Pipeline) -> np.ndarray:
    chance = pipeline.deals.set_index("deal_id").loc[table["deal_id"], "win_prob"].to_numpy()
    stage = np.eye(len(STAGES) + 1)[pd.Index(STAGES).get_indexer(pd.Index(table["stage"]))]
    age = np.log1p(days(table, "as_of") - days(table, "opened_on"))
    ahead = np.log1p(np.maximum(days(table, "expected_close_on") - days(table, "as_of"), 0))
    return np.column_stack(
        [np.log(chance / (1 - chance)), stage, age, age**2, stage * age[:, None], ahead, table["pushes"]]
    )


def eventual(regression: LogisticRegression, table: pd.DataFrame, pipeline: Pipeline) -> np.ndarray:
    chance = regression.predict_proba(predictors(table, pipeline))[:, 1]
    return np.repeat(chance[:, None], DRAWS, axis=1)


def asked_on(hazards: Hazards, table: pd.DataFrame, chance: np.ndarray, day: dt.date, by: dt.date) -> np.ndarray:
    """(deal, draw) won by a day, for deals read on ``day``."""
    read = np.full(len(table), (day - dt.date(1970, 1, 1)).days)
    deal_hazards = hazards_of(hazards, table, read)
    ahead = deal_hazards.cumulative(slice(None), np.full(len(table), (by - dt.date(1970, 1, 1)).days))
    return Outlook(win_prob=chance, ahead=ahead[..., np.arange(chance.shape[1]) % ahead.shape[-1]]).won_by()


def jumps(hazards: Hazards, table: pd.DataFrame, chance: np.ndarray, end: dt.date) -> np.ndarray:
    """(deal,) absolute change of the 90-day win probability from the quarter's last day to the next."""
    asked = [end + dt.timedelta(days=shift) for shift in (0, 1)]
    ends = [
        asked_on(hazards, table.assign(as_of=pd.Timestamp(day)), chance, day, day + dt.timedelta(days=90))
        for day in asked
    ]
    return np.abs(ends[1].mean(axis=1) - ends[0].mean(axis=1))


def score_weeks(table: pd.DataFrame) -> pd.DataFrame:
    """One row per week: predicted and realised share, calibration slope and intercept; errors over teams."""
    records = []
    for week, rows in table.groupby("week"):
        scores = score(rows["won"].to_numpy(), rows["by_end"].to_numpy())
        gap = (rows["won"] - rows["by_end"]).groupby(rows["team"]).mean()
        records.append(
            {
                "week": week,
                "deals": len(rows),
                "predicted": f"{rows['by_end'].mean():.3f}",
                "realised": f"{rows['won'].mean():.3f}",
                "gap": f"{(rows['won'] - rows['by_end']).mean():+.3f} ± {gap.std() / np.sqrt(len(gap)):.3f}",
                "slope": f"{scores['calibration_slope']:.3f}",
                "intercept": f"{scores['calibration_intercept']:+.3f}",
                "auc": f"{scores['auc']:.3f}",
                "log_loss": f"{scores['log_loss']:.3f}",
            }
        )
    return pd.DataFrame(records)


def reliability(table: pd.DataFrame) -> pd.DataFrame:
    """Reliability by decile of the prediction at each week, with standard errors."""
    records = []
    for week, rows in table.groupby("week"):
        decile = pd.qcut(rows["by_end"].rank(method="first"), 10, labels=False)
        for at, some in rows.groupby(decile):
            error = np.sqrt(max((some["by_end"] * (1 - some["by_end"])).mean(), 1e-9) / len(some))
            records.append(
                {
                    "week": week,
                    "decile": at + 1,
                    "deals": len(some),
                    "predicted": f"{some['by_end'].mean():.3f}",
                    "realised": f"{some['won'].mean():.3f}",
                    "se": f"{error:.3f}",
                }
            )
    return pd.DataFrame(records)


def figures_of(table: pd.DataFrame) -> Iterator[timing.Figure]:
    for week, rows in table.groupby("week"):
        scores = score(rows["won"].to_numpy(), rows["by_end"].to_numpy())
        slope = float(abs(scores["calibration_slope"] - 1))
        yield timing.Figure(quantity=f"distance of the calibration slope from 1, week {week}", got=slope, aim=0.1)
        gap = float(abs((rows["won"] - rows["by_end"]).mean()))
        yield timing.Figure(quantity=f"realised minus predicted share won by the end, week {week}", got=gap, aim=0.02)
    largest = float(table["jump"].max())
    yield timing.Figure(quantity="largest move of a 90-day chance over the turn of the quarter", got=largest, aim=0.05)


if __name__ == "__main__":
    main()
