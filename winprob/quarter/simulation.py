"""Joint simulation of the open deals: posterior draws shared by all deals, then one uniform number per deal and draw.

All deals of a draw share the model's parameters: the weights, the drift of the quarter, the ratio of closing to
recorded amounts. With few deals each posterior draw is simulated several times with other uniform numbers, because
the quantiles of a few large deals have a large Monte Carlo error, and luck is cheap. A deal's own uniform numbers come
from a random stream keyed by its id, so two simulations with one seed have common random numbers. Money is rounded to a
grain, a power of two far below a cent, so that sums are exact in any order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from scipy.sparse import csr_array

from winprob.arrays import Array, in_blocks
from winprob.model.amounts import Ratios
from winprob.model.draws import sorted_tails

#: Simulated quarters for each posterior draw, and the number of open deals up to which it is more than one.
LUCK, _FEW_DEALS = 8, 2000
#: Deals in one block.
BLOCK = 512
#: Every draw is kept for this many deals, those with the largest amounts; a smaller deal does not move the total alone.
LARGEST = 400
#: Doubles hold whole numbers up to 2 ** 53: the grain leaves room for totals of 8,000 times the pipeline.
_BITS = 40
#: Probabilities are kept in two bytes each until the total is known.
_STEPS = np.float32(65535)
#: Batches of posterior draws for the Monte Carlo error.
_BATCHES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """(deal, draw) float32 probabilities: won eventually, won in the quarter, open at its end (None: unknown)."""

    win_prob: Array
    in_quarter: Array
    open_at_end: Array | None


Source = Callable[[slice], Chances]


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Simulated outcomes of the open deals; draws of bookings are all posterior draws, then all again with other luck.

    Attributes
    ----------
    cells : (cell, draw) bookings by group of deals; sums of cells are exact
    expected : (draw,) expected bookings given the draw, without the deals' own randomness
    win_prob, in_quarter : (deal, 3) mean, lower and upper end
    slip : (deal,) mean probability of being open at the end of the quarter, NaN without a time-to-close model
    expected_bookings : (deal,)
    winning, closing : (deal,) variance from the deal's own randomness: of being won, and of the amount at closing
    shared : (deal,) covariance of the deal's expected bookings with those of all deals
    largest : positions of the deals with the largest amounts
    largest_bookings, largest_if_won : (largest, draw) their bookings, and their bookings had they been won
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
    largest: Array
    largest_bookings: Array
    largest_if_won: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarterInputs:
    """Open deals ready for the simulation.

    Attributes
    ----------
    worth : (deal,) amount in the report's currency, on the grain; 0 where it is unknown
    keys : (deal,) of the random streams
    cell : (deal,) which of the ``cells`` sums the deal counts in
    draws, luck : number of posterior draws, and of simulations of each
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
    luck: int = 1


def luck_for(deals: int) -> int:
    """Simulated quarters for each posterior draw where so many deals are open."""
    return LUCK if deals <= _FEW_DEALS else 1


def quantile_error(draws: Array, level: float, luck: int = 1) -> float:
    """Monte Carlo standard error of a quantile of simulated totals, by batches of posterior draws with all their luck.

    Neighbouring draws of a chain are in one batch, so that their autocorrelation counts (Flegal, Haran, Jones 2008).
    """
    by_posterior_draw = np.asarray(draws).reshape(luck, -1)
    batches = np.array_split(by_posterior_draw, min(_BATCHES, by_posterior_draw.shape[1]), axis=1)
    quantiles = [np.quantile(batch, level) for batch in batches]
    return float(np.std(quantiles, ddof=1) / np.sqrt(len(quantiles))) if len(quantiles) > 1 else 0.0


def stream_keys(deal_ids: Iterable[str]) -> Array:
    """(deal,) 64-bit key of each deal's random stream, a hash of its id."""
    digests = b"".join(blake2b(deal_id.encode(), digest_size=8).digest() for deal_id in deal_ids)
    return np.frombuffer(digests, dtype=np.uint64)


def random_streams(keys: Array, draws: int, *, seed: int) -> Array:
    """(deal, draw) uniform in 0..1, float32: common random numbers, one stream for each key and seed.

    Philox counts from zero under each key (Salmon et al. 2011); setting a key costs a fifth of making a generator.
    """
    bits = np.random.Philox(key=[0, seed])
    generator, state = np.random.Generator(bits), bits.state
    uniforms = np.empty((len(keys), draws), dtype=np.float32)
    for key, row in zip(keys, uniforms, strict=True):
        state["state"]["key"][0] = key
        bits.state = state
        generator.random(out=row, dtype=np.float32)
    return uniforms


def grain_of(*amounts: Array) -> float:
    """The grain to which money is rounded: a power of two, at most 1e-12 of the sum of all amounts."""
    total = sum(float(np.nansum(some)) for some in amounts)
    return float(2.0 ** (np.frexp(max(total, 1.0))[1] - _BITS))


def on_grain(amounts: Array, grain: float) -> Array:
    """Money rounded to the grain; an unknown amount is 0."""
    return np.asarray(np.rint(np.nan_to_num(amounts) / grain) * grain)


def simulate_open(inputs: QuarterInputs) -> Simulated:
    """Simulate every open deal in every draw, in blocks over threads."""
    deals, draws = len(inputs.worth), inputs.draws
    largest = np.sort(np.argsort(-inputs.worth, kind="stable")[:LARGEST])
    chance = np.empty((deals, draws), dtype=np.uint16)
    blocks = in_blocks(deals, BLOCK, lambda rows: _simulate_block(inputs, rows, largest, chance))
    cells, expected = np.zeros((inputs.cells, draws * inputs.luck)), np.zeros(draws)
    for block in blocks:
        cells += block.cells
        expected += block.expected
    deviation = (_ratio_moments(inputs)[0] * (expected - expected.mean()) / draws / _STEPS).astype(np.float32)
    shares = in_blocks(deals, BLOCK, lambda rows: chance[rows].astype(np.float32) @ deviation)
    return Simulated(
        cells=cells,
        expected=np.tile(expected, inputs.luck),
        shared=inputs.worth * np.concatenate([*shares, np.empty(0)]),
        largest=largest,
        **_joined([block.by_deal for block in blocks], draws * inputs.luck),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    cells: Array
    expected: Array
    by_deal: Mapping[str, Array]


def _simulate_block(inputs: QuarterInputs, rows: slice, largest: Array, chance: Array) -> _Block:
    chances, worth = inputs.source(rows), inputs.worth[rows]
    uniforms = random_streams(inputs.keys[rows], inputs.draws * inputs.luck, seed=inputs.seed)
    every = np.tile(chances.in_quarter, (1, inputs.luck))
    bookings = _bookings(every, uniforms, worth, inputs)
    expected = (worth.astype(np.float32) @ chances.in_quarter) * _ratio_moments(inputs)[0]
    chance[rows] = np.rint(chances.in_quarter * _STEPS)
    cell = inputs.cell[rows]
    member = csr_array((np.ones(len(worth)), (cell, np.arange(len(worth)))), shape=(inputs.cells, len(worth)))
    here = largest[(largest >= rows.start) & (largest < rows.stop)] - rows.start
    by_deal = {
        "largest_bookings": bookings[here],
        "largest_if_won": _if_won(every[here], uniforms[here], worth[here], bookings[here], inputs),
        **_moments(chances.in_quarter, worth, inputs),
        **_summaries(chances),
    }
    return _Block(cells=member @ bookings, expected=expected, by_deal=by_deal)


def _bookings(chance: Array, uniforms: Array, worth: Array, inputs: QuarterInputs) -> Array:
    """(deal, draw) bookings: won where the uniform is below the chance; uniform over chance then sets the ratio."""
    won = uniforms < chance
    bookings = np.where(won, worth[:, None], 0.0)
    if inputs.ratios is not None:
        deal, draw = np.nonzero(won)
        ratio = inputs.ratios.at(uniforms[deal, draw] / chance[deal, draw], draw % inputs.draws)
        bookings[deal, draw] = on_grain(worth[deal] * ratio, inputs.grain)
    return bookings


def _if_won(chance: Array, uniforms: Array, worth: Array, bookings: Array, inputs: QuarterInputs) -> Array:
    """(deal, draw) bookings had the deal been won; where it is won, its bookings."""
    if inputs.ratios is None:
        return np.broadcast_to(worth[:, None], uniforms.shape)
    rest = np.where(uniforms < chance, 0.0, (uniforms - chance) / np.maximum(1 - chance, 1e-6))
    draw = np.broadcast_to(np.tile(np.arange(inputs.draws), inputs.luck), uniforms.shape)
    ratio = inputs.ratios.at(rest.ravel(), draw.ravel()).reshape(uniforms.shape)
    return np.where(uniforms < chance, bookings, on_grain(worth[:, None] * ratio, inputs.grain))


def _ratio_moments(inputs: QuarterInputs) -> tuple[Array, Array]:
    """(draw,) mean and mean square of the ratio of closing to recorded amount."""
    if inputs.ratios is None:
        return np.ones(inputs.draws), np.ones(inputs.draws)
    return inputs.ratios.mean, inputs.ratios.mean_square


def _moments(chance: Array, worth: Array, inputs: QuarterInputs) -> dict[str, Array]:
    """Expected bookings of each deal, and its own variance (law of total variance, given the draw)."""
    first, second = _ratio_moments(inputs)
    weights = np.stack([first, first**2, second], axis=1).astype(np.float32) / np.float32(inputs.draws)
    mean, of_square, of_second = (chance @ weights).T.astype(np.float64)
    squared = (chance * chance) @ weights[:, 1]
    return {
        "expected_bookings": worth * mean,
        "winning": worth**2 * np.maximum(of_square - squared, 0),
        "closing": worth**2 * np.maximum(of_second - of_square, 0),
    }


def _summaries(chances: Chances) -> dict[str, Array]:
    """Mean and interval of each deal's probabilities. Sorts them in place, so nothing may use them afterwards."""
    slip = chances.open_at_end
    return {
        "slip": np.full(len(chances.win_prob), np.nan) if slip is None else slip.mean(axis=1, dtype=np.float64),
        "win_prob": _summary(chances.win_prob),
        "in_quarter": _summary(chances.in_quarter),
    }


def _summary(chance: Array) -> Array:
    mean = chance.mean(axis=1, dtype=np.float64)
    return np.stack([mean, *sorted_tails(chance)], axis=1)


def _joined(blocks: Sequence[Mapping[str, Array]], draws: int) -> dict[str, Array]:
    if blocks:
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    by_draw = dict.fromkeys(("largest_bookings", "largest_if_won"), np.empty((0, draws)))
    flat = dict.fromkeys(("slip", "expected_bookings", "winning", "closing"), np.empty(0))
    return {**by_draw, **flat, **dict.fromkeys(("win_prob", "in_quarter"), np.empty((0, 3)))}
