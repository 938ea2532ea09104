"""Mutual information of answers: against enumeration, integration and closed forms, and invariances."""

from __future__ import annotations

from dataclasses import replace

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm

from winprob import draw_win_prob, plan_questions, predict, rank_unknowns
from winprob.actions.questions import planning
from winprob.actions.questions.answers import NOT_HEARD, Answers, answers_to, situation, validated_reading
from winprob.actions.questions.facts import SupportFact, facts_of
from winprob.actions.questions.mutual_information import joint_of, mutual_information
from winprob.actions.questions.ranking import context_of, open_questions
from winprob.data.schema import validate_deals
from winprob.errors import DealTableError, SettingsError
from winprob.i18n import use_language
from winprob.methodology.vocabulary import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES, STAGES
from winprob.model.features import describe
from winprob.model.features.levels import COACH_LEVELS, METHOD_LEVELS, STAGE_STATES
from winprob.model.win.lifts import lifts, steps_up
from winprob.model.win.terms import coefficients

NUMBERS = ["bits", "expected_shift", "changes_lever"]
COLUMNS = ["deal_id", "fact", "rank", *NUMBERS, "question", "channel", "bits_error"]
maybe = {
    "stage": st.sampled_from([*STAGES, None]),
    "coach": st.sampled_from([*COACH_STATES, None]),
    "decision_method": st.sampled_from([*DECISION_METHODS, None]),
    "approver_coverage": st.sampled_from(COVERAGES),
    "seller": st.sampled_from(["S01", "a new one", None]),
    **{f"{role}_support": st.sampled_from([1.0, 2.0, 3.0, 4.0, None]) for role in ROLES},
}
deals = st.fixed_dictionaries(maybe)


def frame_of(*facts: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(facts).assign(deal_id=[f"D{at}" for at in range(len(facts))])


@pytest.fixture(scope="module")
def posterior(posterior):
    """Of sellers who read alike: how a bias is taken off has tests of its own."""
    return replace(posterior, scaling=replace(posterior.scaling, report_bias=()))


@pytest.fixture(scope="module")
def model(posterior):
    """Enough draws for what must hold in each."""
    return few_draws(posterior, 80)


def few_draws(posterior, count, **changes):
    """The model with its first draws only, some parameters changed in all of them."""
    draws = {name: values[:1, :count].copy() for name, values in posterior.draws.items()}
    for name, change in changes.items():
        change(draws[name])
    return replace(posterior, draws=draws)


def information(joint):
    """Oracle: mutual information of a joint table (answer, outcome) by entropies."""
    joint = joint / joint.sum()

    def entropy(chances):
        return -sum(c * np.log2(c) for c in np.ravel(chances) if c > 0)

    return entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1)) - entropy(joint)


def bits_of(posterior, frame, fact):
    ranked = rank_unknowns(posterior, frame).set_index("fact")
    return ranked.loc[fact, "bits"]


# --- one table of answer and outcome --------------------------------------------------------------------------------


def answers_of(chance, win_prob):
    """(answer,) chances and win probabilities as the answers to a question about one deal in one draw."""
    shape = (1, len(chance), 1)
    return Answers(
        chance=np.reshape(chance, shape),
        log_odds=logit(np.reshape(win_prob, shape)),
        shrink=np.ones(shape),
        weight=np.zeros((5, *shape)),
        steps=np.zeros((1, len(chance), 5)),
    )


@pytest.mark.parametrize("miss", [0.01, 0.1, 0.3, 0.5])
def test_a_binary_symmetric_channel_carries_one_minus_the_entropy_of_its_errors(miss):
    answers = answers_of([0.5, 0.5], [miss, 1 - miss])
    information = mutual_information(answers, joint_of(answers, np.zeros((1, 1)), np.zeros((1, 1)), np.ones((1, 1))))
    assert information.bits[0] == pytest.approx(1 + miss * np.log2(miss) + (1 - miss) * np.log2(1 - miss), abs=1e-9)
    assert information.shift[0] == pytest.approx(0.5 - miss)


def test_an_answer_that_settles_the_outcome_tells_all_of_it():
    answers = answers_of([0.3, 0.7], [1 - 1e-12, 1e-12])
    information = mutual_information(answers, joint_of(answers, logit([[0.3]]), np.zeros((1, 1)), np.ones((1, 1))))
    assert information.bits[0] == pytest.approx(-0.3 * np.log2(0.3) - 0.7 * np.log2(0.7), abs=1e-6)


@given(
    chance=st.lists(st.floats(0.01, 1), min_size=2, max_size=5),
    win_prob=st.lists(st.floats(0.01, 0.99), min_size=5, max_size=5),
    now=st.floats(0.02, 0.98),
)
def test_answers_average_to_the_present_chance_whatever_it_is(chance, win_prob, now):
    chance = np.array(chance) / np.sum(chance)
    answers = answers_of(chance, win_prob[: len(chance)])
    joint = joint_of(answers, logit([[now]]), np.zeros((1, 1)), np.ones((1, 1)))
    assert joint.won.sum() == pytest.approx(now)
    assert (joint.won + joint.lost).sum() == pytest.approx(1)
    # Every answer's log-odds moved by the same.
    after = logit((joint.won / (joint.won + joint.lost)).ravel())
    np.testing.assert_allclose(after - answers.log_odds.ravel(), joint.shift.item(), atol=1e-9)


# --- what a validated source would say --------------------------------------------------------------------------------


@pytest.mark.parametrize("support", [None, 1.0, 4.0])
def test_the_reading_is_that_of_an_integral_over_support_and_noise(posterior, table, support):
    """Oracle: a fine grid over true support and what the source reads of it."""
    model = few_draws(posterior, 1)
    features = describe(validate_deals(table(approver_support=[support])), model.scaling)
    by = coefficients(model.flat, features, seed=1)
    reading = validated_reading(by, features, model.scaling, 0)
    rho_report, rho = (float(by.reliability[COACH_LEVELS.index(c), 0]) for c in ("unvalidated", "validated"))
    middle, hidden = float(features.reading[0, 0]), float(features.reading_variance[0, 0])
    mean = float(by.unknown_support[0, 0]) if support is None else rho_report * middle
    sd = 1.0 if support is None else np.sqrt(1 - rho_report**2 + rho_report**2 * hidden)
    counts = np.array(model.scaling.tier_counts[0])
    cuts = np.concatenate([[-np.inf], norm.ppf(np.cumsum(counts)[:-1] / counts.sum()), [np.inf]])
    grid = mean + sd * np.linspace(-8, 8, 4001)
    density = norm.pdf(grid, mean, sd) * (grid[1] - grid[0])
    said = np.diff(norm.cdf((cuts[:, None] - rho * grid) / np.sqrt(1 - rho**2)), axis=0)
    chance = said @ density
    after = (said * grid) @ density / chance
    variance = (said * grid**2) @ density / chance - after**2
    np.testing.assert_allclose(reading.chance[0, :, 0], chance, atol=2e-5)
    np.testing.assert_allclose(mean + reading.rise[0, :, 0], after, atol=2e-3)
    np.testing.assert_allclose(sd**2 - reading.fall[0, :, 0], variance, atol=2e-3)


@pytest.mark.parametrize("fact", ["approver_support", "evaluator_support"])
def test_bits_of_a_support_are_those_of_the_whole_integral(posterior, table, fact):
    """Oracle: outcome and answer integrated over true support, without the approximation of doubt; one draw."""
    model = few_draws(posterior, 1)
    frame = table(approver_support=[None])
    features = describe(validate_deals(frame), model.scaling)
    context = context_of(model, features, None)
    now = situation(context, features, np.full((1, 5), NOT_HEARD))
    role = ROLES.index(fact.removesuffix("_support"))
    weight = float(now.state.weight[role, 0, 0])
    coefs, reading = context.coefs, validated_reading(context.coefs, features, model.scaling, role)
    reported = features.readers[0, role] > 0
    rho_report, rho = (float(coefs.reliability[COACH_LEVELS.index(c), 0]) for c in ("unvalidated", "validated"))
    level = rho_report * features.reading[0, role] if reported else float(coefs.unknown_support[role, 0])
    doubt = 1 - rho_report**2 + rho_report**2 * features.reading_variance[0, role] if reported else 1.0
    others = float(now.state.variance[0, 0]) - weight**2 * doubt
    counts = np.array(model.scaling.tier_counts[role])
    cuts = np.concatenate([[-np.inf], norm.ppf(np.cumsum(counts)[:-1] / counts.sum()), [np.inf]])
    noise = np.linspace(-7, 7, 401)
    grid = level + np.sqrt(doubt) * noise
    mass = norm.pdf(noise) / norm.pdf(noise).sum()
    rest = float(now.state.predictor[0, 0]) - weight * level
    win = (expit(rest + weight * grid[:, None] + np.sqrt(others) * noise) * mass).sum(axis=1)
    tiers = np.diff(norm.cdf((cuts[:, None] - rho * grid) / np.sqrt(1 - rho**2)), axis=0)
    joint = np.stack([(tiers * win) @ mass, (tiers * (1 - win)) @ mass], axis=1)
    assert joint.sum() == pytest.approx(1)
    assert reading.chance.sum() == pytest.approx(1, abs=1e-5)
    assert bits_of(model, frame, fact) == pytest.approx(information(joint), rel=0.06, abs=1e-5)


# --- enumeration of a small case --------------------------------------------------------------------------------------


def share_of(posterior, fact):
    return np.array(next(f for f in facts_of(posterior) if f.name == fact).share)


def filled(model, frame, **words):
    """(draw,) win probability of the one deal with words filled in."""
    return draw_win_prob(model, frame.assign(**{name: [word] for name, word in words.items()}))[0].astype(float)


@pytest.fixture
def small(posterior, table):
    """Three draws and a deal of which only method and coverage are unknown, the coach validated."""
    return few_draws(posterior, 3), table(decision_method=[None], approver_coverage=[None], coach=["validated"])


def weighed_joint(chance, after, now):
    """(answer, outcome, draw) by hand: answers' outcomes joint to the present chance in every draw."""
    joint = np.stack([chance * after, chance * (1 - after)], axis=1)
    return joint * (np.stack([now, 1 - now]) / joint.sum(axis=0))


def test_a_word_alone_is_its_enumeration(small):
    model, frame = small
    now = filled(model, frame)
    ranked = rank_unknowns(model, frame).set_index("fact")
    assert set(ranked.index) == {"decision_method", "approver_coverage"}
    for fact, words in (("decision_method", DECISION_METHODS), ("approver_coverage", COVERAGES[1:])):
        after = np.stack([filled(model, frame, **{fact: word}) for word in words])
        joint = weighed_joint(share_of(model, fact)[:, None], after, now).mean(axis=2)
        assert ranked.loc[fact, "bits"] == pytest.approx(information(joint), rel=1e-4, abs=1e-8)
        moved = np.abs(joint[:, 0] - joint.sum(axis=1) * now.mean()).sum()
        assert ranked.loc[fact, "expected_shift"] == pytest.approx(moved, rel=1e-4)


def test_a_second_word_adds_what_enumeration_of_both_says(small):
    """Oracle: the joint of both answers and the outcome, in the order in which they are asked."""
    model, frame = small
    plan = plan_questions(model, frame, 2)
    first, second = plan["fact"]
    words = {"decision_method": DECISION_METHODS, "approver_coverage": COVERAGES[1:]}
    now = filled(model, frame)
    one = np.stack([filled(model, frame, **{first: word}) for word in words[first]])
    joint = weighed_joint(share_of(model, first)[:, None], one, now)
    both = []
    for at, word in enumerate(words[first]):
        chance = joint[at].sum(axis=0)
        two = np.stack([filled(model, frame, **{first: word, second: other}) for other in words[second]])
        shifted = joint[at, 0] / chance
        # What the first answer moved all log-odds by stays.
        two = expit(logit(two) + logit(shifted) - logit(one[at]))
        both.append(chance * weighed_joint(share_of(model, second)[:, None], two, shifted))
    table = np.concatenate(both).mean(axis=2)
    wanted = information(table) - information(joint.mean(axis=2))
    assert plan["bits"].iloc[0] == pytest.approx(information(joint.mean(axis=2)), rel=1e-4)
    assert plan["bits"].iloc[1] == pytest.approx(wanted, rel=2e-3, abs=1e-7)


def test_the_lever_changes_as_often_as_enumeration_says(posterior, table):
    """One draw, the decision method unknown: the best role of each method by ``lifts``."""
    for draw in range(4):
        one = {name: values[:1, draw : draw + 1] for name, values in posterior.draws.items()}
        model = replace(posterior, draws=one)
        frame = table(decision_method=[None], coach=["validated"])
        best = {}
        for word in (None, *DECISION_METHODS):
            features = describe(validate_deals(frame.assign(decision_method=[word])), model.scaling)
            steps = steps_up(features, model.scaling, model.flat["unknown_support"].mean(axis=0))
            found = lifts(coefficients(model.flat, features, seed=1), features, steps)
            best[word] = found.log_odds_lift[:, 0, 0].argmax()
        after = np.stack([filled(model, frame, decision_method=word) for word in DECISION_METHODS])
        joint = weighed_joint(share_of(model, "decision_method")[:, None], after, filled(model, frame)).mean(axis=2)
        wanted = sum(c for c, word in zip(joint.sum(axis=1), DECISION_METHODS, strict=True) if best[word] != best[None])
        ranked = rank_unknowns(model, frame).set_index("fact")
        assert ranked.loc["decision_method", "changes_lever"] == pytest.approx(wanted, abs=1e-5)


def test_what_the_draws_leave_unsure_is_what_other_draws_would_say(posterior, table):
    """Oracle: the bootstrap over draws, which here are independent."""
    frame = table(approver_support=[None], decision_method=[None])
    rng, bits = np.random.default_rng(3), []
    for _ in range(40):
        again = rng.integers(250, size=250)
        model = replace(posterior, draws={name: values[:, again] for name, values in posterior.draws.items()})
        bits.append(rank_unknowns(model, frame).set_index("fact")["bits"])
    error = rank_unknowns(posterior, frame).set_index("fact")["bits_error"]
    ratio = error / pd.concat(bits, axis=1).std(axis=1).reindex(error.index)
    assert ratio.between(0.5, 2).all()


# --- what must hold for any deal --------------------------------------------------------------------------------------


@hypothesis.settings(max_examples=15)
@given(deal=deals)
def test_bits_are_none_or_more_and_ranks_follow_them(model, deal):
    ranked = rank_unknowns(model, frame_of(deal))
    assert ranked["bits"].between(0, 1).all()
    assert ranked[["expected_shift", "changes_lever"]].apply(lambda c: c.between(0, 1)).all(axis=None)
    assert ranked["rank"].tolist() == list(range(1, len(ranked) + 1))
    assert ranked["bits"].is_monotonic_decreasing


@hypothesis.settings(max_examples=15)
@given(deal=deals)
def test_in_every_draw_answers_average_to_what_predict_tells(model, deal):
    frame = frame_of(deal)
    features = describe(validate_deals(frame), model.scaling)
    context = context_of(model, features, None)
    now = situation(context, features, np.full((1, 5), NOT_HEARD))
    chance = draw_win_prob(model, frame)[0]
    for fact in facts_of(model):
        answers = answers_to(context, now, fact)
        np.testing.assert_allclose(answers.chance.sum(axis=1), 1, atol=1e-5)
        plain = {"shift": np.zeros_like(now.state.predictor), "weight": np.ones_like(now.state.predictor)}
        joint = joint_of(answers, now.state.log_odds, **plain)
        np.testing.assert_allclose(joint.won.sum(axis=1)[0], chance, atol=2e-5)
        if isinstance(fact, SupportFact) and (now.state.weight[fact.role] < 2).all():
            assert abs(joint.gap[0]) < 0.02


@hypothesis.settings(max_examples=15)
@given(deal=deals)
def test_open_are_the_facts_that_are_unknown_or_rest_on_no_validated_coach(model, deal):
    asked = set(rank_unknowns(model, frame_of(deal))["fact"])
    wanted = {f"{r}_support" for r in ROLES if deal["coach"] != "validated" or deal[f"{r}_support"] is None}
    wanted |= {name for name in ("stage", "decision_method") if deal[name] is None}
    wanted |= {"coach"} if deal["coach"] in (None, "unvalidated") else set()
    wanted |= {"approver_coverage"} if deal["approver_coverage"] == "unknown" else set()
    assert asked == wanted


@hypothesis.settings(max_examples=15)
@given(rows=st.lists(deals, min_size=2, max_size=4), seed=st.integers(0, 99))
def test_the_order_of_the_rows_changes_nothing(model, rows, seed):
    frame = frame_of(*rows)
    order = np.random.default_rng(seed).permutation(len(frame))
    wanted = rank_unknowns(model, frame).set_index(["deal_id", "fact"])
    got = rank_unknowns(model, frame.iloc[order])
    assert list(dict.fromkeys(got["deal_id"])) == [d for d in frame["deal_id"].iloc[order] if d in set(got["deal_id"])]
    got = got.set_index(["deal_id", "fact"]).loc[wanted.index]
    np.testing.assert_allclose(got[NUMBERS], wanted[NUMBERS], rtol=1e-3, atol=1e-7)


def test_a_role_without_weight_tells_nothing(posterior, table):
    def drop(weight):
        weight[:, :, ROLES.index("approver")] = 0

    draws = {name: values.copy() for name, values in posterior.draws.items()}
    drop(draws["role_weight"])
    ranked = rank_unknowns(replace(posterior, draws=draws), table(approver_support=[None])).set_index("fact")
    assert ranked.loc["approver_support", "bits"] == 0
    assert ranked.loc["approver_support", "expected_shift"] == 0
    assert (ranked.drop("approver_support")["bits"] > 0).all()


def test_the_more_a_role_weighs_the_more_its_support_tells(posterior, table):
    bits = []
    # Smaller weights carry less information than the chance association in fifty draws.
    for factor in (0.5, 1, 2, 4):

        def scale(weight, factor=factor):
            weight[:, :, 0] = 0.5 * factor

        bits.append(
            bits_of(few_draws(posterior, 50, role_weight=scale), table(approver_support=[None]), "approver_support")
        )
    assert (np.diff(bits) > 0).all()


def test_the_truer_the_source_the_more_it_tells(posterior, table):
    bits = []
    for rho in (0.7, 0.8, 0.9, 0.99):

        def truer(reliability, rho=rho):
            reliability[..., COACH_LEVELS.index("validated")] = rho

        model = few_draws(posterior, 50, reliability=truer)
        bits.append(bits_of(model, table(approver_support=[None], coach=["none"]), "approver_support"))
    assert (np.diff(bits) > 0).all()


def test_the_truer_the_report_the_less_is_left_to_ask(posterior, table):
    """Where the role is reported already: an unvalidated coach leaves more open than a good one."""
    bits = []
    for rho in (0.2, 0.5, 0.8):

        def truer(reliability, rho=rho):
            reliability[..., COACH_LEVELS.index("unvalidated")] = rho
            reliability[..., COACH_LEVELS.index("validated")] = 0.9

        bits.append(bits_of(few_draws(posterior, 50, reliability=truer), table(), "evaluator_support"))
    assert (np.diff(bits) < 0).all()


# --- the frame --------------------------------------------------------------------------------------------------------


def test_columns_index_and_input(posterior, team):
    frame = team.open.set_index(pd.Index([f"row {i}" for i in range(len(team.open))], name="key"))
    before = frame.copy(deep=True)
    ranked = rank_unknowns(posterior, frame)
    assert ranked.columns.tolist() == COLUMNS
    assert (frame.loc[ranked.index, "deal_id"].to_numpy() == ranked["deal_id"].to_numpy()).all()
    pd.testing.assert_frame_equal(frame, before)
    plan = plan_questions(posterior, frame, 3)
    assert plan.columns.tolist() == [*COLUMNS, "bits_alone"]
    assert (frame.loc[plan.index, "deal_id"].to_numpy() == plan["deal_id"].to_numpy()).all()


def test_of_several_readings_the_last_counts(posterior, table):
    frame = table(as_of=["2026-03-01", "2026-01-01", None], stage=[None, "evaluation", "evaluation"]).assign(
        deal_id="A"
    )
    assert "stage" in set(rank_unknowns(posterior, frame)["fact"])
    assert rank_unknowns(posterior, frame).index.unique().tolist() == [0]


def test_a_deal_fully_known_has_no_row(posterior, table):
    got = rank_unknowns(posterior, table(coach=["validated"]))
    assert got.empty
    assert got.columns.tolist() == COLUMNS
    assert plan_questions(posterior, table(coach=["validated"]), 5).empty
    assert rank_unknowns(posterior, table().head(0)).empty


def test_an_id_alone_leaves_every_fact_open(posterior, believed):
    for model in (posterior, believed):
        got = rank_unknowns(model, pd.DataFrame({"deal_id": ["D1"]}))
        assert len(got) == 9
        assert (got["bits"] > 0).all()


def test_invalid_deals_are_refused(posterior, table):
    with pytest.raises(DealTableError, match="approver_support"):
        rank_unknowns(posterior, table(approver_support=[7]))
    with pytest.raises(SettingsError, match="at least 1"):
        plan_questions(posterior, table(), 0)


def test_words_of_a_model_that_saw_no_deal_are_all_as_likely(believed):
    fact = next(f for f in facts_of(believed) if f.name == "decision_method")
    np.testing.assert_allclose(fact.share, 1 / (len(METHOD_LEVELS) - 1))


def test_words_are_as_likely_as_in_training_a_count_of_one_beside(posterior, team):
    counts = team.closed["stage"].value_counts().reindex(STAGE_STATES[:-1]) + 1
    np.testing.assert_allclose(share_of(posterior, "stage"), counts / counts.sum(), rtol=1e-6)


def test_an_unvalidated_coach_passes_or_stays_so(posterior, table):
    fact = next(f for f in facts_of(posterior) if f.name == "coach")
    features = describe(validate_deals(table(coach=["unvalidated", None])), posterior.scaling)
    there, unknown = fact.chance(features)
    assert there[0] == 0
    assert unknown[0] > 0
    assert there[2] / there[1] == pytest.approx(unknown[2] / unknown[1])


# --- questions --------------------------------------------------------------------------------------------------------


def test_questions_and_channels_are_the_methods_in_both_languages(posterior, table):
    frame = table(approver_support=[None, None], coach=["validated", "none"], stage=["evaluation", None])
    english = rank_unknowns(posterior, frame)
    with use_language("zh"):
        chinese = rank_unknowns(posterior, frame)
    asked = english.set_index(["deal_id", "fact"])
    assert "who on our side" not in asked.loc[("D0", "approver_support"), "question"]
    assert asked.loc[("D0", "approver_support"), "question"].startswith("If it were settled today")
    assert asked.loc[("D0", "approver_support"), "channel"] == "The coach"
    assert asked.loc[("D1", "approver_support"), "channel"] == "Other inside sources"
    assert (chinese["channel"].iloc[0], english["channel"].iloc[0]) == ("内部教练", "The coach")
    pd.testing.assert_frame_equal(chinese[NUMBERS], english[NUMBERS])


def test_a_coach_is_never_asked_about_the_coach(posterior, table):
    ranked = rank_unknowns(posterior, table(coach=[None, "unvalidated"]))
    assert (ranked["channel"] != "The coach").all()


# --- the portfolio ----------------------------------------------------------------------------------------------------


def test_the_plan_takes_the_best_of_all_deals_first_and_never_one_twice(posterior, team):
    ranked = rank_unknowns(posterior, team.open)
    plan = plan_questions(posterior, team.open, 8)
    best = ranked.loc[ranked["bits"].idxmax()] if ranked.index.is_unique else ranked.iloc[ranked["bits"].argmax()]
    assert plan[["deal_id", "fact"]].iloc[0].tolist() == best[["deal_id", "fact"]].tolist()
    assert plan["rank"].tolist() == list(range(1, 9))
    assert not plan.duplicated(["deal_id", "fact"]).any()
    alone = ranked.set_index(["deal_id", "fact"])["bits"]
    np.testing.assert_allclose(plan["bits_alone"], alone.loc[list(zip(plan["deal_id"], plan["fact"], strict=True))])


def test_the_plan_ends_where_nothing_is_open(posterior, table):
    plan = plan_questions(few_draws(posterior, 40), table(), 50)
    assert len(plan) == len(rank_unknowns(posterior, table()))
    assert (plan["bits"] >= 0).all()


def test_ended_deals_are_not_planned_for(posterior, table):
    frame = table(outcome=["open", "won", None, "lost"])
    assert set(plan_questions(few_draws(posterior, 10), frame, 50)["deal_id"]) == {"D0", "D2"}


def test_two_facts_that_tell_the_same_are_not_both_counted(posterior, table):
    """The evaluator's report is worth what the coach is: once a second source reported the evaluator's support, whether
    the coach can be trusted tells little more.
    """

    def steep(reliability):
        reliability[..., :] = [0.05, 0.3, 0.95, 0.5]

    def one_role(weight):
        weight[...] = 0
        weight[..., ROLES.index("evaluator"), :] = 2

    def none(effect):
        effect[...] = 0

    model = few_draws(posterior, 30, reliability=steep, role_weight=one_role, coach_effect=none)
    plan = plan_questions(model, table(coach=[None], evaluator_support=[4.0]), 2).set_index("fact")
    assert plan.index.tolist() == ["evaluator_support", "coach"]
    assert plan.loc["coach", "bits"] < 0.7 * plan.loc["coach", "bits_alone"]


def test_two_facts_that_nothing_connects_tell_no_less_together(posterior, table):
    """Of independent facts the mutual information never shrinks for knowing the other."""
    model = few_draws(posterior, 1)
    frame = table(approver_support=[None], evaluator_support=[None], coach=["validated"])
    plan = plan_questions(model, frame, 2)
    assert len(plan) == 2
    assert (plan["bits"] >= plan["bits_alone"] * 0.999).all()


def test_drawn_branches_agree_with_all_of_them_within_their_error(posterior, table, monkeypatch):
    model = few_draws(posterior, 60)
    frame = table(approver_support=[None], evaluator_support=[None], coach=["validated"], decision_method=[None])
    whole = plan_questions(model, frame, 3)
    monkeypatch.setattr(planning, "MOST_BRANCHES", 8)
    some = plan_questions(model, frame, 3)
    assert some["fact"].tolist() == whole["fact"].tolist()
    assert some["bits_error"].iloc[2] > whole["bits_error"].iloc[2]
    assert abs(some["bits"].iloc[2] - whole["bits"].iloc[2]) < 4 * some["bits_error"].iloc[2]
    pd.testing.assert_frame_equal(some, plan_questions(model, frame, 3))


def test_another_order_of_asking_ends_with_as_much_known(posterior, table):
    """Chain rule: all bits of two supports together are the same, whichever comes first."""
    model = few_draws(posterior, 40)
    frame = table(approver_support=[None], evaluator_support=[None], coach=["validated"])
    asked = open_questions(model, validate_deals(frame))
    first, second = (
        next(at for at, f in enumerate(asked.facts) if f.name == n) for n in ("approver_support", "evaluator_support")
    )
    rng, totals = np.random.default_rng(1), []
    for one, two in ((first, second), (second, first)):
        root = planning._root(asked.context, asked.features)
        branches = planning._follow(asked.context, root, asked.facts[one], rng)
        totals.append(asked.bits[0, one] + planning._added(asked, branches, 0, two).gain)
    assert totals[0] == pytest.approx(totals[1], rel=5e-3)


def test_the_present_chance_is_predicts(posterior, team):
    asked = open_questions(posterior, validate_deals(team.open))
    now = situation(asked.context, asked.features, np.full((len(asked.features), 5), NOT_HEARD))
    np.testing.assert_allclose(
        expit(now.state.log_odds.astype(float)).mean(axis=1), predict(posterior, team.open)["mean"], rtol=1e-4
    )
