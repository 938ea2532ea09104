"""The predictor's parts: support given its readings, attenuation against integrals, fresh draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, ndtr
from scipy.stats import norm

from winprob.data.schema import validate_deals
from winprob.methodology.vocabulary import ROLES
from winprob.model.features import describe
from winprob.model.features.readings import bin_moments
from winprob.model.win.terms import ROLE_TERMS, attenuation, coefficients, iter_terms, logits, support_terms

COUNTS = {"even": (25, 25, 25, 25), "typical": (13, 41, 34, 12), "skewed": (90, 5, 3, 2)}


PAIR_BOUNDS = [(0.45, 0.042, 0.009), (0.62, 0.085, 0.024), (0.88, 0.13, 0.10)]


def terms_of(posterior, frame):
    features = describe(validate_deals(frame), posterior.scaling)
    return coefficients(posterior.flat, features, seed=posterior.provenance.seed), features


def support_of_approver(posterior, frame):
    """Mean and variance of the approver's support, each (deal, draw), the weight divided out."""
    by, features = terms_of(posterior, frame)
    alone = replace(by, role_weight=np.concatenate([np.ones_like(by.role_weight[:1]), 0 * by.role_weight[1:]]))
    terms, variance = support_terms(alone, features)
    return terms[0], variance


@pytest.fixture(scope="module")
def posterior(posterior):
    """Of sellers who read alike: how a bias is taken off has tests of its own."""
    return replace(posterior, scaling=replace(posterior.scaling, report_bias=()))


# --- several readings of one support ------------------------------------------------------------------------------


@pytest.mark.parametrize("influences", [(2,), (1, 1), (2, 2, 2), (4, 1), (4, 3, 1, 1)])
def test_combined_readings_are_gaussian_conditioning(posterior, table, influences):
    """Oracle: s and z_1..z_n jointly normal; condition s on the weighted mean of z by linear algebra."""
    text = " ".join(f"4*{influence}" for influence in influences)
    frame = table(approver_readings=[text])
    mean, variance = support_of_approver(posterior, frame)
    features = describe(validate_deals(frame), posterior.scaling)
    share = np.array(influences) / sum(influences)
    rho = posterior.flat["reliability"][:, 1].astype(float)
    for draw in range(0, 1000, 97):
        cov = np.full((len(share) + 1, len(share) + 1), rho[draw] ** 2)
        cov[0, :] = cov[:, 0] = rho[draw]
        np.fill_diagonal(cov, 1)
        gain = (cov[0, 1:] @ share) / (share @ cov[1:, 1:] @ share)
        left = 1 - gain * (cov[0, 1:] @ share)
        assert mean[0, draw] == pytest.approx(gain * features.reading[0, 0], rel=1e-4)
        hidden = gain**2 * features.reading_variance[0, 0]
        assert variance[0, draw] == pytest.approx(left + hidden, rel=1e-4)


def test_equal_readings_by_equal_people_are_the_best_linear_estimate(posterior, table):
    """Oracle: full conditioning of s on all readings at once, where influence is even."""
    mean, _ = support_of_approver(posterior, table(approver_readings=["4*2 1*2 3*2"]))
    rho = float(posterior.flat["reliability"][11, 1])
    cov = np.full((3, 3), rho**2) + (1 - rho**2) * np.eye(3)
    tiers = bin_moments(np.array(posterior.scaling.tier_counts[0]))[0][[3, 0, 2]]
    assert mean[0, 11] == pytest.approx(rho * np.ones(3) @ np.linalg.solve(cov, tiers), rel=1e-4)


def test_two_equal_people_say_more_than_one(posterior, table):
    mean, variance = support_of_approver(posterior, table(approver_readings=["4*2", "4*2 4*2", "4*2 4*2 4*2"]))
    assert (np.diff(variance, axis=0) < 0).all()
    assert (np.diff(mean, axis=0) > 0).all()


# Tiers hide part of each reading, and the closed form takes what they hide as independent although all readings are of
# one support. Measured over all pairs of tiers, worst where both are in one outer tier: bounds below.
@pytest.mark.parametrize(("rho", "off_mean", "off_sd"), PAIR_BOUNDS)
def test_two_people_against_the_exact_posterior_of_support(rho, off_mean, off_sd):
    counts = COUNTS["typical"]
    gap, hidden = bin_moments(np.array(counts, dtype=float))
    for one in range(4):
        for other in range(4):
            support, first = exact_density(counts, one + 1, rho)
            exact = first * exact_density(counts, other + 1, rho)[1] / norm.pdf(support)
            exact /= exact.sum()
            mean = support @ exact
            gain = 2 * rho / (1 + rho**2)
            variance = (1 - rho**2) / (1 + rho**2) + gain**2 * (hidden[one] + hidden[other]) / 4
            assert gain * (gap[one] + gap[other]) / 2 == pytest.approx(mean, abs=off_mean)
            assert np.sqrt(variance) == pytest.approx(np.sqrt(support**2 @ exact - mean**2), abs=off_sd)


def test_not_reported_leaves_the_prior_moved_by_what_unknown_means(posterior, table):
    mean, variance = support_of_approver(posterior, table(approver_support=[None]))
    np.testing.assert_allclose(mean[0], posterior.flat["unknown_support"][:, 0], rtol=1e-5)
    np.testing.assert_allclose(variance[0], 1, rtol=1e-5)


def test_a_better_coach_leaves_less_unknown(posterior, table):
    _, variance = support_of_approver(posterior, table(coach=["none", "unvalidated", "validated"]))
    assert (np.diff(variance, axis=0) <= 0).all()


# --- averaging support out ----------------------------------------------------------------------------------------


def exact_density(counts, tier: int, rho: float):
    """True support given its tier, on a grid: normal density times the chance of a reading in that tier."""
    grid = np.linspace(-9, 9, 4001)
    edges = norm.ppf(np.cumsum([0, *counts]) / sum(counts))
    within = ndtr((edges[tier] - rho * grid) / np.sqrt(1 - rho**2))
    density = norm.pdf(grid) * (within - ndtr((edges[tier - 1] - rho * grid) / np.sqrt(1 - rho**2)))
    return grid, density / density.sum()


# Measured over tiers, reliabilities 0.3 to 0.97 and predictors -6 to 6: 0.0053 at weight 1, 0.0099 at 1.5, 0.0214 at 3.
# The prior's median weight is 0.6, and one of its draws in forty is above 2.
@pytest.mark.parametrize(("weight", "bound"), [(0.3, 0.0007), (0.6, 0.0021), (1.0, 0.0055), (1.5, 0.0105), (3, 0.022)])
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS)
def test_marginal_win_probability_of_one_role_against_quadrature(counts, weight, bound):
    gap, hidden = bin_moments(np.array(counts, dtype=float))
    predictor = np.linspace(-6, 6, 25)
    for rho in (0.3, 0.62, 0.88, 0.97):
        for tier in (1, 2, 3, 4):
            support, density = exact_density(counts, tier, rho)
            exact = expit(predictor[:, None] + weight * support) @ density
            variance = weight**2 * (1 - rho**2 + rho**2 * hidden[tier - 1])
            closed = expit((predictor + weight * rho * gap[tier - 1]) * attenuation(variance))
            assert np.abs(closed - exact).max() < bound


def test_marginal_win_probability_of_five_roles_against_monte_carlo(posterior, table):
    """True supports drawn from reading and noise; 100,000 of them leave 0.0015 of noise, the closed form 0.01."""
    frame = table(procurement_support=[None, 2.0, 4.0], approver_support=[1.0, None, 4.0])
    by, features = terms_of(posterior, frame)
    calculated = expit(logits(by, features))
    draws = posterior.flat
    modest = np.flatnonzero(draws["role_weight"][:, :, 2].max(axis=1) < 1.5)[::80]
    assert len(modest) > 3
    for draw in modest:
        exact = [simulated_win_prob(posterior, frame, row, draw) for row in range(3)]
        assert calculated[:, draw] == pytest.approx(exact, abs=0.01)


def simulated_win_prob(posterior, frame, row: int, draw: int) -> float:
    by, features = terms_of(posterior, frame)
    logit = by.intercept[draw] + sum(term[row, draw] for _, term in iter_terms(by, features, posterior.scaling))
    rng, rho = np.random.default_rng(row), posterior.flat["reliability"][draw, 1].astype(float)
    support = np.empty((len(ROLES), 100_000))
    for at, role in enumerate(ROLES):
        tier, noise = frame[f"{role}_support"].iloc[row], rng.standard_normal(100_000)
        if np.isnan(tier):
            support[at] = posterior.flat["unknown_support"][draw, at] + noise
        else:
            counts = posterior.scaling.tier_counts[at]
            edges = norm.ppf(np.cumsum([0, *counts]) / sum(counts))
            low, high = ndtr(edges[int(tier) - 1 : int(tier) + 1])
            reading = norm.ppf(rng.uniform(low, high, len(noise)))
            support[at] = rho * reading + np.sqrt(1 - rho**2) * noise
    return float(expit(logit + posterior.flat["role_weight"][draw, :, 2] @ support).mean())


def test_known_support_needs_no_attenuation():
    assert attenuation(np.float32(0)) == 1


# --- the predictor ------------------------------------------------------------------------------------------------


def test_log_odds_are_the_attenuated_sum_of_the_terms(posterior, team):
    by, features = terms_of(posterior, team.open)
    supports, variance = support_terms(by, features)
    total = by.intercept + sum(term for _, term in iter_terms(by, features, posterior.scaling)) + sum(supports)
    got = logits(by, features)
    np.testing.assert_allclose(got, total * attenuation(variance), rtol=1e-4, atol=1e-4)


def test_terms_are_named_once(posterior, team):
    by, features = terms_of(posterior, team.open)
    names = [*(name for name, _ in iter_terms(by, features, posterior.scaling)), *ROLE_TERMS]
    assert len(names) == len(set(names))
    assert {"stage", "coach", "decision_method", "approver_coverage", "seller", "amount", "quarter"} <= set(names)


def test_a_fact_moves_its_own_term_only(posterior, table):
    by, features = terms_of(posterior, table(stage=["difficulty", "decision"]))
    moved = [name for name, term in iter_terms(by, features, posterior.scaling) if (term[0] != term[1]).any()]
    assert moved == ["stage"]


def test_each_state_picks_its_own_effect(posterior, table):
    by, features = terms_of(posterior, table(coach=["none", "unvalidated", "validated", None]))
    coach = dict(iter_terms(by, features, posterior.scaling))["coach"]
    np.testing.assert_array_equal(coach, posterior.flat["coach_effect"].T)


# --- what training never saw --------------------------------------------------------------------------------------


def offsets(posterior, sellers: list[str], table):
    by, features = terms_of(posterior, table(seller=sellers))
    return dict(iter_terms(by, features, posterior.scaling))["seller"]


def test_a_new_seller_is_drawn_from_the_population_of_sellers(posterior, table):
    at = [field.name for field in posterior.scaling.fields].index("seller")
    scaled = offsets(posterior, ["new"], table)[0] / posterior.flat["offset_scale"][:, at]
    assert scaled.std() == pytest.approx(1, abs=0.1)
    assert scaled.mean() == pytest.approx(0, abs=0.13)


def test_two_deals_of_one_new_seller_share_its_draws_and_two_sellers_do_not(posterior, table):
    one, again, other = offsets(posterior, ["new", "new", "newer"], table)
    np.testing.assert_array_equal(one, again)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.5
    assert (one != other).any()


def test_other_deals_do_not_change_a_new_sellers_draws(posterior, table):
    alone = offsets(posterior, ["new"], table)[0]
    np.testing.assert_array_equal(offsets(posterior, ["a newer one", "S02", "new"], table)[2], alone)


def test_a_future_quarter_goes_on_from_the_last_and_widens(posterior, table):
    by, features = terms_of(posterior, table(as_of=["2026-06-30", "2026-07-01", "2026-10-01", "2028-10-01"]))
    drift = dict(iter_terms(by, features, posterior.scaling))["quarter"]
    last = posterior.flat["drift"][:, -1]
    np.testing.assert_array_equal(drift[0], last)
    step = (drift[1] - last) / posterior.flat["drift_scale"]
    assert step.std() == pytest.approx(1, abs=0.1)
    spread = (drift - last).std(axis=1)
    assert (np.diff(spread) > 0).all()


def test_how_far_other_deals_reach_does_not_change_a_quarter(posterior, table):
    def drift(days: list[str]):
        by, features = terms_of(posterior, table(as_of=days))
        return dict(iter_terms(by, features, posterior.scaling))["quarter"][0]

    np.testing.assert_array_equal(drift(["2026-10-01"]), drift(["2026-10-01", "2031-01-01"]))


def test_no_date_means_no_drift(posterior, table):
    by, features = terms_of(posterior, table(as_of=[None]))
    assert (dict(iter_terms(by, features, posterior.scaling))["quarter"] == 0).all()
