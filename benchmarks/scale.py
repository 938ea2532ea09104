"""Scoring many deals, fitting many teams, writing back: CPU seconds, memory, and what they come to on paper.

Deals are those of the simulator over and over, in Parquet; each measured command runs in a process of its own. Files
are removed when they have been read. CPU seconds are of the process and its children: wall time is what a machine with
other work makes of it.

python benchmarks/scale.py --rows 1000000 3000000 --teams 200 --write-back 10000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd
import prediction
import pyarrow as pa
from pyarrow import parquet

import winprob
from winprob.model.hazards import learn_hazards

#: The peak is that of the command alone: the usage that the system reports begins with the memory of its parent.
COMMAND = """
import atexit, sys
from pathlib import Path
status = Path("/proc/self/status")
atexit.register(lambda: status.exists() and sys.stderr.write(status.read_text()))
from winprob.cli import main
main(sys.argv[1:])
"""
GROUP = 100_000
#: Deals were read in the last so many days.
READ = 60
#: On paper: a bank of deals, and a group of teams.
DEALS, TEAMS = 100_000_000, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000, 3_000_000])
    parser.add_argument("--model", choices=tuple(prediction.MODELS), default="plain", help="see prediction.py")
    parser.add_argument("--engine", choices=("local", "dask", "spark"), default="local")
    parser.add_argument("--teams", type=int, default=0, help="simulated teams of 10 to 100 deals through train-teams")
    parser.add_argument("--write-back", type=int, default=0, metavar="DEALS", help="open deals through writeback")
    parser.add_argument("--quick", action="store_true", help="small, to try it out")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        write(asked.write, asked.rows[0])
        return
    rows = [20_000] if asked.quick else asked.rows
    figures: list[timing.Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "model.nc", asked.model)
        figures += model_figures(folder / "model.nc")
        for count in rows:
            figures += score_figures(folder, count, asked.engine)
        if asked.teams:
            figures += team_figures(folder, asked.teams)
        if asked.write_back:
            figures += write_back_figures(folder, asked.write_back)
    print(timing.figures_table(figures))
    timing.save("scale", figures, rows=rows, teams=asked.teams, engine=asked.engine, model=asked.model)


def make_model(path: Path, name: str) -> None:
    """A model of 1,000 draws, see prediction.py, with a time-to-close part of 500."""
    prediction.make_model(path, name)
    model, closed = winprob.Posterior.load(path), winprob.simulate(300, 1, seed=1).closed
    replace(model, hazards=learn_hazards(closed, model.settings, draws=500, seed=1)).save(path)


def model_figures(model: Path) -> list[timing.Figure]:
    start = time.process_time()
    winprob.Posterior.load(model)
    return [
        timing.Figure(quantity="model file", got=model.stat().st_size / 1e6, unit="MB"),
        timing.Figure(quantity="load the model", got=time.process_time() - start, unit="CPU s"),
    ]


def score_figures(folder: Path, rows: int, engine: str) -> list[timing.Figure]:
    """CPU time and memory of ``winprob score`` of so many deals."""
    source, out = folder / "deals.parquet", folder / "scored"
    # In a process of its own: the memory of this one would count as that of the next command.
    subprocess.run([sys.executable, __file__, "--write", source, "--rows", str(rows)], check=True)
    words = ("score", source, "--model", folder / "model.nc", "--out", out, "--engine", engine, "--as-of", "2026-09-30")
    done = command(*words)
    line = json.loads(next(text for text in done["stderr"].splitlines() if text.startswith("{")))
    stored = sum(part.stat().st_size for part in out.rglob("*.parquet"))
    sizes = {"deals": source.stat().st_size / rows, "predictions": stored / rows}
    subprocess.run(["rm", "-r", source, out], check=True)
    name = f"{rows:,} deals, {engine}"
    return [
        timing.Figure(quantity=f"{name}: CPU", got=done["cpu"], unit="s"),
        timing.Figure(quantity=f"{name}: wall", got=line["seconds"], unit="s"),
        timing.Figure(quantity=f"{name}: deals a CPU second", got=rows / done["cpu"]),
        timing.Figure(quantity=f"{name}: peak of memory", got=done["mib"], unit="MiB"),
        timing.Figure(quantity=f"{name}: processes", got=len(line["processes"])),
        *(
            timing.Figure(quantity=f"{name}: file of {what}", got=got, unit="bytes a deal")
            for what, got in sizes.items()
        ),
        timing.Figure(
            quantity=f"{DEALS:,} deals at that rate", got=DEALS / rows * done["cpu"] / 3600, unit="core hours"
        ),
    ]


def write(path: Path, rows: int) -> None:
    """So many deals in row groups, never all in memory."""
    some = prediction.with_covariates(winprob.simulate(1, 5_000, seed=2).open, seed=2)
    rng = np.random.default_rng(0)
    writer: Any = None
    for start in range(0, rows, GROUP):
        count = min(GROUP, rows - start)
        table = some.iloc[rng.integers(0, len(some), count)].reset_index(drop=True)
        days = pd.Timestamp("2026-09-30") - pd.to_timedelta(rng.integers(0, READ, count), "D")
        table = table.assign(
            deal_id=[f"D{at:09d}" for at in range(start, start + count)],
            as_of=days,
            amount=np.round(rng.lognormal(14, 1, count), 2),
        )
        table.attrs = {}
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        writer = writer or parquet.ParquetWriter(path, arrow.schema)
        writer.write_table(arrow)
    writer.close()


def team_figures(folder: Path, teams: int) -> list[timing.Figure]:
    """``winprob train-teams`` of simulated teams with the sampler of refits, and again when all are done."""
    sizes = np.random.default_rng(0).integers(10, 101, teams)
    parts = [winprob.simulate(int(size), 1, seed=at).closed for at, size in enumerate(sizes)]
    deals = pd.concat([part.assign(team=f"team {at:04d}") for at, part in enumerate(parts)], ignore_index=True)
    deals.assign(deal_id=deals["team"] + deals["deal_id"]).to_parquet(folder / "closed.parquet", index=False)
    sampler = "[sampler]\nchains = 2\ntune = 300\ndraws = 300\nthin = 1\nprior_draws = 100\ntarget_accept = 0.85\n"
    gates = "[gates]\nr_hat = 1.05\nbulk_ess = 50\ntail_ess = 50\ndivergent_share = 0.02\n"
    (folder / "fast.toml").write_text(sampler + gates)
    words = ("train-teams", folder / "closed.parquet", "--by", "team", "--registry", folder / "teams")
    more = ("--settings", folder / "fast.toml", "--out", folder / "summary.csv")
    first = command(*words, *more, accept=(0, 1))
    verdicts = pd.read_csv(folder / "summary.csv")["verdict"].value_counts().to_dict()
    again = command(*words, *more, accept=(0, 1))
    stored = sum(place.stat().st_size for place in (folder / "teams").rglob("*") if place.is_file())
    timing.progress(f"{verdicts}, then {pd.read_csv(folder / 'summary.csv')['verdict'].value_counts().to_dict()}")
    return [
        timing.Figure(quantity=f"{teams} teams: CPU", got=first["cpu"], unit="s"),
        timing.Figure(quantity=f"{teams} teams: wall", got=first["wall"], unit="s"),
        timing.Figure(quantity="a team: CPU", got=first["cpu"] / teams, unit="s"),
        timing.Figure(quantity="a team: registry", got=stored / teams / 1e6, unit="MB"),
        timing.Figure(quantity=f"{teams} teams: failed", got=verdicts.get("failed", 0)),
        timing.Figure(quantity=f"{teams} teams again, all done: CPU", got=again["cpu"], unit="s"),
        timing.Figure(
            quantity=f"{TEAMS:,} teams at that rate", got=TEAMS / teams * first["cpu"] / 3600, unit="core hours"
        ),
    ]


def write_back_figures(folder: Path, deals: int) -> list[timing.Figure]:
    """``winprob writeback`` of open deals into files for HubSpot, and again when nothing has changed."""
    some = winprob.simulate(1, deals, seed=3).open
    some.assign(deal_id=range(1, deals + 1)).to_csv(folder / "open.csv", index=False)
    words = ("writeback", folder / "open.csv", "--model", folder / "model.nc", "--target", "hubspot")
    first, again = (command(*words, "--out", folder / "crm") for _ in range(2))
    return [
        timing.Figure(quantity=f"write-back of {deals:,} deals: CPU", got=first["cpu"], unit="s"),
        timing.Figure(quantity=f"write-back of {deals:,} deals: peak of memory", got=first["mib"], unit="MiB"),
        timing.Figure(quantity="write-back again, nothing has changed: CPU", got=again["cpu"], unit="s"),
    ]


def command(*words: object, accept: Sequence[int] = (0,)) -> dict[str, Any]:
    """CPU and wall seconds of a command with its processes, the peak of its own memory (Linux), and its stderr."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, words)],
            stderr=errors,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        _, status, usage = os.wait4(process.pid, 0)
        errors.seek(0)
        stderr = errors.read()
    if os.waitstatus_to_exitcode(status) not in accept:
        raise SystemExit(stderr)
    peak = next((line.split()[1] for line in stderr.splitlines() if line.startswith("VmHWM:")), "nan")
    cpu, mib = usage.ru_utime + usage.ru_stime, float(peak) / 1024
    return {"cpu": cpu, "wall": time.perf_counter() - start, "mib": mib, "stderr": stderr}


if __name__ == "__main__":
    main()
