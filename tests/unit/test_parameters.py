"""Parameters keep their promises for any prior draw: order, sign, centring, scale."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import beta, halfnorm, kstest, norm

from winprob.methodology.vocabulary import ROLES
from winprob.model.features.curves import end_to_end, learn_bins
from winprob.model.features.levels import METHOD_LEVELS, Layout
from winprob.model.summary import prior_sheet
from winprob.model.win.blocks import DIMS, TERMS, block_slices
from winprob.model.win.parameters import derive_parameters, prior_data, sample_prior
from winprob.settings import PriorSettings

PRIORS = PriorSettings()
NUMBERS = np.random.default_rng(1).normal(size=(200, 2))
LAYOUT = Layout(
    field_of_level=np.array([0, 0, 0, 1, 1]),
    quarter_share=np.array([0.5, 0.2, 0.0, 0.3]),
    state_share=np.zeros(18),
    level_share=np.zeros(5),
    unreported_share=np.zeros((5, 4)),
    curves=end_to_end([learn_bins(numbers, np.ones(200), "identity") for numbers in NUMBERS.T]),
    fields=2,
    features=4,
    components=3,
    companions=1,
    companion_weight=(0.8, 0.03),
    teams=3,
    team_columns=1,
)


@pytest.fixture(scope="module")
def prior() -> dict[str, np.ndarray]:
    return sample_prior(LAYOUT, PRIORS, 20_000, np.random.default_rng(3))


def standard_at(fill: float) -> dict[str, np.ndarray]:
    prior = prior_data(LAYOUT, PRIORS)
    return {
        "normal": np.full(len(prior["normal_mean"]), fill),
        "half_normal": np.full(len(prior["half_normal_sd"]), abs(fill)),
        "ratio": np.full(4, 0.5),
    }


def test_every_parameter_has_its_dims(prior):
    length = {"level": 5, "field": 2, "feature": 4, "component": 3, "quarter": 4, "role": 5, "stage": 6}
    length |= {"coverage": 4, "coach": 4, "decision_method": 4, "companion": 1}
    length |= {"bin": LAYOUT.sizes["bin"], "column": 2, "team": 3, "team_column": 1}
    assert set(prior) == set(DIMS)
    for name, values in prior.items():
        assert values.shape == (20_000, *(length[dim] for dim in DIMS[name])), name


def test_reliability_rises_with_the_coach_and_unknown_lies_between(prior):
    none, unvalidated, validated, unknown = prior["reliability"].T
    assert ((none > 0) & (none <= unvalidated) & (unvalidated <= validated) & (validated < 1)).all()
    assert ((none <= unknown) & (unknown <= validated)).all()


def test_stage_and_coverage_only_climb_and_are_centred(prior):
    for name in ("stage_effect", "coverage_effect"):
        known = prior[name][:, :-1]
        assert (np.diff(known, axis=1) >= 0).all(), name
        np.testing.assert_allclose(known.mean(axis=1), 0, atol=1e-12)


def test_an_unknown_stage_is_free_of_the_order(prior):
    lowest, unknown = prior["stage_effect"][:, 0], prior["stage_effect"][:, -1]
    assert 0.01 < (unknown < lowest).mean() < 0.5


def test_drift_is_centred_over_the_training_deals(prior):
    np.testing.assert_allclose(prior["drift"] @ LAYOUT.quarter_share, 0, atol=1e-12)


def test_drift_is_a_random_walk(prior):
    steps = np.diff(prior["drift"], axis=1) / prior["drift_scale"][:, None]
    np.testing.assert_allclose(np.cov(steps.T), np.eye(3), atol=0.05)


def test_role_weights_are_positive_and_spread_over_methods_about_their_population(prior):
    lean = prior["method_lean"][:, None, None] * prior_data(LAYOUT, PRIORS)["who_decides"]
    log_ratio = np.log(prior["role_weight"] / prior["role_weight_population"][:, :, None]) - lean
    assert (prior["role_weight"] > 0).all()
    scaled = log_ratio / prior["method_spread"][:, None, None]
    assert kstest(scaled[:2000].ravel(), norm.cdf).pvalue > 1e-3


def test_a_role_counts_for_more_where_the_method_lets_it_decide(prior):
    """Judges' scores are the evaluators', a senior's word is the approver's; an unknown method says nothing."""
    decides = {
        (role, method): prior_data(LAYOUT, PRIORS)["who_decides"][r, m]
        for r, role in enumerate(ROLES)
        for m, method in enumerate(METHOD_LEVELS)
    }
    assert decides["evaluator", "scoring"] == decides["approver", "executive"] == 1
    assert decides["evaluator", "executive"] == decides["approver", "scoring"] == -1
    assert {value for (_, method), value in decides.items() if method == "unknown"} == {0.0}
    assert kstest(prior["method_lean"], norm(*PRIORS.method_lean).cdf).pvalue > 1e-3
    lean = np.log(prior["role_weight"] / prior["role_weight_population"][..., None])
    by_lean = lean[:, ROLES.index("evaluator"), METHOD_LEVELS.index("scoring")]
    assert np.polyfit(prior["method_lean"], by_lean, 1)[0] == pytest.approx(1, abs=0.02)


def test_a_lean_that_is_a_number_is_fixed():
    fixed = sample_prior(LAYOUT, replace(PRIORS, method_lean=0.2), 50, np.random.default_rng(1))
    np.testing.assert_allclose(fixed["method_lean"], 0.2)


def test_priors_are_the_ones_in_the_settings(prior):
    """Each against its distribution, at 20,000 draws."""
    effect_scale = prior["effect_scale"]
    marginals = {
        "intercept": (prior["intercept"], norm(*PRIORS.intercept)),
        "effect_scale": (np.log(effect_scale), norm(*PRIORS.effect_scale)),
        "weight": (prior["role_weight_population"][:, 2] / effect_scale, halfnorm(scale=PRIORS.role_weight)),
        "coach": (prior["coach_effect"][:, 1] / effect_scale, norm(0, PRIORS.coach)),
        "unknown support": (prior["unknown_support"][:, 4], norm(*PRIORS.unknown_support)),
        "validated": (prior["reliability"][:, 2], beta(*PRIORS.reliability_validated)),
        "ratio": (prior["reliability"][:, 0] / prior["reliability"][:, 1], beta(*PRIORS.reliability_none_ratio)),
        "stage step": (np.diff(prior["stage_effect"][:, :2])[:, 0], halfnorm(scale=PRIORS.stage_step)),
        "companion": (np.log(prior["companion_weight"][:, 0]), norm(np.log(0.8), 0.03 / 0.8)),
        "drift": (prior["drift_scale"], halfnorm(scale=PRIORS.drift_scale)),
        "team spread": (prior["team_spread"][:, 0], halfnorm(scale=PRIORS.team_spread)),
        "team factor": (np.log(prior["team_factor"][:, 2, 4]) / prior["team_spread"][:, 0], norm),
    }
    for name, (draws, believed) in marginals.items():
        assert kstest(draws, believed.cdf).pvalue > 1e-3, name


def of_one_tier(prior) -> np.ndarray:
    """(draw,) log of the odds ratio from tier 2 to 3, even frequencies, an unvalidated coach, the method unknown."""
    from winprob.model.features.readings import bin_moments

    gap = np.diff(bin_moments(np.ones(4))[0])[1]
    return prior["role_weight"][:, 0, -1] * prior["reliability"][:, 1] * gap


def test_at_strength_one_a_tier_multiplies_the_odds_by_what_the_design_says(prior):
    """About 1.5, 90 %: 1.05 to 3."""
    lower, middle, upper = np.quantile(np.exp(of_one_tier(prior) / prior["effect_scale"]), [0.05, 0.5, 0.95])
    assert 1.0 < lower < 1.1
    assert 1.25 < middle < 1.7
    assert 2.0 < upper < 3.5


def test_over_strengths_a_tier_may_do_next_to_nothing_or_as_much_as_the_design_allows(prior):
    """Decision 010: teams whose deals can hardly be distinguished are believed before a thousand deals."""
    lower, middle, upper = np.quantile(np.exp(of_one_tier(prior)), [0.05, 0.5, 0.95])
    assert 1.0 < lower < 1.05
    assert 1.1 < middle < 1.25
    assert 2.0 < upper < 3.5


def test_levels_of_a_field_share_its_scale(prior):
    scaled = prior["offset"] / prior["offset_scale"][:, LAYOUT.field_of_level]
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=0.03)
    one, other = np.log(prior["offset_scale"]).T
    assert np.corrcoef(one, other)[0, 1] > 0.3


def test_a_single_point_and_many_draws_agree():
    prior = prior_data(LAYOUT, PRIORS)
    points = [standard_at(fill) for fill in (-1.3, 0.2, 0.9)]
    together = derive_parameters(
        np, {name: np.stack([point[name] for point in points]) for name in points[0]}, prior, LAYOUT
    )
    for at, point in enumerate(points):
        for name, values in derive_parameters(np, point, prior, LAYOUT).items():
            np.testing.assert_allclose(values, together[name][at], atol=1e-12, err_msg=name)


def test_blocks_lie_end_to_end_without_gap_or_overlap():
    for blocks in (block_slices("normal", LAYOUT), block_slices("half_normal", LAYOUT), block_slices("beta", LAYOUT)):
        ends = [0, *(block.stop for block in blocks.values())]
        assert [block.start for block in blocks.values()] == ends[:-1]


def test_every_prior_setting_sets_a_block():
    """All but those that take another's place, with deals and with deals read often; the companion's weight is none."""
    used = {setting for term in TERMS for setting in term.settings}
    assert used - {"companion_weight"} | {"intercept_with_deals", "stage_step_of_readings"} == set(asdict(PRIORS))


def test_every_prior_setting_is_on_the_sheet():
    """A term without a line on the prior sheet is a prior that no one looks at; *unknown* effects need none."""
    shown = {name for setting in prior_sheet()["setting"] for name in setting.split(", ")}
    assert shown == set(asdict(PRIORS)) - {"unknown"}


def test_the_free_intercept_is_the_average_training_deals():
    """Whatever most deals share is told apart from the intercept by nothing; so it is the average deal's."""
    rng = np.random.default_rng(5)
    shares = {
        "state_share": np.concatenate([rng.dirichlet(np.ones(n)) for n in (6, 4, 4, 4)]),
        "level_share": np.concatenate([rng.dirichlet(np.ones(n)) for n in (3, 2)]),
        "unreported_share": rng.dirichlet(np.ones(4), 5) * 0.4,
    }
    draws = sample_prior(replace(LAYOUT, **shares), PRIORS, 20_000, np.random.default_rng(3))
    words = ("stage_effect", "coverage_effect", "coach_effect", "method_effect", "offset")
    effects = np.concatenate([draws[word] for word in words], axis=1)
    average = effects @ np.concatenate([shares["state_share"], shares["level_share"]])
    average += np.einsum("rm,drm,dr->d", shares["unreported_share"], draws["role_weight"], draws["unknown_support"])
    free = draws["intercept"] + average
    assert free.mean() == pytest.approx(PRIORS.intercept[0], abs=0.03)
    assert free.std() == pytest.approx(PRIORS.intercept[1], abs=0.03)
