"""The pipeline on a day: deals won in the quarter so far, open deals, and deals that cannot be counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.exchange_rates import Rate, corporate_currency, rates_for
from winprob.data.fiscal import Quarter, quarter_of
from winprob.data.schema import ID, Mask, as_numbers, column_or_missing, is_closed, latest_places, mask_of
from winprob.errors import ForecastError
from winprob.i18n import gettext
from winprob.methodology import STAGES
from winprob.settings import CalendarSettings

#: The line of an open deal by the seller's forecast category.
_LINE_OF = {"commit": "commit", "best_case": "best_case", "most_likely": "best_case", "pipeline": "pipeline"}
_LEFT_OUT = ("reason", "deals", "amount", "first_deal", "counted", "expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Reference days of a forecast; they differ only within a bridge from one review to the next.

    Attributes
    ----------
    closings : deals that closed by then are closed
    waiting : open deals are known to have been open until then
    arrivals : deals opened later count as not yet created
    """

    closings: dt.date
    waiting: dt.date
    arrivals: dt.date

    @staticmethod
    def all_on(day: dt.date) -> Days:
        """The same day in all three places."""
        return Days(closings=day, waiting=day, arrivals=day)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineState:
    """Deals as known on a day, each once, sorted by id, so that the order of rows has no influence.

    Attributes
    ----------
    open, closed : valid deals, still open and won in the quarter so far, with ``worth``, the amount in the report's
        currency; NaN where unknown, and then not counted
    currency : of the report; blank where no deal names one
    rates : exchange rates of the other currencies
    reconciliation : see ``Forecast``
    left_out : see ``Forecast``
    """

    open: pd.DataFrame
    closed: pd.DataFrame
    currency: str
    rates: tuple[Rate, ...]
    reconciliation: pd.DataFrame
    left_out: pd.DataFrame


def known_deals(deals: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """The last reading of each deal (of a valid table) that was made by ``as_of``, in the order of ids."""
    if "as_of" in deals:
        deals = deals[mask_of(deals["as_of"].isna() | (deals["as_of"] <= pd.Timestamp(as_of)))]
    return deals.iloc[latest_places(deals)].sort_values(ID, kind="stable").reset_index(drop=True)


def last_day(deals: pd.DataFrame) -> dt.date | None:
    """The latest day in the table, of a reading or of a closing."""
    days = [deals[name].max() for name in ("as_of", "closed_on") if name in deals and deals[name].notna().any()]
    return max(days).date() if days else None


def no_days() -> str:
    """The message for a table without days."""
    return gettext("the table has no day of reading or closing: name the day on which knowledge ends with --as-of")


def coming_quarter(deals: pd.DataFrame, calendar: CalendarSettings) -> Quarter:
    """The quarter of the day after the table's latest day: on the last day of a quarter, the next one.

    Raises
    ------
    ForecastError
        The table has no days.
    """
    day = last_day(deals)
    if day is None:
        raise ForecastError(no_days())
    return quarter_of(day + dt.timedelta(days=1), calendar)


def closed_by(deals: pd.DataFrame, day: dt.date) -> Mask:
    """(deal,) whether the deal had ended by ``day``; an ended deal without a day of closing had."""
    return is_closed(deals) & ~mask_of(column_or_missing(deals, "closed_on") > pd.Timestamp(day))


def closed_within(deals: pd.DataFrame, quarter: Quarter) -> Mask:
    """(deal,) whether the day of closing is in the quarter."""
    closed_on = column_or_missing(deals, "closed_on")
    return mask_of((closed_on >= pd.Timestamp(quarter.start)) & (closed_on <= pd.Timestamp(quarter.end)))


def pipeline_state(
    deals: pd.DataFrame, quarter: Quarter, days: Days, *, currency: str | None, rates: pd.DataFrame | None
) -> PipelineState:
    """Deals won in the quarter and deals still open, from known deals (see ``known_deals``), in one currency.

    Raises
    ------
    ForecastError
        Amounts are in currencies without a rate; all of these are listed.
    """
    ended = closed_by(deals, days.closings)
    won = ended & mask_of(column_or_missing(deals, "outcome") == "won")
    later = ~ended & mask_of(column_or_missing(deals, "opened_on") > pd.Timestamp(days.arrivals))
    undated = won & mask_of(column_or_missing(deals, "closed_on").isna())
    closed = _with_closing_amount(deals[won & closed_within(deals, quarter)])
    still = deals[~ended & ~later]
    named = _most_common(closed, still)
    report_currency = currency or (named and (corporate_currency(rates) or named))
    known = _known_rates(closed, still, report_currency, rates, days.closings)
    closed, still = (_priced(some, known).reset_index(drop=True) for some in (closed, still))
    reasons = [
        (gettext("won, and no day of closing"), _priced(deals[undated], known), False),
        (gettext("opened after the day of the forecast"), _priced(deals[later], known), False),
        *_odd(still, closed),
    ]
    return PipelineState(
        open=still,
        closed=closed,
        currency=report_currency,
        rates=tuple(rate for name, rate in sorted(known.items()) if name not in ("", report_currency)),
        reconciliation=_reconciled(closed, still, known),
        left_out=left_out_table(reasons),
    )


def booked(
    deals: pd.DataFrame, quarter: Quarter, day: dt.date, *, currency: str | None, rates: pd.DataFrame | None
) -> float:
    """Bookings of a quarter as known on a day, from known deals (see ``known_deals``); raises as ``pipeline_state``."""
    return money_on(deals, quarter, day, currency=currency, rates=rates)[0]


def money_on(
    deals: pd.DataFrame, quarter: Quarter, day: dt.date, *, currency: str | None, rates: pd.DataFrame | None
) -> tuple[float, float]:
    """Bookings of a quarter so far, and the amount of all open deals (known ones); raises as ``pipeline_state``."""
    state = pipeline_state(deals, quarter, Days.all_on(day), currency=currency, rates=rates)
    return float(np.nansum(state.closed["worth"])), float(np.nansum(state.open["worth"]))


def report_currency(deals: pd.DataFrame, quarter: Quarter, day: dt.date, *, rates: pd.DataFrame | None) -> str:
    """The currency in which a forecast of known deals would be; blank where no deal names one."""
    return pipeline_state(deals, quarter, Days.all_on(day), currency=None, rates=rates).currency


def lines_of(deals: pd.DataFrame) -> pd.Series:
    """(deal,) the line an open deal belongs to."""
    return column_or_missing(deals, "rep_category").map(_LINE_OF).fillna("uncategorised").astype("str")


def _columns(deals: pd.DataFrame, *names: str) -> pd.DataFrame:
    return pd.DataFrame({name: column_or_missing(deals, name) for name in names})


def _with_closing_amount(closed: pd.DataFrame) -> pd.DataFrame:
    """Won deals count at the amount at closing, where the table has it."""
    at_closing = as_numbers(column_or_missing(closed, "closed_amount"))
    return closed.assign(amount=at_closing.fillna(column_or_missing(closed, "amount")))


def _most_common(*tables: pd.DataFrame) -> str:
    both = pd.concat([_columns(deals, "currency", "amount") for deals in tables])
    named = both.loc[both["amount"].notna(), "currency"].dropna()
    counts = named.value_counts()
    return str(min(counts.index[counts == counts.max()])) if len(counts) else ""


def _known_rates(
    closed: pd.DataFrame, still: pd.DataFrame, report: str, rates: pd.DataFrame | None, day: dt.date
) -> dict[str, Rate]:
    both = pd.concat([_columns(deals, "currency", "amount") for deals in (closed, still)])
    both = both[both["amount"].notna() & both["currency"].notna()]
    known = rates_for(rates, sorted(both["currency"].unique()), report, day)
    unknown = both[~both["currency"].isin(list(known))].groupby("currency")["amount"].agg(["size", "sum"])
    if len(unknown):
        listed = "\n".join(
            gettext("  - {currency}: {deals} deals, {amount}", currency=name, deals=int(size), amount=f"{total:,.2f}")
            for name, size, total in unknown.itertuples()
        )
        raise ForecastError(
            gettext(
                "no rate into {report} on or before {day} for:\n{listed}\n"
                "Give a table with currency, rate and from (--rates FILE).",
                report=report,
                day=day,
                listed=listed,
            )
        )
    if both.empty:
        # No deal names a currency: all are assumed to be in one.
        known |= {"": Rate(currency="", rate=1.0, day=day)}
    return known


def _priced(deals: pd.DataFrame, known: dict[str, Rate]) -> pd.DataFrame:
    factor = column_or_missing(deals, "currency").fillna("").map({name: rate.rate for name, rate in known.items()})
    return deals.assign(worth=column_or_missing(deals, "amount").astype("float64") * factor.astype("float64"))


def in_currency(deals: pd.DataFrame, state: PipelineState) -> pd.DataFrame:
    """Further deals with their ``worth`` in the report's currency."""
    own = Rate(currency=state.currency, rate=1.0, day=dt.date.min)
    return _priced(deals, {rate.currency: rate for rate in (own, *state.rates)})


def _odd(still: pd.DataFrame, closed: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    for deals, without, unnamed in (
        (still, gettext("open, without an amount"), gettext("open, with an amount and no currency")),
        (closed, gettext("won, without an amount"), gettext("won, with an amount and no currency")),
    ):
        amount = mask_of(column_or_missing(deals, "amount").notna())
        yield without, deals[~amount], False
        yield unnamed, deals[amount & mask_of(deals["worth"].isna())], False


def left_out_table(reasons: Iterable[tuple[str, pd.DataFrame, bool]]) -> pd.DataFrame:
    """Each reason with its deals, as a row of ``Forecast.left_out``; ``expected`` sums the deals' own, if they have it.

    Parameters
    ----------
    reasons : a text, the deals it applies to, and whether they are counted despite it
    """
    rows = [_counted(*reason) for reason in reasons if len(reason[1])]
    return pd.DataFrame(rows, columns=list(_LEFT_OUT)).astype({"amount": float, "expected": float})


def _counted(reason: str, deals: pd.DataFrame, counted: bool) -> tuple[str, int, float, str, bool, float]:
    expected = float(deals["expected"].sum()) if "expected" in deals else np.nan
    return reason, len(deals), _sum_of(deals), str(deals[ID].iloc[0]), counted, expected


def _sum_of(deals: pd.DataFrame) -> float:
    """The sum of the amounts in the report's currency; NaN where one of another currency has no rate."""
    if "worth" not in deals or column_or_missing(deals, "currency").isna().all():
        return float(column_or_missing(deals, "amount").sum())
    without = deals["amount"].notna() & deals["currency"].notna() & deals["worth"].isna()
    return np.nan if without.any() else float(deals["worth"].sum())


def _reconciled(closed: pd.DataFrame, still: pd.DataFrame, known: dict[str, Rate]) -> pd.DataFrame:
    """Amounts by currency, and converted into the report's; the last row is the total."""
    both = pd.concat([_columns(deals, "currency", "amount", "worth") for deals in (closed, still)])
    both = both[both["worth"].notna()]
    records = []
    for name, rows in both.groupby(both["currency"].fillna("")):
        rate = known[str(name)]
        amount = float(rows["amount"].sum())
        records.append((str(name), len(rows), amount, rate.rate, rate.day, amount * rate.rate))
    total = (gettext("total"), sum(r[1] for r in records), np.nan, np.nan, None, sum(r[5] for r in records))
    columns = ["currency", "deals", "amount", "rate", "day", "converted"]
    return pd.DataFrame([*records, total], columns=columns)


ROLLUP_LINES = ("closed", "commit", "best_case", "pipeline")


def seller_rollup(state: PipelineState, inside: Array) -> pd.DataFrame:
    """``line, deals, bookings, cumulative``: closed so far, then open deals by the seller's category.

    Parameters
    ----------
    inside : (deal,) whether the seller expects the open deal to close in the quarter
    """
    worth, lines = np.nan_to_num(state.open["worth"].to_numpy()), lines_of(state.open).to_numpy()
    counted = [(len(state.closed), float(np.nansum(state.closed["worth"])))]
    for line in ROLLUP_LINES[1:]:
        chosen = inside & (lines == line)
        counted.append((int(chosen.sum()), float(worth[chosen].sum())))
    table = pd.DataFrame(counted, columns=["deals", "bookings"])
    table.insert(0, "line", ROLLUP_LINES)
    return table.assign(cumulative=table["bookings"].cumsum())


def stage_weighted(state: PipelineState, inside: Array, stage_default: Sequence[float]) -> float:
    """Stage-weighted pipeline: closed so far, plus amount times the stage's win rate of open deals expected to close.

    A deal without a stage has the mean rate.
    """
    codes = pd.Index(STAGES).get_indexer(pd.Index(column_or_missing(state.open, "stage")))
    rates = np.array([*stage_default, float(np.mean(stage_default))])[codes]
    worth = np.nan_to_num(state.open["worth"].to_numpy())
    return float(np.nansum(state.closed["worth"]) + (worth * rates * inside).sum())
