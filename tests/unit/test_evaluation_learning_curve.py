"""How many more deals would halve the intervals: where widths follow a power, what that power says."""

from __future__ import annotations

import pandas as pd
import pytest

from winprob.evaluation.learning_curve import deals_to_halve


def curve(exponent: float) -> pd.DataFrame:
    sizes = [0, 10, 30, 80, 200]
    widths = [max(size, 1) ** -exponent for size in sizes]
    return pd.DataFrame({"deals": sizes, "model": "winprob", "interval_width": widths})


@pytest.mark.parametrize(("exponent", "more"), [(0.5, 900), (1.0, 300), (0.25, 4500)])
def test_a_width_that_falls_by_a_power_needs_as_many_as_the_power_says(exponent, more):
    assert deals_to_halve(curve(exponent), 300) == more


def test_where_a_hundred_times_the_deals_would_not_do_no_number_is_given():
    assert deals_to_halve(curve(0.14), 300) is None


def test_one_size_tells_no_trend():
    assert deals_to_halve(curve(0.5).head(3), 300) is None
