"""Backtest page: scores, comparisons and calibration, with the reliability curve and the calibration of groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from winprob.errors import InputError
from winprob.i18n import gettext, text_width
from winprob.methodology import column_label, label
from winprob.model.posterior import Provenance
from winprob.report.charts import INK, SOFT, Chart, _shorten
from winprob.report.numbers import BLANK
from winprob.report.sheet import Section, Sheet, grid_of

#: Groups shown, of one repeat, the largest.
_GROUPS = 30


def backtest_sheet(record: Mapping[str, Any], verdict: Sequence[str]) -> Sheet:
    """Scores, comparisons and calibration of one backtest.

    Parameters
    ----------
    record : as ``evaluation.Backtest.record`` returns it
    verdict : sentences that interpret it
    """
    return Sheet(
        title=gettext("Backtest: was it right?"),
        lead=tuple(verdict),
        sections=(
            Section(
                title=gettext("Out-of-sample scores"),
                words=(
                    gettext(
                        "log_loss and brier: lower is better. auc: the share of pairs, one won and one not, in which "
                        "the won deal had the higher win probability. calibration_slope: below 1, the probabilities "
                        "are too extreme. coverage_90: the share of groups whose number of wins is inside their 90% "
                        "interval; 0.90 is nominal. Models without an interval are scored as if their probabilities "
                        "were exact."
                    ),
                ),
                grid=grid_of(pd.DataFrame(record["table"])),
            ),
            difference_section(record),
            calibration_section(record),
        ),
    )


def require_same_data(record: Mapping[str, Any], source: Provenance) -> None:
    """Refuse a record of other data than the model's: of other days, or of more closed deals than the model knows.

    Raises
    ------
    InputError
        The record is of other data.
    """
    protocol = record["protocol"]
    first, last = protocol.get("first_day"), protocol.get("last_day")
    known = source.deals if source.closed is None else source.closed
    if None not in (first, last, source.first_day, source.last_day):
        apart = first < str(source.first_day) or last > str(source.last_day)
    else:
        apart = False
    if apart or protocol["scored"] > known:
        raise InputError(
            gettext(
                "the backtest record is of other data than the model: {scored} deals recorded from {first} to {last}; "
                "the model was trained on {deals}, recorded from {start} to {end}. Run winprob backtest --record on "
                "the deals of the model.",
                scored=protocol["scored"],
                first=first or BLANK,
                last=last or BLANK,
                deals=known,
                start=source.first_day or BLANK,
                end=source.last_day or BLANK,
            )
        )


def difference_section(record: Mapping[str, Any]) -> Section:
    """Differences in log loss between winprob and each other model, with intervals."""
    return Section(
        title=gettext("winprob compared with each other model"),
        words=(
            gettext(
                "Log loss of winprob minus that of the other model on common deals, with a 90% interval. Below zero "
                "winprob is better; an interval that contains zero shows no difference beyond chance."
            ),
        ),
        grid=grid_of(pd.DataFrame(record["differences"])),
    )


def calibration_section(record: Mapping[str, Any]) -> Section:
    """The reliability curve, and the calibration of groups."""
    groups = first_repeat(record["groups"])
    charts = [draw_reliability(pd.DataFrame(record["reliability"]))]
    if groups:
        charts.append(draw_groups(groups))
    return Section(title=gettext("Calibration"), charts=tuple(charts))


def first_repeat(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The largest groups of one repeat, by grouping and level."""
    first = {(group["grouping"], group["level"]): group for group in reversed(groups)}
    shown = sorted(first.values(), key=lambda group: -group["n"])[:_GROUPS]
    order = list(dict.fromkeys(group["grouping"] for group in groups))
    return sorted(shown, key=lambda group: (order.index(group["grouping"]), group["level"]))


_SIDE, _BARS, _BINS = 360, 50, 20
#: A curve of more points looks the same; one of few has its points drawn.
_POINTS, _FEW = 300, 12
_ROW, _SPAN, _NAME_WIDTH, _LETTER = 20, 420, 30, 6.6
_TICKS = [0, 0.25, 0.5, 0.75, 1]


def draw_reliability(curve: pd.DataFrame) -> Chart:
    """Reliability curve with the 90% band of a calibrated model, above it a histogram of the predictions.

    Parameters
    ----------
    curve : ``win_prob, observed, lower, upper, deals``, as ``evaluation.reliability_curve`` returns it
    """
    scale, ticks = alt.Scale(domain=[0, 1], nice=False), {"values": _TICKS, "format": ".0%", "grid": True}
    x = alt.X("win_prob:Q", scale=scale, axis=alt.Axis(**ticks, title=gettext("predicted win probability")))
    y = alt.Y("observed:Q", scale=scale, axis=alt.Axis(**ticks, title=gettext("share won")))
    base = alt.Chart(alt.Data(values=_thinned(curve).to_dict("records")))
    band = base.mark_area(opacity=0.2, color=SOFT, interpolate="linear").encode(x=x, y="lower:Q", y2="upper:Q")
    ideal = alt.Chart(alt.Data(values=[{"win_prob": 0, "observed": 0}, {"win_prob": 1, "observed": 1}]))
    diagonal = ideal.mark_line(strokeDash=[4, 3], color=SOFT, strokeWidth=1).encode(x=x, y=y)
    line = base.mark_line(interpolate="linear", color=INK, strokeWidth=2).encode(x=x, y=y)
    layers = [band, diagonal, line]
    if len(curve) <= _FEW:
        # A single prediction has no line and no area; with a few, dots mark the predictions.
        ends = base.mark_rule(opacity=0.3, color=SOFT, strokeWidth=5).encode(x=x, y="lower:Q", y2="upper:Q")
        layers = [ends, *layers, base.mark_point(filled=True, size=40, opacity=1, color=INK).encode(x=x, y=y)]
    curve_part = alt.layer(*layers, width=_SIDE, height=_SIDE)
    counts = (
        alt.Chart(alt.Data(values=_bars(curve)))
        .mark_bar(color=SOFT)
        .encode(
            x=alt.X("from:Q", scale=scale, axis=None),
            x2="to:Q",
            y=alt.Y("deals:Q", axis=alt.Axis(title=gettext("deals"), tickCount=2)),
            y2=alt.datum(0),
        )
    )
    title = gettext("Reliability curve")
    description = gettext("Observed win rate by predicted win probability. A calibrated model is on the dashed line.")
    return Chart(
        spec=alt.vconcat(counts.properties(width=_SIDE, height=_BARS), curve_part, spacing=6),
        title=title,
        description=description,
        caption=gettext(
            "Line: observed win rate at each predicted win probability. Grey: 90% band of the line of a calibrated "
            "model. Bars: number of deals by predicted win probability."
        ),
    )


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """Thin the curve for drawing: every corner of the line, and evenly spaced points."""
    if len(curve) <= _POINTS:
        return curve
    steps = curve["observed"].diff().ne(0)
    corners = steps | steps.shift(-1, fill_value=True)
    spread = np.unique(np.linspace(0, len(curve) - 1, _POINTS).astype(int))
    return curve.iloc[np.union1d(np.flatnonzero(corners), spread)]


def _bars(curve: pd.DataFrame) -> list[dict[str, float]]:
    deals, ends = np.histogram(curve["win_prob"], bins=_BINS, range=(0, 1), weights=curve["deals"])
    return [
        {"from": float(low), "to": float(high), "deals": float(count)}
        for low, high, count in zip(ends[:-1], ends[1:], deals, strict=True)
    ]


def draw_groups(groups: Sequence[Mapping[str, Any]]) -> Chart:
    """Observed win rate of each group with its 90 % predictive interval.

    Parameters
    ----------
    groups : records of ``evaluation.group_calibration``
    """
    values = [_group_mark(place, group) for place, group in enumerate(groups)]
    height = max(_ROW * len(values), _ROW)
    names = max((text_width(str(row["name"])) for row in values), default=0)
    y = alt.Y("place:Q", scale=alt.Scale(domain=[0, max(len(values), 1)], reverse=True, nice=False), axis=None)
    axis = alt.Axis(values=_TICKS, format=".0%", orient="top", grid=True, title=gettext("share won"))
    x = alt.X("won:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)
    base = alt.Chart(alt.Data(values=values)).encode(y=y)
    text = base.mark_text(align="right", baseline="middle").encode(x=alt.value(-10), text="name:N")
    line = base.mark_rule(size=5, color="#b8c2cc").encode(x=alt.X("lower:Q", axis=axis), x2="upper:Q")
    dots = base.mark_point(shape="circle", size=48, opacity=1, filled=True, color=INK).encode(x=x)
    padding = {"left": _LETTER * names + 16, "right": 14, "top": 44, "bottom": 6}
    chart = alt.layer(line, dots, text, width=_SPAN, height=height, padding=padding)
    title = gettext("Calibration by group")
    return Chart(
        spec=chart.properties(autosize=alt.AutoSizeParams(type="none")),
        title=title,
        description=gettext("Observed win rate of each group with its predictive interval."),
        caption=gettext("Dot: observed win rate. Bar: its 90% predictive interval."),
    )


def _group_mark(place: int, group: Mapping[str, Any]) -> dict[str, Any]:
    deals = group["n"]
    name = f"{column_label(group['grouping'])} · {_level(group['grouping'], group['level'])} ({deals})"
    shares = {end: group[end] / deals for end in ("won", "lower", "upper")}
    return {"place": place + 0.5, "name": _shorten(name, _NAME_WIDTH + 12), **shares}


def _level(grouping: str, level: str) -> str:
    if not level:
        return gettext("unknown")
    return label(grouping, level) if grouping in ("stage", "decision_method") else level
