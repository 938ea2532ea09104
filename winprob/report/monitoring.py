"""Monitoring on pages: the e-process over time as a chart, its numbers, and one line of the track record."""

import altair as alt
import numpy as np

from winprob.i18n import gettext
from winprob.report.charts import INK, SOFT, Chart
from winprob.report.sheet import Section, grid_of
from winprob.retrain.monitoring import Monitoring, monitoring_sentences, verdict_sentence

#: E-values are drawn within these bounds; one beyond is as clear.
_SHOWN = (0.01, 10_000.0)
_TICKS = [0.01, 0.1, 1, 10, 100, 1000, 10_000]


def monitoring_sections(result: Monitoring | None) -> list[Section]:
    """A section with verdict, chart and table; none without a result."""
    if result is None:
        return []
    charts = () if result.table.empty else (draw_e_process(result),)
    grid = None if result.table.empty else grid_of(result.table, digits=2)
    title = gettext("Calibration since training")
    return [Section(title=title, words=tuple(monitoring_sentences(result)), charts=charts, grid=grid)]


def track_record_line(result: Monitoring | None) -> list[Section]:
    """One line of the track record; none without a result."""
    if result is None:
        return []
    return [Section(title=gettext("Calibration since training"), words=(verdict_sentence(result),))]


def draw_e_process(result: Monitoring) -> Chart:
    """The e-value after each quarter, on a log scale, with the line of alarm; hollow dots are the early sign."""
    title = gettext("Evidence against the model's calibration, quarter by quarter")
    return Chart(
        spec=_spec(result),
        title=title,
        description=verdict_sentence(result),
        caption=gettext(
            "Line with full dots: the e-value of all quarters so far; at {threshold:.0f}, the dashed line, it is an "
            "alarm. Hollow dots: the same against the mean probabilities, an early sign only, because it ignores the "
            "uncertainty that the model states.",
            threshold=result.threshold,
        ),
    )


def _spec(result: Monitoring) -> alt.LayerChart:
    table, order = result.table, result.table["period"].tolist()
    shown = {name: np.clip(table[name].to_numpy(), *_SHOWN).tolist() for name in ("e_value", "early_sign")}
    rows = [
        {"period": period, "e_value": e_value, "early_sign": early}
        for period, e_value, early in zip(order, shown["e_value"], shown["early_sign"], strict=True)
    ]
    y = {
        "scale": alt.Scale(type="log", domain=list(_SHOWN)),
        "axis": alt.Axis(values=_TICKS, format="~g", grid=True, title=gettext("e-value (log scale)")),
    }
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("period:N", sort=order, title=None, axis=alt.Axis(labelAngle=0))
    )
    line = base.mark_line(color=INK).encode(y=alt.Y("e_value:Q", **y))
    full = base.mark_point(shape="circle", fill=INK, size=52, opacity=1).encode(y=alt.Y("e_value:Q", **y))
    hollow = base.mark_point(shape="circle", fill="#ffffff", stroke=SOFT, size=40, opacity=1).encode(
        y=alt.Y("early_sign:Q", **y)
    )
    alarm = alt.Chart(alt.Data(values=[{"alarm": result.threshold}])).mark_rule(strokeDash=[5, 4])
    limit = alarm.encode(y=alt.Y("alarm:Q", **y))
    return alt.layer(limit, line, hollow, full, width=520, height=220)
