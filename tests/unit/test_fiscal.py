import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winprob.data.fiscal import find_quarter, next_quarter, previous_quarter, quarter_of, quarters_between
from winprob.errors import SettingsError
from winprob.settings import CalendarSettings, settings_from

DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2080, 1, 1))
CALENDARS = st.builds(
    CalendarSettings,
    fiscal_year_start_month=st.integers(1, 12),
    pattern=st.sampled_from(["months", "445", "454", "544"]),
    year_end_weekday=st.integers(0, 6),
    year_end=st.sampled_from(["last", "nearest"]),
)


@given(DAYS, CALENDARS)
def test_every_day_lies_in_the_quarter_found_for_it_and_quarters_join_without_a_gap(day, calendar):
    quarter = quarter_of(day, calendar)
    assert day in quarter
    assert 1 <= quarter.week_of(day) <= quarter.weeks
    after = next_quarter(quarter, calendar)
    assert after.start == quarter.end + dt.timedelta(days=1)
    assert previous_quarter(after, calendar) == quarter


@given(DAYS, CALENDARS)
def test_a_quarter_is_found_by_the_name_it_prints(day, calendar):
    quarter = quarter_of(day, calendar)
    assert find_quarter(quarter.name, calendar) == quarter


@given(DAYS, st.integers(1, 12), st.integers(0, 6), st.sampled_from(["last", "nearest"]))
def test_years_of_weeks_end_where_pandas_ends_them(day, month, weekday, year_end):
    calendar = CalendarSettings(
        fiscal_year_start_month=month, pattern="445", year_end_weekday=weekday, year_end=year_end
    )
    theirs = pd.tseries.offsets.FY5253Quarter(
        startingMonth=(month - 2) % 12 + 1, weekday=weekday, variation=year_end, qtr_with_extra_week=4
    )
    assert quarter_of(day, calendar).end == theirs.rollforward(pd.Timestamp(day)).date()


@given(DAYS, st.integers(1, 12))
def test_quarters_by_months_are_those_of_pandas(day, month):
    period = pd.Period(day, freq=f"Q-{dt.date(2000, (month - 2) % 12 + 1, 1):%b}".upper())
    quarter = quarter_of(day, CalendarSettings(fiscal_year_start_month=month))
    assert (quarter.start, quarter.end) == (period.start_time.date(), period.end_time.date())


@pytest.mark.parametrize("name", ["2026Q4", "2026 Q4", "Q4 2026", "2026-q4", "FY26 Q4", "FY2026Q4"])
def test_a_calendar_quarter_has_many_spellings(name):
    assert find_quarter(name, CalendarSettings()).start == dt.date(2026, 10, 1)


def test_a_fiscal_year_is_named_after_the_year_in_which_it_ends():
    calendar = CalendarSettings(fiscal_year_start_month=2)
    assert find_quarter("FY27 Q2", calendar).start == dt.date(2026, 5, 1)
    assert find_quarter("2026Q2", calendar).start == dt.date(2026, 5, 1)
    assert quarter_of(dt.date(2027, 1, 31), calendar).name == "FY27 Q4"


def test_a_table_of_quarters_is_followed_to_the_day():
    calendar = settings_from(
        {"calendar": {"names": ["H1a", "H1b"], "starts": ["2026-01-01", "2026-02-15", "2026-07-01"]}}
    ).calendar
    assert quarter_of(dt.date(2026, 2, 15), calendar).name == "H1b"
    assert find_quarter("h1a", calendar).end == dt.date(2026, 2, 14)
    with pytest.raises(SettingsError, match="outside the calendar table"):
        quarter_of(dt.date(2026, 7, 1), calendar)
    with pytest.raises(SettingsError, match="it has H1a, H1b"):
        find_quarter("2026Q1", calendar)


def test_a_name_that_means_no_quarter_is_refused_with_what_is_accepted():
    with pytest.raises(SettingsError, match="2026Q4, FY27 Q2"):
        find_quarter("2026Q5", CalendarSettings())


@pytest.mark.parametrize(
    "wrong",
    [
        {"pattern": "454 "},
        {"year_end": "first"},
        {"year_end_weekday": 7},
        {"names": ["A"], "starts": ["2026-01-01"]},
        {"names": ["A"], "starts": ["2026-01-01", "2025-01-01"]},
        {"names": ["A"], "starts": ["2026-01-01", "soon"]},
    ],
)
def test_a_calendar_that_cannot_be_is_refused(wrong):
    with pytest.raises(SettingsError, match="calendar"):
        settings_from({"calendar": wrong})


def test_quarters_between_two_days_are_all_there():
    quarters = quarters_between(dt.date(2025, 11, 5), dt.date(2026, 7, 1), CalendarSettings())
    assert [quarter.name for quarter in quarters] == ["2025Q4", "2026Q1", "2026Q2", "2026Q3"]
