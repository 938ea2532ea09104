"""Forecast a quarter: closed so far, open deals and deals not yet created, one joint predictive distribution."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.fiscal import Quarter, find_quarter
from winprob.data.schema import ID, column_or_missing, mask_of, validate_deals
from winprob.errors import ForecastError
from winprob.i18n import gettext
from winprob.model.correction import Correction
from winprob.model.posterior import Posterior
from winprob.quarter import pipeline
from winprob.quarter.outcome import Outcome, falls_in, simulate_quarter
from winprob.quarter.results import LINES, CorrectedTotal, Forecast, reaches
from winprob.quarter.risk import p50_by_outcome, variance_shares, what_breaks
from winprob.settings import CalendarSettings, QuarterSettings

#: The group of deals not yet created: they have no seller, segment or product.
NOT_YET = "not_yet_created"
_TAILS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A validated table, the quarter, and the day knowledge ends."""

    deals: pd.DataFrame
    quarter: Quarter
    as_of: dt.date

    @property
    def known(self) -> pd.DataFrame:
        """The last reading of each deal that was made by the day."""
        return pipeline.known_deals(self.deals, self.as_of)

    @property
    def not_known(self) -> pd.DataFrame:
        """The first row of each deal that was read only after the day."""
        later = self.deals[~mask_of(self.deals[ID].isin(self.known[ID]))]
        return later.drop_duplicates(ID)


def forecast_quarter(
    posterior: Posterior,
    deals: pd.DataFrame,
    quarter: Quarter | str,
    *,
    as_of: dt.date | None = None,
    target: float | None = None,
    currency: str | None = None,
    rates: pd.DataFrame | None = None,
    by: str | None = None,
    calendar: CalendarSettings | None = None,
    settings: QuarterSettings | None = None,
    seed: int = 1,
) -> Forecast:
    """Bookings of a quarter, as known on one day.

    Parameters
    ----------
    deals : frame in canonical columns, deals open and closed; of each deal the last reading made by ``as_of`` counts,
        and a deal that closed later counts as open
    quarter : its name in ``calendar`` (by default the model's), or the quarter itself
    as_of : the day knowledge ends; by default the latest reading or closing in the table
    target : bookings to reach, in the report's currency
    currency : of the report; by default the corporate one, where ``rates`` mark it, else the most frequent one
    rates : as ``read_rates`` returns them, where deals are in several currencies
    by : a column; ``Forecast.groups`` then has the lines of each of its levels
    seed : of the simulation

    Raises
    ------
    DealTableError
        The frame is not a valid deal table.
    SettingsError
        The quarter does not exist.
    ForecastError
        The quarter is over, the target is not a positive number, no deal can be counted, or a rate is missing.
    """
    days = calendar or posterior.settings.calendar
    request = check_request(deals, quarter, as_of, days, [*wrong_target(target)], by)
    outcome = simulate_quarter(
        posterior,
        request.known,
        request.quarter,
        pipeline.Days.all_on(request.as_of),
        currency=currency,
        rates=rates,
        by=by,
        seed=seed,
    )
    _refuse_nothing(outcome, request)
    return _build_forecast(outcome, posterior, request, target, by, settings or posterior.settings.quarter, seed)


def check_request(
    deals: pd.DataFrame,
    quarter: Quarter | str,
    as_of: dt.date | None,
    calendar: CalendarSettings,
    faults: list[str],
    by: str | None = None,
) -> Request:
    """The table, the quarter and the day; one error lists everything that is wrong with them."""
    valid = validate_deals(deals)
    wanted = quarter if isinstance(quarter, Quarter) else find_quarter(quarter, calendar)
    day = as_of or pipeline.last_day(valid)
    if by is not None and by not in valid:
        columns = ", ".join(map(str, valid.columns))
        faults.append(
            gettext("there is no column {by!r} to group by; the columns are {columns}", by=by, columns=columns)
        )
    if day is None:
        faults.append(pipeline.no_days())
    elif wanted.end < day:
        faults.append(_over(wanted, day))
    if faults or day is None:
        raise ForecastError("; ".join(faults))
    request = Request(deals=valid, quarter=wanted, as_of=day)
    _refuse_unread(request)
    return request


def _refuse_unread(request: Request) -> None:
    """Raise ForecastError where every deal was read only after the day that knowledge ends."""
    later = request.not_known
    if len(later) and len(later) == request.deals[ID].nunique():
        raise ForecastError(
            gettext(
                "none of the {deals} deals was known on {day}: their first reading ('as_of') is of {first}. Name that "
                "day or a later one with --as-of, or give the export of {day}",
                deals=len(later),
                day=request.as_of,
                first=later["as_of"].min().date(),
            )
        )


def _over(quarter: Quarter, day: dt.date) -> str:
    return gettext(
        "quarter {quarter} ended on {end}, before {day}, the day knowledge ends: there is nothing left to forecast. "
        "Name a later quarter, or with --as-of a day within this one to forecast it as known then",
        quarter=quarter.name,
        end=quarter.end,
        day=day,
    )


def wrong_target(target: float | None) -> Iterator[str]:
    """What is wrong with a target; nothing where none is set."""
    if target is not None and not (math.isfinite(target) and target > 0):
        yield gettext("the target is {target}: bookings to reach are a number above 0", target=target)


def _refuse_nothing(outcome: Outcome, request: Request) -> None:
    state = outcome.state
    if state.open["worth"].notna().any() or len(state.closed) or outcome.new.any():
        return
    odd = "; ".join(f"{row['reason']}: {row['deals']}" for row in state.left_out.to_dict("records"))
    raise ForecastError(
        gettext(
            "there is nothing to forecast for {quarter}: on {day} the table of {rows} rows has no deal with an amount "
            "that is open or was won in the quarter ({odd}).",
            quarter=request.quarter.name,
            day=request.as_of,
            rows=len(request.deals),
            odd=odd or "-",
        )
    )


def _build_forecast(
    outcome: Outcome,
    posterior: Posterior,
    request: Request,
    target: float | None,
    by: str | None,
    settings: QuarterSettings,
    seed: int,
) -> Forecast:
    state, simulated, total = outcome.state, outcome.simulated, outcome.total
    inside = falls_in(state.open, request.quarter, request.as_of, overdue=outcome.dated)
    draws = _by_line(outcome)
    grouped = {} if by is None else {name: _by_line(outcome, name) for name in _group_names(outcome)}
    share, shares = variance_shares(simulated, outcome.new)
    return Forecast(
        quarter=request.quarter,
        as_of=request.as_of,
        currency=state.currency,
        rates=state.rates,
        target=target,
        lines=summarise_lines(draws, target),
        groups=None if by is None else _grouped(grouped, by),
        group_draws={(name, line): values for name, lines in grouped.items() for line, values in lines.items()},
        draws=draws,
        deals=_deals(outcome, inside, share),
        closed=_closed(outcome),
        seller_rollup=pipeline.seller_rollup(state, inside),
        stage_weighted=pipeline.stage_weighted(state, inside, posterior.settings.evaluation.stage_default),
        left_out=_left_out(outcome, request),
        shares=shares,
        breaks=what_breaks(
            simulated, total, outcome.new, state.open["deal_id"].to_numpy(dtype=object), settings.wrong_by
        ),
        reconciliation=state.reconciliation,
        dated=outcome.dated,
        quarters_learned=len(posterior.arrivals.quarters) if posterior.arrivals else 0,
        deals_revised=round(posterior.amounts.deals) if posterior.amounts else 0,
        model=posterior.provenance.data_hash,
        settings=settings,
        seed=seed,
        luck=outcome.luck,
        corrected=correct_total(posterior.correction, total, request.quarter, request.as_of, target),
    )


def correct_total(
    correction: Correction | None, total: Array, quarter: Quarter, as_of: dt.date, target: float | None
) -> CorrectedTotal | None:
    """The total corrected by past quarters; None without a correction, or longer than a week before the quarter."""
    if correction is None or as_of < quarter.start - dt.timedelta(days=7):
        return None
    week = quarter.week_of(as_of)
    p10, p50, p90 = correction.quantiles(total, _TAILS, week)
    missed = None if target is None else correction.below(1 - float(reaches(total, target).mean()), week)
    return CorrectedTotal(
        quarters=len(correction.quarters),
        p10=float(p10),
        p50=float(p50),
        p90=float(p90),
        prob_target=None if missed is None else 1 - missed,
    )


def summarise_lines(draws: Mapping[str, Array], target: float | None) -> pd.DataFrame:
    """``line, p10, p50, p90, mean, prob_target`` of bookings by line, each (draw,)."""
    values = np.stack(list(draws.values()))
    p10, p50, p90 = np.quantile(values, _TAILS, axis=1)
    reached = reaches(values, target).mean(axis=1) if target is not None else np.full(len(values), np.nan)
    return pd.DataFrame(
        {"line": list(draws), "p10": p10, "p50": p50, "p90": p90, "mean": values.mean(axis=1), "prob_target": reached}
    )


def _by_line(outcome: Outcome, group: str | None = None) -> dict[str, Array]:
    """(draw,) bookings of every line, of one group or of all; exact sums."""
    draws = len(outcome.new)
    lines = {line: np.zeros(draws) for line in LINES[:-1]}
    for (name, line), bookings in outcome.cells.items():
        if group is None or name == group:
            lines[line] = lines[line] + bookings
    if group in (None, NOT_YET):
        lines["not_yet_created"] = outcome.new
    return {**lines, "total": np.asarray(sum(lines.values()))}


def _group_names(outcome: Outcome) -> list[str]:
    """The levels, then the group of the deals not yet created."""
    return [*dict.fromkeys(name for name, _ in outcome.cells), NOT_YET]


def _grouped(grouped: Mapping[str, Mapping[str, Array]], by: str) -> pd.DataFrame:
    """The lines of every group; the blank level is a missing value."""
    parts = [summarise_lines(lines, None) for lines in grouped.values()]
    for name, part in zip(grouped, parts, strict=True):
        part.insert(0, by, name or None)
    return pd.concat(parts, ignore_index=True)


def _deals(outcome: Outcome, inside: Array, share: Array) -> pd.DataFrame:
    simulated, still, total = outcome.simulated, outcome.state.open, outcome.total
    names = ("deal_id", "account", "seller", "segment", "region", "product")
    table = pd.DataFrame({name: column_or_missing(still, name) for name in names})
    table["amount"] = still["worth"]
    for name in ("currency", "expected_close_on", "stage", "rep_category"):
        table[name] = column_or_missing(still, name)
    table["line"] = pipeline.lines_of(still)
    for name, values in (("win", simulated.win_prob), ("by_end", simulated.in_quarter)):
        mean = "win_prob" if name == "win" else name
        table[[mean, f"{name}_lower", f"{name}_upper"]] = values
    table["slip_prob"] = np.where(inside, simulated.slip, np.nan)
    table["expected_bookings"] = np.where(still["worth"].notna(), simulated.expected_bookings, np.nan)
    table["variance_share"] = share
    table[["p50_if_won", "p50_if_lost"]] = np.nan
    won, lost = p50_by_outcome(simulated, total)
    largest = table.index[simulated.largest]
    table.loc[largest, "p50_if_won"], table.loc[largest, "p50_if_lost"] = won, lost
    return table.sort_values(["expected_bookings", "deal_id"], ascending=[False, True]).reset_index(drop=True)


def _closed(outcome: Outcome) -> pd.DataFrame:
    closed = outcome.state.closed
    table = pd.DataFrame({name: column_or_missing(closed, name) for name in ("deal_id", "seller")})
    return table.assign(amount=closed["worth"], closed_on=column_or_missing(closed, "closed_on"))


def _left_out(outcome: Outcome, request: Request) -> pd.DataFrame:
    later = pipeline.in_currency(request.not_known, outcome.state)
    reasons = [
        (gettext("not known on the day of the forecast, read only later"), later, False),
        *(_dates if outcome.dated else _dates_without_timing)(outcome, request),
    ]
    table = pd.concat([outcome.state.left_out, pipeline.left_out_table(reasons)], ignore_index=True)
    if outcome.without_rate:
        reason = gettext("not yet created, in a currency without a rate: won so far in past quarters")
        table.loc[len(table)] = [reason, outcome.without_rate, np.nan, None, False, np.nan]
    return table


def _dates(outcome: Outcome, request: Request) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    expected = column_or_missing(outcome.state.open, "expected_close_on")
    passed = mask_of(expected < pd.Timestamp(request.as_of))
    yield gettext("open, and the seller's date has passed"), outcome.state.open[passed], True


def _dates_without_timing(outcome: Outcome, request: Request) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    """Deals whose date does not place them in the quarter, where no time-to-close model does (decision 020)."""
    still = outcome.state.open
    still = still.assign(expected=outcome.simulated.win_prob[:, 0] * still["worth"].fillna(0.0))
    expected = column_or_missing(still, "expected_close_on")
    start, day = pd.Timestamp(request.quarter.start), pd.Timestamp(request.as_of)
    if expected.isna().all():
        yield gettext("open, in a table without the sellers' dates: each as if due in the quarter"), still, True
        return
    inside = mask_of((expected < day) & (expected >= start))
    yield gettext("open, and the seller's date has passed"), still[inside].drop(columns="expected"), True
    overdue = gettext("open, and the seller's date is before the quarter: when they close is not known")
    yield overdue, still[mask_of(expected < start) & mask_of(expected < day)], False
    yield (
        gettext("open, without the seller's date: when they close is not known"),
        still[mask_of(expected.isna())],
        False,
    )
