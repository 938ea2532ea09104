from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from winprob.data.tables.values.columns import parse_days, parse_numbers

DAYS = st.dates(date(1970, 1, 1), date(2099, 12, 31))
WRITTEN = (
    "{0:%Y-%m-%d}", "{0.year}/{0.month}/{0.day}", "{0.year}年{0.month}月{0.day}日", "{0:%d.%m.%Y}", "{0:%Y%m%d}",
    "{0.year}.{0.month}.{0.day}", "{0.day} {0:%b} {0.year}", "{0:%B} {0.day}, {0.year}", "{0:%Y-%m-%dT%H:%M:%S}Z",
    "{0:%Y-%m-%d} 09:30:00.000+0800", "{0:%Y/%m/%d} 9:30",
)  # fmt: skip


@given(day=DAYS, form=st.sampled_from(WRITTEN))
def test_a_day_reads_back_however_it_is_written(day: date, form: str) -> None:
    parsed = parse_days(pd.Series([form.format(day)]))
    assert not parsed.refused.any()
    assert parsed.read[0] == pd.Timestamp(day)


@given(day=DAYS)
def test_excel_serials(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    assert parse_days(pd.Series([f"{serial}", f"{serial}.75"])).read.tolist() == [pd.Timestamp(day)] * 2 or serial < 1e4


def test_full_width_and_blank_days() -> None:
    parsed = parse_days(pd.Series(["2026年6月30日", "", None, "未知", "-", "n/a"]))
    assert parsed.read[0] == pd.Timestamp(2026, 6, 30)
    assert parsed.read[1:].isna().all()
    assert not parsed.refused.any()


@pytest.mark.parametrize(
    "word", ["2026-02-30", "31/02/2026", "soon", "2026-06", "1/2/26", "12", "31.31.2026", "5 Foo 2026"]
)
def test_what_is_no_day(word: str) -> None:
    parsed = parse_days(pd.Series([word, "2026-01-01"]))
    assert parsed.refused.tolist() == [True, False]
    assert parsed.read.isna().tolist() == [True, False]


def test_the_column_tells_day_from_month() -> None:
    day_first = parse_days(pd.Series(["03/04/2026", "13/04/2026"]))
    assert day_first.read.tolist() == [pd.Timestamp(2026, 4, 3), pd.Timestamp(2026, 4, 13)]
    month_first = parse_days(pd.Series(["03/04/2026", "04/13/2026"]))
    assert month_first.read[0] == pd.Timestamp(2026, 3, 4)
    assert parse_days(pd.Series(["03/04/2026", "05/05/2026"])).refused.tolist() == [True, False]
    assert parse_days(pd.Series(["03/04/2026", "13/04/2026", "04/13/2026"])).refused.tolist() == [True, False, False]
    assert parse_days(pd.Series(["03/04/2026"]), day_first=True).read[0] == pd.Timestamp(2026, 4, 3)
    assert parse_days(pd.Series(["03/04/2026"]), day_first=False).read[0] == pd.Timestamp(2026, 3, 4)


@given(st.floats(min_value=-1e15, max_value=1e15, allow_nan=False))
@example(1.125)
def test_plain_numbers_read_back(number: float) -> None:
    # With three decimals a number alone may be thousands: it is asked for, and read where another cell settles it.
    alone = parse_numbers(pd.Series([repr(number)]))
    assert alone.read[0] == number or alone.refused[0]
    assert parse_numbers(pd.Series([repr(number), "0.25"])).read[0] == number


@given(st.integers(0, 10**12))
def test_grouped_numbers_read_back(number: int) -> None:
    parsed = parse_numbers(pd.Series([f"{number:,}", f"¥{number:,}", f"{number:,}.00", f"({number:,})"]))
    assert parsed.read.tolist() == [number, number, number, -number]


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_european_numbers_read_back(whole: int, cents: int) -> None:
    written = f"{whole:,}.{cents:02}".translate(str.maketrans(",.", ".,"))
    parsed = parse_numbers(pd.Series([written, f"{written} €", "17,25"]))
    assert parsed.read.tolist()[:2] == [float(f"{whole}.{cents:02}")] * 2


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("¥3.5亿", 3.5e8),
        ("1,200万", 1.2e7),
        ("1,200 万元", 1.2e7),
        ("₹12,34,567", 1_234_567),
        ("3亿5000万", 3.5e8),
        ("300万元", 3e6),
        ("人民币 12.5万", 125_000),
        ("¥1,200", 1200),
        ("１２００", 1200),
        ("62%", 0.62),
        ("62.5 %", 0.625),
        ("1.5M", 1.5e6),
        ("$2.5 bn", 2.5e9),
        ("80k", 80_000),
        ("USD 1,000", 1000),
        ("1'200'000", 1.2e6),
        ("1 200 000", 1.2e6),
        ("-¥5", -5),
        ("−5.5", -5.5),
        ("1e3", 1000),
        (".5", 0.5),
        ("inf", np.inf),
        ("-Infinity", -np.inf),
    ],
)
def test_numbers_met_in_the_wild(word: str, number: float) -> None:
    parsed = parse_numbers(pd.Series([word]))
    assert not parsed.refused.any()
    assert parsed.read[0] == pytest.approx(number, rel=1e-15)


@pytest.mark.parametrize(
    "word", ["many", "12 apples", "1,2,3", "1_000", "0x1A", "1.2.3", "¥", "10-20", "--5", "12²", "½", "١٢٣", "True"]
)
def test_what_is_no_number(word: str) -> None:
    parsed = parse_numbers(pd.Series([word]))
    assert parsed.refused.tolist() == [True]
    assert parsed.read.isna().all()


def test_blank_numbers() -> None:
    parsed = parse_numbers(pd.Series(["", None, " ", "-", "NaN", "未知", "N/A", "#N/A"]))
    assert parsed.read.isna().all()
    assert not parsed.refused.any()


def test_the_column_tells_point_from_comma() -> None:
    assert parse_numbers(pd.Series(["1.234", "12,5"])).read.tolist() == [1234.0, 12.5]
    assert parse_numbers(pd.Series(["1.234", "12.5"])).read.tolist() == [1.234, 12.5]
    assert parse_numbers(pd.Series(["1,234", "12.5"])).read.tolist() == [1234.0, 12.5]
    assert parse_numbers(pd.Series(["1,234", "12.5", "12,5"])).refused.tolist() == [True, False, False]


def test_typed_columns_pass() -> None:
    assert parse_numbers(pd.Series([1, 2])).read.tolist() == [1.0, 2.0]
    assert parse_days(pd.Series(pd.to_datetime(["2026-01-01 10:00"]))).read[0] == pd.Timestamp(2026, 1, 1)
    assert parse_days(pd.Series(pd.to_datetime(["2026-01-01 10:00"], utc=True))).read[0] == pd.Timestamp(2026, 1, 1)
