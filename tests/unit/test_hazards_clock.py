"""Weeks are counted by kind: against a loop over days, and where a calendar begins and ends."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from winprob.data.fiscal import quarter_of
from winprob.model.hazards.clock import (
    CELL_SHAPE,
    HALF_LIFE,
    NEAR_ENDS,
    NEVER,
    SINCE_ENDS,
    STAGE_STATES,
    calendar_between,
    cell_design,
    exposure,
    quarter_states,
    span_design,
)
from winprob.model.hazards.spans import spans_between
from winprob.settings import CalendarSettings

EPOCH = dt.date(1970, 1, 1)
CALENDAR = CalendarSettings()


def ordinal(year: int, month: int, day: int) -> int:
    return (dt.date(year, month, day) - EPOCH).days


def state_by_hand(day: int, calendar: CalendarSettings) -> int:
    quarter = quarter_of(EPOCH + dt.timedelta(days=day), calendar)
    into = (EPOCH + dt.timedelta(days=day) - quarter.start).days
    if into < 7:
        return 1
    if into >= quarter.days - 7:
        return 3
    return 2 if into >= quarter.days - 14 else 0


def weeks_in_cells(
    stage: np.ndarray,
    read: np.ndarray,
    expected: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    settings: CalendarSettings,
) -> np.ndarray:
    """(row, cell) weeks of all quarters together."""
    weeks = exposure(stage, read, expected, start, end, calendar_between(start, end, settings)).toarray()
    return weeks.reshape(len(read), -1, np.prod(CELL_SHAPE)).sum(axis=1)


def weeks_by_hand(stage: int, read: int, expected: int, start: int, end: int, calendar: CalendarSettings) -> np.ndarray:
    weeks = np.zeros(CELL_SHAPE)
    for day in range(start + 1, end + 1):
        since = sum(day - read > 7 * edge for edge in SINCE_ENDS)
        near = len(NEAR_ENDS) + 1 if expected == NEVER else sum(day - expected > 7 * edge for edge in NEAR_ENDS)
        weeks[stage, since, near, state_by_hand(day, calendar)] += 1 / 7
    return weeks.ravel()


def paths(rng: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
    read = ordinal(2025, 1, 1) + rng.integers(0, 300, count)
    expected = np.where(rng.random(count) < 0.2, NEVER, read + rng.integers(-60, 200, count))
    start = read + rng.integers(0, 60, count)
    stage = rng.integers(0, len(STAGE_STATES), count)
    return stage, read, expected, start, start + rng.integers(-5, 400, count)


@pytest.mark.parametrize("pattern", ["months", "445"])
def test_weeks_in_each_cell_are_those_of_a_loop_over_days(pattern):
    calendar = CalendarSettings(pattern=pattern, fiscal_year_start_month=2)
    rows = paths(np.random.default_rng(0), 12)
    got = weeks_in_cells(*rows, calendar)
    for at, row in enumerate(zip(*rows, strict=True)):
        np.testing.assert_allclose(got[at], weeks_by_hand(*row, calendar), atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    rows = paths(np.random.default_rng(1), 60)
    whole = weeks_in_cells(*rows, CALENDAR)
    monkeypatch.setattr("winprob.model.hazards.clock._BLOCK", 500)
    np.testing.assert_array_equal(weeks_in_cells(*rows, CALENDAR), whole)


def test_all_days_are_counted_once():
    stage, read, expected, start, end = paths(np.random.default_rng(2), 50)
    spent = weeks_in_cells(stage, read, expected, start, end, CALENDAR).sum(axis=1)
    np.testing.assert_allclose(spent, np.maximum(end - start, 0) / 7)


def test_two_stretches_add_up_to_one():
    stage, read, expected, start, end = paths(np.random.default_rng(3), 30)
    end = np.maximum(end, start)
    between = (start + end) // 2
    parts = weeks_in_cells(stage, read, expected, start, between, CALENDAR)
    parts = parts + weeks_in_cells(stage, read, expected, between, end, CALENDAR)
    np.testing.assert_allclose(parts, weeks_in_cells(stage, read, expected, start, end, CALENDAR), atol=1e-12)


def test_weeks_of_each_quarter_are_those_of_its_days():
    stage, read, expected, start, end = paths(np.random.default_rng(4), 20)
    when = calendar_between(start, end, CALENDAR)
    weeks = exposure(stage, read, expected, start, end, when).toarray().reshape(20, len(when.spans), -1).sum(axis=2)
    for at in range(20):
        days = np.arange(start[at] + 1, end[at] + 1)
        names = [quarter_of(EPOCH + dt.timedelta(days=int(day)), CALENDAR).start.isoformat() for day in days]
        wanted = [names.count(first) / 7 for first in when.spans.dates]
        np.testing.assert_allclose(weeks[at], wanted, atol=1e-12)


def test_every_cell_has_one_bin_each_and_the_middle_of_a_quarter_has_no_pull():
    design = cell_design()
    stages, _, near, quarter = CELL_SHAPE
    assert design["stage_soon"].shape == (np.prod(CELL_SHAPE), stages)
    assert set(design["since"].sum(axis=1)) == {1}
    assert set(design["near"].sum(axis=1)) == {0, 1}
    assert design["near_by_stage"].shape == (np.prod(CELL_SHAPE), stages * (near - 1))
    np.testing.assert_array_equal(design["near_by_stage"].reshape(-1, stages, near - 1).sum(axis=1), design["near"])
    assert design["quarter_pull"].sum() == np.prod(CELL_SHAPE) * (quarter - 1) / quarter


def test_each_quarter_has_its_pace_and_its_season_its_pull():
    spans = spans_between(ordinal(2025, 1, 1), ordinal(2026, 3, 1), CALENDAR)
    assert spans.seasons.tolist() == [0, 1, 2, 3, 0]
    cell = np.array([0, 1, 2, 3, 3])
    design = span_design(cell, np.array([0, 1, 2, 3, 4]), spans)
    pull, pace = np.split(design, [4 * 3], axis=1)
    np.testing.assert_array_equal(pace, np.eye(5))
    wanted = np.zeros((5, 4, 3))
    wanted[1, 1, 0] = wanted[2, 2, 1] = wanted[3, 3, 2] = wanted[4, 0, 2] = 1
    np.testing.assert_array_equal(pull.reshape(5, 4, 3), wanted)


def test_the_stage_effect_decays():
    soon = cell_design()["stage_soon"][:, -1].reshape(CELL_SHAPE)[-1, :, 0, 0]
    assert (np.diff(soon) < 0).all()
    assert soon[0] == pytest.approx(0.5 ** (0.5 / HALF_LIFE))
    assert soon[-1] < 0.01


def test_days_outside_a_calendar_table_pull_nowhere():
    table = CalendarSettings(names=("A", "B"), starts=("2026-01-05", "2026-02-02", "2026-03-02"))
    first = ordinal(2025, 12, 1)
    states = quarter_states(first, ordinal(2026, 4, 1), table)
    begin, stop = ordinal(2026, 1, 5) - first, ordinal(2026, 3, 2) - first
    assert not states[:begin].any()
    assert not states[stop:].any()
    assert states[begin:stop].tolist() == 2 * ([1] * 7 + [0] * 7 + [2] * 7 + [3] * 7)


def test_a_span_that_never_meets_the_table_pulls_nowhere():
    table = CalendarSettings(names=("A",), starts=("2026-01-05", "2026-02-02"))
    assert not quarter_states(ordinal(2030, 1, 1), ordinal(2030, 3, 1), table).any()
