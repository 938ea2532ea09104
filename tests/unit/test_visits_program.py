"""Plans against enumeration: what is best, what rules allow, what is best in the worst draws."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from scipy.special import expit

from winprob.actions.visits.baselines import take_in_order
from winprob.actions.visits.duals import dual_bound
from winprob.actions.visits.gains import membership, role_sets, set_gains, shares
from winprob.actions.visits.problem import NO_VISIT, Problem, list_choices
from winprob.actions.visits.program import best_by_draw, run, solve
from winprob.actions.visits.tail import one_visit_more, solve_tail, tail_mean, tail_weights
from winprob.errors import PlanError
from winprob.methodology.vocabulary import ROLES

SETS = role_sets(2)
SECONDS = 20.0


def problem_of(gain, eligible=None, slots=(2,), account=None, fixed=None):
    gain = np.asarray(gain, dtype=float)
    shape = (len(slots), len(gain), len(ROLES))
    return Problem(
        sets=SETS,
        gain=gain,
        eligible=np.ones(shape, dtype=bool) if eligible is None else eligible,
        slots=np.array(slots),
        account=account,
        fixed=np.zeros(shape, dtype=bool) if fixed is None else fixed,
        largest=np.array(slots),
    )


def draw_problem(seed, *, deals=2, groups=2, rule=False, scenarios=0):
    """A small problem; sets of two are worth less or more than their parts."""
    rng = np.random.default_rng(seed)
    single = rng.gamma(1.0, size=(scenarios or 1, deals, len(ROLES)))
    member = membership(SETS)
    gains = (single @ member.T) * np.where(member.sum(axis=1) == 2, rng.uniform(0.6, 1.4, size=(deals, len(SETS))), 1)
    eligible = rng.random((groups, deals, len(ROLES))) < 0.5
    account = rng.integers(2, size=deals) if rule else None
    problem = problem_of(gains.mean(axis=0), eligible, rng.integers(0, 3, size=groups), account)
    return problem, gains


def every_plan(problem):
    """All assignments of a visitor or no visit to each eligible (deal, role), within all rules."""
    deals = [list(deal_options(problem, deal)) for deal in range(len(problem.gain))]
    for plan in product(*deals):
        visitor = np.stack(plan)
        used = np.bincount(visitor[visitor != NO_VISIT], minlength=len(problem.slots))
        if (used <= problem.slots).all() and not breaks_the_rule(problem, visitor):
            yield visitor


def deal_options(problem, deal):
    yield np.full(len(ROLES), NO_VISIT)
    for chosen in problem.sets:
        who = [np.flatnonzero(problem.eligible[:, deal, role]) for role in chosen]
        for groups in product(*who):
            visitor = np.full(len(ROLES), NO_VISIT)
            visitor[list(chosen)] = groups
            yield visitor


def breaks_the_rule(problem, visitor):
    if problem.account is None:
        return False
    there = [set(visitor[problem.account == one].ravel()) - {NO_VISIT} for one in np.unique(problem.account)]
    return any(len(groups) > 1 for groups in there)


def worth(gain, visitor):
    place = {chosen: at for at, chosen in enumerate(SETS)}
    chosen = [tuple(np.flatnonzero(row != NO_VISIT).tolist()) for row in visitor]
    return sum(gain[..., deal, place[roles]] for deal, roles in enumerate(chosen) if roles) + 0.0 * gain[..., 0, 0]


# --- the best plan ------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), rule=st.booleans())
@budget(max_examples=25)
def test_the_plan_is_the_best_of_all_plans(seed, rule):
    problem, _ = draw_problem(seed, rule=rule)
    got = solve(problem, time_limit=SECONDS)
    best = max(worth(problem.gain, visitor) for visitor in every_plan(problem))
    assert got.objective == pytest.approx(best)
    assert worth(problem.gain, got.visitor) == pytest.approx(best)
    assert got.gap == 0


@given(seed=st.integers(0, 10_000), rule=st.booleans())
@budget(max_examples=15)
def test_a_plan_keeps_every_rule(seed, rule):
    problem, _ = draw_problem(seed, deals=12, groups=4, rule=rule)
    visitor = solve(problem, time_limit=SECONDS).visitor
    deal, role = np.nonzero(visitor != NO_VISIT)
    assert problem.eligible[visitor[deal, role], deal, role].all()
    assert (np.bincount(visitor[deal, role], minlength=4) <= problem.slots).all()
    assert ((visitor != NO_VISIT).sum(axis=1) <= 2).all()
    assert not breaks_the_rule(problem, visitor)


@given(seed=st.integers(0, 10_000), rule=st.booleans())
@budget(max_examples=15)
def test_few_choices_are_as_good_as_all(seed, rule):
    """Second route: the program over every choice, nothing left out by prices."""
    problem, _ = draw_problem(seed, deals=40, groups=3, rule=rule)
    choices = list_choices(problem, best_only=False)
    if not len(choices):
        return
    whole = -run(problem, choices, None, SECONDS).fun
    assert solve(problem, time_limit=SECONDS).objective == pytest.approx(whole, rel=1e-5)
    assert dual_bound(problem, choices).bound >= whole * (1 - 1e-9)


def test_joint_moves_are_planned_as_such():
    """Alone each role is worth little; two in one deal are worth more than the best two in different deals."""
    gain = np.zeros((2, len(SETS)))
    gain[0, SETS.index((0, 1))] = 3.0
    gain[:, :5] = 1.0
    got = solve(problem_of(gain), time_limit=SECONDS)
    assert got.objective == pytest.approx(3.0)
    assert np.argwhere(got.visitor != NO_VISIT).tolist() == [[0, 0], [0, 1]]


def test_fixed_visits_are_made_and_the_rest_is_best():
    gain = np.zeros((3, len(SETS)))
    gain[:, :5] = np.array([1.0, 5.0, 9.0])[:, None]
    eligible = np.ones((1, 3, len(ROLES)), dtype=bool)
    fixed = np.zeros_like(eligible)
    fixed[0, 0, 3] = True
    got = solve(problem_of(gain, eligible, fixed=fixed), time_limit=SECONDS)
    assert sorted(map(tuple, np.argwhere(got.visitor != NO_VISIT)))[0] == (0, 3)
    assert got.objective == pytest.approx(10.0)


def test_no_slots_or_no_one_to_visit_is_an_empty_plan():
    gain = np.ones((2, len(SETS)))
    assert solve(problem_of(gain, slots=(0,)), time_limit=SECONDS).objective == 0
    no_one = np.zeros((1, 2, len(ROLES)), dtype=bool)
    assert (solve(problem_of(gain, no_one), time_limit=SECONDS).visitor == NO_VISIT).all()


def test_without_time_it_is_said(monkeypatch):
    problem, _ = draw_problem(3, deals=30)

    class NothingFound:
        x = None

    monkeypatch.setattr("winprob.actions.visits.program.milp", lambda *_, **__: NothingFound())
    with pytest.raises(PlanError, match=r"with the effort of 0\.1 seconds; allow more with --time-limit"):
        solve(problem, time_limit=0.1)


# --- draws --------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000))
@budget(max_examples=15)
def test_the_recursion_finds_the_best_plan_of_each_draw(seed):
    problem, gains = draw_problem(seed, deals=9, groups=1, scenarios=6)
    got = best_by_draw(problem, gains, seconds=SECONDS, follow=lambda share: None)
    for draw in range(6):
        one = Problem(**{**{name: getattr(problem, name) for name in problem.__slots__}, "gain": gains[draw]})
        assert got.worth[draw] == pytest.approx(solve(one, time_limit=SECONDS).objective)
        visitor = np.where(got.visited[draw], 0, NO_VISIT)
        assert worth(gains[draw], visitor) == pytest.approx(got.worth[draw])
        assert (visitor != NO_VISIT).sum() <= problem.slots[0]


def test_time_that_runs_out_leaves_fewer_draws():
    problem, gains = draw_problem(5, deals=8, groups=2, scenarios=5)
    got = best_by_draw(problem, gains, seconds=0.0, follow=lambda share: None)
    assert len(got.worth) == 0
    assert np.isnan(got.share).all()


# --- the worst draws ----------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000))
@budget(max_examples=12)
def test_the_careful_plan_is_the_best_of_all_plans_in_the_worst_draws(seed):
    problem, gains = draw_problem(seed, deals=2, scenarios=20)
    got = solve_tail(problem, gains, 0.8, time_limit=SECONDS)
    best = max(tail_mean(worth(gains, visitor), 0.8) for visitor in every_plan(problem))
    assert got.objective == pytest.approx(best, abs=1e-6)
    assert tail_mean(worth(gains, got.visitor), 0.8) == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 8])
def test_a_careful_plan_over_some_choices_is_near_the_best_and_says_how_near(seed, monkeypatch):
    monkeypatch.setattr("winprob.actions.visits.tail._FEW", 10)
    problem, gains = draw_problem(seed, deals=12, groups=2, scenarios=20)
    choices = list_choices(problem, best_only=False)
    got = solve_tail(problem, gains, 0.8, time_limit=SECONDS)
    whole = -run(problem, choices, (gains[:, choices.deal, choices.at], 0.8), SECONDS).fun
    assert 0.95 * whole <= got.objective <= whole * (1 + 1e-5)
    assert got.objective * (1 + got.gap) >= whole * (1 - 1e-5)


def test_the_tail_mean_is_that_of_the_worst():
    totals = np.random.default_rng(1).normal(size=50)
    assert tail_mean(totals, 0.9) == pytest.approx(np.sort(totals)[:5].mean())
    assert tail_weights(totals, 0.75).sum() == pytest.approx(1)
    # 12.5 draws: the thirteenth counts half.
    ordered = np.sort(totals)
    assert tail_mean(totals, 0.75) == pytest.approx((ordered[:12].sum() + ordered[12] / 2) / 12.5)


def test_one_visit_more_is_what_trying_all_says():
    problem, gains = draw_problem(11, deals=4, scenarios=20)
    visitor = np.full((4, len(ROLES)), NO_VISIT)
    got = one_visit_more(problem, gains, visitor, 0.8)
    for kind in range(2):
        tries = [tail_mean(gains[:, d, r], 0.8) for d, r in np.argwhere(problem.eligible[kind])]
        assert got[kind] == pytest.approx(max(tries, default=0))


# --- gains --------------------------------------------------------------------------------------------------------


def test_one_visit_gains_chance_times_lift():
    """Closed form of one move, and of two by hand."""
    log_odds, lift = np.array([[0.3, -1.0]]), np.zeros((5, 1, 2))
    lift[0], lift[1] = 0.8, 0.5
    chance = np.full((5, 1, 2), 0.4)
    chance[1] = 0.7
    got = set_gains(log_odds, lift, chance, SETS)
    before = expit(log_odds)
    one, two, both = expit(log_odds + 0.8) - before, expit(log_odds + 0.5) - before, expit(log_odds + 1.3) - before
    np.testing.assert_allclose(got[SETS.index((0,))], 0.4 * one)
    np.testing.assert_allclose(got[SETS.index((0, 1))], 0.4 * 0.7 * both + 0.4 * 0.3 * one + 0.6 * 0.7 * two)
    np.testing.assert_allclose(got[SETS.index((2,))], 0)


@given(seed=st.integers(0, 10_000))
def test_gains_are_what_simulated_visits_give(seed):
    """Second route: every outcome of three visits, weighed by its probability."""
    rng = np.random.default_rng(seed)
    sets = role_sets(3)
    log_odds, lift, chance = rng.normal(size=(2, 3)), rng.gamma(1, size=(5, 2, 3)), rng.random((5, 2, 3))
    got = set_gains(log_odds, lift, chance, sets)
    visited = sets[int(rng.integers(len(sets)))]
    wanted = -expit(log_odds)
    for moved in product([False, True], repeat=len(visited)):
        probability = np.prod([chance[r] if m else 1 - chance[r] for r, m in zip(visited, moved, strict=True)], axis=0)
        wanted = wanted + probability * expit(log_odds + sum(lift[r] * m for r, m in zip(visited, moved, strict=True)))
    np.testing.assert_allclose(got[sets.index(visited)], wanted, atol=1e-12)


@given(seed=st.integers(0, 10_000), visited=st.sampled_from(role_sets(3)))
def test_the_visits_shares_add_up_to_the_gain(seed, visited):
    rng = np.random.default_rng(seed)
    gain = {chosen: rng.normal(size=4) for chosen in role_sets(3)}
    got = shares(gain, visited)
    np.testing.assert_allclose(sum(got.values()), gain[visited])
    if len(visited) == 2:
        one, two = visited
        wanted = (gain[one,] + gain[visited] - gain[two,]) / 2
        np.testing.assert_allclose(got[one], wanted)


# --- common sense -------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), rule=st.booleans())
@budget(max_examples=20)
def test_baselines_keep_the_rules_and_never_beat_the_best(seed, rule):
    problem, _ = draw_problem(seed, deals=6, groups=3, rule=rule)
    order = np.random.default_rng(seed).permutation(6 * len(ROLES))
    visitor = take_in_order(problem, order, 2)
    deal, role = np.nonzero(visitor != NO_VISIT)
    assert problem.eligible[visitor[deal, role], deal, role].all()
    assert (np.bincount(visitor[deal, role], minlength=3) <= problem.slots).all()
    assert not breaks_the_rule(problem, visitor)
    assert worth(problem.gain, visitor) <= solve(problem, time_limit=SECONDS).objective + 1e-9
