"""Does a seller who reports more support than others count for it? Learned from reports alone, and shrunk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from winprob import predict
from winprob.data.schema import validate_deals
from winprob.model.features import describe, learn_scaling
from winprob.model.features.readings import learn_report_bias
from winprob.settings import CovariateSettings, Settings
from winprob.simulation import Truth, simulate


def told(means: np.ndarray, sellers: list[str]) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Deals with one report each."""
    reading = np.zeros((len(means), 5))
    reading[:, 2] = means
    readers = (np.arange(5) == 2) * np.ones((len(means), 1))
    return pd.DataFrame({"deal_id": range(len(means)), "seller": sellers}), readers, reading, np.ones(len(means))


def reml(groups: np.ndarray) -> tuple[float, float]:
    """Within and between variance of (group, member) numbers by restricted maximum likelihood: a second route."""
    count, size = groups.shape
    mean = groups.mean(axis=1)
    around = ((groups - mean[:, None]) ** 2).sum()

    def loss(logs: np.ndarray) -> float:
        within, of_mean = np.exp(logs[0]), np.exp(logs[1]) + np.exp(logs[0]) / size
        inner = count * (size - 1) * logs[0] + around / within
        return float(inner + (count - 1) * np.log(of_mean) + ((mean - mean.mean()) ** 2).sum() / of_mean)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x
    return float(np.exp(found[0])), float(np.exp(found[1]))


def test_a_balanced_table_is_shrunk_as_restricted_likelihood_says():
    rng = np.random.default_rng(4)
    groups = rng.normal(size=(6, 9)) * 0.5 + rng.normal(size=(6, 1))
    within, between = reml(groups)
    found = dict(learn_report_bias(*told(groups.ravel(), [f"S{at}" for at in range(6) for _ in range(9)])))
    wanted = between / (between + within / 9) * (groups.mean(axis=1) - groups.mean())
    np.testing.assert_allclose([found[f"S{at}"] for at in range(6)], wanted, atol=1e-6)


def test_sellers_who_differ_no_more_than_chance_have_no_bias():
    alike = np.tile([-1.0, 0.0, 1.0], 4)
    assert learn_report_bias(*told(alike, [f"S{at}" for at in range(4) for _ in range(3)])) == ()


def test_a_deal_read_twice_counts_once():
    frame, readers, reading, weight = told(np.arange(12.0) ** 1.5, [f"S{at % 3}" for at in range(12)])
    once = learn_report_bias(frame, readers, reading, weight)
    twice = learn_report_bias(
        pd.concat([frame, frame]), *(np.concatenate([x, x]) for x in (readers, reading)), np.full(24, 0.5)
    )
    assert dict(twice) == pytest.approx(dict(once))


@pytest.mark.parametrize("sellers", [["S1"] * 6, [f"S{at}" for at in range(6)]])
def test_one_seller_or_one_deal_each_tells_nothing(sellers):
    assert learn_report_bias(*told(np.arange(6.0), sellers)) == ()


def test_known_biases_are_found_again():
    team = simulate(3000, 1, seed=5, truth=Truth(seller_bias_sd=0.6))
    found = dict(learn_scaling(validate_deals(team.closed), Settings()).report_bias)
    true = np.array(team.truth.seller_bias)
    learned = np.array([found[f"S{at + 1:02d}"] for at in range(len(true))])
    # A reading is told in sds of all readings, and its tier hides some of it.
    assert np.corrcoef(learned, true)[0, 1] > 0.97
    assert 0.6 < np.polyfit(true, learned, 1)[0] < 1.0


def test_the_same_report_counts_for_less_from_a_seller_who_overrates(posterior, table):
    scaling = replace(posterior.scaling, report_bias=(("S01", 0.8), ("S02", -0.8)))
    biased = replace(posterior, scaling=scaling)
    deals = table(seller=["S01", "S02", "S01"], approver_support=[3.0, 3.0, None])
    plain, told_apart = predict(posterior, deals)["mean"], predict(biased, deals)["mean"]
    assert told_apart[0] < plain[0]
    assert told_apart[1] > plain[1]


def test_a_seller_nobody_knows_and_a_role_nobody_reports_have_no_bias(posterior, table):
    scaling = replace(posterior.scaling, report_bias=(("S01", 0.8),))
    features = describe(table(seller=["S01", "a new one", None], approver_support=[None, 3.0, 3.0]), scaling)
    np.testing.assert_array_equal(features.report_bias, [0.8, 0, 0])
    assert features.unbiased[0, 0] == 0
    np.testing.assert_array_equal(features.unbiased[1:], features.reading[1:])


def test_a_setting_leaves_reports_as_they_are():
    team = simulate(300, 1, seed=5, truth=Truth(seller_bias_sd=0.9))
    settings = Settings(covariates=CovariateSettings(report_bias=False))
    assert learn_scaling(validate_deals(team.closed), settings).report_bias == ()
