"""The log of past visits is read strictly; success is the settings' prior until a visit can be counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from winprob.actions.visits.effect import Instrument
from winprob.actions.visits.pairs import STATES
from winprob.actions.visits.success import Success, instrument_of, learn_success
from winprob.data.schema import validate_deals
from winprob.data.schema.visits import validate_visits
from winprob.data.tables import read_deals, read_rates, read_visits
from winprob.errors import InputError, PlanError
from winprob.methodology.vocabulary import ROLES
from winprob.settings import VisitSettings

ROOT = Path(__file__).parents[2]
GOOD = {
    "deal_id": "D1",
    "role": "approver",
    "executive": "Li",
    "date": "2026-03-01",
    "tier_before": 2,
    "tier_after": 3,
}


def log(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([{**GOOD, **row} for row in rows])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"tier_after": 9}, r"'tier_after' is not 1..4 in 1 rows, first visit 2 \(deal 'D1'\) has 9"),
        ({"tier_before": 0}, "'tier_before' is not 1..4 .* has 0"),
        ({"tier_before": "high"}, "'tier_before' is not 1..4"),
        ({"role": "boss"}, "'role' is not approver, .* has 'boss'"),
        ({"date": "soon"}, "'date' is not a date"),
        ({"executive": ""}, "'executive' is not a name"),
        ({"deal_id": None}, "'deal_id' is not a name"),
        ({"coverage": "warm"}, "'coverage' is not unknown, identified"),
        ({"coach": "sure"}, "'coach' is not none, unvalidated, validated .* has 'sure'"),
    ],
)
def test_an_offence_is_named_with_its_place(row, words):
    with pytest.raises(PlanError, match=words):
        validate_visits(log({}, row))


def test_all_offences_are_told_at_once():
    with pytest.raises(PlanError, match=r"(?s)2 rows, 3 errors.*'role'.*'tier_before'.*'tier_after'"):
        validate_visits(log({"role": "boss", "tier_before": 0}, {"tier_after": 9}))


def test_missing_columns_are_all_named():
    with pytest.raises(PlanError, match="no column is 'executive', 'tier_after'"):
        validate_visits(log({}).drop(columns=["executive", "tier_after"]))


def test_a_file_is_read_in_chinese_and_in_english(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text("商机编号,角色,高层,拜访日期,拜访前支持度,拜访后支持度\nD1,决策者,李,2026/3/1,中立,力挺\n", "utf-8")
    row = read_visits(path).iloc[0]
    assert (row["role"], row["executive"], row["tier_before"], row["tier_after"]) == ("decision_maker", "李", 2, 4)
    assert row["date"] == pd.Timestamp("2026-03-01")
    assert pd.isna(row["coach"])
    path.write_text("deal_id,role,executive,date,tier_before,tier_after\nD1,approver,Li,2026-03-01,0,9\n")
    with pytest.raises(PlanError, match=r"(?s)'tier_before'.*has '0'.*'tier_after'.*has '9'"):
        read_visits(path)


def test_a_log_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_visits(tmp_path / "none.csv")


def test_the_input_is_not_changed():
    frame = log({"date": "2026-03-01T10:00"})
    before = frame.copy(deep=True)
    validate_visits(frame)
    pd.testing.assert_frame_equal(frame, before)


# --- success ------------------------------------------------------------------------------------------------------


READ = Instrument(
    reliability=np.array([0.54, 0.68, 0.85, 0.70]), doubt=0.5, cuts=np.tile([-0.84, 0.13, 1.04], (len(ROLES), 1))
)
NONE_KNOWN = validate_deals(pd.DataFrame({"deal_id": ["D9"], "outcome": ["open"]}))


def learned(visits: pd.DataFrame | None, settings: VisitSettings | None = None) -> Success:
    valid = None if visits is None else validate_visits(visits)
    return learn_success(valid, NONE_KNOWN, READ, settings or VisitSettings())


def test_without_a_log_the_prior_stands():
    settings = VisitSettings(prior_sample_size=5.0)
    got = learned(None, settings)
    np.testing.assert_allclose(got.mean, [getattr(settings, role) for role in ROLES])
    np.testing.assert_allclose(got.wins + got.losses, 5.0)
    assert (got.per_step(np.array([[0.5, 2.0]])) == 1).all()


def test_the_chance_is_the_effect_in_tiers():
    """Twice as wide a tier is moved by half as large a share; coverage enters as in the settings."""
    got = learned(log(*[{"tier_after": 4}] * 30))
    assert got.effect is not None
    settings = VisitSettings()
    at = STATES.index("engaged")
    relative = settings.approver[at] / np.mean(settings.approver)
    assert got.mean[0, at] == pytest.approx(got.effect.mean[0] * relative / got.step[0])
    np.testing.assert_allclose(got.per_step(got.step * np.array([[1.0, 2.0, 0.5, 1.0, 0.0]])), [[1, 0.5, 2, 1, 1]])
    assert 0.7 < got.step[0] < 1.1


def test_a_larger_prior_sample_is_moved_less():
    visits = log(*[{"tier_after": 2}] * 40)
    sizes = (8.0, 80.0, 1e9)
    means = [learned(visits, VisitSettings(prior_sample_size=size)).effect.mean[0] for size in sizes]
    assert means[0] < means[1] < means[2]
    assert means[2] == pytest.approx(0.3 * np.mean(VisitSettings().approver) / 0.37, rel=1e-3)


def test_a_blank_tier_is_left_out_and_the_top_tier_counts():
    """From the top a reading that does not fall is news: without an effect most do."""
    blank = learned(log({"tier_before": None}, {"tier_after": None}))
    assert (blank.counted, blank.unjudged, blank.effect) == (0, 2, None)
    stayed = learned(log(*[{"tier_before": 4, "tier_after": 4}] * 20))
    fell = learned(log(*[{"tier_before": 4, "tier_after": 3}] * 20))
    assert stayed.counted == 20
    assert stayed.effect.mean[0] > fell.effect.mean[0] + 0.1


def test_the_draws_are_the_posteriors():
    prior, with_log = learned(None), learned(log(*[{}] * 10))
    for got in (prior, with_log):
        draws = got.draw(20000, np.random.default_rng(1))
        np.testing.assert_allclose(draws.mean(axis=2), got.mean, atol=0.012)
        ends = np.quantile(draws, [0.05, 0.95], axis=2)
        np.testing.assert_allclose(ends, got.interval, atol=0.03)
    draws = prior.draw(20000, np.random.default_rng(1))
    assert stats.kstest(draws[0, 0], stats.beta(prior.wins[0, 0], prior.losses[0, 0]).cdf).pvalue > 1e-3
    draws = with_log.draw(20000, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(draws[:, -1] * with_log.step[:, None]), with_log.effect.covariance, atol=0.005)


def test_the_sample_is_read(posterior):
    visits, deals = read_visits(ROOT / "data/visits.csv"), read_deals(ROOT / "data/open.csv")
    got = learn_success(visits, deals, instrument_of(posterior), VisitSettings())
    assert (got.counted, got.unjudged) == (29, 1)


def test_rows_left_out_of_visits_and_of_rates_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    visits, rates = tmp_path / "visits.csv", tmp_path / "rates.csv"
    visits.write_text(
        "Visits of 2026\ndeal_id,role,executive,date,tier_before,tier_after\nD1,approver,Li,2026-03-01,2,3\n"
    )
    rates.write_text("Rates of the group\ncurrency,rate,from\nUSD,7.1,2026-01-01\n")
    assert len(read_visits(visits)) == len(read_rates(rates)) == 1
    assert [record.getMessage().split(": ", 1)[1] for record in caplog.records] == [
        "1 rows of the file are not deals and are left out: titles in rows 1"
    ] * 2
