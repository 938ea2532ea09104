"""Reading 200,000 deals from CSV, next to pandas reading the same file as text and parsing its days and money."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import _timing as timing
import numpy as np
import pandas as pd

ROWS, AIM = 200_000, 2.0
DAYS = ("as_of", "opened_on", "expected_close_on", "closed_on")
MONEY = ("amount", "rep_probability")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--times", type=int, default=9, help="takes of each, in turn")
    parser.add_argument("--quick", action="store_true", help="20,000 rows and three takes, to try it out")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deals.csv"
        deals(20_000 if asked.quick else asked.rows).to_csv(path, index=False)
        got = measure(path, 3 if asked.quick else asked.times)
    figures = [
        timing.Figure(quantity="read_deals relative to pandas", got=got["winprob"] / got["pandas"], aim=AIM),
        *(timing.Figure(quantity=name, got=seconds, unit="s") for name, seconds in got.items()),
    ]
    print(timing.figures_table(figures))
    timing.save("reading", figures, **got)


def deals(rows: int) -> pd.DataFrame:
    """A table of 20 columns: ids, days, money, words and a text with delimiters."""
    rng = np.random.default_rng(1)
    opened = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), "D")
    expected = opened + pd.to_timedelta(rng.integers(10, 300, rows), "D")
    closed = rng.random(rows) < 0.5

    def one_of(*words: str) -> np.ndarray:
        return rng.choice(words, rows)

    return pd.DataFrame(
        {
            "deal_id": [f"D{number:06d}" for number in range(rows)],
            "as_of": "2027-06-30",
            "opened_on": opened.strftime("%Y-%m-%d"),
            "expected_close_on": expected.strftime("%Y-%m-%d"),
            "closed_on": np.where(closed, expected.strftime("%Y-%m-%d"), ""),
            "outcome": np.where(closed, one_of("won", "lost"), "open"),
            "amount": np.round(rng.lognormal(12, 1, rows), 2),
            "currency": "EUR",
            "segment": one_of("energy", "finance", "government"),
            "region": one_of("north", "south"),
            "seller": [f"S{number}" for number in rng.integers(0, 200, rows)],
            "product": one_of("cloud", "data"),
            "competitor": one_of("C1", "C2", ""),
            "rep_probability": one_of("0.1", "0.5", "0.9"),
            "rep_category": one_of("commit", "pipeline"),
            "stage": one_of("approval", "evaluation", "decision"),
            "decision_method": one_of("scoring", "executive", ""),
            "coach": one_of("none", "validated"),
            "approver_support": rng.integers(1, 5, rows),
            "account": [f"Acme, {number} Ltd" for number in rng.integers(0, rows // 10, rows)],
        }
    )


def measure(path: Path, times: int) -> dict[str, float]:
    """Median seconds of each, read in turn."""
    import winprob

    works = {
        "pandas": lambda: timing.seconds(lambda: by_pandas(path)),
        "winprob": lambda: timing.seconds(lambda: winprob.read_deals(path)),
    }
    return timing.medians(works, times)


def by_pandas(path: Path) -> pd.DataFrame:
    """The least work of its kind: all cells as text, days and money parsed by pandas' own functions."""
    table = pd.read_csv(path, dtype=str)
    parsed = {column: pd.to_datetime(table[column]) for column in DAYS}
    return table.assign(**parsed, **{column: pd.to_numeric(table[column]) for column in MONEY})


if __name__ == "__main__":
    main()
