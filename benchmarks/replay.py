"""Replays of simulated teams: raw and corrected forecasts against what came; the correction on known forecasters; luck.

Three tables. *Teams*: `winprob replay` of eight quarters each, corrected by the other seven quarters alone. *Known
forecasters*: quarters whose forecaster is wrong by a known location and spread, corrected, coverage of a new quarter in
closed form. *Luck*: range of P50 over seeds of the simulation, by simulated quarters per posterior draw.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import _timing as timing
import numpy as np
import pandas as pd
from quarters import known_weekly
from scipy.special import ndtr, ndtri

WEEKS = (1, 5, 10)
#: Widths of the intervals of a team of 60 deals a quarter in these weeks, relative to that of week 10.
WIDTHS = np.array([2.0, 1.7, 1.0])
FORECASTERS = {
    "calibrated": (0.0, 1.0),
    "low": (0.5, 1.0),
    "narrow": (0.0, 1.5),
    "both": (0.5, 1.5),
    "wide": (0.0, 0.7),
}
SEEDS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=6)
    parser.add_argument("--per-quarter", type=float, default=60.0, help="deals created in a quarter")
    parser.add_argument("--seed", type=int, default=1, help="of the first team")
    asked = parser.parse_args()
    known = pd.DataFrame(known_forecasters())
    show(known)
    replays = [team(asked, seed) for seed in range(asked.seed, asked.seed + asked.teams)]
    by_week = pd.DataFrame(scores(pd.concat([table for table, _ in replays])))
    show(by_week)
    lucky = pd.DataFrame(luck(asked))
    show(lucky)
    cpu = max(seconds for _, seconds in replays)
    figures = [timing.Figure(quantity="replay of 8 quarters, slowest team", got=cpu, aim=300.0, unit="CPU-s")]
    print(timing.figures_table(figures))
    tables = {"known": known, "teams": by_week, "luck": lucky}
    timing.save("replay", figures, **{name: table.to_dict("records") for name, table in tables.items()})


def show(table: pd.DataFrame) -> None:
    every = table.itertuples(index=False)
    rows = [tuple(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row) for row in every]
    print(timing.markdown(tuple(table), rows), end="\n\n")


def simulated_team(asked: argparse.Namespace, seed: int) -> pd.DataFrame:
    """Weekly exports of thirteen quarters; the last, unfinished one is only there so that the one before is over."""
    from winprob.simulation import Pace, simulate_pipeline

    return known_weekly(simulate_pipeline(seed=seed, quarters=13, pace=Pace(per_quarter=asked.per_quarter)))


def team(asked: argparse.Namespace, seed: int) -> tuple[pd.DataFrame, float]:
    """The replay of one team, and its CPU seconds."""
    from winprob.retrain.replay import replay_forecasts

    began = timing.cpu_seconds()
    table = replay_forecasts(simulated_team(asked, seed), quarters=8, seed=seed).table
    timing.progress(f"team {seed}")
    return table.assign(team=seed), timing.cpu_seconds() - began


def scores(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    """A row a week: coverage and errors, the latter over the mean actual."""
    for week, rows in table.groupby("week"):
        scale = rows["actual"].mean()
        yield {
            "week": week,
            "forecasts": len(rows),
            "coverage": float(rows["inside_80"].mean()),
            "corrected": float(rows["actual"].between(rows["p10_corrected"], rows["p90_corrected"]).mean()),
            "error of P50": rows["model_error"].abs().mean() / scale,
            "corrected P50": (rows["p50_corrected"] - rows["actual"]).abs().mean() / scale,
            "commit": rows["commit_error"].abs().mean() / scale,
            "stage-weighted": rows["stage_weighted_error"].abs().mean() / scale,
            "last year": rows["last_year_error"].abs().mean() / scale,
        }


def known_forecasters(teams: int = 200) -> Iterator[dict[str, object]]:
    """Coverage of a new quarter by 80 % intervals, raw and corrected, over simulated teams."""
    from winprob.model.correction import learn_correction

    rng, level = np.random.default_rng(1), ndtri(0.9)
    ratio = np.minimum.outer(WIDTHS, WIDTHS) / np.maximum.outer(WIDTHS, WIDTHS)

    def covered(location: float, spread: float, a: float, b: float) -> float:
        return float(ndtr((a + level * b - location) / spread) - ndtr((a - level * b - location) / spread))

    for name, (location, spread) in FORECASTERS.items():
        row: dict[str, object] = {"forecaster": name, "raw": covered(location, spread, 0, 1)}
        for quarters in (4, 8, 12):
            got = []
            for _ in range(teams):
                z = location + spread * rng.multivariate_normal(np.zeros(3), ratio, size=quarters)
                names, widths = [str(at) for at in range(quarters)], np.tile(WIDTHS, (quarters, 1))
                correction = learn_correction(names, WEEKS, ndtr(z), widths)
                got += [covered(location, spread, *correction.at(week)) for week in WEEKS]
            row[f"{quarters} quarters"] = float(np.mean(got))
        yield row


def luck(asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Range and standard deviation of P50 over seeds, of the first team in its last quarter, in shares of P50."""
    import winprob
    from winprob.data.fiscal import quarter_of
    from winprob.data.history import deal_ends, review_table, training_rows
    from winprob.quarter import simulation
    from winprob.settings import CalendarSettings, Settings

    history = simulated_team(asked, asked.seed)
    quarter = quarter_of(history["as_of"].max().date(), CalendarSettings())
    known = history[history["as_of"] <= pd.Timestamp(quarter.start)]
    settings = Settings().for_refits()
    rows = training_rows(known, reviews="month")
    posterior = winprob.fit(rows, seed=1, settings=settings, ends=deal_ends(known))
    table, usual = review_table(known), simulation.LUCK
    for simulation.LUCK in (1, 4, usual):
        made = [winprob.forecast_quarter(posterior, table, quarter, seed=seed) for seed in range(1, SEEDS + 1)]
        p50 = np.array([forecast.p50 for forecast in made])
        yield {
            "simulated quarters per draw": simulation.LUCK,
            f"range over {SEEDS} seeds": float(np.ptp(p50) / p50.mean()),
            "sd": float(p50.std(ddof=1) / p50.mean()),
            "error estimated": float(np.mean([forecast.p50_error for forecast in made]) / p50.mean()),
        }


if __name__ == "__main__":
    main()
