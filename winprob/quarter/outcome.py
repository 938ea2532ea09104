"""Simulate a quarter once: the pipeline on a day, win probabilities by draw, and bookings by group and line."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.exchange_rates import rates_for
from winprob.data.fiscal import Quarter, season_of
from winprob.data.schema import Mask, column_or_missing, mask_of
from winprob.model.amounts import draw_ratios
from winprob.model.arrivals import Arrivals, draw_arrivals
from winprob.model.draws import to_win_prob
from winprob.model.features import describe
from winprob.model.posterior import Posterior
from winprob.model.timing import outlooks, same_day
from winprob.model.win.terms import coefficients, logits
from winprob.quarter import simulation as sim
from winprob.quarter.pipeline import Days, PipelineState, lines_of, pipeline_state
from winprob.quarter.simulation import Chances, Simulated, Source, grain_of, on_grain

#: The lines of open deals.
OPEN_LINES = ("commit", "best_case", "pipeline", "uncategorised")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Simulated outcomes of a quarter.

    Attributes
    ----------
    cells : (draw,) bookings by group and line (closed, and the lines of open deals); one blank group without ``by``
    new : (draw,) bookings of deals not yet created
    without_rate : deals won in past quarters in currencies without a rate now: new deals like them are not counted
    luck : simulated quarters for each posterior draw
    """

    state: PipelineState
    dated: bool
    simulated: Simulated
    cells: Mapping[tuple[str, str], Array]
    new: Array
    without_rate: int
    luck: int

    @property
    def total(self) -> Array:
        """(draw,) bookings of the quarter."""
        return np.asarray(sum(self.cells.values()) + self.new)


def simulate_quarter(
    posterior: Posterior,
    deals: pd.DataFrame,
    quarter: Quarter,
    days: Days,
    *,
    currency: str | None,
    rates: pd.DataFrame | None,
    by: str | None,
    seed: int,
    luck: int | None = None,
    gains: Mapping[str, Array] | None = None,
) -> Outcome:
    """Simulate a quarter with the deals known on a day (see ``known_deals``).

    Parameters
    ----------
    luck : simulated quarters for each posterior draw; by default more where there are few deals
    gains : (draw,) what is added to the probability of being won eventually, by deal; none by default

    Raises
    ------
    ForecastError
        A rate is missing.
    """
    state = pipeline_state(deals, quarter, days, currency=currency, rates=rates)
    draws, luck = len(posterior.flat["intercept"]), luck or _luck(posterior, len(state.open))
    grain = grain_of(state.open["worth"].to_numpy(), state.closed["worth"].to_numpy())
    source, dated = chances_of(posterior, state.open, quarter, days.waiting)
    source = _raised(source, state.open["deal_id"].to_numpy(dtype=object), gains) if gains else source
    names, codes = _groups(state, by)
    lines = pd.Categorical(lines_of(state.open), categories=OPEN_LINES).codes.astype(int)
    simulated = sim.simulate_open(
        sim.QuarterInputs(
            source=source,
            worth=on_grain(state.open["worth"].to_numpy(), grain),
            keys=sim.stream_keys(state.open["deal_id"]),
            cell=codes[: len(state.open)] * len(OPEN_LINES) + lines,
            cells=len(names) * len(OPEN_LINES),
            ratios=draw_ratios(posterior.amounts, draws=draws, seed=seed),
            draws=draws,
            seed=seed,
            grain=grain,
            luck=luck,
        )
    )
    won = np.bincount(codes[len(state.open) :], on_grain(state.closed["worth"].to_numpy(), grain), minlength=len(names))
    new, without = _new(posterior, quarter, days, state, rates, draws * luck, seed)
    return Outcome(
        state=state,
        dated=dated,
        simulated=simulated,
        cells=_cells(names, won, simulated.cells),
        new=on_grain(new, grain),
        without_rate=without,
        luck=luck,
    )


def _luck(posterior: Posterior, deals: int) -> int:
    """Simulated quarters for each posterior draw; a model fitted before draws as it did."""
    fitted_before = posterior.arrivals is not None and posterior.arrivals.last_day is None
    return 1 if fitted_before else sim.luck_for(deals)


def _groups(state: PipelineState, by: str | None) -> tuple[list[str], Array]:
    """Labels of the groups, and the group number of each open deal followed by each closed deal."""
    if by is None:
        return [""], np.zeros(len(state.open) + len(state.closed), dtype=int)
    both = pd.concat([column_or_missing(state.open, by), column_or_missing(state.closed, by)]).fillna("").astype("str")
    codes, names = pd.factorize(both, sort=True)
    return [str(name) for name in names], codes


def _cells(names: list[str], won: Array, open_cells: Array) -> dict[tuple[str, str], Array]:
    cells = {}
    for at, name in enumerate(names):
        cells[name, "closed"] = np.full(open_cells.shape[1], won[at])
        for place, line in enumerate(OPEN_LINES):
            cells[name, line] = open_cells[at * len(OPEN_LINES) + place]
    return cells


def _new(
    posterior: Posterior,
    quarter: Quarter,
    days: Days,
    state: PipelineState,
    rates: pd.DataFrame | None,
    draws: int,
    seed: int,
) -> tuple[Array, int]:
    """(draw,) bookings of deals not yet created, and the number of past deals in a currency without a rate."""
    arrivals: Arrivals | None = posterior.arrivals
    if arrivals is None:
        return np.zeros(draws), 0
    factors = {"": 1.0} | {
        name: rate.rate for name, rate in rates_for(rates, arrivals.amounts, state.currency, days.arrivals).items()
    }
    if not state.currency:
        factors = dict.fromkeys(arrivals.amounts, 1.0) if len(arrivals.amounts) == 1 else factors
    without = sum(week[0] for name, weeks in arrivals.amounts.items() if name not in factors for week in weeks)
    new = draw_arrivals(
        arrivals,
        days_left=(quarter.end - days.arrivals).days,
        season=season_of(quarter),
        ahead=arrivals.quarters_ahead(quarter),
        rates=factors,
        draws=draws,
        seed=seed,
    )
    return new, int(without)


def chances_of(posterior: Posterior, deals: pd.DataFrame, quarter: Quarter, as_of: dt.date) -> tuple[Source, bool]:
    """A function from a slice of deals (valid) to their chances, and whether a time-to-close model is behind it."""
    if posterior.hazards is None:
        return _undated(posterior, deals, quarter, as_of), False
    return _dated(posterior, deals, quarter, as_of), True


def _raised(source: Source, ids: Array, gains: Mapping[str, Array]) -> Source:
    """The chances with what is added to them; the share of wins that fall in the quarter stays as it is."""

    def of(rows: slice) -> Chances:
        chances = source(rows)
        win_prob, in_quarter = chances.win_prob.copy(), chances.in_quarter.copy()
        for at, name in enumerate(ids[rows]):
            if name in gains:
                raised = np.clip(win_prob[at] + gains[name], 0, 1)
                in_quarter[at] *= raised / np.maximum(win_prob[at], np.finfo(np.float32).tiny)
                win_prob[at] = raised
        in_quarter = np.clip(in_quarter, 0, 1)
        return Chances(win_prob=win_prob, in_quarter=in_quarter, open_at_end=chances.open_at_end)

    return of


def falls_in(deals: pd.DataFrame, quarter: Quarter, as_of: dt.date, *, overdue: bool) -> Mask:
    """(deal,) whether the seller's close date is in the quarter. True for every deal of a table without such dates.

    Parameters
    ----------
    overdue : in the running quarter include deals whose date was before it; without a time-to-close model nothing
        limits their chance to this quarter (decision 020)
    """
    expected = column_or_missing(deals, "expected_close_on")
    if expected.isna().all():
        return np.ones(len(deals), dtype=bool)
    late = overdue and as_of >= quarter.start
    begun = mask_of(expected.notna()) if late else mask_of(expected >= pd.Timestamp(quarter.start))
    return begun & mask_of(expected <= pd.Timestamp(quarter.end))


def _undated(posterior: Posterior, deals: pd.DataFrame, quarter: Quarter, as_of: dt.date) -> Source:
    """Without a time-to-close model: the win probability if the seller's close date is in the quarter, else 0."""
    features = describe(deals, posterior.scaling)
    coefs = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    inside = falls_in(deals, quarter, as_of, overdue=False).astype(np.float32)[:, None]

    def of(rows: slice) -> Chances:
        chance = to_win_prob(logits(coefs, features.take(rows)))
        return Chances(win_prob=chance, in_quarter=chance * inside[rows], open_at_end=None)

    return of


def _dated(posterior: Posterior, deals: pd.DataFrame, quarter: Quarter, as_of: dt.date) -> Source:
    at_end = outlooks(posterior, deals, same_day(deals, quarter.end), as_of)
    eve = quarter.start - dt.timedelta(days=1)
    # A future quarter: subtract the chance of a win before it begins.
    before = outlooks(posterior, deals, same_day(deals, eve), as_of) if as_of < eve else None

    def of(rows: slice) -> Chances:
        outlook = at_end.of(rows)
        inside = outlook.won_by()
        if before is not None:
            inside = np.maximum(inside - before.of(rows).won_by(), 0)
        return Chances(win_prob=outlook.win_prob, in_quarter=inside, open_at_end=outlook.still_open())

    return of
