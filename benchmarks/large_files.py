"""Predicting the deals of a large CSV or Parquet file in blocks: the peak of memory and the time, on one process each.

python benchmarks/large_files.py --model model.nc
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _timing as timing
import numpy as np
import pandas as pd

ROWS, MOST_MB = 1_000_000, 500.0
#: A dozen columns of the sample deals, repeated under new ids and with new amounts.
COLUMNS = (
    "deal_id", "as_of", "opened_on", "expected_close_on", "closed_on", "outcome", "amount", "account", "region",
    "seller", "stage", "coach", "approver_support",
)  # fmt: skip
PREDICT = "import sys; from winprob.cli import main; main(sys.argv[1:])"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a fitted model")
    parser.add_argument("--write", type=Path, help="only write the deals to this file")
    parser.add_argument("--deals", type=Path, default=Path(__file__).parents[1] / "data" / "open.csv")
    parser.add_argument("--rows", type=int, default=ROWS)
    asked = parser.parse_args()
    if asked.write:
        write(many(asked.deals, asked.rows), asked.write)
        return
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("csv", "parquet"):
            path = Path(folder) / f"deals.{suffix}"
            # In a process of its own: the memory of this one would count as that of the next command.
            subprocess.run([sys.executable, __file__, "--write", path, "--rows", str(asked.rows)], check=True)
            seconds, megabytes = predict(path, asked.model, path.with_name(f"chances.{suffix}"))
            figures += [
                timing.Figure(quantity=f"peak of memory, {suffix}", got=megabytes, aim=MOST_MB, unit="MB"),
                timing.Figure(quantity=f"time, {suffix}", got=seconds, unit="s"),
            ]
    print(timing.figures_table(figures))
    timing.save("large_files", figures, rows=asked.rows)


def many(deals: Path, rows: int) -> pd.DataFrame:
    """The sample's deals over and over: one id and one amount each, and an account for every ten."""
    table = pd.read_csv(deals, dtype=str)[list(COLUMNS)]
    rng = np.random.default_rng(1)
    long = table.iloc[np.arange(rows) % len(table)].reset_index(drop=True)
    return long.assign(
        deal_id=[f"D{number:07d}" for number in range(rows)],
        amount=np.round(rng.lognormal(12, 1, rows), 2).astype(str),
        account=[f"A{number:06d}" for number in rng.integers(0, max(rows // 10, 1), rows)],
    )


def write(deals: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        deals.to_csv(path, index=False)
    else:
        deals.to_parquet(path, index=False)


def predict(path: Path, model: Path, out: Path) -> tuple[float, float]:
    """Seconds of the command, and the peak of its resident memory in MB."""
    command = [sys.executable, "-c", PREDICT, "predict", str(path), "--model", str(model), "--out", str(out)]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    # In kilobytes on Linux and in bytes on macOS.
    return seconds, usage.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
