"""Maven (a fictitious CRM) through the retraining loop by quarter: what the gate decides, and whether that was right.

At each quarter's end the export as known on that day goes through ``winprob retrain --promote auto``, the first model
included. Hindsight: on the deals that close in the next quarter, the log loss of the model that was chosen less that
of the other one, and next to the win rate known then. A changed recipe, with the seller's manager and office, is put to
the same gate each quarter; the next quarter's gate is its hindsight, because the recipe is fitted there as it would
have been promoted. The model that is current in a quarter is monitored on snapshots of each quarter's first day.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd
from click.testing import CliRunner
from maven import MAPPING, TEAM, _with_team

import winprob
from winprob.cli import main as program
from winprob.evaluation.scores import log_losses, paired_difference
from winprob.retrain import Entry
from winprob.retrain.candidate import Gate
from winprob.toml import parse_toml

#: The last day of each quarter in which deals closed.
ENDS = (dt.date(2017, 3, 31), dt.date(2017, 6, 30), dt.date(2017, 9, 30), dt.date(2017, 12, 31))
OPEN, QUICK_ROWS = "Engaging", 8
COMPARED = ("chosen", "rejected", "base_rate")
RIGHT, WRONG, UNCLEAR = "right", "wrong", "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What every quarter of the loop needs: the whole export, the folder of results, the settings."""

    raw: pd.DataFrame
    folder: Path
    settings: Path
    teams: Path
    seed: int

    @property
    def registry(self) -> winprob.Registry:
        return winprob.Registry(self.folder / "registry")

    def export(self, day: dt.date) -> Path:
        """The file of the export on ``day``."""
        path = self.folder / f"{day}.csv"
        as_known(self.raw, day).to_csv(path, index=False)
        return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--settings", type=Path, default=timing.FOLDS_SETTINGS, help="winprob settings, TOML")
    parser.add_argument("--quick", action="store_true", help=f"every {QUICK_ROWS}th deal, to try it out")
    asked = parser.parse_args()
    source = timing.real_data("maven", "sales_pipeline.csv")
    if source is None:
        return
    raw = pd.read_csv(source, dtype=str)
    folder = timing.out_dir() / "retraining_maven"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    loop = Loop(
        raw=raw.iloc[::QUICK_ROWS] if asked.quick else raw,
        folder=folder,
        settings=asked.settings,
        teams=source.with_name("sales_teams.csv"),
        seed=asked.seed,
    )
    quarters, trials = [], []
    for day in ENDS:
        trials += [trial(loop, day)] if day > ENDS[0] else []
        quarters.append(quarter(loop, day))
    watched = list(monitored(loop, quarters))
    hindsight_of_trials(trials)
    print(f"{decisions_table(quarters)}\n\n{trials_table(trials)}\n\n{monitoring_table(watched)}\n")
    figures = [
        timing.Figure(quantity="decisions that hindsight finds wrong", got=wrong(quarters), aim=0),
        timing.Figure(quantity="changed recipe: the same", got=wrong(trials), aim=0),
    ]
    print(timing.figures_table(figures))
    timing.save("retraining_maven", figures, quarters=quarters, trials=trials, monitored=watched)


def as_known(raw: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """The export on a day: deals engaged by then, those that closed later open again. Accounts are as of the end."""
    known = raw[raw["engage_date"] <= day.isoformat()].copy()
    later = ~(known["close_date"] <= day.isoformat())
    known.loc[later & known["close_date"].notna(), "deal_stage"] = OPEN
    known.loc[later, ["close_date", "close_value"]] = None
    return known


def quarter(loop: Loop, day: dt.date) -> dict[str, Any]:
    """One retraining: the gate's numbers, what was decided, and hindsight."""
    timing.progress(f"retraining as known on {day}")
    before = loop.registry.current() if day > ENDS[0] else None
    arguments = ["retrain", loop.export(day), "--mapping", MAPPING, "--registry", loop.registry.path, "--promote"]
    arguments += ["auto", "--settings", loop.settings, "--seed", loop.seed]
    done = CliRunner().invoke(program, [str(one) for one in arguments])
    if done.exit_code not in (0, 3):
        raise SystemExit(done.output)
    now, newest = loop.registry.current(), loop.registry.entries()[-1]
    assert now is not None
    rejected = newest if now.name != newest.name else before
    return {
        "quarter": name_of(day),
        "current": now.name,
        **numbers(newest.gate()["gate"]),
        "decided": "promoted" if done.exit_code == 0 else "held",
        "hindsight": hindsight(loop, day, now, rejected),
    }


def numbers(gate: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a gate that the tables show."""
    scored, calibration = gate["difference"] or {}, gate["calibration"].get("candidate", {})
    return {
        "new_deals": gate["new_deals"],
        "difference": [scored.get(name) for name in ("mean", "lower", "upper")],
        "log_loss": scored.get("candidate"),
        "won": calibration.get("won"),
        "expected": calibration.get("expected"),
        "verdict": gate["verdict"],
    }


def hindsight(loop: Loop, day: dt.date, chosen: Entry, rejected: Entry | None) -> dict[str, Any] | None:
    """The chosen model less the other one on the deals that closed in the next quarter; None without either."""
    after = [end for end in ENDS if end > day]
    if rejected is None or not after:
        return None
    deals = winprob.read_deals(loop.export(after[0]), MAPPING)
    deals = deals[deals["closed_on"] > pd.Timestamp(day)].reset_index(drop=True)
    won = (deals["outcome"] == "won").to_numpy(dtype=float)
    losses = [log_losses(won, winprob.predict(one.load(), deals)["mean"].to_numpy()) for one in (chosen, rejected)]
    past = winprob.read_deals(loop.export(day), MAPPING)["outcome"].value_counts()
    rate = np.full(len(won), past["won"] / (past["won"] + past["lost"]))
    clusters = deals["account"].astype(str).to_numpy()
    mean, lower, upper = paired_difference(losses[0], losses[1], clusters, seed=loop.seed)
    return {
        "deals": len(deals),
        "chosen": float(losses[0].mean()),
        "rejected": float(losses[1].mean()),
        "base_rate": float(log_losses(won, rate).mean()),
        "difference": [mean, lower, upper],
        "judgement": judgement(lower, upper),
    }


def judgement(lower: float, upper: float) -> str:
    """Whether the chosen model was better, by the interval of its log loss less that of the other."""
    if upper < 0:
        return RIGHT
    return WRONG if lower > 0 else UNCLEAR


def trial(loop: Loop, day: dt.date) -> dict[str, Any]:
    """The gate's verdict on the changed recipe, which is never promoted."""
    timing.progress(f"changed recipe as known on {day}")
    read = winprob.read_deals(loop.export(day), MAPPING)
    mapping = parse_toml(MAPPING.read_bytes(), str(MAPPING), SystemExit)
    mapping["covariates"]["varying"] += TEAM
    entry = loop.registry.current()
    assert entry is not None
    gate: Gate = winprob.run_retraining(
        _with_team(read, loop.teams),
        winprob.CurrentModel.from_entry(entry),
        seed=loop.seed,
        settings=winprob.read_settings(loop.settings),
        mapping=mapping,
        seen_by_current=lambda: read,
        judge_only=True,
    ).gate
    return {"quarter": name_of(day), **numbers(gate.record())}


def hindsight_of_trials(trials: list[dict[str, Any]]) -> None:
    """The next quarter's difference judges a decision: the recipe is scored there as it would have been promoted."""
    for own, after in zip(trials, [*trials[1:], None], strict=True):
        if after is None or None in after["difference"]:
            own["hindsight"] = None
            continue
        mean, lower, upper = after["difference"]
        promoted = own["verdict"] == "promote"
        bounds = (lower, upper) if promoted else (-upper, -lower)
        signed = mean if promoted else -mean
        own["hindsight"] = {"difference": [signed, *bounds], "judgement": judgement(*bounds)}


def monitored(loop: Loop, quarters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The model that was current in each quarter, on the deals open when it began; then the first model throughout."""
    history = loop.folder / "history"
    starts = [end + dt.timedelta(days=1) for end in ENDS]
    for day in starts:
        winprob.write_snapshot(winprob.read_deals(loop.export(day), MAPPING), day, history)
    current = [(one["current"], start) for one, start in zip(quarters, starts[1:], strict=False)]
    for name, until in [*current, (quarters[0]["current"], starts[-1])]:
        timing.progress(f"monitoring {name} until {until}")
        result = winprob.monitor_model(loop.registry.load(name), history, as_of=until)
        for row in result.table.to_dict("records"):
            yield {"model": name, **row, "alarm": row["e_value"] >= result.threshold, "direction": result.direction}


def wrong(quarters: list[dict[str, Any]]) -> int:
    return sum(one["hindsight"]["judgement"] == WRONG for one in quarters if one["hindsight"])


def name_of(day: dt.date) -> str:
    return f"{day.year}Q{(day.month + 2) // 3}"


def span(values: list[float | None]) -> str:
    if None in values:
        return "-"
    mean, lower, upper = np.asarray(values, dtype=float)
    return f"{mean:+.4f} ({lower:+.4f}, {upper:+.4f})"


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def decisions_table(quarters: list[dict[str, Any]]) -> str:
    rows = []
    for one in quarters:
        after = one["hindsight"] or {}
        losses = ", ".join(f"{after[name]:.3f}" for name in COMPARED) if after else "-"
        numbers_of_it = (one["new_deals"] or "-", span(one["difference"]), share(one["won"]), share(one["expected"]))
        judged = (after.get("deals", "-"), losses, span(after.get("difference", [None])), after.get("judgement", "-"))
        rows.append((one["quarter"], *numbers_of_it, one["verdict"], one["decided"], *judged))
    header = ("known at the end of", "new deals", "difference", "won", "expected", "verdict", "decided")
    later = ("deals closed next quarter", "log loss: chosen, other, base rate", "difference of these", "hindsight")
    return timing.markdown((*header, *later), rows)


def trials_table(trials: list[dict[str, Any]]) -> str:
    rows = []
    for one in trials:
        after = one["hindsight"] or {}
        judged = (span(after.get("difference", [None])), after.get("judgement", "-"))
        rows.append((one["quarter"], one["new_deals"], span(one["difference"]), one["verdict"], *judged))
    return timing.markdown(
        ("changed recipe at the end of", "new deals", "difference", "verdict", "next quarter", "hindsight"), rows
    )


def monitoring_table(watched: list[dict[str, Any]]) -> str:
    rows = [
        (
            *(one["model"][:4], one["period"], one["n"], f"{one['expected']:.0f}", one["won"]),
            *(timing.number(one["e_value"]), one["direction"] if one["alarm"] else "no alarm"),
        )
        for one in watched
    ]
    return timing.markdown(("model", "quarter", "open deals", "expected", "won", "e-value", "chances are"), rows)


if __name__ == "__main__":
    main()
