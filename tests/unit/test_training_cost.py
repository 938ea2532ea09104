"""What a fit will cost is reported before it begins, where the table is large."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from winprob.model.inference import cost_sentences
from winprob.model.inference.cost import LARGE, rough_seconds
from winprob.settings import SamplerSettings, Settings
from winprob.simulation import simulate


@pytest.fixture(scope="module")
def closed() -> pd.DataFrame:
    return simulate(LARGE, 1, seed=3).closed


def test_a_large_table_is_announced_with_rows_parameters_and_minutes(closed: pd.DataFrame) -> None:
    (sentence,) = cost_sentences(closed, Settings())
    rows, parameters, minutes = map(int, re.findall(r"\d+", sentence)[:3])
    assert rows == len(closed)
    assert parameters > 50
    assert minutes == max(round(rough_seconds(rows, Settings()) / 60), 1)


def test_a_small_table_is_not(closed: pd.DataFrame) -> None:
    assert list(cost_sentences(closed.head(LARGE - 1), Settings())) == []
    limited = Settings(sampler=SamplerSettings(most_deals=1000))
    assert list(cost_sentences(closed, limited)) == []


@pytest.mark.parametrize(("rows", "seconds"), [(300, 2.4), (10_000, 16.6), (30_000, 59.2)])
def test_the_rate_is_the_one_in_the_decision(rows: int, seconds: float) -> None:
    measured = Settings(sampler=SamplerSettings(chains=2, tune=300, draws=500))
    assert rough_seconds(rows, measured) == pytest.approx(seconds, rel=0.02)


def test_beyond_the_measured_sizes_the_time_grows_faster_than_the_rows() -> None:
    assert rough_seconds(50_000, Settings()) > 50_000 / 30_000 * rough_seconds(30_000, Settings())
