"""How does the quarter turn out, draw by draw? Shared draws of the models first, then each deal's own luck.

All deals of a draw live in one world: the same weights, the same quarter, the same habit of amounts. Money is kept on a
grain, a power of two far below a cent of what is at stake, so that sums are exact in whatever order they are made.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from winprob.arrays import Array
from winprob.model.amounts import Ratios
from winprob.model.draws import sorted_tails
from winprob.quarter.chances import Chances, Source
from winprob.quarter.random_streams import draw_luck

#: Deals worked on at a time.
BLOCK = 512
#: Of this many deals, those of most money, every draw is kept: no smaller deal moves a total by itself.
KEPT = 400
#: Doubles hold whole numbers up to 2 ** 53: the grain leaves room for totals of 8,000 times what is on the book.
_BITS = 40
#: Probabilities are kept in two bytes each until the total is known.
_STEPS = np.float32(65535)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What became of the open deals.

    Attributes
    ----------
    cells : (cell, draw) bookings by group of deals; every sum of cells is exact
    expected : (draw,) bookings expected in each draw, own luck aside
    win_prob, in_quarter : (deal, 3) mean, lower and upper end
    slip : (deal,) mean probability of being open at the end of the quarter, NaN where nothing is known of time
    expected_bookings : (deal,)
    winning, closing : (deal,) variance by own luck: of being won, and of the amount at closing
    shared : (deal,) covariance of what is expected of the deal with what is expected of all
    kept : places of the deals of most money
    kept_bookings, kept_if_won : (kept, draw) what came of them, and what would have if they were won
    """

    cells: Array
    expected: Array
    win_prob: Array
    in_quarter: Array
    slip: Array
    expected_bookings: Array
    winning: Array
    closing: Array
    shared: Array
    kept: Array
    kept_bookings: Array
    kept_if_won: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Open deals ready to be played.

    Attributes
    ----------
    worth : (deal,) money, on the grain; 0 where it is not known
    keys : (deal,) of each deal's luck
    cell : (deal,) which sum each counts in, of ``cells``
    """

    source: Source
    worth: Array
    keys: Array
    cell: Array
    cells: int
    ratios: Ratios | None
    draws: int
    seed: int
    grain: float


def grain_of(*amounts: Array) -> float:
    """The grain on which money is kept: a power of two, at most a millionth of a millionth of all there is."""
    total = sum(float(np.nansum(some)) for some in amounts)
    return float(2.0 ** (np.frexp(max(total, 1.0))[1] - _BITS))


def on_grain(amounts: Array, grain: float) -> Array:
    """Money rounded to the grain; what is not known is nothing."""
    return np.asarray(np.rint(np.nan_to_num(amounts) / grain) * grain)


def simulate_open(play: Play) -> Simulated:
    """Every open deal in every draw, a block at a time, on every core."""
    kept = np.sort(np.argsort(-play.worth, kind="stable")[:KEPT])
    starts = range(0, len(play.worth), BLOCK)
    chance = np.empty((len(play.worth), play.draws), dtype=np.uint16)

    def one(start: int) -> _Block:
        return _play_block(play, slice(start, start + BLOCK), kept, chance)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        blocks = list(pool.map(one, starts))
        cells, expected = np.zeros((play.cells, play.draws)), np.zeros(play.draws)
        for block in blocks:
            cells += block.cells
            expected += block.expected
        apart = (_ratio_moments(play)[0] * (expected - expected.mean()) / play.draws / _STEPS).astype(np.float32)
        shares = list(pool.map(lambda start: chance[start : start + BLOCK].astype(np.float32) @ apart, starts))
    told = _joined([block.told for block in blocks], play.draws)
    return Simulated(
        cells=cells,
        expected=expected,
        shared=play.worth * np.concatenate([*shares, np.empty(0)]),
        kept=kept,
        **told,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    cells: Array
    expected: Array
    told: Mapping[str, Array]


def _play_block(play: Play, rows: slice, kept: Array, chance: Array) -> _Block:
    chances, worth = play.source(rows), play.worth[rows]
    luck = draw_luck(play.keys[rows], play.draws, seed=play.seed)
    bookings = _bookings(chances.in_quarter, luck, worth, play)
    expected = (worth.astype(np.float32) @ chances.in_quarter) * _ratio_moments(play)[0]
    chance[rows] = np.rint(chances.in_quarter * _STEPS)
    cell = play.cell[rows]
    where = csr_array((np.ones(len(worth)), (cell, np.arange(len(worth)))), shape=(play.cells, len(worth)))
    here = kept[(kept >= rows.start) & (kept < rows.stop)] - rows.start
    told = {
        "kept_bookings": bookings[here],
        "kept_if_won": _if_won(chances.in_quarter[here], luck[here], worth[here], bookings[here], play),
        **_moments(chances.in_quarter, worth, play),
        **_summaries(chances),
    }
    return _Block(cells=where @ bookings, expected=expected, told=told)


def _bookings(chance: Array, luck: Array, worth: Array, play: Play) -> Array:
    """(deal, draw) what each deal brings. Luck below the chance wins; how far below says what it closes at."""
    won = luck < chance
    bookings = np.where(won, worth[:, None], 0.0)
    if play.ratios is not None:
        deal, draw = np.nonzero(won)
        ratio = play.ratios.at(luck[deal, draw] / chance[deal, draw], draw)
        bookings[deal, draw] = on_grain(worth[deal] * ratio, play.grain)
    return bookings


def _if_won(chance: Array, luck: Array, worth: Array, bookings: Array, play: Play) -> Array:
    """(deal, draw) what each deal would bring if it were won; where it is, what it does bring."""
    if play.ratios is None:
        return np.broadcast_to(worth[:, None], luck.shape)
    rest = np.where(luck < chance, 0.0, (luck - chance) / np.maximum(1 - chance, 1e-6))
    draw = np.broadcast_to(np.arange(play.draws), luck.shape)
    ratio = play.ratios.at(rest.ravel(), draw.ravel()).reshape(luck.shape)
    return np.where(luck < chance, bookings, on_grain(worth[:, None] * ratio, play.grain))


def _ratio_moments(play: Play) -> tuple[Array, Array]:
    """(draw,) mean of what a won deal closes at over what was written, and of its square."""
    if play.ratios is None:
        return np.ones(play.draws), np.ones(play.draws)
    return play.ratios.mean, play.ratios.mean_square


def _moments(chance: Array, worth: Array, play: Play) -> dict[str, Array]:
    """What is expected of each deal, and its variance by own luck (law of total variance, given the draw)."""
    first, second = _ratio_moments(play)
    weights = np.stack([first, first**2, second], axis=1).astype(np.float32) / np.float32(play.draws)
    mean, of_square, of_second = (chance @ weights).T.astype(np.float64)
    squared = (chance * chance) @ weights[:, 1]
    return {
        "expected_bookings": worth * mean,
        "winning": worth**2 * np.maximum(of_square - squared, 0),
        "closing": worth**2 * np.maximum(of_second - of_square, 0),
    }


def _summaries(chances: Chances) -> dict[str, Array]:
    """Mean and ends of each deal's probabilities. Sorts them in place: nothing may need them afterwards."""
    slip = chances.open_at_end
    return {
        "slip": np.full(len(chances.win_prob), np.nan) if slip is None else slip.mean(axis=1, dtype=np.float64),
        "win_prob": _summary(chances.win_prob),
        "in_quarter": _summary(chances.in_quarter),
    }


def _summary(chance: Array) -> Array:
    mean = chance.mean(axis=1, dtype=np.float64)
    return np.stack([mean, *sorted_tails(chance)], axis=1)


def _joined(told: Sequence[Mapping[str, Array]], draws: int) -> dict[str, Array]:
    if told:
        return {name: np.concatenate([block[name] for block in told]) for name in told[0]}
    kept = dict.fromkeys(("kept_bookings", "kept_if_won"), np.empty((0, draws)))
    flat = dict.fromkeys(("slip", "expected_bookings", "winning", "closing"), np.empty(0))
    return {**kept, **flat, **dict.fromkeys(("win_prob", "in_quarter"), np.empty((0, 3)))}
