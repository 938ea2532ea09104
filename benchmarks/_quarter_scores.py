"""Scores of quarterly forecasts of many teams: coverage, biases, errors and single deals, with errors by team.

A standard error is that of a delete-one-team jackknife: forecasts of one team share its deals and its luck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import _timing as timing
import numpy as np
import pandas as pd

from winprob.evaluation.scores import recalibration

RIVALS = ("sellers' commit", "stage-weighted pipeline", "last year's conversion")
Statistic = Callable[[pd.DataFrame], float]


def score(forecasts: pd.DataFrame) -> pd.DataFrame:
    """A row a week, and a row a week for the fourth quarters alone where there are any.

    Biases and errors are over the mean total; ``*_se`` are standard errors over teams.
    """
    fourth = forecasts["quarter"].str.endswith("Q4")
    parts = {"all": forecasts} | ({"fourth": forecasts[fourth]} if fourth.any() else {})
    return pd.DataFrame(
        [
            {"quarters": name, "week": week, "forecasts": len(rows), **_scores(rows)}
            for name, part in parts.items()
            for week, rows in part.groupby("week")
        ]
    )


def _scores(rows: pd.DataFrame) -> dict[str, float]:
    inside = {name: rows["actual"].between(rows[f"{name}p10"], rows[f"{name}p90"]) for name in ("", "apart_")}
    above = _above(rows)
    statistics: dict[str, Statistic] = {
        "coverage": lambda some: inside[""][some.index].mean(),
        "bias_mean": lambda some: _over_total(some, some["mean"] - some["actual"]),
        "bias_p50": lambda some: _over_total(some, some["p50"] - some["actual"]),
        "bias_new": lambda some: _over_total(some, some["new"] - some["new_actual"]),
        "bias_chances": lambda some: _over_total(some, above["chances"][some.index]),
        "bias_amounts": lambda some: _over_total(some, above["amounts"][some.index]),
        "deals": lambda some: float(np.subtract(*(values.mean() for values in single_deals(some)))),
        "slope": lambda some: float(recalibration(*single_deals(some)[::-1])[0]),
    }
    errors = {"winprob": (rows["p50"] - rows["actual"]).abs()}
    errors |= {name: (rows[name] - rows["actual"]).abs() for name in RIVALS}
    return {
        **{name: statistic(rows) for name, statistic in statistics.items()},
        **{f"{name}_se": jackknife(rows, statistic) for name, statistic in statistics.items()},
        "below": (rows["actual"] < rows["p10"]).mean(),
        "above": (rows["actual"] > rows["p90"]).mean(),
        "apart": inside["apart_"].mean(),
        "width": _over_total(rows, rows["p90"] - rows["p10"]),
        **{name: _over_total(rows, values) for name, values in errors.items()},
    }


def _over_total(rows: pd.DataFrame, values: pd.Series) -> float:
    return float(values.mean() / rows["actual"].mean())


def _above(rows: pd.DataFrame) -> pd.DataFrame:
    """Bookings of open deals above the actual ones, a row a forecast: by their ``chances``, by their ``amounts``."""
    parts = []
    for values in rows[["by_end", "expected", "won_in_quarter", "amount"]].itertuples(index=False):
        by_end, expected, won, amount = (np.asarray(value, dtype=float) for value in values)
        parts.append({"chances": (by_end - won) @ amount, "amounts": (expected - by_end * amount).sum()})
    return pd.DataFrame(parts, index=rows.index)


def single_deals(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Of each deal open on the day, the chance to be won by the end of the quarter, and whether it was."""
    by_end, won = (np.concatenate(rows[name].tolist()).astype(float) for name in ("by_end", "won_in_quarter"))
    return by_end, won


def jackknife(rows: pd.DataFrame, statistic: Statistic) -> float:
    """Standard error of a statistic over teams, each left out in turn; NaN for one team.

    References
    ----------
    Efron and Stein 1981, doi 10.1214/aos/1176345462
    """
    teams = rows["team"].unique()
    if len(teams) < 2:
        return float("nan")
    without = np.array([statistic(rows[rows["team"] != team]) for team in teams])
    return float(np.sqrt((len(teams) - 1) * without.var()))


def figures_of(table: pd.DataFrame, *, bias_aim: float) -> Iterator[timing.Figure]:
    """Figures with their aims; those of the fourth quarter by itself have the same."""
    for _, row in table.iterrows():
        where = f"week {row['week']:.0f}" + (", fourth quarters" if row["quarters"] == "fourth" else "")
        distance = round(abs(row["coverage"] - 0.8), 9)
        yield timing.Figure(quantity=f"80 % coverage, distance from .80, {where}", got=distance, aim=0.05)
        yield timing.Figure(quantity=f"bias of the mean, absolute, {where}", got=abs(row["bias_mean"]), aim=bias_aim)
        yield timing.Figure(
            quantity=f"slope of single deals, distance from 1, {where}", got=abs(row["slope"] - 1), aim=0.1
        )
        for name in RIVALS:
            ratio = row["winprob"] / row[name]
            yield timing.Figure(quantity=f"error of P50 over that of {name}, {where}", got=ratio, aim=1.0)


def markdown_tables(table: pd.DataFrame) -> str:
    """The scores as tables: intervals, biases and single deals; where the bias comes from; errors by forecast."""
    label = {"all": "", "fourth": " (fourth quarters)"}
    weeks = [f"{r['week']:.0f}{label[r['quarters']]}" for _, r in table.iterrows()]
    head = (
        *("week", "forecasts", "coverage (aim .80) ± se", "below P10", "above P90", "without shared doubt", "width"),
        *("bias of the mean ± se", "bias of P50 ± se", "deals: predicted less won ± se", "deals: slope ± se"),
    )
    rows = [
        (
            week,
            f"{r['forecasts']:.0f}",
            f"{r['coverage']:.3f} ± {r['coverage_se']:.3f}",
            *(f"{r[name]:.3f}" for name in ("below", "above", "apart", "width")),
            *(f"{r[name]:+.3f} ± {r[f'{name}_se']:.3f}" for name in ("bias_mean", "bias_p50", "deals")),
            f"{r['slope']:.2f} ± {r['slope_se']:.2f}",
        )
        for week, (_, r) in zip(weeks, table.iterrows(), strict=True)
    ]
    parts = ("bias_mean", "bias_new", "bias_chances", "bias_amounts")
    where_from = [
        (week, *(f"{r[name]:+.3f} ± {r[f'{name}_se']:.3f}" for name in parts))
        for week, (_, r) in zip(weeks, table.iterrows(), strict=True)
    ]
    names = ("winprob", *RIVALS)
    errors = [
        (week, *(f"{r[name]:.3f}" for name in names)) for week, (_, r) in zip(weeks, table.iterrows(), strict=True)
    ]
    tables = (
        timing.markdown(head, rows),
        timing.markdown(
            ("week", "bias of the mean", "from new deals", "from open deals' chances", "from their amounts"), where_from
        ),
        timing.markdown(("week", *(f"error, {name}" for name in names)), errors),
    )
    return "\n\n".join(tables)
