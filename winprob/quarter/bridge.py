"""Why did the forecast change? A bridge between two forecasts: one change at a time, all else equal.

The quarter is simulated again after each step with common random numbers: a deal's random stream is keyed by its id, so
an unchanged deal has the same bookings before and after. The order is fixed. Each step is a change of the total's P50,
so the steps sum exactly:

1. ``closed``: deals that were open have closed since, or are no longer in the table.
2. ``slipped``: time has passed for open deals, and close dates moved out.
3. ``new``: deals in the table for the first time, less the bookings expected of deals not yet created.
4. ``facts_changed``: all other facts (stages, support, amounts, dates pulled in), and exchange rates.
5. ``model_changed``: the new model replaces the old.
6. ``simulation_noise``: the rest, from different random numbers (another seed) and rounding.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.data.fiscal import Quarter
from winprob.data.schema import ID, column_or_missing, mask_of
from winprob.errors import ForecastError
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.quarter.forecast import check_request
from winprob.quarter.outcome import Outcome, simulate_quarter
from winprob.quarter.pipeline import Days, closed_by, known_deals
from winprob.quarter.results import PRECISION, STEPS, Bridge
from winprob.settings import CalendarSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """One state of the bridge: deals, days, and the model."""

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
    """From the forecast of an earlier table to that of a later one; parameters as in ``forecast_quarter``.

    Parameters
    ----------
    posterior_before, rates_before, seed_before : of the earlier forecast, where they differ
    currency : of both forecasts; by default the most frequent one among the deals now

    Raises
    ------
    ForecastError
        The earlier table is later than the other one; or as ``forecast_quarter``.
    """
    known = calendar or posterior.settings.calendar
    now = check_request(deals, quarter, as_of, known, [])
    then = check_request(deals_before, quarter, as_of_before, known, [])
    if then.as_of > now.as_of:
        raise ForecastError(
            gettext(
                "the earlier table is of {before}, later than {now}: swap the two tables",
                before=then.as_of,
                now=now.as_of,
            )
        )
    rates_before = rates if rates_before is None else rates_before
    tables = known_deals(then.deals, then.as_of), known_deals(now.deals, now.as_of)
    first = _State(
        deals=tables[0],
        days=Days.all_on(then.as_of),
        posterior=posterior_before or posterior,
        rates=rates_before,
    )
    last = _State(deals=tables[1], days=Days.all_on(now.as_of), posterior=posterior, rates=rates)
    return _build_bridge(list(_states(first, last)), last, now.quarter, currency, (seed_before, seed))


def _build_bridge(
    states: list[_State], last: _State, quarter: Quarter, currency: str | None, seeds: tuple[int | None, int]
) -> Bridge:
    now = _simulate(last, quarter, currency, seeds[1])
    report_currency = currency or now.state.currency
    seed = seeds[1] if seeds[0] is None else seeds[0]
    outcomes = [_simulate(state, quarter, report_currency, seed, now.luck) for state in states[:-2]]
    arrived = now if seed == seeds[1] else _simulate(last, quarter, report_currency, seed, now.luck)
    same_model = states[-2].posterior is last.posterior
    outcomes += [arrived if same_model else _simulate(states[-2], quarter, report_currency, seed, now.luck), arrived]
    medians = _without_rounding([float(np.median(outcome.total)) for outcome in outcomes])
    p50_now = float(np.median(now.total))
    steps = pd.DataFrame({"step": STEPS, "amount": np.diff([*medians, p50_now])})
    return Bridge(
        before=states[0].days.closings,
        now=last.days.closings,
        currency=report_currency,
        steps=steps,
        p50_before=medians[0],
        p50_now=p50_now,
        deals=_changed_deals(outcomes),
    )


def _simulate(state: _State, quarter: Quarter, currency: str | None, seed: int, luck: int | None = None) -> Outcome:
    return simulate_quarter(
        state.posterior,
        state.deals,
        quarter,
        state.days,
        currency=currency,
        rates=state.rates,
        by=None,
        seed=seed,
        luck=luck,
    )


def _without_rounding(medians: list[float]) -> list[float]:
    """Medians in which a difference to the one before that is only rounding is removed; the first is kept."""
    exact = medians[:1]
    for median in medians[1:]:
        exact.append(exact[-1] if abs(median - exact[-1]) <= PRECISION * abs(median) else median)
    return exact


def _states(first: _State, last: _State) -> Iterator[_State]:
    """The six states whose differences are the first five steps."""
    then, now = first.deals, last.deals
    day, today = first.days.closings, last.days.closings
    days = Days(closings=today, waiting=day, arrivals=day)
    yield first
    was_open = ~closed_by(then, day)
    ended = now[closed_by(now, today) & mask_of(now[ID].isin(then[ID]))]
    gone = was_open & ~mask_of(then[ID].isin(now[ID]))
    deals = _replaced(then[~gone], ended)
    yield _State(deals=deals, days=days, posterior=first.posterior, rates=first.rates)
    deals = _pushed(deals, now)
    days = Days(closings=today, waiting=today, arrivals=day)
    yield _State(deals=deals, days=days, posterior=first.posterior, rates=first.rates)
    deals = _sorted(pd.concat([deals, now[~mask_of(now[ID].isin(then[ID]))]]))
    yield _State(deals=deals, days=last.days, posterior=first.posterior, rates=first.rates)
    yield _State(deals=now, days=last.days, posterior=first.posterior, rates=last.rates)
    yield last


def _replaced(deals: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """``deals`` in which ``rows`` replace those of the same ids."""
    return _sorted(pd.concat([deals[~mask_of(deals[ID].isin(rows[ID]))], rows])) if len(rows) else _sorted(deals)


def _pushed(deals: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """``deals`` with the close dates that have moved out."""
    if "expected_close_on" not in deals or "expected_close_on" not in now:
        return deals
    later = deals[ID].map(now.set_index(ID)["expected_close_on"])
    moved = mask_of(later > column_or_missing(deals, "expected_close_on"))
    return deals.assign(expected_close_on=deals["expected_close_on"].mask(moved, later))


def _sorted(deals: pd.DataFrame) -> pd.DataFrame:
    return deals.sort_values(ID, kind="stable").reset_index(drop=True)


def _changed_deals(outcomes: list[Outcome]) -> pd.DataFrame:
    """Changes of expected bookings by step and deal, largest first; rounding errors are not changes."""
    states = [_expected(outcome) for outcome in outcomes]
    parts = []
    for step, before, after in zip(STEPS, states, states[1:], strict=False):
        change = after["expected"].subtract(before["expected"], fill_value=0.0)
        worth = pd.concat([before["worth"], after["worth"]]).groupby(level=0).max().reindex(change.index)
        change = change[change.abs() > PRECISION * worth].sort_values(key=np.abs, ascending=False, kind="stable")
        parts.append(pd.DataFrame({ID: change.index, "step": step, "amount": change.to_numpy()}))
    return pd.concat(parts, ignore_index=True)


def _expected(outcome: Outcome) -> pd.DataFrame:
    """``expected`` (bookings; a won deal counts in full) and ``worth`` by deal."""
    state = outcome.state
    deals = pd.concat([state.open, state.closed])
    worth = pd.Series(deals["worth"].fillna(0.0).to_numpy(dtype=float), index=deals[ID])
    expected = [*outcome.simulated.expected_bookings, *worth.iloc[len(state.open) :]]
    return pd.DataFrame({"expected": expected, "worth": worth})
