"""Diagnosis page: predictive checks, conflict with the prior, and prior sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from winprob.evaluation.diagnosis import quantity_title
from winprob.i18n import gettext, text_width
from winprob.methodology import label
from winprob.model.posterior import Posterior
from winprob.report.charts import INK, SOFT, Chart, _shorten
from winprob.report.sheet import Section, Sheet, grid_of

if TYPE_CHECKING:
    from winprob.evaluation.diagnosis import Diagnosis

_ROW, _SPAN, _LETTER, _NAME_WIDTH = 18, 420, 6.6, 44


def diagnosis_sheet(diagnosis: Diagnosis, verdict: Sequence[str]) -> Sheet:
    """The checks of a model, with charts of the predictive checks and of the unconstrained role weights."""
    conflicts = diagnosis.conflicts.assign(
        role=[label("role", role) for role in diagnosis.conflicts["role"]],
        decision_method=[label("decision_method", method) for method in diagnosis.conflicts["decision_method"]],
    )
    return Sheet(
        title=gettext("Checks of the model"),
        lead=tuple(verdict),
        sections=(
            Section(
                title=gettext("Predictive checks: do simulated deals resemble yours?"),
                words=(
                    gettext(
                        "The check uses the training deals: a misfit shows a fault of the model, a fit does not prove "
                        "it right. Rare levels are omitted."
                    ),
                ),
                charts=(_draw_predictive(diagnosis.predictive),),
            ),
            Section(
                title=gettext("Do the deals contradict the method?"),
                words=(
                    gettext(
                        "The same model with role weights that may be negative. In the model used for predictions, "
                        "more support never lowers the odds."
                    ),
                ),
                charts=(_draw_weights(conflicts),),
                grid=grid_of(conflicts, digits=2),
            ),
            Section(
                title=gettext("Which parameters depend on the prior?"),
                words=(
                    gettext(
                        "Change of a parameter when all priors, or all deals, get slightly more or less weight (power "
                        "scaling). Below 0.05 it hardly changes."
                    ),
                ),
                grid=grid_of(diagnosis.power),
            ),
        ),
    )


def _draw_predictive(table: pd.DataFrame) -> Chart:
    rows = [
        {**row, "name": _shorten(f"{quantity_title(row['quantity'])} ({row['deals']})", _NAME_WIDTH)}
        for row in table.to_dict("records")
    ]
    title = gettext("Win rates: observed and simulated")
    return _dots(
        rows,
        title,
        axis=gettext("share won"),
        dot="observed",
        bars=(("prior_lower", "prior_upper", "#e3e8ec", 11), ("lower", "upper", "#9fb0bf", 6)),
        caption=gettext(
            "Dot: your deals. Dark bar: 90% posterior predictive interval for deals with the same facts. Pale bar: 90% "
            "prior predictive interval."
        ),
    )


def _draw_weights(table: pd.DataFrame) -> Chart:
    rows = [{**row, "name": f"{row['role']} · {row['decision_method']}"} for row in table.to_dict("records")]
    for row in rows:
        row["name"] = _shorten(row["name"], _NAME_WIDTH)
    return _dots(
        rows,
        gettext("Role weights without the sign constraint"),
        axis=gettext("log-odds per standard deviation of support"),
        dot="mean",
        bars=(("lower", "upper", "#9fb0bf", 5),),
        caption=gettext("Dot: mean. Bar: 90% interval. Below zero more support would be associated with fewer wins."),
    )


def _dots(
    rows: Sequence[dict[Any, Any]],
    title: str,
    *,
    axis: str,
    dot: str,
    bars: Sequence[tuple[str, str, str, int]],
    caption: str,
) -> Chart:
    values = [{**row, "place": at + 0.5} for at, row in enumerate(rows)]
    names = max((text_width(row["name"]) for row in values), default=0)
    y = alt.Y("place:Q", scale=alt.Scale(domain=[0, max(len(values), 1)], reverse=True, nice=False), axis=None)
    shown = alt.Axis(orient="top", grid=True, title=axis, titleColor=SOFT)
    base = alt.Chart(alt.Data(values=values)).encode(y=y)
    layers = [
        base.mark_rule(size=size, color=colour).encode(x=alt.X(f"{lower}:Q", axis=shown), x2=f"{upper}:Q")
        for lower, upper, colour, size in bars
    ]
    layers.append(
        base.mark_point(shape="circle", size=40, opacity=1, filled=True, color=INK).encode(
            x=alt.X(f"{dot}:Q", axis=shown)
        )
    )
    layers.append(base.mark_text(align="right", baseline="middle").encode(x=alt.value(-10), text="name:N"))
    padding = {"left": _LETTER * names + 16, "right": 20, "top": 44, "bottom": 6}
    chart = alt.layer(*layers, width=_SPAN, height=max(_ROW * len(values), _ROW), padding=padding)
    return Chart(
        spec=chart.properties(autosize=alt.AutoSizeParams(type="none")),
        title=title,
        description=caption,
        caption=caption,
    )


def gates_section(posterior: Posterior) -> Section:
    """Convergence diagnostics of the sampler, as measured and as wanted."""
    measured, wanted = posterior.provenance.gates, posterior.settings.gates
    if not measured:
        return Section(title=gettext("Sampler diagnostics"), words=(gettext("Drawn directly from the prior: exact."),))
    signs = {"r_hat": "<", "bulk_ess": ">", "tail_ess": ">", "divergent_share": "<=", "bfmi": ">"}
    table = pd.DataFrame(
        {
            gettext("diagnostic"): list(signs),
            gettext("measured"): [f"{measured[name]:.4g}" for name in signs],
            gettext("wanted"): [f"{signs[name]} {getattr(wanted, name):g}" for name in signs],
        }
    )
    return Section(title=gettext("Sampler diagnostics"), grid=grid_of(table))
