"""Learned effects: contrasts of predictions, averages of zero, the order of the levels, bins of numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from winprob import Posterior, Settings, effects, explain, fit_prior
from winprob.data.schema import validate_deals
from winprob.i18n import use_language
from winprob.methodology import ROLES, SUPPORT_TIERS
from winprob.model.effects import (
    NO_VALUE,
    OTHER_VALUE,
    TIERS,
    UNKNOWN,
    Effect,
    _lines,
    binned,
    effect_draws,
    effect_sentences,
    spreads,
)
from winprob.model.features import WORDS, Bins, Numeric, bin_moments, describe
from winprob.model.win import blocks
from winprob.model.win.terms import ROLE_TERMS, coefficients, logits_and_attenuation
from winprob.settings import SamplerSettings

COLUMNS = ["term", "level", "from", "to", "mean", "lower", "upper"]
ROLE_LEVELS = [
    *TIERS,
    UNKNOWN,
    "weight",
    "weight (scoring)",
    "weight (recommendation)",
    "weight (executive)",
]


def column_of(
    name: str,
    *,
    transform: str = "identity",
    edges: tuple[float, ...] = (),
    heaps: tuple[float, ...] = (),
    share: tuple[float, ...] | None = None,
) -> Numeric:
    """A numeric column in bins, as the scaling of a model has it."""
    levels = len(edges) + len(heaps) + 2
    share = share or (1 / levels,) * levels
    bins = Bins(edges=edges, heaps=heaps, middle=(0.0,) * (levels - 1), share=share)
    return Numeric(name=name, transform=transform, mean=0.0, sd=1.0, bins=bins)


@pytest.fixture(scope="module")
def posterior(posterior: Posterior) -> Posterior:
    """Of sellers who read alike: a bias of readings has tests of its own."""
    return replace(posterior, scaling=replace(posterior.scaling, report_bias=()))


def draws_of(posterior: Posterior, term: str, level: str) -> np.ndarray:
    (one,) = (one for one in effect_draws(posterior) if (one.term, one.level) == (term, level))
    return one.draws


def predictor(posterior: Posterior, frame: pd.DataFrame) -> np.ndarray:
    """(deal, draw) log-odds of predictions before attenuation."""
    features = describe(validate_deals(frame), posterior.scaling)
    coefs = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    log_odds, shrink = logits_and_attenuation(coefs, features)
    return np.asarray(log_odds / shrink)


def assert_contrast(posterior, frame, term: str, levels: tuple[str, str]) -> None:
    """Oracle: the predictions' log-odds of two deals, draw by draw, before attenuation."""
    first, second = predictor(posterior, frame)
    expected = draws_of(posterior, term, levels[0]) - draws_of(posterior, term, levels[1])
    np.testing.assert_allclose(first - second, expected, atol=2e-5)
    assert np.abs(expected).max() > 0.01


# --- contrasts of predictions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("stage", ("difficulty", "decision")),
        ("stage", (None, "approval")),
        ("approver_coverage", ("engaged", "identified")),
        ("approver_coverage", ("unknown", "contacted")),
        ("seller", ("S03", "S11")),
        ("segment", ("finance", "energy")),
    ],
)
def test_levels_differ_as_the_log_odds_of_two_deals_do(posterior, table, column, values):
    levels = tuple(UNKNOWN if value is None else value for value in values)
    assert_contrast(posterior, table(**{column: list(values)}), column, levels)


@pytest.mark.parametrize(
    ("column", "values"), [("coach", ("validated", "none")), ("decision_method", ("scoring", None))]
)
def test_of_coach_and_method_it_is_the_effect_apart_from_support(posterior, table, column, values):
    """Both also change what readings count: without role weights only the effect is left."""
    weightless = {name: 0 * values if name == "role_weight" else values for name, values in posterior.draws.items()}
    bare = replace(posterior, draws=weightless)
    assert_contrast(bare, table(**{column: list(values)}), column, (values[0], values[1] or UNKNOWN))


@pytest.mark.parametrize("role", ROLES)
def test_tiers_differ_as_under_an_unvalidated_coach_and_an_unknown_method(posterior, table, role):
    base = {"coach": ["unvalidated"] * 2, "decision_method": [None, None]}
    for pair in ((1.0, 4.0), (3.0, None)):
        levels = tuple(UNKNOWN if tier is None else TIERS[int(tier) - 1] for tier in pair)
        frame = table(**base, **{f"{role}_support": list(pair)})
        assert_contrast(posterior, frame, f"{role}_support", levels)


def test_tiers_are_as_far_apart_as_the_weight_times_the_reliable_gap(posterior):
    """Oracle: weight, reliability and the means of a normal in bins, by hand."""
    gap = np.diff(bin_moments(np.array(posterior.scaling.tier_counts[2]))[0])[1]
    reliability = posterior.sel("reliability", coach="unvalidated")
    expected = draws_of(posterior, "evaluator_support", "weight") * reliability * gap
    got = draws_of(posterior, "evaluator_support", TIERS[2]) - draws_of(posterior, "evaluator_support", TIERS[1])
    np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("method", ["scoring", "recommendation", "executive"])
def test_weights_are_not_relative(posterior, method):
    expected = posterior.sel("role_weight", role="influencer", decision_method=method)
    np.testing.assert_array_equal(draws_of(posterior, "influencer_support", f"weight ({method})"), expected)


@pytest.mark.parametrize("term", ["stage", "approver_coverage", "seller", "quarter", "approver_support"])
def test_an_effect_is_what_an_explanation_shows_before_attenuation(posterior, table, term):
    """Oracle: the contributions of ``explain`` without role weights are not attenuated."""
    frame = table(decision_method=[None], approver_support=[None])
    weightless = {name: 0 * values if name == "role_weight" else values for name, values in posterior.draws.items()}
    bare = replace(posterior, draws=weightless)
    level = {"stage": "evaluation", "approver_coverage": "contacted", "seller": "S02", "quarter": "2026Q2"}
    shown = explain(bare, frame, "D0").set_index("term").loc[term]
    rows = effects(bare).set_index(["term", "level"]).loc[(term, level.get(term, UNKNOWN))]
    assert [rows["mean"], rows["lower"], rows["upper"]] == pytest.approx(
        [shown["log_odds"], shown["lower"], shown["upper"]], abs=2e-5
    )


@pytest.mark.parametrize("term", [*(word.column for word in WORDS), "segment", "seller", "product", "quarter"])
def test_effects_average_to_zero_over_the_training_deals(posterior, term):
    rows = [one for one in effect_draws(posterior) if one.term == term]
    assert sum(one.share for one in rows) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(sum(one.share * one.draws for one in rows), 0, atol=2e-5)


def test_mean_and_interval_are_those_of_the_draws(posterior):
    row = effects(posterior).set_index(["term", "level"]).loc[("coach", "validated")]
    draws = posterior.flat["coach_effect"][:, 2].astype(float)
    draws -= posterior.flat["term_mean"][:, posterior.terms.index("coach")]
    assert row["mean"] == pytest.approx(draws.mean())
    assert [row["lower"], row["upper"]] == pytest.approx(np.quantile(draws, [0.05, 0.95]).tolist())


# --- order and content --------------------------------------------------------------------------------------------


def test_terms_come_in_the_order_of_the_model_and_levels_in_their_own(posterior):
    table = effects(posterior)
    assert table.columns.tolist() == COLUMNS
    fields = [field.name for field in posterior.scaling.fields]
    numbers = ["amount", "age", "days_to_expected_close"]
    expected = ["stage", "approver_coverage", "coach", "decision_method", *ROLE_TERMS, *fields, *numbers, "quarter"]
    assert table["term"].drop_duplicates().tolist() == expected
    for word in WORDS:
        assert table.loc[table["term"] == word.column, "level"].tolist() == list(word.levels)
    for role in ROLE_TERMS:
        assert table.loc[table["term"] == role, "level"].tolist() == ROLE_LEVELS
    quarters = table.loc[table["term"] == "quarter", "level"].tolist()
    assert quarters == sorted(quarters)
    assert not table.duplicated(["term", "level"]).any()
    assert table.loc[~table["term"].isin(numbers), ["from", "to"]].isna().all(axis=None)


def test_the_blank_of_a_category_is_a_level_and_comes_last(posterior):
    (blank,) = (field for field in posterior.scaling.fields if "" in field.levels)
    table = effects(posterior)
    own = table[table["term"] == blank.name]
    assert own["level"].tolist() == [*(level for level in blank.levels if level), NO_VALUE]
    offset = posterior.flat["offset"][:, posterior.coords["level"].index(f"{blank.name}=")]
    mean = posterior.flat["term_mean"][:, posterior.terms.index(blank.name)]
    assert blank.levels[0] == ""
    assert own["mean"].iloc[-1] == pytest.approx(float((offset - mean).mean()), abs=1e-5)


def test_tiers_have_the_words_of_the_method():
    assert TIERS == ("opposed", "neutral", "supportive", "champion")
    assert len(TIERS) == len(SUPPORT_TIERS)


def test_without_deals_effects_are_relative_to_the_middle():
    prior = fit_prior(seed=2, settings=Settings(sampler=SamplerSettings(draws=400)))
    table = effects(prior)
    assert table["term"].drop_duplicates().tolist() == [
        "stage",
        "approver_coverage",
        "coach",
        "decision_method",
        *ROLE_TERMS,
    ]
    stages = draws_of(prior, "stage", "difficulty") + draws_of(prior, "stage", "decision")
    np.testing.assert_allclose(stages.mean(), 0, atol=0.1)
    np.testing.assert_array_equal(draws_of(prior, "coach", "none"), prior.flat["coach_effect"][:, 0])
    assert effect_sentences(prior) == [
        "This model has seen no deal: every effect here is the prior's, relative to its middle."
    ]


def test_the_posterior_is_not_changed(posterior):
    before = {name: values.copy() for name, values in posterior.draws.items()}
    effects(posterior)
    effect_sentences(posterior)
    assert all((posterior.draws[name] == values).all() for name, values in before.items())


def test_the_table_is_the_same_in_both_languages(posterior):
    with use_language("zh"):
        chinese = effects(posterior)
    pd.testing.assert_frame_equal(chinese, effects(posterior))


# --- numbers ------------------------------------------------------------------------------------------------------


def rows_of(column: Numeric) -> list[Effect]:
    bins = np.arange(5.0)[:, None] + 10 * np.arange(len(column.levels))
    return list(binned([column], bins))


def test_bins_have_ends_in_the_columns_own_units():
    column = column_of("amount", transform="log1p", edges=tuple(np.log1p([100, 2500, 1e6])), heaps=(0.0,))
    rows = rows_of(column)
    assert [one.level for one in rows] == ["<= 100", "100..2,500", "2,500..1,000,000", "> 1,000,000", "0", NO_VALUE]
    got = np.array([one.ends for one in rows])
    none = np.nan
    expected = [[none, 100], [100, 2500], [2500, 1e6], [1e6, none], [0, 0], [none, none]]
    np.testing.assert_array_equal(got, expected)
    assert [one.draws[0] for one in rows] == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("transform", "edges", "levels"),
    [
        ("identity", (-2.5, 0.0, 7.0), ["<= -2.5", "-2.5..0", "0..7", "> 7", NO_VALUE]),
        ("logit", tuple(logit([0.2, 0.9])), ["<= 0.2", "0.2..0.9", "> 0.9", NO_VALUE]),
        ("identity", (1234.51, 1234.52), ["<= 1,234.51", "1,234.51..1,234.52", "> 1,234.52", NO_VALUE]),
        ("identity", (), [OTHER_VALUE, NO_VALUE]),
    ],
)
def test_bins_are_named_with_the_digits_that_keep_them_apart(transform, edges, levels):
    assert [one.level for one in rows_of(column_of("x", transform=transform, edges=edges))] == levels


def test_columns_are_end_to_end_and_have_their_shares():
    share = tuple((np.arange(9) / 36).tolist())
    columns = [
        column_of("a", edges=(1.0,), share=share[:3]),
        column_of("b", edges=(2.0, 3.0), heaps=(0.0, 9.0), share=share[3:]),
    ]
    rows = list(binned(columns, np.arange(9.0)[None]))
    assert [(one.term, one.level, float(one.draws[0]), one.share) for one in rows] == [
        ("a", "<= 1", 0, 0),
        ("a", "> 1", 1, 1 / 36),
        ("a", NO_VALUE, 2, 2 / 36),
        ("b", "<= 2", 3, 3 / 36),
        ("b", "2..3", 4, 4 / 36),
        ("b", "> 3", 5, 5 / 36),
        ("b", "0", 6, 6 / 36),
        ("b", "9", 7, 7 / 36),
        ("b", NO_VALUE, 8, 8 / 36),
    ]


def test_a_line_of_an_older_model_is_shown_at_points_around_the_mean(posterior):
    column = posterior.scaling.numeric[0]
    weights = np.stack([np.full(len(posterior.flat["intercept"]), 2.0), np.full(len(posterior.flat["intercept"]), 5.0)])
    older = replace(posterior, scaling=replace(posterior.scaling, numeric=(replace(column, bins=None),)))
    rows = list(_lines(weights.T, older))
    values = np.expm1(column.mean + np.arange(-2, 3) * column.sd)
    np.testing.assert_allclose([one.ends[0] for one in rows[:5]], values, rtol=1e-8)
    np.testing.assert_allclose([one.draws[0] for one in rows], [-4, -2, 0, 2, 4, 5])
    assert rows[-1].level == NO_VALUE


def test_bins_differ_as_the_log_odds_of_two_deals_do(posterior, table):
    rows = [one for one in effect_draws(posterior) if one.term == "amount"]
    frame = table(amount=[rows[0].ends[1] * 0.9, rows[3].ends[1] * 0.999])
    assert_contrast(posterior, frame, "amount", (rows[0].level, rows[3].level))


# --- further terms ------------------------------------------------------------------------------------------------


def test_the_companion_is_one_weight(posterior, monkeypatch):
    """A column term shows its parameters without dims, and only where the model has it."""
    companion = blocks.Term(
        name="companion",
        kind=blocks.Kind.LINEAR,
        parameters={"companion_weight": ()},
        blocks=(),
        part="column",
        reads="companion",
    )
    monkeypatch.setattr("winprob.model.effects.TERMS", (*blocks.TERMS, companion))
    weight = np.abs(posterior.draws["intercept"])
    assert "companion" not in set(effects(posterior)["term"])
    means = np.concatenate([posterior.draws["term_mean"], weight[..., None]], axis=-1)
    more = replace(
        posterior,
        terms=(*posterior.terms, "companion"),
        draws={**posterior.draws, "companion_weight": weight, "term_mean": means},
    )
    last = effects(more).iloc[-1]
    assert (last["term"], last["level"]) == ("companion", "weight")
    assert last["mean"] == pytest.approx(float(weight.mean()), rel=1e-5)


# --- which terms matter -------------------------------------------------------------------------------------------


def effect(term: str, level: str, mean: float, share: float, relative: bool = True) -> Effect:
    return Effect(term=term, level=level, draws=np.array([mean - 1, mean + 1]), share=share, relative=relative)


def test_a_terms_spread_is_the_weighted_standard_deviation_of_its_mean_effects():
    rows = [
        effect("a", "x", 1.0, 0.25),
        effect("a", "y", -1.0, 0.75),
        effect("b", "rare", 9.0, 0.001),
        effect("b", "usual", 0.0, 0.999),
        effect("c", "scale", 5.0, 0.0, relative=False),
    ]
    sizes = spreads(rows)
    assert list(sizes) == ["a", "b"]
    assert sizes["a"] == pytest.approx(np.sqrt(0.25 * 0.75) * 2)
    assert sizes["b"] == pytest.approx(9 * np.sqrt(0.001 * 0.999))


def test_the_sentences_name_the_largest_terms_and_count_clear_levels(posterior):
    first, second, third = effect_sentences(posterior)
    rows = effect_draws(posterior)
    largest = next(iter(spreads(rows).values()))
    assert f"(x{np.exp(largest):.2f})" in first
    table = effects(posterior)
    relative = table[~table["level"].str.startswith("weight")]
    clear = ((relative["lower"] > 0) | (relative["upper"] < 0)).sum()
    assert second.startswith(f"{clear} of {len(relative)} levels")
    assert "association" in third


def test_sentences_of_one_term_are_about_it_alone(posterior):
    first, second, _ = effect_sentences(posterior, ["stage"])
    assert "Buying stage (x" in first
    assert ";" not in first
    assert "of 6 levels" in second
