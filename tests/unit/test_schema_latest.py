"""Which reading of a deal counts now?"""

from __future__ import annotations

import pandas as pd

from winprob.data.schema import last_reading, latest_places

READINGS = pd.DataFrame(
    {
        "deal_id": ["A", "B", "A", "A", "C", "B"],
        "as_of": pd.to_datetime(["2026-03-01", "2026-01-01", None, "2026-02-01", None, "2026-01-01"]),
    }
)


def test_the_last_in_time_counts_and_one_without_a_date_before_any_other():
    """Of two on one day the later row."""
    assert latest_places(READINGS).tolist() == [0, 4, 5]


def test_without_dates_the_last_row_counts():
    assert latest_places(READINGS.drop(columns="as_of")).tolist() == [3, 4, 5]


def test_one_deals_reading_is_that_of_the_table():
    for place in latest_places(READINGS):
        row = READINGS.iloc[[place]]
        pd.testing.assert_frame_equal(last_reading(READINGS, row["deal_id"].iloc[0]), row)
