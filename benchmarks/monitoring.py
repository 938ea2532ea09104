"""Monitoring a model between retrainings: false alarms on teams that behave as it believes, and alarms on a shift.

The quick route fits a model to the first eight quarters of a few simulated teams. The deals of the eight quarters after
it are kept as they were, their outcomes drawn anew for every run: from one posterior draw, which the monitor does not
have among its own (a team that behaves as the model believes), or with the odds of winning shifted. Next to the
e-process: the same against mean chances, one on won, lost and open, and the plain z-test looked at every ten deals.
``--real N`` monitors N simulated teams with their own outcomes: no model is correctly specified there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import _timing as timing
import numpy as np
import pandas as pd
from scipy.special import expit, logsumexp

import winprob
from winprob.data.fiscal import quarters_between
from winprob.data.history import training_rows
from winprob.model.timing import outlooks, same_day
from winprob.retrain.monitoring import monitor_model
from winprob.retrain.monitoring.cohorts import quarter_cohorts, trained_until
from winprob.retrain.monitoring.e_process import Recalibrations, e_process, log_mean, log_odds_of, recalibrations
from winprob.settings import CalendarSettings, MonitorSettings, Settings
from winprob.simulation import Pace, Pipeline, simulate_pipeline

CALENDAR = CalendarSettings()
TRAINING, WATCHED, SHIFT, WITHIN = 8, 8, -1.2, 160


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=200, help="runs of each kind")
    parser.add_argument("--models", type=int, default=4, help="fitted models that they share")
    parser.add_argument("--per-quarter", type=int, default=40, help="deals of a cohort")
    parser.add_argument("--real", type=int, default=0, help="teams monitored with their own outcomes")
    parser.add_argument("--seed", type=int, default=1, help="of the first team; the others follow")
    parser.add_argument("--intercept-sd", type=float, default=MonitorSettings().intercept_sd)
    parser.add_argument("--slope-sd", type=float, default=MonitorSettings().slope_sd)
    parser.add_argument("--draws", type=int, default=10_000, help="of the posterior that the monitor has; all but one")
    parser.add_argument("--ends", type=int, default=40, help="runs with the slower tests on won, lost and open")
    parser.add_argument("--quick", action="store_true", help="one model and five runs, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked.teams, asked.models = 5, 1
    grid = recalibrations(MonitorSettings(intercept_sd=asked.intercept_sd, slope_sd=asked.slope_sd))
    pools = [pool_of(seed) for seed in range(asked.seed, asked.seed + asked.models)]
    rng = np.random.default_rng([asked.seed, 13])
    runs = pd.DataFrame(
        record
        for at in range(asked.teams)
        for record in run_team(pools[at % len(pools)], asked, grid, rng, ends=at < asked.ends)
    )
    table = summarise(runs)
    print(f"{asked.teams} runs on {asked.models} models, {WATCHED} quarters of {asked.per_quarter} deals\n")
    print(f"{table_of(table)}\n")
    figures = figures_of(table)
    print(timing.figures_table(figures))
    more = {}
    if asked.real:
        real = pd.DataFrame([real_team(seed) for seed in range(asked.seed, asked.seed + asked.real)])
        alarms = real["alarm"].mean()
        print(f"\n{asked.real} teams with their own outcomes: alarms {alarms:.1%}\n{real.to_string(index=False)}")
        more = {"real": real.to_dict("records")}
    timing.save("monitoring", figures, table=table.to_dict("records"), teams=asked.teams, **more)


# ---- models, and the deals of the quarters after them ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """Of the deals open when a quarter began: draws (deal, draw) of the chance of a win, and of each end by its end."""

    win_prob: np.ndarray
    won_by: np.ndarray
    lost_by: np.ndarray


def pool_of(seed: int) -> list[Quarter]:
    """The quarters after the training of one team's model."""
    pipeline, posterior = fitted(seed)
    cohorts = quarter_cohorts(snapshots(pipeline), Settings(), since=trained_until(posterior))[:WATCHED]
    return [quarter_of(posterior, cohort.deals, cohort.quarter.end) for cohort in cohorts]


def quarter_of(posterior: winprob.Posterior, deals: pd.DataFrame, end: dt.date) -> Quarter:
    outlook = outlooks(posterior, deals, same_day(deals, end), None).of(slice(None))
    done = -np.expm1(-outlook.ahead.astype(float))
    return Quarter(win_prob=outlook.win_prob.astype(float), won_by=done[0], lost_by=done[1])


def fitted(seed: int) -> tuple[Pipeline, winprob.Posterior]:
    """A team's pipeline, and the model of its first quarters, from disk where this code has fitted it before."""
    pipeline = simulate_pipeline(seed=seed, quarters=TRAINING + WATCHED, pace=Pace(per_quarter=60.0))
    path = timing.out_dir() / "monitoring" / f"{code_of_fits()}-{seed}.nc"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        begin = starts(pipeline)[TRAINING]
        known = snapshots(pipeline)
        rows = training_rows(known[known["as_of"] <= pd.Timestamp(begin)])
        winprob.fit(rows, seed=seed, settings=Settings().for_refits()).save(path)
        timing.progress(f"model of team {seed}")
    return pipeline, winprob.Posterior.load(path)


def code_of_fits() -> str:
    """Hash of the sources that a fit depends on; monitoring is not among them."""
    digest = hashlib.sha256()
    for part in ("model", "data", "simulation"):
        for path in sorted((timing.ROOT / "winprob" / part).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def starts(pipeline: Pipeline) -> list[dt.date]:
    return [quarter.start for quarter in quarters_between(pipeline.first_day, pipeline.last_day, CALENDAR)]


def snapshots(pipeline: Pipeline) -> pd.DataFrame:
    """The export of each quarter's first day, and of the last day."""
    return pd.concat([pipeline.known_on(day) for day in [*starts(pipeline), pipeline.last_day]], ignore_index=True)


# ---- one run ---------------------------------------------------------------------------------------------------------


def run_team(
    pool: list[Quarter], asked: argparse.Namespace, grid: Recalibrations, rng: np.random.Generator, *, ends: bool
) -> Iterator[dict]:
    """A record for each kind of truth and each test: the number of deals seen at the first alarm, NaN without one."""
    chosen = [sample(quarter, asked.per_quarter, rng) for quarter in pool]
    truth = int(rng.integers(pool[0].win_prob.shape[1]))
    others = np.delete(np.arange(pool[0].win_prob.shape[1]), truth)
    others = others[:: max(len(others) // asked.draws, 1)]
    luck = [rng.random(len(quarter.win_prob)) for quarter in chosen]
    for kind in ("as believed", "as its mean", "odds of winning -1.2", "odds of a win in the quarter -1.2"):
        came = [end_of(quarter, truth, kind, draw) for quarter, draw in zip(chosen, luck, strict=True)]
        late = [np.where((end == LOST) & (rng.random(len(end)) < 0.3), OPEN, end) for end in came]
        tests = alarms(chosen, came, others, grid)
        if ends:
            size = np.cumsum([len(end) for end in came])
            tests |= {
                name: first_of(three_ways(chosen, known, others, grid) >= 20, size)
                for name, known in (("e-process, won lost open", came), ("the same, 30 % of losses entered late", late))
            }
        for test, seen in tests.items():
            yield {"truth": kind, "test": test, "seen": seen}


WON, LOST, OPEN = 0, 1, 2


def sample(quarter: Quarter, deals: int, rng: np.random.Generator) -> Quarter:
    rows = rng.permutation(len(quarter.win_prob))[:deals]
    return Quarter(win_prob=quarter.win_prob[rows], won_by=quarter.won_by[rows], lost_by=quarter.lost_by[rows])


def end_of(quarter: Quarter, truth: int, kind: str, luck: np.ndarray) -> np.ndarray:
    """(deal,) won, lost or open at the quarter's end, from one uniform number for each deal."""
    win_prob, won_by, lost_by = (values[:, truth] for values in (quarter.win_prob, quarter.won_by, quarter.lost_by))
    if kind == "odds of winning -1.2":
        win_prob = expit(log_odds_of(win_prob) + SHIFT)
    won, lost = win_prob * won_by, (1 - win_prob) * lost_by
    if kind == "as its mean":
        won = (quarter.win_prob * quarter.won_by).mean(axis=1)
    if kind == "odds of a win in the quarter -1.2":
        won = expit(log_odds_of(won) + SHIFT)
    return np.where(luck < won, WON, np.where(luck > 1 - np.minimum(lost, 1 - won), LOST, OPEN))


def alarms(
    quarters: list[Quarter],
    ends: list[np.ndarray],
    draws: np.ndarray,
    grid: Recalibrations,
) -> dict[str, float]:
    """Deals seen at the first alarm, by test."""
    chances = [(quarter.win_prob * quarter.won_by)[:, draws] for quarter in quarters]
    won = [end == WON for end in ends]
    means = [chance.mean(axis=1, keepdims=True) for chance in chances]
    size = np.cumsum([len(end) for end in ends])
    processes = {
        "e-process, won by quarter end": e_process(zip(chances, won, strict=True), grid).e_value,
        "e-process, mean chances (early sign)": e_process(zip(means, won, strict=True), grid).e_value,
    }
    first = {name: first_of(np.asarray(values) >= 20, size) for name, values in processes.items()}
    return first | {"z-test, every ten deals": z_test(np.concatenate(means)[:, 0], np.concatenate(won))}


def first_of(alarm: np.ndarray, seen: np.ndarray) -> float:
    return float(seen[alarm.argmax()]) if alarm.any() else float("nan")


def z_test(chance: np.ndarray, won: np.ndarray, every: int = 10) -> float:
    """The plain test of wins against expected wins at 5 %, looked at again and again."""
    score = np.cumsum(won - chance) / np.sqrt(np.cumsum(chance * (1 - chance)))
    looks = np.arange(every, len(won) + 1, every)
    return first_of(np.abs(score[looks - 1]) > 1.96, looks)


def three_ways(quarters: list[Quarter], ends: list[np.ndarray], draws: np.ndarray, grid: Recalibrations) -> np.ndarray:
    """The e-process on won, lost and open, recalibrating the chance of winning eventually."""
    itself = Recalibrations(intercept=np.zeros(1), slope=np.ones(1), log_weight=np.zeros((1, 1)))
    total: dict[str, np.ndarray | float] = {"model": 0.0, "other": 0.0}
    log_e = []
    for quarter, end in zip(quarters, ends, strict=True):
        odds, won, lost = quarter.win_prob[:, draws], quarter.won_by[:, draws], quarter.lost_by[:, draws]
        log_odds, of = log_odds_of(odds), end[:, None]
        if_won = np.select([of == WON, of == OPEN], [won, 1 - won], 0.0)
        if_lost = np.select([of == LOST, of == OPEN], [lost, 1 - lost], 0.0)
        for name, points in (("model", itself), ("other", grid)):
            total[name] = total[name] + three_way_likelihoods(log_odds, if_won, if_lost, points)
        log_e.append(logsumexp(grid.log_weight + log_mean(total["other"])) - log_mean(total["model"]).item())
    return np.exp(log_e)


def three_way_likelihoods(
    log_odds: np.ndarray, if_won: np.ndarray, if_lost: np.ndarray, grid: Recalibrations
) -> np.ndarray:
    """(slope, intercept, draw); each deal adds ``log((odds * if_won + if_lost) / (1 + odds))``."""
    values, blocks = np.zeros((*grid.log_weight.shape, log_odds.shape[1])), np.arange(0, len(log_odds), 8)
    for at, slope in enumerate(grid.slope):
        odds = np.exp(slope * log_odds)
        for place, intercept in enumerate(grid.intercept):
            shifted = np.exp(intercept) * odds
            share = np.maximum((shifted * if_won + if_lost) / (1 + shifted), 1e-30)
            values[at, place] = np.log(np.multiply.reduceat(share, blocks, axis=0)).sum(axis=0)
    return values


# ---- results ---------------------------------------------------------------------------------------------------------


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    groups = runs.groupby(["truth", "test"], sort=False)["seen"]
    shares = groups.agg(
        runs="size", alarms=lambda seen: seen.notna().mean(), within=lambda seen: (seen <= WITHIN).mean()
    )
    return shares.assign(median_deals=groups.median()).reset_index()


def table_of(table: pd.DataFrame) -> str:
    rows = [
        (
            row["truth"],
            row["test"],
            row["runs"],
            f"{row['alarms']:.1%}",
            f"{row['within']:.1%}",
            timing.number(row["median_deals"]),
        )
        for row in table.to_dict("records")
    ]
    return timing.markdown(
        ("truth", "test", "runs", "alarms", f"within {WITHIN} deals", "deals until the alarm, median"), rows
    )


def figures_of(table: pd.DataFrame) -> list[timing.Figure]:
    by = table.set_index(["truth", "test"])
    ours = "e-process, won by quarter end"
    missed = "odds of winning -1.2"
    return [
        timing.Figure(
            quantity="alarms, teams as the model believes", got=by.loc[("as believed", ours), "alarms"], aim=0.05
        ),
        timing.Figure(
            quantity=f"{missed}: not reported within {WITHIN} deals", got=1 - by.loc[(missed, ours), "within"], aim=0.4
        ),
        timing.Figure(
            quantity="the same for the odds of a win in the quarter",
            got=1 - by.loc[("odds of a win in the quarter -1.2", ours), "within"],
            aim=0.4,
        ),
    ]


def real_team(seed: int) -> dict[str, object]:
    """One team with its own outcomes."""
    pipeline, posterior = fitted(seed)
    got = monitor_model(posterior, snapshots(pipeline))
    rows = got.table
    return {
        "team": seed,
        "deals": int(rows["n"].sum()),
        "alarm": got.alarm_since is not None,
        "highest": float(rows["e_value"].max()),
        **{name: float(rows[name].iloc[-1]) for name in ("e_value", "slope", "intercept", "expected", "won")},
        "all_expected": float(rows["expected"].sum()),
        "all_won": int(rows["won"].sum()),
        "record": json.dumps(rows["e_value"].round(3).tolist()),
    }


if __name__ == "__main__":
    main()
