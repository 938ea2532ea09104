"""Page and section of the learned effects: facts of the method, roles, numbers with bands, categories."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from winprob.i18n import gettext, text_width
from winprob.methodology import canonical_column
from winprob.model.draws import summarise
from winprob.model.effects import Effect, effect_draws, effect_sentences, spreads
from winprob.model.explanation import term_title
from winprob.model.features import NAMES, TRANSFORMS, WORDS
from winprob.model.posterior import Posterior
from winprob.model.win.terms import ROLE_TERMS
from winprob.report.charts import INK, SOFT, Chart, _shorten
from winprob.report.labels import level_title
from winprob.report.sheet import Section, Sheet, grid_of

#: Levels of a category, categories and numeric columns that are drawn.
_MOST_LEVELS, _MOST_FIELDS, _MOST_NUMBERS = 12, 8, 12
_ROW, _SPAN, _LETTER, _NAME_WIDTH = 18, 400, 6.8, 42
_PANEL, _TALL, _APART = 270, 120, 0.18
_SIGNED = "datum.value === 0 ? '0' : format(datum.value, '+.2~f')"
_BACK = {"identity": "datum.value", "log1p": "exp(datum.value) - 1", "logit": "1 / (1 + exp(-datum.value))"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """A term with its rows to draw, and how many more there are."""

    title: str
    rows: list[dict[str, Any]]
    more: int = 0


def effects_sheet(posterior: Posterior) -> Sheet:
    """A page of the learned effects of a model."""
    section = effects_section(posterior)
    parts = (replace(section, title=gettext("Effects by level")),)
    return Sheet(title=section.title, lead=tuple(effect_sentences(posterior)), sections=parts)


def effects_section(posterior: Posterior) -> Section:
    """Charts of the learned effects, and how much each term distinguishes the training deals."""
    effects = effect_draws(posterior)
    return Section(
        title=gettext("Learned effects"),
        words=(
            gettext(
                "Log-odds relative to the average training deal, with a 90% interval: 0 changes nothing, +0.69 doubles "
                "the odds of winning, −0.69 halves them. Associations in past deals, not promises of an effect."
            ),
            *(effect_sentences(posterior) if posterior.provenance.prior_only else ()),
            *_not_named(posterior),
        ),
        charts=tuple(effect_charts(posterior, effects).values()),
        grid=_sizes(effects),
    )


def _not_named(posterior: Posterior) -> Iterator[str]:
    hidden = [
        gettext("{what} ({count} levels)", what=term_title(field.name), count=len(field.levels))
        for field in posterior.scaling.fields
        if _is_private(field.name)
    ]
    if hidden:
        yield gettext(
            "Levels that name people or customers are not shown here: {columns}. winprob effects lists them.",
            columns=gettext("; ").join(hidden),
        )


def _is_private(name: str) -> bool:
    return (canonical_column(name) or name) in NAMES


def _sizes(effects: Sequence[Effect]) -> Any:
    """The typical factor of each term on the odds, largest first; nothing without deals."""
    table = pd.DataFrame(
        [(term_title(term), f"×{np.exp(size):.2f}") for term, size in spreads(effects).items()],
        columns=[gettext("what"), gettext("typical factor on the odds (one standard deviation)")],
    )
    return grid_of(table) if len(table) else None


def effect_charts(posterior: Posterior, effects: Sequence[Effect]) -> dict[str, Chart]:
    """The charts of what a model has learned, by what they show: facts, roles, numbers, categories."""
    of_term: dict[str, list[Effect]] = {}
    for one in effects:
        if one.relative:
            of_term.setdefault(one.term, []).append(one)
    facts = [_group(name, of_term[name]) for name in (word.column for word in WORDS)]
    roles = [_group(name, of_term[name]) for name in ROLE_TERMS]
    charts = {
        "facts": _draw_rows(facts, gettext("Effects of the method's facts"), _rows_caption()),
        "roles": _draw_rows(
            roles,
            gettext("Effects of each role's support"),
            gettext(
                "Support as reported under an unvalidated coach, the decision method unknown. Under a validated coach "
                "the same tiers are further apart. Dot: mean. Line: 90% interval."
            ),
        ),
    }
    numbers = [column for column in posterior.scaling.numeric if column.name in of_term]
    if numbers:
        charts["numbers"] = _draw_numbers(numbers, of_term, spreads(effects))
    categories = _categories(posterior, of_term, spreads(effects))
    if categories:
        title = gettext("Effects of categories and quarters")
        charts["categories"] = _draw_rows(categories, title, _more_caption(categories))
    return charts


def _rows_caption() -> str:
    return gettext("Dot: mean. Line: 90% interval.")


def _more_caption(groups: Sequence[_Group]) -> str:
    more = [gettext("{what}: {count} more", what=group.title, count=group.more) for group in groups if group.more]
    if not more:
        return _rows_caption()
    return gettext(
        "Dot: mean. Line: 90% interval. The most frequent levels and the last quarters are shown, {more}.",
        more=gettext("; ").join(more),
    )


def _categories(posterior: Posterior, of_term: dict[str, list[Effect]], sizes: dict[str, float]) -> list[_Group]:
    """The varying columns with the largest spread, each with its most frequent levels, then the last quarters."""
    fields = [field.name for field in posterior.scaling.fields if field.name in of_term and not _is_private(field.name)]
    shown = sorted(fields, key=lambda name: -sizes.get(name, 0.0))[:_MOST_FIELDS]
    groups = []
    for name in (name for name in fields if name in shown):
        frequent = sorted(of_term[name], key=lambda one: -one.share)[:_MOST_LEVELS]
        kept = [one for one in of_term[name] if any(one is other for other in frequent)]
        groups.append(_group(name, kept, len(of_term[name]) - len(kept)))
    if quarters := of_term.get("quarter"):
        groups.append(_group("quarter", quarters[-_MOST_LEVELS:], max(len(quarters) - _MOST_LEVELS, 0)))
    return groups


def _group(term: str, effects: Sequence[Effect], more: int = 0) -> _Group:
    rows = [{"name": level_title(term, one.level), **_ends(one)} for one in effects]
    return _Group(title=term_title(term), rows=rows, more=more)


def _ends(one: Effect) -> dict[str, float]:
    return dict(zip(("mean", "lower", "upper"), (float(end) for end in summarise(one.draws)), strict=True))


# --- rows of dots and intervals ---------------------------------------------------------------------------------------


def _draw_rows(groups: Sequence[_Group], title: str, caption: str) -> Chart:
    """A row for each level, a dot and its interval, below the name of its term."""
    values, heads, place = [], [], 0.5
    for group in groups:
        heads.append({"place": place, "name": _shorten(group.title, _NAME_WIDTH)})
        for at, row in enumerate(group.rows, start=1):
            values.append({**row, "place": place + at, "name": _shorten(row["name"], _NAME_WIDTH)})
        place += len(group.rows) + 1.4
    height = _ROW * (place - 0.9)
    y = alt.Y("place:Q", scale=alt.Scale(domain=[0, place - 0.9], reverse=True, nice=False), axis=None)
    axis = alt.Axis(orient="top", grid=True, title=gettext("log-odds"), titleColor=SOFT, tickCount=7, labelExpr=_SIGNED)
    x, base = {"axis": axis}, alt.Chart(alt.Data(values=values)).encode(y=y)
    zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(color=SOFT, strokeWidth=1.2)
    named = {"align": "right", "baseline": "middle"}
    layers = [
        zero.encode(x=alt.X("at:Q", **x)),
        base.mark_rule(size=5, color="#9fb0bf").encode(x=alt.X("lower:Q", **x), x2="upper:Q"),
        base.mark_point(shape="circle", size=40, opacity=1, filled=True, color=INK).encode(x=alt.X("mean:Q", **x)),
        base.mark_text(**named).encode(x=alt.value(-10), text="name:N"),
        alt.Chart(alt.Data(values=heads))
        .mark_text(**named, fontWeight="bold")
        .encode(y=y, x=alt.value(-10), text="name:N"),
    ]
    names = max((text_width(row["name"]) for row in (*values, *heads)), default=0)
    padding = {"left": _LETTER * names + 20, "right": 20, "top": 44, "bottom": 6}
    chart = alt.layer(*layers, width=_SPAN, height=height, padding=padding)
    return Chart(
        spec=chart.properties(autosize=alt.AutoSizeParams(type="none")),
        title=title,
        description=_in_words(groups),
        caption=caption,
    )


def _in_words(groups: Sequence[_Group]) -> str:
    sentences = (
        gettext(
            "{what}: {value}",
            what=group.title,
            value=gettext("; ").join(f"{r['name']} {r['mean']:+.2f}" for r in group.rows),
        )
        for group in groups
    )
    return " ".join(sentences)


# --- numbers: a line with a band over the values ----------------------------------------------------------------------


def _draw_numbers(columns: Sequence[Any], of_term: dict[str, list[Effect]], sizes: dict[str, float]) -> Chart:
    """A panel for each numeric column, those with the largest spread first where there are many."""
    largest = sorted(columns, key=lambda column: -sizes.get(column.name, 0.0))[:_MOST_NUMBERS]
    shown = [column for column in columns if any(column is one for one in largest)]
    ends = [_ends(one) for column in shown for one in of_term[column.name]]
    y_scale = alt.Scale(domain=[min(0.0, *(row["lower"] for row in ends)), max(0.0, *(row["upper"] for row in ends))])
    panels = [_panel(column, of_term[column.name], y_scale) for column in shown]
    title = gettext("Effects of numeric columns")
    caption = gettext(
        "Line: mean effect over the column's values. Band: 90% interval. Dots: single values that many deals share, "
        "and blanks."
    )
    if len(columns) > len(shown):
        caption += " " + gettext(
            "{count} more columns with smaller effects are not drawn.", count=len(columns) - len(shown)
        )
    groups = [_group(column.name, of_term[column.name]) for column in shown]
    return Chart(
        spec=alt.concat(*panels, columns=2, spacing=24), title=title, description=_in_words(groups), caption=caption
    )


def _panel(column: Any, effects: Sequence[Effect], y_scale: alt.Scale) -> alt.LayerChart:
    places = _places(column.transform, [one.ends for one in effects])
    values: list[dict[str, Any]] = [
        {**_ends(one), "at": place, "line": on_line, "name": ""}
        for one, (place, on_line) in zip(effects, places, strict=True)
        if np.isfinite(place)
    ]
    # What has no place on the axis is drawn to the right of it.
    apart = [one for one, (place, _) in zip(effects, places, strict=True) if np.isnan(place)]
    left, right = (end(row["at"] for row in values) for end in (min, max)) if values else (0.0, 0.0)
    width = (right - left) or 1.0
    beyond = [right + _APART * width * count for count in range(1, len(apart) + 1)]
    dots = [row for row in values if not row["line"]]
    dots += [
        {**_ends(one), "at": place, "name": level_title(column.name, one.level)}
        for one, place in zip(apart, beyond, strict=True)
    ]
    x_scale = alt.Scale(domain=[left - 0.03 * width, max([right, *beyond]) + 0.03 * width], nice=False, zero=False)
    x = alt.X("at:Q", scale=x_scale, axis=_x_axis(column.transform, left, right))
    y = {"scale": y_scale, "axis": alt.Axis(title=gettext("log-odds"), grid=True, tickCount=4, labelExpr=_SIGNED)}
    base = alt.Chart(alt.Data(values=sorted((row for row in values if row["line"]), key=lambda row: row["at"])))
    single = alt.Chart(alt.Data(values=dots))
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=SOFT, strokeWidth=1)
    mean, lower = (alt.Y(f"{name}:Q", **y) for name in ("mean", "lower"))
    point = {"shape": "circle", "size": 36, "opacity": 1, "filled": True, "color": INK}
    layers = [
        base.mark_area(fill="#9fb0bf", fillOpacity=0.55, strokeWidth=0).encode(x=x, y=lower, y2="upper:Q"),
        zero.encode(y=alt.Y("zero:Q", **y)),
        base.mark_line(color=INK, strokeWidth=2).encode(x=x, y=mean),
        single.mark_rule(size=4, color="#9fb0bf").encode(x=x, y=lower, y2="upper:Q"),
        single.mark_point(**point).encode(x=x, y=mean),
        single.mark_text(baseline="top", color=SOFT).encode(x=x, y=alt.value(_TALL + 7), text="name:N"),
    ]
    name = alt.TitleParams(_shorten(term_title(column.name), _NAME_WIDTH), anchor="start", fontSize=12)
    return alt.layer(*layers, width=_PANEL, height=_TALL, title=name)


def _places(transform: str, ends: Sequence[tuple[float, float]]) -> list[tuple[float, bool]]:
    """Where each level is drawn, on the transformed scale, and whether it is on the line; NaN without any end.

    Bins are on the line at their middle, open ones half a typical width outside their end. Without bins the single
    values are the line.
    """
    low, high = (TRANSFORMS[transform].there(np.array(side, dtype=float)) for side in zip(*ends, strict=True))
    bins, placed = low != high, np.isfinite(low) | np.isfinite(high)
    closed = bins & np.isfinite(low) & np.isfinite(high)
    half = (float(np.median((high - low)[closed])) if closed.any() else 1.0) / 2
    place = np.where(np.isnan(low), high - half, np.where(np.isnan(high), low + half, (low + high) / 2))
    on_line = bins & placed if (bins & placed).any() else placed & (placed.sum() > 1)
    return [(float(one), bool(line)) for one, line in zip(place, on_line, strict=True)]


def _x_axis(transform: str, left: float, right: float) -> alt.Axis:
    """An axis with round numbers in the column's own units."""
    value = _BACK[transform]
    large = f"abs({value}) >= 1000 ? format({value}, '.3~s')"
    ticks, last = [], -np.inf
    for place in TRANSFORMS[transform].there(np.array(_round_numbers(transform, left, right))):
        if left <= place <= right and place >= last + (right - left) / 6:
            ticks.append(last := float(place))
    return alt.Axis(values=ticks, labelExpr=f"{large} : format({value}, '.3~r')", title=None, grid=False)


def _round_numbers(transform: str, left: float, right: float) -> list[float]:
    """Candidates for the axis, ascending, in the column's own units."""
    if transform == "logit":
        return [0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999]
    if transform == "log1p":
        steps = (1,) if right - left > 2 * np.log(100) else (1, 2, 5)
        return [0.0, *(step * 10.0**power for power in range(-3, 16) for step in steps)]
    rough = max(right - left, 1e-9) / 4
    size = 10.0 ** np.floor(np.log10(rough))
    step = size * next(nice for nice in (1, 2, 5, 10) if nice * size >= rough)
    return [float(step * count) for count in range(int(np.ceil(left / step)), int(np.floor(right / step)) + 1)]
