"""The number of deals that would halve the intervals, under a power law of their width."""

from __future__ import annotations

import pandas as pd
import pytest

from winprob.evaluation.learning_curve import deals_to_halve


def curve(exponent: float) -> pd.DataFrame:
    sizes = [0, 10, 30, 80, 200]
    widths = [max(size, 1) ** -exponent for size in sizes]
    return pd.DataFrame({"deals": sizes, "model": "winprob", "interval_width": widths})


@pytest.mark.parametrize(("exponent", "more"), [(0.5, 900), (1.0, 300), (0.25, 4500)])
def test_the_number_of_deals_follows_the_power_law_of_the_width(exponent, more):
    assert deals_to_halve(curve(exponent), 300) == more


def test_where_a_hundred_times_the_deals_would_not_do_no_number_is_given():
    assert deals_to_halve(curve(0.14), 300) is None


def test_one_size_has_no_trend():
    assert deals_to_halve(curve(0.5).head(3), 300) is None
