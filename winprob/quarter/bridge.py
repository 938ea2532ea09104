"""Why does the forecast say something else than last time? One change after the other, all else as it was.

The quarter is played again after each step, with the same seed: a deal's luck hangs on its id, so what did not change
brings the same in both. The order is fixed. Each step is the change of the total's P50, so that the steps sum exactly:

1. ``closed``: deals that were open have closed since, or are gone from the table.
2. ``slipped``: time has passed for open deals, and close dates moved later.
3. ``new``: deals that are in the table for the first time, less what was expected of deals not yet created.
4. ``facts_changed``: all else that the table says now (stages, support, amounts, dates pulled in), and exchange rates.
5. ``model_changed``: the new model in place of the old.
6. ``simulation_noise``: what is left, where the two forecasts had different luck (another seed).
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.data.fiscal import Quarter
from winprob.data.schema import ID, mask_of
from winprob.errors import ForecastError
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.quarter.forecast import ask
from winprob.quarter.outcome import Outcome, play_quarter
from winprob.quarter.pipeline import Days, column, is_closed, known_deals
from winprob.quarter.results import STEPS, Bridge
from winprob.settings import CalendarSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """One state on the way: deals, days, and the model."""

    deals: pd.DataFrame
    days: Days
    posterior: Posterior
    rates: pd.DataFrame | None


def bridge_forecasts(
    posterior: Posterior,
    deals: pd.DataFrame,
    deals_before: pd.DataFrame,
    quarter: Quarter | str,
    *,
    posterior_before: Posterior | None = None,
    as_of: dt.date | None = None,
    as_of_before: dt.date | None = None,
    currency: str | None = None,
    rates: pd.DataFrame | None = None,
    rates_before: pd.DataFrame | None = None,
    calendar: CalendarSettings | None = None,
    seed: int = 1,
    seed_before: int | None = None,
) -> Bridge:
    """From the forecast of an earlier table to that of a later one; all as in ``forecast_quarter``.

    Parameters
    ----------
    posterior_before, rates_before, seed_before : of the earlier forecast, where they were others
    currency : of both; by default the one most deals are in now

    Raises
    ------
    ForecastError
        The earlier table is the later one; or as ``forecast_quarter``.
    """
    known = calendar or posterior.settings.calendar
    now, then = ask(deals, quarter, as_of, known, []), ask(deals_before, quarter, as_of_before, known, [])
    if then.as_of > now.as_of:
        raise ForecastError(
            gettext(
                "the earlier table is of {before}, after {now}: turn the two round", before=then.as_of, now=now.as_of
            )
        )
    rates_before = rates if rates_before is None else rates_before
    tables = known_deals(then.deals, then.as_of), known_deals(now.deals, now.as_of)
    first = _Stop(
        deals=tables[0],
        days=Days.all_on(then.as_of),
        posterior=posterior_before or posterior,
        rates=rates_before,
    )
    last = _Stop(deals=tables[1], days=Days.all_on(now.as_of), posterior=posterior, rates=rates)
    return _bridged(list(_stops(first, last)), last, now.quarter, currency, (seed_before, seed))


def _bridged(
    stops: list[_Stop], last: _Stop, quarter: Quarter, currency: str | None, seeds: tuple[int | None, int]
) -> Bridge:
    now = _play(last, quarter, currency, seeds[1])
    report = currency or now.book.currency
    seed = seeds[1] if seeds[0] is None else seeds[0]
    outcomes = [_play(stop, quarter, report, seed) for stop in stops[:-2]]
    arrived = now if seed == seeds[1] else _play(last, quarter, report, seed)
    same_model = stops[-2].posterior is last.posterior
    outcomes += [arrived if same_model else _play(stops[-2], quarter, report, seed), arrived]
    medians = [float(np.median(outcome.total)) for outcome in outcomes]
    p50_now = float(np.median(now.total))
    steps = pd.DataFrame({"step": STEPS, "amount": np.diff([*medians, p50_now])})
    return Bridge(
        before=stops[0].days.closings,
        now=last.days.closings,
        currency=report,
        steps=steps,
        p50_before=medians[0],
        p50_now=p50_now,
        deals=_behind(outcomes),
    )


def _play(stop: _Stop, quarter: Quarter, currency: str | None, seed: int) -> Outcome:
    return play_quarter(
        stop.posterior, stop.deals, quarter, stop.days, currency=currency, rates=stop.rates, by=None, seed=seed
    )


def _stops(first: _Stop, last: _Stop) -> Iterator[_Stop]:
    """The six states between which the first five steps lie."""
    then, now = first.deals, last.deals
    day, today = first.days.closings, last.days.closings
    days = Days(closings=today, waiting=day, arrivals=day)
    yield first
    was_open = ~is_closed(then, day)
    ended = now[is_closed(now, today) & mask_of(now[ID].isin(then[ID]))]
    gone = was_open & ~mask_of(then[ID].isin(now[ID]))
    deals = _replaced(then[~gone], ended)
    yield _Stop(deals=deals, days=days, posterior=first.posterior, rates=first.rates)
    deals = _pushed(deals, now)
    days = Days(closings=today, waiting=today, arrivals=day)
    yield _Stop(deals=deals, days=days, posterior=first.posterior, rates=first.rates)
    deals = _sorted(pd.concat([deals, now[~mask_of(now[ID].isin(then[ID]))]]))
    yield _Stop(deals=deals, days=last.days, posterior=first.posterior, rates=first.rates)
    yield _Stop(deals=now, days=last.days, posterior=first.posterior, rates=last.rates)
    yield last


def _replaced(deals: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """``deals`` with the ``rows`` of the same ids in their place."""
    return _sorted(pd.concat([deals[~mask_of(deals[ID].isin(rows[ID]))], rows])) if len(rows) else _sorted(deals)


def _pushed(deals: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """``deals`` with the close dates that are later now."""
    if "expected_close_on" not in deals or "expected_close_on" not in now:
        return deals
    later = deals[ID].map(now.set_index(ID)["expected_close_on"])
    moved = mask_of(later > column(deals, "expected_close_on"))
    return deals.assign(expected_close_on=deals["expected_close_on"].mask(moved, later))


def _sorted(deals: pd.DataFrame) -> pd.DataFrame:
    return deals.sort_values(ID, kind="stable").reset_index(drop=True)


def _behind(outcomes: list[Outcome]) -> pd.DataFrame:
    """What each step changed in the expected bookings of which deal, most first; what is won counts in full."""
    expected = [_expected(outcome) for outcome in outcomes]
    parts = []
    for step, before, after in zip(STEPS, expected, expected[1:], strict=False):
        change = after.subtract(before, fill_value=0.0)
        change = change[change != 0].sort_values(key=np.abs, ascending=False, kind="stable")
        parts.append(pd.DataFrame({ID: change.index, "step": step, "amount": change.to_numpy()}))
    return pd.concat(parts, ignore_index=True)


def _expected(outcome: Outcome) -> pd.Series:
    book = outcome.book
    still = pd.Series(outcome.simulated.expected_bookings, index=book.open[ID])
    won = pd.Series(book.closed["worth"].fillna(0.0).to_numpy(dtype=float), index=book.closed[ID])
    both: pd.Series = pd.concat([still, won])
    return both
