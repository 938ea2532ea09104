"""What is an amount in another currency? A dated table of rates, and the latest rate known on a day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One unit of ``currency`` is ``rate`` units of the report's currency, as of ``day``."""

    currency: str
    rate: float
    day: dt.date
