"""The log of past visits is read strictly, and updates the chance of success in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from winprob.actions.visits.gains import STATES, learn_success
from winprob.data.schema.visits import validate_visits
from winprob.data.tables import read_rates, read_visits
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


def test_without_a_log_the_prior_stands():
    settings = VisitSettings(prior_sample_size=5.0)
    got = learn_success(None, settings)
    np.testing.assert_allclose(got.mean, [getattr(settings, role) for role in ROLES])
    np.testing.assert_allclose(got.wins + got.losses, 5.0)


def test_the_update_is_beta_binomial():
    """Oracle: prior times likelihood on a grid."""
    settings = VisitSettings()
    rows = [{"coverage": "engaged", "tier_after": after} for after in (3, 4, 2, 1, 3)]
    got = learn_success(validate_visits(log(*rows)), settings)
    role, state = ROLES.index("approver"), STATES.index("engaged")
    grid = (np.arange(20000) + 0.5) / 20000
    prior = stats.beta(
        settings.prior_sample_size * settings.approver[3], settings.prior_sample_size * (1 - settings.approver[3])
    )
    weight = prior.pdf(grid) * grid**3 * (1 - grid) ** 2
    assert got.counted == 5
    assert got.mean[role, state] == pytest.approx((grid * weight).sum() / weight.sum(), rel=1e-4)
    others = np.delete(got.mean[role], state)
    np.testing.assert_allclose(others, np.delete(settings.approver, state))


def test_a_visit_without_its_coverage_counts_for_the_role():
    got = learn_success(validate_visits(log({}, {})), VisitSettings(prior_sample_size=8.0))
    assert (got.wins + got.losses)[0].tolist() == [10.0] * len(STATES)
    assert (got.wins + got.losses)[1].tolist() == [8.0] * len(STATES)


def test_what_tells_nothing_is_left_out_and_counted():
    rows = [{"tier_before": None}, {"tier_after": None}, {"tier_before": 4, "tier_after": 4}, {"tier_before": 4}]
    got = learn_success(validate_visits(log(*rows)), VisitSettings())
    assert (got.counted, got.unjudged, got.at_top) == (0, 2, 2)
    np.testing.assert_allclose(got.wins, learn_success(None, VisitSettings()).wins)


def test_the_draws_are_the_betas():
    got = learn_success(None, VisitSettings())
    draws = got.draw(20000, np.random.default_rng(1))
    np.testing.assert_allclose(draws.mean(axis=2), got.mean, atol=0.01)
    test = stats.kstest(draws[0, 0], stats.beta(got.wins[0, 0], got.losses[0, 0]).cdf)
    assert test.pvalue > 1e-3


def test_the_sample_is_read():
    got = learn_success(read_visits(ROOT / "data/visits.csv"), VisitSettings())
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
