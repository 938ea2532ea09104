"""Draw charts as SVG with title and description; the role weights by decision method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import vl_convert
from markupsafe import Markup

from winprob.i18n import gettext, text_width
from winprob.methodology import DECISION_METHODS, ROLES, label
from winprob.model.draws import TAILS
from winprob.model.posterior import Posterior
from winprob.model.role_evidence import LEARNED, weight_grades

FONTS = '"Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif'
INK, SOFT, GRID = "#1b2733", "#5b6875", "#d9dee3"
_ROW, _NAME_WIDTH, _LETTER = 19, 30, 6.6
_WIDTH = 560
_TICKS = [0, 0.25, 0.5, 0.75, 1]
_FACTORS = (1, 1.5, 2, 3, 5, 8)
_LARGE_FACTORS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with title and caption; ``description`` is read in its place where it cannot be seen."""

    spec: alt.TopLevelMixin
    title: str
    description: str
    caption: str

    @property
    def svg(self) -> Markup:
        """The chart drawn, for a page."""
        return _svg(self.spec, self.title, self.description)


def draw_role_weights(posterior: Posterior) -> Chart:
    """The odds ratio of one standard deviation of true support, by role, a panel for each decision method.

    A dot is full where the role's weight was learned from the deals.
    """
    grades = weight_grades(posterior)
    values = [
        {**_odds_ratio(posterior, role, method), "hollow": bool(grades[row, column] != LEARNED)}
        for column, method in enumerate(DECISION_METHODS)
        for row, role in enumerate(ROLES)
    ]
    title = gettext("Odds ratio of each role's support, by decision method")
    return Chart(
        spec=_roles_spec(values),
        title=title,
        description=_role_sentences(values),
        caption=gettext(
            "Dot: median factor on the odds of winning for one standard deviation more of this role's true support. ×1 "
            "means no difference, ×2 doubles the odds. Line: 90% interval. A hollow dot depends more on the prior than "
            "on your deals. An association in past deals, not a promise of effect."
        ),
    )


def _odds_ratio(posterior: Posterior, role: str, method: str) -> dict[str, Any]:
    draws = np.exp(posterior.sel("role_weight", role=role, decision_method=method).astype(float))
    # The median: without data the mean of a ratio is dominated by its tail and may be outside the interval.
    lower, middle, upper = (float(end) for end in np.quantile(draws, (TAILS[0], 0.5, TAILS[1])))
    names = {"role": label("role", role), "method": label("decision_method", method)}
    return {**names, "middle": middle, "lower": lower, "upper": upper}


def _roles_spec(values: list[dict[str, Any]]) -> alt.FacetChart:
    top = max(row["upper"] for row in values) * 1.06
    roles, methods = (list(dict.fromkeys(row[name] for row in values)) for name in ("role", "method"))
    base = alt.Chart(alt.Data(values=values)).encode(y=alt.Y("role:N", sort=roles, title=None))
    scale = alt.Scale(type="log", domain=[min(1.0, *(row["lower"] for row in values)), top], nice=False)
    ticks = [tick for tick in (_FACTORS if top < 13 else _LARGE_FACTORS) if tick <= top]
    axis = alt.Axis(values=ticks, labelExpr="'×' + datum.value", grid=True, title=gettext("factor on the odds"))
    line = base.mark_rule(size=1.6).encode(x=alt.X("lower:Q", scale=scale, axis=axis), x2="upper:Q")
    dots = base.mark_point(shape="circle", size=52, opacity=1, strokeWidth=1.6).encode(
        x=alt.X("middle:Q", scale=scale, axis=axis), fill=_fill()
    )
    bold = {"labelFontSize": 12, "labelFontWeight": "bold", "labelPadding": 8}
    head = alt.Header(title=None, labelExpr=_broken(methods), **bold)
    panels = alt.layer(line, dots, width=185, height=150).facet(
        column=alt.Column("method:N", sort=methods, header=head)
    )
    return panels.properties(spacing=22)


def _broken(methods: Sequence[str]) -> str:
    """A Vega expression that breaks a heading into two lines; the headings are terms of the methodology."""
    lines = [f"datum.value === {_quoted(method)} ? [{', '.join(map(_quoted, _halves(method)))}]" for method in methods]
    return " : ".join([*lines, "[datum.value]"])


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _halves(text: str) -> list[str]:
    for mark in (", ", "、"):
        head, separator, tail = text.partition(mark)
        if separator:
            return [head + mark.strip(), tail]
    return [text, ""]


def _role_sentences(values: list[dict[str, Any]]) -> str:
    sentences = []
    for method in dict.fromkeys(row["method"] for row in values):
        first = max((row for row in values if row["method"] == method), key=lambda row: float(row["middle"]))
        sentences.append(
            gettext(
                "{method}: {role} leads with a factor of {middle:.2f} ({lower:.2f} to {upper:.2f}).",
                **{name: first[name] for name in ("method", "role", "middle", "lower", "upper")},
            )
        )
    return " ".join(sentences)


def _fill() -> alt.Color:
    scale = alt.Scale(domain=[False, True], range=[INK, "#ffffff"])
    return alt.Fill("hollow:N", scale=scale, legend=None)


def _svg(chart: alt.TopLevelMixin, title: str, description: str) -> Markup:
    """Draw without network access; add an accessible title and description."""
    spec = chart.to_dict(validate=False) | {"config": _config(), "background": "transparent"}
    drawn = vl_convert.vegalite_to_svg(spec, vl_version=_version(), allowed_base_urls=[])
    described = Markup('<svg role="img" aria-label="{}" focusable="false" {}><title>{}</title><desc>{}</desc>')
    head, rest = drawn.removeprefix("<svg ").split(">", 1)
    return described.format(title, Markup(head), title, description) + Markup(rest)  # noqa: S704 - Vega escapes text


def _version() -> str:
    return ".".join(alt.SCHEMA_VERSION.split(".")[:2])


def _config() -> dict[str, Any]:
    words = {"labelFont": FONTS, "titleFont": FONTS, "labelColor": INK, "titleColor": SOFT, "titleFontWeight": "normal"}
    return {
        "font": FONTS,
        "aria": False,
        "view": {"stroke": None},
        "axis": {**words, "labelFontSize": 12, "titleFontSize": 12, "gridColor": GRID, "ticks": False, "domain": False}
        | {"labelPadding": 6, "labelLimit": 400},
        "axisY": {"grid": False, "labelPadding": 10},
        "header": {"labelFont": FONTS, "labelColor": INK},
        "text": {"font": FONTS, "fontSize": 12, "fill": INK, "limit": 0},
        "rule": {"color": INK},
        "point": {"stroke": INK},
    }


def _shorten(text: str, width: int) -> str:
    """Shorten to at most ``width`` Latin letters; a Chinese character counts as two."""
    if text_width(text) <= width:
        return text
    while text_width(text) >= width:
        text = text[:-1]
    return text + "…"
