"""Risk section: the deals that contribute most to the variance, what coincides with a miss, breakdowns of chances."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.special import logit

from winprob.i18n import gettext
from winprob.methodology import column_label
from winprob.model.explanation import BASE_RATE, DOUBT, explain
from winprob.report.numbers import FACTS, Money, missing_facts, name_of, percent, shown, span
from winprob.report.quarterly import charts, plots
from winprob.report.quarterly.inputs import ReviewInputs
from winprob.report.sheet import Column, Grid

#: Terms shown one by one; the smaller ones share one row.
SHOWN = 7
_TICKS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_MARGIN = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A row of the breakdown: its text, and its bar.

    Attributes
    ----------
    kind : "point" (base rate, result) or "step"
    """

    kind: str
    text: str
    plot: plots.Plot


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    heading: str
    verdict: str
    unknown: str
    bars: list[Bar]
    scale: plots.Plot


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Scale of win probabilities, even in log-odds."""

    scale: plots.Scale

    def ticks(self) -> list[tuple[float, str]]:
        inside = [chance for chance in _TICKS if self.scale.low <= float(logit(chance)) <= self.scale.high]
        return [(self.scale.at(float(logit(chance))), percent(chance)) for chance in inside]

    def heading(self) -> plots.Plot:
        """The chances above the bars."""
        return plots.row_plot(
            labels=tuple(plots.Label(x=x, y=14, text=text, color=plots.SOFT) for x, text in self.ticks())
        )

    def row(self, strokes: Sequence[plots.Stroke], **shapes: Any) -> plots.Plot:
        """A bar on the grid."""
        grid = [plots.Stroke(x1=x, x2=x, y1=0, y2=plots.ROW_HIGH, color=plots.LINE) for x, _ in self.ticks()]
        return plots.row_plot(grid=tuple(grid), strokes=tuple(strokes), **shapes)


def break_down(review: pd.DataFrame, explanations: Mapping[str, pd.DataFrame], money: Money) -> list[Breakdown]:
    """A breakdown of every explained deal of ``review`` (win probability as ``mean, lower, upper``), on one axis."""
    known = {str(deal_id): row for deal_id, row in review.set_index("deal_id", drop=False).iterrows()}
    explained = [(known[name], terms) for name, terms in explanations.items() if name in known]
    axis = _axis(explained)
    return [_of_deal(deal, _with_money(deal, terms, money), axis) for deal, terms in explained]


def _with_money(deal: pd.Series, terms: pd.DataFrame, money: Money) -> pd.DataFrame:
    """The terms with the amount as the page writes money."""
    if pd.isna(deal.get("amount")):
        return terms
    amount = float(deal["amount"])
    plain = terms["text"].str.replace(f"{amount:,.0f}", money.text(amount), regex=False)
    return terms.assign(text=terms["text"].mask(terms["term"] == "amount", plain))


def _axis(explained: Sequence[tuple[pd.Series, pd.DataFrame]]) -> Axis:
    ends = [float(end) for _, terms in explained for end in terms["log_odds"].cumsum()]
    ends += [float(logit(deal[name])) for deal, _ in explained for name in ("lower", "upper")]
    low, high = min(ends, default=-1.0) - _MARGIN, max(ends, default=1.0) + _MARGIN
    return Axis(scale=plots.Scale(low=low, high=high))


def _of_deal(deal: pd.Series, terms: pd.DataFrame, axis: Axis) -> Breakdown:
    chance = gettext("{chance} ({interval})", chance=percent(deal["mean"]), interval=span(deal["lower"], deal["upper"]))
    missing = [column_label(fact) for fact in FACTS if missing_facts(deal.to_frame().T)[fact].item()]
    return Breakdown(
        heading=name_of(deal),
        verdict=gettext(
            "Win probability {chance}: about {count} in 100 such deals are won.",
            chance=chance,
            count=f"{100 * deal['mean']:.0f}",
        ),
        unknown=gettext("Unknown: {facts}.", facts=gettext(", ").join(missing))
        if missing
        else gettext("All nine facts are known; the remaining uncertainty is about their weights."),
        bars=[*_bars(terms, axis), _result(deal, chance, axis)],
        scale=axis.heading(),
    )


def _bars(terms: pd.DataFrame, axis: Axis) -> list[Bar]:
    base = terms.iloc[0]
    bars = [_point(axis, str(base["text"]), *(base[name] for name in ("log_odds", "lower", "upper")))]
    if base["term"] != BASE_RATE:
        bars = []
    total = float(base["log_odds"]) if bars else 0.0
    for text, log_odds in _steps(terms.iloc[len(bars) :]):
        left, right = sorted((axis.scale.at(total), axis.scale.at(total + log_odds)))
        total += log_odds
        fill = plots.BLUE if log_odds >= 0 else plots.PAPER
        end = axis.scale.at(total)
        box = plots.Box(x=left, width=round(right - left, 2), y=4, height=12, fill=fill)
        link = plots.Stroke(x1=end, x2=end, y1=plots.ROW_MIDDLE, y2=plots.ROW_HIGH, width=1.2)
        bars.append(Bar(kind="step", text=text, plot=axis.row([link], boxes=(box,))))
    return bars


def _point(axis: Axis, text: str, middle: float, lower: float, upper: float) -> Bar:
    low, at, high = (axis.scale.at(float(value)) for value in (lower, middle, upper))
    line = plots.Stroke(x1=low, x2=high, y1=plots.ROW_MIDDLE, y2=plots.ROW_MIDDLE, width=1.6)
    return Bar(kind="point", text=text, plot=axis.row([line], dots=(plots.Dot(x=at, y=plots.ROW_MIDDLE, r=4.5),)))


def _steps(terms: pd.DataFrame) -> list[tuple[str, float]]:
    """The largest terms one by one, the sum of the smaller ones, and last the shrinkage by uncertainty."""
    doubt = terms["term"] == DOUBT
    own, rest = terms[~doubt].head(SHOWN), terms[~doubt].iloc[SHOWN:]
    steps = [(str(text), float(size)) for text, size in zip(own["text"], own["log_odds"], strict=True)]
    if len(rest):
        steps.append((_together(rest), float(rest["log_odds"].sum())))
    last = terms[doubt]
    return steps + [(str(text), float(size)) for text, size in zip(last["text"], last["log_odds"], strict=True)]


def _together(rest: pd.DataFrame) -> str:
    return gettext("{count} smaller terms together.", count=len(rest))


def _result(deal: pd.Series, chance: str, axis: Axis) -> Bar:
    ends = (float(logit(deal[name])) for name in ("mean", "lower", "upper"))
    return _point(axis, gettext("This deal: {chance}", chance=chance), *ends)


#: Causes listed on each side.
_CAUSES = 4
#: Deals with a breakdown term by term.
_BROKEN_DOWN = 3


def _swinging(inputs: ReviewInputs) -> pd.DataFrame:
    """The deals with the largest shares of the variance, and a P50 given their outcome."""
    moved = inputs.deals.dropna(subset=["p50_if_won", "p50_if_lost"])
    return moved.nlargest(inputs.settings.risky_deals, "variance_share")


def sentences(inputs: ReviewInputs) -> list[str]:
    """How concentrated the variance is, and what coincides with a total far from P50."""
    deals = _swinging(inputs)
    if deals.empty:
        return [gettext("No open deal is large enough to move P50 on its own."), *_breaks(inputs)]
    first = deals.iloc[0]
    concentration = gettext(
        "{count} deals contribute {share} of the variance of the total. The largest contribution is from {name}: P50 "
        "is {won} if it is won in the quarter and {lost} if it is not.",
        count=len(deals),
        share=percent(float(deals["variance_share"].sum())),
        name=name_of(first),
        won=inputs.money.text(first["p50_if_won"]),
        lost=inputs.money.text(first["p50_if_lost"]),
    )
    return [concentration, _alone(inputs, deals), *_breaks(inputs)]


def _alone(inputs: ReviewInputs, deals: pd.DataFrame) -> str:
    """Which of the deals move P50 far enough on their own."""
    below, above = ((1 + sign * inputs.wrong_by) * inputs.forecast.p50 for sign in (-1, 1))
    breaking = deals[(deals["p50_if_lost"] < below) | (deals["p50_if_won"] > above)]
    share = percent(inputs.wrong_by)
    if breaking.empty:
        return gettext("None of these deals moves P50 by {share} or more on its own.", share=share)
    names = gettext(", ").join(shown(deal, "deal_id") for deal in breaking.to_dict("records"))
    return gettext("Each of these deals moves P50 by {share} or more on its own: {deals}.", share=share, deals=names)


def breakdowns(inputs: ReviewInputs) -> list[Breakdown]:
    """Breakdowns of the first deals' win probabilities."""
    chance = {"win_prob": "mean", "win_lower": "lower", "win_upper": "upper"}
    deals = _swinging(inputs).head(_BROKEN_DOWN).rename(columns=chance)
    rows = [deals.iloc[[at]] for at in range(len(deals))]
    return break_down(
        deals,
        {str(row["deal_id"].iloc[0]): explain(inputs.posterior, row, row["deal_id"].iloc[0]) for row in rows},
        inputs.money,
    )


def swings_bars(inputs: ReviewInputs) -> list[plots.Plot]:
    """P50 if each deal is won and if it is not, a bar for each row of the table."""
    deals = _swinging(inputs)
    ends = list(zip(deals["p50_if_won"].astype(float), deals["p50_if_lost"].astype(float), strict=True))
    return charts.swing_bars(ends, inputs.forecast.p50, share=inputs.wrong_by)


def swings_grid(inputs: ReviewInputs) -> Grid:
    titles = [gettext("Deal"), gettext("Owner")]
    numbers = [
        gettext("Amount"),
        gettext("Won by quarter end"),
        gettext("Share of the variance"),
        gettext("P50 if won"),
        gettext("P50 if not"),
    ]
    columns = [*(Column(title=name) for name in titles), *(Column(title=name, number=True) for name in numbers)]
    return Grid(columns=columns, rows=[_row(inputs, deal) for _, deal in _swinging(inputs).iterrows()])


def _row(inputs: ReviewInputs, deal: pd.Series) -> list[str]:
    return [
        name_of(deal),
        shown(deal, "seller"),
        inputs.money.text(deal["amount"]),
        percent(deal["by_end"]),
        percent(deal["variance_share"]),
        inputs.money.text(deal["p50_if_won"]),
        inputs.money.text(deal["p50_if_lost"]),
    ]


def source_name(source: str) -> str:
    """The title of a source of variance."""
    names = {
        "winning": gettext("Chance in single open deals"),
        "amount_at_closing": gettext("Changes of amounts before closing"),
        "shared_doubt": gettext("Uncertainty about win rates, shared by all deals"),
        "not_yet_created": gettext("Deals not yet created"),
    }
    return names.get(source, source)


def shares_grid(inputs: ReviewInputs) -> Grid:
    """Shares of the total's variance by source."""
    rows = [[source_name(row["source"]), percent(row["share"])] for row in inputs.forecast.shares.to_dict("records")]
    return Grid(
        columns=[Column(title=gettext("Source of variance")), Column(title=gettext("Share"), number=True)],
        rows=rows,
    )


def _breaks(inputs: ReviewInputs) -> Iterator[str]:
    """What coincides with a total far from P50, one sentence for each side."""
    for side, rows in inputs.forecast.breaks.groupby("side", sort=False):
        causes = gettext("; ").join(_cause(inputs, row) for row in rows.head(_CAUSES).to_dict("records"))
        share = 1 - inputs.wrong_by if side == "below" else 1 + inputs.wrong_by
        fields = {
            "amount": inputs.money.text(inputs.forecast.p50 * share),
            "chance": percent(rows["prob"].iloc[0]),
            "causes": causes,
        }
        if side == "below":
            yield gettext(
                "The probability of a total below {amount} is {chance}. It coincides with: {causes}.", **fields
            )
        else:
            yield gettext(
                "The probability of a total above {amount} is {chance}. It coincides with: {causes}.", **fields
            )


def _cause(inputs: ReviewInputs, row: dict[Hashable, Any]) -> str:
    if row["source"] == "deal":
        # The chance as the tables show it: the share of simulated quarters differs from it by simulation noise.
        by_end = inputs.deals.set_index("deal_id")["by_end"]
        there, usual = percent(row["there"]), percent(float(by_end.get(row["deal_id"], row["usual"])))
        return gettext(
            "{deal} is won in {there} of these cases ({usual} of all)",
            deal=inputs.names.get(row["deal_id"], row["deal_id"]),
            there=there,
            usual=usual,
        )
    money = inputs.money.signed(row["amount"])
    if row["source"] == "not_yet_created":
        return gettext("bookings of deals not yet created differ from their mean by {money}", money=money)
    if row["amount"] < 0:
        return gettext("lower win rates throughout: expected bookings {money}", money=money)
    return gettext("higher win rates throughout: expected bookings {money}", money=money)
