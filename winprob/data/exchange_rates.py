"""Exchange rates on a day: the latest known rate of each currency, from a dated table of rates."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One unit of ``currency`` is ``rate`` units of the report's currency, as of ``day``."""

    currency: str
    rate: float
    day: dt.date


def rates_for(rates: pd.DataFrame | None, currencies: Iterable[str], report: str, as_of: dt.date) -> dict[str, Rate]:
    """The latest rate at or before ``as_of`` of every currency into ``report``; currencies without one are left out.

    Rates are quoted against one base currency. Where the table has the report's currency too, they are cross rates;
    otherwise the report's currency is assumed to be the base.
    """
    by_currency = {report: Rate(currency=report, rate=1.0, day=as_of)}
    if rates is None:
        return by_currency
    latest = _latest(rates, as_of)
    base = latest.get(report, (1.0, None))
    for currency in currencies:
        if currency != report and currency in latest:
            value, day = latest[currency]
            days = [each for each in (day, base[1]) if each is not None]
            by_currency[currency] = Rate(currency=currency, rate=value / base[0], day=min(days))
    return by_currency


def _latest(rates: pd.DataFrame, as_of: dt.date) -> dict[str, tuple[float, dt.date | None]]:
    day = pd.Timestamp(as_of)
    holds = (rates["valid_from"] <= day) & (rates["valid_to"].isna() | (rates["valid_to"] >= day))
    last = rates[holds].sort_values("valid_from", kind="stable").drop_duplicates("currency", keep="last")
    return {
        str(currency): (float(rate), first.date())
        for currency, rate, first in zip(last["currency"], last["rate"], last["valid_from"], strict=True)
    }
