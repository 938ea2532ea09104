"""Exchange rates on a day: the latest known rate of each currency, from a dated table of rates."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from winprob.errors import ForecastError
from winprob.i18n import gettext


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One unit of ``currency`` is ``rate`` units of the report's currency, as of ``day``; None = on all days."""

    currency: str
    rate: float
    day: dt.date | None

    @property
    def since(self) -> str:
        """The day of the rate, in words where it has none."""
        return rate_day(self.day)


def rate_day(day: dt.date | None) -> str:
    """The day of a rate as a report shows it."""
    return gettext("undated, for all days") if day is None else str(day)


def corporate_currency(rates: pd.DataFrame | None) -> str | None:
    """The currency that a CRM's table of rates marks as the company's own."""
    corporate = None if rates is None else rates.attrs.get("corporate")
    return str(corporate) if corporate else None


def rates_for(rates: pd.DataFrame | None, currencies: Iterable[str], report: str, as_of: dt.date) -> dict[str, Rate]:
    """The latest rate at or before ``as_of`` of every currency into ``report``; currencies without one are left out.

    Rates are quoted against one base currency. Where the table has the report's currency too, they are cross rates;
    otherwise the report's currency is assumed to be the base.

    Raises
    ------
    ForecastError
        The report's currency has a rate other than 1, and no currency of the table is its base.
    """
    by_currency = {report: Rate(currency=report, rate=1.0, day=as_of)}
    if rates is None:
        return by_currency
    latest = _latest(rates, as_of)
    base = latest.get(report, (1.0, None))
    if base[0] != 1 and not any(value == 1 for value, _ in latest.values()):
        raise ForecastError(
            gettext(
                "rates: {currency}, the report's currency, has the rate {rate}: one unit of it is worth 1 of itself. "
                "Remove that row, or add the currency that the table is quoted in, at 1, for cross rates",
                currency=report,
                rate=f"{base[0]:g}",
            )
        )
    for currency in currencies:
        if currency != report and currency in latest:
            value, day = latest[currency]
            days = [each for each in (day, base[1]) if each is not None]
            by_currency[currency] = Rate(currency=currency, rate=value / base[0], day=min(days, default=None))
    return by_currency


def _latest(rates: pd.DataFrame, as_of: dt.date) -> dict[str, tuple[float, dt.date | None]]:
    day = pd.Timestamp(as_of)
    begun = rates["valid_from"].isna() | (rates["valid_from"] <= day)
    holds = begun & (rates["valid_to"].isna() | (rates["valid_to"] >= day))
    last = (
        rates[holds]
        .sort_values("valid_from", kind="stable", na_position="first")
        .drop_duplicates("currency", keep="last")
    )
    return {
        str(currency): (float(rate), None if pd.isna(first) else first.date())
        for currency, rate, first in zip(last["currency"], last["rate"], last["valid_from"], strict=True)
    }
