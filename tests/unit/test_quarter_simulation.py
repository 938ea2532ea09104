"""The simulation against deals enumerated by hand, and the risk against the law of total variance."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from winprob.model.amounts import ClosingAmounts, draw_ratios
from winprob.quarter.risk import p50_by_outcome, variance_shares, what_breaks
from winprob.quarter.simulation import (
    Chances,
    QuarterInputs,
    Simulated,
    grain_of,
    on_grain,
    quantile_error,
    random_streams,
    simulate_open,
    stream_keys,
)

DRAWS = 40_000


def play(
    chance: np.ndarray, worth: list[float], *, cells: int = 1, ratios: object = None, seed: int = 1, luck: int = 1
) -> Simulated:
    """Simulate deals whose chances (deal, draw) are known."""
    chance = np.ascontiguousarray(np.broadcast_to(chance, (len(worth), np.shape(chance)[-1])), dtype=np.float32)
    money = np.array(worth)
    return simulate_open(
        QuarterInputs(
            source=lambda rows: Chances(win_prob=chance[rows].copy(), in_quarter=chance[rows].copy(), open_at_end=None),
            worth=on_grain(money, grain_of(money)),
            keys=stream_keys(f"D{at}" for at in range(len(worth))),
            cell=np.arange(len(worth)) % cells,
            cells=cells,
            ratios=ratios,  # type: ignore[arg-type]
            draws=chance.shape[1],
            seed=seed,
            grain=grain_of(money),
            luck=luck,
        )
    )


def test_three_independent_deals_are_as_enumerated() -> None:
    chances, worth = (0.2, 0.5, 0.7), [100.0, 40.0, 25.0]
    got = play(np.tile(np.array(chances)[:, None], DRAWS), worth).cells[0]
    for outcome in product((0, 1), repeat=3):
        total = np.dot(outcome, worth)
        prob = np.prod([p if won else 1 - p for p, won in zip(chances, outcome, strict=True)])
        assert (got == total).mean() == pytest.approx(prob, abs=0.01)


def test_shared_doubt_makes_deals_go_together_as_a_mixture_does() -> None:
    world = np.where(np.arange(DRAWS) % 2, 0.9, 0.1)
    got = play(world[None], [1.0, 1.0]).cells[0]
    assert (got == 2).mean() == pytest.approx((0.9**2 + 0.1**2) / 2, abs=0.01)
    assert got.var() == pytest.approx(2 * 0.09 + 4 * 0.16, rel=0.03)


def test_shares_of_the_variance_are_exact_and_sum_to_one() -> None:
    world = np.where(np.arange(DRAWS) % 2, 0.9, 0.1)
    simulated = play(np.stack([world, np.full(DRAWS, 0.5)]), [2.0, 3.0])
    new = np.random.default_rng(1).normal(10, 1, DRAWS)
    share, sources = variance_shares(simulated, new)
    whole = np.array([4 * (0.09 + 0.16), 9 * 0.25, new.var()])
    np.testing.assert_allclose([*share, sources["share"].iloc[-1]], whole / whole.sum(), rtol=1e-3)
    assert share.sum() + sources["share"].iloc[-1] == pytest.approx(1, abs=1e-12)
    assert sources["share"].sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(simulated.cells[0].var(), whole[:2].sum(), rtol=0.03)


def test_own_variance_counts_the_amount_at_closing() -> None:
    ratios = draw_ratios(ClosingAmounts(deals=300, changed=300, mean=0.0, variance=0.09), draws=DRAWS, seed=3)
    simulated = play(np.full((1, DRAWS), 0.6), [1000.0], ratios=ratios)
    got = simulated.cells[0]
    assert got.mean() == pytest.approx(simulated.expected_bookings[0], rel=0.02)
    parts = simulated.winning + simulated.closing + simulated.shared
    assert got.var() == pytest.approx(parts[0], rel=0.03)
    assert simulated.closing[0] > 0


def test_p50_by_outcome_is_that_of_the_other_deals_where_nothing_is_shared() -> None:
    simulated = play(np.tile([[0.3], [0.9], [0.2]], DRAWS), [100.0, 10.0, 1.0])
    won, lost = p50_by_outcome(simulated, simulated.cells[0])
    assert (won[0], lost[0]) == (110.0, 10.0)


def test_p50_by_outcome_leaves_the_other_deals_as_they_are() -> None:
    world = np.where(np.arange(DRAWS) % 2, 0.95, 0.05)
    simulated = play(np.stack([world, world]), [1.0, 100.0])
    won, lost = p50_by_outcome(simulated, simulated.cells[0])
    # The other deal is won in just about half of the worlds, whichever way the first one went.
    assert won[0] - lost[0] == 1


def test_what_breaks_a_quarter_is_the_large_deal() -> None:
    simulated = play(np.tile([[0.6], [0.5], [0.5]], DRAWS), [100.0, 2.0, 1.0])
    total = simulated.cells[0] + 50
    found = what_breaks(simulated, total, np.zeros(DRAWS), np.array(["A", "B", "C"]), 0.2)
    below = found[found["side"] == "below"].iloc[0]
    assert (below["source"], below["deal_id"], below["there"]) == ("deal", "A", 0)
    assert below["usual"] == pytest.approx(0.6, abs=0.01)


def test_sums_are_exact_in_any_order() -> None:
    rng = np.random.default_rng(5)
    worth = list(np.exp(rng.normal(10, 2, 1500)) / 3)
    ratios = draw_ratios(ClosingAmounts(deals=50, changed=20, mean=0.1, variance=0.1), draws=200, seed=3)
    parts = play(np.full((1, 200), 0.4), worth, cells=7, ratios=ratios).cells
    whole = play(np.full((1, 200), 0.4), worth, ratios=ratios).cells[0]
    for order in (range(7), reversed(range(7)), (3, 0, 6, 1, 5, 2, 4)):
        total = np.zeros(200)
        for cell in order:
            total += parts[cell]
        assert (total == whole).all()


def test_a_random_stream_depends_on_the_id_and_the_seed_alone() -> None:
    one, two = (
        random_streams(stream_keys(["A", "B", "C"]), 50, seed=1),
        random_streams(stream_keys(["C", "A"]), 80, seed=1),
    )
    assert (one[[2, 0]] == two[:, :50]).all()
    assert not (one == random_streams(stream_keys(["A", "B", "C"]), 50, seed=2)).any()
    assert abs(np.corrcoef(random_streams(stream_keys(["A", "B"]), 20_000, seed=1))[0, 1]) < 0.03


def test_no_deal_is_no_money() -> None:
    simulated = play(np.full((1, 10), 0.5), [])
    assert simulated.cells.sum() == 0
    assert variance_shares(simulated, np.zeros(10))[1]["share"].sum() == 0


def test_more_luck_for_each_posterior_draw_is_another_seed_of_the_same_quarter() -> None:
    world = np.where(np.arange(2000) % 2, 0.9, 0.1)[None]
    once, often = play(world, [2.0, 3.0]), play(world, [2.0, 3.0], luck=8)
    assert often.cells.shape == (1, 16_000)
    assert (often.cells[0][:2000] == once.cells[0]).all()
    assert often.cells[0].mean() == pytest.approx(2.5, abs=0.03)
    assert often.cells[0].var() == pytest.approx(13 * 0.09 + 25 * 0.16, rel=0.03)
    for name in ("expected_bookings", "winning", "closing", "shared"):
        np.testing.assert_array_equal(getattr(often, name), getattr(once, name))


def test_sums_with_luck_are_exact_and_a_ratio_belongs_to_its_posterior_draw() -> None:
    ratios = draw_ratios(ClosingAmounts(deals=50, changed=50, mean=0.1, variance=0.1), draws=300, seed=3)
    parts = play(np.full((1, 300), 0.4), [1 / 3, 20.0, 7.0], cells=3, ratios=ratios, luck=3).cells
    whole = play(np.full((1, 300), 0.4), [1 / 3, 20.0, 7.0], ratios=ratios, luck=3)
    assert (parts.sum(axis=0) == whole.cells[0]).all()
    assert whole.cells[0].mean() == pytest.approx(whole.expected.mean(), rel=0.1)


@pytest.mark.parametrize("luck", [1, 4])
def test_the_error_of_a_median_is_that_of_the_theory(luck: int) -> None:
    # The median of n independent standard normal draws has the standard error sqrt(pi / 2n).
    errors = [quantile_error(np.random.default_rng(seed).standard_normal(4000), 0.5, luck) for seed in range(40)]
    assert np.mean(errors) == pytest.approx(np.sqrt(np.pi / 8000), rel=0.1)
    shared = np.tile(np.random.default_rng(1).standard_normal(1000), 4)
    assert quantile_error(shared, 0.5, 4) > 1.5 * quantile_error(shared, 0.5)
    assert quantile_error(np.full(100, 3.0), 0.5) == 0
