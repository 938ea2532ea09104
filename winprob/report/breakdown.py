"""How does one deal's chance come about? From the base rate, term by term, as bars on an axis of chances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.special import logit

from winprob.i18n import gettext
from winprob.methodology import column_label
from winprob.model.explanation import BASE_RATE, DOUBT
from winprob.report.numbers import percent, span
from winprob.report.review import FACTS, missing_facts, name_of

#: So many terms are told one by one; the rest, all smaller, in one row.
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
    at : where the point lies, or the sum after this term
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
    """Log-odds to percent of the width."""

    low: float
    high: float

    def place(self, log_odds: float) -> float:
        return round(100 * (min(max(log_odds, self.low), self.high) - self.low) / (self.high - self.low), 2)

    def ticks(self) -> list[Tick]:
        inside = [chance for chance in _TICKS if self.low <= float(logit(chance)) <= self.high]
        return [Tick(at=self.place(float(logit(chance))), text=percent(chance)) for chance in inside]


def break_down(review: pd.DataFrame, explanations: Mapping[str, pd.DataFrame]) -> list[Breakdown]:
    """A breakdown of every explained deal of ``review`` (chance as ``mean, lower, upper``), on one common axis."""
    known = {str(deal_id): row for deal_id, row in review.set_index("deal_id", drop=False).iterrows()}
    told = [(known[name], terms) for name, terms in explanations.items() if name in known]
    axis = _axis(told)
    return [_of_deal(deal, terms, axis) for deal, terms in told]


def _axis(told: Sequence[tuple[pd.Series, pd.DataFrame]]) -> Axis:
    ends = [float(end) for _, terms in told for end in terms["log_odds"].cumsum()]
    ends += [float(logit(deal[name])) for deal, _ in told for name in ("lower", "upper")]
    return Axis(low=min(ends, default=-1.0) - _MARGIN, high=max(ends, default=1.0) + _MARGIN)


def _of_deal(deal: pd.Series, terms: pd.DataFrame, axis: Axis) -> Breakdown:
    chance = gettext("{chance} ({interval})", chance=percent(deal["mean"]), interval=span(deal["lower"], deal["upper"]))
    missing = [column_label(fact) for fact in FACTS if missing_facts(deal.to_frame().T)[fact].item()]
    return Breakdown(
        heading=name_of(deal),
        verdict=gettext(
            "Chance {chance}: about {count} in 100 such deals are won.",
            chance=chance,
            count=f"{100 * deal['mean']:.0f}",
        ),
        unknown=gettext("Not known: {facts}.", facts=gettext(", ").join(missing))
        if missing
        else gettext("All nine facts are known; the doubt is about what they are worth."),
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
    """The largest terms one by one, the smaller ones as one, and last what doubt does."""
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
