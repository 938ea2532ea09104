"""The effect of visits on true support: against brute force, on null logs, and with roles that were not visited."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit, ndtr, ndtri

from winprob.actions.visits.effect import Effect, EffectPrior, Instrument, learn_effect
from winprob.actions.visits.pairs import STATES, Pairs, comparison_pairs, join_pairs, visit_pairs
from winprob.data.schema import validate_deals, validate_visits
from winprob.methodology import ROLES
from winprob.model.features import COACH_LEVELS

RHO = np.array([0.54, 0.68, 0.85, 0.70])
CUTS = ndtri(np.array([0.2, 0.55, 0.85]))
READ = Instrument(reliability=RHO, doubt=0.5, cuts=np.tile(CUTS, (len(ROLES), 1)))
PRIOR = EffectPrior(mean=np.full(len(ROLES), 0.3))


def drawn(
    count: int, seed: int, *, effect: float = 0.0, visited: bool = True, drift: float = 0.0, copies: float = 0.0
) -> Pairs:
    """Pairs of readings; visits go to low tiers."""
    rng = np.random.default_rng(seed)
    many = 4 * count
    role, coach, support = rng.integers(len(ROLES), size=many), rng.integers(3, size=many), rng.normal(size=many)
    rho = RHO[coach]

    def read(level: np.ndarray) -> np.ndarray:
        return ((rho * level + np.sqrt(1 - rho**2) * rng.normal(size=many))[:, None] > CUTS).sum(axis=1)

    before = read(support)
    after = read(support + drift + effect * visited + 0.3 * rng.normal(size=many))
    after = np.where(rng.random(many) < copies, before, after)
    order = rng.random(many) * (1 + 2 * before * visited)
    pairs = Pairs(
        role=role,
        before=before,
        after=after,
        coach_before=coach,
        coach_after=coach,
        state=np.full(many, len(STATES) - 1),
        visited=np.full(many, visited),
        weight=np.ones(many),
    )
    return taken(pairs, np.argsort(order, kind="stable")[:count])


def taken(pairs: Pairs, rows: np.ndarray) -> Pairs:
    return Pairs(**{name: getattr(pairs, name)[rows] for name in Pairs.__slots__})


def learned(pairs: Pairs, prior: EffectPrior = PRIOR, instrument: Instrument = READ) -> Effect:
    return learn_effect(pairs, pairs.visited.astype(float), instrument, prior)


# --- oracle -------------------------------------------------------------------------------------------------------


def rectangles(rho: float, shift: np.ndarray, tau: float) -> np.ndarray:
    """(shift, before, after) joint probability of two tiers, by integrating over true support: another route."""
    level = np.linspace(-6, 6, 301)
    weight = stats.norm.pdf(level) * (level[1] - level[0])
    ends = np.concatenate([[-np.inf], CUTS, [np.inf]])
    before = np.diff(ndtr((ends - rho * level[:, None]) / np.sqrt(1 - rho**2)), axis=1)
    spread = np.sqrt(1 - rho**2 + rho**2 * tau**2)
    after = np.diff(ndtr((ends - rho * (level[None, :, None] + shift[:, None, None])) / spread), axis=2)
    return np.einsum("l,lb,sla->sba", weight, before, after)


@pytest.mark.parametrize(("sharp", "close"), [(True, 0.03), (False, 0.2)])
def test_the_posterior_is_that_of_brute_force(sharp: bool, close: float) -> None:
    """Oracle: effect, drift and reliability on a grid, the probabilities by an integral over true support.

    With drift and reliability known, the posterior is nearly normal, and the agreement is that of the probabilities.
    """
    coach = COACH_LEVELS.index("unvalidated")
    pairs = join_pairs(drawn(60, 3, effect=0.6), drawn(120, 4, visited=False, drift=0.1))
    pairs = replace(pairs, coach_before=np.full(len(pairs), coach), coach_after=np.full(len(pairs), coach))
    prior = replace(PRIOR, role_sd=1e-4, log_tau=(np.log(0.3), 1e-4), copies=(-30.0, 1e-3))
    read, moves = READ, np.linspace(-1.5, 1.5, 11)
    effect, drift = np.linspace(-0.9, 1.7, 66), np.linspace(-0.6, 0.7, 53)
    if sharp:
        read, prior = replace(READ, doubt=1e-4), replace(prior, drift_compared=1e-5)
        moves, drift = np.zeros(1), np.zeros(1)
    shifts = np.round(np.add.outer(effect, drift), 10)
    counts = np.zeros((2, 4, 4))
    np.add.at(counts, (pairs.visited.astype(int), pairs.before, pairs.after), 1)
    height = []
    for moved in moves:
        rho = float(expit(logit(RHO[coach]) + moved))
        among_visited = conditional(rectangles(rho, shifts.ravel(), 0.3)).reshape(*shifts.shape, 4, 4)
        among_others = conditional(rectangles(rho, drift, 0.3))
        fit = (counts[1] * np.log(among_visited)).sum(axis=(2, 3))
        fit += (counts[0] * np.log(among_others)).sum(axis=(1, 2))[None]
        height.append(fit + stats.norm.logpdf(moved, 0, read.doubt))
    grid = np.array(height) + stats.norm.logpdf(effect, 0.3, 0.3)[None, :, None]
    grid += stats.norm.logpdf(drift, 0, prior.drift_compared)[None, None, :]
    mass = np.exp(grid - grid.max()).sum(axis=(0, 2))
    mass /= mass.sum()
    mean = mass @ effect
    sd = np.sqrt(mass @ (effect - mean) ** 2)
    got = learned(pairs, prior, read).average
    assert got[0] == pytest.approx(mean, abs=close * sd)
    assert got[1] == pytest.approx(sd, rel=close)


def conditional(joint: np.ndarray) -> np.ndarray:
    return joint / joint.sum(axis=-1, keepdims=True)


# --- logs of known truth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compared", [False, True])
def test_a_null_log_of_200_shows_none(compared: bool) -> None:
    logs = [drawn(200, seed) for seed in range(30)]
    assert np.mean([(log.after > log.before).mean() for log in logs]) > 0.33, "too few rise: the test shows nothing"
    if compared:
        logs = [join_pairs(log, drawn(500, 100 + at, visited=False)) for at, log in enumerate(logs)]
    got = [learned(log) for log in logs]
    assert np.mean([effect.average[0] for effect in got]) <= 0.10
    assert np.mean([effect.interval[0] <= 0 for effect in got]) >= 0.8


def test_a_true_effect_is_recovered() -> None:
    """At least 8 of 12 intervals of 90 % hold it (by chance in 199 runs of 200); the benchmark has 100 logs."""
    got = [learned(join_pairs(drawn(200, s, effect=0.5), drawn(300, 100 + s, visited=False))) for s in range(12)]
    assert np.mean([effect.average[0] for effect in got]) == pytest.approx(0.5, abs=0.08)
    assert sum(lower <= 0.5 <= upper for lower, upper in (effect.interval for effect in got)) >= 8


def test_a_drift_of_all_roles_is_not_an_effect() -> None:
    logs = [drawn(200, seed, drift=0.3) for seed in range(6)]
    others = [drawn(2000, 100 + seed, visited=False, drift=0.3) for seed in range(6)]
    alone = np.mean([learned(log).average[0] for log in logs])
    compared = np.mean([learned(join_pairs(*both)).average[0] for both in zip(logs, others, strict=True)])
    assert alone > 0.2
    assert compared < 0.15


def test_readings_copied_from_the_month_before_make_no_effect() -> None:
    """Copies never go back towards the mean; without a share of copies, visits to low tiers would seem to work."""
    logs = [join_pairs(drawn(200, s), drawn(2000, 100 + s, visited=False, copies=0.7)) for s in range(30)]
    apart = np.mean([learned(log).average[0] for log in logs])
    assert apart <= 0.10
    blind = replace(PRIOR, copies=(-30.0, 1e-3))
    assert np.mean([learned(log, blind).average[0] for log in logs]) > apart + 0.1


def test_a_few_visits_leave_the_prior_and_roles_borrow_from_each_other() -> None:
    log = drawn(3, 1)
    few = learned(log)
    assert few.average[1] == pytest.approx(few.prior_sd, rel=0.15)
    many = drawn(300, 2, effect=0.9)
    many = taken(many, np.flatnonzero(many.role != 2))
    got = learned(many)
    assert 0.3 < got.mean[2] < got.mean[[0, 1, 3, 4]].mean()
    sd = np.sqrt(np.diag(got.covariance))
    assert (sd[2] > np.delete(sd, 2)).all()
    assert sd[2] < PRIOR.sd


def test_the_order_of_pairs_changes_nothing() -> None:
    pairs = join_pairs(drawn(80, 1), drawn(80, 2, visited=False))
    one, other = learned(pairs), learned(taken(pairs, np.arange(len(pairs))[::-1]))
    np.testing.assert_array_equal(one.mean, other.mean)


# --- pairs --------------------------------------------------------------------------------------------------------


def readings(**more: list[object]) -> pd.DataFrame:
    table = {
        "deal_id": ["A", "A", "A", "B", "B", "B"],
        "as_of": ["2026-01-01", "2026-02-01", "2026-03-01"] * 2,
        "outcome": "open",
        "coach": ["none", "validated", None, "unvalidated", "none", "none"],
        "approver_support": [1, 2, 3, 4, 3, 2],
        "evaluator_support": [1, None, 4, 2, 2, None],
    }
    return validate_deals(pd.DataFrame(table | more))


def visits(*rows: dict[str, object]) -> pd.DataFrame:
    base = {"deal_id": "A", "role": "approver", "executive": "Li", "date": "2026-02-10"}
    return validate_visits(pd.DataFrame([{**base, "tier_before": 2, "tier_after": 3, **row} for row in rows]))


def test_a_visit_is_read_through_the_coach_of_its_day() -> None:
    rows = ({}, {"date": "2026-01-15"}, {"date": "2025-01-01"}, {"deal_id": "Z"}, {"coach": "unvalidated"})
    got = visit_pairs(visits(*rows), readings())
    assert [COACH_LEVELS[code] for code in got.coach_before] == [
        "validated",
        "none",
        "unknown",
        "unknown",
        "unvalidated",
    ]
    assert (got.before.tolist(), got.after.tolist()) == ([1] * 5, [2] * 5)


def test_roles_that_no_one_visited_are_compared_over_the_same_time() -> None:
    log = visits({"date": "2026-01-10"}, {"date": "2026-02-10"})
    got = comparison_pairs(log, readings())
    found = [
        (ROLES[role], before + 1, after + 1)
        for role, before, after in zip(got.role, got.before, got.after, strict=True)
    ]
    # The approver of A was visited; its evaluator has a blank between two readings.
    assert found == [("approver", 4, 3), ("approver", 3, 2), ("evaluator", 1, 4), ("evaluator", 2, 2)]
    assert got.weight.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert not got.visited.any()
    early = comparison_pairs(visits({"date": "2025-03-01"}), readings())
    assert len(early) == 0


def test_deals_without_dates_compare_nothing() -> None:
    assert len(comparison_pairs(visits({}), readings().drop(columns="as_of"))) == 0
