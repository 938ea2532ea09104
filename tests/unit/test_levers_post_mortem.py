"""A post-mortem adds up to the gap between a deal and its covered twin, and knows the two classic losses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winprob import post_mortem, predict
from winprob.actions.levers import loss_patterns, post_mortem_sentences
from winprob.actions.levers.loss_patterns import deciders, effort, pattern_ratio
from winprob.actions.levers.post_mortem import covered_twin
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError
from winprob.i18n import use_language
from winprob.methodology.vocabulary import DECISION_METHODS, ROLES
from winprob.model.features import describe
from winprob.model.win.terms import coefficients, logits


def lost(table, **columns):
    return table(outcome=["lost"], **columns)


def log_odds(posterior, frame):
    features = describe(frame, posterior.scaling)
    return logits(coefficients(posterior.flat, features, seed=posterior.provenance.seed), features).astype(float)


# --- the table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", range(0, 24, 4))
def test_costs_add_up_to_the_gap_in_log_odds(posterior, team, row):
    frame = validate_deals(team.closed[team.closed["outcome"] != "won"].iloc[[row]])
    got = post_mortem(posterior, frame, frame["deal_id"].item())
    gap = (log_odds(posterior, covered_twin(frame)) - log_odds(posterior, frame)).mean()
    assert got["log_odds_cost"].sum() == pytest.approx(gap, abs=2e-4)


def test_the_dearest_come_first_and_what_is_alike_is_left_out(posterior, table):
    got = post_mortem(posterior, lost(table, coach=["validated"]), "D0")
    assert got.columns.tolist() == ["term", "log_odds_cost", "lower", "upper", "text"]
    assert got["log_odds_cost"].is_monotonic_decreasing
    # The evaluator is supportive, the influencer a champion, the coach validated: they cost nothing.
    assert set(got["term"]) == {
        "approver_coverage",
        "decision_maker_support",
        "procurement_support",
        "doubt",
    }


def test_a_covered_deal_is_its_own_twin(posterior, table):
    best = lost(
        table,
        coach=["validated"],
        approver_coverage=["engaged"],
        **{f"{role}_support": [4.0] for role in ROLES},
    )
    pd.testing.assert_frame_equal(covered_twin(validate_deals(best)), validate_deals(best))
    got = post_mortem(posterior, best, "D0")
    assert got["term"].tolist() == ["doubt"]
    assert got["log_odds_cost"].item() == 0
    assert "What cost most" not in " ".join(post_mortem_sentences(posterior, best, "D0", got))


def test_the_twin_takes_nothing_away(table):
    row = validate_deals(lost(table, approver_readings=["4*3 3*1"], decision_maker_readings=["1*3 4*1"]))
    twin = covered_twin(row).iloc[0]
    assert twin["approver_readings"] == "4*3 3*1"
    assert pd.isna(twin["decision_maker_readings"])
    assert twin["decision_maker_support"] == 3
    assert twin["influencer_support"] == 4
    assert twin["coach"] == "validated"


def test_the_sentence_gives_both_chances(posterior, table):
    frame = lost(table)
    words = post_mortem_sentences(posterior, frame, "D0", post_mortem(posterior, frame, "D0"))
    now, then = (predict(posterior, f)["mean"].item() for f in (frame, covered_twin(validate_deals(frame))))
    assert f"As recorded {now:.0%} to win; covered, {then:.0%}" in words[1]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [("won", "was won: there is no loss"), ("open", "not known to be lost"), (None, "not known to be lost")],
)
def test_only_a_lost_deal_is_reviewed(posterior, table, outcome, words):
    with pytest.raises(DealTableError, match=words):
        post_mortem(posterior, table(outcome=[outcome]), "D0")


def test_no_decision_is_a_loss_and_a_deal_without_outcome_is_not(posterior, table):
    assert len(post_mortem(posterior, table(outcome=["no_decision"]), "D0"))
    with pytest.raises(DealTableError, match="not known to be lost"):
        post_mortem(posterior, table(), "D0")
    with pytest.raises(DealTableError, match="'nope' is not in the table"):
        post_mortem(posterior, table(), "nope")


# --- the two classic losses ---------------------------------------------------------------------------------------


def shown(table, **columns) -> list[str]:
    frame = validate_deals(lost(table, **{name: [value] for name, value in columns.items()}))
    return [pattern.id for pattern in loss_patterns(frame.iloc[0])]


def test_every_method_has_its_deciders():
    assert {method: deciders(method) for method in DECISION_METHODS} == {
        "scoring": ("evaluator", "influencer"),
        "recommendation": ("evaluator", "decision_maker", "approver"),
        "executive": ("approver", "decision_maker"),
    }


@pytest.mark.parametrize(
    ("coverage", "tier", "found"),
    [
        ("engaged", 1.0, True),
        ("engaged", 2.0, False),
        ("identified", 3.0, True),
        ("unknown", None, True),
        (None, None, True),
        (None, 2.0, False),
        ("unknown", 2.0, False),
        ("contacted", None, False),
    ],
)
def test_lost_by_the_approver(table, coverage, tier, found):
    got = shown(table, decision_method=None, approver_coverage=coverage, approver_support=tier)
    assert got == (["approver"] if found else [])


def test_opposed_people_count_by_influence(table):
    frame = validate_deals(lost(table, approver_readings=["1*4 2*1"], decision_method=[None]))
    assert [pattern.id for pattern in loss_patterns(frame.iloc[0])] == ["approver"]


def test_lost_by_the_decision_method(table):
    """A senior settled it; all our effort went to those who execute."""
    low = {
        "decision_method": "executive",
        "approver_support": 2.0,
        "approver_coverage": "contacted",
        "decision_maker_support": 2.0,
        "decision_maker_coverage": "contacted",
        **{f"{role}_support": 4.0 for role in ("evaluator", "influencer", "procurement")},
        **{f"{role}_coverage": "engaged" for role in ("evaluator", "influencer", "procurement")},
    }
    assert shown(table, **low) == ["decision_method"]
    # The same effort where those roles decide is none.
    assert shown(table, **{**low, "decision_method": "scoring"}) == []
    assert shown(table, **{**low, "decision_method": None}) == []


def test_effort_counts_contact_and_what_came_of_it():
    def spent(coverage, tier) -> int:
        return effort(pd.Series({"evaluator_coverage": coverage, "evaluator_support": tier}), "evaluator")

    assert [spent("engaged", 4.0), spent("engaged", 2.0), spent("contacted", 3.0)] == [4, 2, 2]
    assert [spent("unknown", np.nan), spent(None, np.nan), spent(None, 1.0), spent("identified", 3.0)] == [0, 0, 1, 1]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_reviewers_sentences(posterior, table, lang):
    frame = lost(table, approver_support=[1.0])
    with use_language(lang):
        words = post_mortem_sentences(posterior, frame, "D0", post_mortem(posterior, frame, "D0"))
    title = {"en": "Lost by the approver", "zh": "因决策审批者输单"}[lang]
    assert any(line.startswith(title) for line in words)
    assert "effect" not in " ".join(words)


def many(table, lost_alike: int, won_alike: int) -> pd.DataFrame:
    """Twenty lost and twenty won deals; the first of each were lost or won with the approver opposed."""
    tiers = [1.0] * lost_alike + [3.0] * (20 - lost_alike) + [1.0] * won_alike + [3.0] * (20 - won_alike)
    return table(
        approver_support=tiers,
        approver_coverage=["engaged"] * 40,
        decision_method=[None] * 40,
        outcome=["lost"] * 20 + ["won"] * 20,
        closed_on=["2026-06-01"] * 40,
    )


def test_a_pattern_is_led_by_how_much_more_frequent_it_is_among_lost_deals(posterior, table):
    frame = many(table, 16, 4)
    words = post_mortem_sentences(posterior, frame, "D0", post_mortem(posterior, frame, "D0"))
    assert words[0].startswith("3.7 times as frequent among lost deals as among won ones (")
    assert "80% of 20, 20% of 20): Lost by the approver: " in words[0]
    assert "Next time: " in words[0]
    assert "in odds" in words[0]


def test_a_pattern_about_as_frequent_among_won_deals_is_not_named_as_the_cause(posterior, table):
    frame = many(table, 13, 11)
    words = post_mortem_sentences(posterior, frame, "D0", post_mortem(posterior, frame, "D0"))
    assert words[0].startswith("1.2 times as frequent")
    assert words[0].endswith("Lost by the approver. Too little to name it as the cause.")
    assert "Next time" not in " ".join(words)


def test_few_deals_are_not_compared(posterior, table):
    frame = lost(table, approver_support=[1.0])
    assert pattern_ratio(validate_deals(frame), "approver") is None
    words = post_mortem_sentences(posterior, frame, "D0", post_mortem(posterior, frame, "D0"))
    assert "Too few lost and won deals" in words[0]


def test_the_interval_of_the_ratio_is_that_of_two_shares(table):
    """Oracle: draws of both shares from Jeffreys posteriors."""
    found = pattern_ratio(validate_deals(many(table, 16, 4)), "approver")
    rng = np.random.default_rng(3)
    draws = rng.beta(16.5, 4.5, 200_000) / rng.beta(4.5, 16.5, 200_000)
    assert (found.lost, found.won, found.of_lost, found.of_won) == (0.8, 0.2, 20, 20)
    np.testing.assert_allclose([found.lower, found.upper], np.quantile(draws, [0.05, 0.95]), rtol=0.2)
    assert found.is_cause
    assert not pattern_ratio(validate_deals(many(table, 13, 11)), "approver").is_cause


def test_costs_that_are_small_or_unsure_are_not_named(posterior, table):
    frame = lost(table, **{f"{role}_support": [4.0] for role in ROLES})
    frame = frame.assign(coach="validated", approver_coverage="contacted")
    costs = post_mortem(posterior, frame, "D0").assign(log_odds_cost=0.1)
    assert "No single fact costs enough" in " ".join(post_mortem_sentences(posterior, frame, "D0", costs))


def test_neither_is_said(posterior, table):
    frame = lost(table, approver_coverage=["engaged"], decision_method=[None])
    assert "neither" in " ".join(post_mortem_sentences(posterior, frame, "D0", post_mortem(posterior, frame, "D0")))
