"""A replay in sentences: coverage and bias by week, who was closest, and what the correction does."""

from collections.abc import Iterator

import pandas as pd

from winprob.i18n import amount_text, gettext
from winprob.model.correction import FEWEST_QUARTERS
from winprob.quarter import is_inside
from winprob.retrain.replay.replaying import Replay

#: Below this number of quarters coverage has a standard error of ten points or more.
_FEW = 12
_ERRORS = ("model_error", "commit_error", "stage_weighted_error", "last_year_error")


def replay_sentences(replay: Replay) -> list[str]:
    """What the table shows, most important first."""
    return [*_by_week(replay), *_corrected(replay), *_correction(replay), *_doubts(replay)]


def _by_week(replay: Replay) -> Iterator[str]:
    for week, rows in replay.table.groupby("week"):
        yield gettext(
            "Week {week}: {inside} of {count} quarters ended within P10 to P90 (expected: 80%); P50 was {bias:+.0%} "
            "from the actual on average.",
            week=week,
            inside=int(rows["inside_80"].sum()),
            count=len(rows),
            bias=rows["model_error"].sum() / max(rows["actual"].sum(), 1e-9),
        )
        yield _closest(rows, int(str(week)))


def _closest(rows: pd.DataFrame, week: int) -> str:
    """Mean absolute errors, on the quarters for which every forecaster has one."""
    errors = rows[list(_ERRORS)].astype(float).abs()
    errors = errors.dropna(axis=1, how="all").dropna()
    names = {
        "model_error": gettext("P50"),
        "commit_error": gettext("sellers' commit"),
        "stage_weighted_error": gettext("stage-weighted pipeline"),
        "last_year_error": gettext("last year's conversion"),
    }
    means = errors.mean().sort_values(kind="stable")
    return gettext(
        "Mean absolute error in week {week}, {count} quarters, closest first: {listed}.",
        week=week,
        count=len(errors),
        listed=gettext("; ").join(f"{names[str(name)]} {error:,.0f}" for name, error in means.items()),
    )


def _corrected(replay: Replay) -> Iterator[str]:
    rows = replay.table[replay.table["p50_corrected"].notna()]
    if rows.empty:
        return
    inside = [
        is_inside(actual, low, high)
        for actual, low, high in rows[["actual", "p10_corrected", "p90_corrected"]].itertuples(index=False)
    ]
    yield gettext(
        "Each quarter corrected by the others alone: {inside} of {count} forecasts held the actual ({raw} without the "
        "correction), and the mean absolute error of P50 was {error} ({raw_error}).",
        inside=sum(inside),
        count=len(rows),
        raw=int(rows["inside_80"].sum()),
        error=amount_text((rows["p50_corrected"] - rows["actual"]).abs().mean()),
        raw_error=amount_text(rows["model_error"].abs().mean()),
    )


def _correction(replay: Replay) -> Iterator[str]:
    correction = replay.correction
    if correction is None:
        yield gettext(
            "No correction: {count} quarters were replayed, and {fewest} are needed.",
            count=replay.table["quarter"].nunique(),
            fewest=FEWEST_QUARTERS,
        )
        return
    for week in correction.weeks:
        yield gettext(
            "Correction of week {week}: P50 becomes the {level:.0%} quantile of the simulated quarters, and the "
            "interval {spread:.2f} times as wide.",
            week=week,
            level=correction.level(0.5, week),
            spread=correction.at(week)[1],
        )


def _doubts(replay: Replay) -> Iterator[str]:
    if 0 < replay.table["quarter"].nunique() < _FEW:
        yield gettext("Fewer than {few} quarters: too few to distinguish skill from luck.", few=_FEW)
    for quarter, reason in replay.left_out:
        yield gettext("{quarter} is left out: {reason}.", quarter=quarter, reason=reason)
