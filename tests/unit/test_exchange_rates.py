"""Rates: which one counts on a day, which way round it is, and what is wrong with a table."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from winprob.data.exchange_rates import rates_for
from winprob.data.tables import read_rates
from winprob.errors import ForecastError

DAY = dt.date(2026, 8, 1)


def written(folder: Path, text: str) -> Path:
    path = folder / "rates.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_latest_rate_at_or_before_the_day_counts(tmp_path: Path) -> None:
    table = read_rates(
        written(tmp_path, "currency,rate,from\nUSD,7.0,2026-01-01\nUSD,7.2,2026-07-01\nUSD,9,2026-08-02\n")
    )
    usd = rates_for(table, ["USD"], "CNY", DAY)["USD"]
    assert (usd.rate, usd.day) == (7.2, dt.date(2026, 7, 1))
    assert set(rates_for(table, ["USD"], "CNY", dt.date(2025, 12, 31))) == {"CNY"}


def test_a_rate_that_has_ended_does_not_count(tmp_path: Path) -> None:
    table = read_rates(written(tmp_path, "currency,rate,from,to\nUSD,7.0,2026-01-01,2026-03-31\n"))
    assert "USD" in rates_for(table, ["USD"], "CNY", dt.date(2026, 3, 31))
    assert "USD" not in rates_for(table, ["USD"], "CNY", DAY)


def test_a_conversion_rate_is_the_other_way_round(tmp_path: Path) -> None:
    text = "IsoCode,ConversionRate,StartDate,NextStartDate\nUSD,1,2026-01-01,\nEUR,0.8,2026-01-01,2026-08-01\n"
    text += "EUR,0.5,2026-08-01,9999-12-31\nCNY,8,2026-01-01,\n"
    table = read_rates(written(tmp_path, text.replace("9999-12-31", "2099-12-31")))
    assert rates_for(table, ["EUR"], "USD", dt.date(2026, 7, 31))["EUR"].rate == pytest.approx(1.25)
    assert rates_for(table, ["EUR"], "USD", DAY)["EUR"].rate == pytest.approx(2)
    # Into a currency that is not the corporate one, rates cross.
    assert rates_for(table, ["EUR", "USD"], "CNY", DAY)["EUR"].rate == pytest.approx(16)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ForecastError) as told:
        read_rates(written(tmp_path, "currency,rate,from\nUSD,-7,2026-01-01\nDollar,7,soon\n"))
    assert all(part in str(told.value) for part in ("'currency'", "'rate'", "'from'", "Dollar", "soon", "-7"))


def test_rates_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ForecastError, match="USD has two different rates from 2026-01-01"):
        read_rates(written(tmp_path, "currency,rate,from\nUSD,7,2026-01-01\nUSD,8,2026-01-01\n"))


def test_a_table_without_its_columns_says_which(tmp_path: Path) -> None:
    with pytest.raises(ForecastError, match="no column is from, rate"):
        read_rates(written(tmp_path, "currency,value\nUSD,7\n"))
