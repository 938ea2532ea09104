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
    cell_design,
    exposure,
    quarter_states,
)
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
    got = exposure(*rows, calendar).toarray()
    for at, row in enumerate(zip(*rows, strict=True)):
        np.testing.assert_allclose(got[at], weeks_by_hand(*row, calendar), atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    rows = paths(np.random.default_rng(1), 60)
    whole = exposure(*rows, CALENDAR).toarray()
    monkeypatch.setattr("winprob.model.hazards.clock._BLOCK", 500)
    np.testing.assert_array_equal(exposure(*rows, CALENDAR).toarray(), whole)


def test_all_days_are_counted_once():
    stage, read, expected, start, end = paths(np.random.default_rng(2), 50)
    spent = exposure(stage, read, expected, start, end, CALENDAR).sum(axis=1)
    np.testing.assert_allclose(spent, np.maximum(end - start, 0) / 7)


def test_two_stretches_add_up_to_one():
    stage, read, expected, start, end = paths(np.random.default_rng(3), 30)
    end = np.maximum(end, start)
    between = (start + end) // 2
    parts = exposure(stage, read, expected, start, between, CALENDAR) + exposure(
        stage, read, expected, between, end, CALENDAR
    )
    np.testing.assert_allclose(
        parts.toarray(), exposure(stage, read, expected, start, end, CALENDAR).toarray(), atol=1e-12
    )


def test_every_cell_has_one_bin_each_and_the_middle_of_a_quarter_has_no_pull():
    design = cell_design()
    stages, since, near, quarter = CELL_SHAPE
    cuts = np.cumsum([since, near - 1, quarter - 1])
    by_since, by_near, by_quarter, by_stage = np.split(design, cuts, axis=1)
    assert by_stage.shape == (np.prod(CELL_SHAPE), stages)
    assert set(by_since.sum(axis=1)) == {1}
    assert set(by_near.sum(axis=1)) == {0, 1}
    assert by_quarter.sum() == np.prod(CELL_SHAPE) * (quarter - 1) / quarter


def test_the_stage_effect_decays():
    soon = cell_design()[:, -1].reshape(CELL_SHAPE)[-1, :, 0, 0]
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
