"""Replay of past quarters: what was known then, what came, what is kept, sentences. All fits but one are stand-ins."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winprob.data.fiscal import find_quarter
from winprob.data.tables import read_rates
from winprob.errors import ForecastError, HistoryError, NotConvergedError
from winprob.i18n import use_language
from winprob.model import inference
from winprob.model.correction import learn_correction
from winprob.model.posterior import Posterior
from winprob.retrain.replay import Replay, replay_forecasts, replay_sentences
from winprob.retrain.replay.past import past_quarters, snapshots_of
from winprob.retrain.replay.replaying import REPLAY_COLUMNS, pit_of
from winprob.settings import CalendarSettings, Settings, settings_from
from winprob.simulation import Pace, Pipeline, simulate_pipeline

SETTINGS = settings_from({"evaluation": {"least_training": 5}})
FAST = settings_from(
    {
        "evaluation": {"least_training": 5},
        "refit": {
            "sampler": {"chains": 2, "tune": 100, "draws": 100, "thin": 1, "prior_draws": 100, "retry_draws": 200},
            "gates": {"r_hat": 2, "bulk_ess": 5, "tail_ess": 5, "divergent_share": 0.5, "bfmi": 0.01},
        },
    }
)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return simulate_pipeline(seed=4, quarters=8, pace=Pace(per_quarter=12))


@pytest.fixture(scope="module")
def history(pipeline: Pipeline) -> pd.DataFrame:
    """Every Monday's export, and that of the day after the last quarter."""
    days = [*pd.date_range(pipeline.first_day, pipeline.last_day, freq="W-MON").date, pipeline.last_day]
    return pd.concat([pipeline.known_on(day) for day in sorted(set(days))], ignore_index=True)


class Fits:
    """A stand-in for ``fit`` that gives the prior and notes the last day and the closed deals it was given."""

    def __init__(self, believed: Posterior) -> None:
        self.believed = believed
        self.seen: list[pd.Timestamp] = []
        self.fails = False

    def __call__(self, deals: pd.DataFrame, *, seed: int, settings: Settings, **more: pd.DataFrame) -> Posterior:
        if self.fails:
            raise NotConvergedError("no")
        self.seen.append(max(more["ends"]["as_of"].max(), more["ends"]["closed_on"].max()))
        return replace(self.believed, settings=settings)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch, believed: Posterior) -> Fits:
    stand_in = Fits(believed)
    monkeypatch.setattr(inference, "fit", stand_in)
    return stand_in


@pytest.fixture(scope="module")
def learned_on(believed: Posterior) -> Fits:
    return Fits(believed)


@pytest.fixture(scope="module")
def replay(learned_on: Fits, history: pd.DataFrame) -> Replay:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "fit", learned_on)
        return replay_forecasts(history, quarters=5, settings=SETTINGS)


def test_each_quarter_is_forecast_from_what_was_known_and_compared_with_what_came(
    replay: Replay, learned_on: Fits, pipeline: Pipeline
) -> None:
    table, calendar = replay.table, CalendarSettings()
    assert tuple(table) == REPLAY_COLUMNS
    assert table["week"].tolist() == [1, 5, 10] * 5
    deals = pipeline.deals
    for name, rows in table.groupby("quarter"):
        quarter = find_quarter(str(name), calendar)
        inside = deals["closed_on"].between(pd.Timestamp(quarter.start), pd.Timestamp(quarter.end))
        assert set(rows["actual"]) == {deals.loc[deals["won"] & inside, "amount"].sum()}
        since = [(day - quarter.start).days for day in rows["as_of"]]
        assert all(7 * (week - 1) - 6 <= day <= 7 * (week - 1) for week, day in zip((1, 5, 10), since, strict=True))
    starts = [find_quarter(str(name), calendar).start for name in table["quarter"].unique()]
    assert len(learned_on.seen) == 5
    assert all(day.date() <= start for day, start in zip(learned_on.seen, starts, strict=True))


def test_the_row_is_the_forecast_of_that_day_scored(replay: Replay) -> None:
    row = replay.table.iloc[4]
    assert row["model_error"] == row["p50"] - row["actual"]
    assert row["inside_80"] == (row["p10"] <= row["actual"] <= row["p90"])
    assert (row["pit"] < 0.1) == (row["actual"] < row["p10"])


def test_what_closes_later_changes_the_actual_and_not_the_forecast(
    fits: Fits, history: pd.DataFrame, replay: Replay, pipeline: Pipeline
) -> None:
    # The last export of the quarter's winner says another amount: what was forecast before does not know.
    quarter = find_quarter(replay.table["quarter"].iloc[-1], CalendarSettings())
    late = history["as_of"] == history["as_of"].max()
    won = (
        late & (history["outcome"] == "won") & (history["closed_on"] >= pd.Timestamp(quarter.start + dt.timedelta(80)))
    )
    assert won.any()
    again = replay_forecasts(
        history.assign(amount=history["amount"].mask(won, history["amount"] + 1e6)), quarters=5, settings=SETTINGS
    )
    columns = ["quarter", "week", "p10", "p50", "p90"]
    pd.testing.assert_frame_equal(again.table[columns], replay.table[columns])
    assert (again.table["actual"] > replay.table["actual"]).any()


def test_a_replay_that_was_stopped_goes_on_where_it_was(fits: Fits, history: pd.DataFrame, tmp_path: Path) -> None:
    folder = tmp_path / "keep" / "here"
    whole = replay_forecasts(history, quarters=3, settings=SETTINGS, keep=folder)
    files = sorted(folder.iterdir())
    assert len(files) == len(fits.seen) == 3
    files[1].unlink()
    files[2].write_bytes(files[2].read_bytes()[:100])
    again = replay_forecasts(history, quarters=3, settings=SETTINGS, keep=folder)
    assert len(fits.seen) == 5
    pd.testing.assert_frame_equal(again.table, whole.table)
    # Three quarters are too few to correct by.
    assert again.correction is None
    assert again.table["p50_corrected"].isna().all()
    assert "No correction: 3 quarters were replayed, and 4 are needed." in replay_sentences(again)


def test_what_was_kept_depends_on_data_settings_and_seed_but_not_on_later_exports(
    fits: Fits, history: pd.DataFrame, tmp_path: Path
) -> None:
    def fitted(table: pd.DataFrame = history, settings: Settings = SETTINGS, seed: int = 1) -> int:
        before = len(fits.seen)
        replay_forecasts(table, quarters=1, settings=settings, seed=seed, keep=tmp_path)
        return len(fits.seen) - before

    assert [fitted(), fitted()] == [1, 0]
    late = history["as_of"] == history["as_of"].max()
    assert fitted(history.assign(seller=history["seller"].mask(late, "new"))) == 0
    assert fitted(history.assign(seller=history["seller"].where(late, "new"))) == 1
    assert fitted(seed=2) == 1
    assert fitted(settings=replace(SETTINGS, timing=replace(SETTINGS.timing, near=2.0))) == 1


def test_rivals_are_those_of_the_forecast_and_of_the_year_before(replay: Replay, pipeline: Pipeline) -> None:
    # The rule by hand, from the exports themselves.
    row = replay.table[replay.table["week"] == 5].iloc[-1]
    quarter, day = find_quarter(row["quarter"], CalendarSettings()), row["as_of"]
    start = quarter.start.replace(year=quarter.start.year - 1)
    then = start + (day - quarter.start)
    then -= dt.timedelta(days=then.weekday())
    deals = pipeline.deals[pipeline.deals["won"]]

    def booked(first: dt.date, last: dt.date) -> float:
        return float(deals.loc[deals["closed_on"].between(pd.Timestamp(first), pd.Timestamp(last)), "amount"].sum())

    def open_on(day: dt.date) -> float:
        known = pipeline.known_on(day)
        return float(known.loc[known["outcome"] == "open", "amount"].sum())

    end = quarter.start.replace(year=quarter.start.year - 1, month=quarter.end.month, day=quarter.end.day)
    came = booked(start, end) - booked(start, then)
    wanted = booked(quarter.start, day) + came / open_on(then) * open_on(day)
    assert row["last_year_error"] + row["actual"] == pytest.approx(wanted)


def test_corrections_in_the_table_do_not_know_their_own_quarter(replay: Replay) -> None:
    assert replay.correction is not None
    table = replay.table
    assert replay.correction.quarters == tuple(table["quarter"].unique())
    # By hand: the correction of the first quarter is learned from the other four, and maps its median.
    others, first = table[3:], table.iloc[0]
    pit = others["pit"].to_numpy().reshape(4, 3)
    width = (others["p90"] - others["p10"]).to_numpy().reshape(4, 3)
    correction = learn_correction(["a", "b", "c", "d"], (1, 5, 10), pit, width)
    assert correction is not None
    assert (first["p50_corrected"] > first["p50"]) == (correction.location[0] > 0)
    assert first["p10_corrected"] < first["p50_corrected"] < first["p90_corrected"]


def test_sentences_count_what_the_table_shows(replay: Replay) -> None:
    first = replay.table[replay.table["week"] == 1]
    text = "\n".join(replay_sentences(replay))
    assert f"Week 1: {first['inside_80'].sum()} of 5 quarters ended within P10 to P90" in text
    assert "closest first: " in text
    assert "Each quarter corrected by the others alone" in text
    with use_language("zh"):
        assert "个季度" in "\n".join(replay_sentences(replay))


def test_quarters_that_cannot_be_fitted_are_left_out_with_the_reason(fits: Fits, history: pd.DataFrame) -> None:
    strict = replace(SETTINGS, evaluation=replace(SETTINGS.evaluation, least_training=1000))
    few = replay_forecasts(history, quarters=1, settings=strict)
    assert few.table.empty
    assert "closed deals to learn from" in " ".join(replay_sentences(few))
    fits.fails = True
    failed = replay_forecasts(history, quarters=1, settings=SETTINGS)
    assert "the fit did not converge" in " ".join(replay_sentences(failed))


def test_amounts_in_two_currencies_need_rates_and_a_year_without_rates_has_no_conversion(
    fits: Fits, history: pd.DataFrame, tmp_path: Path
) -> None:
    mixed = history.assign(currency=np.where(history["deal_id"].str[-1].isin(list("0369")), "USD", "CNY"))
    with pytest.raises(ForecastError, match="no rate into CNY"):
        replay_forecasts(mixed, quarters=1, settings=SETTINGS)
    (tmp_path / "rates.csv").write_text("currency,rate,from\nUSD,7.0,2026-01-01\n", encoding="utf-8")
    rates = read_rates(tmp_path / "rates.csv")
    first = replay_forecasts(history, quarters=1, settings=SETTINGS).table["actual"].iloc[0]
    table = replay_forecasts(mixed, quarters=1, settings=SETTINGS, rates=rates).table
    assert (table["actual"] > first).all()
    assert table["last_year_error"].isna().all()


def test_only_quarters_that_are_over_and_were_exported_in_time_are_replayed(history: pd.DataFrame) -> None:
    calendar = CalendarSettings()

    def names(table: pd.DataFrame) -> list[str]:
        found = past_quarters(snapshots_of(table), calendar, settle_days=0, count=99)
        return [past.quarter.name for past in found]

    every = names(history)
    last = find_quarter(every[-1], calendar)
    assert names(history[history["as_of"] < pd.Timestamp(last.end)]) == every[:-1]
    gap = history["as_of"].between(pd.Timestamp(last.start - dt.timedelta(20)), pd.Timestamp(last.start))
    assert names(history[~gap]) == every[:-1]
    with pytest.raises(HistoryError, match="no quarter can be replayed"):
        names(history[history["as_of"] == history["as_of"].max()])


def test_the_pit_counts_equal_totals_half() -> None:
    assert pit_of(np.array([1.0, 2.0, 2.0, 3.0]), 2.0) == 0.5
    assert pit_of(np.array([1.0, 2.0]), 9.0) == 1


@pytest.mark.slow
def test_one_quarter_with_a_real_fit(history: pd.DataFrame) -> None:
    replay = replay_forecasts(history, quarters=1, settings=FAST)
    assert replay.left_out == ()
    assert (replay.table["p10"] < replay.table["p90"]).all()
    assert replay.table["commit_error"].notna().all()
