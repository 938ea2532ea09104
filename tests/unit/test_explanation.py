"""An explanation adds up to the deal's log-odds, and each term has its sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from winprob import explain, predict
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.i18n import use_language
from winprob.model.explanation import _contributions
from winprob.model.features import describe
from winprob.model.win.terms import ROLE_TERMS, coefficients, logits


def log_odds(posterior, frame):
    features = describe(validate_deals(frame), posterior.scaling)
    by = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    return logits(by, features)


@pytest.mark.parametrize("model", ["posterior", "believed"])
def test_the_terms_add_up_to_the_deals_log_odds(model, team, request):
    posterior = request.getfixturevalue(model)
    for row in range(0, 40, 8):
        deal = team.open.iloc[[row]]
        table = explain(posterior, team.open, deal["deal_id"].item())
        assert table["log_odds"].sum() == pytest.approx(log_odds(posterior, deal).mean(dtype=float), abs=2e-5)


def test_they_add_up_in_every_draw(posterior, team):
    deal = validate_deals(team.open.head(1))
    total = sum(_contributions(posterior, deal).values())
    np.testing.assert_allclose(total, log_odds(posterior, deal)[0], rtol=1e-4, atol=1e-4)


def test_the_base_rate_is_the_rate_that_the_model_sees_in_its_training_deals(posterior, team):
    """Oracle: the mean of the predicted chances over the training deals, draw by draw."""
    seen = expit(log_odds(posterior, team.closed)).mean(axis=0)
    table = explain(posterior, team.open, team.open["deal_id"].iloc[0])
    assert table["term"].iloc[0] == "base_rate"
    assert table["log_odds"].iloc[0] == pytest.approx(logit(seen).mean(), abs=1e-4)


def test_base_rate_first_then_terms_by_size_and_doubt_last(posterior, team):
    table = explain(posterior, team.open, team.open["deal_id"].iloc[3])
    assert table.columns.tolist() == ["term", "log_odds", "lower", "upper", "text"]
    assert table["term"].iloc[[0, -1]].tolist() == ["base_rate", "doubt"]
    assert table["log_odds"].iloc[1:-1].abs().is_monotonic_decreasing
    assert table["term"].is_unique
    assert (table["lower"] <= table["upper"]).all()


def test_every_fact_of_the_method_has_its_term(posterior, team):
    terms = set(explain(posterior, team.open, team.open["deal_id"].iloc[0])["term"])
    assert {"stage", "coach", "decision_method", "approver_coverage", *ROLE_TERMS} <= terms


def test_more_support_raises_its_own_term(posterior, table):
    frame = table(approver_support=[1.0, 4.0])
    low, high = (explain(posterior, frame, deal).set_index("term")["log_odds"] for deal in ("D0", "D1"))
    assert high["approver_support"] > low["approver_support"]


def test_of_several_readings_the_last_in_time_counts(posterior, table):
    frame = table(as_of=["2026-03-01", "2026-05-01", "2026-04-01"], approver_support=[1.0, 4.0, 2.0])
    frame["deal_id"] = "D0"
    pd.testing.assert_frame_equal(explain(posterior, frame, "D0"), explain(posterior, frame.iloc[[1]], "D0"))


def test_a_reading_without_a_date_does_not_count_as_the_last(posterior, table):
    frame = table(as_of=["2026-03-01", None], approver_support=[1.0, 4.0]).assign(deal_id="D0")
    assert "opposed" in explain(posterior, frame, "D0").set_index("term")["text"]["approver_support"].lower()


def test_a_deal_that_is_not_there_is_named_with_some_that_are(posterior, team):
    with pytest.raises(DealTableError, match=r"'nope' is not in the table of 40 rows; it has D00601"):
        explain(posterior, team.open, "nope")


def test_the_words_follow_the_numbers(posterior, table):
    """Raises, lowers or is not clear, as the interval is above, below or around no change."""
    rows = explain(posterior, table(approver_support=[4.0]), "D0").iloc[1:-1]
    for row in rows.itertuples():
        verb = "raises" if row.lower > 0 else "lowers" if row.upper < 0 else "unclear"
        assert verb in row.text, row.term


def test_an_unknown_is_called_unknown(posterior, table):
    text = explain(posterior, table(stage=[None], approver_support=[None]), "D0").set_index("term")["text"]
    assert "unknown" in text["stage"]
    assert "not reported" in text["approver_support"]


def test_the_base_rate_of_the_prior_is_its_intercept(believed, table):
    rows = explain(believed, table(), "D0")
    assert rows["log_odds"].iloc[0] == pytest.approx(believed.flat["intercept"].mean(dtype=float), abs=1e-5)


def test_it_speaks_chinese(posterior, table):
    with use_language("zh"):
        rows = explain(posterior, table(stage=[None]), "D0")
    assert rows["text"].str.contains(r"[\u4e00-\u9fff]").all()


def test_the_sum_and_the_prediction_are_of_one_deal(posterior, table):
    """The mean probability is between even odds and the probability at the mean log-odds (Jensen), on one side."""
    total = explain(posterior, table(), "D0")["log_odds"].sum()
    mean = predict(posterior, table())["mean"].item()
    assert min(0.5, expit(total)) - 0.02 <= mean <= max(0.5, expit(total)) + 0.02
