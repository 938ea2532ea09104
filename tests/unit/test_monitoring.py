"""Monitoring: whole cohorts by quarter, what the result says, and tables whose cohorts would be biased."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.optimize import brentq
from scipy.special import expit

import winprob
from winprob import Registry, draw_win_prob_by, monitor_model, predict, render_card, render_review, write_snapshot
from winprob.cli import main
from winprob.errors import DealTableError, HistoryError, UndatedError
from winprob.i18n import use_language
from winprob.model.hazards import Hazards, learn_hazards
from winprob.model.posterior import Posterior
from winprob.quarter import Bridge, Forecast
from winprob.retrain.monitoring import Monitoring, monitoring_sentences
from winprob.retrain.monitoring.cohorts import quarter_cohorts, trained_until
from winprob.retrain.monitoring.e_process import e_process, log_odds_of, recalibrations
from winprob.retrain.monitoring.watch import MONITOR_COLUMNS, SEGMENT_COLUMNS, _direction, segment_deviations
from winprob.settings import CalendarSettings, MonitorSettings, Settings
from winprob.simulation import Simulation, simulate_pipeline

DAYS = [dt.date(2025, month, 1) for month in (1, 4, 7, 10)] + [dt.date(2026, 1, 1)]
QUARTERS = ["2025Q1", "2025Q2", "2025Q3", "2025Q4"]


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    """The exports of five first days of a quarter."""
    pipeline = simulate_pipeline(seed=5, quarters=8, last_day=dt.date(2026, 3, 31))
    return pd.concat([pipeline.known_on(day) for day in DAYS], ignore_index=True)


@pytest.fixture(scope="module")
def model(posterior: Posterior) -> Posterior:
    """The hand-made win model, with a time to close learned from what was known before 2025."""
    pipeline = simulate_pipeline(seed=6, quarters=8, last_day=dt.date(2024, 12, 31))
    days = pd.date_range("2023-04-01", "2024-12-31", freq="QS")
    rows = winprob.training_rows(pd.concat([pipeline.known_on(day.date()) for day in days], ignore_index=True))
    hazards = learn_hazards(rows, Settings(), draws=200, seed=1)
    assert isinstance(hazards, Hazards)
    provenance = replace(posterior.provenance, last_day="2024-10-01")
    return replace(posterior, hazards=replace(hazards, known_on="2024-12-31"), provenance=provenance)


@pytest.fixture(scope="module")
def calm(model: Posterior, history: pd.DataFrame) -> pd.DataFrame:
    """The history with outcomes as one of the model's draws has them."""
    return with_outcomes(model, history, lambda chance, rng: rng.random(len(chance)) < chance[:, 17])


@pytest.fixture(scope="module")
def lost(model: Posterior, history: pd.DataFrame) -> pd.DataFrame:
    """The history in which no deal is won any more."""
    return with_outcomes(model, history, lambda chance, _: np.zeros(len(chance), dtype=bool))


def with_outcomes(
    model: Posterior, history: pd.DataFrame, draw: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> pd.DataFrame:
    """The open deals of each day as they were; those drawn as won in a quarter are won in all later exports."""
    rng, open_rows, won_on = np.random.default_rng(3), [], {}
    for day, rows in history.groupby("as_of"):
        still = rows[(rows["outcome"] == "open") & ~rows["deal_id"].isin(won_on)]
        done = rows.loc[rows["deal_id"].isin(won_on)].assign(outcome="won")
        done["closed_on"] = done["deal_id"].map(won_on)
        open_rows.append(pd.concat([still, done]))
        chance = draw_win_prob_by(model, still, (day + pd.offsets.QuarterEnd(0)).date())
        won_on |= dict.fromkeys(still["deal_id"][draw(chance, rng)], day + pd.Timedelta(days=40))
    return pd.concat(open_rows, ignore_index=True)


# --- cohorts ------------------------------------------------------------------------------------------------------


def test_a_cohort_is_every_deal_open_when_the_quarter_began(history: pd.DataFrame) -> None:
    cohorts = quarter_cohorts(history, Settings())
    assert [cohort.quarter.name for cohort in cohorts] == QUARTERS
    for cohort in cohorts:
        then = history[history["as_of"] == pd.Timestamp(cohort.quarter.start)]
        wanted = then.loc[then["outcome"] == "open", "deal_id"]
        assert sorted(cohort.deals["deal_id"]) == sorted(wanted)
        last = history.drop_duplicates("deal_id", keep="last").set_index("deal_id").loc[cohort.deals["deal_id"]]
        won = (last["outcome"] == "won") & (last["closed_on"] <= pd.Timestamp(cohort.quarter.end))
        assert cohort.won.tolist() == won.tolist()
        assert 0 < cohort.won.mean() < 0.8


def test_a_quarter_that_is_not_over_or_not_settled_is_left_out(history: pd.DataFrame) -> None:
    assert [c.quarter.name for c in quarter_cohorts(history, Settings(), as_of=dt.date(2025, 10, 1))] == QUARTERS[:3]
    patient = Settings(monitor=MonitorSettings(settle_days=30))
    assert [cohort.quarter.name for cohort in quarter_cohorts(history, patient)] == QUARTERS[:3]


def test_what_became_known_later_changes_no_earlier_cohort(history: pd.DataFrame) -> None:
    early, late = quarter_cohorts(history, Settings(), as_of=dt.date(2025, 7, 1)), quarter_cohorts(history, Settings())
    for one, other in zip(early, late[:2], strict=True):
        assert one.won.tolist() == other.won.tolist()
        assert one.deals["deal_id"].tolist() == other.deals["deal_id"].tolist()


def test_quarters_of_the_training_data_are_left_out(model: Posterior, history: pd.DataFrame) -> None:
    assert trained_until(model) == dt.date(2024, 12, 31)
    assert monitor_model(model, history).table["period"].tolist() == QUARTERS
    later = replace(model, provenance=replace(model.provenance, last_day="2025-04-02"))
    assert monitor_model(later, history).table["period"].tolist() == QUARTERS[2:]
    assert monitor_model(model, history, since=dt.date(2025, 7, 1)).table["period"].tolist() == QUARTERS[2:]
    assert monitor_model(later, history, since=dt.date(2025, 1, 1)).table["period"].tolist() == QUARTERS[2:]


def test_a_deal_that_vanishes_was_not_won(history: pd.DataFrame) -> None:
    first = quarter_cohorts(history, Settings())[0]
    gone = first.deals["deal_id"][first.won].iloc[0]
    without = history[(history["deal_id"] != gone) | (history["as_of"] == pd.Timestamp(DAYS[0]))]
    again = quarter_cohorts(without, Settings())[0]
    assert again.won.sum() == first.won.sum() - 1
    assert len(again.won) == len(first.won)


def test_a_win_without_a_closing_day_is_dated_by_the_export_that_shows_it(history: pd.DataFrame) -> None:
    first = quarter_cohorts(history, Settings())[1]
    won = first.deals["deal_id"][first.won]
    undated = history.assign(closed_on=history["closed_on"].mask(history["deal_id"].isin(won)))
    weekly = pd.concat([undated, undated[undated["as_of"] == "2025-07-01"].assign(as_of=pd.Timestamp("2025-06-30"))])
    assert quarter_cohorts(weekly, Settings())[1].won.tolist() == first.won.tolist()


def test_fiscal_quarters_are_those_of_the_calendar(history: pd.DataFrame) -> None:
    settings = Settings(calendar=CalendarSettings(fiscal_year_start_month=4))
    names = [cohort.quarter.name for cohort in quarter_cohorts(history, settings)]
    assert names == ["FY25 Q4", "FY26 Q1", "FY26 Q2", "FY26 Q3"]


# --- tables without a history -------------------------------------------------------------------------------------


def test_a_table_of_readings_gives_the_same_cohorts(history: pd.DataFrame) -> None:
    rows = winprob.training_rows(history)
    for one, other in zip(quarter_cohorts(rows, Settings()), quarter_cohorts(history, Settings()), strict=False):
        assert one.deals["deal_id"].tolist() == other.deals["deal_id"].tolist()
        assert one.won.tolist() == other.won.tolist()


def test_one_export_is_refused_with_a_remedy(history: pd.DataFrame) -> None:
    with pytest.raises(DealTableError, match=r"on one day, 2026-01-01.*winprob snapshot"):
        quarter_cohorts(history[history["as_of"] == "2026-01-01"], Settings())


def test_a_table_that_lacks_slow_deals_is_refused(history: pd.DataFrame) -> None:
    """One row per deal, closed ones before their close, open ones on the last day: quarters of quick closers only."""
    rows = winprob.training_rows(history)
    closed = rows[rows["outcome"] != "open"].drop_duplicates("deal_id", keep="last")
    still = rows[rows["outcome"] == "open"].drop_duplicates("deal_id").assign(as_of=pd.Timestamp("2026-01-01"))
    with pytest.raises(DealTableError, match=r"were open when 2025Q1 began.*quickly.*winprob snapshot"):
        quarter_cohorts(pd.concat([closed, still], ignore_index=True), Settings())


@pytest.mark.parametrize("column", ["as_of", "outcome"])
def test_a_table_without_days_or_outcomes_is_refused(history: pd.DataFrame, column: str) -> None:
    with pytest.raises(DealTableError, match=rf"needs.*{column}"):
        quarter_cohorts(history.drop_duplicates("deal_id").drop(columns=column), Settings())


def test_exports_without_closing_days_are_dated_by_the_exports(history: pd.DataFrame) -> None:
    """A quarter is closed to the day by an export of its last day."""
    last_days = history[history["as_of"] > "2025-01-01"]
    last_days = last_days.assign(as_of=last_days["as_of"] - pd.Timedelta(days=1))
    last_days = last_days[~(last_days["closed_on"] > last_days["as_of"])]
    both = pd.concat([history, last_days]).drop(columns="closed_on")
    for one, other in zip(quarter_cohorts(both, Settings()), quarter_cohorts(history, Settings()), strict=True):
        assert one.won.tolist() == other.won.tolist()


def test_a_model_without_timing_is_refused(posterior: Posterior, history: pd.DataFrame) -> None:
    undated = replace(posterior, provenance=replace(posterior.provenance, last_day="2024-10-01"))
    with pytest.raises(UndatedError):
        monitor_model(undated, history)


def test_a_folder_that_is_not_a_history_is_refused(model: Posterior, tmp_path: Path) -> None:
    with pytest.raises(HistoryError):
        monitor_model(model, tmp_path)


# --- the result ---------------------------------------------------------------------------------------------------


def test_the_e_value_is_that_of_the_chances_which_the_forecast_shows(model: Posterior, history: pd.DataFrame) -> None:
    cohorts = quarter_cohorts(history, model.settings, since=dt.date(2024, 12, 31))
    pairs = [(draw_win_prob_by(model, c.deals, c.quarter.end), c.won) for c in cohorts]
    got = monitor_model(model, history).table
    assert tuple(got.columns) == MONITOR_COLUMNS
    assert got["e_value"].tolist() == pytest.approx(e_process(pairs, recalibrations(MonitorSettings())).e_value)
    assert got["expected"].tolist() == pytest.approx([float(chance.mean(axis=1).sum()) for chance, _ in pairs])
    assert got["won"].tolist() == [int(won.sum()) for _, won in pairs]
    assert got["n"].tolist() == [len(won) for _, won in pairs]


def test_no_alarm_where_the_model_is_right(model: Posterior, calm: pd.DataFrame) -> None:
    result = monitor_model(model, calm)
    assert result.alarm_since is None
    assert result.turned_in is None
    sentences = list(monitoring_sentences(result))
    assert sentences[0].startswith("Calibrated so far: the e-value is ")
    assert "quarters: 4" in sentences[0]


def test_an_alarm_says_since_when_in_which_direction_where_and_what_to_do(model: Posterior, lost: pd.DataFrame) -> None:
    result = monitor_model(model, lost)
    assert result.alarm_since in QUARTERS
    assert result.turned_in in QUARTERS
    assert result.direction == "too_high"
    verdict, direction, segment, steps = monitoring_sentences(result)
    assert verdict.startswith(f"ALARM since {result.alarm_since}")
    assert "too high: 0 deals were won" in direction
    assert "a question and not a verdict" in segment
    assert f"{len(result.segments)} groups" in segment
    assert "train again" in steps
    assert "mapping" in steps


def test_an_alarm_stays(model: Posterior, lost: pd.DataFrame) -> None:
    result = monitor_model(model, lost)
    quiet = replace(result, table=result.table.assign(e_value=[1.0, 25.0, 3.0, 2.0]))
    assert quiet.alarm_since == "2025Q2"
    assert quiet.turned_in == "2025Q1"


@pytest.mark.parametrize(
    ("shift", "slope", "direction"),
    [(1.5, 1.0, "too_low"), (-1.5, 1.0, "too_high"), (0.0, 0.35, "too_spread"), (0.0, 2.6, "too_flat")],
)
def test_the_direction_is_that_of_the_clearest_deviation(
    model: Posterior, history: pd.DataFrame, shift: float, slope: float, direction: str
) -> None:
    """Outcomes of another slope, of which as many are won as expected, and then shifted."""

    def draw(chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mean = chance.mean(axis=1, keepdims=True, dtype=float)
        log_odds = log_odds_of(mean)[:, 0]
        level = brentq(lambda by: expit(by + slope * log_odds).mean() - mean.mean(), -9, 9)
        return rng.random(len(chance)) < expit(shift + level + slope * log_odds)

    assert monitor_model(model, with_outcomes(model, history, draw)).direction == direction


def test_the_direction_agrees_with_the_wins_where_chances_are_far_apart() -> None:
    """Half of the deals are as good as won: the average log-odds are high, and say nothing of the mean chance."""
    chance, won = np.repeat([0.2, 0.99999], 300), np.repeat([False, True], 300)
    won[:24] = True
    assert won.sum() < chance.sum() - 30
    means = [chance[:, None]]
    grid = recalibrations(MonitorSettings())
    assert _direction(means, e_process([(means[0], won)], grid), grid) == "too_high"


def test_segments_are_compared_with_the_doubt_that_their_deals_share(history: pd.DataFrame) -> None:
    cohort = quarter_cohorts(history, Settings())[0]
    size = len(cohort.won)
    cohort = replace(cohort, deals=cohort.deals.assign(segment="one", region=["east"] * 10 + ["west"] * (size - 10)))
    chance = np.tile([0.1, 0.3], (size, 1))
    table = segment_deviations([cohort], [chance]).set_index(["column", "level"])
    one = table.loc[("segment", "one")]
    luck, shared = size * (0.1 * 0.9 + 0.3 * 0.7) / 2, (0.1 * size) ** 2
    assert one["expected"] == pytest.approx(0.2 * size)
    assert one["difference"] == pytest.approx((cohort.won.sum() - 0.2 * size) / np.sqrt(luck + shared))
    assert table.loc[("region", "east"), "deals"] == 10
    assert table["difference"].abs().is_monotonic_decreasing


def test_nothing_over_yet_is_neither_an_alarm_nor_an_error(model: Posterior, history: pd.DataFrame) -> None:
    result = monitor_model(model, history, as_of=dt.date(2025, 1, 1))
    assert result.table.empty
    assert tuple(result.table.columns) == MONITOR_COLUMNS
    assert tuple(result.segments.columns) == SEGMENT_COLUMNS
    assert result.alarm_since is None
    assert result.direction is None
    assert "nothing can be tested yet" in " ".join(monitoring_sentences(result))


def test_an_early_sign_is_not_an_alarm(model: Posterior, calm: pd.DataFrame) -> None:
    result = monitor_model(model, calm)
    early = replace(result, table=result.table.assign(e_value=1.0, early_sign=30.0))
    assert early.alarm_since is None
    assert "Early sign, not an alarm" in list(monitoring_sentences(early))[1]


# --- pages and the command ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alarm(model: Posterior, lost: pd.DataFrame) -> Monitoring:
    return monitor_model(model, lost)


def test_the_card_shows_the_evidence_over_time(model: Posterior, alarm: Monitoring) -> None:
    plain, html = render_card(model, monitoring=alarm), render_card(model, form="html", monitoring=alarm)
    assert "## Calibration since training" in plain
    assert "ALARM since" in plain
    assert html.count("<figure>") == render_card(model, form="html").count("<figure>") + 1
    assert "Calibration since training" not in render_card(model)
    with use_language("zh"):
        assert "警报" in render_card(model, monitoring=alarm)


def test_the_review_has_one_line_of_it_in_the_track_record(
    posterior: Posterior, team: Simulation, make_forecast: Callable[..., tuple[Forecast, Bridge]], alarm: Monitoring
) -> None:
    forecast, _ = make_forecast(team.open, predict(posterior, team.open))
    without = render_review(posterior, team.open, forecast)
    page = render_review(posterior, team.open, forecast, monitoring=alarm)
    assert "NOTHING ON RECORD" in without
    assert "NOTHING ON RECORD" not in page
    assert page.count("ALARM since") == 1
    assert "ALARM since" not in without


def folder_of(history: pd.DataFrame, path: Path) -> Path:
    for day, rows in history.groupby("as_of"):
        write_snapshot(rows.reset_index(drop=True), day, path)
    return path


@pytest.fixture(scope="module")
def files(model: Posterior, calm: pd.DataFrame, lost: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``model.nc``, a registry of it, and the histories ``calm`` and ``lost``."""
    place = tmp_path_factory.mktemp("monitor")
    model.save(place / "model.nc")
    Registry(place / "empty").add({"model.nc": (place / "model.nc").read_bytes()})
    registry = Registry(place / "registry")
    registry.promote(registry.add({"model.nc": (place / "model.nc").read_bytes()}).number)
    folder_of(calm, place / "calm")
    folder_of(lost, place / "lost")
    return place


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["monitor", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_exit_code_is_0_without_and_3_with_an_alarm(files: Path) -> None:
    code, out, notes = run(files / "calm", "--model", files / "model.nc", "--format", "csv")
    assert code == 0
    assert "Calibrated so far" in notes
    assert out.splitlines()[0] == ",".join(MONITOR_COLUMNS)
    code, out, notes = run(files / "lost", "--registry", files / "registry", "--format", "csv")
    assert code == 3
    assert "ALARM since" in notes
    assert len(out.splitlines()) == 5


def test_a_registry_without_a_current_model_is_an_error(files: Path) -> None:
    code, _, notes = run(files / "calm", "--registry", files / "empty")
    assert code == 1
    assert "no current model" in notes
    assert run(files / "calm", "--registry", files / "calm")[0] == 1


def test_a_model_or_a_registry_is_needed_not_both(files: Path) -> None:
    assert run(files / "calm")[0] == 2
    assert run(files / "calm", "--model", files / "model.nc", "--registry", files / "registry")[0] == 2


def test_segments_are_written_to_a_file(files: Path, tmp_path: Path) -> None:
    code, _, _ = run(files / "lost", "--model", files / "model.nc", "--segments-out", tmp_path / "segments.csv")
    assert code == 3
    assert tuple(pd.read_csv(tmp_path / "segments.csv").columns) == SEGMENT_COLUMNS


def test_the_card_command_takes_a_history(files: Path) -> None:
    done = CliRunner().invoke(main, ["card", str(files / "model.nc"), "--monitor", str(files / "lost")])
    assert done.exit_code == 0
    assert "ALARM since" in done.stdout
