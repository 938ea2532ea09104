"""What a forecast does not count, and how it reports it: overdue deals, and deals that were read only later."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from winprob import Posterior, bridge_forecasts, forecast_quarter, predict
from winprob.errors import ForecastError
from winprob.i18n import use_language
from winprob.quarter import LINES, forecast_sentences

DAY = dt.date(2026, 8, 1)


def deals(**columns: list[object]) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    facts = {"outcome": "open", "amount": 100.0, "currency": "CNY", "opened_on": "2026-01-05", "as_of": str(DAY)}
    return pd.DataFrame({"deal_id": [f"D{at}" for at in range(rows)], **facts, **columns})


def test_a_deal_overdue_from_an_earlier_quarter_is_reported_apart_with_amount_and_chance(posterior: Posterior) -> None:
    table = deals(expected_close_on=["2025-08-25", "2026-09-25", "2027-03-25"], amount=[100.0, 50.0, 25.0])
    made = forecast_quarter(posterior, table, "2026Q3", as_of=DAY)
    chance = predict(posterior, table)["mean"]
    by_end = made.deals.set_index("deal_id")["by_end"]
    assert by_end["D0"] == 0
    assert by_end["D1"] == pytest.approx(chance[1])
    assert made.draws["total"].max() <= 50
    (row,) = made.left_out.to_dict("records")
    assert (row["deals"], row["amount"], row["counted"], row["first_deal"]) == (1, 100.0, False, "D0")
    assert row["expected"] == pytest.approx(100 * chance[0], rel=1e-5)
    text = " ".join(forecast_sentences(made))
    assert "if the seller's close date is in the quarter, and not at all otherwise" in text
    assert "Not in this quarter's number (open, and the seller's date is before the quarter" in text
    assert f"1 deals of 100 CNY, {100 * chance[0]:.0f} CNY weighted by the chance of an eventual win, first D0" in text
    parts = sum(made.draws[line] for line in LINES[:-1])
    np.testing.assert_array_equal(parts, made.draws["total"])
    assert made.seller_rollup["deals"].sum() == 0
    assert made.stage_weighted < 50


def test_a_date_missed_within_the_running_quarter_still_counts(posterior: Posterior) -> None:
    table = deals(expected_close_on=["2026-07-20"])
    made = forecast_quarter(posterior, table, "2026Q3", as_of=DAY)
    assert made.deals["by_end"].iloc[0] == pytest.approx(predict(posterior, table)["mean"][0])
    assert "Included (open, and the seller's date has passed): 1 deals, first D0." in forecast_sentences(made)


def test_deals_without_the_sellers_date_are_reported(posterior: Posterior) -> None:
    some = forecast_quarter(posterior, deals(expected_close_on=["2026-09-25", None]), "2026Q3", as_of=DAY)
    assert "Not in this quarter's number (open, without the seller's date" in " ".join(forecast_sentences(some))
    none = forecast_quarter(posterior, deals(amount=[100.0, 50.0]), "2026Q3", as_of=DAY)
    assert (none.deals["by_end"] > 0).all()
    text = " ".join(forecast_sentences(none))
    assert "Included (open, in a table without the sellers' dates" in text
    assert "no open deal has the seller's close date: each counts" in text


def test_a_day_before_the_first_reading_is_refused_with_the_day_to_name(posterior: Posterior) -> None:
    table = deals(amount=[100.0, 50.0])
    expected = "none of the 2 deals was known on 2026-07-31: their first reading \\('as_of'\\) is of 2026-08-01"
    with pytest.raises(ForecastError, match=expected):
        forecast_quarter(posterior, table, "2026Q3", as_of=dt.date(2026, 7, 31))
    with pytest.raises(ForecastError, match="none of the 2 deals was known"):
        bridge_forecasts(posterior, table, table, "2026Q3", as_of_before=dt.date(2026, 7, 1))
    with use_language("zh"), pytest.raises(ForecastError, match="2026-08-01"):
        forecast_quarter(posterior, table, "2026Q3", as_of=dt.date(2026, 7, 31))


def test_deals_read_only_later_are_counted_and_reported(posterior: Posterior) -> None:
    table = deals(as_of=["2026-08-01", "2026-08-02", "2026-08-09"], amount=[100.0, 50.0, 25.0])
    made = forecast_quarter(posterior, table, "2026Q3", as_of=DAY)
    assert made.deals["deal_id"].tolist() == ["D0"]
    text = " ".join(forecast_sentences(made))
    assert "Excluded (not known on the day of the forecast, read only later): 2 deals, first D1." in text


def test_readings_without_a_day_are_known_on_every_day(posterior: Posterior) -> None:
    table = deals(as_of=[None, None], expected_close_on=["2026-09-25"] * 2)
    made = forecast_quarter(posterior, table, "2026Q3", as_of=dt.date(2026, 7, 1))
    assert len(made.deals) == 2


def test_amounts_left_out_are_not_added_up_across_currencies(posterior: Posterior) -> None:
    late = pd.Timestamp("2026-08-20")
    table = deals(
        outcome=["open", "won", "won", "open", "open"],
        currency=["CNY", "CNY", "EUR", "EUR", "CNY"],
        amount=[100.0, 10.0, 20.0, 30.0, 40.0],
        opened_on=["2026-01-05", "2026-01-05", "2026-01-05", late, late],
        as_of=[str(DAY)] * 3 + [None, None],
    )
    bare = forecast_quarter(posterior, table, "2026Q3", as_of=DAY).left_out.set_index("reason")["amount"]
    assert bare.loc[["won, and no day of closing", "opened after the day of the forecast"]].isna().all()
    rates = pd.DataFrame({"currency": ["EUR"], "rate": [8.0], "valid_from": [pd.NaT], "valid_to": [pd.NaT]})
    counted = pd.concat([table, deals(currency=["EUR"]).assign(deal_id="D9")])
    priced = forecast_quarter(posterior, counted, "2026Q3", as_of=DAY, currency="CNY", rates=rates)
    sums = priced.left_out.set_index("reason")["amount"]
    wanted = {"won, and no day of closing": 170.0, "opened after the day of the forecast": 280.0}
    assert {reason: sums[reason] for reason in wanted} == wanted
