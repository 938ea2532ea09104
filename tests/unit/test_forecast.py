"""The quarter's forecast of a table: pipeline, exclusions, groups, refusals, bridge, log and track record."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri

from winprob.data.schema import validate_deals
from winprob.errors import ForecastError, InputError, SettingsError
from winprob.i18n import use_language
from winprob.model.amounts import ClosingAmounts
from winprob.model.arrivals import learn_arrivals
from winprob.model.correction import Correction
from winprob.model.hazards import learn_hazards
from winprob.model.posterior import Posterior
from winprob.model.prediction import predict
from winprob.quarter import (
    LINES,
    Forecast,
    append_forecast,
    bridge,
    bridge_forecasts,
    bridge_sentences,
    calibrate_deals,
    forecast_quarter,
    forecast_sentences,
    movers_of,
    read_forecasts,
    score_forecasts,
    summarise_track_record,
    track_record_sentences,
)
from winprob.quarter.outcome import Outcome
from winprob.quarter.simulation import on_grain
from winprob.settings import Settings
from winprob.simulation import Pipeline, simulate_pipeline

DAY = dt.date(2026, 8, 1)
BEFORE = dt.date(2026, 7, 18)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return simulate_pipeline(seed=3, quarters=8)


@pytest.fixture(scope="module")
def now(pipeline: Pipeline) -> pd.DataFrame:
    return pipeline.known_on(DAY)


@pytest.fixture(scope="module")
def dated(posterior: Posterior, pipeline: Pipeline, now: pd.DataFrame) -> Posterior:
    """The hand-made win model, with a time to close and arrivals learned from a simulated pipeline."""
    ended = now.set_index("deal_id")
    read = pipeline.known_on(dt.date(2025, 10, 1))
    read = read[read["outcome"] == "open"].copy()
    for name in ("outcome", "closed_on"):
        read[name] = read["deal_id"].map(ended[name])
    hazards = learn_hazards(validate_deals(read), Settings(), draws=1000, seed=1)
    assert hazards is not None
    return replace(posterior, hazards=hazards, arrivals=learn_arrivals(validate_deals(now), Settings().calendar))


@pytest.fixture(scope="module")
def made(dated: Posterior, now: pd.DataFrame) -> Forecast:
    return forecast_quarter(dated, now, "2026Q3", target=5e7, by="region")


def small(**columns: list[object]) -> pd.DataFrame:
    """A few deals of one quarter, 2026Q3."""
    rows = max(len(values) for values in columns.values())
    plain = {"as_of": "2026-08-01", "expected_close_on": "2026-09-01", "amount": 100.0, "outcome": "open"}
    frame = pd.DataFrame({"deal_id": [f"D{at}" for at in range(rows)], **{n: [v] * rows for n, v in plain.items()}})
    return frame.assign(**columns)


def test_lines_are_the_contracts_and_parts_sum_to_the_total_in_every_draw(made: Forecast) -> None:
    assert list(made.lines) == ["line", "p10", "p50", "p90", "mean", "prob_target"]
    assert tuple(made.lines["line"]) == LINES == tuple(made.draws)
    for order in (LINES[:-1], LINES[-2::-1]):
        total = np.zeros(len(made.draws["total"]))
        for line in order:
            total += made.draws[line]
        assert (total == made.draws["total"]).all()
    assert made.lines["prob_target"].iloc[-1] == (made.draws["total"] >= 5e7).mean()


def test_groups_add_up_to_the_lines_exactly(made: Forecast) -> None:
    assert made.groups is not None
    sums = {line: sum(v for (_, name), v in made.group_draws.items() if name == line) for line in LINES}
    assert all((sums[line] == made.draws[line]).all() for line in LINES)
    assert list(made.groups) == ["region", *made.lines]


def test_the_order_of_rows_changes_nothing(dated: Posterior, now: pd.DataFrame, made: Forecast) -> None:
    mixed = now.sample(frac=1, random_state=1)
    again = forecast_quarter(dated, mixed, "2026Q3", target=5e7, by="region")
    pd.testing.assert_frame_equal(again.lines, made.lines)
    pd.testing.assert_frame_equal(again.deals, made.deals)


def test_deals_carry_what_the_report_shows(made: Forecast) -> None:
    deals = made.deals
    assert made.dated
    assert (deals["by_end"] <= deals["win_prob"] + 1e-6).all()
    assert (deals["by_end"] + deals["slip_prob"].fillna(0) <= 1 + 1e-6).all()
    inside = deals["expected_close_on"] <= pd.Timestamp(made.quarter.end)
    assert deals["slip_prob"].notna().equals(inside)
    assert deals["expected_bookings"].is_monotonic_decreasing
    shares = made.shares.set_index("source")["share"]
    assert deals["variance_share"].sum() + shares["not_yet_created"] == pytest.approx(1)
    opened = [line for line in LINES if line in set(deals["line"])]
    mean = made.lines.set_index("line").loc[opened, "mean"].sum()
    assert deals["expected_bookings"].sum() == pytest.approx(mean, rel=0.05)


def test_a_quarter_to_come_takes_only_what_is_won_within_it(dated: Posterior, now: pd.DataFrame) -> None:
    this, later = (forecast_quarter(dated, now, name) for name in ("2026Q3", "2026Q4"))
    both = this.deals.merge(later.deals, on="deal_id")
    assert (both["by_end_x"] + both["by_end_y"] <= both["win_prob_x"] + 1e-6).all()
    assert later.lines.set_index("line").loc["closed", "mean"] == 0
    assert later.draws["not_yet_created"].mean() > this.draws["not_yet_created"].mean()


def test_without_a_model_of_time_the_sellers_date_decides_and_it_says_so(posterior: Posterior) -> None:
    deals = small(expected_close_on=["2026-09-01", "2026-12-01", None, "2026-05-01"])
    made = forecast_quarter(posterior, deals, "2026Q3")
    by_end = made.deals.set_index("deal_id")["by_end"]
    chance = predict(posterior, deals)["mean"]
    assert by_end["D0"] == pytest.approx(chance[0])
    assert (by_end["D1"], by_end["D2"], by_end["D3"]) == (0, 0, 0)
    assert not made.dated
    text = " ".join(forecast_sentences(made))
    assert "has no time to close" in text
    assert "taken as recorded" in text


def test_deals_won_in_the_quarter_count_at_what_they_closed_at(posterior: Posterior) -> None:
    deals = small(
        outcome=["won", "won", "won", "lost", "won"],
        closed_on=["2026-07-02", "2026-06-30", "2026-08-20", "2026-07-03", None],
        closed_amount=[120.0, 7.0, 9.0, 0.0, 5.0],
        expected_close_on=["2026-12-01"] * 5,
    )
    made = forecast_quarter(posterior, deals, "2026Q3", as_of=DAY)
    assert made.lines.set_index("line").loc["closed", "p50"] == 120
    # Closed after the day knowledge ends: open as known then.
    assert made.deals["deal_id"].tolist() == ["D2"]
    assert made.left_out["reason"].tolist() == ["won, and no day of closing"]


def test_readings_made_later_are_not_known(posterior: Posterior) -> None:
    early, late = small(amount=[100.0]), small(amount=[900.0]).assign(as_of="2026-09-01")
    made = forecast_quarter(posterior, pd.concat([early, late]), "2026Q3", as_of=DAY)
    assert made.deals["amount"].tolist() == [100]


def test_currencies_are_converted_and_reconcile(posterior: Posterior) -> None:
    deals = small(currency=["CNY", "USD", "CNY", None], amount=[70.0, 10.0, 7.0, 1.0])
    rates = pd.DataFrame(
        {"currency": ["USD"], "rate": [7.25], "valid_from": pd.to_datetime(["2026-01-01"]), "valid_to": pd.NaT}
    )
    made = forecast_quarter(posterior, deals, "2026Q3", rates=rates)
    assert made.currency == "CNY"
    assert made.deals.set_index("deal_id").loc["D1", "amount"] == 72.5
    result = made.reconciliation.set_index("currency")
    assert result.loc["total", "converted"] == 149.5 == result["converted"].iloc[:-1].sum()
    assert "1 USD = 7.25 CNY (2026-01-01)" in " ".join(forecast_sentences(made))
    assert made.left_out["reason"].tolist() == ["open, with an amount and no currency"]


def test_the_corporate_currency_of_the_rates_is_the_reports(posterior: Posterior) -> None:
    deals = small(
        deal_id=["a", "b", "c"], outcome=["won", "won", "won"], closed_on=["2026-07-05"] * 3,
        amount=[182.0, 364.0, 5.0], currency=["MXN", "MXN", "USD"], as_of=["2026-08-01"] * 3,
    )  # fmt: skip
    rates = pd.DataFrame(
        {"currency": ["MXN", "USD"], "rate": [1 / 18.2, 1.0], "valid_from": pd.NaT, "valid_to": pd.NaT}
    )
    rates.attrs["corporate"] = "USD"
    made = forecast_quarter(posterior, deals, "2026Q3", rates=rates)
    assert made.currency == "USD"
    assert made.reconciliation["converted"].iloc[-1] == pytest.approx(35)
    assert any("1 MXN = 0.0549451 USD (undated, for all days)" in sentence for sentence in forecast_sentences(made))
    assert forecast_quarter(posterior, deals, "2026Q3", rates=rates, currency="MXN").currency == "MXN"


def test_every_currency_without_a_rate_is_listed(posterior: Posterior) -> None:
    deals = small(currency=["CNY", "CNY", "USD", "EUR", "USD"])
    with pytest.raises(ForecastError) as result:
        forecast_quarter(posterior, deals, "2026Q3")
    assert "EUR: 1 deals, 100.00" in str(result.value)
    assert "USD: 2 deals, 200.00" in str(result.value)


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan"), float("inf")])
def test_a_target_that_makes_no_sense_is_refused(posterior: Posterior, target: float) -> None:
    with pytest.raises(ForecastError, match="the target is"):
        forecast_quarter(posterior, small(amount=[1.0]), "2026Q3", target=target)


def test_all_faults_are_listed_at_once(posterior: Posterior) -> None:
    with pytest.raises(ForecastError) as result:
        forecast_quarter(posterior, small(amount=[1.0]), "2026Q2", target=0.0, by="nope")
    assert all(part in str(result.value) for part in ("the target is 0.0", "2026Q2 ended on 2026-06-30", "'nope'"))


def test_nothing_at_all_is_refused_and_no_open_deal_is_not(posterior: Posterior) -> None:
    with pytest.raises(ForecastError, match=r"nothing to forecast .*open, without an amount: 2"):
        forecast_quarter(posterior, small(amount=[None, None]), "2026Q3")
    won = small(outcome=["won"], closed_on=["2026-07-02"])
    made = forecast_quarter(posterior, won, "2026Q3")
    assert (made.lines["p50"].iloc[-1], len(made.deals)) == (100, 0)
    with pytest.raises(SettingsError, match="not understood"):
        forecast_quarter(posterior, won, "next")
    with pytest.raises(ForecastError, match="--as-of"):
        forecast_quarter(posterior, won.drop(columns=["as_of", "closed_on"]), "2026Q3")


def test_the_sellers_rollup_is_kept_apart_and_unchanged(posterior: Posterior) -> None:
    deals = small(
        rep_category=["commit", "best_case", "most_likely", "pipeline", "omitted", None, "commit"],
        expected_close_on=["2026-09-01"] * 6 + ["2026-12-01"],
    )
    made = forecast_quarter(posterior, deals, "2026Q3")
    assert made.seller_rollup["bookings"].tolist() == [0, 100, 200, 100]
    assert made.seller_rollup["cumulative"].tolist() == [0, 100, 300, 400]
    lines = made.deals.set_index("deal_id")["line"].sort_index()
    assert lines.tolist() == [
        "commit",
        "best_case",
        "best_case",
        "pipeline",
        "uncategorised",
        "uncategorised",
        "commit",
    ]


def test_a_bridge_sums_exactly_and_names_its_deals(dated: Posterior, pipeline: Pipeline, now: pd.DataFrame) -> None:
    before = pipeline.known_on(BEFORE)
    made = bridge_forecasts(dated, now, before, "2026Q3", seed=4, seed_before=5)
    assert made.steps["amount"].sum() == made.p50_now - made.p50_before
    assert made.p50_before == forecast_quarter(dated, before, "2026Q3", seed=5).p50
    assert made.p50_now == forecast_quarter(dated, now, "2026Q3", seed=4).p50
    behind = made.deals.groupby("step")["deal_id"].agg(set)
    known = set(before["deal_id"])
    assert not behind["new"] & known
    assert behind["closed"] <= known
    was_open = before.loc[before["outcome"] == "open", "deal_id"]
    assert behind["closed"] <= set(was_open)
    assert "model changed +0" in bridge_sentences(made)[0]


def test_a_bridge_is_zero_where_nothing_changed(dated: Posterior, now: pd.DataFrame) -> None:
    made = bridge_forecasts(dated, now.sample(frac=1, random_state=2), now, "2026Q3")
    assert (made.steps["amount"] == 0).all()
    assert made.deals.empty


def test_rounding_of_single_precision_sums_is_not_a_change(
    dated: Posterior, pipeline: Pipeline, now: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vector units of other widths add float32 in another order; here every sum is off by up to four units."""
    before, exact, rng = pipeline.known_on(BEFORE), bridge.simulate_quarter, np.random.default_rng(8)

    def off(values: np.ndarray) -> np.ndarray:
        return values * (1 + np.finfo(np.float32).eps * rng.integers(-4, 5, values.shape))

    def rounded(*given: Any, **named: Any) -> Outcome:
        outcome = exact(*given, **named)
        simulated = replace(outcome.simulated, expected_bookings=off(outcome.simulated.expected_bookings))
        cells = {key: on_grain(off(draws), 2.0**-13) for key, draws in outcome.cells.items()}
        return replace(outcome, simulated=simulated, cells=cells)

    known = bridge_forecasts(dated, now, before, "2026Q3")
    monkeypatch.setattr(bridge, "simulate_quarter", rounded)
    same = bridge_forecasts(dated, now, now, "2026Q3", seed=1)
    assert same.deals.empty
    assert (same.steps["amount"].iloc[:-1] == 0).all()
    assert abs(same.steps["amount"].iloc[-1]) < 1e-6 * same.p50_now
    moved = bridge_forecasts(dated, now, before, "2026Q3")
    assert moved.steps["amount"].sum() == moved.p50_now - moved.p50_before
    for one, other in zip(*(made.deals.groupby("step")["deal_id"].agg(set) for made in (known, moved)), strict=True):
        assert one == other


def test_a_closed_quarter_is_inside_its_own_forecast_whatever_the_order_of_its_sum(
    tmp_path: Path, posterior: Posterior
) -> None:
    amounts = [0.1, 0.2, 0.3, 1e6 / 3]
    won = small(amount=amounts, outcome=["won"] * 4, closed_on=["2026-07-02"] * 4)
    made = forecast_quarter(posterior, won, "2026Q3", target=sum(reversed(amounts)))
    assert made.lines["prob_target"].iloc[-1] == 1
    append_forecast(tmp_path / "log", made)
    scores = score_forecasts(tmp_path / "log", won.iloc[::-1], as_of=dt.date(2026, 9, 30))
    assert scores[["inside_80", "reached"]].all(axis=None)


def test_another_model_and_another_seed_have_steps_of_their_own(dated: Posterior, now: pd.DataFrame) -> None:
    older = replace(dated, draws={**dated.draws, "intercept": dated.draws["intercept"] - 0.5})
    made = bridge_forecasts(dated, now, now, "2026Q3", posterior_before=older, seed_before=9)
    steps = made.steps.set_index("step")["amount"]
    assert steps["model_changed"] > 0
    assert steps["simulation_noise"] != 0
    assert (steps.drop(["model_changed", "simulation_noise"]) == 0).all()


def test_the_later_table_must_be_the_later_one(dated: Posterior, pipeline: Pipeline, now: pd.DataFrame) -> None:
    with pytest.raises(ForecastError, match="swap the two tables"):
        bridge_forecasts(dated, pipeline.known_on(BEFORE), now, "2026Q3")


def test_the_log_keeps_each_forecast_once_and_scores_it_later(
    tmp_path: Path, made: Forecast, pipeline: Pipeline, now: pd.DataFrame
) -> None:
    folder = tmp_path / "log"
    assert append_forecast(folder, made) == append_forecast(folder, made)
    append_forecast(folder, replace(made, target=9e9, lines=made.lines.assign(prob_target=0.0)))
    assert len(list(folder.iterdir())) == 2
    kept = read_forecasts(folder)
    assert kept["p50"].tolist() == [made.p50] * 2
    assert score_forecasts(folder, now).empty
    over = pipeline.known_on(dt.date(2026, 9, 30))
    scores = score_forecasts(folder, over)
    won = over[(over["outcome"] == "won") & (over["closed_on"] >= "2026-07-01")]
    assert scores["actual"].tolist() == [won["amount"].sum()] * 2
    assert scores["model_error"].iloc[0] == made.p50 - won["amount"].sum()
    assert scores["inside_80"].iloc[0] == (
        made.lines["p10"].iloc[-1] <= won["amount"].sum() <= made.lines["p90"].iloc[-1]
    )
    result = calibrate_deals(folder, over)
    assert result["deals"].sum() == 2 * len(made.deals)
    assert result["wins"].sum() == 2 * made.deals["deal_id"].isin(won["deal_id"]).sum()
    assert "too few" in list(track_record_sentences(scores))[-1]


def test_a_folder_that_is_not_a_log_is_refused(tmp_path: Path, now: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="not a folder of forecasts"):
        read_forecasts(tmp_path / "none")
    with pytest.raises(InputError, match="holds no forecast"):
        read_forecasts(tmp_path)
    now.to_parquet(tmp_path / "deals.parquet")
    with pytest.raises(InputError, match=r"not forecasts: deals\.parquet"):
        read_forecasts(tmp_path)


def test_movers_are_few_and_words_are_whole_in_both_languages(made: Forecast) -> None:
    movers = movers_of(made)
    assert 0 < len(movers) < len(made.deals) / 2
    assert (movers["amount"] > 0.05 * made.p50).all()
    with use_language("zh"):
        chinese = forecast_sentences(made)
    assert len(chinese) == len(forecast_sentences(made))
    assert not any("{" in line for line in chinese)


def test_a_saved_model_keeps_what_it_learned_of_arrivals_and_amounts(tmp_path: Path, dated: Posterior) -> None:
    whole = replace(dated, amounts=ClosingAmounts(deals=20.0, changed=8.0, mean=-0.1, variance=0.05))
    whole.save(tmp_path / "model.nc")
    loaded = Posterior.load(tmp_path / "model.nc")
    assert loaded.arrivals == whole.arrivals
    assert loaded.amounts == whole.amounts


@pytest.fixture(scope="module")
def corrected(dated: Posterior, now: pd.DataFrame) -> Forecast:
    correction = Correction(quarters=("a",) * 6, weeks=(1, 5, 10), location=(0.5,) * 3, spread=(1.5,) * 3)
    return forecast_quarter(replace(dated, correction=correction), now, "2026Q3", target=5e7)


def test_a_corrected_total_is_shown_next_to_the_raw_one_and_its_lines_stay_raw(
    made: Forecast, corrected: Forecast
) -> None:
    pd.testing.assert_frame_equal(corrected.lines, made.lines)
    got, total = corrected.corrected, made.draws["total"]
    assert got is not None
    assert made.corrected is None
    levels = [float((total <= amount).mean()) for amount in (got.p10, got.p50, got.p90)]
    np.testing.assert_allclose(levels, ndtr(0.5 + 1.5 * ndtri([0.1, 0.5, 0.9])), atol=1e-3)
    missed = ndtr((ndtri((total < 5e7).mean()) - 0.5) / 1.5)
    assert got.prob_target == pytest.approx(1 - missed, abs=1e-3)
    text = " ".join(forecast_sentences(corrected))
    assert "Corrected by the team's own 6 past quarters: P50" in text
    assert "Corrected by" not in " ".join(forecast_sentences(made))
    with use_language("zh"):
        assert "过去 6 个季度" in " ".join(forecast_sentences(corrected))


def test_a_quarter_that_no_replay_covers_is_not_corrected(dated: Posterior, now: pd.DataFrame) -> None:
    correction = Correction(quarters=("a",) * 6, weeks=(1,), location=(0.5,), spread=(1.5,))
    assert forecast_quarter(replace(dated, correction=correction), now, "2026Q4").corrected is None


def test_the_log_keeps_corrected_numbers_and_the_track_record_scores_both(
    tmp_path: Path, made: Forecast, corrected: Forecast, pipeline: Pipeline
) -> None:
    raw_path, path = append_forecast(tmp_path / "raw", made), append_forecast(tmp_path / "log", corrected)
    assert raw_path.name != path.name
    assert read_forecasts(tmp_path / "raw")["p50_corrected"].isna().all()
    assert corrected.corrected is not None
    assert read_forecasts(tmp_path / "log")["p50_corrected"].tolist() == [corrected.corrected.p50]
    append_forecast(tmp_path / "log", replace(made, seed=9))
    scores = score_forecasts(tmp_path / "log", pipeline.known_on(dt.date(2026, 9, 30)))
    row = scores[scores["corrected_error"].notna()].iloc[0]
    assert row["corrected_error"] == corrected.corrected.p50 - row["actual"]
    assert row["inside_80_corrected"] == (row["p10_corrected"] <= row["actual"] <= row["p90_corrected"])
    summary = summarise_track_record(scores).set_index("forecaster")
    assert summary["forecasts"].to_dict() == {
        "model": 2, "commit": 2, "stage_weighted": 2, "corrected": 1, "uncorrected": 1
    }  # fmt: skip
    assert "1 forecasts were corrected by past quarters" in " ".join(track_record_sentences(scores))


def test_sentences_round_simulated_money_to_what_luck_allows(made: Forecast) -> None:
    unit = 10 ** np.floor(np.log10(made.p50_error))
    shown = re.search(r"P50 ([\d,]+)", forecast_sentences(made)[0])
    assert shown is not None
    rounded = float(shown[1].replace(",", ""))
    assert rounded % unit == 0
    assert abs(rounded - made.p50) <= unit / 2 <= made.p50_error / 2
