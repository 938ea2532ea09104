"""Rates: which one counts on a day, which way round it is, and what is wrong with a table."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from winprob.data.exchange_rates import corporate_currency, rates_for
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
    with pytest.raises(ForecastError, match="no column is rate "):
        read_rates(written(tmp_path, "currency,value\nUSD,7\n"))


CURRENCY_TYPE = """"Id","IsoCode","ConversionRate","DecimalPlaces","IsActive","IsCorporate"
"01L1","MXN","18.2","2","1","0"
"01L2","USD","1","2","1","1"
"01L3","EUR","0.91","2","0","0"
"""


def test_salesforces_currency_types_hold_for_all_days_and_mark_the_corporate_one(tmp_path: Path) -> None:
    table = read_rates(written(tmp_path, CURRENCY_TYPE))
    assert corporate_currency(table) == "USD"
    for day in (DAY, dt.date(1999, 1, 1)):
        rates = rates_for(table, ["MXN", "EUR"], "USD", day)
        assert rates["MXN"].rate == pytest.approx(1 / 18.2)
        assert rates["EUR"].rate == pytest.approx(1 / 0.91)
        assert (rates["MXN"].day, rates["MXN"].since) == (None, "undated, for all days")
    assert rates_for(table, ["USD"], "MXN", DAY)["USD"].rate == pytest.approx(18.2)


def test_two_corporate_currencies_and_two_undated_rates_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(ForecastError, match="several currencies are marked as corporate: MXN, USD"):
        read_rates(written(tmp_path, CURRENCY_TYPE.replace('"1","0"', '"1","1"', 1)))
    with pytest.raises(ForecastError, match="USD has two different rates, and no column is from"):
        read_rates(written(tmp_path, "currency,rate\nUSD,7\nUSD,8\n"))


def test_a_rate_of_the_reports_own_currency_needs_a_base(tmp_path: Path) -> None:
    table = read_rates(written(tmp_path, "currency,rate,from\nUSD,7.2,2026-01-01\nCNY,2,2026-01-01\n"))
    with pytest.raises(ForecastError, match="CNY, the report's currency, has the rate 2"):
        rates_for(table, ["USD"], "CNY", DAY)
    table = read_rates(written(tmp_path, "currency,rate,from\nUSD,1,2026-01-01\nCNY,0.125,2026-01-01\n"))
    assert rates_for(table, ["USD"], "CNY", DAY)["USD"].rate == 8


@pytest.mark.parametrize(
    ("header", "rate"),
    [(header, rate) for header in ("rate", "ConversionRate") for rate in ("0", "inf", "-1", "nan", "soon", "")]
    + [("ConversionRate", "1e-320")],
)
def test_a_rate_without_a_finite_worth_is_refused(tmp_path: Path, header: str, rate: str) -> None:
    with pytest.raises(ForecastError, match="'rate' is not a number above 0 in 1 rows"):
        read_rates(written(tmp_path, f"currency,{header}\nUSD,{rate}\nEUR,1\n"))


@pytest.mark.parametrize(
    ("cells", "rates"),
    [
        (("7,25", "0,125"), (7.25, 0.125)),
        (("7,812", "0,125"), (7.812, 0.125)),
        (("7.812", "1"), (7.812, 1)),
        (("15,500", "7.2"), (15500, 7.2)),
        (("7,812", "1"), None),
        (("7,812", "1,1", "7.812"), None),
    ],
)
def test_a_comma_in_a_rate_is_read_where_it_is_clear(
    tmp_path: Path, cells: tuple[str, ...], rates: tuple[float, ...] | None
) -> None:
    codes = ("USD", "EUR", "GBP")
    text = "currency;rate\n" + "".join(f"{code};{cell}\n" for code, cell in zip(codes, cells, strict=False))
    if rates is None:
        with pytest.raises(ForecastError, match="clear, decimal or thousands"):
            read_rates(written(tmp_path, text))
    else:
        assert read_rates(written(tmp_path, text))["rate"].tolist() == pytest.approx(list(rates))
