"""The pace of quarters: its covariance, what the data say of its sds, and quarters that are still to come."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from winprob.model.hazards.pace import SHOCK_CORRELATION, kernel, pace_draws, pace_prior
from winprob.model.hazards.spans import NO_SEASON, Spans, spans_between, spans_of
from winprob.settings import CalendarSettings, Settings

CALENDAR = CalendarSettings()
FIRST, LAST = 19_723, 20_500  # 2024-01-01 to early 2026


def spans() -> Spans:
    return spans_between(FIRST, LAST, CALENDAR)


def test_a_season_returns_every_year_and_four_seasons_cancel():
    some = spans()
    covariance = kernel(np.array([0.3, 0.0]), some, some)
    np.testing.assert_allclose(np.diag(covariance), 0.09)
    assert covariance[0, 4] == pytest.approx(0.09)
    year = np.zeros(len(some))
    year[:4] = 1
    assert year @ covariance @ year == pytest.approx(0, abs=1e-12)


def test_a_shock_fades_from_quarter_to_quarter():
    some = spans()
    covariance = kernel(np.array([0.0, 0.2]), some, some)
    wanted = 0.04 * SHOCK_CORRELATION ** np.abs(np.subtract.outer(np.arange(len(some)), np.arange(len(some))))
    np.testing.assert_allclose(covariance, wanted)


def test_days_outside_a_calendar_table_have_no_season():
    table = CalendarSettings(names=("A", "B"), starts=("2026-01-05", "2026-02-02", "2026-03-02"))
    some = spans_between(20_400, 20_600, table)
    assert some.seasons.tolist() == [NO_SEASON, 0, 0, NO_SEASON]
    assert kernel(np.array([0.3, 0.0]), some, some)[0].tolist() == [0, 0, 0, 0]
    again = spans_of(some.dates, table)
    np.testing.assert_array_equal(again.seasons, some.seasons)


def test_the_evidence_of_the_sds_is_that_of_the_normal():
    """Paces seen with noise: the probability of each pair of sds in closed form."""
    some, rng = spans(), np.random.default_rng(1)
    prior, size = pace_prior(some, Settings().timing), len(some)
    root = rng.normal(size=(2 * size, 2 * size))
    noise = root @ root.T / 50 + 0.02 * np.eye(2 * size)
    seen = rng.normal(0, 0.3, 2 * size)
    information = np.linalg.inv(noise)
    got = prior.evidence(information, information @ seen)
    mass = prior.log_weight - 0.5 * np.linalg.slogdet(prior.precision)[1]
    for won, lost in ((0, 0), (35, 2), (10, 30)):
        covariance = noise.copy()
        covariance[:size, :size] += np.linalg.inv(prior.precision[won])
        covariance[size:, size:] += np.linalg.inv(prior.precision[lost])
        wanted = multivariate_normal(np.zeros(2 * size), covariance).logpdf(seen) + mass[won] + mass[lost]
        base = multivariate_normal(np.zeros(2 * size), noise + np.kron(np.eye(2), np.linalg.inv(prior.precision[0])))
        wanted -= base.logpdf(seen) + 2 * mass[0]
        assert got[won, lost] - got[0, 0] == pytest.approx(wanted, abs=1e-6)


def ahead_of(some: Spans, last: int) -> Spans:
    later = spans_between(int(some.starts[-1]), last, CALENDAR)
    return later.take(np.arange(1, len(later)))


def test_coming_quarters_have_the_moments_of_the_process():
    some = spans()
    sds = np.array([0.3, 0.2])
    rng, draws = np.random.default_rng(2), 40_000
    before = np.linalg.cholesky(kernel(sds, some, some) + 1e-9 * np.eye(len(some)))
    pace = rng.standard_normal((draws, len(some))) @ before.T
    later = ahead_of(some, LAST + 270)
    got = pace_draws(pace, np.tile(sds, (draws, 1)), some, later, later, seed=3)
    both = Spans(
        starts=np.concatenate([some.starts, later.starts]), seasons=np.concatenate([some.seasons, later.seasons])
    )
    np.testing.assert_allclose(np.cov(np.hstack([pace, got]).T), kernel(sds, both, both), atol=0.004)


def test_a_quarter_is_the_same_whatever_is_asked_beside_it():
    some, rng = spans(), np.random.default_rng(4)
    pace, sds = rng.normal(0, 0.2, (50, len(some))), np.tile([0.3, 0.2], (50, 1))
    near, far = ahead_of(some, LAST + 90), ahead_of(some, LAST + 400)
    alone = pace_draws(pace, sds, some, near, near, seed=0)
    together = pace_draws(pace, sds, some, far, far, seed=0)
    np.testing.assert_allclose(together[:, : alone.shape[1]], alone, atol=1e-6)
    known = pace_draws(pace, sds, some, some.take(np.array([2])), far.take(np.array([], dtype=int)), seed=0)
    np.testing.assert_allclose(known[:, 0], pace[:, 2], atol=1e-6)


def test_a_season_seen_for_years_is_expected_again():
    """A fourth quarter quicker by .4 in three years; shocks are small."""
    years = spans_between(FIRST - 366, FIRST + 730, CALENDAR)
    pace = np.where(years.seasons == 3, 0.4, -0.4 / 3)[None].repeat(2000, axis=0)
    sds = np.tile([0.4, 0.05], (2000, 1))
    later = ahead_of(years, FIRST + 1090)
    got = pace_draws(pace, sds, years, later, later, seed=1)
    np.testing.assert_allclose(got.mean(axis=0), np.where(later.seasons == 3, 0.4, -0.4 / 3), atol=0.05)
