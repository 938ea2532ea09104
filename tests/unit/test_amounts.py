"""Closing amounts relative to recorded ones: sufficient statistics and posterior predictive draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winprob.data.schema import validate_deals
from winprob.model.amounts import ClosingAmounts, draw_ratios, learn_closing_amounts


def won(amounts: list[float], closed: list[float], ids: list[str] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame({"amount": amounts, "closed_amount": closed, "outcome": "won"})
    frame.insert(0, "deal_id", ids or [f"D{at}" for at in range(len(frame))])
    return validate_deals(frame.assign(as_of=pd.date_range("2026-01-01", periods=len(frame))))


def test_the_share_that_changed_and_its_log_ratio_are_counted() -> None:
    learned = learn_closing_amounts(won([100] * 12, [100, 50, 200, 100] * 3))
    assert learned is not None
    assert (learned.deals, learned.changed, learned.mean) == (12, 6, 0)
    assert learned.variance == pytest.approx(np.log(2) ** 2)


def test_a_deal_read_often_counts_once() -> None:
    learned = learn_closing_amounts(won([100] * 6, [100, 100, 100, 100, 50, 50], ["A", "B", "C", "D", "E", "E"]))
    assert learned is not None
    assert (learned.deals, learned.changed) == (5, 1)


def test_the_ratio_of_fewer_than_five_deals_is_not_stored() -> None:
    learned = learn_closing_amounts(won([100] * 8, [100, 100, 100, 100, 37, 37, 37, 37]))
    assert learned is not None
    assert (learned.changed, learned.mean, learned.variance) == (4, 0, 0.25**2)
    assert learn_closing_amounts(won([100] * 4, [37] * 4)) is None


def test_without_closing_amounts_every_amount_is_taken_as_recorded() -> None:
    assert learn_closing_amounts(won([100], [np.nan])) is None
    assert learn_closing_amounts(won([100], [100]).drop(columns="closed_amount")) is None
    assert draw_ratios(None, draws=10, seed=1) is None


def test_ratios_have_their_stated_moments() -> None:
    ratios = draw_ratios(ClosingAmounts(deals=200, changed=80, mean=-0.1, variance=0.04), draws=400, seed=1)
    assert ratios is not None
    uniforms = np.random.default_rng(2).random((2000, 400))
    drawn = ratios.at(uniforms.ravel(), np.broadcast_to(np.arange(400), uniforms.shape).ravel()).reshape(uniforms.shape)
    np.testing.assert_allclose(drawn.mean(axis=0), ratios.mean, atol=0.02)
    np.testing.assert_allclose((drawn**2).mean(axis=0), ratios.mean_square, atol=0.04)
    assert ratios.unchanged.mean() == pytest.approx(0.6, abs=0.01)
    # The mean of a log-normal under the prior of two pseudo-observations: exp(m + v / 2) of the changed ones.
    assert ratios.mean.mean() == pytest.approx(0.6 + 0.4 * np.exp(-0.1 + 0.04 / 2), abs=0.01)
