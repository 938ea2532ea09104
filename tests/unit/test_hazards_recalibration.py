"""Recalibration of the time to close: closed form, never falls with the days, recovers a truth, knows copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from winprob import Posterior, draw_win_prob_by
from winprob.data.schema import validate_deals
from winprob.model.hazards import NEVER
from winprob.model.hazards.recalibration import LOST, OPEN, WON, PastReadings, fade, learn_recalibration, recalibrate
from winprob.model.inference.past_readings import came_to, quarter_ends, recalibrated
from winprob.settings import CalendarSettings

TRUTH = np.array([[0.3, 0.5], [-0.2, 0.2]])


def whole(hazard: np.ndarray, weeks: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Within the first span of weeks."""
    return recalibrate([(hazard, np.zeros(len(weeks)), weeks)], parts)


def past_readings(deals: int, copies: int = 1, seed: int = 1) -> PastReadings:
    """Readings whose ends are drawn from hazards recalibrated by ``TRUTH``."""
    rng = np.random.default_rng(seed)
    win_prob, weeks = rng.uniform(0.2, 0.8, deals), rng.uniform(0.5, 13, deals)
    hazard = np.exp(rng.normal(-1, 1.2, (2, deals)))
    true = np.exp(np.log(hazard) + fade(weeks) * (TRUTH[:, :1] + TRUTH[:, 1:] * np.log(hazard)))
    end = (rng.random(deals) > win_prob).astype(int)
    came = np.where(rng.random(deals) < -np.expm1(-true[end, np.arange(deals)]), end, OPEN)
    past = PastReadings(win_prob=win_prob, hazard=hazard, weeks=weeks, came=came, deal=np.arange(deals))
    again = np.repeat(np.arange(deals), copies)
    return PastReadings(
        win_prob=past.win_prob[again],
        hazard=past.hazard[:, again],
        weeks=past.weeks[again],
        came=past.came[again],
        deal=again,
    )


def test_it_is_a_line_on_the_complementary_log_log_scale():
    hazard, weeks = np.array([[0.05], [0.4]]), np.array([2.0, 6.5])
    got = whole(hazard, weeks, np.array([[-0.1, 0.5]]))
    wanted = np.exp((1 + fade(weeks)[:, None] * 0.5) * np.log(hazard) - fade(weeks)[:, None] * 0.1)
    np.testing.assert_allclose(got, wanted)


def test_without_coefficients_and_after_a_quarter_nothing_changes():
    hazard = np.array([[0.1, 0.7], [3.0, 9.0]])
    np.testing.assert_array_equal(whole(hazard, np.array([1.0, 8.0]), np.zeros((2, 2))), hazard)
    late = recalibrate([(hazard, np.array([13.0, 20.0]), np.array([15.0, 30.0]))], np.array([[0.5, 0.8]] * 2))
    np.testing.assert_array_equal(late, hazard)


@pytest.mark.parametrize("seed", range(20))
def test_the_cumulative_hazard_never_falls_from_day_to_day(seed):
    rng = np.random.default_rng(seed)
    ends = np.array([1, 2, 4, 6, 9, 13, 18, 26])
    daily = np.exp(rng.normal(-4, 2.5, 8 * 26))[: 7 * 26] * rng.binomial(1, 0.7, 7 * 26)
    parts = rng.normal(0, 0.7, (5, 2))
    reached = []
    for day in range(1, 7 * 26 + 1):
        spans, begun = [], 0.0
        for end in ends:
            if begun * 7 >= day:
                break
            until = min(7 * end, day)
            spans.append((np.full((1, 5), daily[:until].sum()), np.array([begun]), np.array([until / 7])))
            begun = float(end)
        reached.append(recalibrate(spans, parts)[0])
    assert (np.diff(np.array(reached), axis=0) >= -1e-12).all()


def test_the_scores_are_the_gradient():
    past, point, step = past_readings(60), np.array([0.2, -0.3, 0.1, 0.4]), 1e-6
    for at in range(4):
        move = step * np.eye(4)[at]
        slope = (past.log_likelihood(point + move)[0] - past.log_likelihood(point - move)[0]) / (2 * step)
        np.testing.assert_allclose(past.log_likelihood(point)[1][:, at], slope, atol=1e-6)


def test_the_truth_is_recovered():
    draws = learn_recalibration(past_readings(6000), 2000, np.random.default_rng(1))
    distance = np.abs(draws.mean(axis=0) - TRUTH) / draws.std(axis=0)
    assert (distance < 3).all()
    assert (draws.std(axis=0) < 0.12).all()


def test_copies_of_a_reading_add_nothing():
    once, often = (learn_recalibration(past_readings(800, copies), 4000, np.random.default_rng(1)) for copies in (1, 6))
    np.testing.assert_allclose(often.mean(axis=0), once.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(often.std(axis=0), once.std(axis=0), rtol=0.1)


def test_a_reading_is_asked_about_the_end_of_its_quarter_where_that_is_known():
    deals = validate_deals(
        pd.DataFrame(
            {
                "deal_id": list("ABCDEF"),
                "as_of": ["2026-02-10", "2026-02-10", "2026-02-10", "2026-05-01", None, "2026-02-10"],
                "closed_on": ["2026-03-01", "2026-04-15", None, None, "2026-03-01", "2026-03-31"],
                "outcome": ["won", "lost", "open", "open", "lost", "lost"],
                "known_until": ["2026-03-01", "2026-04-15", "2026-03-10", "2026-06-01", "2026-03-01", "2026-03-31"],
            }
        )
    )
    read = deals["as_of"].to_numpy().astype("datetime64[D]")
    asked = quarter_ends(np.where(np.isnat(read), NEVER, read.astype(int)), CalendarSettings())
    ends = [str(np.datetime64(int(day), "D")) for day in asked[:4]]
    assert ends == ["2026-03-31"] * 3 + ["2026-06-30"]
    assert asked[4] == NEVER
    today = int(np.datetime64("2026-06-01").astype(int))
    # C was last seen before the quarter ended; the quarter of D has not ended.
    assert came_to(deals, asked, today).tolist() == [WON, OPEN, -1, -1, -1, LOST]


def test_a_reading_outside_the_calendar_table_has_no_quarter():
    calendar = CalendarSettings(names=("A", "B"), starts=("2026-01-01", "2026-04-02", "2026-07-01"))
    days = np.array(["2025-11-01", "2026-03-31", "2026-04-01", "2026-04-02", "2026-07-01"], dtype="datetime64[D]")
    ends = np.array(["2026-04-01", "2026-04-01", "2026-06-30"], dtype="datetime64[D]").astype(int)
    assert quarter_ends(days.astype(int), calendar).tolist() == [NEVER, *ends.tolist(), NEVER]


def test_a_history_recalibrates_and_single_readings_do_not(dated, known):
    once = known.drop_duplicates("deal_id")
    assert recalibrated(dated, once, seed=1) is dated.hazards
    again = recalibrated(dated, known, seed=1)
    assert again.recalibrated
    assert again.draws["recalibration"].shape == (len(dated.hazards.draws["since"]), 2, 2)


def test_a_recalibrated_model_survives_its_file_and_rises_with_the_days(dated, known, tmp_path):
    model = replace(dated, hazards=recalibrated(dated, known, seed=1))
    model.save(tmp_path / "model.nc")
    loaded = Posterior.load(tmp_path / "model.nc")
    still = known[known["outcome"] == "open"].drop_duplicates("deal_id").head(8)
    read = still["as_of"].max()
    still = still.assign(as_of=read).drop(columns=["closed_on"])
    days = [(read + pd.Timedelta(days=shift)).date() for shift in (3, 7, 8, 14, 20, 29, 45, 64, 91, 92, 130, 300)]
    chances = np.stack([draw_win_prob_by(model, still, day) for day in days])
    assert (np.diff(chances, axis=0) >= -1e-6).all()
    np.testing.assert_array_equal(draw_win_prob_by(loaded, still, days[5]), chances[5])
    plain = draw_win_prob_by(dated, still, days[5])
    assert np.abs(chances[5] - plain).max() > 0.005
