"""Page of a retraining: the gate, what changed in data and parameters, what that does to open deals, what to decide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from winprob.i18n import gettext, text_width
from winprob.methodology import column_label, label
from winprob.model.explanation import BASE_RATE, DOUBT, term_title
from winprob.report import card
from winprob.report.charts import INK, SOFT, Chart
from winprob.report.labels import level_title
from winprob.report.numbers import BLANK, compact_money, percent, points, signed_money, span
from winprob.report.sheet import Column, Grid, Section, Sheet, to_html
from winprob.retrain.candidate import to_toml
from winprob.retrain.candidate.changes import WIN_RATE
from winprob.retrain.candidate.sentences import decision_sentences, gate_sentences, p_value_text

if TYPE_CHECKING:
    from winprob.model.posterior import Posterior
    from winprob.retrain.candidate import Changes, Gate, Retraining

_SPAN, _ROW, _LETTER = 420, 26, 6.6


def render_retraining(retraining: Retraining) -> str:
    """The page of a retraining in the current language: HTML in one file, without external resources."""
    return to_html(retraining_sheet(retraining))


def retraining_sheet(retraining: Retraining) -> Sheet:
    """The content of the page; ``gate.json`` has the same in plain values."""
    gate, changes = retraining.gate, retraining.changes
    verdict, *others = gate_sentences(gate)
    charts = (draw_difference(gate),) if gate.difference else ()
    sections = [
        Section(title=gettext("What to decide"), words=tuple(decision_sentences(gate))),
        Section(title=gettext("The gate"), words=tuple(others), charts=charts, grid=_scores(gate)),
    ]
    if changes:
        sections += _change_sections(changes)
    return Sheet(title=gettext("Retraining"), lead=(verdict,), sections=tuple(sections))


def _change_sections(changes: Changes) -> Iterator[Section]:
    yield Section(
        title=gettext("What changed in the data"), words=tuple(_levels(changes.levels)), grid=_data(changes.data)
    )
    yield Section(
        title=gettext("What changed in the parameters"),
        words=(
            gettext(
                "A width below 100% is an interval that has narrowed: the new deals taught something about it. Weights "
                "and stages are log-odds, reliability is the correlation of reported and true support."
            ),
        ),
        grid=_parameters(changes.parameters),
    )
    yield Section(
        title=gettext("What that does to open deals"),
        words=tuple(_open_deals(changes)),
        grid=_moves(changes.moves) if len(changes.moves) else None,
    )


def draw_difference(gate: Gate) -> Chart:
    """The paired difference of all new deals and of each block, next to what is allowed."""
    rows = _difference_rows(gate)
    allowed = 0.0 if gate.changed else gate.settings.margin
    reach = 1.1 * max(allowed, *(abs(row[end]) for row in rows for end in ("lower", "upper")))
    axis = alt.Axis(
        orient="top", grid=True, format="+.3f", tickCount=5, title=gettext("nats per deal"), titleColor=SOFT
    )
    x = alt.X("mean:Q", scale=alt.Scale(domain=[-reach, reach], nice=False), axis=axis)
    height = _ROW * len(rows)
    places = alt.Y("place:Q", scale=alt.Scale(domain=[0, len(rows)], reverse=True, nice=False), axis=None)
    base = alt.Chart(alt.Data(values=rows)).encode(y=places)
    limits = alt.Chart(alt.Data(values=[{"mean": 0.0}, {"mean": allowed}]))
    layers = [
        limits.mark_rule(strokeDash=[4, 3], color=INK).encode(x=x),
        base.mark_rule(size=6, color="#9fb0bf").encode(x=alt.X("lower:Q", axis=axis), x2="upper:Q"),
        base.mark_point(shape="circle", size=60, opacity=1, filled=True, color=INK).encode(x=x),
        base.mark_text(align="right", baseline="middle").encode(x=alt.value(-10), text="name:N"),
    ]
    title = gettext("Log loss of the candidate less the current model's")
    caption = gettext(
        "Dot: mean over the new deals. Bar: 90% interval. Left of 0 the candidate is better. The bar of all new deals "
        "must end left of the dashed line at {allowed:+.3f}.",
        allowed=allowed,
    )
    names = max(text_width(str(row["name"])) for row in rows)
    padding = {"left": _LETTER * names + 16, "right": 20, "top": 44, "bottom": 6}
    chart = alt.layer(*layers, width=_SPAN, height=height, padding=padding)
    return Chart(
        spec=chart.properties(autosize=alt.AutoSizeParams(type="none")),
        title=title,
        description=caption,
        caption=caption,
    )


def _difference_rows(gate: Gate) -> list[dict[str, Any]]:
    """All new deals, then each block where there are several."""
    scored = gate.difference
    if scored is None:
        raise ValueError("nothing was scored")
    rows = [{"name": gettext("all new deals ({deals})", deals=scored.deals), **_ends(scored)}]
    if len(gate.blocks) > 1:
        rows += [
            {"name": gettext("closed from {day} ({deals})", day=block.since, deals=block.deals), **_ends(block)}
            for block in gate.blocks
        ]
    return [{**row, "place": at + 0.5} for at, row in enumerate(rows)]


def _ends(one: Any) -> dict[str, float]:
    return {"mean": one.mean, "lower": one.lower, "upper": one.upper}


def _scores(gate: Gate) -> Grid | None:
    if gate.difference is None:
        return None
    losses = {"candidate": gate.difference.candidate, "current": gate.difference.current}
    names = {"candidate": gettext("candidate"), "current": gettext("current model")}
    heads = [
        gettext("log loss"),
        gettext("slope"),
        gettext("intercept"),
        gettext("p of calibration"),
        gettext("groups covered"),
    ]
    rows = []
    for name, loss in losses.items():
        own, covered = gate.calibration[name], gate.coverage[name]
        p_value = p_value_text(own.p_value) or BLANK
        numbers = (f"{loss:.3f}", _number(own.slope), _number(own.intercept), p_value)
        rows.append([names[name], *numbers, BLANK if math.isnan(covered.share) else percent(covered.share)])
    return Grid(columns=_columns([gettext("model")], heads), rows=rows)


def _columns(texts: list[str], numbers: list[str]) -> list[Column]:
    return [Column(title=title) for title in texts] + [Column(title=title, number=True) for title in numbers]


def _number(value: float) -> str:
    return BLANK if math.isnan(value) else f"{value:.2f}"


def _data(data: pd.DataFrame) -> Grid:
    rows = []
    for row in data.to_dict("records"):
        name = str(row["quantity"])
        title = gettext("win rate") if name == WIN_RATE else gettext("{what} unknown", what=column_label(name))
        rows.append([title, _share(row, "old"), _share(row, "new")])
    counts = data.iloc[0]
    heads = [
        gettext("{count} deals before", count=int(counts["old_n"])),
        gettext("{count} deals since", count=int(counts["new_n"])),
    ]
    return Grid(columns=_columns([""], heads), rows=rows)


def _share(row: Mapping[Any, Any], side: str) -> str:
    if pd.isna(row[side]):
        return BLANK
    return f"{percent(row[side])} ({span(row[f'{side}_lower'], row[f'{side}_upper'])})"


def _levels(levels: pd.DataFrame) -> Iterator[str]:
    names = {change: _level_names(levels[levels["change"] == change]) for change in ("new", "gone")}
    if names["new"]:
        yield gettext("Levels that the current model does not know: {levels}.", levels=names["new"])
    if names["gone"]:
        yield gettext("Levels that no deal has any more: {levels}.", levels=names["gone"])


def _level_names(levels: pd.DataFrame) -> str:
    pairs = zip(levels["column"], levels["level"], strict=True)
    return ", ".join(f"{term_title(name)}: {level_title(name, level)}" for name, level in pairs)


def _parameters(table: pd.DataFrame) -> Grid:
    heads = [gettext("before"), gettext("now"), gettext("width")]
    rows = [
        [_parameter(row), *(_interval(row, side) for side in ("old", "new")), percent_of(row["width_ratio"])]
        for row in table.to_dict("records")
    ]
    return Grid(columns=_columns([gettext("parameter")], heads), rows=rows)


def percent_of(ratio: float) -> str:
    """A ratio as a percentage that may exceed 100; a dash where there is none."""
    return BLANK if math.isnan(ratio) else f"{ratio:.0%}"


def _parameter(row: Mapping[Any, Any]) -> str:
    kind, level = str(row["kind"]), str(row["level"])
    if kind == "weight":
        return gettext("weight: {what}", what=term_title(level))
    if kind == "reliability":
        named = gettext("unknown") if level == "unknown" else label("coach", level)
        return gettext("reliability under coach: {coach}", coach=named)
    return gettext("{what}: {value}", what=term_title("stage"), value=level_title("stage", level))


def _interval(row: Mapping[Any, Any], side: str) -> str:
    return f"{row[side]:.2f} ({row[f'{side}_lower']:.2f}…{row[f'{side}_upper']:.2f})"


def _open_deals(changes: Changes) -> Iterator[str]:
    if not changes.open_deals:
        yield gettext("The table has no open deal.")
    quarter = changes.quarter
    if quarter is None:
        yield gettext("The quarter cannot be forecast from this table by both models.")
        return
    money, old, new = str(quarter["currency"]), float(quarter["old"]), float(quarter["new"])
    yield gettext(
        "{quarter}: P50 of bookings {old} by the current model, {new} by the candidate ({change}), from the same deals "
        "and the same random numbers.",
        quarter=quarter["quarter"],
        old=compact_money(old, money),
        new=compact_money(new, money),
        change=signed_money(new - old, money),
    )


def _moves(moves: pd.DataFrame) -> Grid:
    heads = [gettext("before"), gettext("now"), gettext("points")]
    rows = [
        [str(row["deal_id"]), _reasons(row["reasons"]), percent(row["old"]), percent(row["new"]), points(row["change"])]
        for row in moves.to_dict("records")
    ]
    return Grid(columns=_columns([gettext("deal"), gettext("mostly because of (log-odds)")], heads), rows=rows)


def _reasons(reasons: list[tuple[str, float]]) -> str:
    titles = {BASE_RATE: gettext("base rate"), DOUBT: gettext("doubt about support")}
    return ", ".join(f"{titles.get(term) or term_title(term)} {change:+.2f}" for term, change in reasons)


_NO_MAPPING = "# No mapping: columns are recognised by their headers, or the data are a history.\n"


def candidate_files(
    retraining: Retraining, candidate: Posterior, html: str, mapping: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of a candidate in the registry, by name."""
    texts = {
        "card.html": card.render_card(candidate, form="html"),
        "report.html": html,
        "mapping.toml": to_toml(mapping) if mapping else _NO_MAPPING,
    }
    return {**retraining.files(), **{name: text.encode() for name, text in texts.items()}}
