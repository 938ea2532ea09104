"""A quarter played once: the book of a day, the fate of its open deals, and bookings by group and line."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.exchange_rates import rates_for
from winprob.data.fiscal import Quarter
from winprob.model.amounts import draw_ratios
from winprob.model.arrivals import Arrivals, draw_arrivals, season_of
from winprob.model.posterior import Posterior
from winprob.quarter.chances import chances_of
from winprob.quarter.pipeline import Book, Days, column, lines_of, open_book
from winprob.quarter.random_streams import luck_keys
from winprob.quarter.simulation import Play, Simulated, grain_of, on_grain, simulate_open

#: The lines of open deals.
OPEN_LINES = ("commit", "best_case", "pipeline", "uncategorised")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a quarter.

    Attributes
    ----------
    cells : by group and line (closed and those of open deals), (draw,) bookings; one blank group if none is asked for
    new : (draw,) bookings of deals not yet created
    without_rate : deals won in past quarters in currencies that have no rate now: new ones like them are not counted
    """

    book: Book
    dated: bool
    simulated: Simulated
    cells: Mapping[tuple[str, str], Array]
    new: Array
    without_rate: int

    @property
    def total(self) -> Array:
        """(draw,) bookings of the quarter."""
        return np.asarray(sum(self.cells.values()) + self.new)


def play_quarter(
    posterior: Posterior,
    deals: pd.DataFrame,
    quarter: Quarter,
    days: Days,
    *,
    currency: str | None,
    rates: pd.DataFrame | None,
    by: str | None,
    seed: int,
) -> Outcome:
    """Play a quarter with the deals known on a day (see ``book.known_deals``).

    Raises
    ------
    ForecastError
        A rate is missing.
    """
    book = open_book(deals, quarter, days, currency=currency, rates=rates)
    draws = len(posterior.flat["intercept"])
    grain = grain_of(book.open["worth"].to_numpy(), book.closed["worth"].to_numpy())
    source, dated = chances_of(posterior, book.open, quarter, days.waiting)
    names, codes = _groups(book, by)
    lines = pd.Categorical(lines_of(book.open), categories=OPEN_LINES).codes.astype(int)
    simulated = simulate_open(
        Play(
            source=source,
            worth=on_grain(book.open["worth"].to_numpy(), grain),
            keys=luck_keys(book.open["deal_id"]),
            cell=codes[: len(book.open)] * len(OPEN_LINES) + lines,
            cells=len(names) * len(OPEN_LINES),
            ratios=draw_ratios(posterior.amounts, draws=draws, seed=seed),
            draws=draws,
            seed=seed,
            grain=grain,
        )
    )
    won = np.bincount(codes[len(book.open) :], on_grain(book.closed["worth"].to_numpy(), grain), minlength=len(names))
    new, without = _new(posterior, quarter, days, book, rates, draws, seed)
    return Outcome(
        book=book,
        dated=dated,
        simulated=simulated,
        cells=_cells(names, won, simulated.cells),
        new=on_grain(new, grain),
        without_rate=without,
    )


def _groups(book: Book, by: str | None) -> tuple[list[str], Array]:
    """Labels, and which of them each open deal, then each closed one, has."""
    if by is None:
        return [""], np.zeros(len(book.open) + len(book.closed), dtype=int)
    both = pd.concat([column(book.open, by), column(book.closed, by)]).fillna("").astype("str")
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
    book: Book,
    rates: pd.DataFrame | None,
    draws: int,
    seed: int,
) -> tuple[Array, int]:
    """(draw,) bookings of deals not yet created, and how many past ones had a currency without a rate."""
    arrivals: Arrivals | None = posterior.arrivals
    if arrivals is None:
        return np.zeros(draws), 0
    factors = {"": 1.0} | {
        name: rate.rate for name, rate in rates_for(rates, arrivals.amounts, book.currency, days.arrivals).items()
    }
    if not book.currency:
        factors = dict.fromkeys(arrivals.amounts, 1.0) if len(arrivals.amounts) == 1 else factors
    without = sum(week[0] for name, weeks in arrivals.amounts.items() if name not in factors for week in weeks)
    new = draw_arrivals(
        arrivals,
        days_left=(quarter.end - days.arrivals).days,
        season=season_of(quarter),
        rates=factors,
        draws=draws,
        seed=seed,
    )
    return new, int(without)
