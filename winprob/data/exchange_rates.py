"""What is an amount in another currency? The latest rate known on a day, from a dated table of rates."""

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

    Rates are told against one base currency. Where the table has the report's currency too, rates cross over it;
    otherwise the report's currency is taken for the base.
    """
    found = {report: Rate(currency=report, rate=1.0, day=as_of)}
    if rates is None:
        return found
    latest = _latest(rates, as_of)
    base = latest.get(report, (1.0, None))
    for currency in currencies:
        if currency != report and currency in latest:
            value, day = latest[currency]
            days = [each for each in (day, base[1]) if each is not None]
            found[currency] = Rate(currency=currency, rate=value / base[0], day=min(days))
    return found


def _latest(rates: pd.DataFrame, as_of: dt.date) -> dict[str, tuple[float, dt.date | None]]:
    day = pd.Timestamp(as_of)
    holds = (rates["valid_from"] <= day) & (rates["valid_to"].isna() | (rates["valid_to"] >= day))
    last = rates[holds].sort_values("valid_from", kind="stable").drop_duplicates("currency", keep="last")
    return {
        str(currency): (float(rate), first.date())
        for currency, rate, first in zip(last["currency"], last["rate"], last["valid_from"], strict=True)
    }
