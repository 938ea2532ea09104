"""What is on the book on a day? Deals won in the quarter so far, deals still open, and what cannot be counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.exchange_rates import Rate, rates_for
from winprob.data.fiscal import Quarter, quarter_of
from winprob.data.schema import ID, Mask, as_numbers, latest_places, mask_of
from winprob.errors import ForecastError
from winprob.i18n import gettext
from winprob.methodology import STAGES
from winprob.settings import CalendarSettings

#: Which line an open deal belongs to, by the seller's category.
_LINE_OF = {"commit": "commit", "best_case": "best_case", "most_likely": "best_case", "pipeline": "pipeline"}
_ENDED = ("won", "lost", "no_decision")
_LEFT_OUT = ("reason", "deals", "amount", "first_deal", "counted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Which day counts for what; one day for all but on a bridge from one review to the next.

    Attributes
    ----------
    closings : deals that closed by then are closed
    waiting : open deals are known to be open until then
    arrivals : deals opened later are not yet created
    """

    closings: dt.date
    waiting: dt.date
    arrivals: dt.date

    @staticmethod
    def all_on(day: dt.date) -> Days:
        """One day for all."""
        return Days(closings=day, waiting=day, arrivals=day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Deals as known on a day, each once, in the order of their ids, so that the order of rows changes nothing.

    Attributes
    ----------
    open, closed : deals (valid) still open, and won in the quarter so far, with ``worth`` in the report's currency: NaN
        where it is not known, and then not counted
    currency : the report's; blank where none is named
    rates : of the other currencies
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
    """The latest day that the table speaks of: a reading, or a closing."""
    days = [deals[name].max() for name in ("as_of", "closed_on") if name in deals and deals[name].notna().any()]
    return max(days).date() if days else None


def coming_quarter(deals: pd.DataFrame, calendar: CalendarSettings) -> Quarter:
    """The quarter that the day after the table's latest day lies in: on the last day of one, the next.

    Raises
    ------
    ForecastError
        The table has no days.
    """
    day = last_day(deals)
    if day is None:
        raise ForecastError(
            gettext("the table has no day of reading or closing: say on which day knowledge ends (--as-of)")
        )
    return quarter_of(day + dt.timedelta(days=1), calendar)


def is_closed(deals: pd.DataFrame, day: dt.date) -> Mask:
    """(deal,) whether a deal had ended by ``day``; one that ended later was open, one that ended some day is closed."""
    ended = mask_of(column(deals, "outcome").isin(_ENDED))
    return ended & ~mask_of(column(deals, "closed_on") > pd.Timestamp(day))


def open_book(
    deals: pd.DataFrame, quarter: Quarter, days: Days, *, currency: str | None, rates: pd.DataFrame | None
) -> Book:
    """The book of known deals, in one currency.

    Raises
    ------
    ForecastError
        Amounts are in currencies for which there is no rate: every one is listed.
    """
    ended = is_closed(deals, days.closings)
    won = ended & mask_of(column(deals, "outcome") == "won")
    closed_on = column(deals, "closed_on")
    in_quarter = mask_of((closed_on >= pd.Timestamp(quarter.start)) & (closed_on <= pd.Timestamp(quarter.end)))
    later = ~ended & mask_of(column(deals, "opened_on") > pd.Timestamp(days.arrivals))
    undated = won & mask_of(closed_on.isna())
    closed = _with_closing_amount(deals[won & in_quarter])
    still = deals[~ended & ~later]
    report = currency or _most_common(closed, still)
    known = _known_rates(closed, still, report, rates, days.closings)
    closed, still = (_priced(some, known).reset_index(drop=True) for some in (closed, still))
    reasons = [
        (gettext("won, and no day of closing"), deals[undated], False),
        (gettext("opened after the day of the forecast"), deals[later], False),
        *_odd(still, closed, days),
    ]
    return Book(
        open=still,
        closed=closed,
        currency=report,
        rates=tuple(rate for name, rate in sorted(known.items()) if name != report and name),
        reconciliation=_reconciled(closed, still, known),
        left_out=pd.DataFrame([_counted(*reason) for reason in reasons if len(reason[1])], columns=list(_LEFT_OUT)),
    )


def lines_of(deals: pd.DataFrame) -> pd.Series:
    """(deal,) the line an open deal belongs to."""
    return column(deals, "rep_category").map(_LINE_OF).fillna("uncategorised").astype("str")


def column(deals: pd.DataFrame, name: str) -> pd.Series:
    """A column, all missing where the table lacks it."""
    if name in deals:
        return deals[name]
    kind = {"amount": "float64", "closed_amount": "float64"}.get(
        name, "datetime64[us]" if name[-3:] == "_on" else "str"
    )
    return pd.Series(pd.NA if kind == "str" else None, index=deals.index, dtype=kind, name=name)


def _with_closing_amount(closed: pd.DataFrame) -> pd.DataFrame:
    """Deals won count what they closed at, where the table knows it."""
    at_closing = as_numbers(column(closed, "closed_amount"))
    return closed.assign(amount=at_closing.fillna(column(closed, "amount")))


def _most_common(*tables: pd.DataFrame) -> str:
    named = pd.concat([column(deals, "currency")[column(deals, "amount").notna()] for deals in tables]).dropna()
    counts = named.value_counts()
    return str(min(counts.index[counts == counts.max()])) if len(counts) else ""


def _known_rates(
    closed: pd.DataFrame, still: pd.DataFrame, report: str, rates: pd.DataFrame | None, day: dt.date
) -> dict[str, Rate]:
    both = pd.concat([pd.DataFrame({n: column(d, n) for n in ("currency", "amount")}) for d in (closed, still)])
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
        # No deal names a currency: all are taken to be in one.
        known |= {"": Rate(currency="", rate=1.0, day=day)}
    return known


def _priced(deals: pd.DataFrame, known: dict[str, Rate]) -> pd.DataFrame:
    factor = column(deals, "currency").fillna("").map({name: rate.rate for name, rate in known.items()})
    return deals.assign(worth=column(deals, "amount").astype("float64") * factor.astype("float64"))


def _odd(still: pd.DataFrame, closed: pd.DataFrame, days: Days) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    for deals, without, unnamed in (
        (still, gettext("open, without an amount"), gettext("open, with an amount and no currency")),
        (closed, gettext("won, without an amount"), gettext("won, with an amount and no currency")),
    ):
        amount = mask_of(column(deals, "amount").notna())
        yield without, deals[~amount], False
        yield unnamed, deals[amount & mask_of(deals["worth"].isna())], False
    overdue = mask_of(column(still, "expected_close_on") < pd.Timestamp(days.waiting))
    yield gettext("open, and the seller's date has passed"), still[overdue], True


def _counted(reason: str, deals: pd.DataFrame, counted: bool) -> tuple[str, int, float, str, bool]:
    known = deals["worth"] if "worth" in deals and deals["worth"].notna().any() else column(deals, "amount")
    return reason, len(deals), float(known.sum()), str(deals[ID].iloc[0]), counted


def _reconciled(closed: pd.DataFrame, still: pd.DataFrame, known: dict[str, Rate]) -> pd.DataFrame:
    """What stands in each currency, and what that is in the report's; the last row is the total."""
    parts = [pd.DataFrame({n: column(d, n) for n in ("currency", "amount", "worth")}) for d in (closed, still)]
    both = pd.concat(parts)
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


def seller_rollup(book: Book, inside: Array) -> pd.DataFrame:
    """``line, deals, bookings, cumulative``: closed so far, then open deals by the seller's category.

    Parameters
    ----------
    inside : (deal,) which open deals the sellers expect to close in the quarter
    """
    worth, lines = np.nan_to_num(book.open["worth"].to_numpy()), lines_of(book.open).to_numpy()
    counted = [(len(book.closed), float(np.nansum(book.closed["worth"])))]
    for line in ROLLUP_LINES[1:]:
        chosen = inside & (lines == line)
        counted.append((int(chosen.sum()), float(worth[chosen].sum())))
    table = pd.DataFrame(counted, columns=["deals", "bookings"])
    table.insert(0, "line", ROLLUP_LINES)
    return table.assign(cumulative=table["bookings"].cumsum())


def stage_weighted(book: Book, inside: Array, stage_default: Sequence[float]) -> float:
    """Closed so far, and each open deal expected in the quarter times its stage's rate (mean rate without one)."""
    codes = pd.Index(STAGES).get_indexer(pd.Index(column(book.open, "stage")))
    rates = np.array([*stage_default, float(np.mean(stage_default))])[codes]
    worth = np.nan_to_num(book.open["worth"].to_numpy())
    return float(np.nansum(book.closed["worth"]) + (worth * rates * inside).sum())
