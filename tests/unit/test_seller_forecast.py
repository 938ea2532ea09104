"""The seller's own number as a term: where it enters, where it was not known in time, and what a user reads of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from tests.conftest import make_posterior
from winprob import Posterior, explain, predict, read_deals
from winprob.data.history import read_history, training_rows, write_snapshot
from winprob.data.schema import read_before_close, validate_deals, without_late_forecasts
from winprob.data.tables import check_file, forecast_set_at_close
from winprob.errors import DealTableError, MappingError
from winprob.i18n import use_language
from winprob.model.features import covariates, describe, learn_scaling, numeric_values
from winprob.model.summary import posterior_sentences, seller_forecast_sentences
from winprob.settings import CovariateSettings, NumericCovariate, Settings, settings_from

GATES = {"r_hat": 1.0, "bulk_ess": 1000.0, "tail_ess": 1000.0, "divergent_share": 0.0}
ON = Settings(covariates=CovariateSettings(seller_forecast=True))


@pytest.fixture(scope="module")
def closed(team) -> pd.DataFrame:
    return validate_deals(team.closed)


@pytest.fixture(scope="module")
def with_seller(closed) -> Posterior:
    """Made by hand: a scaling with the seller's number, and draws from the prior."""
    made = make_posterior(closed, learn_scaling(closed, ON))
    return replace(made, provenance=replace(made.provenance, gates=GATES))


def table(**columns: object) -> pd.DataFrame:
    """Twenty closed deals read a month before their close."""
    facts = {
        "deal_id": [f"D{at}" for at in range(20)],
        "as_of": "2026-01-01",
        "closed_on": "2026-02-01",
        "outcome": ["won", "lost"] * 10,
        "rep_probability": np.linspace(0.1, 0.9, 20),
        "rep_category": ["commit", "pipeline"] * 10,
    }
    return validate_deals(pd.DataFrame({**facts, **columns}))


# ---- where it enters -----------------------------------------------------------------------------------------------


def test_it_enters_only_where_it_is_asked_for(closed) -> None:
    assert not {"rep_probability", "rep_category"} & _names(closed, Settings())
    assert {"rep_probability", "rep_category"} <= _names(closed, ON)
    mapped = closed.copy()
    mapped.attrs["covariates"] = {"varying": [], "numeric": [], "seller_forecast": True}
    assert _names(mapped, Settings()) == _names(closed, ON)


def _names(deals: pd.DataFrame, settings: Settings) -> set[str]:
    varying, numeric = covariates(deals, settings)
    return {*varying, *(column.column for column in numeric)}


def test_the_probability_enters_as_its_logit_clipped_at_one_and_ninety_nine_percent() -> None:
    deals = table(rep_probability=[0, 1] + [0.5] * 18)
    scaling = learn_scaling(deals, ON)
    (column,) = (column for column in scaling.numeric if column.name == "rep_probability")
    assert column.transform == "logit"
    numbers = numeric_values(deals, scaling.numeric)[:, scaling.numeric.index(column)]
    np.testing.assert_allclose(numbers, [logit(0.01), logit(0.99)] + [0] * 18, atol=1e-5)


def test_a_logit_of_what_is_not_a_probability_is_refused() -> None:
    settings = Settings(covariates=CovariateSettings(numeric=(NumericCovariate(column="score", transform="logit"),)))
    with pytest.raises(DealTableError, match=r"'score' is not a finite number from 0 to 1 \(logit\) in 1 rows"):
        learn_scaling(table().assign(score=[62.0] + [0.5] * 19), settings)


def test_a_settings_file_and_a_mapping_turn_it_on(tmp_path: Path) -> None:
    assert settings_from({"covariates": {"seller_forecast": True}}).covariates.seller_forecast
    path = tmp_path / "deals.csv"
    table().to_csv(path, index=False)
    assert read_deals(path, {"covariates": {"seller_forecast": True}}).attrs["covariates"]["seller_forecast"]
    assert "seller_forecast" not in read_deals(path, {"covariates": {"varying": []}}).attrs["covariates"]
    with pytest.raises(MappingError, match="seller_forecast"):
        read_deals(path, {"covariates": {"seller_forecast": "yes"}})


def test_a_history_keeps_what_its_mapping_asked_for(tmp_path: Path) -> None:
    deals = table(outcome="open", closed_on=None)
    deals.attrs["covariates"] = {"varying": [], "numeric": [], "seller_forecast": True}
    write_snapshot(deals, pd.Timestamp("2026-01-01"), tmp_path / "h")
    assert read_history(tmp_path / "h").attrs["covariates"]["seller_forecast"]
    assert "rep_probability" in _names(training_rows(tmp_path / "h"), Settings())


def test_a_saved_model_predicts_the_same_with_the_sellers_number(with_seller, team, tmp_path: Path) -> None:
    with_seller.save(tmp_path / "m.nc")
    again = Posterior.load(tmp_path / "m.nc")
    pd.testing.assert_frame_equal(predict(again, team.open), predict(with_seller, team.open))
    other = predict(again, team.open.assign(rep_probability=0.99))
    assert not np.allclose(other["mean"], predict(again, team.open)["mean"])


# ---- what was not known in time --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "known"),
    [
        ({}, True),
        ({"as_of": "2026-02-01"}, False),
        ({"as_of": "2026-03-01"}, False),
        ({"as_of": None}, False),
        ({"closed_on": None}, True),
        ({"as_of": None, "closed_on": None, "outcome": "open"}, True),
        ({"as_of": "2026-03-01", "closed_on": None, "outcome": None}, True),
    ],
)
def test_a_number_counts_only_if_read_before_the_day_of_closing(days, known) -> None:
    deals = table(**days)
    assert (read_before_close(deals) == known).all()
    kept = without_late_forecasts(deals)
    assert kept["rep_probability"].notna().all() == known
    assert kept["rep_category"].notna().all() == known
    assert deals["rep_probability"].notna().all(), "the input is not changed"


def test_a_number_from_after_the_close_changes_nothing_that_a_model_learns_or_predicts() -> None:
    """Half of the deals are read after their close, when the number is the outcome."""
    late = np.arange(20) % 4 < 2
    days = {"as_of": np.where(late, "2026-02-01", "2026-01-01")}
    honest = table(**days)
    outcome = (honest["outcome"] == "won").astype(float)
    leaking = honest.assign(
        rep_probability=honest["rep_probability"].mask(late, outcome),
        rep_category=honest["rep_category"].mask(late, "closed"),
    )
    scaling, other = (learn_scaling(deals, ON) for deals in (honest, leaking))
    assert scaling == other
    ours, theirs = describe(honest, scaling), describe(leaking, scaling)
    np.testing.assert_array_equal(ours.bin, theirs.bin)
    np.testing.assert_array_equal(ours.level, theirs.level)
    at = [column.name for column in scaling.numeric].index("rep_probability")
    last = np.cumsum([len(column.levels) for column in scaling.numeric])[at] - 1
    np.testing.assert_array_equal(ours.bin[:, at] == last, late)


def test_the_term_is_left_out_where_no_number_was_known_in_time() -> None:
    deals = table(as_of=None)
    assert not {"rep_probability", "rep_category"} & {column.name for column in learn_scaling(deals, ON).numeric}
    sentences = " ".join(seller_forecast_sentences(deals, ON))
    assert "no closed deal has a seller's number from before its close" in sentences
    assert "rep_probability: not used in 20 rows of closed deals, first deal 'D0'" in sentences
    assert not list(seller_forecast_sentences(deals, Settings()))
    assert not list(seller_forecast_sentences(table(), ON))


@pytest.mark.parametrize(
    ("columns", "column"),
    [
        ({"rep_probability": [1, 0] * 9 + [0.5, 0.4]}, "rep_probability"),
        ({"rep_category": ["closed", "omitted"] * 10}, "rep_category"),
    ],
)
def test_check_warns_of_a_number_that_the_close_has_set(tmp_path: Path, columns, column: str) -> None:
    table(**columns).to_csv(tmp_path / "deals.csv", index=False)
    findings = check_file(tmp_path / "deals.csv")
    (warning,) = findings.loc[(findings["severity"] == "warning") & (findings["column"] == column), "message"]
    assert "set by the close, not the seller's forecast" in warning


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"rep_probability": [1, 0] * 8 + [0.5, 0.4, 0.3, 0.2]},
        {"rep_category": ["omitted", "pipeline"] * 10},
        {"rep_category": "omitted"},
    ],
)
def test_a_forecast_in_earnest_raises_no_alarm(columns, closed) -> None:
    everyone = np.ones(20, dtype=bool)
    assert not list(forecast_set_at_close(table(**columns), everyone))
    assert not list(forecast_set_at_close(closed, np.ones(len(closed), dtype=bool)))


# ---- what a user reads -----------------------------------------------------------------------------------------------


def test_explain_names_the_sellers_own_number(with_seller, team) -> None:
    deal = team.open.head(1).assign(rep_probability=0.7, rep_category="commit")
    terms = explain(with_seller, deal, deal["deal_id"].item()).set_index("term")["text"]
    assert terms["rep_probability"].startswith("Seller's own number: 70%;")
    assert terms["rep_category"].startswith("Rep's forecast category: Commit;")
    blank = deal.assign(rep_probability=np.nan)
    terms = explain(with_seller, blank, deal["deal_id"].item()).set_index("term")["text"]
    assert terms["rep_probability"].startswith("Seller's own number: unknown;")
    with use_language("zh"):
        terms = explain(with_seller, deal, deal["deal_id"].item()).set_index("term")["text"]
        assert terms["rep_probability"].startswith("销售自评赢率：70%")


def test_explain_does_not_show_a_number_from_after_the_close(with_seller, team) -> None:
    ended = team.closed.head(1).assign(rep_probability=1.0)
    ended["as_of"] = ended["closed_on"]
    terms = explain(with_seller, ended, ended["deal_id"].item()).set_index("term")["text"]
    assert terms["rep_probability"].startswith("Seller's own number: unknown;")


def test_training_reports_that_the_sellers_number_is_a_covariate(with_seller, posterior) -> None:
    assert "The seller's own number is a covariate (rep_probability, rep_category)" in " ".join(
        posterior_sentences(with_seller)
    )
    without = replace(posterior, provenance=with_seller.provenance)
    assert "seller's own number" not in " ".join(posterior_sentences(without))
