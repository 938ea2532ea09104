"""How many open deals will be won, and for how much? Outcomes simulated draw by draw: shared doubt, then luck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from winprob.intervals import TAILS, summarise
from winprob.posterior import Posterior
from winprob.prediction import draw_win_prob

Array = npt.NDArray[Any]

#: Deals drawn at a time, so that memory stays bounded.
_BLOCK = 512
_PERCENTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookings:
    """What the open deals bring, in one currency.

    Attributes
    ----------
    mean, p10, p50, p90 : of the sum of the amounts of the deals that are won
    left_out : open deals without an amount or a currency, which are not in the sum
    """

    currency: str
    mean: float
    p10: float
    p50: float
    p90: float
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How many of the open deals are won.

    Attributes
    ----------
    expected : the sum of the deals' chances
    expected_lower, expected_upper : doubt about that sum, 90 %
    lower, upper : the number won itself, 90 %: doubt about the chances and the luck of each deal
    bookings : None where money does not add up
    """

    deals: int
    expected: float
    expected_lower: float
    expected_upper: float
    lower: int
    upper: int
    bookings: Bookings | None


def foresee(posterior: Posterior, deals: pd.DataFrame) -> Outlook:
    """Simulate the outcomes of the open deals once a draw, seeded by the model's own seed."""
    currency, amounts = _money(deals)
    expected, won, booked = _simulate(posterior, deals, np.nan_to_num(amounts))
    mean, *doubt = (float(end) for end in summarise(expected))
    lower, upper = (int(end) for end in np.quantile(won, TAILS, method="inverted_cdf"))
    return Outlook(
        deals=len(deals),
        expected=mean,
        expected_lower=doubt[0],
        expected_upper=doubt[1],
        lower=lower,
        upper=upper,
        bookings=_bookings(currency, booked, amounts) if currency else None,
    )


def currencies(deals: pd.DataFrame) -> list[str]:
    """Currencies of the deals that have an amount."""
    if "amount" not in deals or "currency" not in deals:
        return []
    return sorted(deals.loc[deals["amount"].notna(), "currency"].dropna().astype(str).unique())


def _money(deals: pd.DataFrame) -> tuple[str | None, Array]:
    """The one currency, if there is one, and the amounts in it; NaN where there is none."""
    found = currencies(deals)
    if len(found) != 1:
        return None, np.full(len(deals), np.nan)
    amounts = deals["amount"].where(deals["currency"] == found[0])
    return found[0], amounts.to_numpy(dtype=float, na_value=np.nan)


def _simulate(posterior: Posterior, deals: pd.DataFrame, amounts: Array) -> tuple[Array, Array, Array]:
    """Per draw: expected wins, wins, bookings. A draw is the same state of the world for every deal."""
    rng = np.random.default_rng([posterior.provenance.seed, len(deals)])
    expected, won, booked = (np.zeros(len(posterior.flat["intercept"])) for _ in range(3))
    for start in range(0, len(deals), _BLOCK):
        win_prob = draw_win_prob(posterior, deals.iloc[start : start + _BLOCK])
        wins = rng.random(win_prob.shape) < win_prob
        expected += win_prob.sum(axis=0, dtype=float)
        won += wins.sum(axis=0)
        booked += amounts[start : start + _BLOCK] @ wins
    return expected, won, booked


def _bookings(currency: str, booked: Array, amounts: Array) -> Bookings:
    p10, p50, p90 = (float(end) for end in np.quantile(booked, _PERCENTILES))
    left_out = int(np.isnan(amounts).sum())
    return Bookings(currency=currency, mean=float(booked.mean()), p10=p10, p50=p50, p90=p90, left_out=left_out)
