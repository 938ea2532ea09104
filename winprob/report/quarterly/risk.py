"""Risk section: the deals that contribute most to the variance, what coincides with a miss, breakdowns of chances."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.special import logit

from winprob.i18n import gettext
from winprob.methodology import column_label
from winprob.model.explanation import BASE_RATE, DOUBT, explain
from winprob.report.charts import Chart
from winprob.report.numbers import FACTS, compact_money, missing_facts, name_of, percent, shown, signed_money, span
from winprob.report.quarterly.charts import draw_swings
from winprob.report.quarterly.inputs import ReviewInputs
from winprob.report.sheet import Column, Grid

#: Terms shown one by one; the smaller ones share one row.
SHOWN = 7
_TICKS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_MARGIN = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A row of the breakdown, positions in percent of the axis.

    Attributes
    ----------
    kind : "point" (base rate, result), "up", "down"
    start, width : of the bar; of a point its interval
    at : position of the point, or the sum after this term
    """

    kind: str
    text: str
    start: float
    width: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    heading: str
    verdict: str
    unknown: str
    bars: list[Bar]
    ticks: list[Tick]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Scale from log-odds to percent of the width."""

    low: float
    high: float

    def place(self, log_odds: float) -> float:
        return round(100 * (min(max(log_odds, self.low), self.high) - self.low) / (self.high - self.low), 2)

    def ticks(self) -> list[Tick]:
        inside = [chance for chance in _TICKS if self.low <= float(logit(chance)) <= self.high]
        return [Tick(at=self.place(float(logit(chance))), text=percent(chance)) for chance in inside]


def break_down(review: pd.DataFrame, explanations: Mapping[str, pd.DataFrame]) -> list[Breakdown]:
    """A breakdown of every explained deal of ``review`` (win probability as ``mean, lower, upper``), on one axis."""
    known = {str(deal_id): row for deal_id, row in review.set_index("deal_id", drop=False).iterrows()}
    explained = [(known[name], terms) for name, terms in explanations.items() if name in known]
    axis = _axis(explained)
    return [_of_deal(deal, terms, axis) for deal, terms in explained]


def _axis(explained: Sequence[tuple[pd.Series, pd.DataFrame]]) -> Axis:
    ends = [float(end) for _, terms in explained for end in terms["log_odds"].cumsum()]
    ends += [float(logit(deal[name])) for deal, _ in explained for name in ("lower", "upper")]
    return Axis(low=min(ends, default=-1.0) - _MARGIN, high=max(ends, default=1.0) + _MARGIN)


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
        ticks=axis.ticks(),
    )


def _bars(terms: pd.DataFrame, axis: Axis) -> list[Bar]:
    base = terms.iloc[0]
    bars = [_base(base, axis)] if base["term"] == BASE_RATE else []
    total = float(base["log_odds"]) if bars else 0.0
    for text, log_odds in _steps(terms.iloc[len(bars) :]):
        left, right = sorted((axis.place(total), axis.place(total + log_odds)))
        total += log_odds
        kind = "up" if log_odds >= 0 else "down"
        bars.append(Bar(kind=kind, text=text, start=left, width=round(right - left, 2), at=axis.place(total)))
    return bars


def _base(base: pd.Series, axis: Axis) -> Bar:
    start, end = axis.place(base["lower"]), axis.place(base["upper"])
    return Bar(kind="point", text=str(base["text"]), start=start, width=end - start, at=axis.place(base["log_odds"]))


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
    start, end = axis.place(float(logit(deal["lower"]))), axis.place(float(logit(deal["upper"])))
    text = gettext("This deal: {chance}", chance=chance)
    return Bar(kind="point", text=text, start=start, width=end - start, at=axis.place(float(logit(deal["mean"]))))


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
        won=compact_money(first["p50_if_won"], inputs.currency),
        lost=compact_money(first["p50_if_lost"], inputs.currency),
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
        deals, {str(row["deal_id"].iloc[0]): explain(inputs.posterior, row, row["deal_id"].iloc[0]) for row in rows}
    )


def chart(inputs: ReviewInputs) -> Chart | None:
    deals = _swinging(inputs)
    if deals.empty:
        return None
    rows = [(name_of(deal), float(deal["p50_if_won"]), float(deal["p50_if_lost"])) for _, deal in deals.iterrows()]
    return draw_swings(rows, inputs.forecast.p50, share=inputs.wrong_by, currency=inputs.currency)


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
        compact_money(deal["amount"], inputs.currency),
        percent(deal["by_end"]),
        percent(deal["variance_share"]),
        compact_money(deal["p50_if_won"], inputs.currency),
        compact_money(deal["p50_if_lost"], inputs.currency),
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
            "amount": compact_money(inputs.forecast.p50 * share, inputs.currency),
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
        there, usual = percent(row["there"]), percent(row["usual"])
        return gettext(
            "{deal} is won in {there} of these cases ({usual} of all)",
            deal=inputs.names.get(row["deal_id"], row["deal_id"]),
            there=there,
            usual=usual,
        )
    money = signed_money(row["amount"], inputs.currency)
    if row["source"] == "not_yet_created":
        return gettext("bookings of deals not yet created differ from their mean by {money}", money=money)
    if row["amount"] < 0:
        return gettext("lower win rates throughout: expected bookings {money}", money=money)
    return gettext("higher win rates throughout: expected bookings {money}", money=money)
